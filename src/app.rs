//! The composition root: configuration, keys and store become one router and its background work.
//!
//! Owns: which edge hangs where, readiness, starting and stopping. Refuses: any rule of its own.

pub mod directories;
pub mod grace;
pub mod retention;
pub mod saml_metadata;
pub mod server;
pub mod walks;
pub mod webhooks;

use crate::api;
use crate::clock::{Clock, Entropy, Micros, SECOND};
use crate::config::{Config, DatabaseConfig};
use crate::events::streams::Streams;
use crate::http::authenticate::Authenticator;
use crate::http::observe::{Observer, OverTheLimit, observe};
use crate::http::rate::RateLimit;
use crate::http::refusal::refuse;
use crate::login;
use crate::mapping_files;
use crate::oidc::application_keys::ApplicationKeys;
use crate::oidc::providers::Providers;
use crate::outbound::Outbound;
use crate::provider;
use crate::provisioning::Provisioner;
use crate::provisioning::mappings::Drafts;
use crate::registration::Registrar;
use crate::replay::worker::Worker;
use crate::saml::metadata::refresh::Refresher;
use crate::scim;
use crate::scim::list::PageSizes;
use crate::scim::schema::discovery::BulkLimits;
use crate::secret::KeyRing;
use crate::store::{Store, StoreOptions};
use crate::telemetry::Metrics;
use crate::traffic::Recorder;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long `/readyz` waits for the store.
const PING_TIME: Duration = Duration::from_secs(2);

/// Everything the edges are built from. Clones share it.
#[derive(Clone)]
pub struct App {
    pub config: Arc<Config>,
    pub store: Store,
    pub keys: KeyRing,
    pub clock: Clock,
    pub entropy: Entropy,
    pub authenticator: Authenticator,
    pub metrics: Metrics,
    pub outbound: Outbound,
    /// Writes in the background, by its `run`.
    pub recorder: Recorder,
    /// Base of absolute links, without a trailing slash.
    pub public_url: Arc<str>,
    stopping: Arc<AtomicBool>,
}

