//! `/api/v2/mappings`, `/connections/{id}/replay` and `/runs` on both stores: the same previews, publications, replays and undos as by the
//! command line, with their scopes, their refusals and their plans.

use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

use crate::support::caller::{Caller, on_both_gateways, user};
use crate::support::gateway::{Answer, Gateway};
use crate::support::rows::Database;

const FIRST: &str = "mapping pushed from scim to profile\nusername = $userName\nname = $displayName\n";
const NEXT: &str = "mapping pushed from scim to profile\nusername = $userName\nname = upper($displayName)\n";

struct Api<'a> {
    gateway: &'a Gateway,
    token: String,
}

impl<'a> Api<'a> {
    fn admin(gateway: &'a Gateway) -> Self {
        Self { gateway, token: gateway.bootstrapped("admin_token").to_owned() }
    }

    fn with(gateway: &'a Gateway, scopes: &str) -> Self {
        let made = gateway.cli(&["token", "create", "--json", "--admin", "--scopes", scopes]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        Self { gateway, token: made["token"].as_str().expect("a token").to_owned() }
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let url = format!("{}/api/v2{path}", self.gateway.base_url());
        let headers = [
            (String::from("authorization"), format!("Bearer {}", self.token)),
            (String::from("content-type"), String::from("application/json")),
        ];
        self.gateway.send(method, &url, &headers, body.map(Value::to_string)).await.expect("an answer")
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    async fn post(&self, path: &str, body: Value, status: u16) -> Value {
        let answer = self.send("POST", path, Some(&body)).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        answer.json()
    }

    async fn refused(&self, method: &str, path: &str, body: Option<Value>, (status, code): (u16, &str)) -> String {
        let answer = self.send(method, path, body.as_ref()).await;
        assert_eq!((answer.status, &answer.json()["errorCode"]), (status, &json!(code)), "{method} {path}: {}", answer.text);
        answer.json()["message"].as_str().expect("a message").to_owned()
    }

    /// A run that is at its end, however long that takes.
    async fn ended(&self, run: &Value) -> Value {
        let (path, began) = (format!("/runs/{}", run["run_id"].as_str().expect("an id")), Instant::now());
        loop {
            let run = self.get(&path).await;
            if run["state"] != "running" && run["state"] != "confirmed" {
                return run;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{run}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A gateway with some people who were pushed under the first text.
async fn roster(gateway: &Gateway, people: usize) -> String {
    std::fs::create_dir_all(gateway.folder().join("mappings")).expect("a folder");
    std::fs::write(gateway.folder().join("mappings/pushed.mapping"), FIRST).expect("written");
    gateway.cli(&["connection", "update", "scim", "--mapping", "pushed"]);
    let client = Caller::new(gateway);
    for at in 0..people {
        client.create("Users", &user(&format!("person{at}"))).await;
    }
    let shown: Value = serde_json::from_str(&gateway.cli(&["connection", "show", "scim", "--json"])).expect("JSON");
    shown["id"].as_str().expect("an id").to_owned()
}

async fn rows(gateway: &Gateway, sql: &str) -> Vec<Map<String, Value>> {
    Database::open(gateway.database_url()).await.rows(sql).await
}

async fn names(gateway: &Gateway) -> Vec<Value> {
    let rows = rows(gateway, "SELECT doc FROM users ORDER BY user_id").await;
    rows.into_iter().map(|mut row| row.remove("doc").expect("a document")["name"].take()).collect()
}

on_both_gateways! {
    async fn a_change_goes_from_preview_to_undo_by_api(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let connection = roster(&gateway, 5).await;
        let before = names(&gateway).await;
        let mapping = api.get("/mappings/pushed").await;
        assert_eq!((&mapping["version"], &mapping["text"]), (&json!(1), &json!(FIRST)));
        assert_eq!(mapping["connections"][0]["id"], connection.as_str());

        let preview = api.send("POST", "/mappings/pushed/preview", Some(&json!({"text": NEXT}))).await.json();
        let preview = api.ended(&preview).await;
        assert_eq!((&preview["kind"], &preview["state"]), (&json!("preview"), &json!("done")));
        assert_eq!(preview["summary"]["attributes"][0]["changed"], 5, "{preview}");
        assert_eq!(names(&gateway).await, before);

        let publication = json!({"text": NEXT, "preview": preview["list_hash"]});
        let planned = api.post("/mappings/pushed/publish?dry_run=true", publication.clone(), 200).await;
        assert_eq!((&planned["version"], &api.get("/mappings/pushed").await["version"]), (&json!(2), &json!(1)));
        let published = api.post("/mappings/pushed/publish", publication.clone(), 201).await;
        assert_eq!(published["version"], 2);
        assert_eq!(api.post("/mappings/pushed/publish", publication, 200).await["version"], 2, "it is so already");
        let log = rows(&gateway, "SELECT actor FROM log WHERE kind = 'mapping.published' ORDER BY id").await;
        assert_ne!(log.last().expect("a row")["actor"], "cli", "by the token");
        let versions = api.get("/mappings/pushed/versions").await;
        let numbers: Vec<&Value> = versions["versions"].as_array().expect("a list").iter().map(|one| &one["version"]).collect();
        assert_eq!(numbers, [&json!(2), &json!(1)]);
        assert_eq!(api.get("/mappings/pushed/versions/1").await["text"], FIRST);

        let path = format!("/connections/{connection}/replay");
        let looked = api.post(&format!("{path}?dry_run=true"), json!({"all": true}), 200).await;
        assert_eq!((&looked["changed"], &looked["complete"]), (&json!(5), &json!(true)), "{looked}");
        assert_eq!(names(&gateway).await, before);
        let replay = api.send("POST", &path, Some(&json!({"all": true}))).await.json();
        let replay = api.ended(&replay).await;
        assert_eq!((&replay["state"], &replay["summary"]["changed"]), (&json!("done"), &json!(5)), "{replay}");
        assert_eq!(names(&gateway).await[0], "PERSON0");
        // A server goes by another version within two seconds.
        let run = replay["run_id"].as_str().expect("an id");
        let looked = api.post(&format!("/runs/{run}/undo?dry_run=true"), json!({}), 200).await;
        assert_eq!((&looked["restored"], &looked["run_id"]), (&json!(5), &Value::Null));
        let undone = api.post(&format!("/runs/{run}/undo"), json!({}), 200).await;
        assert_eq!((&undone["restored"], &undone["kept"]), (&json!(5), &json!(0)), "{undone}");
        assert_eq!(names(&gateway).await, before);
        let runs = api.get("/runs").await;
        let kinds: Vec<&str> = runs["runs"].as_array().expect("a list").iter().map(|run| run["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["preview", "replay", "undo"]);
        let first = api.get("/runs?take=2").await;
        let next = first["next"].as_str().expect("more");
        assert_eq!(api.get(&format!("/runs?take=2&from={next}")).await["runs"][0]["kind"], "undo");
    }

    async fn some_are_replayed_and_what_makes_no_sense_is_refused_at_its_place(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let connection = roster(&gateway, 4).await;
        let preview = api.send("POST", "/mappings/pushed/preview", Some(&json!({"text": NEXT}))).await.json();
        let hash = api.ended(&preview).await["list_hash"].clone();
        api.post("/mappings/pushed/publish", json!({"text": NEXT, "preview": hash}), 201).await;
        let path = format!("/connections/{connection}/replay");
        for body in [
            json!({}),
            json!({"all": false}),
            json!({"all": true, "users": ["person1"]}),
            json!({"users": []}),
            json!({"users": "person1"}),
            json!({"users": [7]}),
            json!({"users": ["nobody"]}),
            json!({"all": true, "extra": 1}),
        ] {
            api.refused("POST", &path, Some(body), (400, "invalid_body")).await;
        }
        let answer = api.send("POST", &path, Some(&json!({"users": ["person1", "person2"]}))).await.json();
        let done = api.ended(&answer).await;
        assert_eq!(done["summary"]["changed"], 2, "{done}");
        let upper = names(&gateway).await.into_iter().filter(|name| name.as_str().is_some_and(|name| name.starts_with('P'))).count();
        assert_eq!(upper, 2);
        api.refused("POST", "/connections/con_00000000000000000000000000000000/replay", Some(json!({"all": true})), (404, "inexistent_connection"))
            .await;
    }

    async fn texts_and_publications_that_are_not_sound_are_refused(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        roster(&gateway, 2).await;
        for (body, says) in [
            (json!({}), "text"),
            (json!({"text": 7}), "text"),
            (json!({"text": "mapping x from scim to profile\nnme = $x\n"}), "M004"),
            (json!({"text": NEXT, "language": "cobol"}), "language"),
            (json!({"text": NEXT, "includes": []}), "includes"),
            (json!({"text": NEXT, "more": 1}), "more"),
            (json!({"text": "a\u{0}b"}), "U+0000"),
        ] {
            let said = api.refused("POST", "/mappings/pushed/preview", Some(body.clone()), (400, "invalid_body")).await;
            assert!(said.contains(says), "{body}: {said}");
        }
        let failing = format!("{NEXT}test \"wrong\" {{ given {{ displayName: \"x\" }} expect {{ name: \"x\" }} }}\n");
        api.refused("POST", "/mappings/pushed/publish", Some(json!({"text": failing})), (400, "invalid_body")).await;
        api.refused("POST", "/mappings/unused/preview", Some(json!({"text": NEXT})), (409, "mapping_not_used")).await;
        let publish = async |body: Value, code: &str| api.refused("POST", "/mappings/pushed/publish", Some(body), (409, code)).await;
        publish(json!({"text": NEXT}), "preview_needed").await;
        publish(json!({"text": NEXT, "preview": "0123"}), "unknown_preview").await;
        let preview = api.send("POST", "/mappings/pushed/preview", Some(&json!({"text": NEXT}))).await.json();
        let hash = api.ended(&preview).await["list_hash"].clone();
        let other = format!("{NEXT}nickname = $nickName\n");
        publish(json!({"text": other, "preview": hash}), "preview_of_another_text").await;
        gateway.cli(&["connection", "update", "scim", "--set", "repost=conflict"]);
        publish(json!({"text": NEXT, "preview": hash}), "stale_preview").await;
        // Nobody is stored whom it concerns.
        api.post("/mappings/unused/publish", json!({"text": NEXT}), 201).await;
        api.refused("GET", "/mappings/nothing", None, (404, "inexistent_mapping")).await;
        api.refused("GET", "/mappings/pushed/versions/9", None, (404, "inexistent_mapping")).await;
        api.refused("GET", "/mappings/pushed/versions/one", None, (404, "inexistent_mapping")).await;
    }

    async fn what_is_held_is_confirmed_by_its_hash_and_goes_on_at_once(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let connection = roster(&gateway, 8).await;
        gateway.cli(&["connection", "update", "scim", "--set", "budget=2,1%"]);
        let text = format!("{NEXT}deny when present($userName) because \"everybody\"\n");
        let preview = api.send("POST", "/mappings/pushed/preview", Some(&json!({"text": text}))).await.json();
        let preview = api.ended(&preview).await;
        assert_eq!(preview["summary"]["blocks"]["count"], 8, "{preview}");
        api.post("/mappings/pushed/publish", json!({"text": text, "preview": preview["list_hash"]}), 201).await;
        let replay = api.send("POST", &format!("/connections/{connection}/replay"), Some(&json!({"all": true}))).await.json();
        let held = api.ended(&replay).await;
        assert_eq!((&held["state"], &held["summary"]["held"]), (&json!("held"), &json!(8)), "{held}");
        let run = held["run_id"].as_str().expect("an id");
        let items = api.get(&format!("/runs/{run}/items?take=5")).await;
        assert_eq!((items["items"].as_array().expect("a list").len(), &items["items"][0]["action"]), (5, &json!("user.block")));
        let rest = api.get(&format!("/runs/{run}/items?take=5&from={}", items["next"].as_str().expect("more"))).await;
        assert_eq!((rest["items"].as_array().expect("a list").len(), rest.get("next")), (3, None));
        let confirm = format!("/runs/{run}/confirm");
        api.refused("POST", &confirm, Some(json!({})), (400, "invalid_body")).await;
        api.refused("POST", &confirm, Some(json!({"list_hash": "0000"})), (409, "stale_list")).await;
        let body = json!({"list_hash": held["list_hash"]});
        assert_eq!(api.post(&format!("{confirm}?dry_run=true"), body.clone(), 200).await["state"], "held");
        api.post(&confirm, body.clone(), 200).await;
        let done = api.ended(&held).await;
        assert_eq!((&done["state"], &done["summary"]["blocks"]["count"]), (&json!("done"), &json!(8)), "{done}");
        assert_eq!(rows(&gateway, "SELECT count(*) AS n FROM users WHERE blocked").await[0]["n"], 8);
        api.refused("POST", &confirm, Some(body), (409, "run_is_not_open")).await;
        let log = rows(&gateway, "SELECT kind FROM log WHERE kind IN ('run.confirmed', 'mapping.replayed') ORDER BY id").await;
        assert_eq!(log.len(), 2);
    }

    async fn each_call_asks_for_its_scope_and_another_tenants_runs_are_not_there(store) {
        let gateway = Gateway::start(store).await;
        let connection = roster(&gateway, 1).await;
        let preview = Api::admin(&gateway).send("POST", "/mappings/pushed/preview", Some(&json!({"text": NEXT}))).await.json();
        let run = preview["run_id"].as_str().expect("an id").to_owned();
        let nothing = Api::with(&gateway, "read:clients");
        for (method, path) in [
            ("GET", "/mappings".to_owned()),
            ("GET", "/mappings/pushed".to_owned()),
            ("GET", "/mappings/pushed/versions".to_owned()),
            ("POST", "/mappings/pushed/preview".to_owned()),
            ("POST", "/mappings/pushed/publish".to_owned()),
            ("POST", format!("/connections/{connection}/replay")),
            ("GET", "/runs".to_owned()),
            ("GET", format!("/runs/{run}")),
            ("GET", format!("/runs/{run}/items")),
            ("POST", format!("/runs/{run}/confirm")),
            ("POST", format!("/runs/{run}/undo")),
        ] {
            nothing.refused(method, &path, Some(json!({})), (403, "insufficient_scope")).await;
        }
        gateway.cli(&["tenant", "create", "globex", "--host", "globex.example"]);
        let made = gateway.cli(&["token", "create", "--json", "--admin", "--tenant", "globex"]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let other = Api { gateway: &gateway, token: made["token"].as_str().expect("a token").to_owned() };
        for (method, path) in [
            ("GET", format!("/runs/{run}")),
            ("GET", format!("/runs/{run}/items")),
            ("POST", format!("/runs/{run}/undo")),
        ] {
            other.refused(method, &path, None, (404, "inexistent_run")).await;
        }
        other.refused("POST", &format!("/runs/{run}/confirm"), Some(json!({"list_hash": "x"})), (404, "inexistent_run")).await;
        other.refused("GET", "/mappings/pushed", None, (404, "inexistent_mapping")).await;
        let foreign = format!("/connections/{connection}/replay");
        other.refused("POST", &foreign, Some(json!({"all": true})), (404, "inexistent_connection")).await;
    }

    async fn a_replay_that_a_killed_server_began_is_gone_on_with_by_the_next(store) {
        let mut gateway = Gateway::start(store).await;
        let connection = roster(&gateway, 3).await;
        let hash = {
            let api = Api::admin(&gateway);
            let preview = api.send("POST", "/mappings/pushed/preview", Some(&json!({"text": NEXT}))).await.json();
            api.ended(&preview).await["list_hash"].clone()
        };
        Api::admin(&gateway).post("/mappings/pushed/publish", json!({"text": NEXT, "preview": hash}), 201).await;
        let run = {
            let api = Api::admin(&gateway);
            let replay = api.send("POST", &format!("/connections/{connection}/replay"), Some(&json!({"all": true}))).await.json();
            api.ended(&replay).await["run_id"].as_str().expect("an id").to_owned()
        };
        // As a process leaves it that ended in the middle: under way, at its first person, and nobody at it.
        gateway.kill9();
        let url = gateway.database_url().to_owned();
        Database::change(&url, &format!("UPDATE runs SET state = 'running', finished_at = NULL WHERE id = '{run}'")).await;
        Database::change(&url, "UPDATE users SET doc = replace(doc, 'PERSON1', 'person1')").await;
        Database::change(&url, "UPDATE identities SET mapping_version = 1 WHERE user_name = 'person1'").await;
        Database::change(&url, &format!("DELETE FROM replayed WHERE run_id = '{run}'")).await;
        let place = "{\"connection\":0,\"unlisted\":false,\"after\":\"\",\"side\":0}";
        let progress = rows(&gateway, &format!("SELECT progress FROM walks WHERE run_id = '{run}'")).await;
        let mut progress: Value = serde_json::from_str(progress[0]["progress"].as_str().expect("text")).expect("JSON");
        progress["place"] = serde_json::from_str(place).expect("JSON");
        Database::change(&url, &format!("UPDATE walks SET progress = '{progress}' WHERE run_id = '{run}'")).await;
        Database::change(&url, "UPDATE leases SET expires_at = 1").await;
        gateway.restart();
        let done = Api::admin(&gateway).ended(&json!({"run_id": run})).await;
        assert_eq!(done["state"], "done", "{done}");
        assert!(names(&gateway).await.contains(&json!("PERSON1")));
    }
}
