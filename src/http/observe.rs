//! Around every request: its id, its log line, its numbers, and the limit on requests worked on at a time.

use super::refusal::refuse;
use super::request_id::{HEADER, RequestId};
use crate::clock::{Clock, Entropy};
use crate::telemetry::Metrics;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Instant;

/// Always answered, however much is going on: whoever asks these decides whether we live.
const UNLIMITED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// What the middleware works with.
#[derive(Clone)]
pub struct Observer {
    pub clock: Clock,
    pub entropy: Entropy,
    pub metrics: Metrics,
    pub in_flight_max: usize,
}

/// Counts a request for as long as it lives, also when its client goes away in the middle.
struct InFlight<'a>(&'a Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

/// The middleware. Handlers find their [`RequestId`] among the extensions.
pub async fn observe(State(observer): State<Observer>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers(), &observer.clock, &observer.entropy);
    let method = method_name(request.method());
    let route = route_name(request.extensions().get::<MatchedPath>());
    let path = request.uri().path().to_owned();
    let before = observer.metrics.in_flight.inc();
    let _counted = InFlight(&observer.metrics);
    let over = usize::try_from(before).is_ok_and(|before| before >= observer.in_flight_max);
    let mut response = if over && !UNLIMITED.contains(&path.as_str()) {
        observer.metrics.refused("in_flight");
        refuse(&path, StatusCode::SERVICE_UNAVAILABLE, "too many requests at a time, ask again", Some(1))
    } else {
        request.extensions_mut().insert(id.clone());
        caught(next.run(request)).await.unwrap_or_else(|| {
            tracing::error!(request_id = id.0, method, route, "a handler panicked");
            refuse(&path, StatusCode::INTERNAL_SERVER_ERROR, "internal error", None)
        })
    };
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(HEADER, value);
    }
    let status = response.status();
    let took = started.elapsed();
    observer.metrics.request(method, &route, status.as_u16(), took.as_secs_f64());
    log(&id, method, &route, status, took.as_secs_f64() * 1_000.0, &path);
    response
}

/// What `answering` answers, or `None` if it panicked: a mistake of ours costs one request, not the connection and the
/// line in the log.
async fn caught(answering: impl Future<Output = Response>) -> Option<Response> {
    let mut answering = std::pin::pin!(answering);
    std::future::poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(context))) {
        Ok(polled) => polled.map(Some),
        Err(_panic) => Poll::Ready(None),
    })
    .await
}

/// One line per request. Only SCIM paths are written out: they hold ids, others may hold addresses or links.
fn log(id: &RequestId, method: &str, route: &str, status: StatusCode, duration_ms: f64, path: &str) {
    let (request_id, status_code, duration_ms) = (&id.0, status.as_u16(), (duration_ms * 1_000.0).round() / 1_000.0);
    let path = if path.starts_with("/scim/") { path } else { route };
    if UNLIMITED.contains(&route) {
        tracing::debug!(request_id, method, path, status = status_code, duration_ms, "request");
    } else if status.is_server_error() {
        tracing::warn!(request_id, method, path, status = status_code, duration_ms, "request");
    } else {
        tracing::info!(request_id, method, path, status = status_code, duration_ms, "request");
    }
}

/// A closed set: a client can't make up methods and with them numbers.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The route's template, or `unmatched`: never the path that was asked for.
fn route_name(matched: Option<&MatchedPath>) -> String {
    let template = matched.map(MatchedPath::as_str).filter(|template| !template.contains("__private__"));
    template.unwrap_or("unmatched").to_owned()
}
