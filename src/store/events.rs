//! History, log, outbox and inbox rows: only ever written in the batch of the change they tell of.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::connection::Connection;
use crate::model::event::{Announcement, EVENT_TYPES, History, InboxEntry, LogEntry};
use crate::model::ids::{ConnectionId, TenantId};
use crate::model::log_type;

statements! {
    INSERT_HISTORY = "INSERT INTO history (tenant_id, profile_id, id, version, event, connection_id, identity_id, mapping, \
        mapping_version, actor, changes, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    INSERT_LOG = "INSERT INTO log (tenant_id, id, kind, outcome, connection_id, identity_id, group_id, profile_id, actor, \
        request_id, history_id, detail, created_at, type, rare, user_id, client_id, ip, user_agent) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";
    INSERT_OUTBOX = "INSERT INTO outbox (tenant_id, id, kind, profile_id, group_id, connection_id, version, changed, log_id, \
        created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    OPEN_CONFLICT = "INSERT INTO conflicts (tenant_id, id, connection_id, kind, state, subject, detail, occurrences, created_at, \
        updated_at) VALUES ($1, $2, $3, $4, 'open', $5, $6, 1, $7, $7) \
        ON CONFLICT (tenant_id, connection_id, kind, subject) DO UPDATE SET occurrences = conflicts.occurrences + 1, \
        state = CASE WHEN conflicts.state = 'dismissed' AND conflicts.detail = excluded.detail THEN 'dismissed' ELSE 'open' END, \
        resolution = CASE WHEN conflicts.state = 'dismissed' AND conflicts.detail = excluded.detail THEN conflicts.resolution END, \
        resolved_by = CASE WHEN conflicts.state = 'dismissed' AND conflicts.detail = excluded.detail THEN conflicts.resolved_by END, \
        resolved_at = CASE WHEN conflicts.state = 'dismissed' AND conflicts.detail = excluded.detail THEN conflicts.resolved_at END, \
        detail = excluded.detail, updated_at = excluded.updated_at";
    OPEN_OF_KIND = "SELECT subject, detail FROM conflicts WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 \
        AND state IN ('open', 'dismissed') ORDER BY subject LIMIT 5000";
    RESOLVE = "UPDATE conflicts SET state = 'resolved', resolved_at = $5, resolved_by = 'sync', updated_at = $5 \
        WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND subject = $4 AND state IN ('open', 'dismissed')";
    /// A run that was held is let through, or another takes its place.
    RELEASE = "UPDATE conflicts SET state = 'resolved', resolved_at = $4, resolved_by = $5, updated_at = $4 \
        WHERE tenant_id = $1 AND connection_id = $2 AND kind = 'held_run' AND subject = $3 AND state = 'open'";
    RELEASE_ALL_BUT = "UPDATE conflicts SET state = 'resolved', resolved_at = $4, resolved_by = 'sync', updated_at = $4 \
        WHERE tenant_id = $1 AND connection_id = $2 AND kind = 'held_run' AND subject <> $3 AND state = 'open'";
}

/// A run is held no longer.
pub(super) fn release(batch: &mut Batch, tenant: &TenantId, connection: &ConnectionId, run: &str, by: &str, now: i64) {
    batch.any(RELEASE, args![tenant, connection, run, now, by]);
}

/// No run of the connection is held any more, but this one (empty: none).
pub(super) fn release_all_but(batch: &mut Batch, connection: &Connection, run: &str, now: i64) {
    batch.any(RELEASE_ALL_BUT, args![&connection.tenant_id, &connection.id, run, now]);
}

/// A row of the inbox that is open, or that somebody wants to hear no more of.
pub struct OpenConflict {
    pub subject: String,
    /// JSON text.
    pub detail: String,
}

