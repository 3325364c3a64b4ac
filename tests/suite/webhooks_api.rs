//! `/api/v2/webhooks` and `rosterd webhook` on both stores: what may be said of one, by whom, and which addresses are never called.

use crate::support::caller::{Caller, on_both_gateways, user};
use crate::support::gateway::Gateway;
use crate::support::management::Management;
use crate::support::receiver::{Manner, Receiver};
use crate::support::rows::Database;
use serde_json::{Value, json};

fn path(hook: &Value) -> String {
    format!("/webhooks/{}", hook["id"].as_str().expect("an id"))
}

fn at(url: &str) -> Value {
    json!({ "url": url })
}

on_both_gateways! {
    async fn a_webhook_is_made_read_changed_and_removed(store) {
        let gateway = Gateway::start(store).await;
        let api = Management::admin(&gateway);
        let wanted = json!({"url": "https://app.example.com/hook", "types": ["user.deleted", "user.created"], "description": "people", "enabled": false});
        let made = api.done("POST", "/webhooks", Some(&wanted)).await;
        let secret = made["secret"].as_str().expect("a secret, once").to_owned();
        assert!(secret.starts_with("whsec_") && made["id"].as_str().is_some_and(|id| id.starts_with("wh_")), "{made}");
        assert_eq!((&made["types"], &made["enabled"]), (&json!(["user.created", "user.deleted"]), &json!(false)));
        let shown = api.done("GET", &path(&made), None).await;
        assert!(shown.get("secret").is_none() && shown["waiting"] == 0 && shown["dead"] == 0, "{shown}");
        let by_cli: Value = serde_json::from_str(&gateway.cli(&["webhook", "show", made["id"].as_str().expect("an id"), "--json"])).expect("JSON");
        assert_eq!(by_cli, shown, "the command line prints the same object");
        let listed = api.done("GET", "/webhooks", None).await;
        assert_eq!((listed["webhooks"].as_array().map(Vec::len), listed.get("next")), (Some(1), None));

        let changed = api.done("PATCH", &path(&made), Some(&json!({"types": [], "enabled": true}))).await;
        assert_eq!((&changed["types"], &changed["enabled"], &changed["url"], &changed["description"]), (&json!([]), &json!(true), &wanted["url"], &wanted["description"]));
        let rotated = api.done("POST", &format!("{}/rotate-secret", path(&made)), Some(&json!({"overlap_seconds": 60}))).await;
        assert!(rotated["secret"].as_str().is_some_and(|new| new != secret) && rotated["former_secret_until"].is_string(), "{rotated}");
        api.done("DELETE", &path(&made), None).await;
        api.refused("GET", &path(&made), None, (404, "inexistent_webhook")).await;
        let kinds = Database::open(gateway.database_url()).await.rows("SELECT kind, detail FROM log WHERE kind LIKE 'webhook.%' ORDER BY created_at, id").await;
        let names: Vec<&str> = kinds.iter().filter_map(|row| row["kind"].as_str()).collect();
        assert_eq!(names, ["webhook.created", "webhook.updated", "webhook.secret.rotated", "webhook.deleted"]);
        assert!(!kinds.iter().any(|row| row["detail"].to_string().contains("whsec_")) && !gateway.everything_printed().contains(&secret));
    }

    async fn a_dry_run_says_what_would_be_and_does_nothing(store) {
        let gateway = Gateway::start(store).await;
        let api = Management::admin(&gateway);
        let plan = api.done("POST", "/webhooks?dry_run=true", Some(&at("https://a.example/"))).await;
        assert_eq!((&plan["dry_run"], &plan["step"], &plan["webhook"]["url"]), (&json!(true), &json!("create"), &json!("https://a.example/")));
        assert!(!plan.to_string().contains("whsec_"), "{plan}");
        assert_eq!(api.done("GET", "/webhooks", None).await["webhooks"], json!([]));
        let made = api.done("POST", "/webhooks", Some(&at("https://a.example/"))).await;
        let plan = api.done("PATCH", &format!("{}?dry_run=true", path(&made)), Some(&json!({"enabled": false}))).await;
        assert_eq!(plan["changes"], json!([{"attribute": "enabled", "before": true, "after": false}]));
        api.done("POST", &format!("{}/rotate-secret?dry_run=true", path(&made)), None).await;
        api.done("DELETE", &format!("{}?dry_run=true", path(&made)), None).await;
        let shown = api.done("GET", &path(&made), None).await;
        assert!(shown["enabled"] == true && shown.get("former_secret_until").is_none(), "{shown}");
    }

    async fn what_may_not_be_said_is_refused_by_name(store) {
        let gateway = Gateway::start(store).await;
        let api = Management::admin(&gateway);
        let made = api.done("POST", "/webhooks", Some(&at("https://a.example/"))).await;
        for (body, member) in [
            (json!({}), "url"),
            (json!({"url": 1}), "url"),
            (json!({"url": "https://a.example/", "secret": "whsec_x"}), "secret"),
            (json!({"url": "https://a.example/", "types": ["user.craeted"]}), "types"),
            (json!({"url": "https://a.example/", "description": "x".repeat(257)}), "description"),
            (json!({"url": "https://a.example/", "enabled": 1}), "enabled"),
        ] {
            let refused = api.refused("POST", "/webhooks", Some(&body), (400, "invalid_body")).await;
            assert!(refused["message"].as_str().is_some_and(|message| message.ends_with(&format!("on property {member}"))), "{refused}");
        }
        let again = format!("{}/redeliver", path(&made));
        for body in [json!({}), json!({"dead": false}), json!({"dead": true, "event_id": "x"}), json!({"event_id": "x"}), json!({"from": "x"}), json!({"since": "soon"}), json!({"all": true})] {
            api.refused("POST", &again, Some(&body), (400, "invalid_body")).await;
        }
        api.refused("POST", &format!("{}/rotate-secret", path(&made)), Some(&json!({"overlap_seconds": -1})), (400, "invalid_body")).await;
        api.refused("GET", &format!("{}/deliveries?from=x", path(&made)), None, (400, "invalid_query_string")).await;
        for missing in ["/webhooks/wh_0", "/webhooks/%00", "/webhooks/x/y"] {
            let answer = api.get(missing).await;
            assert!(matches!(answer.status, 400 | 404), "{missing}: {}", answer.text);
        }
        let reader = Management::with(&gateway, &["--scopes", "read:webhooks"]);
        reader.done("GET", "/webhooks", None).await;
        reader.refused("POST", "/webhooks", Some(&at("https://a.example/")), (403, "insufficient_scope")).await;
        reader.refused("DELETE", &path(&made), None, (403, "insufficient_scope")).await;
        reader.refused("POST", &format!("{}/test", path(&made)), None, (403, "insufficient_scope")).await;
        // Another tenant's is not there.
        gateway.cli(&["tenant", "create", "other", "--json"]);
        let other = Management::with(&gateway, &["--tenant", "other"]);
        for (method, path) in [("GET", path(&made)), ("DELETE", path(&made)), ("POST", format!("{}/test", path(&made))), ("GET", format!("{}/deliveries", path(&made)))] {
            other.refused(method, &path, None, (404, "inexistent_webhook")).await;
        }
        assert_eq!(other.done("GET", "/webhooks", None).await["webhooks"], json!([]));
    }

    async fn a_tenant_has_so_many_and_no_more(store) {
        let gateway = Gateway::start(store).await;
        let api = Management::admin(&gateway);
        for n in 0..100 {
            api.done("POST", "/webhooks", Some(&at(&format!("https://a.example/{n}")))).await;
        }
        api.refused("POST", "/webhooks", Some(&at("https://a.example/x")), (409, "already_exists")).await;
        let first = api.done("GET", "/webhooks?take=60", None).await;
        let next = first["next"].as_str().expect("a next page");
        let second = api.done("GET", &format!("/webhooks?take=60&from={next}"), None).await;
        assert_eq!((second["webhooks"].as_array().map(Vec::len), second.get("next")), (Some(40), None));
    }

    /// Each attack by its name: an administrator of a tenant who wants the gateway to call what only it can reach.
    async fn nobody_makes_the_gateway_call_its_own_networks(store) {
        let gateway = Gateway::start(store).await;
        let (api, victim) = (Management::admin(&gateway), Receiver::that(Manner::Take));
        for (attack, url) in [
            ("loopback in plain", victim.url()),
            ("loopback by TLS", String::from("https://127.0.0.1:8443/")),
            ("loopback as a number", String::from("https://2130706433/")),
            ("loopback in octal", String::from("https://0177.0.0.1/")),
            ("loopback of IPv6", String::from("https://[::1]/")),
            ("loopback in IPv6", String::from("https://[::ffff:127.0.0.1]/")),
            ("credentials of a cloud", String::from("https://169.254.169.254/latest/meta-data/")),
            ("no host", String::from("https://0.0.0.0/")),
            ("another scheme", String::from("file:///etc/passwd")),
            ("another scheme with a host", String::from("gopher://example.com/")),
            ("a service that is no web server", String::from("https://example.com:25/")),
            ("a user name that looks like a host", String::from("https://app.example.com@127.0.0.1/")),
            ("no encryption", String::from("http://app.example.com/")),
            ("a header in the address", String::from("https://app.example.com/\r\nx: y")),
        ] {
            let refused = api.refused("POST", "/webhooks", Some(&at(&url)), (400, "invalid_body")).await;
            assert!(refused["message"].as_str().is_some_and(|message| message.ends_with("on property url")), "{attack}: {refused}");
        }
        api.refused("POST", "/webhooks", Some(&json!({"url": victim.url(), "allow_plaintext": true})), (400, "invalid_body")).await;
        // What only shows when a name is resolved is refused at each call.
        for (attack, url, says) in [
            ("a name of this machine", "https://localhost:8443/", "is this machine"),
            ("a private network", "https://10.0.0.1/", "private network"),
            ("a private network of IPv6", "https://[fd00::1]/", "private network"),
        ] {
            let made = api.done("POST", "/webhooks", Some(&json!({"url": url, "enabled": false}))).await;
            let tried = api.done("POST", &format!("{}/test", path(&made)), None).await;
            assert!(tried["delivered"] == false && tried["error"].as_str().is_some_and(|error| error.contains(says)), "{attack}: {tried}");
        }
        // One that the operator opened leads where the operator said, and nowhere else.
        let made: Value = serde_json::from_str(&gateway.cli(&["webhook", "create", "--url", &victim.url(), "--allow-plaintext", "--json"])).expect("JSON");
        api.refused("PATCH", &path(&made), Some(&at("http://127.0.0.1:1/")), (400, "invalid_body")).await;
        assert_eq!(victim.sent().len(), 0);
    }

    async fn a_test_is_sent_at_once_and_says_what_came_of_it(store) {
        let gateway = Gateway::start(store).await;
        let (api, receiver) = (Management::admin(&gateway), Receiver::that(Manner::Take));
        let made: Value = serde_json::from_str(&gateway.cli(&["webhook", "create", "--url", &receiver.url(), "--allow-plaintext", "--disabled", "--json"])).expect("JSON");
        let tried = api.done("POST", &format!("{}/test", path(&made)), None).await;
        assert_eq!((&tried["delivered"], &tried["status"]), (&json!(true), &json!(204)));
        let sent = &receiver.sent()[0];
        assert_eq!((&sent.json()["type"], &sent.json()["id"]), (&json!("webhook.test"), &tried["event_id"]));
        assert_eq!(sent.headers.get("webhook-id").map(String::as_str), tried["event_id"].as_str());
        receiver.does(|_| Manner::Answer(503, vec![]));
        let id = made["id"].as_str().expect("an id");
        let run = gateway.run(&["webhook", "test", id, "--json"]);
        let tried: Value = serde_json::from_slice(&run.stdout).expect("JSON");
        assert_eq!((run.status.code(), &tried["status"], &tried["error"]), (Some(1), &json!(503), &json!("the answer is 503: no")));
    }

    async fn the_command_line_makes_lists_changes_and_removes(store) {
        let gateway = Gateway::start(store).await;
        let made: Value = serde_json::from_str(&gateway.cli(&["webhook", "create", "--url", "https://a.example/", "--type", "user.created", "--json"])).expect("JSON");
        let id = made["id"].as_str().expect("an id");
        assert!(gateway.cli(&["webhook", "list"]).contains(id));
        let listed: Value = serde_json::from_str(&gateway.cli(&["webhook", "list", "--json"])).expect("JSON");
        assert_eq!(listed.as_array().map(Vec::len), Some(1));
        let changed: Value = serde_json::from_str(&gateway.cli(&["webhook", "update", id, "--all-types", "--disable", "--description", "x", "--json"])).expect("JSON");
        assert_eq!((&changed["types"], &changed["enabled"], &changed["description"]), (&json!([]), &json!(false), &json!("x")));
        let rotated: Value = serde_json::from_str(&gateway.cli(&["webhook", "update", id, "--rotate-secret", "--overlap", "1h", "--json"])).expect("JSON");
        assert!(rotated["secret"].is_string() && rotated["secret"] != made["secret"]);
        assert_eq!(gateway.cli(&["webhook", "deliveries", id, "--json"]).trim(), "[]");
        let refused = gateway.run(&["webhook", "create", "--url", "https://a.example/", "--type", "user.craeted"]);
        assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("did you mean user.created?"));
        gateway.cli(&["webhook", "delete", id, "--yes"]);
        assert!(!gateway.run(&["webhook", "show", id]).status.success());
    }

    async fn a_webhook_gets_its_types_alone_and_nothing_from_before(store) {
        let gateway = Gateway::start(store).await;
        let (caller, api, receiver) = (Caller::new(&gateway), Management::admin(&gateway), Receiver::that(Manner::Take));
        let ann = caller.create("Users", &user("ann")).await;
        // It has its place.
        while api.done("GET", "/events", None).await["events"] == json!([]) {}
        gateway.cli(&["webhook", "create", "--url", &receiver.url(), "--allow-plaintext", "--type", "user.created"]);
        let boss = json!([{"op": "replace", "path": "title", "value": "Boss"}]);
        assert_eq!(caller.patch(&format!("/Users/{ann}"), boss).await.status, 200);
        caller.create("Users", &user("bob")).await;
        let taken = receiver.has(1).await;
        assert!(taken.len() == 1 && taken[0]["data"]["object"]["user_id"].to_string().contains("x-bob"), "{taken:?}");
    }
}
