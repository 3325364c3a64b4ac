//! The management API of one tenant: `/api/v2/…`, a folder per resource and a file per verb.
//!
//! Owns: who may call (a management token and its scopes), pages, and every refusal as the problem body that SDKs parse.
//! Each call is an [`Endpoint`], and what is served is what is described. Authenticates before anything else, so that a path
//! tells nothing to strangers; another tenant's things are not there. Refuses: SCIM tokens.

mod call;
mod clients;
mod conflicts;
mod connections;
mod endpoint;
mod events;
mod groups;
mod history;
mod identities;
mod logs;
mod mappings;
mod openapi;
mod organizations;
mod page;
mod problem;
mod runs;
mod tenants;
mod unsupported;
mod user_blocks;
mod users;
mod webhooks;

use crate::clock::{Clock, Entropy, Micros};
use crate::events::reader::Reader;
use crate::events::streams::Streams;
use crate::events::webhooks::desk::Desk;
use crate::http::authenticate::{AuthError, Authenticator};
use crate::http::rate::Allowance;
use crate::login::Limits;
use crate::model::access::Principal;
use crate::model::network::Network;
use crate::provider::Provider;
use crate::provider::person::Caller;
use crate::provisioning::Provisioner;
use crate::registration::Registrar;
use crate::replay::worker::Worker;
use crate::secret::KeyRing;
use crate::store::Store;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use call::Call;
use endpoint::Endpoint;
use problem::Problem;
use runs::run_schema as runs_schema;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
pub use users::shown as shown_user;

/// What the API works with.
pub struct Api {
    pub worker: Worker,
    pub store: Store,
    pub authenticator: Authenticator,
    pub keys: KeyRing,
    pub clock: Clock,
    pub entropy: Entropy,
    pub registrar: Registrar,
    pub provisioner: Arc<Provisioner>,
    /// Who knows the tokens that people's applications bring.
    pub provider: Arc<Provider>,
    /// How often logins may fail.
    pub limits: Limits,
    /// How long a link can be undone.
    pub links_are_undone_for: Micros,
    /// Base of absolute links.
    pub public_url: String,
    pub body_timeout: Duration,
    /// Events, who follows them as a stream, and where they are sent.
    pub reader: Reader,
    pub streams: Streams,
    pub webhooks: Desk,
    /// True once the server stops: streams end.
    pub stopping: Arc<AtomicBool>,
    pub trusted_proxies: Vec<Network>,
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

    fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
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
        conflicts::endpoints(),
        connections::endpoints(),
        events::endpoints(),
        groups::endpoints(),
        history::endpoints(),
        logs::endpoints(),
        mappings::endpoints(),
        organizations::endpoints(),
        runs::endpoints(),
        tenants::endpoints(),
        users::endpoints(),
        identities::endpoints(),
        user_blocks::endpoints(),
        webhooks::endpoints(),
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
    let (principal, person, allowance) = match admitted(api, &parts).await {
        Ok(admitted) => admitted,
        Err(error) => return with_allowance(Problem::from(error).into_response(), api, None),
    };
    let outcome = match Call::new(api, principal, person, &parts) {
        Ok(call) => called(&call, body, endpoints).await,
        Err(problem) => Err(problem),
    };
    let response = outcome.map_or_else(Problem::into_response, Answer::into_response);
    with_allowance(response, api, Some(allowance))
}

/// Who calls: by a token of ours, or a person by one of an application of theirs.
async fn admitted(api: &Api, parts: &Parts) -> Result<(Principal, Option<Caller>, Allowance), AuthError> {
    if !Provider::is_of_a_person(parts) {
        return api.authenticator.admit(&parts.headers).await.map(|(principal, allowance)| (principal, None, allowance));
    }
    let caller = api.provider.caller(parts).await?.ok_or(AuthError::Unknown)?;
    let allowance = api.authenticator.allow(&caller.token)?;
    let Caller { tenant, token, user_id, scopes, .. } = caller.clone();
    Ok((Principal::Person { token, tenant, user_id, scopes }, Some(caller), allowance))
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
    call.is_its_own(endpoint.scopes)?;
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