/// The open rows of one kind, at most 5,000.
pub async fn open_of_kind(store: &Store, connection: &Connection, kind: &str) -> Result<Vec<OpenConflict>, Error> {
    let rows = store.read(OPEN_OF_KIND, args![&connection.tenant_id, &connection.id, kind]).await?;
    rows.iter().map(|row| Ok(OpenConflict { subject: row.text(0)?, detail: row.text(1)? })).collect()
}

/// Rows whose reason is gone: kind and subject.
pub fn resolve(batch: &mut Batch, connection: &Connection, rows: &[(String, String)], now: i64) {
    let row =
        |(kind, subject): &(String, String)| args![&connection.tenant_id, &connection.id, kind.as_str(), subject.as_str(), now];
    batch.each(RESOLVE, rows.iter().map(row).collect());
}

/// As [`open_conflicts`], many at once: no two of one subject.
pub fn open_conflicts_together(batch: &mut Batch, tenant: &TenantId, entries: &[InboxEntry]) {
    let row =
        |c: &InboxEntry| args![tenant, c.id.as_str(), &c.connection_id, c.kind, c.subject.as_str(), c.detail.as_str(), c.at];
    batch.each(OPEN_CONFLICT, entries.iter().map(row).collect());
}

pub fn insert_history(batch: &mut Batch, tenant: &TenantId, h: &History) {
    // What no mapping wrote has none.
    let mapping = Some(h.mapping.as_str()).filter(|name| !name.is_empty());
    batch.one(
        INSERT_HISTORY,
        args![
            tenant,
            &h.profile_id,
            h.id.as_str(),
            h.version,
            h.event,
            &h.connection_id,
            &h.identity_id,
            mapping,
            mapping.map(|_| h.mapping_version),
            h.actor.as_str(),
            h.changes.as_str(),
            h.at,
        ],
    );
}

/// One row each; several go in one statement.
pub fn insert_log(batch: &mut Batch, tenant: &TenantId, entries: &[LogEntry]) {
    let rows = entries
        .iter()
        .map(|l| {
            let reason = l.detail.as_deref().filter(|_| l.outcome != "ok").and_then(reason);
            args![
                tenant,
                l.id.as_str(),
                l.kind,
                l.outcome,
                l.connection_id.as_ref(),
                l.identity_id.as_ref(),
                l.group_id.as_ref(),
                l.profile_id.as_ref(),
                l.actor.as_str(),
                l.request_id.as_str(),
                l.history_id.as_ref(),
                l.detail.as_ref(),
                l.at,
                log_type::type_of(l.kind, l.outcome, reason.as_deref()),
                log_type::is_rare(l.kind),
                l.user_id.as_ref(),
                l.client_id.as_ref(),
                l.ip.map(|ip| ip.to_string()),
                l.user_agent.as_ref(),
            ]
        })
        .collect();
    batch.each(INSERT_LOG, rows);
}

/// Why something was refused, as its detail says.
fn reason(detail: &str) -> Option<String> {
    serde_json::from_str::<serde_json::Value>(detail).ok()?.get("reason")?.as_str().map(str::to_owned)
}

pub fn insert_outbox(batch: &mut Batch, tenant: &TenantId, announcements: &[Announcement]) {
    debug_assert!(announcements.iter().all(|a| EVENT_TYPES.contains(&a.kind)), "a kind without its line in EVENT_TYPES");
    let rows = announcements
        .iter()
        .map(|a| {
            args![
                tenant,
                a.id.as_str(),
                a.kind,
                a.profile_id.as_ref(),
                a.group_id.as_ref(),
                &a.connection_id,
                a.version,
                a.changed.as_str(),
                a.log_id.as_str(),
                a.at,
            ]
        })
        .collect();
    batch.each(INSERT_OUTBOX, rows);
}

pub fn open_conflicts(batch: &mut Batch, tenant: &TenantId, entries: &[InboxEntry]) {
    for c in entries {
        batch.any(
            OPEN_CONFLICT,
            args![tenant, c.id.as_str(), &c.connection_id, c.kind, c.subject.as_str(), c.detail.as_str(), c.at],
        );
    }
}
