//! What an administrator does with webhooks, by API or command line: decided first, then done unless only the plan was wanted.

use super::decide::{self, Wanted, Wrong};
use super::sender::Sender;
use super::{books::Failure, shown};
use crate::clock::{Clock, Entropy, Micros, SECOND, rfc3339};
use crate::events::cursor;
use crate::events::envelope::source;
use crate::events::reader::Reader;
use crate::model::ids::{TenantId, WebhookId, new_webhook_id};
use crate::model::webhook::WEBHOOKS_MAX;
use crate::outbound::Outbound;
use crate::secret::{KeyRing, Secret};
use crate::store::audit::Audit;
use crate::store::webhook_deliveries as deliveries;
use crate::store::webhooks::{self, StoredWebhook};
use crate::store::{self, Batch, outbox};
use serde_json::{Value, json};
use std::time::Duration;

/// Dead rows that are revived in one batch.
const REVIVED_MAX: i64 = 500;
/// How often it is looked again when somebody else was quicker.
const ROUNDS: usize = 5;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no webhook {0}")]
    Unknown(WebhookId),
    #[error(transparent)]
    Wrong(#[from] Wrong),
    #[error("a tenant has at most {WEBHOOKS_MAX} webhooks")]
    TooMany,
    /// The events after the place that was named are not all there any more.
    #[error("the events of that time are not kept any more: the oldest that can be sent again is the one after --since {0}")]
    Expired(String),
    #[error("the secret of this webhook can't be read: is secrets.key the one it was made with?")]
    Sealed,
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What to send again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// Everything that was given up.
    Dead,
    /// One event.
    Event(String),
    /// Everything after a cursor of the feed, or from an event on, by its id.
    From(String),
    /// Everything from an instant on.
    Since(Micros),
}

/// What is needed to administrate.
#[derive(Clone)]
pub struct Desk {
    pub reader: Reader,
    pub outbound: Outbound,
    pub keys: KeyRing,
    pub clock: Clock,
    pub entropy: Entropy,
    pub timeout: Duration,
}

/// What was done, or would be.
pub struct Done {
    pub before: Option<StoredWebhook>,
    pub after: Option<StoredWebhook>,
    /// Of a new secret.
    pub secret: Option<Secret<String>>,
}

impl Desk {
    fn store(&self) -> &store::Store {
        &self.reader.store
    }

    pub async fn find(&self, tenant: &TenantId, id: &WebhookId) -> Result<StoredWebhook, Error> {
        webhooks::find(self.store(), tenant, id).await?.ok_or_else(|| Error::Unknown(id.clone()))
    }

    /// The webhook as it is shown, with how much there is to do.
    pub async fn shown(&self, stored: &StoredWebhook) -> Result<Value, Error> {
        let counts = deliveries::count(self.store(), &stored.webhook, shown::COUNTED_MAX).await?;
        let newest = self.reader.newest(&stored.webhook.tenant_id).await?;
        Ok(shown::with_work(shown::webhook(stored, None), newest - stored.fares.position, counts))
    }

    /// Makes one that begins with the next event.
    pub async fn create(&self, tenant: &TenantId, wanted: Wanted, audit: &Audit, dry_run: bool) -> Result<Done, Error> {
        if webhooks::count(self.store(), tenant).await? >= WEBHOOKS_MAX as i64 {
            return Err(Error::TooMany);
        }
        let id = new_webhook_id(&self.entropy, audit.at);
        let position = self.reader.newest(tenant).await?;
        let (stored, secret) = decide::create((tenant, id), wanted, position, (&self.keys, &self.entropy), audit.at)?;
        if !dry_run {
            let mut batch = Batch::default();
            webhooks::create(&mut batch, &stored, audit);
            self.store().apply(batch).await?;
        }
        Ok(Done { before: None, after: Some(stored), secret: Some(secret) })
    }

    pub async fn update(&self, stored: StoredWebhook, wanted: Wanted, audit: &Audit, dry_run: bool) -> Result<Done, Error> {
        let mut after = decide::update(&stored, wanted)?;
        if after != stored && !dry_run {
            let mut batch = Batch::default();
            webhooks::update(&mut batch, &after, "webhook.updated", audit);
            self.store().apply(batch).await?;
            (after.webhook.version, after.webhook.updated_at) = (after.webhook.version + 1, audit.at);
        }
        Ok(Done { before: Some(stored), after: Some(after), secret: None })
    }

    /// A new secret; the one until now signs too for `overlap_seconds`.
    pub async fn rotate(&self, stored: StoredWebhook, overlap_seconds: i64, audit: &Audit, dry_run: bool) -> Result<Done, Error> {
        let until = audit.at.saturating_add(overlap_seconds * SECOND);
        let (mut after, secret) = decide::rotate(&stored, until, (&self.keys, &self.entropy));
        if !dry_run {
            let mut batch = Batch::default();
            webhooks::update(&mut batch, &after, "webhook.secret.rotated", audit);
            self.store().apply(batch).await?;
            (after.webhook.version, after.webhook.updated_at) = (after.webhook.version + 1, audit.at);
        }
        Ok(Done { before: Some(stored), after: Some(after), secret: Some(secret) })
    }

    pub async fn delete(&self, stored: StoredWebhook, audit: &Audit, dry_run: bool) -> Result<Done, Error> {
        if !dry_run {
            let mut batch = Batch::default();
            webhooks::delete(&mut batch, &stored.webhook, audit);
            self.store().apply(batch).await?;
        }
        Ok(Done { before: Some(stored), after: None, secret: None })
    }

