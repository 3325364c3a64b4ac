//! Webhooks: what an administrator said of each, and how far it got. The first is compared by `version`, the second by `position`, so
//! that whoever sends and whoever administrates never take back what the other did.

use super::audit::Audit;
use super::statements::statements;
use super::{Batch, Error, Row, Store};
use crate::args;
use crate::model::ids::{TenantId, WebhookId};
use crate::model::webhook::Webhook;

statements! {
    FIND_WEBHOOK = "SELECT id, url, description, types, allow_plaintext, enabled, disabled_because, version, created_at, updated_at, \
        secret, former_secret, former_until, position, failures, paused_until, delivered_at, failed_at, last_error FROM webhooks \
        WHERE tenant_id = $1 AND id = $2";
    LIST_WEBHOOKS = "SELECT id, url, description, types, allow_plaintext, enabled, disabled_because, version, created_at, updated_at, \
        secret, former_secret, former_until, position, failures, paused_until, delivered_at, failed_at, last_error FROM webhooks \
        WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    COUNT_WEBHOOKS = "SELECT count(*) FROM webhooks WHERE tenant_id = $1";
    INSERT_WEBHOOK = "INSERT INTO webhooks (tenant_id, id, url, description, types, allow_plaintext, enabled, secret, position, \
        version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10)";
    UPDATE_WEBHOOK = "UPDATE webhooks SET url = $4, description = $5, types = $6, allow_plaintext = $7, enabled = $8, \
        disabled_because = $9, secret = $10, former_secret = $11, former_until = $12, failures = $13, paused_until = $14, \
        updated_at = $15, version = version + 1 WHERE tenant_id = $1 AND id = $2 AND version = $3";
    DELETE_WEBHOOK = "DELETE FROM webhooks WHERE tenant_id = $1 AND id = $2 AND version = $3";
    /// Further or back; whatever was under way from the place before counts as not done.
    MOVE_WEBHOOK = "UPDATE webhooks SET position = $4, failures = 0, paused_until = NULL WHERE tenant_id = $1 AND id = $2 AND position = $3";
    WAKE_WEBHOOK = "UPDATE webhooks SET failures = 0, paused_until = NULL WHERE tenant_id = $1 AND id = $2";
    FARE = "UPDATE webhooks SET position = $4, failures = $5, paused_until = $6, delivered_at = coalesce($7, delivered_at), \
        failed_at = coalesce($8, failed_at), last_error = coalesce($9, last_error), enabled = (enabled AND $10), \
        disabled_because = coalesce($11, disabled_because) WHERE tenant_id = $1 AND id = $2 AND position = $3";
    /// Of all tenants, those that have something to send and are not resting: whoever sends looks for them all the time.
    WEBHOOKS_AT_WORK = "SELECT w.tenant_id, w.id FROM webhooks w \
        JOIN counters c ON c.tenant_id = w.tenant_id AND c.scope = 'outbox' AND c.kind = 'position' AND c.slot = 0 \
        WHERE w.enabled AND coalesce(w.paused_until, 0) <= $1 AND (c.total > w.position OR (SELECT min(d.next_at) FROM webhook_deliveries d \
        WHERE d.tenant_id = w.tenant_id AND d.webhook_id = w.id AND d.next_at IS NOT NULL) <= $1) ORDER BY w.tenant_id, w.id LIMIT $2";
    /// How far behind the last one is.
    WEBHOOK_LAG = "SELECT max(c.total - w.position) FROM webhooks w JOIN counters c ON c.tenant_id = w.tenant_id \
        AND c.scope = 'outbox' AND c.kind = 'position' AND c.slot = 0 WHERE w.enabled";
}

/// A webhook with its sealed secrets and how it fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWebhook {
    pub webhook: Webhook,
    pub secret: Vec<u8>,
    /// The one before it, and until when that signs too.
    pub former: Option<(Vec<u8>, i64)>,
    pub fares: Fares,
}

/// How far a webhook got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fares {
    /// Up to here everything was taken, or has a row of its own.
    pub position: i64,
    /// Tries in a row that came to nothing.
    pub failures: i64,
    pub paused_until: Option<i64>,
    pub delivered_at: Option<i64>,
    pub failed_at: Option<i64>,
    pub last_error: Option<String>,
}

/// Something to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtWork {
    pub tenant_id: TenantId,
    pub id: WebhookId,
}

fn stored(tenant: &TenantId, row: &Row) -> Result<StoredWebhook, Error> {
    let types = row.text(3)?;
    let secret = row.opt_bytes(10)?.ok_or(Error::Corrupt { what: "a webhook has no secret" })?;
    Ok(StoredWebhook {
        webhook: Webhook {
            tenant_id: tenant.clone(),
            id: WebhookId::new(row.text(0)?),
            url: row.text(1)?,
            description: row.text(2)?,
            types: types.split_whitespace().map(str::to_owned).collect(),
            allow_plaintext: row.bool(4)?,
            enabled: row.bool(5)?,
            disabled_because: row.opt_text(6)?,
            version: row.int(7)?,
            created_at: row.int(8)?,
            updated_at: row.int(9)?,
        },
        secret,
        former: row.opt_bytes(11)?.zip(row.opt_int(12)?),
        fares: Fares {
            position: row.int(13)?,
            failures: row.int(14)?,
            paused_until: row.opt_int(15)?,
            delivered_at: row.opt_int(16)?,
            failed_at: row.opt_int(17)?,
            last_error: row.opt_text(18)?,
        },
    })
}

