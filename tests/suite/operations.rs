//! What an operator relies on (performance.md §8): stopping in order, a database that goes and comes back, limits that say
//! when to ask again, numbers, logs without secrets, and the command line beside a running gateway.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::caller::{Caller, assert_refused, group, on_both_gateways, user};
use super::support::gateway::{Answer, Gateway};
use super::support::postgres::{Cluster, Fsync};
use super::support::rows::Database;

/// A POST of a user that is under way: head and half of the body are sent.
struct HalfSent {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl HalfSent {
    async fn begin(gateway: &Gateway, user_name: &str) -> Self {
        let authority = gateway.base_url().strip_prefix("http://").expect("plain HTTP");
        let mut stream = TcpStream::connect(authority).await.expect("the gateway listens");
        let body = user(user_name).to_string();
        let (first, rest) = body.split_at(body.len() / 2);
        let head = format!(
            "POST /scim/v2/connections/scim/Users HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {}\r\n\
             content-type: application/scim+json\r\ncontent-length: {}\r\n\r\n{first}",
            gateway.token(),
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("the first half is taken");
        Self { stream, rest: rest.as_bytes().to_vec() }
    }

    /// Sends the rest; the whole answer as text.
    async fn finish(mut self) -> String {
        self.stream.write_all(&self.rest).await.expect("the rest is taken");
        let mut answer = vec![];
        let mut buffer = [0_u8; 4_096];
        while !answer.ends_with(b"}") {
            match self.stream.read(&mut buffer).await.expect("an answer") {
                0 => break,
                count => answer.extend_from_slice(&buffer[..count]),
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

async fn plain(gateway: &Gateway, path: &str) -> Answer {
    let url = format!("{}{path}", gateway.base_url());
    gateway.send("GET", &url, &[], None).await.unwrap_or_else(|error| panic!("{path}: {error}\n{}", gateway.output()))
}

/// How many requests the gateway says it is working on.
async fn in_flight(gateway: &Gateway) -> i64 {
    let numbers = plain(gateway, "/metrics").await.text;
    let line = numbers.lines().find_map(|line| line.strip_prefix("rosterd_http_requests_in_flight "));
    line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number of requests in:\n{numbers}"))
}

/// Waits until a condition holds.
async fn until<F: Future<Output = bool>>(what: &str, within: Duration, mut holds: impl FnMut() -> F) -> Duration {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

/// A refusal that says when to ask again.
fn assert_later(answer: &Answer, status: u16) {
    assert_refused(answer, status, None);
    let seconds = answer.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| (1..=60).contains(&seconds)), "Retry-After: {:?}", answer.header("retry-after"));
}

on_both_gateways! {
    async fn sigterm_fails_readiness_first_finishes_what_is_in_flight_and_exits_with_0(store) {
        let mut gateway = Gateway::start_with(store, &[("server.drain_milliseconds", "1000")]).await;
        assert_eq!(plain(&gateway, "/readyz").await.status, 200);
        let half = HalfSent::begin(&gateway, "in-flight").await;
        until("the request is in flight", Duration::from_secs(5), || async { in_flight(&gateway).await == 1 }).await;
        gateway.send_sigterm();
        let ready = format!("{}/readyz", gateway.base_url());
        let readiness = loop {
            let answer = gateway.send("GET", &ready, &[], None).await.expect("readiness fails before connections are refused");
            if answer.status != 200 {
                break answer;
            }
        };
        assert_eq!((readiness.status, readiness.json()["reason"].clone()), (503, json!("stopping")));
        // It still lives; on a busy machine it may have stopped accepting by now.
        let alive = gateway.send("GET", &format!("{}/healthz", gateway.base_url()), &[], None).await;
        assert!(alive.is_err() || alive.is_ok_and(|answer| answer.status == 200));
        // Not before new connections are refused: the slow request is the last one.
        until("accepting stops", Duration::from_secs(5), || async {
            TcpStream::connect(gateway.base_url().strip_prefix("http://").unwrap()).await.is_err()
        })
        .await;
        let answer = half.finish().await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        let status = gateway.wait_for_exit().await;
        assert_eq!(status.code(), Some(0), "{}", gateway.output());
        let mut database = Database::open(gateway.database_url()).await;
        let stored = database.rows("SELECT user_name FROM identities").await;
        assert_eq!(json!(stored), json!([{"user_name": "in-flight"}]));
    }

    async fn a_stop_does_not_wait_longer_than_the_configuration_allows(store) {
        let mut gateway = Gateway::start_with(store, &[("server.shutdown_seconds", "1")]).await;
        let stuck = HalfSent::begin(&gateway, "stuck").await;
        until("the request is in flight", Duration::from_secs(5), || async { in_flight(&gateway).await == 1 }).await;
        let began = Instant::now();
        gateway.send_sigterm();
        let status = gateway.wait_for_exit().await;
        assert_eq!(status.code(), Some(0), "{}", gateway.output());
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        drop(stuck);
        gateway.restart();
        assert_eq!(Caller::new(&gateway).get("/Users").await.json()["totalResults"], 0, "what was cut is not stored");
    }

    async fn more_requests_at_a_time_than_allowed_get_503_and_those_who_watch_still_see(store) {
        let gateway = Gateway::start_with(store, &[("limits.requests_in_flight", "2")]).await;
        let caller = Caller::new(&gateway);
        let held = [HalfSent::begin(&gateway, "held-0").await, HalfSent::begin(&gateway, "held-1").await];
        until("both are in flight", Duration::from_secs(5), || async { in_flight(&gateway).await == 2 }).await;
        assert_later(&caller.get("/Users").await, 503);
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(plain(&gateway, path).await.status, 200, "{path}");
        }
        for request in held {
            assert!(request.finish().await.starts_with("HTTP/1.1 201 "));
        }
        assert_eq!(caller.get("/Users").await.json()["totalResults"], 2);
        let numbers = plain(&gateway, "/metrics").await.text;
        assert!(numbers.contains("rosterd_http_requests_refused_total{kind=\"in_flight\"} 1"), "{numbers}");
    }

    async fn a_token_that_asks_too_often_gets_429_and_others_are_served(store) {
        let gateway = Gateway::start_with(store, &[("limits.token_requests_per_second", "2"), ("limits.token_burst", "3")]).await;
        let other = gateway.connect("other", &[]);
        let (greedy, other) = (Caller::new(&gateway), Caller::of(&gateway, "other", &other));
        let mut answers = vec![];
        for _ in 0..10 {
            answers.push(greedy.get("/Users?count=0").await);
        }
        let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status != 200).collect();
        assert!(!refused.is_empty() && refused.len() <= 7, "{} refused", refused.len());
        refused.into_iter().for_each(|answer| assert_later(answer, 429));
        assert_eq!(other.get("/Users").await.status, 200);
        until("the token is served again", Duration::from_secs(3), || async { greedy.get("/Users?count=0").await.status == 200 }).await;
    }

    async fn every_answer_carries_the_request_id_and_log_rows_and_lines_name_it(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let created = caller.send_with("POST", "/Users", &[("x-request-id", "okta-2026.1:7")], Some(&user("traced"))).await;
        assert_eq!((created.status, created.header("x-request-id")), (201, Some("okta-2026.1:7")));
        let mut database = Database::open(gateway.database_url()).await;
        let rows = database.rows("SELECT kind FROM log WHERE request_id = 'okta-2026.1:7'").await;
        assert_eq!(json!(rows), json!([{"kind": "scim.user.created"}]));
        for (path, status) in [("/Users/nobody", 404), ("/Nothing", 404), ("/Users?filter=x", 400), ("/Bulk", 405)] {
            let answer = caller.send_with("GET", path, &[("x-request-id", "refused-1")], None).await;
            assert!(answer.header("x-request-id") == Some("refused-1"), "{path} {status}");
        }
        for insane in ["a b", "a\"b", &"x".repeat(65), ""] {
            let answer = caller.send_with("GET", "/Users", &[("x-request-id", insane)], None).await;
            assert_eq!(answer.header("x-request-id").map(str::len), Some(36), "{insane:?} is replaced");
        }
        let fresh: Vec<_> = [caller.get("/Users").await, caller.get("/Users").await].iter().map(|a| a.header("x-request-id").map(str::to_owned)).collect();
        assert_ne!(fresh[0], fresh[1]);
        gateway.printed_with("okta-2026.1:7").await;
    }

    async fn numbers_count_requests_by_route_and_name_no_ids(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let id = caller.create("Users", &user("counted")).await;
        for _ in 0..3 {
            caller.get(&format!("/Users/{id}")).await;
        }
        caller.get("/Users/nobody").await;
        plain(&gateway, "/made/up/path").await;
        let numbers = plain(&gateway, "/metrics").await;
        assert!(numbers.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text")));
        let route = "/scim/v2/connections/{connection}/{*rest}";
        for (method, status, count) in [("POST", 201, 1), ("GET", 200, 3), ("GET", 404, 1)] {
            let line = format!("rosterd_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {count}");
            assert!(numbers.text.contains(&line), "{line} in\n{}", numbers.text);
        }
        assert!(!numbers.text.contains(&id) && !numbers.text.contains("made/up"), "{}", numbers.text);
        assert!(numbers.text.contains("rosterd_store_ready 1"), "{}", numbers.text);
    }

    async fn the_command_line_works_beside_a_running_gateway(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        caller.create("Users", &user("pushed")).await;
        let pushing = {
            let caller = caller.clone();
            tokio::spawn(async move {
                for number in 0..200 {
                    caller.create("Users", &user(&format!("meanwhile-{number}"))).await;
                }
            })
        };
        // Commands that write while requests write.
        for number in 0..4 {
            let name = format!("beside-{number}");
            let token = gateway.connect(&name, &[]);
            let other = Caller::of(&gateway, &name, &token);
            let id = other.create("Users", &user("elsewhere")).await;
            other.create("Groups", &group("Elsewhere", &[&id])).await;
        }
        pushing.await.expect("every push was taken");
        let listed: Value = serde_json::from_str(&gateway.cli(&["users", "list", "--json"])).expect("JSON");
        assert_eq!(listed.as_array().map(Vec::len), Some(205));
        assert!(listed.as_array().unwrap().iter().any(|user| user["user_id"] == "scim|scim|x-pushed"), "{listed}");
        // An option set beside it works within two seconds.
        gateway.cli(&["connection", "update", "scim", "--set", "strict=true"]);
        let lax = json!({"userName": "lax", "externalId": "lax"});
        until("the option works", Duration::from_millis(2_500), || async {
            caller.send("PUT", "/Users/nobody", Some(&lax)).await.status == 404 && caller.send("POST", "/Users", Some(&lax)).await.status != 201
        })
        .await;
    }

    async fn logs_name_no_tokens_values_or_queries(store) {
        for format in ["text", "json"] {
            let gateway = Gateway::start_with(store, &[("log.format", format)]).await;
            let caller = Caller::new(&gateway);
            let mut body = user("logged-name");
            body["password"] = "Logged-Passw0rd".into();
            caller.create("Users", &body).await;
            caller.find("Users", "userName eq \"logged-filter\"").await;
            caller.send("POST", "/Users", Some(&json!({"userName": ["logged-wrong"]}))).await;
            caller.send_with("GET", "/Users", &[("x-request-id", "the-last-one")], None).await;
            let printed = gateway.printed_with("the-last-one").await;
            for secret in ["logged-name", "Logged-Passw0rd", "logged-filter", "logged-wrong", gateway.token()] {
                assert!(!printed.contains(secret), "{secret} is in the log: {printed}");
            }
            if format == "json" {
                let lines: Vec<&str> = printed.lines().filter(|line| !line.starts_with("listening on ")).collect();
                assert!(lines.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{printed}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_away_means_503_while_the_gateway_lives_and_recovers_by_itself() {
    let mut cluster = Cluster::start(Fsync::Off);
    let gateway = Gateway::start_on(&cluster, &[]).await;
    let caller = Caller::new(&gateway);
    let id = caller.create("Users", &user("before")).await;
    let second = gateway.connect("second", &[]);
    cluster.stop();
    let one = format!("/Users/{id}");
    for (method, path, body) in [
        ("GET", "/Users", None),
        ("GET", one.as_str(), None),
        ("POST", "/Users", Some(user("meanwhile"))),
        ("PUT", one.as_str(), Some(user("before"))),
        ("DELETE", one.as_str(), None),
    ] {
        let answer = caller.send(method, path, body.as_ref()).await;
        assert_later(&answer, 503);
        assert!(answer.took < Duration::from_secs(10), "{method}: {:?}", answer.took);
        assert!(!answer.text.contains("postgres") && !answer.text.contains("127.0.0.1"), "{}", answer.text);
    }
    assert_eq!(plain(&gateway, "/healthz").await.status, 200);
    assert_eq!(plain(&gateway, "/readyz").await.status, 503);
    // A token that nobody can look up is not called wrong.
    assert_later(&Caller::of(&gateway, "second", &second).get("/Users").await, 503);
    cluster.start_again();
    let took = until("it recovers", Duration::from_secs(10), || async {
        plain(&gateway, "/readyz").await.status == 200 && caller.get(&one).await.status == 200
    })
    .await;
    eprintln!("recovered within {took:?}");
    caller.create("Users", &user("afterwards")).await;
    assert_eq!(caller.get("/Users").await.json()["totalResults"], 2, "what was answered 503 is not stored");
}
