//! `/users/{id}/history`, `/users/{id}/why` and `users why --at` on both stores: what each attribute was before and after each
//! change, the profile as of any moment, and that the command line says the same.

use serde_json::{Map, Value, json};

use crate::support::caller::{Caller, encoded, on_both_gateways, user};
use crate::support::gateway::{Answer, Gateway};

const ANN: &str = "scim|acme|x-ann";

/// Line 1 is the header.
const MAPPING: &str = "mapping own from scim to profile\n\
    username = $userName\n\
    name = $displayName\n\
    nickname = $nickName with absent clear\n\
    app_metadata.title = $title with absent clear\n\
    app_metadata.api_token = $userType with absent clear\n\
    blocked = not $active when present($active)\n";

async fn get_by(gateway: &Gateway, token: &str, path: &str) -> Answer {
    let headers = [(String::from("authorization"), format!("Bearer {token}"))];
    gateway.send("GET", &format!("{}/api/v2{path}", gateway.base_url()), &headers, None).await.expect("an answer")
}

async fn get(gateway: &Gateway, path: &str) -> Answer {
    get_by(gateway, gateway.bootstrapped("admin_token"), path).await
}

async fn json_of(gateway: &Gateway, path: &str) -> Value {
    let answer = get(gateway, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.json()["errorCode"]), (status, &json!(code)), "{}", answer.text);
}

fn connected(gateway: &Gateway) -> Caller {
    let folder = gateway.folder().join("mappings");
    std::fs::create_dir_all(&folder).expect("a folder for mappings");
    std::fs::write(folder.join("own.mapping"), MAPPING).expect("a mapping file");
    let token = gateway.connect("acme", &[("mapping".into(), "own".into())]);
    Caller::of(gateway, "acme", &token)
}

/// The profile as the command line shows it, without what is no value of it.
fn profile(gateway: &Gateway) -> Value {
    let mut shown: Map<String, Value> = serde_json::from_str(&gateway.cli(&["users", "show", ANN, "--json"])).expect("JSON");
    for own in ["identities", "blocks", "groups", "created_at", "last_login", "logins_count"] {
        shown.remove(own);
    }
    Value::Object(shown)
}

/// What was shown, and when it was written.
fn taken(gateway: &Gateway) -> (String, Value) {
    let mut profile = profile(gateway);
    let at = profile.as_object_mut().expect("an object").remove("updated_at").expect("a time");
    (at.as_str().expect("text").to_owned(), profile)
}

/// As [`profile`] has it: blocked only where it is.
fn of_then(answer: &Value) -> Value {
    let mut profile = answer["profile"].clone();
    if profile["blocked"] == false {
        profile.as_object_mut().expect("an object").remove("blocked");
    }
    profile
}

/// Ann, and what changes of her: six moments, each with the profile of then.
async fn lived(gateway: &Gateway, caller: &Caller) -> Vec<(String, Value)> {
    let mut body = user("ann");
    body["displayName"] = "Ann One".into();
    body["nickName"] = "Annie".into();
    body["userType"] = "tok-1".into();
    let id = caller.create("Users", &body).await;
    let mut moments = vec![taken(gateway)];
    for operations in [
        json!([{"op": "replace", "path": "displayName", "value": "Ann Two"}, {"op": "add", "path": "title", "value": "Engineer"}]),
        json!([{"op": "remove", "path": "nickName"}]),
        json!([{"op": "replace", "path": "active", "value": false}]),
        json!([{"op": "replace", "path": "active", "value": true}, {"op": "replace", "path": "userType", "value": "tok-2"}]),
        json!([{"op": "replace", "path": "displayName", "value": "Ann One"}, {"op": "add", "path": "nickName", "value": "A"}]),
    ] {
        // Times are kept to the millisecond.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        assert_eq!(caller.patch(&format!("/Users/{id}"), operations).await.status, 200);
        moments.push(taken(gateway));
    }
    moments
}

/// Secrets as history shows them: only whether two are the same can be told.
fn without_tokens(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(Value::Object(metadata)) = value.get_mut("app_metadata") {
        metadata.remove("api_token");
    }
    value
}

