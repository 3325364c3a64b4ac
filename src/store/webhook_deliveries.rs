//! Events that a webhook did not take at once, and what waits behind them. Nothing is written of those that were taken.

use super::statements::statements;
use super::{Batch, EACH_MAX, Error, Row, Store};
use crate::args;
use crate::model::ids::{TenantId, WebhookId};
use crate::model::webhook::Webhook;
use std::collections::HashSet;

statements! {
    DUE = "SELECT subject FROM webhook_deliveries WHERE tenant_id = $1 AND webhook_id = $2 AND next_at <= $3 ORDER BY next_at LIMIT $4";
    WAITING_OF = "SELECT position, event_id, subject, attempts, first_at, last_at, next_at, dead_at, status, error \
        FROM webhook_deliveries WHERE tenant_id = $1 AND webhook_id = $2 AND subject = $3 AND dead_at IS NULL ORDER BY position LIMIT 20";
    ANY_WAITING_OF = "SELECT position FROM webhook_deliveries WHERE tenant_id = $1 AND webhook_id = $2 AND subject = $3 \
        AND dead_at IS NULL LIMIT 1";
    COUNT_WAITING = "SELECT count(*) FROM (SELECT position FROM webhook_deliveries WHERE tenant_id = $1 AND webhook_id = $2 \
        AND dead_at IS NULL ORDER BY subject, position LIMIT $3) d";
    COUNT_DEAD = "SELECT count(*) FROM (SELECT position FROM webhook_deliveries WHERE tenant_id = $1 AND webhook_id = $2 \
        AND dead_at IS NOT NULL ORDER BY position LIMIT $3) d";
    SLEEPING = "SELECT position FROM webhook_deliveries WHERE tenant_id = $1 AND webhook_id = $2 AND next_at > $3 ORDER BY next_at LIMIT $4";
    DEAD = "SELECT position FROM webhook_deliveries WHERE tenant_id = $1 AND webhook_id = $2 AND dead_at IS NOT NULL \
        ORDER BY position LIMIT $3";
    LIST_DELIVERIES = "SELECT position, event_id, subject, attempts, first_at, last_at, next_at, dead_at, status, error \
        FROM webhook_deliveries WHERE tenant_id = $1 AND webhook_id = $2 AND position > $3 ORDER BY position LIMIT $4";
    INSERT_DELIVERY = "INSERT INTO webhook_deliveries (tenant_id, webhook_id, position, event_id, subject, attempts, first_at, \
        last_at, next_at, dead_at, status, error) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    UPDATE_DELIVERY = "UPDATE webhook_deliveries SET attempts = $4, first_at = $5, last_at = $6, next_at = $7, dead_at = $8, \
        status = $9, error = $10 WHERE tenant_id = $1 AND webhook_id = $2 AND position = $3";
    DELETE_DELIVERY = "DELETE FROM webhook_deliveries WHERE tenant_id = $1 AND webhook_id = $2 AND position = $3";
    WAKE_DELIVERY = "UPDATE webhook_deliveries SET next_at = $4 WHERE tenant_id = $1 AND webhook_id = $2 AND position = $3 \
        AND next_at IS NOT NULL";
    REVIVE_DELIVERY = "UPDATE webhook_deliveries SET next_at = $4, first_at = $4, attempts = 0, dead_at = NULL \
        WHERE tenant_id = $1 AND webhook_id = $2 AND position = $3 AND dead_at IS NOT NULL";
    /// One that was taken already gets a row; one that has a row is due again.
    SEND_AGAIN = "INSERT INTO webhook_deliveries (tenant_id, webhook_id, position, event_id, subject, attempts, first_at, next_at) \
        VALUES ($1, $2, $3, $4, $5, 0, $6, $6) ON CONFLICT (tenant_id, webhook_id, position) DO UPDATE SET attempts = 0, \
        first_at = excluded.first_at, next_at = excluded.next_at, dead_at = NULL";
    DELETE_FROM = "DELETE FROM webhook_deliveries WHERE tenant_id = $1 AND webhook_id = $2 AND position > $3";
    /// What waits is let go when its turn comes and its event is gone.
    OLD_DELIVERIES = "SELECT webhook_id, position FROM webhook_deliveries WHERE tenant_id = $1 AND dead_at < $2 \
        ORDER BY dead_at LIMIT $3";
}

