//! The flight recorder: what administrators see of a connection's requests, on the command line and over the API, and what
//! keeps it bounded.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use rosterd::clock::Entropy;
use rosterd::model::ids::{ConnectionId, TenantId};
use rosterd::model::traffic::Exchange;
use rosterd::store::retention::{Kept, delete_some};
use rosterd::store::traffic::{self as rows, Wanted};
use rosterd::store::{Batch, Store};
use rosterd::traffic::Cause;
use serde_json::{Value, json};

use super::support::caller::{Caller, encoded, group, on_both_gateways, user};
use super::support::gateway::{Answer, Gateway};
use super::support::postgres::{Cluster, Fsync};
use super::support::rows::Database;
use super::support::stores::on_both;

/// `rosterd connection traffic NAME --json` and more arguments.
fn printed(gateway: &Gateway, name: &str, more: &[&str]) -> Vec<Value> {
    let text = gateway.cli(&[&["connection", "traffic", name, "--json"], more].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in: {text}"))
}

/// The recorded requests of a connection once one with this request id is among them: the newest first.
async fn recorded(gateway: &Gateway, name: &str, request_id: &str) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let found = printed(gateway, name, &["--limit", "2000"]);
        if found.iter().any(|row| row["request_id"] == request_id) {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "never recorded: {request_id}\n{}", json!(found));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// One request that can be told from the others.
async fn marked(caller: &Caller, id: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
    caller.send_with(method, path, &[("x-request-id", id)], body).await
}

async fn api(gateway: &Gateway, path: &str, token: &str) -> Answer {
    let url = format!("{}/api/v2{path}", gateway.base_url());
    gateway.send("GET", &url, &[("authorization".into(), format!("Bearer {token}"))], None).await.expect("an answer")
}

/// A problem body of management-api.md §3.
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, &answer.json()["statusCode"], &answer.json()["errorCode"]),
        (status, &json!(status), &json!(code))
    );
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{answer:?}");
    assert!(answer.json()["message"].is_string() && answer.json()["error"].is_string());
    for name in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
        assert!(answer.header(name).is_some_and(|value| value.parse::<u64>().is_ok()), "{name}: {answer:?}");
    }
}

fn token(gateway: &Gateway, arguments: &[&str]) -> String {
    let text = gateway.cli(&[&["token", "create", "--json"], arguments].concat());
    let made: Value = serde_json::from_str(&text).expect("JSON");
    made["token"].as_str().expect("a token").to_owned()
}

fn row_of<'r>(rows: &'r [Value], request_id: &str) -> &'r Value {
    rows.iter().find(|row| row["request_id"] == request_id).unwrap_or_else(|| panic!("no {request_id} in {}", json!(rows)))
}

