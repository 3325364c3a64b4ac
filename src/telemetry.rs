//! What the process says about itself: logs on stderr, and the numbers behind `/metrics`.
//!
//! Refuses: query values, bodies, tokens. A route is named by its template, never by the path that was asked for.

use crate::config::{LogConfig, LogFormat};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// Sends logs to stderr as the configuration says. The first call of a process wins.
pub fn log_to_stderr(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    // It prints whole entries where it has nobody to hand them to. What matters of its trouble comes back as a value.
    let filter = filter.add_directive("ldap3=off".parse().expect("a directive"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call finds a subscriber in place, which is fine.
    let _already = match config.format {
        LogFormat::Text => subscriber.with_ansi(false).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).with_current_span(false).try_init(),
    };
}

/// Names a request in the metrics.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

type Durations = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// Every number the gateway keeps about itself.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    durations: Durations,
    pub in_flight: Gauge,
    /// Requests turned away, by why.
    refused: Family<KindLabels, Counter>,
    retention_deleted: Family<KindLabels, Counter>,
    traffic_recorded: Family<KindLabels, Counter>,
    traffic_dropped: Family<KindLabels, Counter>,
    webhook_deliveries: Family<KindLabels, Counter>,
    webhook_lag: Gauge,
    events_unsent: Counter,
    event_streams: Gauge,
    store_queue: Gauge,
    store_ready: Gauge,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("rosterd");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running program", build);
        let durations: Durations = Family::new_with_constructor(|| {
            Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
        });
        let requests = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register("http_request_duration_seconds", "From the request's head to the answer's head", durations.clone());
        let in_flight = Gauge::default();
        registry.register("http_requests_in_flight", "Requests being worked on", in_flight.clone());
        let refused = Family::default();
        registry.register("http_requests_refused", "Requests turned away before any work", refused.clone());
        let retention_deleted = Family::default();
        registry.register("retention_deleted_rows", "Rows that retention removed", retention_deleted.clone());
        let traffic_recorded = Family::default();
        registry.register("traffic_recorded_rows", "Exchanges of SCIM clients written down", traffic_recorded.clone());
        let traffic_dropped = Family::default();
        registry.register("traffic_dropped_rows", "Exchanges not written down for want of room", traffic_dropped.clone());
        let webhook_deliveries = Family::default();
        registry.register(
            "webhook_deliveries",
            "Tries to send an event: delivered, failed, or dead after the last",
            webhook_deliveries.clone(),
        );
        let webhook_lag = Gauge::default();
        registry.register("webhook_lag_events", "Events that the webhook furthest behind has before it", webhook_lag.clone());
        let events_unsent = Counter::default();
        registry.register(
            "events_removed_unsent",
            "Events that retention removed before some webhook had them",
            events_unsent.clone(),
        );
        let event_streams = Gauge::default();
        registry.register("event_streams", "Open streams of events", event_streams.clone());
        let store_queue = Gauge::default();
        registry.register("store_queue", "Writes waiting for the store (PostgreSQL: connections in use)", store_queue.clone());
        let store_ready = Gauge::default();
        registry.register("store_ready", "Whether the store can take work", store_ready.clone());
        let registry = Arc::new(registry);
        Self {
            registry,
            requests,
            durations,
            in_flight,
            refused,
            retention_deleted,
            traffic_recorded,
            traffic_dropped,
            webhook_deliveries,
            webhook_lag,
            events_unsent,
            event_streams,
            store_queue,
            store_ready,
        }
    }

    /// Counts an answered request.
    pub fn request(&self, method: &'static str, route: &str, status: u16, seconds: f64) {
        let route = route.to_owned();
        self.durations.get_or_create(&RouteLabels { method, route: route.clone() }).observe(seconds);
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    /// Counts a request that was turned away for `kind` (`in_flight`, `rate`).
    pub fn refused(&self, kind: &'static str) {
        self.refused.get_or_create(&KindLabels { kind }).inc();
    }

    pub fn retention_deleted(&self, kind: &'static str, rows: u64) {
        self.retention_deleted.get_or_create(&KindLabels { kind }).inc_by(rows);
    }

    /// Counts exchanges that were written down: `success` or `refusal`.
    pub fn traffic_recorded(&self, kind: &'static str, rows: u64) {
        self.traffic_recorded.get_or_create(&KindLabels { kind }).inc_by(rows);
    }

    /// Counts exchanges that were not: `success`, `refusal`, or `stranger` for one without a valid token.
    pub fn traffic_dropped(&self, kind: &'static str, rows: u64) {
        if rows > 0 {
            self.traffic_dropped.get_or_create(&KindLabels { kind }).inc_by(rows);
        }
    }

    /// Counts tries to send an event: `delivered`, `failed`, `dead`.
    pub fn webhook_deliveries(&self, kind: &'static str, events: u64) {
        if events > 0 {
            self.webhook_deliveries.get_or_create(&KindLabels { kind }).inc_by(events);
        }
    }

    pub fn webhook_lag(&self, events: i64) {
        self.webhook_lag.set(events);
    }

    /// Counts events that went before some webhook had them.
    pub fn events_unsent(&self, events: u64) {
        self.events_unsent.inc_by(events);
    }

    /// One stream of events more or less.
    pub fn event_streams(&self, by: i64) {
        self.event_streams.inc_by(by);
    }

    /// Notes the state of the store; called when somebody asks for the numbers.
    pub fn store(&self, waiting: usize, ready: bool) {
        self.store_queue.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.store_ready.set(i64::from(ready));
    }

    /// The OpenMetrics text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String can't fail.
        let _written = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_method_and_status() {
        let metrics = Metrics::new();
        metrics.request("GET", "/scim/v2/Users/{id}", 200, 0.004);
        metrics.retention_deleted("log", 7);
        let text = metrics.render();
        for line in [
            "rosterd_http_requests_total{method=\"GET\",route=\"/scim/v2/Users/{id}\",status=\"200\"} 1",
            "rosterd_http_request_duration_seconds_bucket{le=\"0.005\",method=\"GET\",route=\"/scim/v2/Users/{id}\"} 1",
            "rosterd_retention_deleted_rows_total{kind=\"log\"} 7",
            "rosterd_build_info{version=",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
