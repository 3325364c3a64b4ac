//! Runs that go over the people of connections: a preview of a mapping, or a replay. A row of `runs` is what is told of one, its
//! row of `walks` what was asked and how far it is, and rows of `replayed` are the people whom a replay changed, each with
//! what was before. Refuses to know what request, progress and `before` say.

use super::audit::Audit;
use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::clock::Micros;
use crate::model::connection::Connection;
use crate::model::ids::{IdentityId, TenantId, first_id_of};
use serde_json::{Map, Value as Json};

statements! {
    START = "INSERT INTO runs (tenant_id, id, connection_id, kind, state, summary, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, 'running', $5, $6, $6)";
    INSERT_WALK = "INSERT INTO walks (tenant_id, run_id, request, progress) VALUES ($1, $2, $3, $4)";
    FIND_WALK = "SELECT w.run_id, r.connection_id, r.kind, r.state, w.request, w.progress, w.hash, r.list_hash, r.created_at, r.finished_at \
        FROM walks w JOIN runs r ON r.tenant_id = w.tenant_id AND r.id = w.run_id WHERE w.tenant_id = $1 AND w.run_id = $2";
    FIND_BY_HASH = "SELECT w.run_id, r.connection_id, r.kind, r.state, w.request, w.progress, w.hash, r.list_hash, r.created_at, r.finished_at \
        FROM walks w JOIN runs r ON r.tenant_id = w.tenant_id AND r.id = w.run_id WHERE w.tenant_id = $1 AND w.hash = $2 \
        ORDER BY w.run_id DESC LIMIT 1";
    /// Those that are not at their end: under way, broken off, or let through and not done yet.
    OPEN = "SELECT w.run_id, r.connection_id, r.kind, r.state, w.request, w.progress, w.hash, r.list_hash, r.created_at, r.finished_at \
        FROM runs r JOIN walks w ON w.tenant_id = r.tenant_id AND w.run_id = r.id WHERE r.tenant_id = $1 \
        AND r.state IN ('running', 'confirmed') ORDER BY r.id LIMIT 100";
    SAVE_PROGRESS = "UPDATE walks SET progress = $3, hash = $4 WHERE tenant_id = $1 AND run_id = $2";
    /// How far it is, for whoever looks.
    TELL = "UPDATE runs SET summary = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2 AND state = 'running'";
    END = "UPDATE runs SET state = $3, summary = $4, list_hash = $5, version = version + 1, updated_at = $6, finished_at = $6 \
        WHERE tenant_id = $1 AND id = $2 AND state = 'running'";
    /// What was let through begins to be done.
    GO_ON = "UPDATE runs SET state = 'running', version = version + 1, updated_at = $3, finished_at = NULL \
        WHERE tenant_id = $1 AND id = $2 AND state = 'confirmed'";
    FORGET_ITEMS = "DELETE FROM run_items WHERE tenant_id = $1 AND run_id = $2";
    /// Another one of the same connection is asked for instead.
    GIVE_WAY = "UPDATE runs SET state = 'superseded', version = version + 1, updated_at = $5, finished_at = $5 \
        WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND id <> $4 AND state IN ('running', 'held', 'confirmed')";
    FORGET_OLD = "DELETE FROM runs WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND finished_at < $4 \
        AND state NOT IN ('running', 'held', 'confirmed')";
    FORGET_PREVIEWS = "DELETE FROM runs WHERE tenant_id = $1 AND kind = 'preview' AND created_at < $2 AND state <> 'running'";
    INSERT_REPLAYED = "INSERT INTO replayed (tenant_id, run_id, identity_id, side, history_id, before, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    DELETE_REPLAYED = "DELETE FROM replayed WHERE tenant_id = $1 AND run_id = $2 AND identity_id = $3 AND side = $4";
    REPLAYED = "SELECT p.identity_id, p.side, p.history_id, (SELECT h.changes FROM identities i CROSS JOIN history h \
        WHERE i.tenant_id = p.tenant_id AND i.id = p.identity_id AND h.tenant_id = i.tenant_id AND h.profile_id = i.profile_id \
        AND h.id = p.history_id), p.before, p.created_at FROM replayed p WHERE p.tenant_id = $1 AND p.run_id = $2 \
        AND p.identity_id >= $3 AND (p.identity_id > $3 OR p.side > $4) ORDER BY p.identity_id, p.side LIMIT $5";
    COUNT_REPLAYED = "SELECT count(*) FROM replayed WHERE tenant_id = $1 AND run_id = $2";
    /// Changes of profiles by a connection since a moment, counted no further than asked. By the log's key, as
    /// [`super::run_changes`].
    CHANGED_SINCE = "SELECT count(*) FROM (SELECT l.id FROM log l WHERE l.tenant_id = $1 AND l.id > $2 AND l.connection_id = $3 \
        AND l.history_id IS NOT NULL ORDER BY l.id LIMIT $4) c";
}