pub async fn find(store: &Store, tenant: &TenantId, id: &WebhookId) -> Result<Option<StoredWebhook>, Error> {
    store.read(FIND_WEBHOOK, args![tenant, id]).await?.first().map(|row| stored(tenant, row)).transpose()
}

/// Up to `limit` webhooks whose ids come after `after` (at first "").
pub async fn list(store: &Store, tenant: &TenantId, after: &str, limit: i64) -> Result<Vec<StoredWebhook>, Error> {
    store.read(LIST_WEBHOOKS, args![tenant, after, limit]).await?.iter().map(|row| stored(tenant, row)).collect()
}

pub async fn count(store: &Store, tenant: &TenantId) -> Result<i64, Error> {
    store.read(COUNT_WEBHOOKS, args![tenant]).await?.first().map_or(Ok(0), |row| row.int(0))
}

/// Stores a new one, which begins at `position`.
pub fn create(batch: &mut Batch, new: &StoredWebhook, audit: &Audit) {
    let w = &new.webhook;
    batch.one(
        INSERT_WEBHOOK,
        args![
            &w.tenant_id,
            &w.id,
            &w.url,
            &w.description,
            w.types.join(" "),
            w.allow_plaintext,
            w.enabled,
            new.secret.clone(),
            new.fares.position,
            w.created_at
        ],
    );
    audit.record(batch, &w.tenant_id, "webhook.created", None, w.id.as_str());
}

/// Writes what an administrator changed; `changed` has the version that was read. `kind` is the log's word for it.
pub fn update(batch: &mut Batch, changed: &StoredWebhook, kind: &str, audit: &Audit) {
    let w = &changed.webhook;
    batch.one(
        UPDATE_WEBHOOK,
        args![
            &w.tenant_id,
            &w.id,
            w.version,
            &w.url,
            &w.description,
            w.types.join(" "),
            w.allow_plaintext,
            w.enabled,
            w.disabled_because.clone(),
            changed.secret.clone(),
            changed.former.as_ref().map(|(secret, _)| secret.clone()),
            changed.former.as_ref().map(|(_, until)| *until),
            changed.fares.failures,
            changed.fares.paused_until,
            audit.at
        ],
    );
    audit.record(batch, &w.tenant_id, kind, None, w.id.as_str());
}

/// Removes it, with what waits for it.
pub fn delete(batch: &mut Batch, webhook: &Webhook, audit: &Audit) {
    batch.one(DELETE_WEBHOOK, args![&webhook.tenant_id, &webhook.id, webhook.version]);
    audit.record(batch, &webhook.tenant_id, "webhook.deleted", None, webhook.id.as_str());
}

/// Has it go on at `position`, if it is still where it was read.
pub fn go_on_at(batch: &mut Batch, webhook: &StoredWebhook, position: i64, audit: &Audit) {
    let w = &webhook.webhook;
    batch.one(MOVE_WEBHOOK, args![&w.tenant_id, &w.id, webhook.fares.position, position]);
    audit.record(batch, &w.tenant_id, "webhook.redelivered", None, w.id.as_str());
}

/// Ends its rest.
pub fn wake(batch: &mut Batch, webhook: &Webhook, audit: &Audit) {
    batch.one(WAKE_WEBHOOK, args![&webhook.tenant_id, &webhook.id]);
    audit.record(batch, &webhook.tenant_id, "webhook.redelivered", None, webhook.id.as_str());
}

/// What came of sending: `fares` over what was read at `position`. What is `None` there of instants and errors stays as it is.
/// `disabled`: it is switched off, and why.
pub fn fare(batch: &mut Batch, webhook: &Webhook, position: i64, fares: &Fares, disabled: Option<&str>) {
    batch.one(
        FARE,
        args![
            &webhook.tenant_id,
            &webhook.id,
            position,
            fares.position,
            fares.failures,
            fares.paused_until,
            fares.delivered_at,
            fares.failed_at,
            fares.last_error.clone(),
            disabled.is_none(),
            disabled
        ],
    );
}

/// Up to `limit` webhooks of the installation that have something to send at `now`.
pub async fn at_work(store: &Store, now: i64, limit: i64) -> Result<Vec<AtWork>, Error> {
    let rows = store.read(WEBHOOKS_AT_WORK, args![now, limit]).await?;
    rows.iter().map(|row| Ok(AtWork { tenant_id: TenantId::new(row.text(0)?), id: WebhookId::new(row.text(1)?) })).collect()
}

/// Events that the webhook furthest behind has before it.
pub async fn lag(store: &Store) -> Result<i64, Error> {
    let rows = store.read(WEBHOOK_LAG, args![]).await?;
    Ok(rows.first().map(|row| row.opt_int(0)).transpose()?.flatten().unwrap_or_default())
}
