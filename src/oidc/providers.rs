//! What was read of providers, kept in memory per connection: the document for an hour, the keys as long as their server says
//! ([`fetched_keys`](super::fetched_keys)). In the last quarter of that time they are read again beside a login that needs them, so that
//! nobody waits for it; who waits is the one after a quiet time. A good copy goes on counting while no newer one can be had. Every
//! replica reads for itself.

use super::client::{Caller, get};
use super::discovery::{self, Provider};
use super::fetched_keys::{AGAIN_AFTER, FetchedKeys, LIMITS, Source};
use super::keys::KeySet;
use super::rule::{Refusal, Rule};
use super::settings::Settings;
use crate::clock::{Clock, Micros, SECOND};
use crate::model::connection::Connection;
use crate::outbound::{Answer, Outbound};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How long a document counts without a look at it.
const DOCUMENT_TTL: Micros = 3_600 * SECOND;
/// With a good copy at hand.
const REFRESH_AFTER: Micros = 60 * SECOND;
/// Connections that are remembered; beyond it all are forgotten, which costs each a call.
const CONNECTIONS_MAX: usize = 10_000;
/// One per process.
pub struct Providers {
    outbound: Outbound,
    clock: Clock,
    kept: Mutex<HashMap<String, Arc<Kept>>>,
}

/// Of one version of a connection: other options are another provider.
struct Kept {
    version: i64,
    state: tokio::sync::Mutex<State>,
    keys: Arc<FetchedKeys>,
}

#[derive(Default)]
struct State {
    document: Option<(Micros, Arc<Provider>)>,
    document_failed: Option<(Micros, Refusal)>,
    /// Somebody reads it beside a login.
    document_comes: bool,
}

impl State {
    fn has_read_document(&mut self, read: Result<Provider, Refusal>, name: &str, now: Micros) {
        self.document_comes = false;
        match read {
            Ok(provider) => {
                self.document = Some((now, Arc::new(provider)));
                self.document_failed = None;
            }
            Err(refusal) => {
                tracing::warn!(connection = name, %refusal, "what a provider says of itself can't be used");
                self.document_failed = Some((now, refusal));
            }
        }
    }
}

impl Providers {
    pub fn new(outbound: &Outbound, clock: Clock) -> Self {
        Self { outbound: outbound.clone().within(LIMITS), clock, kept: Mutex::default() }
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
        let kept = Arc::new(Kept { version: connection.version, state: tokio::sync::Mutex::default(), keys: Arc::default() });
        all.insert(connection.id.as_str().to_owned(), Arc::clone(&kept));
        kept
    }

    /// The provider of a connection. Those who ask at the same time wait for one call.
    ///
    /// # Errors
    /// It can't be read, or is not whom the connection expects.
    pub async fn provider(&self, connection: &Connection, settings: &Settings) -> Result<Arc<Provider>, Refusal> {
        let kept = self.kept(connection);
        let mut state = kept.state.lock().await;
        let now = self.clock.now();
        let failed_at = state.document_failed.as_ref().map(|(at, _)| *at);
        let failed_lately = |time: Micros| failed_at.is_some_and(|at| now - at < time);
        if let Some((read_at, provider)) = state.document.clone() {
            let is_soon = now - read_at >= DOCUMENT_TTL / 4 * 3;
            if now - read_at < DOCUMENT_TTL || failed_lately(REFRESH_AFTER) {
                if is_soon && !failed_lately(REFRESH_AFTER) && !state.document_comes {
                    state.document_comes = true;
                    self.read_document_beside(connection, settings, Arc::clone(&kept));
                }
                return Ok(provider);
            }
        } else if let Some((_, refusal)) = state.document_failed.as_ref().filter(|_| failed_lately(AGAIN_AFTER)) {
            return Err(refusal.clone());
        }
        let read = read_document(&self.outbound, settings).await;
        // Whoever hangs is left alone from when that is known.
        state.has_read_document(read, &connection.name, self.clock.now());
        match (&state.document, &state.document_failed) {
            (Some((_, provider)), _) => Ok(Arc::clone(provider)),
            (None, failed) => Err(failed.as_ref().map_or_else(|| Rule::Settings.refused(), |(_, refusal)| refusal.clone())),
        }
    }

    fn read_document_beside(&self, connection: &Connection, settings: &Settings, kept: Arc<Kept>) {
        let (outbound, clock, settings) = (self.outbound.clone(), self.clock.clone(), settings.clone());
        let name = connection.name.clone();
        tokio::spawn(async move {
            let read = read_document(&outbound, &settings).await;
            kept.state.lock().await.has_read_document(read, &name, clock.now());
        });
    }

    /// The provider's keys. `unknown_key`: those that were handed out lack one.
    ///
    /// # Errors
    /// There are none that count.
    pub async fn keys(
        &self,
        connection: &Connection,
        (settings, provider): (&Settings, &Arc<Provider>),
        unknown_key: bool,
    ) -> Result<Arc<KeySet>, Refusal> {
        let source = Source {
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            url: provider.jwks.clone().unwrap_or_default(),
            allow_plaintext: settings.allow_plaintext,
            name: connection.name.clone(),
        };
        let keys = Arc::clone(&self.kept(connection).keys);
        keys.keys(&source, unknown_key).await
    }
}

