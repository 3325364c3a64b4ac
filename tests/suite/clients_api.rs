//! `/api/v2/clients` on both stores: registering applications by API, by the rules of `rosterd client`.

use crate::support::caller::on_both_gateways;
use crate::support::gateway::{Answer, Gateway};
use crate::support::key_pair::{KeyPair, set};
use crate::support::rows::Database;
use serde_json::{Map, Value, json};

struct Api<'a> {
    gateway: &'a Gateway,
    token: String,
}

impl<'a> Api<'a> {
    fn admin(gateway: &'a Gateway) -> Self {
        Self { gateway, token: gateway.bootstrapped("admin_token").to_owned() }
    }

    fn with(gateway: &'a Gateway, arguments: &[&str]) -> Self {
        let made = gateway.cli(&[&["token", "create", "--json", "--admin"], arguments].concat());
        let made: Value = serde_json::from_str(&made).expect("JSON");
        Self { gateway, token: made["token"].as_str().expect("a token").to_owned() }
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(Value::to_string);
        self.send_text(method, path, "application/json", body).await
    }

    async fn send_text(&self, method: &str, path: &str, kind: &str, body: Option<String>) -> Answer {
        let url = format!("{}/api/v2{path}", self.gateway.base_url());
        let headers = [
            (String::from("authorization"), format!("Bearer {}", self.token)),
            (String::from("content-type"), kind.to_owned()),
            (String::from("x-request-id"), String::from("asked-by-test")),
        ];
        self.gateway.send(method, &url, &headers, body).await.expect("an answer")
    }

    async fn made(&self, body: &Value) -> Value {
        let answer = self.send("POST", "/clients", Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }
}

fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.json()["errorCode"]), (status, &json!(code)), "{}", answer.text);
    assert_eq!(answer.json()["statusCode"], status);
    assert!(answer.header("x-ratelimit-reset").is_some_and(|value| value.parse::<u64>().is_ok()));
}

fn shop(name: &str) -> Value {
    json!({"name": name, "callbacks": ["https://shop.example/cb"]})
}

fn path(client: &Value) -> String {
    format!("/clients/{}", client["client_id"].as_str().expect("an id"))
}

async fn log(gateway: &Gateway) -> Vec<Map<String, Value>> {
    let mut rows = Database::open(gateway.database_url()).await;
    rows.rows("SELECT kind, actor, request_id, detail FROM log WHERE kind LIKE 'client.%' ORDER BY created_at, id").await
}

/// What the token endpoint says to a secret: 200, or what it refuses with.
async fn token_for(gateway: &Gateway, client: &Value, secret: &str) -> u16 {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", client["client_id"].as_str().expect("an id")),
        ("client_secret", secret),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [(String::from("content-type"), String::from("application/x-www-form-urlencoded"))];
    gateway.send("POST", &format!("{}/oauth/token", gateway.base_url()), &headers, Some(body)).await.expect("an answer").status
}

