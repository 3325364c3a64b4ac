//! Signing in by SAML, as HTTP: `/login/{connection}` sends a browser to the identity provider ([`begin`]), which posts its
//! answer to `/saml/{connection}/acs` ([`acs`]); `/saml/{connection}/slo` ends sessions in both directions ([`slo`]), and
//! `/saml/{connection}/metadata` says who we are ([`describe`]). What a message has to be is `rosterd_saml`'s, whom it is about
//! `saml`'s, what it does to the roster `provisioning`'s.
//!
//! Refuses: to show anything of a message on a page, to go where a message says, and to tell somebody who is not let in why;
//! the reason goes to the log and to the connection's recorded traffic ([`refuse`]).

mod acs;
mod authenticity;
mod begin;
mod describe;
mod form;
mod refuse;
mod sent;
mod slo;
mod waiting;

use super::answer::Refused;
use super::{Logins, told};
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::tenant::Tenant;
use crate::saml::addresses::{Addresses, base_url};
use crate::saml::keys::{Keys, KeysError, ServiceKeys};
use crate::saml::metadata::refresh::Refresher;
use crate::saml::metadata::{IdentityProvider, IdentityProviders, Unusable};
use crate::traffic::Cause;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::any;
use jiff::SignedDuration;
use percent_encoding::percent_decode_str;
use refuse::Stopped;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How long a message waits for a core, and how long its signature may take.
const VERIFIED_WITHIN: Duration = Duration::from_secs(2);

/// What SAML works with beside the rest. One per process.
pub struct Desk {
    keys: Keys,
    known: IdentityProviders,
    refresher: Refresher,
    /// Signatures that are checked at a time: one per core.
    verifying: Arc<Semaphore>,
}

impl Desk {
    /// `refresher` reads metadata anew that a signature does not go with.
    pub fn new(refresher: Refresher) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            keys: Keys::default(),
            known: IdentityProviders::new(refresher.store.clone()),
            refresher,
            verifying: Arc::new(Semaphore::new(cores)),
        }
    }
}

/// The routes below `/saml`.
pub fn router(logins: Arc<Logins>) -> Router {
    Router::new()
        .route("/{connection}/acs", any(answer))
        .route("/{connection}/slo", any(answer))
        .route("/{connection}/metadata", any(answer))
        .with_state(logins)
}

async fn answer(State(logins): State<Arc<Logins>>, request: Request) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let mut segments = parts.uri.path().trim_start_matches('/').split('/');
    let (named, what) = (segments.next().unwrap_or_default().to_owned(), segments.next().unwrap_or_default().to_owned());
    let site = match Site::find(&logins, &parts, &named).await {
        Ok(site) => site,
        Err(refused) => return refuse::page(&logins, &parts, None, refused.into()).await,
    };
    let done = match what.as_str() {
        "acs" => acs::consume(&logins, &site, &parts, body).await.map(|(response, noted)| {
            told::note(&logins, &site.connection, &parts, (started, response.status()), noted, false);
            response
        }),
        "slo" => slo::answer(&logins, &site, &parts, body).await,
        _ => describe::metadata(&logins, &site, &parts).await,
    };
    finished(&logins, &site, &parts, started, done).await
}

/// `GET /login/{connection}` of a SAML connection.
pub(super) async fn begin(logins: &Logins, parts: &Parts, tenant: Tenant, connection: Connection) -> Response {
    let started = Instant::now();
    let site = Site::of(logins, tenant, connection, None);
    let done = begin::begin(logins, &site, parts).await;
    finished(logins, &site, parts, started, done).await
}

async fn finished(logins: &Logins, site: &Site, parts: &Parts, started: Instant, done: Result<Response, Stopped>) -> Response {
    match done {
        // Whoever asks for metadata or begins a login is anybody: what they do is not noted, it would push out what is worth keeping.
        Ok(response) => response,
        Err(stopped) => refuse::refuse(logins, site, parts, started, stopped).await,
    }
}

/// One connection as the world sees it.
struct Site {
    tenant: Tenant,
    connection: Connection,
    addresses: Addresses,
}

impl Site {
    fn of(logins: &Logins, tenant: Tenant, connection: Connection, named: Option<&str>) -> Self {
        let base = base_url(&logins.public_url, &tenant);
        let addresses = match named {
            Some(named) => Addresses::called(&base, &connection, named),
            None => Addresses::of(&base, &connection),
        };
        Self { tenant, connection, addresses }
    }

    /// The connection that a path names, if it is one of this kind in the tenant of the host.
    async fn find(logins: &Logins, parts: &Parts, named: &str) -> Result<Self, Refused> {
        let tenant = logins.tenant_row(parts).await?;
        let named = percent_decode_str(named).decode_utf8().unwrap_or_default();
        let connection = logins.connection(&tenant.id, &named).await?;
        if connection.kind != ConnectionKind::Samlp {
            return Err(Refused::NoConnection);
        }
        Ok(Self::of(logins, tenant, connection, Some(&named)))
    }

    fn skew(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.connection.options.saml.clock_skew_seconds))
    }
}

impl Logins {
    async fn service_keys(&self, site: &Site) -> Result<Arc<ServiceKeys>, Stopped> {
        let found = self.saml.keys.of(&self.store, &self.keys, &self.entropy, &site.connection, self.clock.now()).await;
        found.map_err(|error| match error {
            KeysError::Store(error) => Stopped::Other(error.into()),
            error => {
                tracing::error!(%error, connection = site.connection.name, "the keys of a connection can't be used");
                Stopped::Other(Refused::Misconfigured)
            }
        })
    }

    /// Whether the identity provider has another key than those a signature was just checked with.
    async fn has_new_key(&self, site: &Site, used: &IdentityProvider) -> Result<bool, Stopped> {
        Ok(self.saml.refresher.refetch_after_failed_signature(&site.connection, used.version).await?)
    }

    async fn identity_provider(&self, site: &Site) -> Result<Arc<IdentityProvider>, Stopped> {
        let mut known = self.saml.known.known(&site.connection, self.clock.now()).await?;
        if known.as_ref().is_err_and(|unusable| *unusable == Unusable::Unreadable) {
            self.saml.refresher.refetch_unreadable(&site.connection).await?;
            known = self.saml.known.known(&site.connection, self.clock.now()).await?;
        }
        // Nobody is there to believe.
        known.map(Arc::new).map_err(|unusable| Stopped::told(unusable.code(), Cause::SamlMetadata))
    }
}

fn wants(parts: &Parts, allow: &'static str) -> Result<(), Stopped> {
    let is_there = allow.split(", ").any(|method| method == parts.method.as_str());
    if is_there { Ok(()) } else { Err(Stopped::Other(Refused::MethodNotAllowed { allow })) }
}

/// The body as a form, no further than a message may be long.
async fn read_form(logins: &Logins, body: Body) -> Result<form::Fields, Stopped> {
    let bytes = crate::http::body::read(body, form::BYTES_MAX, logins.body_timeout).await;
    form::fields(&bytes.map_err(|error| Stopped::Other(Refused::Body(error)))?)
}
