//! What was read of providers, kept in memory per connection: the document for an hour, the keys as long as their server says. A
//! good copy goes on counting while no newer one can be had. Every replica reads for itself.

use super::client::{Caller, get};
use super::discovery::{self, Provider};
use super::keys::{Age, KeySet};
use super::rule::{Refusal, Rule};
use super::settings::Settings;
use crate::clock::{Micros, SECOND};
use crate::model::connection::Connection;
use crate::outbound::{Answer, Limits, Outbound};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a document counts without a look at it.
const DOCUMENT_TTL: Micros = 3_600 * SECOND;
/// Whoever could not be read is left alone for so long, however many begin a login.
const AGAIN_AFTER: Micros = 30 * SECOND;
/// With a good copy at hand.
const REFRESH_AFTER: Micros = 60 * SECOND;
/// Connections that are remembered; beyond it all are forgotten, which costs each a call.
const CONNECTIONS_MAX: usize = 10_000;
/// Of one call to a provider.
const LIMITS: Limits = Limits { time: Duration::from_secs(8), bytes_max: 1 << 20, redirects_max: 0, addresses_max: 32 };

/// One per process.
pub struct Providers {
    outbound: Outbound,
    kept: Mutex<HashMap<String, Arc<Kept>>>,
}

/// Of one version of a connection: other options are another provider.
struct Kept {
    version: i64,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    document: Option<(Micros, Arc<Provider>)>,
    document_failed: Option<(Micros, Refusal)>,
    keys: Option<(Age, Arc<KeySet>)>,
    keys_failed: Option<(Micros, Refusal)>,
}

impl Providers {
    pub fn new(outbound: &Outbound) -> Self {
        Self { outbound: outbound.clone().within(LIMITS), kept: Mutex::default() }
    }

    pub fn caller<'a>(&'a self, settings: &'a Settings) -> Caller<'a> {
        Caller { outbound: &self.outbound, settings }
    }

    fn kept(&self, connection: &Connection) -> Arc<Kept> {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = all.get(connection.id.as_str()).filter(|kept| kept.version == connection.version) {
            return Arc::clone(kept);
        }
        if all.len() >= CONNECTIONS_MAX {
            all.clear();
        }
        let kept = Arc::new(Kept { version: connection.version, state: tokio::sync::Mutex::default() });
        all.insert(connection.id.as_str().to_owned(), Arc::clone(&kept));
        kept
    }

    /// The provider of a connection. Those who ask at the same time wait for one call.
    ///
    /// # Errors
    /// It can't be read, or is not whom the connection expects.
    pub async fn provider(&self, connection: &Connection, settings: &Settings, now: Micros) -> Result<Arc<Provider>, Refusal> {
        let kept = self.kept(connection);
        let mut state = kept.state.lock().await;
        let known = state.document.clone();
        let failed = state.document_failed.clone();
        match (&known, &failed) {
            (Some((read_at, provider)), _) if now - read_at < DOCUMENT_TTL => return Ok(Arc::clone(provider)),
            (Some((_, provider)), Some((at, _))) if now - at < REFRESH_AFTER => return Ok(Arc::clone(provider)),
            (None, Some((at, refusal))) if now - at < AGAIN_AFTER => return Err(refusal.clone()),
            _ => {}
        }
        match self.read_document(settings).await {
            Ok(provider) => {
                let provider = Arc::new(provider);
                state.document = Some((now, Arc::clone(&provider)));
                state.document_failed = None;
                Ok(provider)
            }
            Err(refusal) => {
                tracing::warn!(connection = connection.name, %refusal, "what a provider says of itself can't be used");
                state.document_failed = Some((now, refusal.clone()));
                known.map(|(_, provider)| provider).ok_or(refusal)
            }
        }
    }

    async fn read_document(&self, settings: &Settings) -> Result<Provider, Refusal> {
        if let Some(provider) = Provider::of_settings(settings) {
            return Ok(provider);
        }
        let Some(issuer) = &settings.issuer else { return Err(Rule::Settings.refused()) };
        let url = discovery::address(issuer);
        let unavailable = |error: String| Rule::DiscoveryUnavailable.refused().expected(&url).received(error);
        let answer =
            get(&self.outbound, &url, settings.allow_plaintext, None).await.map_err(|error| unavailable(error.to_string()))?;
        match answer {
            Answer::Found { body, .. } => Provider::of_document(&body, settings),
            Answer::NotModified => Err(unavailable(String::from("304"))),
        }
    }

    /// The provider's keys. `unknown_key`: those that were handed out lack one.
    ///
    /// # Errors
    /// There are none that count.
    pub async fn keys(
        &self,
        connection: &Connection,
        (settings, provider): (&Settings, &Provider),
        now: Micros,
        unknown_key: bool,
    ) -> Result<Arc<KeySet>, Refusal> {
        let kept = self.kept(connection);
        let mut state = kept.state.lock().await;
        let known = state.keys.clone();
        match (&known, &state.keys_failed) {
            (Some((age, keys)), _) if !age.is_due(now, unknown_key) && age.counts(now) => return Ok(Arc::clone(keys)),
            (None, Some((at, refusal))) if now - at < AGAIN_AFTER => return Err(refusal.clone()),
            _ => {}
        }
        match self.read_keys(settings, provider).await {
            Ok((keys, max_age)) => {
                let keys = Arc::new(keys);
                state.keys = Some((Age::read(now, max_age), Arc::clone(&keys)));
                state.keys_failed = None;
                Ok(keys)
            }
            Err(refusal) => {
                tracing::warn!(connection = connection.name, %refusal, "the keys of a provider can't be read");
                state.keys = known.map(|(age, keys)| (age.failed(now), keys));
                state.keys_failed = Some((now, refusal.clone()));
                let old = state.keys.clone().filter(|(age, _)| age.counts(now));
                old.map(|(_, keys)| keys).ok_or(refusal)
            }
        }
    }

    async fn read_keys(&self, settings: &Settings, provider: &Provider) -> Result<(KeySet, Option<u64>), Refusal> {
        let url = provider.jwks.as_deref().unwrap_or_default();
        let unavailable = |error: String| Rule::KeysUnavailable.refused().expected(url).received(error);
        let answer =
            get(&self.outbound, url, settings.allow_plaintext, None).await.map_err(|error| unavailable(error.to_string()))?;
        match answer {
            Answer::Found { body, max_age, .. } => Ok((KeySet::parse(&body)?, max_age)),
            Answer::NotModified => Err(unavailable(String::from("304"))),
        }
    }
}
