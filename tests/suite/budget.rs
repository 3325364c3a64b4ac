//! A connection's budget for destructive pushes, and what becomes of those over it: the released binary on both
//! databases.

use crate::support::edge::Edge;
use crate::support::gateway::{Answer, Gateway, Store};
use crate::support::stores::both_stores;
use axum::http::Method;
use rosterd::args;
use rosterd::clock::SECOND;
use rosterd::store::Row;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const STORES: [Store; 2] = [Store::Sqlite, Store::Postgres];

struct Source {
    gateway: Gateway,
    base: String,
    token: String,
}

impl Source {
    /// A connection that may remove two in an hour.
    async fn of_two(store: Store) -> Self {
        let gateway = Gateway::start(store).await;
        let token = gateway.connect("hr", &[("budget".into(), "2,0%".into())]);
        let base = gateway.scim_url("hr");
        Self { gateway, base, token }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let headers = [
            ("authorization".to_owned(), format!("Bearer {}", self.token)),
            ("content-type".to_owned(), "application/scim+json".to_owned()),
        ];
        let body = body.map(|body| body.to_string());
        self.gateway.send(method, &format!("{}{path}", self.base), &headers, body).await.expect("an answer")
    }

    async fn user(&self, name: &str) -> String {
        let made = self.ask("POST", "/Users", Some(json!({"schemas": [USER], "userName": name}))).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["id"].as_str().unwrap().to_owned()
    }

    async fn users(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for n in 0..count {
            ids.push(self.user(&format!("user{n}")).await);
        }
        ids
    }

    async fn group(&self, members: &[String]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let made = self.ask("POST", "/Groups", Some(json!({"schemas": [GROUP], "displayName": "All", "members": members}))).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["id"].as_str().unwrap().to_owned()
    }

    async fn delete_user(&self, id: &str) -> u16 {
        self.ask("DELETE", &format!("/Users/{id}"), None).await.status
    }

    fn runs(&self) -> Vec<Value> {
        serde_json::from_str(&self.gateway.cli(&["runs", "list", "--json"])).unwrap()
    }

    /// The one run there is, with what it holds.
    fn run(&self) -> Value {
        let runs = self.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        let id = runs[0]["run_id"].as_str().unwrap();
        serde_json::from_str(&self.gateway.cli(&["runs", "show", id, "--json"])).unwrap()
    }

