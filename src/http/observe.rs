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
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Always answered, however much is going on: whoever asks these decides whether we live. Nor are they counted among the
/// requests worked on: watching often must not push out anybody's request.
const UNLIMITED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Requests over the limit get one line of the log for all of this time: a line for each would cost more than its answer, just
/// when there is nothing to spare.
const REFUSALS_TOLD_EVERY: Duration = Duration::from_secs(1);

/// What the middleware works with.
#[derive(Clone)]
pub struct Observer {
    pub clock: Clock,
    pub entropy: Entropy,
    pub metrics: Metrics,
    pub in_flight_max: usize,
    pub over_the_limit: OverTheLimit,
}

/// Requests that were refused for the limit and are not told of yet; and when the last line was.
#[derive(Clone, Debug, Default)]
pub struct OverTheLimit(Arc<Mutex<(u64, Option<Instant>)>>);

impl OverTheLimit {
    /// One more. How many to tell of, if it is time.
    fn add(&self, now: Instant) -> Option<u64> {
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untold.0 += 1;
        if untold.1.is_some_and(|told| now.saturating_duration_since(told) < REFUSALS_TOLD_EVERY) {
            return None;
        }
        untold.1 = Some(now);
        Some(std::mem::take(&mut untold.0))
    }
}

/// Counts a request for as long as it lives, also when its client goes away in the middle.
struct InFlight<'a>(&'a Metrics);

impl<'a> InFlight<'a> {
    /// One more; and how many there were before.
    fn begin(metrics: &'a Metrics) -> (Self, i64) {
        let before = metrics.in_flight.inc();
        (Self(metrics), before)
    }
}

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
    let counted = (!UNLIMITED.contains(&path.as_str())).then(|| InFlight::begin(&observer.metrics));
    let is_refused =
        counted.as_ref().is_some_and(|(_, before)| usize::try_from(*before).is_ok_and(|before| before >= observer.in_flight_max));
    let mut response = if is_refused {
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
    if !is_refused {
        log(&id, method, &route, status, took.as_secs_f64() * 1_000.0, &path);
    } else if let Some(refused) = observer.over_the_limit.add(started) {
        tracing::warn!(refused, limit = observer.in_flight_max, "too many requests at a time");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_over_the_limit_are_told_once_a_second_with_their_number() {
        let (over, start) = (OverTheLimit::default(), Instant::now());
        let at = |milliseconds| over.add(start + Duration::from_millis(milliseconds));
        assert_eq!([at(0), at(1), at(999), at(1_000), at(1_500)], [Some(1), None, None, Some(3), None]);
    }
}
