//! The SCIM endpoint of a connection: `/scim/v2/connections/{connection}/…`. Authenticates first (401 before 404),
//! finds the route, reads the body within its limits, calls provisioning for writes and the store for reads. Every
//! answer, errors of routing too, is SCIM. Refuses to decide anything about users.

mod answer;
mod bulk;
mod conditions;
mod cursor;
mod derived;
mod discovery;
mod groups;
mod listing;
mod noted;
mod operation;
mod pages;
pub mod record;
pub mod registries;
mod render;
mod route;
mod source;
mod users;
mod walk;

use crate::clock::{Clock, Entropy};
use crate::http::authenticate::Authenticator;
use crate::http::body;
use crate::http::request_id::RequestId;
use crate::model::access::Principal;
use crate::model::connection::Connection;
use crate::model::ids::TokenId;
use crate::model::tenant::DEFAULT_TENANT;
use crate::provisioning::{Provisioner, Request as ProvisioningRequest};
use crate::scim::error::{ScimError, ScimType};
use crate::scim::json;
use crate::scim::list::PageSizes;
use crate::scim::mode::Mode;
use crate::scim::schema::Registry;
use crate::scim::schema::discovery::BulkLimits;
use crate::secret::KeyRing;
use crate::store::Store;
use crate::traffic::{Cause, Recorder};
use answer::{Answer, Refused};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use conditions::Conditions;
use noted::{Exchange, Noting};
use operation::{Operation, operate, permitted};
use registries::Registries;
use route::{Resources, Route};
use serde_json::Value;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What the endpoint works with.
pub struct Scim {
    pub store: Store,
    pub provisioner: Arc<Provisioner>,
    pub authenticator: Authenticator,
    /// Which schemas a tenant has.
    pub registries: Registries,
    /// Takes note of every request, answered or refused.
    pub recorder: Recorder,
    pub clock: Clock,
    /// Absolute, without a trailing slash: every `location` begins with it.
    pub public_url: String,
    pub body_bytes_max: usize,
    pub body_timeout: Duration,
    pub page_sizes: PageSizes,
    /// Operations of one PATCH.
    pub patch_operations_max: usize,
    /// Resources a filter or an order without an index may look at before `tooMany`.
    pub scan_max: i64,
    /// `None`: `/Bulk` is not served.
    pub bulk: Option<BulkLimits>,
    /// How long a cursor holds, in seconds.
    pub cursor_timeout_s: u32,
    /// Seals cursors.
    pub keys: KeyRing,
    pub entropy: Entropy,
}

/// The routes, to be nested at `/scim/v2`.
pub fn router(scim: Arc<Scim>) -> Router {
    Router::new()
        .route("/connections/{connection}", any(endpoint))
        .route("/connections/{connection}/", any(endpoint))
        .route("/connections/{connection}/{*rest}", any(endpoint))
        .fallback(elsewhere)
        .with_state(scim)
}

/// One authenticated request on its way to a handler.
struct Call<'a> {
    scim: &'a Scim,
    connection: &'a Connection,
    /// The schemas of the connection's tenant.
    registry: &'a Registry,
    /// `{public_url}/scim/v2/connections/{connection}`, as the client spelled the connection.
    base: String,
    actor: String,
    request_id: String,
    method: Method,
    headers: HeaderMap,
    /// Decoded pairs of the query string.
    query: Vec<(String, String)>,
    /// The body once it was read, for the recorded traffic.
    body_read: &'a OnceLock<Bytes>,
}

impl Call<'_> {
    fn mode(&self) -> Mode {
        Mode { strict: self.connection.options.strict }
    }

    fn provisioning(&self) -> ProvisioningRequest<'_> {
        ProvisioningRequest { connection: self.connection, actor: &self.actor, request_id: &self.request_id }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON: [`Self::bytes`], and 400 for what is no JSON object text.
    async fn json(&self, body: Body) -> Result<Value, Refused> {
        let bytes = self.bytes(body, self.scim.body_bytes_max).await?;
        Ok(json::parse(&bytes, &json::Limits::for_body(self.scim.body_bytes_max))?)
    }

    /// The body. 415 for other media types than JSON, 413 over `bytes_max`.
    async fn bytes(&self, body: Body, bytes_max: usize) -> Result<Bytes, Refused> {
        let media = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !matches!(essence.as_str(), "application/scim+json" | "application/json") {
            return Err(ScimError::status(415, "the body must be application/scim+json or application/json").into());
        }
        if media.to_ascii_lowercase().contains("charset=") && !media.to_ascii_lowercase().contains("utf-8") {
            return Err(ScimError::status(415, "the body must be UTF-8").into());
        }
        let bytes = body::read(body, bytes_max, self.scim.body_timeout).await?;
        // A request has one body: nothing was there before.
        let _first = self.body_read.set(bytes.clone());
        Ok(bytes)
    }
}

async fn endpoint(State(scim): State<Arc<Scim>>, request: Request) -> Response {
    // The raw path: each segment is decoded once and only once, and one that is not UTF-8 gets our answer.
    let path = request.uri().path().to_owned();
    let named = path.split_once("/connections/").map_or("", |(_, named)| named);
    let (connection, rest) = named.split_once('/').unwrap_or((named, ""));
    let connection = percent_encoding::percent_decode_str(connection).decode_utf8().unwrap_or_default();
    answered(&scim, &connection, rest, request).await
}

/// Paths that name no connection: 401 without a token, else 404.
async fn elsewhere(State(scim): State<Arc<Scim>>, request: Request) -> Response {
    answered(&scim, "", "", request).await
}

