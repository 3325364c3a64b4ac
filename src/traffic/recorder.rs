//! Takes note of requests on their way out and writes them later. Noting is a lock and a few copies; redaction, recognition
//! and SQL happen in the background, in batches.
//!
//! Bounded everywhere: of answered requests only the newest of each connection wait, under pressure they go first and are
//! counted; refusals wait until the store takes them, up to a limit that is counted too. Requests without a valid token are
//! noted without a body and rarely, so that nobody can fill a disk by asking.

use super::cause::Cause;
use super::redact::{BODY_BYTES_MAX, READ_BYTES_MAX};
use super::writer::{self, State};
use crate::clock::{Clock, Entropy, Micros, SECOND};
use crate::model::connection::Connection;
use crate::model::ids::{ConnectionId, TenantId, TokenId};
use crate::model::tenant::DEFAULT_TENANT;
use crate::store::Store;
use crate::telemetry::Metrics;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method, Uri, header};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Answered requests kept of a connection, and those that wait.
pub const SUCCESSES_MAX: usize = 1_000;
/// Refused requests kept of a connection.
pub const REFUSALS_MAX: usize = 10_000;
/// Refusals of all connections that wait.
const REFUSALS_WAITING_MAX: usize = 10_000;
/// Refusals written in one round: a client that fails thousands of times a second must not slow down the writes of others.
const REFUSALS_A_ROUND: usize = 500;
/// Bytes of bodies that wait.
const WAITING_BYTES_MAX: usize = 8 << 20;
/// Answers beyond this are not kept: four times what is shown of one.
const ANSWER_BYTES_MAX: usize = 4 * BODY_BYTES_MAX;
/// What waits is written after this long, more of it at a time under load.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_UNDER_LOAD: Micros = 5 * SECOND;
/// More answered requests than this in one pause are load.
const FEW: usize = 200;
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// How long the last writing may take when the process stops.
const LAST_TIME: Duration = Duration::from_secs(5);
/// Requests without a valid token: so many of one connection at once, then one in this time. In a month they stay below
/// [`REFUSALS_MAX`] and push nothing out.
const STRANGERS_BURST: i64 = 20;
const STRANGERS_EVERY: Micros = 300 * SECOND;
/// Of addresses that are looked up first, so many at a time.
const UNKNOWN_MAX: usize = 32;
/// Addresses remembered, and for how long.
const NAMES_MAX: usize = 10_000;
const NAME_TIME: Micros = 60 * SECOND;

/// What was asked. Everything is a copy: a part of a request that is kept keeps the whole buffer it was read into.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: Micros,
    pub request_id: String,
    pub method: Method,
    /// Path and query.
    pub target: String,
    pub user_agent: Option<String>,
    pub content_type: Option<String>,
    pub body: Option<Bytes>,
    pub body_bytes: usize,
}

impl Asked {
    /// Without its body, which comes later if at all. Headers with credentials are not looked at.
    pub fn new(at: Micros, request_id: String, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let target = uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
        let header = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let (user_agent, content_type) = (header(header::USER_AGENT), header(header::CONTENT_TYPE));
        Self { at, request_id, method: method.clone(), target, user_agent, content_type, body: None, body_bytes: 0 }
    }

    /// A copy, as the bytes may be a small part of a large buffer.
    pub fn with_body(&mut self, body: &Bytes) {
        self.body_bytes = body.len();
        self.body = (body.len() <= READ_BYTES_MAX).then(|| Bytes::copy_from_slice(body));
    }
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    pub status: u16,
    pub scim_type: Option<&'static str>,
    pub cause: Option<Cause>,
    pub detail: Option<String>,
    /// As [`answer_body`] keeps it.
    pub body: Option<Bytes>,
    pub body_bytes: usize,
    pub took: Duration,
}

/// What is kept of an answer's body, and its size. A large one is a page of a list: its size says enough, and those of a busy
/// second would be most of what the process has in memory.
pub fn answer_body(body: Option<&Bytes>) -> (Option<Bytes>, usize) {
    let bytes = body.map_or(0, Bytes::len);
    (body.filter(|_| bytes <= ANSWER_BYTES_MAX).cloned(), bytes)
}

/// One exchange with a client whose token is known, or with a browser that a connection signs in.
#[derive(Clone, Debug)]
pub struct Seen {
    pub connection: Arc<Connection>,
    pub token: Option<TokenId>,
    pub asked: Asked,
    pub answered: Answered,
    /// Names of attributes that no answer shows, in lower case: secrets, whatever they are called.
    pub secrets: Arc<[String]>,
}

/// One exchange with somebody who had no valid token for the connection that the address names.
#[derive(Clone, Debug)]
pub struct Stranger {
    /// The connection's id or name, as it stood in the address.
    pub named: String,
    pub asked: Asked,
    pub answered: Answered,
}

