//! `/api/v2/logs` and `/users/{id}/logs` on both stores: what is there, how it is followed without end, and how it is searched.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::caller::{Caller, encoded, on_both_gateways, user};
use crate::support::corp::{Corp, on_both};
use crate::support::gateway::{Answer, Gateway, Store};
use crate::support::login_site::{LoginSite, cookie};
use crate::support::rows::Database;
use crate::support::slapd::{PASSWORD, Slapd};

/// How long the sequencer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

async fn get_by(gateway: &Gateway, token: &str, path: &str) -> Answer {
    let url = if path.starts_with("http") { path.to_owned() } else { format!("{}/api/v2{path}", gateway.base_url()) };
    let headers = [(String::from("authorization"), format!("Bearer {token}"))];
    gateway.send("GET", &url, &headers, None).await.expect("an answer")
}

async fn get(gateway: &Gateway, path: &str) -> Answer {
    get_by(gateway, gateway.bootstrapped("admin_token"), path).await
}

/// The entries of a list that has to come.
async fn entries(gateway: &Gateway, path: &str) -> Vec<Value> {
    let answer = get(gateway, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    let body = answer.json();
    body.get("logs").unwrap_or(&body).as_array().expect("a list").clone()
}

async fn found(gateway: &Gateway, query: &str) -> Vec<Value> {
    entries(gateway, &format!("/logs?per_page=100&q={}", encoded(query))).await
}

fn all_of<'v>(entries: &'v [Value], name: &str) -> Vec<&'v str> {
    entries.iter().map(|entry| entry[name].as_str().unwrap_or_default()).collect()
}

fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.json()["errorCode"]), (status, &json!(code)), "{}", answer.text);
}

/// The next address of a page, below the gateway as it runs.
fn next(gateway: &Gateway, answer: &Answer) -> String {
    let link = answer.header("link").expect("a link");
    let address =
        link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\"")).unwrap_or_else(|| panic!("{link}"));
    let path = address.split_once("/api/v2").expect("of the API").1;
    format!("{}/api/v2{path}", gateway.base_url())
}

/// Entries of a kind of its own, `rows` of them, made past the gateway. They have places already.
async fn fill(gateway: &Gateway, rows: u32, connection: &str) {
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
         INSERT INTO log (tenant_id, id, position, kind, outcome, type, rare, connection_id, actor, request_id, created_at) \
         SELECT 'default', '00000000-0000-7000-8000-' || substr(CAST(100000000000 + i AS TEXT), 1), -i, 'scim.user.patched', 'ok', 'sscim', \
         FALSE, '{connection}', 'x', 'x', i FROM n"
    );
    Database::change(gateway.database_url(), &sql).await;
}