async fn read_document(outbound: &Outbound, settings: &Settings) -> Result<Provider, Refusal> {
    if let Some(provider) = Provider::of_settings(settings) {
        return Ok(provider);
    }
    let Some(issuer) = &settings.issuer else { return Err(Rule::Settings.refused()) };
    let url = discovery::address(issuer);
    let unavailable = |error: String| Rule::DiscoveryUnavailable.refused().expected(&url).received(error);
    let answer = get(outbound, &url, settings.allow_plaintext).await.map_err(|error| unavailable(error.to_string()))?;
    match answer {
        Answer::Found { body, .. } => Provider::of_document(&body, settings),
        Answer::NotModified => Err(unavailable(String::from("304"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::discovery::tests::settings;
    use super::*;
    use crate::model::connection::{ConnectionKind, Options};
    use crate::model::ids::{ConnectionId, TenantId};
    use serde_json::json;
    use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const MINUTE: Micros = 60 * SECOND;

    /// A provider on this machine that takes eight seconds of the clock for each answer.
    struct Slow {
        asked: Arc<AtomicUsize>,
        is_broken: Arc<AtomicBool>,
        hand: Arc<AtomicI64>,
        providers: Providers,
        settings: Settings,
        connection: Connection,
    }

    impl Slow {
        async fn start() -> Self {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let url = format!("http://{}", listener.local_addr().expect("an address"));
            let (clock, hand) = Clock::manual(0);
            let (asked, is_broken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
            let document =
                json!({"issuer": url, "authorization_endpoint": url, "token_endpoint": url, "jwks_uri": url, "keys": []});
            let (counted, broken, moved) = (Arc::clone(&asked), Arc::clone(&is_broken), Arc::clone(&hand));
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let _read = stream.read(&mut [0; 4_096]).await;
                    counted.fetch_add(1, Ordering::SeqCst);
                    moved.fetch_add(8 * SECOND, Ordering::SeqCst);
                    let status = if broken.load(Ordering::SeqCst) { "500 No" } else { "200 OK" };
                    let body = document.to_string();
                    let answer =
                        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                    let _sent = stream.write_all(answer.as_bytes()).await;
                }
            });
            let set = json!({"issuer": url, "allow_plaintext": true});
            let connection = Connection {
                tenant_id: TenantId::new("default"),
                id: ConnectionId::new("con_1"),
                name: String::from("acme"),
                kind: ConnectionKind::Oidc,
                organization_id: None,
                options: Options::defaults(ConnectionKind::Oidc),
                version: 1,
                created_at: 0,
                updated_at: 0,
            };
            let providers = Providers::new(&Outbound::new(&[]), clock);
            Self { asked, is_broken, hand, providers, settings: settings(ConnectionKind::Oidc, &set), connection }
        }

        async fn provider(&self, at: Micros) -> Result<Arc<Provider>, Rule> {
            self.hand.store(at, Ordering::SeqCst);
            self.providers.provider(&self.connection, &self.settings).await.map_err(|refusal| refusal.rule)
        }

        async fn keys(&self, at: Micros) -> Result<Arc<KeySet>, Rule> {
            let provider = self.provider(at).await?;
            self.hand.store(at, Ordering::SeqCst);
            let keys = self.providers.keys(&self.connection, (&self.settings, &provider), false).await;
            keys.map_err(|refusal| refusal.rule)
        }

        /// Once it was asked so often, and everybody had time to ask more.
        async fn asked(&self, times: usize) {
            for _ in 0..500 {
                if self.asked.load(Ordering::SeqCst) >= times {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(self.asked.load(Ordering::SeqCst), times);
        }
    }

    #[tokio::test]
    async fn a_document_that_ages_is_read_beside_a_login_once() {
        let slow = Slow::start().await;
        assert!(slow.provider(0).await.is_ok() && slow.provider(44 * MINUTE).await.is_ok());
        slow.asked(1).await;
        for _ in 0..3 {
            assert!(slow.provider(46 * MINUTE).await.is_ok());
        }
        slow.asked(2).await;
        assert!(slow.provider(62 * MINUTE).await.is_ok(), "as old as its second reading");
        slow.asked(2).await;
        assert!(slow.keys(63 * MINUTE).await.is_ok() && slow.keys(80 * MINUTE).await.is_ok());
        slow.asked(3).await;
        assert!(slow.keys(63 * MINUTE + 46 * MINUTE).await.is_ok(), "and keys likewise");
        slow.asked(5).await;
    }

    #[tokio::test]
    async fn a_good_copy_counts_while_no_newer_one_can_be_had() {
        let slow = Slow::start().await;
        assert!(slow.keys(0).await.is_ok());
        slow.is_broken.store(true, Ordering::SeqCst);
        assert!(slow.keys(50 * MINUTE).await.is_ok());
        slow.asked(4).await;
        assert!(slow.keys(50 * MINUTE + 30 * SECOND).await.is_ok());
        slow.asked(4).await;
        assert!(slow.keys(90 * MINUTE).await.is_ok(), "over time");
        slow.asked(6).await;
        // A day later keys count no longer, and whoever asks meanwhile calls nobody.
        assert_eq!(slow.keys(26 * 60 * MINUTE).await.err(), Some(Rule::KeysUnavailable));
        slow.asked(8).await;
        assert_eq!(slow.keys(26 * 60 * MINUTE + 9 * SECOND).await.err(), Some(Rule::KeysUnavailable));
        slow.asked(8).await;
        slow.is_broken.store(false, Ordering::SeqCst);
        assert!(slow.keys(27 * 60 * MINUTE).await.is_ok());
        slow.asked(10).await;
    }

    #[tokio::test]
    async fn whoever_can_not_be_read_is_left_alone_from_when_that_is_known() {
        let slow = Slow::start().await;
        slow.is_broken.store(true, Ordering::SeqCst);
        assert_eq!(slow.provider(0).await.err(), Some(Rule::DiscoveryUnavailable));
        assert_eq!(slow.provider(31 * SECOND).await.err(), Some(Rule::DiscoveryUnavailable));
        slow.asked(1).await;
        assert_eq!(slow.provider(39 * SECOND).await.err(), Some(Rule::DiscoveryUnavailable));
        slow.asked(2).await;
    }
}
