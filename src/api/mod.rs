//! The management API of one tenant: `/api/v2/…`, a folder per resource and a file per verb.
//!
//! Owns: who may call (a management token and its scopes), pages, and every refusal as the problem body that SDKs parse.
//! Authenticates before anything else, so that a path tells nothing to strangers; another tenant's things are not there.
//! Refuses: SCIM tokens.

mod call;
mod clients;
mod connections;
mod page;
mod problem;

use crate::clock::{Clock, Entropy};
use crate::http::authenticate::Authenticator;
use crate::http::rate::Allowance;
use crate::registration::Registrar;
use crate::secret::KeyRing;
use crate::store::Store;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use call::Call;
use problem::Problem;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// What the API works with.
pub struct Api {
    pub store: Store,
    pub authenticator: Authenticator,
    pub keys: KeyRing,
    pub clock: Clock,
    pub entropy: Entropy,
    pub registrar: Registrar,
    pub body_timeout: Duration,
}

/// What a call comes to.
enum Answer {
    Ok(Value),
    Created(Value),
    NoContent,
}

/// The routes, to be nested at `/api/v2`.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/connections/{id}/traffic", any(traffic))
        .route("/clients", any(all_clients))
        .route("/clients/{id}", any(one_client))
        .route("/clients/{id}/rotate-secret", any(secret_of_client))
        .fallback(elsewhere)
        .with_state(api)
}

async fn traffic(State(api): State<Arc<Api>>, request: Request) -> Response {
    answered(&api, request, &[Method::GET], async |call, _| connections::traffic::list(call).await.map(Answer::Ok)).await
}

async fn all_clients(State(api): State<Arc<Api>>, request: Request) -> Response {
    answered(&api, request, &[Method::GET, Method::POST], async |call, body| match call.method {
        Method::POST => clients::create::create(call, body).await,
        _ => clients::list::list(call).await,
    })
    .await
}

async fn one_client(State(api): State<Arc<Api>>, request: Request) -> Response {
    answered(&api, request, &[Method::GET, Method::PATCH, Method::DELETE], async |call, body| match call.method {
        Method::PATCH => clients::update::update(call, body).await,
        Method::DELETE => clients::delete::delete(call).await,
        _ => clients::show::show(call).await,
    })
    .await
}

async fn secret_of_client(State(api): State<Arc<Api>>, request: Request) -> Response {
    answered(&api, request, &[Method::POST], async |call, body| clients::rotate_secret::rotate(call, body).await).await
}

async fn elsewhere(State(api): State<Arc<Api>>, request: Request) -> Response {
    answered(&api, request, &[], async |_, _| Err(Problem::not_found())).await
}

/// Authenticates, checks the method (none listed: any goes on), and gives the outcome its form and headers.
async fn answered(
    api: &Api,
    request: Request,
    methods: &[Method],
    handle: impl AsyncFnOnce(&Call<'_>, Body) -> Result<Answer, Problem>,
) -> Response {
    let (parts, body) = request.into_parts();
    let (principal, allowance) = match api.authenticator.admit(&parts.headers).await {
        Ok(admitted) => admitted,
        Err(error) => return with_allowance(Problem::from(error).into_response(), api, None),
    };
    let outcome = match Call::new(api, principal, &parts) {
        Err(problem) => Err(problem),
        Ok(_) if !methods.is_empty() && !methods.contains(&parts.method) => Err(Problem::method_not_allowed(methods)),
        Ok(call) => handle(&call, body).await,
    };
    let response = match outcome {
        Ok(Answer::Ok(value)) => problem::json(StatusCode::OK, &value),
        Ok(Answer::Created(value)) => problem::json(StatusCode::CREATED, &value),
        Ok(Answer::NoContent) => StatusCode::NO_CONTENT.into_response(),
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
