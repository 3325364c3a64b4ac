//! The gateway as a process and as a router: health, readiness, limits, and stopping in order.

use crate::support::binary::Sandbox;
use crate::support::stores::TestStore;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::get;
use rosterd::app::App;
use rosterd::args;
use rosterd::clock::{Clock, Entropy};
use rosterd::config::Config;
use rosterd::secret::{KeyRing, Secret};
use rosterd::store::Batch;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tower::ServiceExt;

async fn app(change: impl FnOnce(&mut Config)) -> (App, TestStore) {
    app_on(TestStore::sqlite().await, change)
}

fn app_on(test: TestStore, change: impl FnOnce(&mut Config)) -> (App, TestStore) {
    let mut config = Config::defaults();
    change(&mut config);
    let keys = KeyRing::new(Secret::new([1; 32]), None);
    let app = App::build(config, test.store.clone(), keys, Clock::system(), Entropy::system(), "http://gateway.test");
    (app, test)
}

async fn ask(router: &Router, path: &str) -> Response {
    router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn with_the_store_away_it_lives_but_is_not_ready() {
    let (app, test) = app(|_| {}).await;
    let router = app.router(app.edges());
    assert_eq!(ask(&router, "/readyz").await.status(), StatusCode::OK);
    test.store.close().await;
    assert_eq!(ask(&router, "/readyz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask(&router, "/healthz").await.status(), StatusCode::OK);
    assert!(text(ask(&router, "/metrics").await).await.contains("rosterd_store_ready 0"));
}

#[tokio::test]
async fn every_answer_carries_the_request_id() {
    let (app, _test) = app(|_| {}).await;
    let router = app.router(app.edges());
    let request = Request::get("/nowhere").header("x-request-id", "okta-7").body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!((response.status(), &response.headers()["x-request-id"]), (StatusCode::NOT_FOUND, &"okta-7".parse().unwrap()));
    assert_eq!(ask(&router, "/healthz").await.headers()["x-request-id"].len(), 36);
}

#[tokio::test]
async fn more_requests_at_a_time_than_allowed_get_503_and_health_still_answers() {
    let (app, _test) = app(|config| config.limits.requests_in_flight = 1).await;
    let (begun, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, finish) = (begun.clone(), finish.clone());
        Router::new().route(
            "/slow",
            get(async move || {
                begun.notify_one();
                finish.notified().await;
            }),
        )
    };
    let router = app.router(vec![("/scim/v2", slow)]);
    let first = tokio::spawn({
        let router = router.clone();
        async move { ask(&router, "/scim/v2/slow").await.status() }
    });
    begun.notified().await;
    let second = ask(&router, "/scim/v2/slow").await;
    assert_eq!((second.status(), &second.headers()["retry-after"]), (StatusCode::SERVICE_UNAVAILABLE, &"1".parse().unwrap()));
    assert!(text(second).await.contains("urn:ietf:params:scim:api:messages:2.0:Error"));
    assert_eq!(ask(&router, "/healthz").await.status(), StatusCode::OK);
    finish.notify_one();
    assert_eq!(first.await.unwrap(), StatusCode::OK);
    let numbers = text(ask(&router, "/metrics").await).await;
    assert!(numbers.contains("rosterd_http_requests_refused_total{kind=\"in_flight\"} 1"), "{numbers}");
    assert!(
        numbers.contains("rosterd_http_requests_total{method=\"GET\",route=\"/scim/v2/slow\",status=\"200\"} 1"),
        "{numbers}"
    );
}

#[tokio::test]
async fn a_handler_that_panics_costs_its_own_request_alone() {
    let (app, _test) = app(|_| {}).await;
    let broken = Router::new().route("/broken", get(async || -> &'static str { panic!("on purpose") }));
    let router = app.router(vec![("/api/v2", broken)]);
    let response = ask(&router, "/api/v2/broken").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!text(response).await.contains("on purpose"));
    assert_eq!(ask(&router, "/readyz").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn retention_counts_what_it_removes() {
    let (app, test) = app(|config| config.retention.log_days = 1).await;
    let row = "INSERT INTO log (tenant_id, id, kind, outcome, actor, request_id, created_at) VALUES ($1, $2, 'k', 'success', 'a', 'r', $3)";
    let tenant = "INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, $1, 0, 0)";
    let mut batch = Batch::default();
    batch.one(tenant, args!["a"]);
    let now = app.clock.now();
    batch.each(row, (0..1_200).map(|number: i64| args!["a", number.to_string(), number]).collect());
    batch.one(row, args!["a", "young", now]);
    test.store.apply(batch).await.unwrap();
    assert_eq!(rosterd::app::retention::pass(&app).await.unwrap(), 1_200);
    assert_eq!(rosterd::app::retention::pass(&app).await.unwrap(), 0);
    let router = app.router(app.edges());
    let numbers = text(ask(&router, "/metrics").await).await;
    assert!(numbers.contains("rosterd_retention_deleted_rows_total{kind=\"log\"} 1200"), "{numbers}");
}

#[tokio::test]
async fn a_tenant_keeps_its_log_for_as_long_as_it_says_and_the_others_as_configured() {
    for test in [TestStore::sqlite().await, TestStore::postgres().await] {
        let (app, test) = app_on(test, |config| config.retention.log_days = 90);
        let now = app.clock.now();
        let day = 86_400_000_000;
        let row = "INSERT INTO log (tenant_id, id, kind, outcome, actor, request_id, created_at) VALUES ($1, $2, 'k', 'ok', 'a', 'r', $3)";
        let tenant = "INSERT INTO tenants (tenant_id, name, options, created_at, updated_at) VALUES ($1, $1, $2, 0, 0)";
        let mut batch = Batch::default();
        for (name, options) in [("brief", r#"{"log_days":7}"#), ("long", r#"{"log_days":365}"#), ("usual", "{}")] {
            batch.one(tenant, args![name, options]);
            batch
                .each(row, [1, 30, 200, 400].into_iter().map(|age: i64| args![name, age.to_string(), now - age * day]).collect());
        }
        test.store.apply(batch).await.unwrap();
        rosterd::app::retention::pass(&app).await.unwrap();
        let left = test.store.read("SELECT tenant_id, id FROM log ORDER BY tenant_id, created_at DESC", args![]).await.unwrap();
        let left: Vec<(String, String)> = left.iter().map(|row| (row.text(0).unwrap(), row.text(1).unwrap())).collect();
        let expected = [("brief", "1"), ("long", "1"), ("long", "30"), ("long", "200"), ("usual", "1"), ("usual", "30")];
        assert_eq!(left, expected.map(|(tenant, id)| (tenant.to_owned(), id.to_owned())));
    }
}

#[tokio::test]
async fn made_up_paths_make_no_new_numbers() {
    let (app, _test) = app(|_| {}).await;
    let router = app.router(app.edges());
    for path in ["/a", "/b", "/scim/v1/c"] {
        ask(&router, path).await;
    }
    let numbers = text(ask(&router, "/metrics").await).await;
    assert!(numbers.contains("rosterd_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 3"), "{numbers}");
}

#[tokio::test]
async fn a_request_in_flight_finishes_after_the_stop_and_no_new_one_is_taken() {
    let (app, _test) = app(|_| {}).await;
    let begun = Arc::new(Notify::new());
    let slow = {
        let begun = begun.clone();
        Router::new().route(
            "/slow",
            get(async move || {
                begun.notify_one();
                tokio::time::sleep(Duration::from_millis(1_200)).await;
                "done"
            }),
        )
    };
    let router = app.router(vec![("/slow", slow)]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = Arc::new(Notify::new());
    let server = tokio::spawn({
        let (app, stop) = (app.clone(), stop.clone());
        async move {
            let unready = || app.stop_being_ready();
            rosterd::app::server::serve(listener, router, &app.config.server, async move { stop.notified().await }, unready).await
        }
    });
    let client = reqwest::Client::new();
    let first = tokio::spawn(client.get(format!("{url}/slow/slow")).send());
    begun.notified().await;
    stop.notify_one();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(client.get(format!("{url}/readyz")).send().await.unwrap().status(), 503, "readiness fails before accepting stops");
    assert_eq!(first.await.unwrap().unwrap().text().await.unwrap(), "done");
    assert_eq!(server.await.unwrap(), 0, "no connection was cut");
    assert!(client.get(format!("{url}/healthz")).send().await.is_err());
}

#[tokio::test]
async fn a_client_that_never_finishes_its_headers_is_let_go() {
    let (app, _test) = app(|config| config.server.header_timeout = Duration::from_millis(200)).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = app.config.server.clone();
    let router = app.router(app.edges());
    let running =
        tokio::spawn(async move { rosterd::app::server::serve(listener, router, &server, std::future::pending(), || {}).await });
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest)).await;
    assert!(closed.is_ok(), "the connection is still open");
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_prints_where_it_listens_and_ends_with_0_on_sigterm() {
    let sandbox = Sandbox::new();
    let serving = sandbox.serve("--bootstrap");
    assert!(serving.printed.contains("SCIM token"), "{}", serving.printed);
    assert!(serving.printed.contains(&format!("{}/scim/v2/connections/con_", serving.url)), "{}", serving.printed);
    assert_eq!(reqwest::get(format!("{}/readyz", serving.url)).await.unwrap().status(), 200);
    let asked = Instant::now();
    serving.terminate();
    assert_eq!(serving.wait(), 0);
    assert!(asked.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_second_start_with_bootstrap_replaces_the_token_of_the_one_before() {
    let sandbox = Sandbox::new();
    for _ in 0..3 {
        let serving = sandbox.serve("--bootstrap");
        assert!(serving.printed.contains("SCIM token"), "{}", serving.printed);
        serving.terminate();
        assert_eq!(serving.wait(), 0);
    }
    let tokens = sandbox.run("token list --json").json();
    let run: Vec<_> = tokens.as_array().unwrap().iter().filter(|token| token["name"] == "make-run").collect();
    assert_eq!(run.len(), 2);
    assert_eq!(run.iter().filter(|token| token["revoked_at"].is_null()).count(), 1);
}

#[test]
fn serve_refuses_an_old_schema_that_it_may_not_change() {
    let sandbox = Sandbox::new();
    let refused =
        sandbox.run_with("serve", &[("ROSTERD__DATABASE__MIGRATE", "false"), ("ROSTERD__SERVER__LISTEN", "127.0.0.1:0")]);
    assert!(refused.refusal().contains("run `rosterd migrate`"), "{refused:?}");
    assert_eq!(sandbox.run("migrate").code, 0);
}