/// What an edge answers under: a path prefix and the routes below it.
pub type Edge = (&'static str, Router);

impl App {
    /// Puts the parts together. `public_url` is the configured one or the address that is listened on.
    pub fn build(config: Config, store: Store, keys: KeyRing, clock: Clock, entropy: Entropy, public_url: &str) -> Self {
        let rate = RateLimit::new(config.limits.token_requests_per_second, config.limits.token_burst, clock.clone());
        let metrics = Metrics::new();
        Self {
            recorder: Recorder::new(store.clone(), clock.clone(), entropy.clone(), metrics.clone()),
            authenticator: Authenticator::new(store.clone(), keys.clone(), clock.clone(), rate),
            outbound: Outbound::new(&config.outbound.allow),
            config: Arc::new(config),
            store,
            keys,
            clock,
            entropy,
            metrics,
            public_url: Arc::from(public_url),
            stopping: Arc::default(),
        }
    }

    /// The edges this program has. A new one is one line here.
    pub fn edges(&self) -> Vec<Edge> {
        // One, because writers of the same row wait for each other in it.
        let provisioner = Arc::new(self.provisioner());
        let logins = Arc::new(self.logins(Arc::clone(&provisioner)));
        let applications = ApplicationKeys::new(&self.outbound, self.clock.clone());
        let provider = Arc::new(provider::Provider::new(Arc::clone(&logins), applications));
        vec![
            ("/scim/v2", scim::http::router(Arc::new(self.scim(Arc::clone(&provisioner))))),
            (
                "/api/v2",
                api::router(Arc::new(self.api(self.worker(Arc::clone(&provisioner)), provisioner, Arc::clone(&provider)))),
            ),
            ("/login", login::router(Arc::clone(&logins))),
            ("/saml", login::saml_router(Arc::clone(&logins))),
            ("/session", login::session_router(logins)),
            ("/.well-known", provider::well_known(&provider)),
            ("/authorize", provider::authorize_router(&provider)),
            ("/oauth", provider::oauth_router(&provider)),
            ("/userinfo", provider::userinfo_router(&provider)),
            ("/oidc", provider::oidc_router(&provider)),
        ]
    }

    /// Where a mapping that nobody published yet comes from.
    fn drafts(&self) -> Drafts {
        let dir = self.config.mappings.dir.clone();
        Arc::new(move |name| mapping_files::find(&dir, name))
    }

    fn provisioner(&self) -> Provisioner {
        Provisioner::new(self.store.clone(), self.clock.clone(), self.entropy.clone(), self.drafts(), scim::http::record::values)
    }

    /// Reads the metadata of SAML connections.
    pub fn refresher(&self) -> Refresher {
        Refresher {
            store: self.store.clone(),
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        }
    }

    /// Carries out previews and replays.
    fn worker(&self, provisioner: Arc<Provisioner>) -> Worker {
        Worker::new(self.store.clone(), provisioner, self.clock.clone(), self.entropy.clone())
    }

    /// The same beside requests.
    pub fn background_worker(&self) -> Worker {
        self.worker(Arc::new(self.provisioner()))
    }

    fn api(&self, worker: Worker, provisioner: Arc<Provisioner>, provider: Arc<provider::Provider>) -> api::Api {
        api::Api {
            worker,
            store: self.store.clone(),
            authenticator: self.authenticator.clone(),
            keys: self.keys.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            registrar: Registrar {
                store: self.store.clone(),
                keys: self.keys.clone(),
                entropy: self.entropy.clone(),
                drafts: self.drafts(),
            },
            provisioner,
            provider,
            limits: self.limits(),
            links_are_undone_for: self.config.retention.log_days.saturating_mul(86_400 * SECOND),
            public_url: self.public_url.to_string(),
            body_timeout: self.config.server.body_timeout,
            trusted_proxies: self.config.server.trusted_proxies.clone(),
            reader: self.reader(),
            streams: Streams::new(self.metrics.clone()),
            webhooks: self.desk(),
            stopping: Arc::clone(&self.stopping),
        }
    }

    fn limits(&self) -> login::Limits {
        let config = &self.config.login;
        login::Limits {
            failures_per_user: config.failures_per_user,
            failures_per_address: config.failures_per_address,
            window: Micros::try_from(config.window.as_micros()).unwrap_or(Micros::MAX),
        }
    }

    fn logins(&self, provisioner: Arc<Provisioner>) -> login::Logins {
        let config = &self.config.login;
        let limits = self.limits();
        login::Logins {
            store: self.store.clone(),
            provisioner,
            keys: self.keys.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            metrics: self.metrics.clone(),
            public_url: self.public_url.to_string(),
            return_to: config.return_to.clone(),
            trusted_proxies: self.config.server.trusted_proxies.clone(),
            limits,
            places: login::Places::default(),
            avoided: login::Avoided::default(),
            saml: login::SamlDesk::new(self.refresher()),
            oidc: login::OidcDesk::new(Providers::new(&self.outbound, self.clock.clone())),
            recorder: self.recorder.clone(),
            body_timeout: self.config.server.body_timeout,
        }
    }

    fn scim(&self, provisioner: Arc<Provisioner>) -> scim::http::Scim {
        scim::http::Scim {
            store: self.store.clone(),
            provisioner,
            authenticator: self.authenticator.clone(),
            registries: scim::http::registries::Registries::new(self.store.clone()),
            recorder: self.recorder.clone(),
            clock: self.clock.clone(),
            public_url: self.public_url.to_string(),
            body_bytes_max: self.config.server.body_bytes_max,
            body_timeout: self.config.server.body_timeout,
            page_sizes: PageSizes {
                default: i64::from(self.config.scim.page_size_default),
                max: i64::from(self.config.scim.page_size_max),
            },
            patch_operations_max: self.config.scim.patch_operations_max,
            scan_max: i64::from(self.config.scim.filter_scan_max),
            bulk: self.bulk_limits(),
            cursor_timeout_s: self.config.scim.cursor_timeout_s,
            keys: self.keys.clone(),
            entropy: self.entropy.clone(),
        }
    }

    /// `None`: `/Bulk` is switched off.
    fn bulk_limits(&self) -> Option<BulkLimits> {
        let config = &self.config.scim;
        (config.bulk_operations_max > 0).then(|| BulkLimits {
            operations_max: config.bulk_operations_max,
            payload_bytes_max: config.bulk_bytes_max.min(self.config.server.body_bytes_max),
        })
    }

    /// One router over health, numbers and `edges`, with everything around a request in place.
    pub fn router(&self, edges: Vec<Edge>) -> Router {
        let mut router = Router::new()
            .route("/healthz", get(|| async { json(StatusCode::OK, r#"{"status":"alive"}"#) }))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self.clone());
        for (prefix, edge) in edges {
            router = router.nest(prefix, edge);
        }
        let observer = Observer {
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            metrics: self.metrics.clone(),
            in_flight_max: self.config.limits.requests_in_flight,
            over_the_limit: OverTheLimit::default(),
        };
        router
            .fallback(async |request: Request| {
                refuse(request.uri().path(), StatusCode::NOT_FOUND, "there is nothing at this path", None)
            })
            .method_not_allowed_fallback(async |request: Request| {
                refuse(request.uri().path(), StatusCode::METHOD_NOT_ALLOWED, "this path has no such method", None)
            })
            .layer(axum::middleware::from_fn_with_state(observer, observe))
    }

    /// From now on `/readyz` says no: whoever balances load sends no more.
    pub fn stop_being_ready(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Why the gateway should get no requests, if it should not.
    async fn unready(&self) -> Option<&'static str> {
        if self.stopping.load(Ordering::SeqCst) {
            return Some("stopping");
        }
        if !self.store.is_ready() {
            return Some("store");
        }
        match tokio::time::timeout(PING_TIME, self.store.ping()).await {
            Ok(Ok(())) => None,
            _ => Some("store"),
        }
    }
}

/// How the store is opened.
pub fn store_options(config: &DatabaseConfig, clock: &Clock) -> StoreOptions {
    StoreOptions {
        url: config.url.secret(),
        pool_size: config.pool_size,
        pool_wait_ms: u64::try_from(config.pool_wait.as_millis()).unwrap_or(u64::MAX),
        queue_max: config.queue_max,
        sqlite_readers: config.sqlite_readers,
        statement_cache: config.statement_cache,
        clock: clock.clone(),
        listener: None,
    }
}

async fn readyz(State(app): State<App>) -> Response {
    match app.unready().await {
        None => json(StatusCode::OK, r#"{"status":"ready"}"#),
        Some("stopping") => json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"unready","reason":"stopping"}"#),
        Some(_) => json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"unready","reason":"store"}"#),
    }
}

async fn metrics(State(app): State<App>) -> Response {
    app.metrics.store(app.store.waiting(), app.store.is_ready());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], app.metrics.render()).into_response()
}

fn json(status: StatusCode, body: &'static str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/json".parse().expect("a constant header"));
    headers.insert(CACHE_CONTROL, "no-store".parse().expect("a constant header"));
    (status, headers, body).into_response()
}