    /// Sends an event of type `webhook.test` now, once, whether the webhook is on or not.
    pub async fn test(&self, stored: &StoredWebhook) -> Result<Value, Error> {
        let sender = Sender::of(stored, &self.outbound, &self.clock, &self.keys, self.timeout).map_err(|_| Error::Sealed)?;
        let (webhook, now) = (&stored.webhook, self.clock.now());
        let id = self.entropy.uuid(now);
        let event = json!({
            "specversion": "1.0",
            "type": "webhook.test",
            "source": source(&webhook.tenant_id),
            "id": id,
            "time": rfc3339(now),
            "subject": webhook.id,
            "datacontenttype": "application/json",
            "data": { "object": { "id": webhook.id }, "changed": [], "context": { "tenant": webhook.tenant_id } },
        });
        Ok(match sender.send(&id, &event).await {
            Ok(status) => json!({ "event_id": id, "delivered": true, "status": status, "error": null }),
            Err(Failure { status, error, .. }) => json!({ "event_id": id, "delivered": false, "status": status, "error": error }),
        })
    }

    /// Has events sent again. What is answered says which and how many, as far as that is known without reading them.
    pub async fn again(
        &self,
        tenant: &TenantId,
        id: &WebhookId,
        what: &Again,
        audit: &Audit,
        dry_run: bool,
    ) -> Result<Value, Error> {
        let mut round = 1;
        loop {
            let stored = self.find(tenant, id).await?;
            match self.again_once(&stored, what, audit, dry_run).await {
                // It sends just now: the place it goes on from is another by now.
                Err(Error::Store(store::Error::Stale)) if round < ROUNDS => {
                    round += 1;
                    let [drawn] = self.entropy.bytes();
                    tokio::time::sleep(Duration::from_millis(u64::from(drawn))).await;
                }
                done => return done,
            }
        }
    }

    async fn again_once(&self, stored: &StoredWebhook, what: &Again, audit: &Audit, dry_run: bool) -> Result<Value, Error> {
        let webhook = &stored.webhook;
        let position = match what {
            Again::Dead => return self.dead_again(stored, audit, dry_run).await,
            Again::Event(event) => return self.event_again(stored, event, audit, dry_run).await,
            Again::From(text) => match cursor::open(&self.keys, &webhook.tenant_id, text) {
                Some(position) => position,
                None => {
                    let place = outbox::find_place(self.store(), &webhook.tenant_id, text).await?;
                    let says = String::from("wanted the `next` of a part of the feed, or the id of an event that is kept");
                    place.ok_or(Wrong { field: "from", says })?.0 - 1
                }
            },
            Again::Since(at) => self.reader.since(&webhook.tenant_id, *at).await?,
        };
        if !self.reader.reaches(&webhook.tenant_id, position).await? {
            let oldest = outbox::passing(self.store(), &webhook.tenant_id, position, 1).await?;
            let first: Vec<String> = oldest.into_iter().map(|one| one.id).collect();
            let found = outbox::announced(self.store(), &webhook.tenant_id, &first).await?;
            return Err(Error::Expired(found.values().next().map_or_else(|| rfc3339(audit.at), |one| rfc3339(one.at))));
        }
        // Never further: what was not sent yet is not left out.
        let position = position.min(stored.fares.position);
        if !dry_run {
            let mut batch = Batch::default();
            webhooks::go_on_at(&mut batch, stored, position, audit);
            deliveries::delete_from(&mut batch, webhook, position);
            self.store().apply(batch).await?;
        }
        Ok(json!({ "dry_run": dry_run, "events": stored.fares.position - position }))
    }

    async fn dead_again(&self, stored: &StoredWebhook, audit: &Audit, dry_run: bool) -> Result<Value, Error> {
        let webhook = &stored.webhook;
        if dry_run {
            let (_, dead) = deliveries::count(self.store(), webhook, shown::COUNTED_MAX).await?;
            return Ok(json!({ "dry_run": true, "events": dead }));
        }
        let mut events = 0;
        loop {
            let dead = deliveries::dead(self.store(), webhook, REVIVED_MAX).await?;
            if dead.is_empty() {
                return Ok(json!({ "dry_run": false, "events": events }));
            }
            let mut batch = Batch::default();
            if events == 0 {
                webhooks::wake(&mut batch, webhook, audit);
            }
            deliveries::revive(&mut batch, webhook, &dead, audit.at);
            self.store().apply(batch).await?;
            events += dead.len();
        }
    }

    async fn event_again(&self, stored: &StoredWebhook, event: &str, audit: &Audit, dry_run: bool) -> Result<Value, Error> {
        let webhook = &stored.webhook;
        let unknown = || Wrong { field: "event_id", says: String::from("there is no such event, or it is not kept any more") };
        let (position, subject) = outbox::find_place(self.store(), &webhook.tenant_id, event).await?.ok_or_else(unknown)?;
        // What is still before it is sent anyway.
        let is_before = position > stored.fares.position;
        if !dry_run && !is_before {
            let mut batch = Batch::default();
            webhooks::wake(&mut batch, webhook, audit);
            deliveries::send_again(&mut batch, webhook, (position, event, &subject), audit.at);
            self.store().apply(batch).await?;
        }
        Ok(json!({ "dry_run": dry_run, "events": 1 }))
    }
}
