//! Signing people in: `POST /login/{connection}` with user name and password, SAML and
//! OpenID Connect by way of the browser ([`saml`], [`oidc`]), and `/session`, which says who is signed in and signs them out. Owns the HTTP of it, the limits on tries, and the session's cookie. What a directory says of a
//! password is `ldap`'s, what a login does to the roster `provisioning`'s.
//!
//! Refuses: telling one refusal from another. Whoever is not let in gets one answer, whether the name, the password or the
//! person's standing is why; the reason goes to the log.

mod answer;
mod avoided;
mod carried;
mod cookie;
mod directory;
mod enter;
mod limits;
mod offered;
mod oidc;
mod places;
mod request;
mod return_to;
mod saml;
mod session;
mod told;
mod visit;

pub use avoided::Avoided;
pub use limits::{Limits, Watched};
pub use offered::WayIn;
pub use oidc::{Desk as OidcDesk, callback_address};
pub use places::Places;
pub use saml::Desk as SamlDesk;
pub use saml::router as saml_router;
pub use visit::{ACR_REQUIRED, ACR_VALUES, RETURN_TO_BYTES_MAX};

use crate::clock::{Clock, Entropy};
use crate::http::client_address::client_address;
use crate::http::request_id::RequestId;
use crate::http::same_origin::is_from_elsewhere;
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::ids::{ConnectionId, TenantId};
use crate::model::network::Network;
use crate::model::tenant::{DEFAULT_TENANT, Tenant, host_key};
use crate::provisioning::Provisioner;
use crate::provisioning::login::Login;
use crate::secret::KeyRing;
use crate::store::{Store, connections, tenants};
use crate::telemetry::Metrics;
use crate::traffic::Recorder;
use answer::Refused;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::Response;
use axum::routing::any;
use percent_encoding::percent_decode_str;
use places::Place;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A refusal is answered after a whole number of these, from when the request was read: how long a directory took over a name it knows, and how long the
/// roster over a person it knows, does not show.
const REFUSAL_STEP: Duration = Duration::from_millis(250);

/// What signing in works with.
pub struct Logins {
    pub store: Store,
    pub provisioner: Arc<Provisioner>,
    pub keys: KeyRing,
    pub clock: Clock,
    pub entropy: Entropy,
    pub metrics: Metrics,
    /// Absolute, without a trailing slash.
    pub public_url: String,
    /// Origins that `return_to` may lead to besides that of `public_url`.
    pub return_to: Vec<String>,
    pub trusted_proxies: Vec<Network>,
    pub limits: Limits,
    pub places: Places,
    pub avoided: Avoided,
    pub saml: SamlDesk,
    pub oidc: OidcDesk,
    pub recorder: Recorder,
    pub body_timeout: Duration,
}

/// Longest name or id of a connection.
const NAMED_BYTES_MAX: usize = 128;

/// The routes below `/login`.
pub fn router(logins: Arc<Logins>) -> Router {
    Router::new().route("/{connection}", any(login)).route("/callback/{connection}", any(oidc::callback)).with_state(logins)
}

/// The routes at `/session`.
pub fn session_router(logins: Arc<Logins>) -> Router {
    Router::new().route("/", any(signed_in)).with_state(logins)
}

async fn login(State(logins): State<Arc<Logins>>, request: Request) -> Response {
    let mut started = Instant::now();
    let (parts, body) = request.into_parts();
    let entered = match parts.method {
        Method::POST => enter::enter(&logins, &parts, body, &mut started).await,
        Method::GET | Method::HEAD => match begun(&logins, &parts).await {
            Ok(response) => return response,
            Err(refused) => Err(refused),
        },
        _ => Err(Refused::MethodNotAllowed { allow: "GET, POST" }),
    };
    match entered {
        Ok(entered) => entered.into_response(&logins.public_url),
        Err(refused) => {
            let is_for_a_person = answer::is_for_a_person(&parts);
            // Before the wait: how long it takes must not tell anything either.
            let own = if is_for_a_person { own_of(&logins, &parts).await } else { told::Own::default() };
            if matches!(refused, Refused::InvalidCredentials) {
                let taken = started.elapsed().as_millis() % REFUSAL_STEP.as_millis();
                let rest = REFUSAL_STEP.saturating_sub(Duration::from_millis(u64::try_from(taken).unwrap_or_default()));
                tokio::time::sleep(rest).await;
            }
            if is_for_a_person {
                return refused.into_page(&parts, &logins.public_url, &own, &logins.entropy);
            }
            refused.into_response()
        }
    }
}

