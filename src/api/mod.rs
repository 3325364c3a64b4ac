//! The management API of one tenant: `/api/v2/…`, a folder per resource and a file per verb.
//!
//! Owns: who may call (a management token and its scopes), pages, and every refusal as the problem body that SDKs parse.
//! Each call is an [`Endpoint`], and what is served is what is described. Authenticates before anything else, so that a path
//! tells nothing to strangers; another tenant's things are not there. Refuses: SCIM tokens.

mod call;
mod clients;
mod connections;
mod endpoint;
mod groups;
mod openapi;
mod organizations;
mod page;
mod problem;
mod tenants;
mod unsupported;
mod users;

use crate::clock::{Clock, Entropy};
use crate::http::authenticate::Authenticator;
use crate::http::rate::Allowance;
use crate::registration::Registrar;
use crate::secret::KeyRing;
use crate::store::Store;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use call::Call;
use endpoint::Endpoint;
use problem::Problem;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
pub use users::shown as shown_user;

/// What the API works with.
pub struct Api {
    pub store: Store,
    pub authenticator: Authenticator,
    pub keys: KeyRing,
    pub clock: Clock,
    pub entropy: Entropy,
    pub registrar: Registrar,
    /// Base of absolute links.
    pub public_url: String,
    pub body_timeout: Duration,
}

/// What a call comes to.
struct Answer {
    status: StatusCode,
    content: Content,
    headers: Vec<(HeaderName, HeaderValue)>,
}

enum Content {
    None,
    Json(Value),
    /// Bytes of another kind, or a stream, with the type of its own.
    Raw(HeaderValue, Body),
}

impl Answer {
    fn new(status: StatusCode, content: Content) -> Self {
        Self { status, content, headers: Vec::new() }
    }

    /// 200.
    fn ok(value: Value) -> Self {
        Self::new(StatusCode::OK, Content::Json(value))
    }

    /// 201.
    fn created(value: Value) -> Self {
        Self::new(StatusCode::CREATED, Content::Json(value))
    }

    /// 204.
    fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, Content::None)
    }

    fn into_response(self) -> Response {
        let mut response = match self.content {
            Content::None => self.status.into_response(),
            Content::Json(value) => problem::json(self.status, &value),
            Content::Raw(media_type, body) => (self.status, [(CONTENT_TYPE, media_type)], body).into_response(),
        };
        response.headers_mut().extend(self.headers);
        response
    }
}

/// Every call there is: one line per resource.
fn endpoints() -> Vec<Endpoint> {
    [
        clients::endpoints(),
        connections::endpoints(),
        groups::endpoints(),
        organizations::endpoints(),
        tenants::endpoints(),
        users::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The routes, to be nested at `/api/v2`.
pub fn router(api: Arc<Api>) -> Router {
    let mut by_path: BTreeMap<&str, Vec<Endpoint>> = BTreeMap::new();
    for endpoint in endpoints() {
        by_path.entry(endpoint.path).or_default().push(endpoint);
    }
    let mut router = Router::new().route("/openapi.json", get(description));
    for (path, endpoints) in by_path {
        let endpoints: Arc<[Endpoint]> = endpoints.into();
        let answer = async move |State(api): State<Arc<Api>>, request: Request| answered(&api, request, &endpoints).await;
        router = router.route(path, any(answer));
    }
    router.fallback(elsewhere).with_state(api)
}

async fn description() -> Response {
    problem::json(StatusCode::OK, &openapi::document(&endpoints(), "/api/v2"))
}

async fn elsewhere(State(api): State<Arc<Api>>, request: Request) -> Response {
    answered(&api, request, &[]).await
}

/// Authenticates, then has that one of `endpoints`, which share a path, answer whose method it is. None: nothing is there.
async fn answered(api: &Api, request: Request, endpoints: &[Endpoint]) -> Response {
    let (parts, body) = request.into_parts();
    let (principal, allowance) = match api.authenticator.admit(&parts.headers).await {
        Ok(admitted) => admitted,
        Err(error) => return with_allowance(Problem::from(error).into_response(), api, None),
    };
    let outcome = match Call::new(api, principal, &parts) {
        Ok(call) => called(&call, body, endpoints).await,
        Err(problem) => Err(problem),
    };
    let response = outcome.map_or_else(Problem::into_response, Answer::into_response);
    with_allowance(response, api, Some(allowance))
}

async fn called(call: &Call<'_>, body: Body, endpoints: &[Endpoint]) -> Result<Answer, Problem> {
    if endpoints.is_empty() {
        return Err(unsupported::problem(call));
    }
    let Some(endpoint) = endpoints.iter().find(|endpoint| endpoint.method == call.method) else {
        let methods: Vec<Method> = endpoints.iter().map(|endpoint| endpoint.method.clone()).collect();
        return Err(Problem::method_not_allowed(&methods));
    };
    if !endpoint.scopes.is_empty() {
        call.needs(endpoint.scopes)?;
    }
    (endpoint.handler)(call, body).await
}

/// `x-ratelimit-*` on every answer, errors too: integers, the reset as unix seconds. It is the second in which the next request is
/// surely allowed, never the end of a window: some SDKs sleep until then after any 409 or 5xx.
fn with_allowance(mut response: Response, api: &Api, allowance: Option<Allowance>) -> Response {
    let refused = response.status() == StatusCode::TOO_MANY_REQUESTS;
    let full = Allowance { limit: api.authenticator.burst(), remaining: if refused { 0 } else { api.authenticator.burst() } };
    let Allowance { limit, remaining } = allowance.unwrap_or(full);
    let now = api.clock.now() / crate::clock::SECOND;
    let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let reset = now + wait.filter(|_| refused).unwrap_or(0);
    for (name, value) in
        [("x-ratelimit-limit", i64::from(limit)), ("x-ratelimit-remaining", i64::from(remaining)), ("x-ratelimit-reset", reset)]
    {
        response.headers_mut().insert(name, value.into());
    }
    response
}