on_both_gateways! {
    async fn an_application_is_registered_read_changed_and_removed(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let made = api.made(&json!({
            "name": "shop", "app_type": "regular_web", "callbacks": ["https://shop.example/cb"],
            "allowed_logout_urls": ["https://shop.example/"], "jwt_configuration": {"alg": "ES256"},
            "token_endpoint_auth_method": "client_secret_post", "grant_types": ["authorization_code", "refresh_token"],
            "connections": ["scim"], "id_token_claims": false,
        })).await;
        let secret = made["client_secret"].as_str().expect("a secret, once").to_owned();
        assert_eq!((&made["jwt_configuration"]["alg"], &made["connections"]), (&json!("ES256"), &json!(["scim"])));
        let shown = api.send("GET", &path(&made), None).await.json();
        assert!(shown.get("client_secret").is_none(), "{shown}");
        let mut expected = made.clone();
        expected.as_object_mut().expect("an object").remove("client_secret");
        assert_eq!(shown, expected);
        let by_cli: Value = serde_json::from_str(&gateway.cli(&["client", "show", "shop", "--json"])).expect("JSON");
        assert_eq!(by_cli, shown, "the command line prints the same object");
        assert!(!gateway.everything_printed().contains(&secret));

        let changed = api.send("PATCH", &path(&made), Some(&json!({"name": "store", "callbacks": ["https://store.example/cb"], "id_token_claims": true}))).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let changed = changed.json();
        assert_eq!((&changed["name"], &changed["callbacks"], &changed["id_token_claims"]), (&json!("store"), &json!(["https://store.example/cb"]), &json!(true)));
        assert_eq!((&changed["allowed_logout_urls"], &changed["jwt_configuration"]), (&shown["allowed_logout_urls"], &shown["jwt_configuration"]), "what is not mentioned stays");
        // An object that was read can be written, but for what is the gateway's own.
        let mut echoed = changed.clone();
        for own in ["client_id", "created_at", "updated_at", "former_secret_until"] {
            echoed.as_object_mut().expect("an object").remove(own);
        }
        let before = log(&gateway).await.len();
        let same = api.send("PATCH", &path(&made), Some(&echoed)).await;
        assert_eq!((same.status, same.json()), (200, changed.clone()), "{}", same.text);
        assert_eq!(log(&gateway).await.len(), before, "nothing changed, nothing is written");

        let gone = api.send("DELETE", &path(&made), None).await;
        assert_eq!((gone.status, gone.text.as_str(), gone.header("content-type")), (204, "", None));
        assert_problem(&api.send("GET", &path(&made), None).await, 404, "inexistent_client");
        assert_problem(&api.send("DELETE", &path(&made), None).await, 404, "inexistent_client");

        let rows = log(&gateway).await;
        let kinds: Vec<&str> = rows.iter().map(|row| row["kind"].as_str().expect("a kind")).collect();
        assert_eq!(kinds, ["client.created", "client.updated", "client.deleted"]);
        for row in &rows {
            assert!(row["actor"] != "cli" && row["request_id"] == "asked-by-test", "{row:?}");
            assert!(!row["detail"].to_string().contains(&secret));
        }
    }

    async fn each_type_of_application_is_what_the_command_line_makes_of_it(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        for (body, method, grants) in [
            (json!({"name": "spa", "app_type": "spa", "callbacks": ["https://a.example/cb"]}), "none", json!(["authorization_code", "refresh_token"])),
            (json!({"name": "native", "app_type": "native", "callbacks": ["com.example.app:/cb"]}), "none", json!(["authorization_code", "refresh_token"])),
            (json!({"name": "robot", "app_type": "non_interactive", "scopes": ["read:clients"]}), "client_secret_post", json!(["client_credentials"])),
        ] {
            let made = api.made(&body).await;
            assert_eq!((&made["app_type"], &made["token_endpoint_auth_method"], &made["grant_types"]), (&body["app_type"], &json!(method), &grants));
            assert_eq!(made.get("client_secret").is_some(), method != "none", "{made}");
        }
        for (name, flags) in [("spa", &["--public", "--redirect-uri", "https://a.example/cb"][..]), ("native", &["--native", "--redirect-uri", "com.example.app:/cb"]), ("robot", &["--machine", "--scopes", "read:clients"])] {
            let twin = format!("{name}-2");
            let mut made: Value = serde_json::from_str(&gateway.cli(&[&["client", "create", &twin, "--json"], flags].concat())).expect("JSON");
            let shown: Value = serde_json::from_str(&gateway.cli(&["client", "show", name, "--json"])).expect("JSON");
            let own = ["client_id", "client_secret", "name", "created_at", "updated_at"];
            let mut shown = shown;
            for object in [&mut made, &mut shown] {
                object.as_object_mut().expect("an object").retain(|name, _| !own.contains(&name.as_str()));
            }
            assert_eq!(made, shown, "{name}");
        }
    }

    async fn what_may_not_be_said_is_refused_by_name_and_nothing_is_written(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let there = api.made(&shop("shop")).await;
        for (change, member) in [
            (json!({"nmae": "x"}), "nmae"),
            (json!({"client_secret": "mine"}), "client_secret"),
            (json!({"name": ""}), "name"),
            (json!({"name": "app_1"}), "name"),
            (json!({"callbacks": ["http://shop.example/cb"]}), "callbacks"),
            (json!({"callbacks": ["https://shop.example/#x"]}), "callbacks"),
            (json!({"callbacks": []}), "callbacks"),
            (json!({"allowed_logout_urls": ["/out"]}), "allowed_logout_urls"),
            (json!({"scopes": ["read:users"]}), "scopes"),
            (json!({"connections": ["nowhere"]}), "connections"),
            (json!({"claims_mapping": "scim"}), "claims_mapping"),
            (json!({"claims_mapping": "nothing"}), "claims_mapping"),
            (json!({"jwt_configuration": {"alg": "none"}}), "jwt_configuration.alg"),
            (json!({"grant_types": ["implicit"]}), "grant_types"),
        ] {
            let mut new = shop("other");
            for (name, value) in change.as_object().expect("an object") {
                new[name] = value.clone();
            }
            for answer in [api.send("POST", "/clients", Some(&new)).await, api.send("PATCH", &path(&there), Some(&change)).await] {
                assert_problem(&answer, 400, "invalid_body");
                let message = answer.json()["message"].as_str().expect("a message").to_owned();
                assert!(message.starts_with("Payload validation error: '") && message.ends_with(&format!("on property {member}")), "{message}");
            }
        }
        assert_problem(&api.send("PATCH", &path(&there), Some(&json!({"app_type": "spa"}))).await, 400, "invalid_body");
        assert_problem(&api.send("POST", "/clients", Some(&shop("shop"))).await, 409, "already_exists");
        let other = api.made(&shop("other")).await;
        assert_problem(&api.send("PATCH", &path(&other), Some(&json!({"name": "shop"}))).await, 409, "already_exists");
        assert_problem(&api.send("POST", "/clients", None).await, 400, "invalid_body");
        assert_problem(&api.send_text("POST", "/clients", "application/json", Some("[]".into())).await, 400, "invalid_body");
        assert_problem(&api.send_text("POST", "/clients", "application/json", Some("{".into())).await, 400, "invalid_body");
        assert_problem(&api.send_text("POST", "/clients", "text/plain", Some(shop("x").to_string())).await, 415, "unsupported_media_type");
        let large = json!({"name": "x".repeat(600 << 10)}).to_string();
        assert_problem(&api.send_text("POST", "/clients", "application/json", Some(large)).await, 413, "payload_too_large");
        let wrong = api.send("PUT", &path(&there), Some(&json!({}))).await;
        assert_problem(&wrong, 405, "method_not_allowed");
        assert_eq!(wrong.header("allow"), Some("GET, PATCH, DELETE"));
        assert_eq!(api.send("GET", "/clients", None).await.json().as_array().map(Vec::len), Some(2));
        assert_eq!(api.send("GET", &path(&there), None).await.json()["updated_at"], there["updated_at"]);
    }

    async fn a_secret_is_replaced_and_the_one_until_now_works_on_for_a_while(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let robot = api.made(&json!({"name": "robot", "app_type": "non_interactive", "scopes": ["read:clients"]})).await;
        let first = robot["client_secret"].as_str().expect("a secret").to_owned();
        assert_eq!(token_for(&gateway, &robot, &first).await, 200);
        let rotate = format!("{}/rotate-secret", path(&robot));
        let rotated = api.send("POST", &rotate, None).await;
        assert_eq!(rotated.status, 200, "{}", rotated.text);
        let second = rotated.json()["client_secret"].as_str().expect("a secret").to_owned();
        assert!(rotated.json()["former_secret_until"].is_string());
        assert_eq!((token_for(&gateway, &robot, &first).await, token_for(&gateway, &robot, &second).await), (200, 200));
        let at_once = api.send("POST", &rotate, Some(&json!({"overlap_seconds": 0}))).await.json();
        let third = at_once["client_secret"].as_str().expect("a secret");
        assert_eq!(at_once["former_secret_until"], Value::Null);
        for (secret, status) in [(first.as_str(), 401), (&second, 401), (third, 200)] {
            assert_eq!(token_for(&gateway, &robot, secret).await, status);
        }
        for body in [json!({"overlap_seconds": -1}), json!({"overlap_seconds": "1"}), json!({"overlap": 1}), json!({"overlap_seconds": 99_999_999})] {
            assert_problem(&api.send("POST", &rotate, Some(&body)).await, 400, "invalid_body");
        }
        let spa = api.made(&json!({"name": "spa", "app_type": "spa", "callbacks": ["https://a.example/cb"]})).await;
        assert_problem(&api.send("POST", &format!("{}/rotate-secret", path(&spa)), None).await, 400, "invalid_body");
        assert_eq!(log(&gateway).await.iter().filter(|row| row["kind"] == "client.secret_rotated").count(), 2);
    }

    async fn public_keys_take_the_place_of_a_secret_and_give_nobody_more_than_they_have(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let machine = |name: &str, more: Value| {
            let mut body = json!({"name": name, "app_type": "non_interactive", "scopes": ["read:users"]});
            body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            body
        };
        let keys = set(&[&KeyPair::new("ES256", "one")]);
        let made = api.made(&machine("robot", json!({"jwks": keys, "token_endpoint_auth_method": "private_key_jwt"}))).await;
        assert!(made.get("client_secret").is_none(), "{made}");
        assert_eq!((&made["jwks"], &made["jwks_uri"], &made["token_endpoint_auth_method"]), (&keys, &Value::Null, &json!("private_key_jwt")));
        let at = api.made(&machine("other", json!({"jwks_uri": "https://robot.example/keys"}))).await;
        assert_eq!((&at["jwks"], &at["jwks_uri"]), (&Value::Null, &json!("https://robot.example/keys")));
        let mut private = keys.clone();
        private["keys"][0]["d"] = "x".into();
        for (more, member) in [
            (json!({"jwks": private}), "jwks"),
            (json!({"jwks": {"keys": []}}), "jwks"),
            (json!({"jwks_uri": "http://127.0.0.1/keys"}), "jwks_uri"),
            (json!({"pkce_required": false}), "pkce_required"),
        ] {
            let refused = api.send("POST", "/clients", Some(&machine("new", more.clone()))).await;
            assert_problem(&refused, 400, "invalid_body");
            assert!(refused.text.contains(member) && !refused.text.contains("\"d\""), "{more}: {}", refused.text);
        }
        let shop = api.made(&json!({"name": "shop", "callbacks": ["https://a.example/cb"], "pkce_required": false})).await;
        assert_eq!(shop["pkce_required"], json!(false));
        let helper = Api::with(&gateway, &["--scopes", "update:clients"]);
        let own = json!({"jwks": set(&[&KeyPair::new("ES256", "helpers")])});
        assert_problem(&helper.send("PATCH", &path(&made), Some(&own)).await, 403, "insufficient_scope");
        let back = api.send("PATCH", &path(&made), Some(&json!({"jwks": null, "jwks_uri": null}))).await.json();
        let secret = back["client_secret"].as_str().expect("a secret again, this once");
        assert_eq!(token_for(&gateway, &made, secret).await, 200);
        assert_eq!(api.send("GET", &path(&made), None).await.json().get("client_secret"), None);
        let plan = api.send("POST", &format!("{}/revoke?dry_run=true", path(&made)), None).await;
        assert_eq!((plan.status, &plan.json()["step"]), (200, &json!("revoke")));
        assert_eq!(api.send("POST", &format!("{}/revoke", path(&made)), None).await.status, 204);
        let mut rows = Database::open(gateway.database_url()).await;
        assert!(rows.rows("SELECT id FROM tokens WHERE client_id IS NOT NULL").await.is_empty());
    }

    async fn each_call_asks_for_its_scope_and_nobody_gives_what_they_do_not_have(store) {
        let gateway = Gateway::start(store).await;
        let admin = Api::admin(&gateway);
        let there = admin.made(&shop("shop")).await;
        let robot = admin.made(&json!({"name": "robot", "app_type": "non_interactive", "scopes": ["read:users", "read:raw"]})).await;
        let rotate = |client: &Value| format!("{}/rotate-secret", path(client));
        let calls = [
            ("GET", String::from("/clients"), None, "read:clients"),
            ("GET", path(&there), None, "read:clients"),
            ("POST", String::from("/clients"), Some(shop("new")), "create:clients"),
            ("PATCH", path(&there), Some(json!({"name": "x"})), "update:clients"),
            ("POST", rotate(&there), None, "update:clients"),
            ("POST", format!("{}/revoke", path(&there)), None, "update:clients"),
            ("DELETE", path(&there), None, "delete:clients"),
        ];
        for (method, path, body, needed) in &calls {
            let others: Vec<&str> = ["read:clients", "create:clients", "update:clients", "delete:clients", "read:users"].into_iter().filter(|scope| scope != needed).collect();
            let short = Api::with(&gateway, &["--scopes", &others.join(",")]);
            let refused = short.send(method, path, body.as_ref()).await;
            assert_problem(&refused, 403, "insufficient_scope");
            assert_eq!(refused.json()["message"], format!("Insufficient scope, expected any of: {needed}"));
            let mut nobody = Api::admin(&gateway);
            nobody.token = gateway.token().to_owned();
            assert_problem(&nobody.send(method, path, body.as_ref()).await, 401, "invalid_token");
        }
        let helper = Api::with(&gateway, &["--scopes", "create:clients,update:clients,read:users"]);
        let machine = |scopes: Value| json!({"name": "helper", "app_type": "non_interactive", "scopes": scopes});
        for scopes in [json!(["*"]), json!(["read:users", "delete:clients"])] {
            assert_problem(&helper.send("POST", "/clients", Some(&machine(scopes))).await, 403, "insufficient_scope");
        }
        let own = helper.made(&machine(json!(["read:users"]))).await;
        assert_problem(&helper.send("PATCH", &path(&own), Some(&json!({"scopes": ["*"]}))).await, 403, "insufficient_scope");
        assert_problem(&helper.send("POST", &rotate(&robot), None).await, 403, "insufficient_scope");
        assert_eq!(helper.send("POST", &rotate(&own), None).await.status, 200);
        assert_eq!(helper.send("PATCH", &path(&robot), Some(&json!({"name": "robot-2"}))).await.status, 200, "what gives nothing away");
    }

    async fn a_dry_run_says_what_would_be_done_and_does_nothing(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        let there = api.made(&shop("shop")).await;
        let before = log(&gateway).await.len();
        let planned = api.send("POST", "/clients?dry_run=true", Some(&shop("new"))).await;
        let plan = planned.json();
        assert_eq!((planned.status, &plan["step"], &plan["dry_run"]), (200, &json!("create"), &json!(true)), "{plan}");
        assert!(plan["client"].get("client_id").is_none() && !planned.text.contains("secret\":\""), "{plan}");
        let plan = api.send("PATCH", &format!("{}?dry_run=true", path(&there)), Some(&json!({"name": "store"}))).await.json();
        assert_eq!(plan["changes"], json!([{"attribute": "name", "before": "shop", "after": "store"}]));
        let plan = api.send("POST", &format!("{}/rotate-secret?dry_run=true", path(&there)), None).await;
        assert_eq!((&plan.json()["step"], plan.json().get("client_secret")), (&json!("rotate_secret"), None));
        let plan = api.send("DELETE", &format!("{}?dry_run=true", path(&there)), None).await;
        assert_eq!((plan.status, &plan.json()["step"], &plan.json()["client"]["name"]), (200, &json!("delete"), &json!("shop")));
        assert_problem(&api.send("POST", "/clients?dry_run=true", Some(&shop("shop"))).await, 409, "already_exists");
        assert_problem(&api.send("POST", "/clients?dry_run=true", Some(&json!({"name": "new"}))).await, 400, "invalid_body");
        assert_problem(&api.send("POST", "/clients?dry_run=maybe", Some(&shop("new"))).await, 400, "invalid_query_string");
        assert_eq!(api.send("GET", &path(&there), None).await.json()["updated_at"], there["updated_at"]);
        assert_eq!(log(&gateway).await.len(), before);
    }

    async fn lists_come_in_the_three_shapes_and_without_secrets(store) {
        let gateway = Gateway::start(store).await;
        let api = Api::admin(&gateway);
        for number in 0..7 {
            api.made(&shop(&format!("shop-{number}"))).await;
        }
        let names = |list: &Value| list.as_array().expect("a list").iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>();
        let all = api.send("GET", "/clients", None).await;
        assert_eq!(names(&all.json()), (0..7).map(|number| format!("shop-{number}")).collect::<Vec<_>>());
        assert!(!all.text.contains("client_secret\":"), "{}", all.text);
        let page = api.send("GET", "/clients?page=1&per_page=3&include_totals=true", None).await.json();
        assert_eq!((&page["start"], &page["limit"], &page["length"], &page["total"]), (&json!(3), &json!(3), &json!(3), &json!(7)));
        assert_eq!(names(&page["clients"]), ["shop-3", "shop-4", "shop-5"]);
        let past = api.send("GET", "/clients?page=9&per_page=3&include_totals=true", None).await;
        assert_eq!((past.status, &past.json()["clients"], &past.json()["total"]), (200, &json!([]), &json!(7)));
        assert_eq!(api.send("GET", "/clients?page=9&per_page=3", None).await.json(), json!([]));
        let mut walked = Vec::new();
        let mut next = String::from("/clients?take=3");
        loop {
            let page = api.send("GET", &next, None).await.json();
            walked.extend(names(&page["clients"]));
            let Some(from) = page.get("next") else { break };
            next = format!("/clients?take=3&from={}", from.as_str().expect("a checkpoint"));
        }
        assert_eq!(walked, names(&all.json()));
        let named = api.send("GET", "/clients?fields=name,client_id&per_page=1", None).await.json();
        assert_eq!(named[0].as_object().map(Map::len), Some(2));
        let rest = api.send("GET", "/clients?fields=name&include_fields=false&per_page=1", None).await.json();
        assert!(rest[0].get("name").is_none() && rest[0].get("client_id").is_some());
        assert_problem(&api.send("GET", "/clients?page=10&per_page=100", None).await, 400, "invalid_paging");
        for query in ["page=-1", "per_page=0", "per_page=101", "include_totals=maybe", "take=0", "from=made-up"] {
            assert_problem(&api.send("GET", &format!("/clients?{query}"), None).await, 400, "invalid_query_string");
        }
    }

    async fn another_tenants_applications_are_not_there(store) {
        let gateway = Gateway::start(store).await;
        gateway.cli(&["tenant", "create", "other", "--host", "other.example"]);
        let (here, there) = (Api::admin(&gateway), Api::with(&gateway, &["--tenant", "other"]));
        let theirs = there.made(&shop("shop")).await;
        let ours = here.made(&shop("shop")).await;
        assert_ne!(ours["client_id"], theirs["client_id"], "names are a tenant's own");
        let rotate = format!("{}/rotate-secret", path(&theirs));
        for (method, path, body) in [
            ("GET", path(&theirs), None),
            ("PATCH", path(&theirs), Some(json!({"name": "taken over"}))),
            ("DELETE", path(&theirs), None),
            ("POST", rotate, None),
            ("POST", format!("{}/revoke", path(&theirs)), None),
        ] {
            assert_problem(&here.send(method, &path, body.as_ref()).await, 404, "inexistent_client");
        }
        assert_eq!(here.send("GET", "/clients", None).await.json().as_array().map(Vec::len), Some(1));
        assert_problem(&there.send("POST", "/clients", Some(&json!({"name": "x", "callbacks": ["https://a.example"], "connections": ["scim"]}))).await, 400, "invalid_body");
        assert_eq!(there.send("GET", &path(&theirs), None).await.json()["name"], "shop");
    }

    async fn the_command_line_shows_plans_and_edits_the_same_objects(store) {
        let gateway = Gateway::start(store).await;
        let json = |line: &[&str]| -> Value { serde_json::from_str(&gateway.cli(line)).expect("JSON") };
        let made = json(&["client", "create", "shop", "--redirect-uri", "https://a.example/cb", "--connection", "scim", "--json"]);
        assert!(made["client_secret"].is_string());
        let plan = json(&["client", "create", "new", "--redirect-uri", "https://a.example/cb", "--dry-run", "--json"]);
        assert_eq!((&plan["step"], plan.get("client_secret")), (&json!("create"), None));
        let plan = json(&["client", "update", "shop", "--redirect-uri", "https://b.example/cb", "--claims-mapping", "application", "--dry-run", "--json"]);
        assert_eq!(plan["changes"].as_array().map(Vec::len), Some(2), "{plan}");
        let changed = json(&["client", "update", "shop", "--name", "store", "--redirect-uri", "https://b.example/cb", "--remove-redirect-uri", "https://a.example/cb", "--remove-connection", "scim", "--claims-mapping", "application", "--claims-by-userinfo", "--json"]);
        assert_eq!((&changed["name"], &changed["callbacks"], &changed["connections"]), (&json!("store"), &json!(["https://b.example/cb"]), &json!([])));
        assert_eq!((&changed["claims_mapping"], &changed["id_token_claims"]), (&json!("application"), &json!(false)));
        let changed = json(&["client", "update", "store", "--no-claims-mapping", "--claims-by-userinfo", "false", "--json"]);
        assert_eq!((&changed["claims_mapping"], &changed["id_token_claims"]), (&Value::Null, &json!(true)));
        assert!(gateway.cli(&["client", "update", "store", "--rotate-secret", "--dry-run"]).contains("nothing was stored"));
        assert_eq!(json(&["client", "list", "--json"]).as_array().map(Vec::len), Some(1));
        assert!(gateway.cli(&["client", "delete", "store", "--dry-run"]).contains("https://b.example/cb"));
        let refused = |line: &[&str]| {
            let output = gateway.run(line);
            assert!(!output.status.success(), "{line:?}");
            String::from_utf8(output.stderr).expect("text")
        };
        assert!(refused(&["client", "update", "store", "--remove-redirect-uri", "https://b.example/cb"]).contains("--redirect-uri"));
        assert!(refused(&["client", "update", "store", "--remove-redirect-uri", "https://c.example/cb"]).contains("it has no address"));
        assert!(refused(&["client", "update", "store", "--connection", "scmi"]).contains("did you mean scim?"));
        assert!(refused(&["client", "update", "store", "--rotate-secret", "--overlap", "365d"]).contains("at most 90d"));
        let gone = json(&["client", "delete", "store", "--yes", "--json"]);
        assert_eq!((&gone["name"], &json(&["client", "list", "--json"])), (&json!("store"), &json!([])));
    }
}
