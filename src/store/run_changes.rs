//! What a run changed, as log and history tell it: the log rows that carry its id, each with its history row. They are found by
//! the key of the log, whose ids are in the order of time: an index by request would cost every write.

use super::statements::statements;
use super::{Error, Row, Store};
use crate::args;
use crate::clock::Micros;
use crate::model::connection::Connection;
use crate::model::ids::{IdentityId, TenantId, first_id_of};
use serde_json::{Map, Value as Json};

statements! {
    CHANGES_OF_RUN = "SELECT l.id, l.kind, l.identity_id, l.group_id, l.history_id, h.changes, l.detail, l.created_at FROM log l \
        LEFT JOIN history h ON h.tenant_id = l.tenant_id AND h.profile_id = l.profile_id AND h.id = l.history_id \
        WHERE l.tenant_id = $1 AND l.id > $2 AND l.id < $3 AND l.request_id = $4 AND l.outcome = 'ok' ORDER BY l.id DESC LIMIT $5";
    /// What happened to groups since, but for undos and for runs that were undone. From a moment on, by the log's key: see above.
    GROUPS_SINCE = "SELECT l.id, l.group_id, l.detail, l.created_at FROM log l WHERE l.tenant_id = $1 AND l.id > $2 \
        AND l.connection_id = $3 AND l.kind IN ('sync.group.created', 'sync.group.updated', 'sync.group.deleted') \
        AND l.request_id <> $4 AND l.outcome = 'ok' AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = l.tenant_id \
        AND r.id = l.request_id AND r.state = 'undone') ORDER BY l.id LIMIT $5";
}

/// One change of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunChange {
    pub id: String,
    /// As the log calls it: `sync.user.created`, …
    pub kind: String,
    pub identity_id: Option<IdentityId>,
    pub group_id: Option<String>,
    /// Id of the history row and what it holds; none where no profile moved, or history went with it.
    pub history: Option<(String, Map<String, Json>)>,
    pub detail: Map<String, Json>,
    pub at: Micros,
}

/// Between which instants a run wrote.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub from: Micros,
    pub to: Micros,
}

/// What happened to a group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupChange {
    pub id: String,
    pub group_id: String,
    pub detail: Map<String, Json>,
    pub at: Micros,
}

/// Up to `limit` changes of groups of the connection that others than `run` made from the moment `from` on and after the one with
/// the id `after` (at first ""), the oldest first.
pub async fn groups_since(
    store: &Store,
    connection: &Connection,
    (run, from): (&str, Micros),
    (after, limit): (&str, i64),
) -> Result<Vec<GroupChange>, Error> {
    let first = if after.is_empty() { first_id_of(from) } else { after.to_owned() };
    let rows = store.read(GROUPS_SINCE, args![&connection.tenant_id, first, &connection.id, run, limit]).await?;
    let read = |row: &Row| -> Result<GroupChange, Error> {
        let (id, group_id, at) = (row.text(0)?, row.text(1)?, row.int(3)?);
        Ok(GroupChange { id, group_id, detail: object(row, 2)?.unwrap_or_default(), at })
    };
    rows.iter().map(read).collect()
}

/// Up to `limit` changes of the run, the newest first, made before the one with the id `before` (at first "").
pub async fn of_run(
    store: &Store,
    tenant: &TenantId,
    run: &str,
    span: Span,
    (before, limit): (&str, i64),
) -> Result<Vec<RunChange>, Error> {
    let last = if before.is_empty() { first_id_of(span.to + 1_000) } else { before.to_owned() };
    let rows = store.read(CHANGES_OF_RUN, args![tenant, first_id_of(span.from), last, run, limit]).await?;
    rows.iter().map(change).collect()
}

fn object(row: &Row, at: usize) -> Result<Option<Map<String, Json>>, Error> {
    let text = row.opt_text(at)?;
    let parsed = text.map(|text| serde_json::from_str(&text)).transpose();
    parsed.map_err(|_| Error::Corrupt { what: "a row of log or history is no JSON object" })
}

fn change(row: &Row) -> Result<RunChange, Error> {
    Ok(RunChange {
        id: row.text(0)?,
        kind: row.text(1)?,
        identity_id: row.opt_text(2)?.map(IdentityId::new),
        group_id: row.opt_text(3)?,
        history: row.opt_text(4)?.zip(object(row, 5)?),
        detail: object(row, 6)?.unwrap_or_default(),
        at: row.int(7)?,
    })
}
