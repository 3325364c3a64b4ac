//! Runs: lists of changes that were held for a person's word, and what a connection's pushes took of the hour.
//! A row of `runs` is the list, its `run_items` are the changes: `held`, then `confirmed`, then `done`.

use super::audit::Audit;
use super::dialect::{in_list, pad_list};
use super::statements::statements;
use super::{Batch, Error, Row, Store, Value, events};
use crate::args;
use crate::model::connection::Connection;
use crate::model::event::InboxEntry;
use crate::model::ids::{ConnectionId, TenantId};
use std::collections::HashMap;

/// Ids asked for in one statement.
const IDS_PER_READ: usize = 256;

macro_rules! run_columns {
    () => {
        "r.id, r.connection_id, r.kind, r.state, r.summary, r.list_hash, r.version, r.created_at, r.updated_at, r.finished_at"
    };
}

statements! {
    FIND_RUN = concat!("SELECT ", run_columns!(), " FROM runs r WHERE r.tenant_id = $1 AND r.id = $2");
    LIST_RUNS = concat!("SELECT ", run_columns!(), " FROM runs r WHERE r.tenant_id = $1 AND r.id > $2 ORDER BY r.id LIMIT $3");
    LIST_ITEMS = "SELECT i.id, i.action, i.subject, i.state, i.created_at, i.detail FROM run_items i \
        WHERE i.tenant_id = $1 AND i.run_id = $2 AND i.id > $3 ORDER BY i.id LIMIT $4";
    /// A run opens (version 0 was seen) or grows: stale if it moved since it was read.
    HOLD = "INSERT INTO runs (tenant_id, id, connection_id, kind, state, summary, list_hash, created_at, updated_at) \
        VALUES ($1, $2, $3, 'push', 'held', $4, $5, $6, $6) \
        ON CONFLICT (tenant_id, id) DO UPDATE SET state = 'held', summary = excluded.summary, list_hash = excluded.list_hash, \
        version = runs.version + 1, updated_at = excluded.updated_at, finished_at = NULL WHERE runs.version = $7";
    /// What was done once can be asked for again: the person came back meanwhile.
    HOLD_ITEM = "INSERT INTO run_items (tenant_id, run_id, id, action, subject, state, detail, created_at) \
        VALUES ($1, $2, $3, $4, $5, 'held', '{}', $6) \
        ON CONFLICT (tenant_id, run_id, id) DO UPDATE SET state = 'held' WHERE run_items.state = 'done'";
    /// A run over a directory begins; whichever of the same connection is still said to run was broken off.
    START_SYNC = "INSERT INTO runs (tenant_id, id, connection_id, kind, state, summary, created_at, updated_at) \
        VALUES ($1, $2, $3, 'sync', 'running', '{}', $4, $4)";
    BREAK_OFF = "UPDATE runs SET state = 'broken off', version = version + 1, updated_at = $3, finished_at = $3 \
        WHERE tenant_id = $1 AND connection_id = $2 AND kind IN ('sync', 'undo') AND state = 'running'";
    END_SYNC = "UPDATE runs SET state = $3, summary = $4, list_hash = $5, version = version + 1, updated_at = $6, finished_at = $6 \
        WHERE tenant_id = $1 AND id = $2 AND kind <> 'push' AND state = 'running'";
    /// What such a run did is undone, by a run of its own.
    START_UNDO = "INSERT INTO runs (tenant_id, id, connection_id, kind, state, summary, created_at, updated_at) \
        VALUES ($1, $2, $3, 'undo', 'running', '{}', $4, $4)";
    UNDONE = "UPDATE runs SET state = 'undone', version = version + 1, updated_at = $4 \
        WHERE tenant_id = $1 AND connection_id = $2 AND id = $3 AND kind IN ('sync', 'replay')";
    /// Another run holds another list by now, or nothing: the older one can't be confirmed any more. Or a confirmation was used.
    SUPERSEDE_SYNCS = "UPDATE runs SET state = 'superseded', version = version + 1, updated_at = $4, finished_at = $4 \
        WHERE tenant_id = $1 AND connection_id = $2 AND kind = 'sync' AND state = 'held' AND id <> $3";
    SUPERSEDE_JUDGED = "UPDATE runs SET state = 'superseded', version = version + 1, updated_at = $3, finished_at = $3 \
        WHERE tenant_id = $1 AND connection_id = $2 AND kind = 'sync' AND state IN ('held', 'confirmed')";
    USE_UP_SYNC = "UPDATE runs SET state = 'done', version = version + 1, updated_at = $4, finished_at = $4 \
        WHERE tenant_id = $1 AND connection_id = $2 AND kind = 'sync' AND state = 'confirmed' AND id = $3";
    INSERT_SYNC_ITEM = "INSERT INTO run_items (tenant_id, run_id, id, action, subject, state, detail, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    SYNCS_IN_STATE = concat!("SELECT ", run_columns!(), " FROM runs r WHERE r.tenant_id = $1 AND r.connection_id = $2 AND r.kind = 'sync' \
        AND r.state = $3 ORDER BY r.id");
    FORGET_SYNC = "DELETE FROM runs WHERE tenant_id = $1 AND id = $2 AND kind = 'sync' AND state = 'running'";
    /// A run that found nothing, once the next one found nothing either.
    FORGET_IDLE = "DELETE FROM runs WHERE tenant_id = $1 AND id = $2 AND kind = 'sync' AND state = 'done'";
    FORGET_OLD_SYNCS = "DELETE FROM runs WHERE tenant_id = $1 AND connection_id = $2 AND kind <> 'push' AND finished_at < $3 \
        AND state <> 'held' AND state <> 'confirmed'";
    CONFIRM = "UPDATE runs SET state = 'confirmed', version = version + 1, updated_at = $4, finished_at = $4 \
        WHERE tenant_id = $1 AND id = $2 AND state = 'held' AND list_hash = $3";
    CONFIRM_ITEMS = "UPDATE run_items SET state = 'confirmed' WHERE tenant_id = $1 AND run_id = $2 AND state = 'held'";
    FINISH_ITEM = "UPDATE run_items SET state = 'done' WHERE tenant_id = $1 AND run_id = $2 AND id = $3 AND state = 'confirmed'";
    /// One row per hour, and the limit is looked at where it is raised: two at once can't both take the last one.
    SPEND = "INSERT INTO counters (tenant_id, scope, kind, slot, total) VALUES ($1, $2, $3, 0, $4) \
        ON CONFLICT (tenant_id, scope, kind, slot) DO UPDATE SET total = counters.total + excluded.total \
        WHERE counters.total + excluded.total <= $5";
    DELETE_SPENT = "DELETE FROM counters WHERE tenant_id = $1 AND scope = $2 AND kind >= 'budget:' AND kind < $3";
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: String,
    pub connection_id: ConnectionId,
    pub kind: String,
    /// `held` or `confirmed`; of a sync also `running`, `done`, `failed`, `broken off`, `superseded` and `undone`.
    pub state: String,
    /// JSON text.
    pub summary: String,
    /// Of the changes that are held: what a confirmation names.
    pub list_hash: Option<String>,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub finished_at: Option<i64>,
}

