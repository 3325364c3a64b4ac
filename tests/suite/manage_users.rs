//! `/api/v2/users` as administrators and applications write it, on both stores: creating, changing, deleting, linking and the
//! ways back. The tables of rules are tests of `provisioning::manage`; here is the wire, and that all of it is stored or nothing.

use crate::support::caller::{Caller, USER_URN, on_both_gateways, replicas};
use crate::support::gateway::{Answer, Gateway};
use crate::support::rows::Database;
use serde_json::{Map, Value, json};

struct Api<'a> {
    gateway: &'a Gateway,
    token: String,
}

/// As an SDK writes an id in a path.
fn encoded(id: &str) -> String {
    id.replace('|', "%7C")
}

impl<'a> Api<'a> {
    /// With a database connection `db` to make people in.
    fn admin(gateway: &'a Gateway) -> Self {
        gateway.cli(&["connection", "create", "db", "--kind", "database"]);
        Self { gateway, token: gateway.bootstrapped("admin_token").to_owned() }
    }

    fn with(gateway: &'a Gateway, scopes: &[&str]) -> Self {
        let made = gateway.cli(&["token", "create", "--json", "--admin", "--scopes", &scopes.join(",")]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        Self { gateway, token: made["token"].as_str().expect("a token").to_owned() }
    }

    async fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let url = format!("{}/api/v2{path}", self.gateway.base_url());
        let mut all = vec![(String::from("authorization"), format!("Bearer {}", self.token))];
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            all.push((String::from("content-type"), String::from("application/json")));
        }
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.gateway.send(method, &url, &all, body.map(Value::to_string)).await.expect("an answer")
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.send_with(method, path, &[], body).await
    }

    async fn made(&self, body: Value) -> Value {
        let mut body = body;
        body["connection"] = "db".into();
        let answer = self.send("POST", "/users", Some(&body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    async fn patched(&self, id: &str, body: &Value) -> Value {
        let answer = self.send("PATCH", &format!("/users/{}", encoded(id)), Some(body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    async fn shown(&self, id: &str) -> Answer {
        self.send("GET", &format!("/users/{}", encoded(id)), None).await
    }

    async fn link(&self, primary: &str, body: &Value) -> Answer {
        self.send("POST", &format!("/users/{}/identities", encoded(primary)), Some(body)).await
    }
}

fn assert_problem(answer: &Answer, status: u16, code: &str, says: &str) {
    let body = answer.json();
    assert_eq!((answer.status, &body["errorCode"]), (status, &json!(code)), "{}", answer.text);
    assert!(body["message"].as_str().is_some_and(|message| message.contains(says)), "{says}: {}", answer.text);
    assert!(answer.header("x-ratelimit-reset").is_some_and(|value| value.parse::<u64>().is_ok()));
}

async fn rows(gateway: &Gateway, sql: &str) -> Vec<Map<String, Value>> {
    Database::open(gateway.database_url()).await.rows(sql).await
}

/// Everything that a change of a person may leave behind.
async fn everything(gateway: &Gateway) -> Vec<usize> {
    let mut counts = Vec::new();
    for table in
        ["users", "identities", "handles", "blocks", "history", "log", "outbox", "tombstones", "linked_profiles", "conflicts"]
    {
        counts.push(rows(gateway, &format!("SELECT tenant_id FROM {table}")).await.len());
    }
    counts
}

async fn events(gateway: &Gateway) -> Vec<(String, String)> {
    let found = rows(gateway, "SELECT kind, profile_id FROM outbox ORDER BY id").await;
    found
        .iter()
        .map(|row| (row["kind"].as_str().expect("a kind").into(), row["profile_id"].as_str().expect("whom").into()))
        .collect()
}

/// Somebody that SCIM pushed: their `user_id`.
async fn pushed(gateway: &Gateway, name: &str) -> String {
    let scim = Caller::new(gateway);
    let body = json!({"schemas": [USER_URN], "externalId": name, "userName": name, "displayName": format!("{name} of Acme")});
    scim.create("Users", &body).await;
    format!("scim|scim|{name}")
}

on_both_gateways! {
    async fn somebody_is_made_changed_and_deleted(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let made = api.made(json!({
            "email": "Ana@X.example", "user_id": "ana", "name": "Ana", "user_metadata": {"lang": "de"},
            "app_metadata": {"plan": {"name": "gold"}}, "blocked": false, "verify_email": false,
        })).await;
        assert_eq!((&made["user_id"], &made["email"], &made["email_verified"]), (&json!("auth0|ana"), &json!("ana@x.example"), &json!(false)));
        assert_eq!(made["identities"], json!([{"connection": "db", "provider": "auth0", "user_id": "ana", "isSocial": false}]));
        assert!(made.get("blocked").is_none_or(|blocked| *blocked == json!(false)));
        let shown = api.shown("auth0|ana").await;
        assert_eq!((shown.status, shown.json()), (200, made.clone()), "consistent at once");
        assert_eq!(shown.header("etag"), Some("\"1\""));

        let changed = api.patched("auth0|ana", &json!({
            "given_name": "Ana", "name": null, "user_metadata": {"theme": "dark"}, "app_metadata": {}, "blocked": true,
        })).await;
        assert_eq!((&changed["given_name"], &changed["user_metadata"]), (&json!("Ana"), &json!({"lang": "de", "theme": "dark"})));
        assert_eq!((changed.get("app_metadata"), &changed["blocked"]), (None, &json!(true)), "an empty object clears it");
        let deep = api.send_with("PATCH", "/users/auth0%7Cana", &[("content-type", "application/merge-patch+json")],
            Some(&json!({"user_metadata": {"theme": null}, "app_metadata": {"plan": {"seats": 3}}, "blocked": false}))).await;
        assert_eq!((deep.status, &deep.json()["user_metadata"]), (200, &json!({"lang": "de"})), "{}", deep.text);

        let before = everything(&gateway).await;
        let same = api.patched("auth0|ana", &json!({"given_name": "Ana", "blocked": false})).await;
        assert_eq!((everything(&gateway).await, &same["given_name"]), (before, &json!("Ana")), "nothing changed, nothing is written");

        let gone = api.send("DELETE", "/users/auth0%7Cana", None).await;
        assert_eq!((gone.status, gone.text.as_str(), gone.header("content-type")), (204, "", None));
        assert_problem(&api.shown("auth0|ana").await, 404, "inexistent_user", "does not exist");
        assert_eq!(api.send("DELETE", "/users/auth0%7Cana", None).await.status, 204, "also where nobody is");
        let kinds: Vec<String> = events(&gateway).await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["user.created", "user.updated", "user.updated", "user.deleted"]);
        let log = rows(&gateway, "SELECT kind, actor FROM log WHERE kind LIKE 'api.user.%' ORDER BY id").await;
        let kinds: Vec<&str> = log.iter().map(|row| row["kind"].as_str().expect("a kind")).collect();
        assert_eq!(kinds, ["api.user.created", "api.user.updated", "api.user.updated", "api.user.deleted"]);
        // Who comes under the id of somebody who was deleted is somebody else.
        assert_eq!(api.made(json!({"email": "ana@x.example", "user_id": "ana"})).await["user_id"], "auth0|ana~2");
    }

    async fn a_duplicate_is_refused_however_it_is_spelled_and_writes_nothing(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        gateway.cli(&["connection", "create", "other", "--kind", "database"]);
        api.made(json!({"email": "ana@x.example", "username": "Ana", "phone_number": "+491", "user_id": "ana"})).await;
        let before = everything(&gateway).await;
        for twice in [
            json!({"connection": "db", "email": "ANA@x.example"}),
            json!({"connection": "db", "username": "ana"}),
            json!({"connection": "db", "phone_number": "+491"}),
            json!({"connection": "db", "email": "b@x.example", "user_id": "ana"}),
            json!({"connection": "other", "email": "b@x.example", "user_id": "auth0|ana"}),
        ] {
            for _ in 0..3 {
                assert_problem(&api.send("POST", "/users", Some(&twice)).await, 409, "auth0_idp_error", "The user already exists.");
            }
        }
        assert_eq!(everything(&gateway).await, before);
        let elsewhere = api.send("POST", "/users", Some(&json!({"connection": "other", "email": "ana@x.example"}))).await;
        assert_eq!(elsewhere.status, 201, "in another connection it is another person: {}", elsewhere.text);
        let taken = api.made(json!({"email": "bob@x.example", "user_id": "bob"})).await;
        let taken = api.send("PATCH", &format!("/users/{}", encoded(taken["user_id"].as_str().expect("an id"))), Some(&json!({"email": "Ana@x.example"}))).await;
        assert_problem(&taken, 409, "auth0_idp_error", "already exists");
    }

    async fn of_many_who_come_at_once_under_one_address_one_is_made(store) {
        let gateways = replicas(store).await;
        let api = Api::admin(&gateways[0]);
        let other = Api { gateway: gateways.last().expect("one at least"), token: api.token.clone() };
        let body = json!({"connection": "db", "email": "ana@x.example"});
        let (one, two, three, four) = tokio::join!(
            api.send("POST", "/users", Some(&body)),
            other.send("POST", "/users", Some(&body)),
            api.send("POST", "/users", Some(&body)),
            other.send("POST", "/users", Some(&body)),
        );
        let mut statuses = [one.status, two.status, three.status, four.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409]);
        let gateway = &gateways[0];
        assert_eq!(rows(gateway, "SELECT id FROM users").await.len(), 1);
    }

    async fn what_is_wrong_is_named_by_its_path_and_nothing_is_half_done(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        api.made(json!({"email": "ana@x.example", "user_id": "ana"})).await;
        let before = everything(&gateway).await;
        for (body, says) in [
            (json!({}), "Too few properties"),
            (json!({"nonsense": 1}), "on property nonsense"),
            (json!({"user_metadata": {"a.b": 1}}), "on property user_metadata.a.b"),
            (json!({"app_metadata": {"email": "x"}}), "on property app_metadata.email"),
            (json!({"user_metadata": {"a": 1}, "email": "nobody"}), "on property email"),
            (json!({"name": "a\u{0}b"}), "on property name"),
            (json!({"blocked": "yes"}), "Expected type boolean but found type string"),
        ] {
            assert_problem(&api.send("PATCH", "/users/auth0%7Cana", Some(&body)).await, 400, "invalid_body", says);
        }
        for (body, code) in [
            (json!({"connection": "nowhere", "email": "b@x.example"}), "inexistent_connection"),
            (json!({"connection": "scim", "email": "b@x.example"}), "operation_not_supported"),
            (json!({"connection": "db"}), "invalid_body"),
            (json!({"email": "b@x.example"}), "invalid_body"),
        ] {
            assert_problem(&api.send("POST", "/users", Some(&body)).await, 400, code, "");
        }
        assert_problem(&api.send("PATCH", "/users/auth0%7Cnobody", Some(&json!({"name": "x"}))).await, 404, "inexistent_user", "");
        let large = json!({"user_metadata": {"a": "x".repeat(70_000)}});
        assert_problem(&api.send("PATCH", "/users/auth0%7Cana", Some(&large)).await, 413, "payload_too_large", "65536");
        let stale = api.send_with("PATCH", "/users/auth0%7Cana", &[("if-match", "\"7\"")], Some(&json!({"name": "x"}))).await;
        assert_problem(&stale, 412, "precondition_failed", "");
        assert_problem(&api.send_with("DELETE", "/users/auth0%7Cana", &[("if-match", "\"7\"")], None).await, 412, "precondition_failed", "");
        let array = api.send("PATCH", "/users/auth0%7Cana", Some(&json!([1]))).await;
        assert_problem(&array, 400, "invalid_body", "no JSON object");
        assert_eq!(everything(&gateway).await, before);
        let matched = api.send_with("PATCH", "/users/auth0%7Cana", &[("if-match", "\"1\"")], Some(&json!({"name": "Ana"}))).await;
        assert_eq!((matched.status, matched.header("etag")), (200, Some("\"2\"")), "{}", matched.text);
    }

    async fn a_dry_run_says_what_would_be_and_does_nothing(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        api.made(json!({"email": "ana@x.example", "user_id": "ana", "name": "Ana"})).await;
        let other = pushed(&gateway, "bob").await;
        let before = everything(&gateway).await;
        let plan = api.send("PATCH", "/users/auth0%7Cana?dry_run=true", Some(&json!({"name": "Anna", "blocked": true}))).await;
        assert_eq!(plan.status, 200, "{}", plan.text);
        assert_eq!(plan.json()["changes"], json!([
            {"attribute": "name", "before": "Ana", "after": "Anna"}, {"attribute": "blocked", "before": false, "after": true},
        ]));
        for (method, path, body) in [
            ("POST", String::from("/users"), Some(json!({"connection": "db", "email": "c@x.example"}))),
            ("DELETE", String::from("/users/auth0%7Cana"), None),
            ("POST", String::from("/users/auth0%7Cana/identities"), Some(json!({"provider": "scim", "user_id": other}))),
        ] {
            let plan = api.send(method, &format!("{path}?dry_run=true"), body.as_ref()).await;
            assert_eq!((plan.status, &plan.json()["dry_run"]), (200, &json!(true)), "{}", plan.text);
        }
        assert_eq!(everything(&gateway).await, before);
    }

    async fn a_scope_that_is_too_small_writes_nothing(store) {
        let gateway = Gateway::start(store).await;
        let admin = Api::admin(&gateway);
        admin.made(json!({"email": "ana@x.example", "user_id": "ana"})).await;
        let reader = Api::with(&gateway, &["read:users"]);
        let metadata = Api::with(&gateway, &["update:users_app_metadata"]);
        let before = everything(&gateway).await;
        for (method, path, scope) in [
            ("POST", "/users", "create:users"),
            ("PATCH", "/users/auth0%7Cana", "update:users,update:users_app_metadata,update:current_user_metadata"),
            ("DELETE", "/users/auth0%7Cana", "delete:users"),
            ("POST", "/users/auth0%7Cana/identities", "update:users,update:current_user_identities"),
            ("DELETE", "/users/auth0%7Cana/identities/auth0/ana", "update:users,update:current_user_identities"),
        ] {
            let says = format!("Insufficient scope, expected any of: {scope}");
            assert_problem(&reader.send(method, path, Some(&json!({}))).await, 403, "insufficient_scope", &says);
        }
        let refused = metadata.send("PATCH", "/users/auth0%7Cana", Some(&json!({"app_metadata": {"a": 1}, "blocked": true}))).await;
        assert_problem(&refused, 403, "insufficient_scope", "update:users");
        assert_eq!(everything(&gateway).await, before);
        assert_eq!(metadata.patched("auth0|ana", &json!({"app_metadata": {"a": 1}})).await["app_metadata"], json!({"a": 1}));
        let scim = Api { gateway: &gateway, token: gateway.token().to_owned() };
        assert_problem(&scim.send("POST", "/users", Some(&json!({}))).await, 401, "invalid_token", "");
    }

    async fn what_a_source_owns_is_refused_by_attribute_connection_and_policy(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let id = pushed(&gateway, "bob").await;
        let path = format!("/users/{}", encoded(&id));
        let before = everything(&gateway).await;
        let refused = api.send("PATCH", &path, Some(&json!({"name": "Bobby", "user_metadata": {"a": 1}}))).await;
        assert_problem(&refused, 400, "operation_not_supported", "name");
        assert!(refused.text.contains("connection scim") && refused.text.contains("on_each_login"), "{}", refused.text);
        assert_problem(&api.send("PATCH", &path, Some(&json!({"email": "b@x.example"}))).await, 400, "operation_not_supported", "email");
        assert_eq!(everything(&gateway).await, before, "checked before anything is written");

        gateway.cli(&["connection", "update", "scim", "--set", "set_user_root_attributes=never_on_login"]);
        tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
        assert_eq!(api.patched(&id, &json!({"name": "Bobby", "user_metadata": {"a": 1}, "app_metadata": {"plan": "gold"}})).await["name"], "Bobby");
        let why: Value = serde_json::from_str(&gateway.cli(&["users", "why", &id, "name", "--json"])).expect("JSON");
        assert!(why.to_string().contains("api.user.updated"), "{why}");
        // What an administrator wrote survives what the source says again, and gives way to what it says anew.
        let scim = Caller::new(&gateway);
        let found = scim.find("Users", "userName eq \"bob\"").await.json();
        let scim_id = found["Resources"][0]["id"].as_str().expect("an id").to_owned();
        let replace = |path: &str, value: &str| json!([{"op": "replace", "path": path, "value": value}]);
        assert!(scim.patch(&format!("/Users/{scim_id}"), replace("title", "CTO")).await.status < 300);
        assert_eq!(api.shown(&id).await.json()["name"], "Bobby");
        assert_eq!(api.shown(&id).await.json()["app_metadata"]["plan"], "gold");
        assert!(scim.patch(&format!("/Users/{scim_id}"), replace("displayName", "Robert")).await.status < 300);
        assert_eq!(api.shown(&id).await.json()["name"], "Robert");
    }

    async fn an_administrators_block_is_theirs_to_lift_and_the_sources_is_not(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let id = pushed(&gateway, "bob").await;
        let scim = Caller::new(&gateway);
        let found = scim.find("Users", "userName eq \"bob\"").await.json();
        let path = format!("/Users/{}", found["Resources"][0]["id"].as_str().expect("an id"));
        let active = |active: bool| json!([{"op": "replace", "path": "active", "value": active}]);
        assert_eq!(api.patched(&id, &json!({"blocked": true})).await["blocked"], true);
        assert!(scim.patch(&path, active(false)).await.status < 300);
        assert!(scim.patch(&path, active(true)).await.status < 300);
        assert_eq!(api.shown(&id).await.json()["blocked"], true, "the source lifts its own block alone");
        assert!(scim.patch(&path, active(false)).await.status < 300);
        assert_eq!(api.patched(&id, &json!({"blocked": false})).await["blocked"], true, "and so does the administrator");
        assert!(scim.patch(&path, active(true)).await.status < 300);
        assert_ne!(api.shown(&id).await.json()["blocked"], true);
    }

    async fn two_accounts_become_one_person_and_two_again(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        api.made(json!({"email": "ana@x.example", "user_id": "ana", "name": "Ana", "user_metadata": {"lang": "de"}})).await;
        let other = pushed(&gateway, "bob").await;
        api.patched(&other, &json!({"user_metadata": {"own": 1}})).await;
        let told = events(&gateway).await.len();
        let own = rows(&gateway, "SELECT id FROM users WHERE user_id = 'scim|scim|bob'").await[0]["id"].clone();

        let answer = api.link("auth0|ana", &json!({"provider": "scim", "user_id": other})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let all = answer.json();
        assert_eq!((&all[0]["provider"], &all[0]["user_id"], all[0].get("profileData")), (&json!("auth0"), &json!("ana"), None));
        assert_eq!((&all[1]["connection"], &all[1]["user_id"]), (&json!("scim"), &json!("scim|bob")));
        assert_eq!(all[1]["profileData"]["name"], "bob of Acme");
        assert_problem(&api.shown(&other).await, 404, "inexistent_user", "");
        let ana = api.shown("auth0|ana").await.json();
        assert_eq!((&ana["name"], &ana["user_metadata"]), (&json!("Ana"), &json!({"lang": "de"})));
        let kinds: Vec<String> = events(&gateway).await.split_off(told).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds.iter().filter(|kind| *kind == "user.deleted").count(), 1, "{kinds:?}");
        assert_eq!(kinds.iter().filter(|kind| *kind == "user.updated").count(), 1, "{kinds:?}");
        // What the source says from now on is theirs, and no root of the profile.
        let scim = Caller::new(&gateway);
        let found = scim.find("Users", "userName eq \"bob\"").await.json();
        let path = format!("/Users/{}", found["Resources"][0]["id"].as_str().expect("an id"));
        assert!(scim.patch(&path, json!([{"op": "replace", "path": "displayName", "value": "Robert"}])).await.status < 300);
        let ana = api.shown("auth0|ana").await.json();
        assert_eq!((&ana["name"], &ana["identities"][1]["profileData"]["name"]), (&json!("Ana"), &json!("Robert")));

        assert_problem(&api.link("auth0|ana", &json!({"provider": "scim", "user_id": "scim|bob"})).await, 409, "identity_already_linked", "already linked");
        let left = api.send("DELETE", "/users/auth0%7Cana/identities/scim/scim%7Cbob", None).await;
        assert_eq!((left.status, left.json().as_array().map(Vec::len)), (200, Some(1)), "{}", left.text);
        let bob = api.shown(&other).await;
        assert_eq!(bob.status, 200, "its user_id is back: {}", bob.text);
        assert_eq!((&bob.json()["name"], bob.json().get("user_metadata")), (&json!("Robert"), None));
        assert_eq!(rows(&gateway, "SELECT id FROM users WHERE user_id = 'scim|scim|bob'").await[0]["id"], own);
        assert_eq!(rows(&gateway, "SELECT subject FROM tombstones WHERE kind = 'user_id'").await.len(), 0);
        let history = rows(&gateway, "SELECT h.event FROM history h JOIN users u ON u.tenant_id = h.tenant_id AND u.id = h.profile_id WHERE u.user_id = 'scim|scim|bob' ORDER BY h.version").await;
        let history: Vec<&str> = history.iter().map(|row| row["event"].as_str().expect("an event")).collect();
        assert_eq!(history, ["scim.user.created", "api.user.updated", "identity.unlinked"], "with the history it had");
    }

    async fn an_undone_link_puts_back_id_metadata_blocks_and_history(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        api.made(json!({"email": "ana@x.example", "user_id": "ana", "user_metadata": {"lang": "de"}})).await;
        let other = pushed(&gateway, "bob").await;
        let before = api.patched(&other, &json!({"user_metadata": {"lang": "en", "own": 1}, "blocked": true})).await;
        let ana = api.shown("auth0|ana").await.json();
        let link = json!({"provider": "scim", "user_id": other, "metadata_merge": "secondary_wins"});
        assert_eq!(api.link("auth0|ana", &link).await.status, 201);
        let both = api.shown("auth0|ana").await.json();
        assert_eq!((&both["user_metadata"], &both["blocked"]), (&json!({"lang": "en", "own": 1}), &json!(true)));
        let undo = api.send("POST", "/users/auth0%7Cana/identities/undo", Some(&json!({"provider": "scim", "user_id": other}))).await;
        assert_eq!((undo.status, undo.json().as_array().map(Vec::len)), (200, Some(1)), "{}", undo.text);
        let but_for_times = |mut user: Value| {
            user.as_object_mut().expect("an object").remove("updated_at");
            user
        };
        assert_eq!(but_for_times(api.shown(&other).await.json()), but_for_times(before));
        assert_eq!(but_for_times(api.shown("auth0|ana").await.json()), but_for_times(ana));
        assert_eq!(rows(&gateway, "SELECT id FROM linked_profiles").await.len() + rows(&gateway, "SELECT id FROM linked_history").await.len(), 0);
        let again = api.send("POST", "/users/auth0%7Cana/identities/undo", Some(&json!({"provider": "scim", "user_id": other}))).await;
        assert_problem(&again, 404, "inexistent_link", "");
    }

    async fn what_cant_be_linked_is_refused_and_nothing_moves(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        api.made(json!({"email": "ana@x.example", "user_id": "ana"})).await;
        let other = pushed(&gateway, "bob").await;
        let before = everything(&gateway).await;
        for (body, status, code, says) in [
            (json!({}), 400, "invalid_body", "link_with"),
            (json!({"provider": "scim", "user_id": other, "link_with": "x"}), 400, "invalid_body", "link_with"),
            (json!({"link_with": "x"}), 400, "invalid_body", "link_with"),
            (json!({"provider": "scim"}), 400, "invalid_body", "user_id"),
            (json!({"provider": "scim", "user_id": "nobody"}), 400, "inexistent_user", "does not exist"),
            (json!({"provider": "auth0", "user_id": "ana"}), 400, "invalid_body", "Main identity and the new one are the same."),
            (json!({"provider": "auth0", "user_id": "auth0|ana"}), 400, "invalid_body", "the same"),
            (json!({"provider": "scim", "user_id": other, "connection_id": "con_x"}), 400, "inexistent_user", ""),
            (json!({"provider": "scim", "user_id": other, "metadata_merge": "all"}), 400, "invalid_body", "metadata_merge"),
            (json!({"provider": "scim", "user_id": other, "more": 1}), 400, "invalid_body", "more"),
        ] {
            assert_problem(&api.link("auth0|ana", &body).await, status, code, says);
        }
        assert_problem(&api.link("auth0|nobody", &json!({"provider": "scim", "user_id": other})).await, 404, "inexistent_user", "");
        let primary = api.send("DELETE", "/users/auth0%7Cana/identities/auth0/ana", None).await;
        assert_problem(&primary, 400, "operation_not_supported", "primary");
        assert_problem(&api.send("DELETE", "/users/auth0%7Cana/identities/scim/none", None).await, 404, "inexistent_identity", "");
        assert_eq!(everything(&gateway).await, before);
    }

    async fn who_has_secondaries_brings_them_along_and_deleting_takes_all(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        for id in ["ana", "eve"] {
            api.made(json!({"email": format!("{id}@x.example"), "user_id": id})).await;
        }
        let other = pushed(&gateway, "bob").await;
        assert_eq!(api.link("auth0|eve", &json!({"provider": "scim", "user_id": other})).await.status, 201);
        let all = api.link("auth0|ana", &json!({"provider": "auth0", "user_id": "eve"})).await;
        let named: Vec<Value> = all.json().as_array().expect("a list").iter().map(|one| one["user_id"].clone()).collect();
        assert_eq!(named, [json!("ana"), json!("eve"), json!("scim|bob")]);
        let undo = api.send("POST", "/users/auth0%7Cana/identities/undo", Some(&json!({"provider": "auth0", "user_id": "eve"}))).await;
        assert_eq!(undo.status, 200, "{}", undo.text);
        let eve = api.shown("auth0|eve").await.json();
        assert_eq!(eve["identities"].as_array().map(Vec::len), Some(2), "with whom she had: {eve}");
        let undo = api.send("POST", "/users/auth0%7Ceve/identities/undo", Some(&json!({"provider": "scim", "user_id": other}))).await;
        assert_eq!(undo.status, 200, "the earlier link is hers again: {}", undo.text);
        assert_eq!(api.link("auth0|eve", &json!({"provider": "scim", "user_id": other})).await.status, 201);
        assert_eq!(api.send("DELETE", "/users/auth0%7Ceve", None).await.status, 204);
        assert_eq!(rows(&gateway, "SELECT id FROM identities").await.len(), 1, "hers are gone, all of them");
        let scim = Caller::new(&gateway);
        assert_eq!(scim.find("Users", "userName eq \"bob\"").await.json()["totalResults"], 0);
    }

    async fn who_is_erased_is_gone_by_every_name_and_no_source_brings_them_back(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        api.made(json!({"email": "ana@x.example", "user_id": "ana"})).await;
        let other = pushed(&gateway, "bob").await;
        assert_eq!(api.link("auth0|ana", &json!({"provider": "scim", "user_id": other})).await.status, 201);
        let before = everything(&gateway).await;
        let plan = api.send("POST", "/users/auth0%7Cana/erasure?dry_run=true", None).await;
        assert_eq!((plan.status, &plan.json()["document"]["gone"]["identities"]), (200, &json!(2)), "{}", plan.text);
        assert_eq!(everything(&gateway).await, before);
        let editor = Api::with(&gateway, &["delete:users", "update:users"]);
        assert_problem(&editor.send("POST", "/users/auth0%7Cana/erasure", None).await, 403, "insufficient_scope", "erase:users");

        let proof = api.send("POST", "/users/auth0%7Cana/erasure", None).await;
        assert_eq!(proof.status, 202, "{}", proof.text);
        for table in ["users", "identities", "handles", "history", "linked_profiles", "linked_history", "user_values", "identity_values", "conflicts"] {
            assert_eq!(rows(&gateway, &format!("SELECT tenant_id FROM {table}")).await.len(), 0, "{table}");
        }
        for (table, columns) in [("log", "detail, actor"), ("outbox", "changed"), ("tombstones", "subject, reason")] {
            let left = json!(rows(&gateway, &format!("SELECT {columns} FROM {table}")).await).to_string();
            assert!(!left.contains("ana") && !left.contains("bob") && !left.contains("x.example"), "{table}: {left}");
        }
        assert!(!proof.text.contains("ana") && !proof.text.contains("bob"), "{}", proof.text);
        let file = gateway.folder().join("proof.json");
        std::fs::write(&file, &proof.text).expect("written");
        let path = file.to_str().expect("text");
        assert!(gateway.cli(&["users", "erase", "--verify", path]).contains("the proof is ours"));
        let mut forged = proof.json();
        forged["document"]["gone"]["identities"] = json!(1);
        std::fs::write(&file, forged.to_string()).expect("written");
        assert!(!gateway.run(&["users", "erase", "--verify", path]).status.success());

        let scim = Caller::new(&gateway);
        let again = json!({"schemas": [USER_URN], "externalId": "bob", "userName": "bob", "displayName": "Bob"});
        assert_eq!(scim.send("POST", "/Users", Some(&again)).await.status, 409);
        let again = json!({"connection": "db", "email": "ana@x.example", "user_id": "ana"});
        assert_problem(&api.send("POST", "/users", Some(&again)).await, 409, "auth0_idp_error", "erased");
        assert_problem(&api.send("POST", "/users/auth0%7Cana/erasure", None).await, 404, "inexistent_user", "");
    }

    async fn another_tenants_people_are_not_there(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        api.made(json!({"email": "ana@x.example", "user_id": "ana"})).await;
        gateway.cli(&["tenant", "create", "second", "--host", "second.example"]);
        let made = gateway.cli(&["token", "create", "--json", "--admin", "--tenant", "second"]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let stranger = Api { gateway: &gateway, token: made["token"].as_str().expect("a token").into() };
        let before = everything(&gateway).await;
        assert_problem(&stranger.shown("auth0|ana").await, 404, "inexistent_user", "");
        assert_problem(&stranger.send("PATCH", "/users/auth0%7Cana", Some(&json!({"name": "x"}))).await, 404, "inexistent_user", "");
        assert_eq!(stranger.send("DELETE", "/users/auth0%7Cana", None).await.status, 204);
        let body = json!({"connection": "db", "email": "b@x.example"});
        assert_problem(&stranger.send("POST", "/users", Some(&body)).await, 400, "inexistent_connection", "");
        assert_problem(&stranger.link("auth0|ana", &json!({"provider": "auth0", "user_id": "ana"})).await, 404, "inexistent_user", "");
        assert_eq!(everything(&gateway).await, before);
    }
}
