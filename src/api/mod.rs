//! The management API of one tenant: `/api/v2/…`, a folder per resource and a file per verb.
//!
//! Owns: who may call (a management token and its scopes), pages, and every refusal as the problem body that SDKs parse.
//! Authenticates before anything else, so that a path tells nothing to strangers; another tenant's things are not there.
//! Refuses: SCIM tokens.

mod call;
mod connections;
mod page;
mod problem;

use crate::clock::{Clock, Entropy};
use crate::http::authenticate::Authenticator;
use crate::http::rate::Allowance;
use crate::secret::KeyRing;
use crate::store::Store;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use call::Call;
use problem::Problem;
use serde_json::Value;
use std::sync::Arc;

/// What the API works with.
pub struct Api {
    pub store: Store,
    pub authenticator: Authenticator,
    pub keys: KeyRing,
    pub clock: Clock,
    pub entropy: Entropy,
}

/// The routes, to be nested at `/api/v2`.
pub fn router(api: Arc<Api>) -> Router {
    Router::new().route("/connections/{id}/traffic", any(traffic)).fallback(elsewhere).with_state(api)
}

async fn traffic(State(api): State<Arc<Api>>, request: Request) -> Response {
    answered(&api, request, &[Method::GET], async |call| connections::traffic::list(call).await).await
}

async fn elsewhere(State(api): State<Arc<Api>>, request: Request) -> Response {
    answered(&api, request, &[], async |_| Err(Problem::not_found())).await
}

/// Authenticates, checks the method (none listed: any goes on), and gives the outcome its form and headers.
async fn answered(
    api: &Api,
    request: Request,
    methods: &[Method],
    handle: impl AsyncFnOnce(&Call<'_>) -> Result<Value, Problem>,
) -> Response {
    let (parts, _body) = request.into_parts();
    let (principal, allowance) = match api.authenticator.admit(&parts.headers).await {
        Ok(admitted) => admitted,
        Err(error) => return with_allowance(Problem::from(error).into_response(), api, None),
    };
    let outcome = match Call::new(api, principal, &parts) {
        Err(problem) => Err(problem),
        Ok(_) if !methods.is_empty() && !methods.contains(&parts.method) => Err(Problem::method_not_allowed(methods)),
        Ok(call) => handle(&call).await,
    };
    let response = match outcome {
        Ok(value) => problem::json(StatusCode::OK, &value),
        Err(problem) => problem.into_response(),
    };
    with_allowance(response, api, Some(allowance))
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