/// One change of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunItem {
    pub id: String,
    pub action: String,
    pub subject: String,
    /// `held`, `confirmed` or `done`.
    pub state: String,
    pub created_at: i64,
    /// JSON text.
    pub detail: String,
}

/// A change that is to be held.
#[derive(Clone, Debug, PartialEq)]
pub struct NewItem<'a> {
    pub id: String,
    pub action: &'static str,
    pub subject: &'a str,
}

fn run(row: &Row) -> Result<Run, Error> {
    Ok(Run {
        id: row.text(0)?,
        connection_id: ConnectionId::new(row.text(1)?),
        kind: row.text(2)?,
        state: row.text(3)?,
        summary: row.text(4)?,
        list_hash: row.opt_text(5)?,
        version: row.int(6)?,
        created_at: row.int(7)?,
        updated_at: row.int(8)?,
        finished_at: row.opt_int(9)?,
    })
}

pub async fn find(store: &Store, tenant: &TenantId, id: &str) -> Result<Option<Run>, Error> {
    store.read(FIND_RUN, args![tenant, id]).await?.first().map(run).transpose()
}

/// Up to `limit` runs whose ids come after `after` (at first "").
pub async fn list(store: &Store, tenant: &TenantId, after: &str, limit: i64) -> Result<Vec<Run>, Error> {
    store.read(LIST_RUNS, args![tenant, after, limit]).await?.iter().map(run).collect()
}

