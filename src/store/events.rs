//! History, log, outbox and inbox rows: only ever written in the batch of the change they tell of.

use super::statements::statements;
use super::{Batch, Error, Store};
use crate::args;
use crate::model::connection::Connection;
use crate::model::event::{Announcement, History, InboxEntry, LogEntry};
use crate::model::ids::TenantId;

statements! {
    INSERT_HISTORY = "INSERT INTO history (tenant_id, profile_id, id, version, event, connection_id, identity_id, mapping, \
        mapping_version, actor, changes, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    INSERT_LOG = "INSERT INTO log (tenant_id, id, kind, outcome, connection_id, identity_id, group_id, profile_id, actor, \
        request_id, history_id, detail, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    INSERT_OUTBOX = "INSERT INTO outbox (tenant_id, id, kind, profile_id, group_id, connection_id, version, changed, log_id, \
        created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    OPEN_CONFLICT = "INSERT INTO conflicts (tenant_id, id, connection_id, kind, state, subject, detail, occurrences, created_at, \
        updated_at) VALUES ($1, $2, $3, $4, 'open', $5, $6, 1, $7, $7) \
        ON CONFLICT (tenant_id, connection_id, kind, subject) DO UPDATE SET occurrences = conflicts.occurrences + 1, \
        state = 'open', detail = excluded.detail, updated_at = excluded.updated_at";
    OPEN_OF_KIND = "SELECT subject, detail FROM conflicts WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 \
        AND state = 'open' ORDER BY subject LIMIT 5000";
    RESOLVE = "UPDATE conflicts SET state = 'resolved', resolved_at = $5, resolved_by = 'sync', updated_at = $5 \
        WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND subject = $4 AND state = 'open'";
}

/// An open row of the inbox.
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
            h.mapping.as_str(),
            h.mapping_version,
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
            ]
        })
        .collect();
    batch.each(INSERT_LOG, rows);
}

pub fn insert_outbox(batch: &mut Batch, tenant: &TenantId, announcements: &[Announcement]) {
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