    fn confirm(&self, run: &Value) {
        let (id, hash) = (run["run_id"].as_str().unwrap(), run["list_hash"].as_str().unwrap());
        let printed = self.gateway.cli(&["runs", "confirm", id, "--hash", hash, "--json"]);
        let run: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(run["state"], "confirmed");
    }
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

fn patch(operation: Value) -> Value {
    json!({"schemas": [PATCH], "Operations": [operation]})
}

#[tokio::test]
async fn what_is_over_the_budget_is_refused_held_once_and_passes_after_a_confirmation() {
    for store in STORES {
        let source = Source::of_two(store).await;
        let ids = source.users(4).await;
        assert_eq!(source.delete_user(&ids[0]).await, 204);
        assert_eq!(source.delete_user(&ids[1]).await, 204);
        for _ in 0..3 {
            let refused = source.ask("DELETE", &format!("/Users/{}", ids[2]), None).await;
            assert_eq!(refused.status, 429, "{}", refused.text);
            let wait: u64 = refused.header("retry-after").expect("Retry-After").parse().unwrap();
            assert!((1..=3_600).contains(&wait), "{wait}");
        }
        assert_eq!(source.ask("GET", &format!("/Users/{}", ids[2]), None).await.status, 200, "nothing was deleted");

        let run = source.run();
        assert_eq!(run["state"], "held");
        assert_eq!(run["summary"], json!({"held": 1, "unlisted": 0}));
        let items = run["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "a repeated request is held once");
        assert_eq!((&items[0]["action"], &items[0]["subject"]), (&json!("user.delete"), &json!(ids[2])));

        source.confirm(&run);
        assert_eq!(source.delete_user(&ids[2]).await, 204, "confirmed");
        assert_eq!(source.delete_user(&ids[3]).await, 429, "another one is not");
        let run = source.run();
        assert_eq!((&run["state"], &run["summary"]["held"]), (&json!("held"), &json!(1)), "the run goes on");
    }
}

#[tokio::test]
async fn a_confirmation_without_the_hash_of_what_is_held_now_is_refused_and_names_the_way() {
    let source = Source::of_two(Store::Sqlite).await;
    let ids = source.users(5).await;
    for id in &ids[..3] {
        source.delete_user(id).await;
    }
    let seen = source.run();
    source.delete_user(&ids[3]).await;
    let (id, outdated) = (seen["run_id"].as_str().unwrap(), seen["list_hash"].as_str().unwrap());
    for arguments in [vec!["runs", "confirm", id], vec!["runs", "confirm", id, "--hash", outdated]] {
        let output = source.gateway.run(&arguments);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(&format!("rosterd runs show {id}")), "{said}");
    }
    assert_eq!(source.run()["state"], "held");
}

#[tokio::test]
async fn who_is_locked_out_is_never_held() {
    for store in STORES {
        let source = Source::of_two(store).await;
        for id in source.users(4).await {
            let path = format!("/Users/{id}");
            let operation = json!({"op": "replace", "path": "active", "value": false});
            let patched = source.ask("PATCH", &path, Some(patch(operation))).await;
            assert_eq!(patched.status, 200, "{}", patched.text);
        }
        assert_eq!(source.runs(), Vec::<Value>::new());
    }
}

#[tokio::test]
async fn members_count_whether_they_are_removed_or_lose_their_group() {
    for store in STORES {
        let source = Source::of_two(store).await;
        let ids = source.users(4).await;
        let group = format!("/Groups/{}", source.group(&ids).await);
        let one = json!({"op": "remove", "path": format!("members[value eq \"{}\"]", ids[0])});
        let removed = source.ask("PATCH", &group, Some(patch(one))).await;
        assert!(matches!(removed.status, 200 | 204), "{}", removed.text);
        // One of two is used; the other three are two more than there is.
        let emptied = json!({"schemas": [GROUP], "displayName": "Renamed", "members": []});
        assert_eq!(source.ask("PUT", &group, Some(emptied.clone())).await.status, 429);
        assert_eq!(source.ask("DELETE", &group, None).await.status, 429);
        let now = source.ask("GET", &group, None).await.json();
        assert_eq!((&now["displayName"], now["members"].as_array().map(Vec::len)), (&json!("All"), Some(3)), "nothing was done");

        let run = source.run();
        assert_eq!(run["summary"]["held"], 4, "three members and a group");
        source.confirm(&run);
        assert_eq!(source.ask("PUT", &group, Some(emptied)).await.status, 200);
        assert_eq!(source.ask("DELETE", &group, None).await.status, 204);
        assert_eq!(source.delete_user(&ids[0]).await, 204, "what was confirmed used nothing up");
    }
}

#[tokio::test]
async fn removals_at_once_never_pass_the_budget_together() {
    for store in STORES {
        let source = Source::of_two(store).await;
        let ids = source.users(4).await;
        let delete = |n: usize| source.delete_user(&ids[n]);
        let (a, b, c, d) = tokio::join!(delete(0), delete(1), delete(2), delete(3));
        let statuses = [a, b, c, d];
        let gone = statuses.iter().filter(|status| **status == 204).count();
        assert_eq!(gone, 2, "{statuses:?}");
    }
}

#[tokio::test]
async fn a_list_longer_than_a_run_holds_passes_in_as_many_confirmations_as_it_takes() {
    for store in STORES {
        let source = Source::of_two(store).await;
        let ids = source.users(1_003).await;
        let group = format!("/Groups/{}", source.group(&ids).await);
        let emptied = json!({"schemas": [GROUP], "displayName": "All", "members": []});
        assert_eq!(source.ask("PUT", &group, Some(emptied.clone())).await.status, 429);
        let run = source.run();
        assert_eq!(run["summary"], json!({"held": 1_000, "unlisted": 3}));
        source.confirm(&run);
        assert_eq!(source.ask("PUT", &group, Some(emptied.clone())).await.status, 429, "three are one more than the budget");
        let run = source.run();
        assert_eq!(run["summary"], json!({"held": 3, "unlisted": 0}));
        source.confirm(&run);
        assert_eq!(source.ask("PUT", &group, Some(emptied)).await.status, 200);
    }
}

const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

async fn person(edge: &Edge, name: &str) -> String {
    let body = json!({"schemas": [USER], "userName": name, "externalId": name});
    let (status, made) = edge.ask(Method::POST, "/Users", Some(&body)).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn leave(edge: &Edge, id: &str) -> u16 {
    edge.ask(Method::DELETE, &format!("/Users/{id}"), None).await.0
}

async fn texts(edge: &Edge, sql: &'static str) -> Vec<String> {
    edge.test.store.read(sql, args![]).await.unwrap().iter().map(|row: &Row| row.text(0).unwrap()).collect()
}

#[tokio::test]
async fn the_next_hour_has_a_budget_of_its_own_and_the_last_one_is_forgotten() {
    for test in both_stores().await {
        let edge = Edge::with(test, &[("budget", "1,0%")]).await;
        let (a, b) = (person(&edge, "a").await, person(&edge, "b").await);
        assert_eq!((leave(&edge, &a).await, leave(&edge, &b).await), (204, 429));
        edge.hand.fetch_add(HOUR, Ordering::SeqCst);
        assert_eq!(leave(&edge, &b).await, 204);
        let counters = "SELECT kind FROM counters WHERE kind LIKE 'budget:%'";
        assert_eq!(texts(&edge, counters).await.len(), 2);
        rosterd::app::grace::pass(&edge.app).await.unwrap();
        assert_eq!(texts(&edge, counters).await.len(), 1, "the hour that runs");
    }
}

#[tokio::test]
async fn who_came_back_and_leaves_again_is_asked_about_again() {
    for test in both_stores().await {
        let edge = Edge::with(test, &[("budget", "0,0%")]).await;
        let id = person(&edge, "a").await;
        assert_eq!(leave(&edge, &id).await, 429);
        let hash = texts(&edge, "SELECT list_hash FROM runs").await.remove(0);
        let run = texts(&edge, "SELECT id FROM runs").await.remove(0);
        let tenant = rosterd::model::ids::TenantId::new("default");
        let found = rosterd::store::runs::find(&edge.test.store, &tenant, &run).await.unwrap().unwrap();
        let audit =
            rosterd::store::audit::Audit { actor: "cli".into(), request_id: "r".into(), log_id: "l".into(), at: 1, from: None };
        let mut batch = rosterd::store::Batch::default();
        rosterd::store::runs::confirm(&mut batch, &tenant, &found, &hash, &audit);
        edge.test.store.apply(batch).await.unwrap();
        assert_eq!(leave(&edge, &id).await, 204);
        assert_eq!(person(&edge, "a").await, id, "back as the same");
        assert_eq!(leave(&edge, &id).await, 429);
        assert_eq!(texts(&edge, "SELECT state FROM runs").await, ["held"]);
        assert_eq!(
            texts(&edge, "SELECT kind FROM log WHERE kind LIKE 'run.%' ORDER BY kind").await,
            ["run.confirmed", "run.held", "run.held"]
        );
    }
}

#[tokio::test]
async fn who_left_is_removed_when_the_grace_is_over_and_not_before() {
    for test in both_stores().await {
        let edge = Edge::with(test, &[("deprovision", "grace:30")]).await;
        let (gone, back, later) = (person(&edge, "gone").await, person(&edge, "back").await, person(&edge, "later").await);
        leave(&edge, &gone).await;
        leave(&edge, &back).await;
        edge.hand.fetch_add(20 * DAY, Ordering::SeqCst);
        leave(&edge, &later).await;
        assert_eq!(person(&edge, "back").await, back);
        assert_eq!(rosterd::app::grace::pass(&edge.app).await.unwrap(), 0);
        edge.hand.fetch_add(11 * DAY, Ordering::SeqCst);
        assert_eq!(rosterd::app::grace::pass(&edge.app).await.unwrap(), 1);
        assert_eq!(rosterd::app::grace::pass(&edge.app).await.unwrap(), 0);
        assert_eq!(texts(&edge, "SELECT external_id FROM identities ORDER BY external_id").await, ["back", "later"]);
        assert_eq!(texts(&edge, "SELECT user_id FROM users ORDER BY user_id").await, ["scim|scim|back", "scim|scim|later"]);
        assert_eq!(texts(&edge, "SELECT subject FROM tombstones WHERE kind = 'user_id'").await, ["scim|scim|gone"]);
        assert_eq!(texts(&edge, "SELECT kind FROM log WHERE actor = 'retention'").await, ["scim.user.deleted"]);
        assert_eq!(texts(&edge, "SELECT kind FROM outbox WHERE kind = 'user.deleted'").await, ["user.deleted"]);
        let (_, list) = edge.get("/Users?count=0").await;
        assert_eq!(list["totalResults"], 1, "the count of listed users moved once, at the DELETE");
    }
}