/// May go together with others that wait.
pub(super) const LOOK_UPS: &[&str] = &[WAITING_OF, ANY_WAITING_OF];

/// Events of one person or group that are read at a time.
pub const OF_ONE_MAX: usize = 20;

/// A row of `webhook_deliveries`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub position: i64,
    pub event_id: String,
    pub subject: String,
    pub attempts: i64,
    pub first_at: i64,
    pub last_at: Option<i64>,
    pub next_at: Option<i64>,
    pub dead_at: Option<i64>,
    pub status: Option<i64>,
    pub error: Option<String>,
}

fn waiting(row: &Row) -> Result<Waiting, Error> {
    Ok(Waiting {
        position: row.int(0)?,
        event_id: row.text(1)?,
        subject: row.text(2)?,
        attempts: row.int(3)?,
        first_at: row.int(4)?,
        last_at: row.opt_int(5)?,
        next_at: row.opt_int(6)?,
        dead_at: row.opt_int(7)?,
        status: row.opt_int(8)?,
        error: row.opt_text(9)?,
    })
}

/// What waits of up to `limit` subjects of which something is due, those that wait longest first: up to [`OF_ONE_MAX`] events
/// of each, in order.
pub async fn due(store: &Store, webhook: &Webhook, now: i64, limit: i64) -> Result<Vec<Vec<Waiting>>, Error> {
    let (tenant, id) = (&webhook.tenant_id, &webhook.id);
    let rows = store.read(DUE, args![tenant, id, now, limit]).await?;
    let (mut subjects, mut known) = (Vec::new(), HashSet::new());
    for row in &rows {
        let subject = row.text(0)?;
        if known.insert(subject.clone()) {
            subjects.push(args![tenant, id, subject]);
        }
    }
    let found = store.look_up_each(WAITING_OF, subjects).await?;
    found.iter().map(|rows| rows.iter().map(waiting).collect()).collect()
}

/// Those of `subjects` of which something waits.
pub async fn waiting_among(store: &Store, webhook: &Webhook, subjects: &[String]) -> Result<HashSet<String>, Error> {
    let mut found = HashSet::new();
    for part in subjects.chunks(EACH_MAX) {
        let asked = part.iter().map(|subject| args![&webhook.tenant_id, &webhook.id, subject]).collect();
        let rows = store.look_up_each(ANY_WAITING_OF, asked).await?;
        found.extend(part.iter().zip(rows).filter(|(_, rows)| !rows.is_empty()).map(|(subject, _)| subject.clone()));
    }
    Ok(found)
}

/// How many wait and how many are dead, each counted no further than `most`.
pub async fn count(store: &Store, webhook: &Webhook, most: i64) -> Result<(i64, i64), Error> {
    let mut counts = [0, 0];
    for (count, sql) in counts.iter_mut().zip([COUNT_WAITING, COUNT_DEAD]) {
        let rows = store.read(sql, args![&webhook.tenant_id, &webhook.id, most]).await?;
        *count = rows.first().map_or(Ok(0), |row| row.int(0))?;
    }
    Ok((counts[0], counts[1]))
}