on_both_gateways! {
    async fn every_request_is_there_with_its_outcome_and_the_newest_first(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let created = marked(&caller, "create", "POST", "/Users", Some(&user("ann@acme.example"))).await;
        let id = created.json()["id"].as_str().expect("an id").to_owned();
        let mut namesake = user("Ann@acme.example");
        namesake["externalId"] = "another".into();
        marked(&caller, "twice", "POST", "/Users", Some(&namesake)).await;
        marked(&caller, "find", "GET", &format!("/Users?filter={}", encoded("userName eq \"ann@acme.example\"")), None).await;
        marked(&caller, "read", "GET", &format!("/Users/{id}"), None).await;
        let found = recorded(&gateway, "scim", "read").await;
        let order: Vec<&str> = found.iter().filter_map(|row| row["request_id"].as_str()).collect();
        assert_eq!(order, ["read", "find", "twice", "create"]);

        let row = row_of(&found, "create");
        assert_eq!((&row["status"], &row["refused"], &row["method"], &row["path"]), (&json!(201), &json!(false), &json!("POST"), &json!("/Users")));
        assert_eq!((&row["advice"], &row["cause"], &row["detail"]), (&Value::Null, &Value::Null, &Value::Null));
        assert!(row["request_body"].as_str().is_some_and(|body| body.contains("ann@acme.example")), "{row}");
        assert!(row["response_body"].as_str().is_some_and(|body| body.contains(&id)), "{row}");
        assert!(row["duration_us"].as_i64().is_some_and(|micros| micros > 0) && row["token_id"].is_string(), "{row}");
        assert_eq!(row["connection_id"], gateway.bootstrapped("connection_id"));
        assert_eq!(row_of(&found, "read")["path"], format!("/Users/{id}"), "ids are kept");
        assert!(row_of(&found, "find")["query"].as_str().is_some_and(|query| query.contains("ann%40acme%2Eexample")), "{found:?}");
        let row = row_of(&found, "twice");
        assert_eq!((&row["status"], &row["scim_type"], &row["cause"]), (&json!(409), &json!("uniqueness"), &json!("user_name_taken")));
        assert!(row["detail"].as_str().is_some_and(|detail| detail.contains("userName")), "{row}");

        // The API says the same, in the same words.
        let answer = api(&gateway, &format!("/connections/{}/traffic", gateway.bootstrapped("connection_id")), gateway.bootstrapped("admin_token")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["traffic"], json!(found));
        assert_eq!(answer.json().get("next"), None);
        let refused = printed(&gateway, "scim", &["--refused"]);
        assert_eq!(refused.iter().map(|row| row["request_id"].clone()).collect::<Vec<_>>(), ["twice"]);
        assert_eq!(printed(&gateway, "scim", &["--limit", "1"]).len(), 1);
        assert_eq!(printed(&gateway, "scim", &["--since", "1h"]).len(), 4);
        assert_eq!(gateway.run(&["connection", "traffic", "scim", "--since", "2999-01-01T00:00:00Z"]).status.code(), Some(1));
    }

    async fn a_refusal_is_explained_in_the_words_of_the_product_that_met_it(store) {
        let gateway = Gateway::start(store).await;
        let entra = gateway.connect("entra", &[]);
        let (okta, entra) = (Caller::new(&gateway), Caller::of(&gateway, "entra", &entra));
        let agent = [("user-agent", "Okta SCIM Client 1.0.0"), ("x-request-id", "okta")];
        let mut namesake = user("ann");
        okta.send_with("POST", "/Users", &agent, Some(&namesake)).await;
        namesake["externalId"] = "another".into();
        okta.send_with("POST", "/Users", &agent, Some(&namesake)).await;
        let id = entra.create("Users", &user("bob")).await;
        let disable = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "Replace", "path": "active", "value": "False"}]});
        assert_eq!(entra.send("PATCH", &format!("/Users/{id}"), Some(&disable)).await.status, 200);
        marked(&entra, "entra", "GET", &format!("/Users?filter={}", encoded("shoeSize eq \"1\"")), None).await;

        let found = recorded(&gateway, "scim", "okta").await;
        let advice = &found[0]["advice"];
        assert_eq!(advice["idp"], "okta");
        assert!(advice["change"].as_str().is_some_and(|text| text.contains("Application username format")), "{advice}");
        let found = recorded(&gateway, "entra", "entra").await;
        let advice = &row_of(&found, "entra")["advice"];
        assert_eq!(advice["idp"], "entra");
        assert!(advice["change"].as_str().is_some_and(|text| text.contains("Matching precedence")), "{advice}");

        // Who it is shows with the connection, with the reason; and the table has the advice under the refusal.
        let shown: Value = serde_json::from_str(&gateway.cli(&["connection", "show", "entra", "--json"])).expect("JSON");
        assert_eq!((&shown["source"]["idp"], &shown["source"]["dialect"]), (&json!("entra"), &json!("default")));
        assert!(!shown["source"]["reasons"].as_array().expect("reasons").is_empty());
        assert!(gateway.cli(&["connection", "show", "scim"]).contains("Okta (the User-Agent is Okta's in 2 of 2)"));
        let table = gateway.cli(&["connection", "traffic", "entra"]);
        assert!(table.starts_with("entra: Microsoft Entra ID, default dialect (PATCH operations with a capital letter"), "{table}");
        let lines: Vec<&str> = table.lines().collect();
        let at = lines.iter().position(|line| line.contains(" 400 ")).unwrap_or_else(|| panic!("{table}"));
        assert!(lines[at + 1].contains("(invalidFilter)") && lines[at + 2].starts_with("    why ") && lines[at + 3].starts_with("    change "), "{table}");
        assert!(!table.contains('\u{1b}'), "colours are for terminals");
        let coloured = gateway.cli(&["connection", "traffic", "entra", "--color", "always", "--bodies"]);
        assert!(coloured.contains("\u{1b}[31m400") && coloured.contains("    query   filter="), "{coloured}");
    }

    async fn each_kind_of_refusal_has_its_cause_and_advice(store) {
        let gateway = Gateway::start_with(store, &[("server.body_bytes_max", "20000"), ("scim.bulk_operations_max", "0")]).await;
        let caller = Caller::new(&gateway);
        let id = caller.create("Users", &user("ann")).await;
        let other = caller.create("Users", &user("bob")).await;
        let team = caller.create("Groups", &group("Team", &[])).await;
        let (one, one_group) = (format!("/Users/{id}"), format!("/Groups/{team}"));
        let reader = Caller::of(&gateway, "scim", &token(&gateway, &["--connection", "scim", "--scopes", "get:users"]));
        let admin = Caller::of(&gateway, "scim", gateway.bootstrapped("admin_token"));
        let wrong = Caller::of(&gateway, "scim", "wrong");
        let elsewhere = Caller::of(&gateway, "another", gateway.token());
        let patch = |operation: Value| json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]});
        let large = json!({"userName": "x".repeat(30_000)});
        let mut taken = user("somebody");
        taken["externalId"] = "x-ann".into();
        let cases: Vec<(&str, Cause, &Caller, &str, &str, Option<Value>)> = vec![
            ("unknown-token", Cause::TokenUnknown, &wrong, "GET", "/Users", None),
            ("another-kind", Cause::TokenOfAnotherKind, &admin, "GET", "/Users", None),
            ("no-scope", Cause::ScopeMissing, &reader, "POST", "/Users", Some(user("c"))),
            ("another-connection", Cause::AnotherConnection, &elsewhere, "GET", "/Users", None),
            ("no-endpoint", Cause::NoSuchEndpoint, &caller, "GET", "/User", None),
            ("not-found", Cause::NotFound, &caller, "GET", "/Users/nobody", None),
            ("method", Cause::MethodNotAllowed, &caller, "DELETE", "/Schemas", None),
            ("discovery", Cause::FilterOnDiscovery, &caller, "GET", "/Schemas?filter=id+pr", None),
            ("user-name", Cause::UserNameTaken, &caller, "POST", "/Users", Some(user("ANN"))),
            ("external-id", Cause::ExternalIdTaken, &caller, "POST", "/Users", Some(taken)),
            ("group-name", Cause::GroupNameTaken, &caller, "POST", "/Groups", Some(group("TEAM", &[]))),
            ("too-large", Cause::BodyTooLarge, &caller, "POST", "/Users", Some(large)),
            ("syntax", Cause::InvalidSyntax, &caller, "POST", "/Users", Some(json!([]))),
            ("value", Cause::InvalidValue, &caller, "POST", "/Users", Some(json!({"userName": ["a"]}))),
            ("members", Cause::UnknownMembers, &caller, "POST", "/Groups", Some(group("Strangers", &["nobody"]))),
            ("itself", Cause::GroupInItself, &caller, "PATCH", &one_group, Some(patch(json!({"op": "add", "path": "members", "value": [{"value": team}]})))),
            ("filter", Cause::InvalidFilter, &caller, "GET", "/Users?filter=shoeSize+eq+1", None),
            ("path", Cause::InvalidPath, &caller, "PATCH", &one, Some(patch(json!({"op": "replace", "path": "shoeSize", "value": 1})))),
            ("target", Cause::NoTarget, &caller, "PATCH", &one, Some(patch(json!({"op": "remove"})))),
            ("mutability", Cause::Mutability, &caller, "PATCH", &one, Some(patch(json!({"op": "replace", "path": "groups", "value": []})))),
            ("not-served", Cause::NotSupported, &caller, "POST", "/Bulk", Some(json!({}))),
        ];
        for (id, cause, caller, method, path, body) in &cases {
            let answer = marked(caller, id, method, path, body.as_ref()).await;
            assert!(answer.status >= 400, "{cause:?} is a refusal: {}", answer.text);
        }
        caller.send_with("PUT", &one, &[("x-request-id", "version"), ("if-match", "W/\"99\"")], Some(&user("ann"))).await;
        let text = Some(b"<user/>".to_vec());
        caller.try_send("POST", "/Users", &[("x-request-id", "media"), ("content-type", "text/xml")], text).await.expect("an answer");
        caller.try_send("POST", "/Users", &[("x-request-id", "broken"), ("content-type", "application/json")], Some(b"{\"userName\":\"a\"".to_vec())).await.expect("an answer");
        assert_eq!(caller.get(&format!("/Users/{other}")).await.status, 200);
        let url = format!("{}/scim/v2/connections/scim/Users", gateway.base_url());
        gateway.send("GET", &url, &[("x-request-id".into(), "no-token".into())], None).await.expect("an answer");

        recorded(&gateway, "scim", "no-token").await;
        let found = recorded(&gateway, "scim", "broken").await;
        let more = [("version", Cause::VersionMismatch), ("media", Cause::MediaType), ("broken", Cause::InvalidSyntax), ("no-token", Cause::TokenMissing)];
        for (id, cause) in cases.iter().map(|(id, cause, ..)| (*id, *cause)).chain(more) {
            let row = row_of(&found, id);
            assert_eq!(row["cause"], cause.as_str(), "{row}");
            assert_eq!((row["refused"] == true, row["advice"]["change"].is_string(), row["advice"]["why"].is_string()), (true, true, true), "{row}");
            assert!(row["detail"].is_string(), "{row}");
        }
        assert_eq!(row_of(&found, "media")["content_type"], "text/xml");
        let shape = "(no JSON; its shape up to where it breaks: {\"…\":\"…\")";
        assert_eq!(row_of(&found, "broken")["request_body"], shape, "broken bodies are not kept as text");
        let no_body = ["unknown-token", "another-kind", "no-token"];
        assert!(no_body.iter().all(|id| row_of(&found, id)["request_body"].is_null() && row_of(&found, id)["token_id"].is_null()));
    }

    async fn the_api_is_for_management_tokens_with_the_scope_and_pages_walk_every_row_once(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for number in 0..25 {
            let path = if number % 5 == 0 { "/Users/nobody" } else { "/Users?count=0" };
            marked(&caller, &format!("n-{number:02}"), "GET", path, None).await;
        }
        recorded(&gateway, "scim", "n-24").await;
        let path = format!("/connections/{}/traffic", gateway.bootstrapped("connection_id"));
        let admin = gateway.bootstrapped("admin_token");
        for (refused, expected) in [("false", 25), ("true", 5)] {
            let (mut walked, mut from) = (Vec::new(), String::new());
            loop {
                let answer = api(&gateway, &format!("{path}?take=4&refused={refused}{from}"), admin).await;
                let page = answer.json();
                let rows = page["traffic"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone();
                assert!(rows.len() <= 4);
                walked.extend(rows.iter().map(|row| row["request_id"].as_str().expect("an id").to_owned()));
                let Some(next) = page.get("next") else { break };
                from = format!("&from={}", next.as_str().expect("a text"));
            }
            let mut sorted = walked.clone();
            sorted.sort_by(|a, b| b.cmp(a));
            sorted.dedup();
            assert_eq!((walked.len(), &walked), (expected, &sorted), "each once, the newest first");
        }
        let next = api(&gateway, &format!("{path}?take=1"), admin).await.json()["next"].as_str().expect("more").to_owned();
        let altered = format!("{}x", &next[..next.len() - 1]);
        for query in [format!("from={altered}"), "from=made-up".to_owned(), format!("refused=true&from={next}"), "take=0".into(), "take=101".into(), "take=x".into(), "refused=maybe".into(), "from=%ff".into()] {
            assert_problem(&api(&gateway, &format!("{path}?{query}"), admin).await, 400, "invalid_query_string");
        }
        assert_problem(&api(&gateway, "/connections/con_nobody/traffic", admin).await, 404, "inexistent_connection");
        assert_problem(&api(&gateway, "/connections/%ff/traffic", admin).await, 400, "invalid_uri");
        assert_problem(&api(&gateway, "/nothing", admin).await, 404, "not_found");
        assert_problem(&api(&gateway, "/nothing", "wrong").await, 401, "invalid_token");
        assert_problem(&api(&gateway, &path, "wrong").await, 401, "invalid_token");
        assert_problem(&api(&gateway, &path, gateway.token()).await, 401, "invalid_token");
        let unscoped = token(&gateway, &["--admin", "--scopes", "read:users"]);
        let refused = api(&gateway, &path, &unscoped).await;
        assert_problem(&refused, 403, "insufficient_scope");
        assert_eq!(refused.json()["message"], "Insufficient scope, expected any of: read:connections");
        let url = format!("{}/api/v2{path}", gateway.base_url());
        let posted = gateway.send("POST", &url, &[("authorization".into(), format!("Bearer {admin}"))], None).await.expect("an answer");
        assert_problem(&posted, 405, "method_not_allowed");
        assert_eq!(posted.header("allow"), Some("GET"));
        // What is said about people takes the scope for raw payloads.
        let narrow = token(&gateway, &["--admin", "--scopes", "read:connections"]);
        let rows = api(&gateway, &format!("{path}?take=1"), &narrow).await.json();
        assert_eq!((&rows["traffic"][0]["query"], &rows["traffic"][0]["response_body"]), (&Value::Null, &Value::Null));
        let wide = token(&gateway, &["--admin", "--scopes", "read:connections,read:raw"]);
        assert!(api(&gateway, &format!("{path}?take=1"), &wide).await.json()["traffic"][0]["query"].is_string());
    }

    async fn the_newest_thousand_answered_requests_stay_and_refusals_beside_them(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        marked(&caller, "refused-first", "GET", "/Users/nobody", None).await;
        marked(&caller, "answered-first", "GET", "/Users?count=0", None).await;
        recorded(&gateway, "scim", "answered-first").await;
        for _ in 0..1_300 {
            caller.get("/Users?count=0").await;
        }
        marked(&caller, "answered-last", "GET", "/Users?count=0", None).await;
        recorded(&gateway, "scim", "answered-last").await;
        let began = Instant::now();
        loop {
            let found = printed(&gateway, "scim", &["--limit", "2000"]);
            let answered = found.iter().filter(|row| row["refused"] == false).count();
            if answered <= 1_050 {
                assert!(answered >= 1_000, "{answered}");
                assert_eq!(row_of(&found, "refused-first")["status"], 404);
                assert!(!found.iter().any(|row| row["request_id"] == "answered-first"));
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(15), "{answered} rows stay");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn requests_without_a_token_are_few_rows_without_bodies_and_unknown_connections_none(store) {
        let gateway = Gateway::start(store).await;
        let stranger = Caller::of(&gateway, "scim", "wrong");
        for number in 0..200 {
            let name = format!("made-up-{number}");
            Caller::of(&gateway, &name, "wrong").send("POST", "/Users", Some(&user("flood"))).await;
            stranger.send("POST", "/Users", Some(&user("flood"))).await;
        }
        marked(&Caller::new(&gateway), "last", "GET", "/Users", None).await;
        recorded(&gateway, "scim", "last").await;
        let mut database = Database::open(gateway.database_url()).await;
        let rows = database.rows("SELECT connection_id, token_id, request_body, cause FROM traffic WHERE refused = TRUE").await;
        assert!(!rows.is_empty() && rows.len() <= 40, "{} rows", rows.len());
        let expected = json!({"connection_id": gateway.bootstrapped("connection_id"), "token_id": null, "request_body": null, "cause": "token_unknown"});
        assert!(rows.iter().all(|row| json!(row) == expected), "{rows:?}");
    }

    async fn what_was_noted_is_written_when_the_gateway_stops(store) {
        let mut gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for number in 0..30 {
            marked(&caller, &format!("n-{number}"), "GET", if number % 2 == 0 { "/Users" } else { "/Users/nobody" }, None).await;
        }
        gateway.send_sigterm();
        assert_eq!(gateway.wait_for_exit().await.code(), Some(0));
        let mut database = Database::open(gateway.database_url()).await;
        assert_eq!(database.rows("SELECT id FROM traffic").await.len(), 30);
    }

    async fn follow_prints_requests_as_they_come_and_each_once(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        marked(&caller, "before", "GET", "/Users", None).await;
        recorded(&gateway, "scim", "before").await;
        let mut following = gateway.spawn(&["connection", "traffic", "scim", "--follow", "--json"]);
        let out = following.stdout.take().expect("piped");
        let (lines, printed) = std::sync::mpsc::channel();
        std::thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).all(|line| lines.send(line).is_ok()));
        let next = || {
            let line = printed.recv_timeout(Duration::from_secs(15)).expect("a line");
            let row: Value = serde_json::from_str(&line).expect("JSON");
            row["request_id"].as_str().expect("an id").to_owned()
        };
        assert_eq!(next(), "before");
        for number in 0..10 {
            let path = if number % 3 == 0 { "/Users/nobody" } else { "/Users" };
            marked(&caller, &format!("n-{number}"), "GET", path, None).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        let mut seen: Vec<String> = (0..10).map(|_| next()).collect();
        seen.sort();
        let expected: Vec<String> = (0..10).map(|number| format!("n-{number}")).collect();
        assert_eq!(seen, expected);
        assert!(printed.recv_timeout(Duration::from_millis(1_500)).is_err(), "nothing twice");
        following.kill().expect("it runs");
        following.wait().expect("reaped");
    }

    async fn a_connection_takes_its_traffic_along_when_it_goes(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::of(&gateway, "gone", &gateway.connect("gone", &[]));
        marked(&caller, "one", "GET", "/Users", None).await;
        recorded(&gateway, "gone", "one").await;
        gateway.cli(&["connection", "delete", "gone", "--yes"]);
        let mut database = Database::open(gateway.database_url()).await;
        assert_eq!(database.rows("SELECT id FROM traffic").await.len(), 0);
        // Its token is believed for two seconds: what comes meanwhile finds no connection and spoils no other's rows.
        caller.get("/Users").await;
        marked(&Caller::new(&gateway), "other", "GET", "/Users", None).await;
        recorded(&gateway, "scim", "other").await;
        assert_eq!(database.rows("SELECT id FROM traffic").await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_wait_for_a_database_that_is_away() {
    let mut cluster = Cluster::start(Fsync::Off);
    let gateway = Gateway::start_on(&cluster, &[]).await;
    let caller = Caller::new(&gateway);
    caller.create("Users", &user("before")).await;
    cluster.stop();
    let answer = marked(&caller, "meanwhile", "POST", "/Users", Some(&user("meanwhile"))).await;
    assert_eq!(answer.status, 503);
    // Long enough for a round of writing to fail.
    tokio::time::sleep(Duration::from_secs(3)).await;
    cluster.start_again();
    let found = recorded(&gateway, "scim", "meanwhile").await;
    assert_eq!(row_of(&found, "meanwhile")["cause"], "store_unavailable");
}

const DAY: i64 = 86_400_000_000;
const NOW: i64 = 1_764_000_000_000_000;

async fn connection(store: &Store, tenant: &str, id: &str) {
    let mut batch = Batch::default();
    batch.one("INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ($1, $1, 0, 0)", rosterd::args![tenant]);
    store.apply(batch).await.expect("a tenant");
    let mut batch = Batch::default();
    let sql = "INSERT INTO connections (tenant_id, id, name, kind, created_at, updated_at) VALUES ($1, $2, $2, 'scim', 0, 0)";
    batch.one(sql, rosterd::args![tenant, id]);
    store.apply(batch).await.expect("a connection");
}

fn exchange(tenant: &str, connection: &str, at: i64, refused: bool) -> Exchange {
    Exchange {
        tenant_id: TenantId::new(tenant),
        id: Entropy::system().uuid(at),
        connection_id: ConnectionId::new(connection),
        refused,
        created_at: at,
        token_id: None,
        request_id: "r".into(),
        method: "GET".into(),
        path: "/Users".into(),
        query: None,
        status: if refused { 404 } else { 200 },
        scim_type: None,
        cause: None,
        detail: None,
        duration_us: 1,
        user_agent: None,
        content_type: None,
        signs: "agent_okta".into(),
        request_bytes: 0,
        response_bytes: 0,
        request_body: None,
        response_body: None,
    }
}

async fn insert(store: &Store, exchanges: &[Exchange]) {
    let mut batch = Batch::default();
    rows::insert(&mut batch, exchanges);
    store.apply(batch).await.expect("rows are taken");
}

on_both! {
    async fn rows_read_back_as_they_were_written_and_only_their_own_connections(test) {
        let store = &test.store;
        connection(store, "a", "con_a").await;
        connection(store, "b", "con_b").await;
        let mut full = exchange("a", "con_a", NOW, true);
        full.query = Some("filter=x".into());
        full.detail = Some("why".into());
        full.user_agent = Some(String::new());
        full.request_body = Some("{}".into());
        insert(store, &[full.clone(), exchange("b", "con_b", NOW, true), exchange("a", "con_gone", NOW, true)]).await;
        let (tenant, id) = (TenantId::new("a"), ConnectionId::new("con_a"));
        for refused_only in [true, false] {
            let wanted = Wanted { refused_only, ..Wanted::default() };
            assert_eq!(rows::list(store, &tenant, &id, &wanted, 10).await.unwrap(), vec![full.clone()]);
            assert_eq!(rows::list(store, &TenantId::new("b"), &id, &wanted, 10).await.unwrap(), vec![]);
        }
        assert_eq!(rows::recent_signs(store, &tenant, &id, 10).await.unwrap(), ["agent_okta"]);
        assert_eq!(rows::recent_signs(store, &TenantId::new("b"), &id, 10).await.unwrap(), Vec::<String>::new());
    }

    async fn retention_takes_what_is_older_and_pruning_what_is_beyond_the_newest(test) {
        let store = &test.store;
        connection(store, "a", "con_a").await;
        connection(store, "b", "con_b").await;
        let mut all: Vec<Exchange> = (0..20).map(|n| exchange("a", "con_a", NOW - n * DAY, n % 2 == 0)).collect();
        all.push(exchange("b", "con_b", NOW - 40 * DAY, true));
        insert(store, &all).await;
        let (tenant, id) = (TenantId::new("a"), ConnectionId::new("con_a"));
        let at = |rows: Vec<Exchange>| rows.iter().map(|row| (NOW - row.created_at) / DAY).collect::<Vec<_>>();
        assert_eq!(delete_some(store, &tenant, Kept::Traffic, NOW - 10 * DAY, 4).await.unwrap(), 4);
        assert_eq!(delete_some(store, &tenant, Kept::Traffic, NOW - 10 * DAY, 100).await.unwrap(), 5);
        assert_eq!(at(rows::list(store, &tenant, &id, &Wanted::default(), 100).await.unwrap()), (0..=10).collect::<Vec<_>>());
        assert_eq!(rows::delete_beyond(store, &tenant, &id, false, 2, 100).await.unwrap(), 3);
        assert_eq!(rows::delete_beyond(store, &tenant, &id, false, 2, 100).await.unwrap(), 0);
        assert_eq!(at(rows::list(store, &tenant, &id, &Wanted::default(), 100).await.unwrap()), [0, 1, 2, 3, 4, 6, 8, 10]);
        let other = rows::list(store, &TenantId::new("b"), &ConnectionId::new("con_b"), &Wanted::default(), 10).await.unwrap();
        assert_eq!(other.len(), 1, "another tenant's rows have their own time");
    }
}