/// Whose people a page about this login is for, as far as the path says so.
async fn own_of(logins: &Logins, parts: &Parts) -> told::Own {
    let Ok(tenant) = logins.tenant(parts).await else { return told::Own::default() };
    let connection = logins.connection(&tenant, &named(parts)).await.ok();
    told::Own::of(logins, connection.as_ref()).await
}

/// A login that begins in the browser and goes on elsewhere.
async fn begun(logins: &Logins, parts: &Parts) -> Result<Response, Refused> {
    let tenant = logins.tenant_row(parts).await?;
    let connection = logins.connection(&tenant.id, &named(parts)).await?;
    match connection.kind {
        ConnectionKind::Samlp => Ok(saml::begin(logins, parts, tenant, connection).await),
        kind if kind.is_oauth() => Ok(oidc::begin(logins, parts, tenant, connection).await),
        _ => Err(Refused::MethodNotAllowed { allow: "POST" }),
    }
}

/// The last part of a path, decoded.
fn named(parts: &Parts) -> String {
    let last = parts.uri.path().rsplit('/').next().unwrap_or_default();
    percent_decode_str(last).decode_utf8().unwrap_or_default().into_owned()
}

async fn signed_in(State(logins): State<Arc<Logins>>, request: Request) -> Response {
    let (parts, _body) = request.into_parts();
    let done = match parts.method {
        Method::GET | Method::HEAD => session::show(&logins, &parts).await,
        Method::DELETE => session::end(&logins, &parts).await,
        _ => Err(Refused::MethodNotAllowed { allow: "GET, DELETE" }),
    };
    done.unwrap_or_else(Refused::into_response)
}

impl Logins {
    /// The tenant that answers the host of this request.
    async fn tenant(&self, parts: &Parts) -> Result<TenantId, Refused> {
        Ok(self.tenant_row(parts).await?.id)
    }

    async fn tenant_row(&self, parts: &Parts) -> Result<Tenant, Refused> {
        let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok()).and_then(host_key);
        // No host, or what is none, is what `default` answers.
        let found = tenants::find_by_host(&self.store, &host.unwrap_or_default()).await?;
        found.ok_or(Refused::NoConnection)
    }

    /// The connection that a path names: by id, or in tenant `default` by name. Another tenant's is not there.
    async fn connection(&self, tenant: &TenantId, named: &str) -> Result<Connection, Refused> {
        let plain = named.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if named.len() > NAMED_BYTES_MAX || !plain {
            return Err(Refused::NoConnection);
        }
        let mut found = connections::find(&self.store, tenant, &ConnectionId::new(named)).await?;
        if found.is_none() && tenant.as_str() == DEFAULT_TENANT {
            found = connections::find_by_name(&self.store, tenant, named).await?;
        }
        found.map(|stored| stored.connection).ok_or(Refused::NoConnection)
    }

    /// A login of this request, as log and roster know it.
    fn login<'a>(&self, connection: &'a Connection, parts: &'a Parts) -> Login<'a> {
        let (ip, user_agent) = (Some(self.client_address(parts)), user_agent(parts));
        Login { connection, request_id: request_id(parts), ip, user_agent }
    }

    /// One of the connection's places, for as long as something of it is worked on.
    fn place(&self, connection: &Connection) -> Result<Place<'_>, Refused> {
        self.places.take(&connection.id).ok_or_else(|| {
            self.metrics.refused("login_places");
            Refused::Unavailable
        })
    }

    fn client_address(&self, parts: &Parts) -> IpAddr {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        client_address(peer, &parts.headers, &self.trusted_proxies)
    }

    /// Refuses what another site's page sent.
    fn same_origin(&self, parts: &Parts) -> Result<(), Refused> {
        if is_from_elsewhere(&parts.headers, &self.public_url) { Err(Refused::CrossOrigin) } else { Ok(()) }
    }
}

/// What the browser says it is.
fn user_agent(parts: &Parts) -> Option<&str> {
    parts.headers.get(header::USER_AGENT)?.to_str().ok()
}

fn request_id(parts: &Parts) -> &str {
    parts.extensions.get::<RequestId>().map_or("", |id| id.0.as_str())
}
