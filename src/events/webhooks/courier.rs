//! Sends what webhooks want: at least once, of one person or group in order. Every replica looks for work; whoever gets a webhook's lease
//! does some of it, under the lease's fencing number. Reads, sends and writes down; what is written down is `books`'s to say. Nothing is
//! held while somebody is waited for: neither the writer nor a connection of the store.

use super::books::{Books, Chain, Outcome, Task, books};
use super::schedule::{AWAY_AFTER, Schedule};
use super::sender::Sender;
use crate::clock::{Clock, Entropy, Micros, SECOND};
use crate::events::reader::{Event, Reader};
use crate::model::event::{InboxEntry, LogEntry};
use crate::model::ids::ConnectionId;
use crate::model::webhook::Webhook;
use crate::outbound::Outbound;
use crate::secret::KeyRing;
use crate::store::webhook_deliveries::{self as deliveries, Waiting};
use crate::store::webhooks::{self, AtWork, StoredWebhook};
use crate::store::{Batch, Error, Store, events, outbox};
use crate::telemetry::Metrics;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Who sends, in the log.
const ACTOR: &str = "webhooks";
/// Between two looks for work; a part of it is drawn, so that replicas look at different times.
const EVERY_MS: u64 = 400;
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// Webhooks that one look finds, and that are served beside each other in one process.
const FOUND_MAX: i64 = 1_000;
const SERVED_MAX: usize = 16;
/// How long a lease holds, and how often it is renewed while its work goes on.
const LEASE_TIME: Micros = 15 * SECOND;
const RENEWED: Duration = Duration::from_secs(5);
/// Announcements looked at, and people with something due, in one round of a webhook.
const EVENTS_MAX: i64 = 100;
const DUE_MAX: i64 = 50;
/// Tries beside each other at one receiver.
const TRIES_MAX: usize = 8;
/// No try begins later than this in a round; what is left over is the next one's.
const ROUND_TIME: Micros = 60 * SECOND;
/// Rounds before another webhook has its turn.
const ROUNDS_MAX: usize = 20;
/// Rows of one webhook that may wait; with more of them nothing new is read.
const WAITING_MAX: i64 = 10_000;
/// Rows woken at a time when a receiver is back.
const WOKEN_MAX: i64 = 500;

/// What is needed to send. Clones share it.
#[derive(Clone)]
pub struct Courier {
    pub store: Store,
    pub reader: Reader,
    pub outbound: Outbound,
    pub keys: KeyRing,
    pub clock: Clock,
    pub entropy: Entropy,
    pub metrics: Metrics,
    pub schedule: Schedule,
    /// How long a receiver may take.
    pub timeout: Duration,
}

