//! The keys that one address gives, kept in memory as long as their server says. In the last quarter of that time they are read again
//! beside whoever needs them, so that nobody waits for it; who waits is the one after a quiet time. A good copy goes on counting while
//! no newer one can be had, for a day. Every replica reads for itself.

use super::client::get;
use super::keys::{Age, KeySet};
use super::rule::{Refusal, Rule};
use crate::clock::{Clock, Micros, SECOND};
use crate::outbound::{Answer, Limits, Outbound};
use std::sync::Arc;
use std::time::Duration;

/// Of one call for what somebody publishes.
pub(super) const LIMITS: Limits =
    Limits { time: Duration::from_secs(8), bytes_max: 1 << 20, redirects_max: 0, addresses_max: 32 };
/// Whoever could not be read is left alone for so long, however many ask.
pub(super) const AGAIN_AFTER: Micros = 30 * SECOND;

/// Where keys are, and who looks.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) outbound: Outbound,
    pub(super) clock: Clock,
    pub(super) url: String,
    pub(super) allow_plaintext: bool,
    /// Whose they are, for the log.
    pub(super) name: String,
}

/// What was read.
#[derive(Default)]
pub(super) struct FetchedKeys(tokio::sync::Mutex<State>);

#[derive(Default)]
struct State {
    keys: Option<(Age, Arc<KeySet>)>,
    failed: Option<(Micros, Refusal)>,
    /// Somebody reads them beside who asked.
    come: bool,
}

impl State {
    fn has_read(&mut self, read: Result<(KeySet, Option<u64>), Refusal>, name: &str, (now, unknown_key): (Micros, bool)) {
        self.come = false;
        let before = self.keys.as_ref().map(|(age, _)| *age);
        match read {
            Ok((keys, max_age)) => {
                self.keys = Some((Age::read(now, max_age).after(before, now, unknown_key), Arc::new(keys)));
                self.failed = None;
            }
            Err(refusal) => {
                tracing::warn!(of = name, %refusal, "the keys at an address can't be read");
                if let Some((age, _)) = &mut self.keys {
                    *age = age.failed(now).after(Some(*age), now, unknown_key);
                }
                self.failed = Some((now, refusal));
            }
        }
    }
}

impl FetchedKeys {
    /// Those that count. `unknown_key`: those that were handed out lack one. Who asks at the same time waits for one call.
    ///
    /// # Errors
    /// There are none.
    pub(super) async fn keys(self: &Arc<Self>, source: &Source, unknown_key: bool) -> Result<Arc<KeySet>, Refusal> {
        let mut state = self.0.lock().await;
        let now = source.clock.now();
        match (state.keys.clone(), &state.failed) {
            (Some((age, keys)), _) if !age.is_due(now, unknown_key) && age.counts(now) => {
                if age.is_soon(now) && !state.come {
                    state.come = true;
                    self.read_beside(source.clone());
                }
                return Ok(keys);
            }
            // None, or none that count any more.
            (known, Some((at, refusal))) if now - at < AGAIN_AFTER && known.as_ref().is_none_or(|(age, _)| !age.counts(now)) => {
                return Err(refusal.clone());
            }
            _ => {}
        }
        let read = read(source).await;
        // Whoever hangs is left alone from when that is known.
        let now = source.clock.now();
        state.has_read(read, &source.name, (now, unknown_key));
        match (&state.keys, &state.failed) {
            (Some((age, keys)), _) if age.counts(now) => Ok(Arc::clone(keys)),
            (_, failed) => Err(failed.as_ref().map_or_else(|| Rule::KeysUnavailable.refused(), |(_, refusal)| refusal.clone())),
        }
    }

    fn read_beside(self: &Arc<Self>, source: Source) {
        let kept = Arc::clone(self);
        tokio::spawn(async move {
            let read = read(&source).await;
            kept.0.lock().await.has_read(read, &source.name, (source.clock.now(), false));
        });
    }
}

async fn read(source: &Source) -> Result<(KeySet, Option<u64>), Refusal> {
    let url = source.url.as_str();
    let unavailable = |error: String| Rule::KeysUnavailable.refused().expected(url).received(error);
    let answer = get(&source.outbound, url, source.allow_plaintext).await.map_err(|error| unavailable(error.to_string()))?;
    match answer {
        Answer::Found { body, max_age, .. } => Ok((KeySet::parse(&body)?, max_age)),
        Answer::NotModified => Err(unavailable(String::from("304"))),
    }
}