/// A walk, with what its run says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    pub run_id: String,
    pub connection_id: String,
    /// `preview` or `replay`.
    pub kind: String,
    pub state: String,
    /// JSON text.
    pub request: String,
    /// JSON text.
    pub progress: String,
    /// Of a preview that came to its end.
    pub hash: Option<String>,
    /// Of what a replay holds.
    pub list_hash: Option<String>,
    pub created_at: Micros,
    pub finished_at: Option<Micros>,
}

/// Somebody a replay changed.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayedPerson {
    pub identity_id: IdentityId,
    /// `push`, `sync` or `login`.
    pub side: String,
    /// Id of the history row and what it holds; none where no profile moved.
    pub history: Option<(String, Map<String, Json>)>,
    /// JSON text: the identity before.
    pub before: String,
    pub at: Micros,
}

fn walk(row: &Row) -> Result<Walk, Error> {
    Ok(Walk {
        run_id: row.text(0)?,
        connection_id: row.text(1)?,
        kind: row.text(2)?,
        state: row.text(3)?,
        request: row.text(4)?,
        progress: row.text(5)?,
        hash: row.opt_text(6)?,
        list_hash: row.opt_text(7)?,
        created_at: row.int(8)?,
        finished_at: row.opt_int(9)?,
    })
}

pub async fn find(store: &Store, tenant: &TenantId, run: &str) -> Result<Option<Walk>, Error> {
    store.read(FIND_WALK, args![tenant, run]).await?.first().map(walk).transpose()
}

/// The preview that came to its end with this hash, the newest if there are several.
pub async fn find_by_hash(store: &Store, tenant: &TenantId, hash: &str) -> Result<Option<Walk>, Error> {
    store.read(FIND_BY_HASH, args![tenant, hash]).await?.first().map(walk).transpose()
}

/// Those of the tenant that are not at their end, at most 100.
pub async fn open(store: &Store, tenant: &TenantId) -> Result<Vec<Walk>, Error> {
    store.read(OPEN, args![tenant]).await?.iter().map(walk).collect()
}

/// A walk begins.
pub fn start(batch: &mut Batch, connection: &Connection, new: &Walk) {
    let tenant = &connection.tenant_id;
    let (id, kind) = (new.run_id.as_str(), new.kind.as_str());
    batch.one(START, args![tenant, id, &connection.id, kind, "{}", new.created_at]);
    batch.one(INSERT_WALK, args![tenant, id, new.request.as_str(), new.progress.as_str()]);
}

/// How far it is. With `hash` it is at its end.
pub fn save(batch: &mut Batch, tenant: &TenantId, run: &str, progress: &str, hash: Option<&str>) {
    batch.one(SAVE_PROGRESS, args![tenant, run, progress, hash]);
}

/// What is told of it while it is under way; stale once somebody ended it.
pub fn tell(batch: &mut Batch, tenant: &TenantId, run: &str, summary: &str, now: Micros) {
    batch.one(TELL, args![tenant, run, summary, now]);
}