/// Up to `limit` changes of a run whose ids come after `after` (at first "").
pub async fn list_items(store: &Store, tenant: &TenantId, run: &str, after: &str, limit: i64) -> Result<Vec<RunItem>, Error> {
    let rows = store.read(LIST_ITEMS, args![tenant, run, after, limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(RunItem {
                id: row.text(0)?,
                action: row.text(1)?,
                subject: row.text(2)?,
                state: row.text(3)?,
                created_at: row.int(4)?,
                detail: row.text(5)?,
            })
        })
        .collect()
}

/// Which of these changes a person let through and nobody made yet: item to run.
pub async fn find_confirmed(store: &Store, connection: &Connection, items: &[String]) -> Result<HashMap<String, String>, Error> {
    let mut found = HashMap::new();
    for chunk in items.chunks(IDS_PER_READ) {
        let list = in_list(3, chunk.len());
        let sql = format!(
            "SELECT i.id, i.run_id FROM runs r JOIN run_items i ON i.tenant_id = r.tenant_id AND i.run_id = r.id \
             WHERE r.tenant_id = $1 AND r.connection_id = $2 AND i.state = 'confirmed' AND i.id IN ({list})"
        );
        let mut args = args![&connection.tenant_id, &connection.id];
        pad_list(&mut args, chunk.iter().map(Value::from));
        for row in store.read_built(sql, args).await? {
            found.insert(row.text(0)?, row.text(1)?);
        }
    }
    Ok(found)
}

/// Opens a run or lets it grow. `run.version` is the one that was read, 0 where there was none.
pub fn hold(batch: &mut Batch, tenant: &TenantId, run: &Run, new: &[NewItem<'_>]) {
    let hash = run.list_hash.as_ref();
    batch.one(HOLD, args![tenant, &run.id, &run.connection_id, &run.summary, hash, run.updated_at, run.version]);
    let rows = new.iter().map(|item| args![tenant, &run.id, &item.id, item.action, item.subject, run.updated_at]).collect();
    batch.each(HOLD_ITEM, rows);
}

/// What the inbox says of a run that is held; `summary` is its own, as JSON text.
pub fn held_row(id: String, connection: &ConnectionId, run: &str, summary: &str, at: i64) -> InboxEntry {
    let summary: serde_json::Value = serde_json::from_str(summary).unwrap_or_default();
    let detail = serde_json::json!({ "run_id": run, "summary": summary }).to_string();
    InboxEntry { id, connection_id: connection.clone(), kind: "held_run", subject: run.to_owned(), detail, at }
}

/// Lets through what a run holds: stale unless its list still has the hash `hash`.
pub fn confirm(batch: &mut Batch, tenant: &TenantId, run: &Run, hash: &str, audit: &Audit) {
    batch.one(CONFIRM, args![tenant, &run.id, hash, audit.at]);
    batch.any(CONFIRM_ITEMS, args![tenant, &run.id]);
    events::release(batch, tenant, &run.connection_id, &run.id, &audit.actor, audit.at);
    audit.log(batch, tenant, "run.confirmed", Some(run.connection_id.as_str()), &run.id);
}

/// Confirmed changes are made: `(run, item)`. Stale if another request made one of them.
pub fn finish(batch: &mut Batch, tenant: &TenantId, items: &[(&str, &str)]) {
    batch.each_one(FINISH_ITEM, items.iter().map(|(run, item)| args![tenant, *run, *item]).collect());
}

/// Raises what is used of `kind` (`budget:{hour}`): stale if that passed `allowed`.
pub fn spend(batch: &mut Batch, connection: &Connection, kind: &str, by: i64, allowed: i64) {
    batch.one(SPEND, args![&connection.tenant_id, &connection.id, kind, by, allowed]);
}

/// Forgets what was used in hours before that of `kind`.
pub fn forget_spent(batch: &mut Batch, connection: &Connection, kind: &str) {
    batch.any(DELETE_SPENT, args![&connection.tenant_id, &connection.id, kind]);
}

/// A run over a directory begins.
pub fn start_sync(batch: &mut Batch, connection: &Connection, id: &str, now: i64) {
    batch.any(BREAK_OFF, args![&connection.tenant_id, &connection.id, now]);
    batch.one(START_SYNC, args![&connection.tenant_id, id, &connection.id, now]);
}

/// What a run over a directory did begins to be undone.
pub fn start_undo(batch: &mut Batch, connection: &Connection, id: &str, now: i64) {
    batch.any(BREAK_OFF, args![&connection.tenant_id, &connection.id, now]);
    batch.one(START_UNDO, args![&connection.tenant_id, id, &connection.id, now]);
}

/// What the run did is undone.
pub fn mark_undone(batch: &mut Batch, connection: &Connection, run: &str, audit: &Audit) {
    batch.one(UNDONE, args![&connection.tenant_id, &connection.id, run, audit.at]);
    audit.log(batch, &connection.tenant_id, "run.undone", Some(connection.id.as_str()), run);
}

/// How a run over a directory ended: stale if somebody else wrote that already.
pub fn end_sync(batch: &mut Batch, connection: &Connection, id: &str, end: &SyncEnd<'_>) {
    batch.one(END_SYNC, args![&connection.tenant_id, id, end.state, end.summary, end.list_hash, end.at]);
}

/// An end, as stored.
pub struct SyncEnd<'a> {
    pub state: &'static str,
    /// JSON text.
    pub summary: &'a str,
    pub list_hash: Option<&'a str>,
    pub at: i64,
}