on_both_gateways! {
    async fn an_entry_is_followed_by_all_that_came_after_it_and_by_nothing_twice(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        for n in 0..25 {
            caller.create("Users", &user(&format!("user-{n}"))).await;
        }
        let mut database = Database::open(gateway.database_url()).await;
        let since = Instant::now();
        while !database.rows("SELECT id FROM log WHERE position IS NULL").await.is_empty() {
            assert!(since.elapsed() < PATIENCE, "rows still wait");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let ids = database.rows("SELECT id FROM log ORDER BY position").await;
        let ids: Vec<&str> = ids.iter().map(|row| row["id"].as_str().expect("an id")).collect();
        assert!(ids.is_sorted(), "ids are in the order of time");
        let (mut seen, mut path) = (Vec::new(), format!("{}/api/v2/logs?take=7", gateway.base_url()));
        loop {
            let answer = get(&gateway, &path).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let part = answer.json();
            let part = part.as_array().expect("a bare array");
            path = next(&gateway, &answer);
            if part.is_empty() {
                break;
            }
            seen.extend(part.iter().map(|entry| entry["log_id"].as_str().expect("an id").to_owned()));
        }
        assert_eq!(seen, ids);
        // Whoever comes again goes on from there.
        caller.create("Users", &user("late")).await;
        let since = Instant::now();
        let late = loop {
            let part = get(&gateway, &path).await.json();
            if part != json!([]) {
                break part;
            }
            assert!(since.elapsed() < PATIENCE, "the row got no place");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!((late.as_array().map(Vec::len), &late[0]["type"], &late[0]["user_name"]), (Some(1), &json!("sscim"), &json!("late")));
        // Retention took the entry: those that are left follow.
        Database::change(gateway.database_url(), &format!("DELETE FROM log WHERE id = '{}'", seen[3])).await;
        let after = entries(&gateway, &format!("/logs?from={}&take=2", seen[3])).await;
        assert_eq!(all_of(&after, "log_id"), [&seen[4], &seen[5]]);
        // Everything else is ignored there, and what is no id is refused.
        let plain = entries(&gateway, &format!("/logs?from={}&take=2&q=nonsense&page=5000&include_totals=true", seen[0])).await;
        assert_eq!(all_of(&plain, "log_id"), [&seen[1], &seen[2]]);
        for wrong in ["/logs?from=a%20b", "/logs?take=0", "/logs?take=101", "/logs?take=x"] {
            assert_refused(&get(&gateway, wrong).await, 400, "invalid_query_string");
        }
    }

    async fn a_search_goes_by_what_it_names_and_is_refused_where_it_would_go_too_far(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let mut ids = Vec::new();
        for name in ["ann", "bob"] {
            ids.push(caller.create("Users", &user(name)).await);
        }
        caller.patch(&format!("/Users/{}", ids[0]), json!([{"op": "replace", "path": "displayName", "value": "Ann Lee"}])).await;
        let (ann, bob) = ("scim|scim|x-ann", "scim|scim|x-bob");
        let of_ann = found(&gateway, &format!("user_id:\"{ann}\"")).await;
        assert_eq!(all_of(&of_ann, "description"), ["SCIM: a user was changed", "SCIM: a user was created"], "the newest first");
        for entry in &of_ann {
            let facts = [&entry["user_id"], &entry["type"], &entry["connection"], &entry["strategy"], &entry["strategy_type"]];
            assert_eq!(facts, [ann, "sscim", "scim", "scim", "enterprise"].map(Value::from).each_ref());
            assert!(entry["details"]["actor"].is_string() && entry["details"]["event_id"].is_string(), "{entry}");
        }
        let oldest = entries(&gateway, &format!("/users/{}/logs?sort=date:1", encoded(ann))).await;
        assert_eq!(oldest.iter().rev().collect::<Vec<_>>(), of_ann.iter().collect::<Vec<_>>());
        for (query, count) in [
            ("type:sscim", 3),
            ("type:sscim AND NOT user_name:ann", 1),
            (format!("user_id:(\"{ann}\" OR \"{bob}\")").as_str(), 3),
            ("connection:scim AND type:sscim AND description:\"SCIM: a user was changed\"", 1),
            ("connection:nowhere", 0),
            ("user_id:nobody", 0),
            ("user_name:a* type:sscim", 2),
            ("type:sscim AND _exists_:client_id", 0),
            ("type:sscim date:[2020-01-01 TO *]", 3),
            ("date:[* TO 2020-01-01]", 0),
            // The tenant was made.
            ("type:sapi", 1),
            ("type:fapi", 0),
        ] {
            assert_eq!(found(&gateway, query).await.len(), count, "{query}");
        }
        assert_eq!(found(&gateway, "user_name:bob OR description:\"SCIM: a user was changed\"").await.len(), 2);
    }

    async fn pages_by_number_end_at_a_thousand_and_say_how_many_there_are(store) {
        let gateway = Gateway::start(store).await;
        let connection = gateway.bootstrapped("connection_id").to_owned();
        fill(&gateway, 1_200, &connection).await;
        let totals = get(&gateway, "/logs?include_totals=true&per_page=2&page=3").await.json();
        assert_eq!((&totals["start"], &totals["limit"], &totals["length"], &totals["total"]), (&json!(6), &json!(2), &json!(2), &json!(1_000)));
        let few = get(&gateway, "/logs?include_totals=true&per_page=2&q=type:sapi").await.json();
        let past = get(&gateway, "/logs?include_totals=true&per_page=100&page=9&q=type:sapi").await.json();
        assert_eq!((past["length"].as_i64(), past["total"].as_i64()), (Some(0), few["total"].as_i64()));
        assert_refused(&get(&gateway, "/logs?per_page=100&page=10").await, 400, "invalid_paging");
        let fields = entries(&gateway, "/logs?per_page=1&fields=type,date").await;
        assert_eq!(fields[0].as_object().map(|entry| entry.keys().cloned().collect::<Vec<_>>()), Some(vec!["date".into(), "type".into()]));
        for wrong in ["/logs?sort=type:1", "/logs?q=typ:fp", "/logs?q=type:", "/logs?search=nonsense", "/logs?page=x"] {
            assert_refused(&get(&gateway, wrong).await, 400, "invalid_query_string");
        }
        // What no index serves is looked at entry by entry, and no further than it may cost.
        fill_more(&gateway, &connection).await;
        let answer = get(&gateway, "/logs?q=description:nothing").await;
        assert_refused(&answer, 400, "invalid_query_string");
        assert!(answer.text.contains("narrow it by date"), "{}", answer.text);
        assert_eq!(found(&gateway, "description:nothing date:[2020-01-01 TO *]").await.len(), 0);
    }

    async fn an_administrators_writes_are_there_with_from_where_they_came(store) {
        let gateway = Gateway::start(store).await;
        let token = gateway.bootstrapped("admin_token");
        let headers = [("authorization", format!("Bearer {token}")), ("content-type", "application/json".into()), ("user-agent", "robot/1.0".into())];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        let body = json!({"name": "shop", "callbacks": ["https://shop.example/cb"]}).to_string();
        let made = gateway.send("POST", &format!("{}/api/v2/clients", gateway.base_url()), &headers, Some(body)).await.expect("an answer");
        assert_eq!(made.status, 201, "{}", made.text);
        let entry = &found(&gateway, "type:sapi ip:127.0.0.1").await[0];
        assert_eq!((&entry["user_agent"], &entry["details"]["kind"], &entry["details"]["subject"]), (&json!("robot/1.0"), &json!("client.created"), &json!("shop")));
        assert_eq!(entry["isMobile"], false);
        let one = get(&gateway, &format!("/logs/{}", entry["log_id"].as_str().expect("an id"))).await;
        assert_eq!((one.status, &one.json()), (200, entry));
        assert_refused(&get(&gateway, "/logs/nothing").await, 404, "inexistent_log");
        // A machine's writes name the application.
        let robot: Value = serde_json::from_str(&gateway.cli(&["client", "create", "robot", "--machine", "--scopes", "create:clients", "--json"])).expect("JSON");
        let (id, secret) = (robot["client_id"].as_str().expect("an id"), robot["client_secret"].as_str().expect("a secret"));
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)])
            .finish();
        let headers = [(String::from("content-type"), String::from("application/x-www-form-urlencoded"))];
        let token = gateway.send("POST", &format!("{}/oauth/token", gateway.base_url()), &headers, Some(form)).await.expect("an answer").json();
        let headers = [
            (String::from("authorization"), format!("Bearer {}", token["access_token"].as_str().expect("a token"))),
            (String::from("content-type"), String::from("application/json")),
        ];
        let body = json!({"name": "made by robot", "callbacks": ["https://shop.example/cb"]}).to_string();
        let made = gateway.send("POST", &format!("{}/api/v2/clients", gateway.base_url()), &headers, Some(body)).await.expect("an answer");
        assert_eq!(made.status, 201, "{}", made.text);
        let by_robot = found(&gateway, &format!("client_id:{id}")).await;
        assert_eq!((by_robot.len(), &by_robot[0]["client_name"]), (1, &json!("robot")));
    }

    async fn whoever_is_gone_is_still_told_of(store) {
        let gateway = Gateway::start(store).await;
        let token = gateway.connect("gone", &[("deprovision".into(), "delete".into())]);
        let caller = Caller::of(&gateway, "gone", &token);
        let id = caller.create("Users", &user("ann")).await;
        assert_eq!(caller.send("DELETE", &format!("/Users/{id}"), None).await.status, 204);
        let told = entries(&gateway, &format!("/users/{}/logs", encoded("scim|gone|x-ann"))).await;
        assert_eq!(all_of(&told, "description"), ["SCIM: a user was deleted", "SCIM: a user was created"]);
        assert_eq!(told[0]["user_id"], "scim|gone|x-ann");
        assert_refused(&get(&gateway, "/users/nobody/logs").await, 404, "inexistent_user");
    }

    async fn the_log_of_another_tenant_is_not_there_and_a_scope_is_needed(store) {
        let gateway = Gateway::start(store).await;
        Caller::new(&gateway).create("Users", &user("ann")).await;
        gateway.cli(&["tenant", "create", "other"]);
        let token = |arguments: &[&str]| {
            let made = gateway.cli(&[&["token", "create", "--json", "--admin"], arguments].concat());
            serde_json::from_str::<Value>(&made).expect("JSON")["token"].as_str().expect("a token").to_owned()
        };
        let other = token(&["--tenant", "other"]);
        let own = entries(&gateway, "/logs").await;
        let seen = get_by(&gateway, &other, "/logs").await.json();
        assert!(all_of(seen.as_array().expect("a list"), "type").iter().all(|name| *name != "sscim"), "{seen}");
        assert_refused(&get_by(&gateway, &other, &format!("/logs/{}", own[0]["log_id"].as_str().expect("an id"))).await, 404, "inexistent_log");
        assert_refused(&get_by(&gateway, &other, &format!("/users/{}/logs", encoded("scim|scim|x-ann"))).await, 404, "inexistent_user");
        assert_eq!(get_by(&gateway, &other, &format!("/logs?q={}", encoded("user_id:\"scim|scim|x-ann\""))).await.json(), json!([]));
        let narrow = token(&["--scopes", "read:logs_users"]);
        assert_refused(&get_by(&gateway, &narrow, "/logs").await, 403, "insufficient_scope");
        assert_eq!(get_by(&gateway, &narrow, &format!("/users/{}/logs", encoded("scim|scim|x-ann"))).await.status, 200);
        assert_refused(&get_by(&gateway, gateway.token(), "/logs").await, 401, "invalid_token");
    }
}