/// How it ended: stale if somebody wrote that already.
pub fn end(batch: &mut Batch, tenant: &TenantId, run: &str, end: &super::runs::SyncEnd<'_>) {
    batch.one(END, args![tenant, run, end.state, end.summary, end.list_hash, end.at]);
}

/// What was let through is done from here on.
pub fn go_on(batch: &mut Batch, tenant: &TenantId, run: &str, now: Micros) {
    batch.one(GO_ON, args![tenant, run, now]);
    batch.any(FORGET_ITEMS, args![tenant, run]);
}

/// All others of the kind give way to `run`.
pub fn give_way(batch: &mut Batch, connection: &Connection, kind: &str, run: &str, now: Micros) {
    batch.any(GIVE_WAY, args![&connection.tenant_id, &connection.id, kind, run, now]);
}

/// Those of the kind that ended before `before` and wait for nobody.
pub fn forget_old(batch: &mut Batch, connection: &Connection, kind: &str, before: Micros) {
    batch.any(FORGET_OLD, args![&connection.tenant_id, &connection.id, kind, before]);
}

/// Previews that began before `before`: nobody may publish by them any more.
pub fn forget_previews(batch: &mut Batch, tenant: &TenantId, before: Micros) {
    batch.any(FORGET_PREVIEWS, args![tenant, before]);
}

/// Notes whom `run` changed.
pub fn insert_replayed(batch: &mut Batch, tenant: &TenantId, run: &str, person: &ReplayedPerson) {
    let history = person.history.as_ref().map(|(id, _)| id.as_str());
    batch.one(
        INSERT_REPLAYED,
        args![tenant, run, &person.identity_id, person.side.as_str(), history, person.before.as_str(), person.at],
    );
}

/// It is undone.
pub fn forget_replayed(batch: &mut Batch, tenant: &TenantId, run: &str, person: &ReplayedPerson) {
    batch.one(DELETE_REPLAYED, args![tenant, run, &person.identity_id, person.side.as_str()]);
}

/// Up to `limit` people whom `run` changed, after the one given (at first two empty texts).
pub async fn replayed(
    store: &Store,
    tenant: &TenantId,
    run: &str,
    (after, side): (&str, &str),
    limit: i64,
) -> Result<Vec<ReplayedPerson>, Error> {
    let rows = store.read(REPLAYED, args![tenant, run, after, side, limit]).await?;
    let read = |row: &Row| {
        let changes = row.opt_text(3)?.map(|text| serde_json::from_str(&text)).transpose();
        let changes = changes.map_err(|_| Error::Corrupt { what: "a row of history is no JSON object" })?;
        Ok(ReplayedPerson {
            identity_id: IdentityId::new(row.text(0)?),
            side: row.text(1)?,
            history: row.opt_text(2)?.zip(changes),
            before: row.text(4)?,
            at: row.int(5)?,
        })
    };
    rows.iter().map(read).collect()
}

/// How many sides of people `run` changed.
pub async fn count_replayed(store: &Store, tenant: &TenantId, run: &str) -> Result<i64, Error> {
    let rows = store.read(COUNT_REPLAYED, args![tenant, run]).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// How many changes of profiles the connection made since, counted up to `most`.
pub async fn changed_since(store: &Store, connection: &Connection, since: Micros, most: i64) -> Result<i64, Error> {
    let args = args![&connection.tenant_id, first_id_of(since), &connection.id, most];
    store.read(CHANGED_SINCE, args).await?.first().map_or(Ok(0), |row| row.int(0))
}

/// The log row that a replay was carried out.
pub fn log_replayed(batch: &mut Batch, connection: &Connection, run: &str, audit: &Audit) {
    audit.log(batch, &connection.tenant_id, "mapping.replayed", Some(connection.id.as_str()), run);
}