/// How many wait, counted no further than `most`.
pub async fn count_waiting(store: &Store, webhook: &Webhook, most: i64) -> Result<i64, Error> {
    let rows = store.read(COUNT_WAITING, args![&webhook.tenant_id, &webhook.id, most]).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// Up to `limit` rows after `position`, dead or waiting.
pub async fn list(store: &Store, webhook: &Webhook, position: i64, limit: i64) -> Result<Vec<Waiting>, Error> {
    let rows = store.read(LIST_DELIVERIES, args![&webhook.tenant_id, &webhook.id, position, limit]).await?;
    rows.iter().map(waiting).collect()
}

/// Positions of up to `limit` rows that wait for later than `now`.
pub async fn sleeping(store: &Store, webhook: &Webhook, now: i64, limit: i64) -> Result<Vec<i64>, Error> {
    let rows = store.read(SLEEPING, args![&webhook.tenant_id, &webhook.id, now, limit]).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Positions of up to `limit` dead rows.
pub async fn dead(store: &Store, webhook: &Webhook, limit: i64) -> Result<Vec<i64>, Error> {
    let rows = store.read(DEAD, args![&webhook.tenant_id, &webhook.id, limit]).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

pub fn insert(batch: &mut Batch, webhook: &Webhook, rows: &[Waiting]) {
    let row = |w: &Waiting| {
        args![
            &webhook.tenant_id,
            &webhook.id,
            w.position,
            &w.event_id,
            &w.subject,
            w.attempts,
            w.first_at,
            w.last_at,
            w.next_at,
            w.dead_at,
            w.status,
            w.error.clone()
        ]
    };
    batch.each(INSERT_DELIVERY, rows.iter().map(row).collect());
}

/// Writes rows that were read; stale if one is gone.
pub fn update(batch: &mut Batch, webhook: &Webhook, rows: &[Waiting]) {
    let row = |w: &Waiting| {
        args![
            &webhook.tenant_id,
            &webhook.id,
            w.position,
            w.attempts,
            w.first_at,
            w.last_at,
            w.next_at,
            w.dead_at,
            w.status,
            w.error.clone()
        ]
    };
    batch.each_one(UPDATE_DELIVERY, rows.iter().map(row).collect());
}

fn keys(tenant: &TenantId, webhook: &WebhookId, positions: &[i64]) -> Vec<Vec<super::Value>> {
    positions.iter().map(|position| args![tenant, webhook, *position]).collect()
}

pub fn delete(batch: &mut Batch, webhook: &Webhook, positions: &[i64]) {
    batch.each(DELETE_DELIVERY, keys(&webhook.tenant_id, &webhook.id, positions));
}

/// Makes rows that wait due at `now`.
pub fn wake(batch: &mut Batch, webhook: &Webhook, positions: &[i64], now: i64) {
    let row = |position: &i64| args![&webhook.tenant_id, &webhook.id, *position, now];
    batch.each(WAKE_DELIVERY, positions.iter().map(row).collect());
}

/// Makes dead rows due at `now`, with all their tries before them.
pub fn revive(batch: &mut Batch, webhook: &Webhook, positions: &[i64], now: i64) {
    let row = |position: &i64| args![&webhook.tenant_id, &webhook.id, *position, now];
    batch.each(REVIVE_DELIVERY, positions.iter().map(row).collect());
}

/// Has one event sent again, whatever became of it.
pub fn send_again(batch: &mut Batch, webhook: &Webhook, (position, event, subject): (i64, &str, &str), now: i64) {
    batch.any(SEND_AGAIN, args![&webhook.tenant_id, &webhook.id, position, event, subject, now]);
}

/// Forgets everything after `position`: it is all going to be sent again.
pub fn delete_from(batch: &mut Batch, webhook: &Webhook, position: i64) {
    batch.any(DELETE_FROM, args![&webhook.tenant_id, &webhook.id, position]);
}

/// Deletes up to `limit` rows given up before `before`: their events are gone as well. How many were found.
pub async fn delete_old(store: &Store, tenant: &TenantId, before: i64, limit: i64) -> Result<usize, Error> {
    let rows = store.read(OLD_DELIVERIES, args![tenant, before, limit]).await?;
    let mut batch = Batch::default();
    let keys: Result<Vec<_>, Error> = rows.iter().map(|row| Ok(args![tenant, row.text(0)?, row.int(1)?])).collect();
    batch.each(DELETE_DELIVERY, keys?);
    if !batch.is_empty() {
        store.apply(batch).await?;
    }
    Ok(rows.len())
}