async fn fill_more(gateway: &Gateway, connection: &str) {
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20500) \
         INSERT INTO log (tenant_id, id, position, kind, outcome, type, rare, connection_id, actor, request_id, created_at) \
         SELECT 'default', '00000000-0001-7000-8000-' || CAST(100000000000 + i AS TEXT), -100000 - i, 'scim.user.patched', 'ok', 'sscim', \
         FALSE, '{connection}', 'x', 'x', i FROM n"
    );
    Database::change(gateway.database_url(), &sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_failures_and_logouts_are_told_by_their_codes() {
    let slapd = Slapd::start(3);
    for store in [Store::Sqlite, Store::Postgres] {
        let site = LoginSite::start(store, &slapd, &[]).await;
        let agent = [("user-agent", "Mozilla/5.0 (iPhone) Mobile")];
        let entered = site.log_in_with(&agent, "u000001", PASSWORD).await;
        assert_eq!(entered.status, 200, "{}", entered.text);
        assert_eq!(site.log_in_with(&agent, "u000001", "wrong").await.status, 401);
        assert_eq!(site.log_in_with(&agent, "nobody", "wrong").await.status, 401);
        let cookie = cookie(&entered);
        let gone = site.send("DELETE", "/session", &[("cookie", &cookie), ("user-agent", agent[0].1)], None).await;
        assert_eq!(gone.status, 204, "{}", gone.text);
        let told = found(&site.gateway, "connection:corp ip:127.0.0.1").await;
        assert_eq!(all_of(&told, "type"), ["slo", "fu", "fp", "s"]);
        for entry in &told {
            assert_eq!(
                (&entry["ip"], &entry["isMobile"], &entry["strategy"]),
                (&json!("127.0.0.1"), &json!(true), &json!("ldap")),
                "{entry}"
            );
        }
        assert_eq!(
            (&told[3]["user_name"], told[1].get("user_name")),
            (&json!("u000001@example.test"), None),
            "what was typed is kept nowhere"
        );
        assert_eq!(found(&site.gateway, "type:fp").await.len(), 1);
        let of_person =
            entries(&site.gateway, &format!("/users/{}/logs", encoded(told[3]["user_id"].as_str().expect("an id")))).await;
        assert_eq!(all_of(&of_person, "type"), ["slo", "fp", "s"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_over_a_directory_say_when_they_began_and_how_they_ended() {
    let slapd = Slapd::start(4);
    on_both(async |postgres| {
        let corp = Corp::start(postgres, &slapd, "").await;
        corp.sync();
        let rows =
            corp.rows("SELECT type, outcome, actor, detail, request_id FROM log WHERE kind LIKE 'run.%' ORDER BY id").await;
        let types: Vec<&str> = rows.iter().map(|row| row["type"].as_str().expect("a type")).collect();
        assert_eq!(types, ["directory_sync_started", "directory_sync_completed"]);
        let detail: Value = match &rows[1]["detail"] {
            Value::String(text) => serde_json::from_str(text).expect("JSON"),
            other => other.clone(),
        };
        assert_eq!(
            (&detail["people"]["created"], &rows[1]["request_id"]),
            (&json!(4), &json!("")),
            "what carries the run is a change of it"
        );
        corp.set("user_base=ou=nowhere,dc=example,dc=test");
        assert_eq!(corp.run("sync corp --json").code, 1);
        let failed = corp.rows("SELECT type, detail FROM log WHERE kind = 'run.failed'").await;
        assert_eq!((failed.len(), &failed[0]["type"]), (1, &json!("directory_sync_failed")));
    })
    .await;
}
