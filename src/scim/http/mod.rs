//! The SCIM endpoint of a connection: `/scim/v2/connections/{connection}/…`. Authenticates first (401 before 404),
//! finds the route, reads the body within its limits, calls provisioning for writes and the store for reads. Every
//! answer, errors of routing too, is SCIM. Refuses to decide anything about users.

mod answer;
mod conditions;
mod cursor;
mod derived;
mod discovery;
mod groups;
mod listing;
mod pages;
pub mod record;
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
use crate::model::tenant::DEFAULT_TENANT;
use crate::provisioning::{Provisioner, Request as ProvisioningRequest};
use crate::scim::error::{ScimError, ScimType};
use crate::scim::json;
use crate::scim::list::PageSizes;
use crate::scim::mode::Mode;
use crate::secret::KeyRing;
use crate::store::Store;
use answer::{Answer, Refused};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use axum::routing::any;
use route::{Resources, Route};
use std::sync::Arc;
use std::time::Duration;

/// What the endpoint works with.
pub struct Scim {
    pub store: Store,
    pub provisioner: Arc<Provisioner>,
    pub authenticator: Authenticator,
    /// Absolute, without a trailing slash: every `location` begins with it.
    pub public_url: String,
    pub body_bytes_max: usize,
    pub body_timeout: Duration,
    pub page_sizes: PageSizes,
    /// Operations of one PATCH.
    pub patch_operations_max: usize,
    /// Resources a filter or an order without an index may look at before `tooMany`.
    pub scan_max: i64,
    /// How long a cursor holds, in seconds.
    pub cursor_timeout_s: u32,
    /// Seals cursors.
    pub keys: KeyRing,
    pub clock: Clock,
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
    /// `{public_url}/scim/v2/connections/{connection}`, as the client spelled the connection.
    base: String,
    actor: String,
    request_id: String,
    method: Method,
    headers: HeaderMap,
    /// Decoded pairs of the query string.
    query: Vec<(String, String)>,
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

    /// The body as JSON. 415 for other media types, 413 over the limit, 400 for what is no JSON object text.
    async fn json(&self, body: Body) -> Result<serde_json::Value, Refused> {
        let media = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !matches!(essence.as_str(), "application/scim+json" | "application/json") {
            return Err(ScimError::status(415, "the body must be application/scim+json or application/json").into());
        }
        if media.to_ascii_lowercase().contains("charset=") && !media.to_ascii_lowercase().contains("utf-8") {
            return Err(ScimError::status(415, "the body must be UTF-8").into());
        }
        let bytes = body::read(body, self.scim.body_bytes_max, self.scim.body_timeout).await?;
        Ok(json::parse(&bytes, &json::Limits::for_body(self.scim.body_bytes_max))?)
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
    let headers = request.headers().clone();
    let refused: Refused = match scim.authenticator.authenticate(&headers).await {
        Err(error) => error.into(),
        Ok(_) => answer::not_found().into(),
    };
    Answer::from(refused).into_response(&headers)
}

async fn answered(scim: &Scim, connection: &str, rest: &str, request: Request) -> Response {
    let headers = request.headers().clone();
    let answer = handle(scim, connection, rest, request).await.unwrap_or_else(Answer::from);
    answer.into_response(&headers)
}

async fn handle(scim: &Scim, named: &str, rest: &str, request: Request) -> Result<Answer, Refused> {
    let (parts, body) = request.into_parts();
    let principal = scim.authenticator.authenticate(&parts.headers).await?;
    let Principal::Scim { token, connection, .. } = &principal else {
        return Err(with_challenge(ScimError::status(401, "this token is not a SCIM connection's").into()));
    };
    // By id anywhere; by name only in the tenant that answers without a host (design §4).
    let by_name = connection.tenant_id.as_str() == DEFAULT_TENANT && named == connection.name;
    if named != connection.id.as_str() && !by_name {
        return Err(answer::not_found().into());
    }
    let route = Route::parse(rest).ok_or_else(answer::not_found)?;
    if !route.allows(&parts.method) {
        let allow = route.allow().unwrap_or_default();
        let refused = Refused::from(ScimError::status(405, format!("{} is not allowed here", parts.method)));
        return Err(Refused { headers: vec![(header::ALLOW, allow.to_owned())], ..refused });
    }
    let call = Call {
        scim,
        connection,
        base: format!("{}/scim/v2/connections/{named}", scim.public_url),
        actor: format!("token:{token}"),
        request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        query: query_pairs(parts.uri.query().unwrap_or_default())?,
        method: parts.method,
        headers: parts.headers,
    };
    permitted(&principal, &call.method, &route)?;
    dispatch(&call, route, body).await
}

fn with_challenge(refused: Refused) -> Refused {
    Refused {
        headers: vec![(header::WWW_AUTHENTICATE, "Bearer realm=\"rosterd\", error=\"invalid_token\"".to_owned())],
        ..refused
    }
}

/// 403 unless the token's scopes hold `{method}:{users|groups}`. Discovery needs none.
fn permitted(principal: &Principal, method: &Method, route: &Route) -> Result<(), Refused> {
    let (resources, method): (&[Resources], _) = match route {
        Route::Collection(resources) | Route::One(resources, _) => (std::slice::from_ref(resources), method.as_str()),
        Route::Search(resources) => (std::slice::from_ref(resources), "GET"),
        Route::All | Route::SearchAll => (&[Resources::Users, Resources::Groups], "GET"),
        _ => return Ok(()),
    };
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_ascii_lowercase() };
    for each in resources {
        let scope = format!("{method}:{}", each.segment().to_ascii_lowercase());
        if !principal.allows(&scope) {
            return Err(ScimError::status(403, format!("the token has no scope {scope}")).into());
        }
    }
    Ok(())
}

async fn dispatch(call: &Call<'_>, route: Route, body: Body) -> Result<Answer, Refused> {
    match route {
        Route::Collection(Resources::Users) if call.method == Method::POST => users::create(call, body).await,
        Route::Collection(Resources::Groups) if call.method == Method::POST => groups::create(call, body).await,
        Route::Collection(resources) => listing::get(call, &[resources]).await,
        Route::Search(resources) => listing::search(call, &[resources], body).await,
        Route::All => listing::get(call, &[Resources::Users, Resources::Groups]).await,
        Route::SearchAll => listing::search(call, &[Resources::Users, Resources::Groups], body).await,
        Route::One(Resources::Users, id) => users::one(call, &id, body).await,
        Route::One(Resources::Groups, id) => groups::one(call, &id, body).await,
        Route::Unsupported(what) => Err(ScimError::status(501, format!("{what} is not supported")).into()),
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