async fn answered(scim: &Scim, named: &str, rest: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.clone();
    let noting = Noting::begin(scim, &parts);
    let body_read = OnceLock::new();
    let (answer, exchange) = match authenticated(scim, &parts.headers).await {
        Err(refused) => noting.of_stranger(named, refused),
        Ok(Caller { principal, connection, token }) => {
            let (secrets, outcome) = match scim.registries.of(&principal).await {
                Ok(registry) => {
                    let caller = (&principal, &*connection, &*registry);
                    (registry.secret_names(), handle(scim, caller, named, rest, (parts, body), &body_read).await)
                }
                Err(error) => (Arc::default(), Err(error.into())),
            };
            noting.of_client(connection, token, body_read.get(), secrets, outcome)
        }
    };
    match exchange {
        Exchange::Client(seen) => scim.recorder.note(seen),
        Exchange::Stranger(stranger) => scim.recorder.note_stranger(stranger),
    }
    answer.into_response(&headers)
}

/// A client of a connection.
struct Caller {
    principal: Principal,
    connection: Arc<Connection>,
    token: TokenId,
}

async fn authenticated(scim: &Scim, headers: &HeaderMap) -> Result<Caller, Refused> {
    let principal = scim.authenticator.authenticate(headers).await?;
    let Principal::Scim { token, connection, .. } = &principal else {
        let refused = with_challenge(ScimError::status(401, "this token is not a SCIM connection's").into());
        return Err(refused.because(Cause::TokenOfAnotherKind));
    };
    Ok(Caller { connection: Arc::clone(connection), token: token.clone(), principal })
}

async fn handle(
    scim: &Scim,
    (principal, connection, registry): (&Principal, &Connection, &Registry),
    named: &str,
    rest: &str,
    (parts, body): (Parts, Body),
    body_read: &OnceLock<Bytes>,
) -> Result<Answer, Refused> {
    // By id anywhere; by name only in the tenant that answers without a host (design §4).
    let by_name = connection.tenant_id.as_str() == DEFAULT_TENANT && named == connection.name;
    if named != connection.id.as_str() && !by_name {
        let cause = if named.is_empty() { Cause::NoSuchEndpoint } else { Cause::AnotherConnection };
        return Err(Refused::from(answer::not_found()).because(cause));
    }
    let nowhere = || Refused::from(answer::not_found()).because(Cause::NoSuchEndpoint);
    let route = Route::parse(rest).ok_or_else(nowhere)?;
    if route == Route::Bulk && scim.bulk.is_none() {
        return Err(ScimError::status(501, "/Bulk is switched off here").into());
    }
    if !route.allows(&parts.method) {
        let allow = route.allow().unwrap_or_default();
        let refused = Refused::from(ScimError::status(405, format!("{} is not allowed here", parts.method)));
        return Err(Refused { headers: vec![(header::ALLOW, allow.to_owned())], ..refused });
    }
    let call = Call {
        scim,
        connection,
        registry,
        base: format!("{}/scim/v2/connections/{named}", scim.public_url),
        actor: format!("token:{}", principal.token()),
        request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        query: query_pairs(parts.uri.query().unwrap_or_default())?,
        method: parts.method,
        headers: parts.headers,
        body_read,
    };
    route_permitted(principal, &call.method, &route)?;
    dispatch(&call, route, body).await
}

fn with_challenge(refused: Refused) -> Refused {
    Refused {
        headers: vec![(header::WWW_AUTHENTICATE, "Bearer realm=\"rosterd\", error=\"invalid_token\"".to_owned())],
        ..refused
    }
}

/// 403 unless the token's scopes allow the route. Discovery needs none; each operation of a bulk request is asked by itself.
fn route_permitted(principal: &Principal, method: &Method, route: &Route) -> Result<(), Refused> {
    match route {
        Route::Collection(resources) | Route::One(resources, _) => permitted(principal, method, &[*resources]),
        Route::Search(resources) => permitted(principal, &Method::GET, &[*resources]),
        Route::All | Route::SearchAll => permitted(principal, &Method::GET, &[Resources::Users, Resources::Groups]),
        _ => Ok(()),
    }
}

async fn dispatch(call: &Call<'_>, route: Route, body: Body) -> Result<Answer, Refused> {
    match route {
        Route::Collection(resources) if call.method == Method::POST => {
            let sent = call.json(body).await?;
            operate(call, Operation { id: None, resources, conditions: Conditions::default(), sent }).await
        }
        Route::Collection(resources) => listing::get(call, &[resources]).await,
        Route::Search(resources) => listing::search(call, &[resources], body).await,
        Route::All => listing::get(call, &[Resources::Users, Resources::Groups]).await,
        Route::SearchAll => listing::search(call, &[Resources::Users, Resources::Groups], body).await,
        Route::One(resources, id) => {
            let conditions = Conditions::of(&call.headers)?;
            let has_body = matches!(call.method, Method::PUT | Method::PATCH);
            let sent = if has_body { call.json(body).await? } else { Value::Null };
            operate(call, Operation { id: Some(id), resources, conditions, sent }).await
        }
        Route::Bulk => Box::pin(bulk::post(call, body)).await,
        Route::Me => Err(ScimError::status(404, "a connection's token is no user's, so there is nothing at /Me").into()),
        route => discovery::get(call, &route),
    }
}

/// Decoded pairs; what is not UTF-8 is 400. `+` is a space, as forms write it.
fn query_pairs(query: &str) -> Result<Vec<(String, String)>, Refused> {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(&text.replace('+', " "))
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| Refused::from(ScimError::of(ScimType::InvalidValue, "the query string is not UTF-8")))
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}