/// Notes exchanges. Clones share everything.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    entropy: Entropy,
    metrics: Metrics,
    waiting: Mutex<Waiting>,
    wake: Notify,
    writing: tokio::sync::Mutex<State>,
}

/// Who a known address belongs to.
#[derive(Clone, Debug)]
struct Known {
    tenant: TenantId,
    connection: ConnectionId,
    read_at: Micros,
    /// Microseconds of waiting that strangers have left.
    left: i64,
    at: Micros,
}

#[derive(Default)]
struct Waiting {
    refusals: VecDeque<Seen>,
    successes: HashMap<ConnectionId, VecDeque<Seen>>,
    success_count: usize,
    bytes: usize,
    strangers: Vec<(TenantId, ConnectionId, Stranger)>,
    unknown: Vec<Stranger>,
    names: HashMap<String, Known>,
    successes_taken_at: Micros,
}

/// What one round of writing takes.
#[derive(Default)]
pub(super) struct Work {
    pub seen: Vec<Seen>,
    pub strangers: Vec<(TenantId, ConnectionId, Stranger)>,
    pub unknown: Vec<Stranger>,
}

impl Recorder {
    pub fn new(store: Store, clock: Clock, entropy: Entropy, metrics: Metrics) -> Self {
        let (waiting, wake, writing) = (Mutex::default(), Notify::new(), tokio::sync::Mutex::default());
        Self(Arc::new(Inner { store, clock, entropy, metrics, waiting, wake, writing }))
    }

    /// Takes note of an exchange. Never waits for the store.
    pub fn note(&self, seen: Seen) {
        let dropped = self.waiting().add(seen);
        self.count(dropped);
        self.0.wake.notify_one();
    }

    /// Takes note of a request without a valid token, unless there were many of late.
    pub fn note_stranger(&self, stranger: Stranger) {
        let now = self.0.clock.now();
        if self.waiting().add_stranger(stranger, now) {
            self.0.wake.notify_one();
        } else {
            self.0.metrics.traffic_dropped("stranger", 1);
        }
    }

    /// Writes what waits, again and again, until it is dropped.
    pub async fn run(self) {
        loop {
            self.0.wake.notified().await;
            tokio::time::sleep(PAUSE).await;
            let round = self.write(Waiting::take).await;
            if !round.taken {
                tokio::time::sleep(AFTER_FAILURE).await;
            }
            if round.some_left || !round.taken {
                self.0.wake.notify_one();
            }
        }
    }

    /// Writes all that waits, for a process that stops; a round under way is waited for. Gives up after a few seconds.
    pub async fn finish(&self) {
        let last = self.write(|waiting, _| (waiting.take_all(), false));
        if tokio::time::timeout(LAST_TIME, last).await.is_err() {
            tracing::warn!("some recorded traffic was not written in time");
        }
    }

    /// One round. What it works on is taken under the lock of the writing, so that nothing is between two rounds.
    async fn write(&self, take: impl FnOnce(&mut Waiting, Micros) -> (Work, bool)) -> Round {
        let inner = &self.0;
        let mut state = inner.writing.lock().await;
        let (mut work, some_left) = take(&mut self.waiting(), inner.clock.now());
        for stranger in std::mem::take(&mut work.unknown) {
            let Some((tenant, connection)) = writer::look_up(&inner.store, &stranger.named).await else { continue };
            if self.waiting().admits(&stranger.named, &tenant, &connection, inner.clock.now()) {
                work.strangers.push((tenant, connection, stranger));
            }
        }
        let taken = writer::write(&inner.store, &inner.entropy, &inner.metrics, &mut state, work).await;
        Round { taken, some_left }
    }