impl Courier {
    /// Runs until it is dropped.
    pub async fn run(self) {
        let owner = self.entropy.uuid(self.clock.now());
        let (mut serving, mut served) = (JoinSet::new(), HashSet::new());
        loop {
            let [drawn] = self.entropy.bytes();
            tokio::time::sleep(Duration::from_millis(EVERY_MS * 3 / 4 + EVERY_MS * u64::from(drawn) / 512)).await;
            while let Some(ended) = serving.try_join_next() {
                match ended {
                    Ok(id) => drop(served.remove(&id)),
                    Err(error) => tracing::error!(%error, "serving a webhook broke"),
                }
            }
            if serving.is_empty() {
                served.clear();
            }
            match webhooks::at_work(&self.store, self.clock.now(), FOUND_MAX).await {
                Ok(found) => {
                    for work in found {
                        if serving.len() < SERVED_MAX && served.insert(work.id.clone()) {
                            let (courier, owner) = (self.clone(), owner.clone());
                            serving.spawn(async move {
                                Box::pin(courier.serve(&work, &owner)).await;
                                work.id
                            });
                        }
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "which webhooks have work can't be read; looked at again soon");
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
            if let Ok(lag) = webhooks::lag(&self.store).await {
                self.metrics.webhook_lag(lag);
            }
        }
    }

    /// Rounds of one webhook, as long as there is work and the lease is ours.
    async fn serve(&self, work: &AtWork, owner: &str) {
        let (tenant, lease) = (work.tenant_id.as_str(), format!("webhook {}", work.id));
        for _ in 0..ROUNDS_MAX {
            let fencing = match self.store.claim_lease(tenant, &lease, owner, self.clock.now(), LEASE_TIME).await {
                Ok(Some(fencing)) => fencing,
                // Another replica's.
                Ok(None) => return,
                Err(error) => return tracing::debug!(webhook = %work.id, %error, "no lease for a webhook; looked at again soon"),
            };
            let round = tokio::select! {
                round = self.round(work, (&lease, fencing)) => round,
                () = self.renew(tenant, &lease, owner, fencing) => {
                    tracing::warn!(webhook = %work.id, "another replica took a webhook over");
                    return;
                }
            };
            match round {
                Ok(true) => {}
                Ok(false) => break,
                // Somebody administrated it, or it is another's by now: nothing is known to be done, and it is done again.
                Err(Error::Stale | Error::Conflict) => break,
                Err(error) => {
                    tracing::warn!(webhook = %work.id, %error, "a webhook could not be served; tried again soon");
                    break;
                }
            }
        }
        if let Err(error) = self.store.release_lease(tenant, &lease, owner).await {
            tracing::debug!(%error, "a webhook's lease ends by itself");
        }
    }

    /// Keeps the lease; ends when it is lost.
    async fn renew(&self, tenant: &str, lease: &str, owner: &str, fencing: i64) {
        loop {
            tokio::time::sleep(RENEWED).await;
            match self.store.claim_lease(tenant, lease, owner, self.clock.now(), LEASE_TIME).await {
                Ok(Some(ours)) if ours == fencing => {}
                Ok(_) => return,
                // The fencing number decides in the end.
                Err(error) => tracing::debug!(%error, "a webhook's lease was not renewed"),
            }
        }
    }

    /// Sends some of what there is. Whether there may be more at once.
    async fn round(&self, work: &AtWork, (lease, fencing): (&str, i64)) -> Result<bool, Error> {
        let Some(stored) = webhooks::find(&self.store, &work.tenant_id, &work.id).await? else { return Ok(false) };
        let now = self.clock.now();
        if !stored.webhook.enabled || stored.fares.paused_until.is_some_and(|until| until > now) {
            return Ok(false);
        }
        let sender = match Sender::of(&stored, &self.outbound, &self.clock, &self.keys, self.timeout) {
            Ok(sender) => sender,
            Err(error) => {
                tracing::error!(webhook = %work.id, %error, "the secret of a webhook can't be read");
                return Ok(false);
            }
        };
        let Agenda { tasks, reached, more } = self.agenda(&stored, now).await?;
        let chains = self.send(&stored.webhook, sender, tasks, now).await?;
        let now = self.clock.now();
        let chance = || {
            let [drawn] = self.entropy.bytes();
            drawn
        };
        let written = books(&stored.fares, reached, chains, &self.schedule, now, chance);
        self.write_down(&stored, &written, (lease, fencing), now).await?;
        self.metrics.webhook_deliveries("delivered", written.delivered);
        self.metrics.webhook_deliveries("failed", written.failed);
        self.metrics.webhook_deliveries("dead", written.dead);
        Ok(more && !written.disabled && written.fares.paused_until.is_none())
    }

    /// What is to be sent, by person or group.
    async fn agenda(&self, stored: &StoredWebhook, now: Micros) -> Result<Agenda, Error> {
        let webhook = &stored.webhook;
        // One that seemed to be away is tried with one event.
        let probes = stored.fares.failures >= AWAY_AFTER;
        let mut chains: Vec<Vec<Task>> = Vec::new();
        let mut at: HashMap<String, usize> = HashMap::new();
        for rows in deliveries::due(&self.store, webhook, now, DUE_MAX).await? {
            let Some(first) = rows.first() else { continue };
            if first.next_at.is_some_and(|next| next > now) {
                // Something later was asked for again: it goes behind what already waits.
                self.put_behind(webhook, &rows).await?;
                continue;
            }
            at.insert(first.subject.clone(), chains.len());
            let whole = rows.len() < deliveries::OF_ONE_MAX;
            let last = rows.len().saturating_sub(1);
            let task = |(at, row)| Task { row, is_stored: true, is_held: !whole && at == last };
            chains.push(rows.into_iter().enumerate().map(task).collect());
        }
        let mut more = !chains.is_empty();
        let mut reached = stored.fares.position;
        let new_ones = !(probes && more) && deliveries::count_waiting(&self.store, webhook, WAITING_MAX).await? < WAITING_MAX;
        if new_ones {
            let passing = outbox::passing(&self.store, &webhook.tenant_id, reached, EVENTS_MAX).await?;
            more |= i64::try_from(passing.len()).is_ok_and(|passed| passed >= EVENTS_MAX);
            let subjects: HashSet<String> = passing.iter().map(|one| one.subject.clone()).collect();
            let subjects: Vec<String> = subjects.into_iter().filter(|subject| !at.contains_key(subject)).collect();
            let waiting = deliveries::waiting_among(&self.store, webhook, &subjects).await?;
            for one in passing {
                reached = one.position;
                if !webhook.wants(&one.kind) {
                    continue;
                }
                let row = Waiting {
                    position: one.position,
                    event_id: one.id,
                    subject: one.subject,
                    attempts: 0,
                    first_at: now,
                    last_at: None,
                    next_at: None,
                    dead_at: None,
                    status: None,
                    error: None,
                };
                let behind = waiting.contains(&row.subject);
                let place = *at.entry(row.subject.clone()).or_insert(chains.len());
                if place == chains.len() {
                    chains.push(Vec::new());
                }
                chains[place].push(Task { row, is_stored: false, is_held: false });
                if probes && !behind {
                    more = true;
                    break;
                }
            }
            return Ok(Agenda { tasks: split(chains, &waiting), reached, more });
        }
        if probes {
            chains.truncate(1);
            for chain in &mut chains {
                chain.truncate(2);
                chain.iter_mut().skip(1).for_each(|task| task.is_held = true);
            }
        }
        Ok(Agenda { tasks: split(chains, &HashSet::new()), reached, more })
    }

    async fn put_behind(&self, webhook: &Webhook, rows: &[Waiting]) -> Result<(), Error> {
        let later: Vec<Waiting> =
            rows.iter().skip(1).filter(|row| row.next_at.is_some()).map(|row| Waiting { next_at: None, ..row.clone() }).collect();
        let mut batch = Batch::default();
        deliveries::update(&mut batch, webhook, &later);
        if batch.is_empty() { Ok(()) } else { self.store.apply(batch).await }
    }

    /// Sends the chains beside each other, each in its order until something fails.
    async fn send(&self, webhook: &Webhook, sender: Sender, tasks: Tasks, began: Micros) -> Result<Vec<Chain>, Error> {
        let ids: Vec<String> = tasks.to_try.iter().flatten().map(|task| task.row.event_id.clone()).collect();
        let events = self.reader.with_ids(&webhook.tenant_id, &ids).await?;
        let trying = Arc::new(Trying {
            sender,
            events: events.into_iter().map(|event| (event.id.clone(), event)).collect(),
            slots: Semaphore::new(TRIES_MAX),
            failures: AtomicI64::new(0),
            over: AtomicBool::new(false),
            clock: self.clock.clone(),
            until: began.saturating_add(ROUND_TIME),
        });
        // Dropped with this round, should it be.
        let mut sending = JoinSet::new();
        let count = tasks.to_try.len();
        for (at, chain) in tasks.to_try.into_iter().enumerate() {
            let trying = Arc::clone(&trying);
            sending.spawn(async move { (at, trying.chain(chain).await) });
        }
        let mut chains: Vec<Chain> = Vec::new();
        chains.resize_with(count, Vec::new);
        while let Some(sent) = sending.join_next().await {
            let (at, chain) = sent.map_err(|_| Error::Unavailable { reason: String::from("sending was broken off") })?;
            chains[at] = chain;
        }
        // Whoever waits behind something that is not due is written down as such.
        chains.extend(tasks.behind.into_iter().map(|chain| chain.into_iter().map(|task| (task, Outcome::Behind)).collect()));
        Ok(chains)
    }

    async fn write_down(
        &self,
        stored: &StoredWebhook,
        written: &Books,
        (lease, fencing): (&str, i64),
        now: Micros,
    ) -> Result<(), Error> {
        let webhook = &stored.webhook;
        let why = written.disabled.then_some("the receiver answered 410: it is gone for good");
        let mut batch = Batch::default();
        batch.guard_lease(webhook.tenant_id.as_str(), lease, fencing);
        webhooks::fare(&mut batch, webhook, stored.fares.position, &written.fares, why);
        deliveries::insert(&mut batch, webhook, &written.insert);
        deliveries::update(&mut batch, webhook, &written.update);
        deliveries::delete(&mut batch, webhook, &written.delete);
        if written.is_back {
            let sleeping = deliveries::sleeping(&self.store, webhook, now, WOKEN_MAX).await?;
            let touched: HashSet<i64> =
                written.update.iter().map(|row| row.position).chain(written.delete.iter().copied()).collect();
            let sleeping: Vec<i64> = sleeping.into_iter().filter(|position| !touched.contains(position)).collect();
            deliveries::wake(&mut batch, webhook, &sleeping, now);
        }
        let mut told = Vec::new();
        if let Some(why) = why {
            told.push(("webhook.disabled", json!({ "subject": webhook.id, "reason": why })));
        }
        if written.dead > 0 {
            let error = written.fares.last_error.as_deref().unwrap_or_default();
            told.push(("webhook.dead_letters", json!({ "subject": webhook.id, "events": written.dead, "reason": error })));
        }
        let (mut log, mut inbox) = (Vec::new(), Vec::new());
        for (kind, detail) in told {
            tracing::warn!(webhook = %webhook.id, kind, "a webhook needs somebody");
            log.push(LogEntry {
                id: self.entropy.uuid(now),
                kind,
                outcome: "failed",
                actor: ACTOR.to_owned(),
                request_id: self.entropy.uuid(now),
                detail: Some(detail.to_string()),
                at: now,
                ..LogEntry::default()
            });
            inbox.push(InboxEntry {
                id: self.entropy.uuid(now),
                connection_id: ConnectionId::new(""),
                kind,
                subject: webhook.id.to_string(),
                detail: detail.to_string(),
                at: now,
            });
        }
        events::insert_log(&mut batch, &webhook.tenant_id, &log);
        events::open_conflicts(&mut batch, &webhook.tenant_id, &inbox);
        self.store.apply(batch).await
    }
}

/// What a round is to do.
struct Agenda {
    tasks: Tasks,
    /// How far the announcements were read for it.
    reached: i64,
    more: bool,
}

#[derive(Default)]
struct Tasks {
    to_try: Vec<Vec<Task>>,
    /// New events of somebody of whom something waits that is not due.
    behind: Vec<Vec<Task>>,
}

fn split(chains: Vec<Vec<Task>>, waiting: &HashSet<String>) -> Tasks {
    let is_behind = |chain: &Vec<Task>| chain.first().is_some_and(|task| !task.is_stored && waiting.contains(&task.row.subject));
    let (behind, to_try) = chains.into_iter().partition(is_behind);
    Tasks { to_try, behind }
}

/// The tries of one round.
struct Trying {
    sender: Sender,
    events: HashMap<String, Event>,
    slots: Semaphore,
    /// In a row, over all chains.
    failures: AtomicI64,
    /// No more tries in this round.
    over: AtomicBool,
    clock: Clock,
    until: Micros,
}

impl Trying {
    async fn chain(&self, tasks: Vec<Task>) -> Chain {
        let (mut sent, mut stopped) = (Chain::new(), false);
        for task in tasks {
            let outcome = if stopped { Outcome::Untried } else { self.one(&task).await };
            // What is dead or lost holds nobody back, but whether it is dead is found when it is written down.
            stopped |= matches!(outcome, Outcome::Failed(_) | Outcome::Untried);
            sent.push((task, outcome));
        }
        sent
    }

    async fn one(&self, task: &Task) -> Outcome {
        if task.is_held {
            return Outcome::Untried;
        }
        let Some(event) = self.events.get(&task.row.event_id) else { return Outcome::Lost };
        let Ok(_slot) = self.slots.acquire().await else { return Outcome::Untried };
        if self.over.load(Ordering::Relaxed) || self.clock.now() > self.until {
            return Outcome::Untried;
        }
        match self.sender.send(&event.id, &event.body).await {
            Ok(_) => {
                self.failures.store(0, Ordering::Relaxed);
                Outcome::Taken
            }
            Err(failure) => {
                let away = self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= AWAY_AFTER;
                if away || failure.is_goodbye() || failure.rest().is_some() {
                    self.over.store(true, Ordering::Relaxed);
                }
                Outcome::Failed(failure)
            }
        }
    }
}
