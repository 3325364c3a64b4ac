//! History, log, outbox and inbox rows: only ever written in the batch of the change they tell of.

use super::Batch;
use super::statements::statements;
use crate::args;
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