/// What a run over a directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncItem {
    pub action: &'static str,
    pub subject: String,
    /// JSON text.
    pub detail: String,
}

impl SyncItem {
    pub fn id(&self) -> String {
        format!("{}:{}", self.action, self.subject)
    }
}

/// `state`: `held`, or `sample` of a list that is too long to be let through one by one.
pub fn hold_sync(batch: &mut Batch, connection: &Connection, id: &str, items: &[SyncItem], state: &str, now: i64) {
    let tenant = &connection.tenant_id;
    let row =
        |item: &SyncItem| args![tenant, id, item.id(), item.action, item.subject.as_str(), state, item.detail.as_str(), now];
    batch.each(INSERT_SYNC_ITEM, items.iter().map(row).collect());
}

/// All other runs over the directory that are held give way.
pub fn supersede_syncs(batch: &mut Batch, connection: &Connection, except: &str, now: i64) {
    batch.any(SUPERSEDE_SYNCS, args![&connection.tenant_id, &connection.id, except, now]);
    events::release_all_but(batch, connection, except, now);
}

/// Every run over the directory that is held gives way, and so does a word that was given and not used.
pub fn supersede_judged(batch: &mut Batch, connection: &Connection, now: i64) {
    batch.any(SUPERSEDE_JUDGED, args![&connection.tenant_id, &connection.id, now]);
    events::release_all_but(batch, connection, "", now);
}

/// What these runs held was let through, and is done.
pub fn use_up_syncs(batch: &mut Batch, connection: &Connection, ids: &[String], now: i64) {
    batch.each(USE_UP_SYNC, ids.iter().map(|id| args![&connection.tenant_id, &connection.id, id.as_str(), now]).collect());
}

/// A run that came to the same as one that stands already leaves nothing.
pub fn forget_sync(batch: &mut Batch, connection: &Connection, id: &str) {
    batch.any(FORGET_SYNC, args![&connection.tenant_id, id]);
}

/// A run that found nothing is told by the next one that found nothing.
pub fn forget_idle(batch: &mut Batch, connection: &Connection, id: &str) {
    batch.any(FORGET_IDLE, args![&connection.tenant_id, id]);
}

/// Runs over the directory that ended before `before` and wait for nobody.
pub fn forget_old_syncs(batch: &mut Batch, connection: &Connection, before: i64) {
    batch.any(FORGET_OLD_SYNCS, args![&connection.tenant_id, &connection.id, before]);
}

/// The runs over a connection's directory that are in `state`.
pub async fn syncs_in_state(store: &Store, connection: &Connection, state: &str) -> Result<Vec<Run>, Error> {
    store.read(SYNCS_IN_STATE, args![&connection.tenant_id, &connection.id, state]).await?.iter().map(run).collect()
}
