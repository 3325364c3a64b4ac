//! What applications publish of the keys they prove themselves by (`jwks_uri`), kept in memory like providers' keys. An application
//! changes them when it likes: a key that nobody knows has the set read again, once a minute at most, whoever makes up names of keys.

use super::fetched_keys::{FetchedKeys, LIMITS, Source};
use super::keys::KeySet;
use super::rule::Refusal;
use crate::clock::Clock;
use crate::outbound::Outbound;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Applications that are remembered; beyond it all are forgotten, which costs each a call.
const APPLICATIONS_MAX: usize = 10_000;

/// One per process.
pub struct ApplicationKeys {
    outbound: Outbound,
    clock: Clock,
    kept: Mutex<HashMap<(String, String), Arc<FetchedKeys>>>,
}

impl ApplicationKeys {
    pub fn new(outbound: &Outbound, clock: Clock) -> Self {
        Self { outbound: outbound.clone().within(LIMITS), clock, kept: Mutex::default() }
    }

    /// Those at the address of an application. `unknown_key`: those that were handed out lack one.
    ///
    /// # Errors
    /// They can't be had.
    pub async fn at(
        &self,
        (tenant, client): (&str, &str),
        (uri, allow_plaintext): (&str, bool),
        unknown_key: bool,
    ) -> Result<Arc<KeySet>, Refusal> {
        let source = Source {
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            url: uri.to_owned(),
            allow_plaintext,
            name: client.to_owned(),
        };
        // By address too: one that was changed is another's.
        let kept = self.kept((format!("{tenant} {client}"), uri.to_owned()));
        kept.keys(&source, unknown_key).await
    }

    fn kept(&self, of: (String, String)) -> Arc<FetchedKeys> {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= APPLICATIONS_MAX && !all.contains_key(&of) {
            all.clear();
        }
        Arc::clone(all.entry(of).or_default())
    }
}