    fn count(&self, dropped: Dropped) {
        for (kind, count) in [("success", dropped.successes), ("refusal", dropped.refusals)] {
            if count > 0 {
                self.0.metrics.traffic_dropped(kind, count);
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How one round of writing went.
struct Round {
    /// False if the store took nothing and refusals wait for another round.
    taken: bool,
    some_left: bool,
}

/// What had to go for want of room. A newer request of the same connection that takes an older one's place is no loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Dropped {
    successes: u64,
    refusals: u64,
}

fn size(seen: &Seen) -> usize {
    seen.asked.body.as_ref().map_or(0, Bytes::len) + seen.answered.body.as_ref().map_or(0, Bytes::len)
}

impl Waiting {
    fn add(&mut self, mut seen: Seen) -> Dropped {
        let mut dropped = Dropped::default();
        self.know_both(&seen);
        if seen.answered.status < 400 {
            if self.bytes + size(&seen) > WAITING_BYTES_MAX {
                return Dropped { successes: 1, ..dropped };
            }
            self.bytes += size(&seen);
            if !self.successes.contains_key(&seen.connection.id) {
                self.successes.insert(seen.connection.id.clone(), VecDeque::new());
            }
            if let Some(ring) = self.successes.get_mut(&seen.connection.id) {
                if ring.len() >= SUCCESSES_MAX
                    && let Some(oldest) = ring.pop_front()
                {
                    self.bytes -= size(&oldest);
                    self.success_count -= 1;
                }
                ring.push_back(seen);
                self.success_count += 1;
            }
            return dropped;
        }
        if self.bytes + size(&seen) > WAITING_BYTES_MAX {
            dropped.successes = self.success_count as u64;
            self.drop_successes();
        }
        if self.bytes + size(&seen) > WAITING_BYTES_MAX {
            (seen.asked.body, seen.answered.body) = (None, None);
        }
        if self.refusals.len() >= REFUSALS_WAITING_MAX
            && let Some(oldest) = self.refusals.pop_front()
        {
            self.bytes -= size(&oldest);
            dropped.refusals = 1;
        }
        self.bytes += size(&seen);
        self.refusals.push_back(seen);
        dropped
    }

    fn drop_successes(&mut self) {
        self.bytes -= self.successes.values().flatten().map(size).sum::<usize>();
        self.successes.clear();
        self.success_count = 0;
    }

    /// An address that a valid token was sent to is known without a look-up.
    fn know_both(&mut self, seen: &Seen) {
        let (connection, now) = (&seen.connection, seen.asked.at);
        if self.names.get(connection.id.as_str()).is_some_and(|known| now - known.read_at < NAME_TIME / 2) {
            return;
        }
        self.know(connection.id.as_str(), &connection.tenant_id, &connection.id, now);
        if connection.tenant_id.as_str() == DEFAULT_TENANT {
            self.know(&connection.name, &connection.tenant_id, &connection.id, now);
        }
    }

    fn know(&mut self, name: &str, tenant: &TenantId, connection: &ConnectionId, now: Micros) {
        if let Some(known) = self.names.get_mut(name) {
            (known.tenant, known.connection, known.read_at) = (tenant.clone(), connection.clone(), now);
            return;
        }
        if self.names.len() >= NAMES_MAX {
            self.names.retain(|_, known| now - known.read_at < NAME_TIME);
        }
        if self.names.len() < NAMES_MAX {
            let left = STRANGERS_BURST * STRANGERS_EVERY;
            let known = Known { tenant: tenant.clone(), connection: connection.clone(), read_at: now, left, at: now };
            self.names.insert(name.to_owned(), known);
        }
    }

    fn add_stranger(&mut self, stranger: Stranger, now: Micros) -> bool {
        let known = self.names.get(&stranger.named).filter(|known| now - known.read_at < NAME_TIME);
        let Some((tenant, connection)) = known.map(|known| (known.tenant.clone(), known.connection.clone())) else {
            let room = self.unknown.len() < UNKNOWN_MAX;
            if room {
                self.unknown.push(stranger);
            }
            return room;
        };
        let may = self.may_note(&stranger.named, now);
        if may {
            self.strangers.push((tenant, connection, stranger));
        }
        may
    }

    /// For an address that was just looked up.
    fn admits(&mut self, name: &str, tenant: &TenantId, connection: &ConnectionId, now: Micros) -> bool {
        self.know(name, tenant, connection, now);
        self.may_note(name, now)
    }

    /// Takes one from the bucket of a known address.
    fn may_note(&mut self, name: &str, now: Micros) -> bool {
        let Some(known) = self.names.get_mut(name) else { return false };
        let gained = (now - known.at).max(0);
        known.left = known.left.saturating_add(gained).min(STRANGERS_BURST * STRANGERS_EVERY);
        known.at = now;
        let may = known.left >= STRANGERS_EVERY;
        if may {
            known.left -= STRANGERS_EVERY;
        }
        may
    }

    /// What is to be written now, and whether something was left for later.
    fn take(&mut self, now: Micros) -> (Work, bool) {
        let due = self.success_count <= FEW || !(0..PAUSE_UNDER_LOAD).contains(&(now - self.successes_taken_at));
        let mut seen: Vec<Seen> = self.refusals.drain(..self.refusals.len().min(REFUSALS_A_ROUND)).collect();
        if due {
            self.successes_taken_at = now;
            self.success_count = 0;
            seen.extend(std::mem::take(&mut self.successes).into_values().flatten());
        }
        self.bytes -= seen.iter().map(size).sum::<usize>();
        let some_left = !due || !self.refusals.is_empty();
        (Work { seen, strangers: std::mem::take(&mut self.strangers), unknown: std::mem::take(&mut self.unknown) }, some_left)
    }

    /// Refusals first: if time or room ends in the middle, the rest is what matters less.
    fn take_all(&mut self) -> Work {
        let mut seen: Vec<Seen> = std::mem::take(&mut self.refusals).into();
        seen.extend(std::mem::take(&mut self.successes).into_values().flatten());
        (self.success_count, self.bytes) = (0, 0);
        Work { seen, strangers: std::mem::take(&mut self.strangers), unknown: std::mem::take(&mut self.unknown) }
    }
}

#[cfg(test)]
mod tests;
