//! Rows of the inbox as they are listed, decided and looked up again. How they are opened stands with the other rows that a change
//! leaves ([`super::events`]).

use super::audit::Audit;
use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::conflict::{ConflictKind, ConflictState, Resolution};
use crate::model::connection::Connection;
use crate::model::ids::{ConnectionId, ProfileId, TenantId};
use serde_json::{Map, Value as Json};

macro_rules! columns {
    () => {
        "id, connection_id, kind, state, subject, detail, occurrences, created_at, updated_at, resolved_at, resolved_by, resolution"
    };
}

statements! {
    FIND_CONFLICT = concat!("SELECT ", columns!(), " FROM conflicts WHERE tenant_id = $1 AND id = $2");
    LIST_CONFLICTS = concat!("SELECT ", columns!(), " FROM conflicts WHERE tenant_id = $1 AND state = $2 AND id > $3 ORDER BY id LIMIT $4");
    LIST_OF_CONNECTION = concat!("SELECT ", columns!(), " FROM conflicts WHERE tenant_id = $1 AND connection_id = $2 AND state = $3 \
        AND id > $4 ORDER BY id LIMIT $5");
    /// What was decided of somebody whose address another connection feeds.
    RULING = "SELECT resolution, detail FROM conflicts WHERE tenant_id = $1 AND connection_id = $2 AND kind = 'email_match' \
        AND subject = $3 AND state = 'resolved' AND resolution IS NOT NULL";
    /// Decided is what was seen: a row that was told of again since may say something else.
    DECIDE = "UPDATE conflicts SET state = $3, resolution = $4, resolved_at = $5, resolved_by = $6, updated_at = $5 \
        WHERE tenant_id = $1 AND id = $2 AND state = 'open' AND detail = $7";
    /// The next run begins as soon as somebody looks whether one is due.
    RUN_SOON = "UPDATE sync_state SET next_at = 0 WHERE tenant_id = $1 AND connection_id = $2";
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    pub id: String,
    pub connection_id: ConnectionId,
    pub kind: ConflictKind,
    pub state: ConflictState,
    /// Whom or what it is about: an external id, a run, …
    pub subject: String,
    pub detail: Map<String, Json>,
    /// As stored: what a decision is compared with.
    pub detail_text: String,
    pub occurrences: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub resolved_at: Option<i64>,
    pub resolved_by: Option<String>,
    pub resolution: Option<Resolution>,
}

fn conflict(row: &Row) -> Result<Conflict, Error> {
    let detail_text = row.text(5)?;
    Ok(Conflict {
        id: row.text(0)?,
        connection_id: ConnectionId::new(row.text(1)?),
        kind: ConflictKind::parse(&row.text(2)?).ok_or(Error::Corrupt { what: "unknown kind of conflict" })?,
        state: ConflictState::parse(&row.text(3)?).ok_or(Error::Corrupt { what: "unknown state of a conflict" })?,
        subject: row.text(4)?,
        detail: serde_json::from_str(&detail_text).map_err(|_| Error::Corrupt { what: "conflicts.detail is no JSON object" })?,
        detail_text,
        occurrences: row.int(6)?,
        created_at: row.int(7)?,
        updated_at: row.int(8)?,
        resolved_at: row.opt_int(9)?,
        resolved_by: row.opt_text(10)?,
        resolution: row.opt_text(11)?.as_deref().and_then(Resolution::parse),
    })
}

pub async fn find(store: &Store, tenant: &TenantId, id: &str) -> Result<Option<Conflict>, Error> {
    store.read(FIND_CONFLICT, args![tenant, id]).await?.first().map(conflict).transpose()
}

/// Up to `limit` rows in a state, of one connection or of all, whose ids come after `after` (at first "").
pub async fn list(
    store: &Store,
    tenant: &TenantId,
    connection: Option<&ConnectionId>,
    state: ConflictState,
    after: &str,
    limit: i64,
) -> Result<Vec<Conflict>, Error> {
    let rows = match connection {
        Some(connection) => store.read(LIST_OF_CONNECTION, args![tenant, connection, state.as_str(), after, limit]).await?,
        None => store.read(LIST_CONFLICTS, args![tenant, state.as_str(), after, limit]).await?,
    };
    rows.iter().map(conflict).collect()
}

/// What was decided of the person `subject`, and the profile it was about.
pub async fn find_ruling(
    store: &Store,
    connection: &Connection,
    subject: &str,
) -> Result<Option<(Resolution, Option<ProfileId>)>, Error> {
    let rows = store.read(RULING, args![&connection.tenant_id, &connection.id, subject]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let Some(resolution) = Resolution::parse(&row.text(0)?) else { return Ok(None) };
    let detail: Json = serde_json::from_str(&row.text(1)?).unwrap_or_default();
    Ok(Some((resolution, detail["profile_id"].as_str().map(ProfileId::new))))
}

/// Writes what was decided; stale if the row moved since it was read.
pub fn decide(batch: &mut Batch, tenant: &TenantId, row: &Conflict, resolution: Resolution, audit: &Audit) {
    let state = if resolution == Resolution::Dismiss { ConflictState::Dismissed } else { ConflictState::Resolved };
    batch.one(
        DECIDE,
        args![
            tenant,
            row.id.as_str(),
            state.as_str(),
            resolution.as_str(),
            audit.at,
            audit.actor.as_str(),
            row.detail_text.as_str()
        ],
    );
    if resolution == Resolution::Retry {
        batch.any(RUN_SOON, args![tenant, &row.connection_id]);
    }
    audit.log(batch, tenant, "conflict.resolved", Some(row.connection_id.as_str()), &row.id);
}