on_both_gateways! {
    async fn the_profile_is_answered_as_it_was_at_every_moment_and_as_it_was_not_before(store) {
        let gateway = Gateway::start(store).await;
        let caller = connected(&gateway);
        let moments = lived(&gateway, &caller).await;
        let path = format!("/users/{}/history", encoded(ANN));
        for (version, (at, profile)) in moments.iter().enumerate() {
            let then = json_of(&gateway, &format!("{path}?at={}", encoded(at))).await;
            assert_eq!(then["version"].as_u64(), Some(version as u64 + 1), "{at}");
            assert_eq!(without_tokens(&of_then(&then)), without_tokens(profile), "{at}");
            // Just before it, the one of before.
            let just_before = at.parse::<jiff::Timestamp>().expect("a time") - jiff::SignedDuration::from_micros(1);
            let answer = get(&gateway, &format!("{path}?at={}", encoded(&just_before.to_string()))).await;
            match version.checked_sub(1) {
                None => assert_refused(&answer, 404, "inexistent_user"),
                Some(before) => assert_eq!(without_tokens(&of_then(&answer.json())), without_tokens(&moments[before].1), "before {at}"),
            }
        }
        let now = json_of(&gateway, &format!("{path}?at=2100-01-01T00:00:00Z")).await;
        assert_eq!(without_tokens(&of_then(&now)), without_tokens(&moments[5].1));
        assert!(!now.to_string().contains("tok-2"), "{now}");
        assert_refused(&get(&gateway, &format!("{path}?at=yesterday")).await, 400, "invalid_query_string");
    }

    async fn each_change_has_before_and_after_line_and_event_however_it_is_paged(store) {
        let gateway = Gateway::start(store).await;
        let caller = connected(&gateway);
        lived(&gateway, &caller).await;
        let path = format!("/users/{}/history", encoded(ANN));
        let whole = json_of(&gateway, &format!("{path}?take=100")).await;
        assert!(whole.get("next").is_none(), "{whole}");
        let rows = whole["history"].as_array().expect("rows").clone();
        let told: Vec<(i64, &str, Value, Value, Option<u64>)> = rows
            .iter()
            .filter(|row| row["attribute"] != "app_metadata.api_token")
            .map(|row| {
                let attribute = row["attribute"].as_str().expect("a name");
                (row["profile_version"].as_i64().expect("a number"), attribute, row["before"].clone(), row["after"].clone(), row["line"].as_u64())
            })
            .collect();
        let mut expected = vec![
            (6, "name", json!("Ann Two"), json!("Ann One"), Some(3)),
            (6, "nickname", json!(null), json!("A"), Some(4)),
            (5, "blocked", json!(true), json!(false), Some(7)),
            (4, "blocked", json!(false), json!(true), Some(7)),
            (3, "nickname", json!("Annie"), json!(null), Some(4)),
            (2, "name", json!("Ann One"), json!("Ann Two"), Some(3)),
            (2, "app_metadata.title", json!(null), json!("Engineer"), Some(5)),
            (1, "username", json!(null), json!("ann"), Some(2)),
            (1, "name", json!(null), json!("Ann One"), Some(3)),
            (1, "nickname", json!(null), json!("Annie"), Some(4)),
        ];
        let mut sorted = told.clone();
        for list in [&mut expected, &mut sorted] {
            list.sort_by_key(|row| (-row.0, row.1.to_owned()));
        }
        assert_eq!(sorted, expected);
        for row in &rows {
            assert_eq!((&row["connection"], &row["mapping"], &row["version"]), (&json!("acme"), &json!("own"), &json!(1)), "{row}");
            assert!(row["event_id"].is_string() && row["actor"].is_string() && row["connection_id"].is_string(), "{row}");
        }
        for take in [1, 2, 3, 7] {
            let (mut seen, mut from) = (Vec::new(), String::new());
            loop {
                let part = json_of(&gateway, &format!("{path}?take={take}{from}")).await;
                let part_rows = part["history"].as_array().expect("rows");
                assert!(part_rows.len() <= take);
                seen.extend(part_rows.clone());
                let Some(next) = part["next"].as_str() else { break };
                from = format!("&from={}", encoded(next));
            }
            assert_eq!(seen, rows, "{take} at a time");
        }
        let of_name = json_of(&gateway, &format!("{path}?attribute=name&take=2")).await;
        assert_eq!(of_name["history"].as_array().map(Vec::len), Some(2));
        let next = of_name["next"].as_str().expect("more");
        let rest = json_of(&gateway, &format!("{path}?attribute=name&take=2&from={}", encoded(next))).await;
        assert_eq!((&rest["history"][0]["after"], rest.get("next")), (&json!("Ann One"), None));
        // A checkpoint is of one list, and no other's.
        assert_refused(&get(&gateway, &format!("{path}?from={}", encoded(next))).await, 400, "invalid_query_string");
    }

    async fn what_is_a_secret_by_its_name_is_compared_and_never_shown(store) {
        let gateway = Gateway::start(store).await;
        let caller = connected(&gateway);
        lived(&gateway, &caller).await;
        let whole = json_of(&gateway, &format!("/users/{}/history?attribute=app_metadata.api_token", encoded(ANN))).await;
        let rows = whole["history"].as_array().expect("rows");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0]["before"], rows[1]["after"]);
        assert!(rows[0]["after"]["hidden"].is_string() && rows[0]["after"] != rows[0]["before"], "{whole}");
        let why = json_of(&gateway, &format!("/users/{}/why", encoded(ANN))).await;
        let printed = gateway.cli(&["users", "why", ANN]) + &gateway.cli(&["users", "why", ANN, "--json"]);
        for text in [whole.to_string(), why.to_string(), printed] {
            assert!(!text.contains("tok-"), "{text}");
        }
    }

    async fn why_is_answered_alike_by_the_api_and_the_command_line_now_and_then(store) {
        let gateway = Gateway::start(store).await;
        let caller = connected(&gateway);
        let moments = lived(&gateway, &caller).await;
        let path = format!("/users/{}/why", encoded(ANN));
        let by_cli = |arguments: &[&str]| -> Value {
            serde_json::from_str(&gateway.cli(&[&["users", "why", ANN, "--json"], arguments].concat())).expect("JSON")
        };
        assert_eq!(json_of(&gateway, &path).await, by_cli(&[]));
        assert_eq!(json_of(&gateway, &format!("{path}?attribute=app_metadata")).await, by_cli(&["app_metadata"]));
        for (at, profile) in &moments {
            let then = json_of(&gateway, &format!("{path}?at={}", encoded(at))).await;
            assert_eq!(then, by_cli(&["--at", at]), "{at}");
            let of = |name: &str| then.as_array().expect("reasons").iter().find(|reason| reason["attribute"] == name).cloned().unwrap_or_default();
            assert_eq!(of("name")["value"], profile["name"]);
            // Without a nickname she is shown by her user name, which nobody gave her as one.
            let given = profile.get("nickname").filter(|shown| **shown != "ann").cloned();
            assert_eq!(of("nickname")["value"], given.unwrap_or_default());
            assert_eq!((&of("name")["line"], &of("name")["rule"]), (&json!(3), &json!("name = $displayName")));
            assert!(of("name")["at"].as_str().is_some_and(|written| written <= at.as_str()), "{then}");
        }
        let first = &json_of(&gateway, &format!("{path}?attribute=name&at={}", encoded(&moments[0].0))).await[0];
        assert_eq!((&first["event"], first["history"].as_array().map(Vec::len)), (&json!("scim.user.created"), Some(1)));
        let before = gateway.run(&["users", "why", ANN, "--at", "2020-01-01T00:00:00Z"]);
        assert!(!before.status.success() && String::from_utf8_lossy(&before.stderr).contains("the profile was made at"), "{before:?}");
        assert_refused(&get(&gateway, &format!("{path}?at=2020-01-01T00:00:00Z")).await, 404, "inexistent_user");
        // Nobody, somebody else's, and without the scope.
        assert_refused(&get(&gateway, "/users/nobody/why").await, 404, "inexistent_user");
        gateway.cli(&["tenant", "create", "other"]);
        let token = |arguments: &[&str]| {
            let made = gateway.cli(&[&["token", "create", "--json", "--admin"], arguments].concat());
            serde_json::from_str::<Value>(&made).expect("JSON")["token"].as_str().expect("a token").to_owned()
        };
        for of in ["why", "history"] {
            let path = format!("/users/{}/{of}", encoded(ANN));
            assert_refused(&get_by(&gateway, &token(&["--tenant", "other"]), &path).await, 404, "inexistent_user");
            assert_refused(&get_by(&gateway, &token(&["--scopes", "read:users"]), &path).await, 403, "insufficient_scope");
        }
    }
}
