//! Every error of RFC 7644 §3.12 and RFC 9865 §2.1 that the gateway sends, met once through the wire on both stores: status,
//! `scimType`, form, and a detail that names what was wrong and gives nothing away.

use serde_json::{Value, json};

use super::support::caller::{Caller, ERROR_URN, assert_refused, encoded, group, on_both_gateways, patch, user};
use super::support::gateway::{Answer, Gateway};

/// The error, with no member beside those of the RFC, and a detail that holds `named`.
fn assert_told(answer: &Answer, status: u16, scim_type: Option<&str>, named: &str) {
    assert_refused(answer, status, scim_type);
    let body = answer.json();
    let names: Vec<&String> = body.as_object().expect("an object").keys().collect();
    let known = ["schemas", "status", "scimType", "detail"];
    assert!(names.iter().all(|name| known.contains(&name.as_str())), "{body}");
    assert_eq!((&body["schemas"], &body["status"]), (&json!([ERROR_URN]), &json!(status.to_string())));
    assert!(body["detail"].as_str().is_some_and(|detail| detail.contains(named)), "{named}: {body}");
    for inner in ["SELECT", "identities", "sqlite", "postgres", "panicked", "src/"] {
        assert!(!answer.text.contains(inner), "{inner}: {}", answer.text);
    }
}

on_both_gateways! {
    async fn each_kind_of_bad_request_has_its_own_word(store) {
        let gateway = Gateway::start_with(store, &[("scim.filter_scan_max", "100"), ("scim.cursor_timeout_seconds", "1")]).await;
        let token = gateway.connect("strict", &[("strict".to_owned(), "true".to_owned())]);
        let (caller, strict) = (Caller::new(&gateway), Caller::of(&gateway, "strict", &token));
        let (path, theirs) = (format!("/Users/{}", caller.create("Users", &user("told")).await), format!("/Users/{}", strict.create("Users", &user("told")).await));
        let cursor = async || {
            let page = caller.get("/Users?count=1&cursor=").await.json();
            page["nextCursor"].as_str().unwrap_or_else(|| panic!("no cursor: {page}")).to_owned()
        };
        let change = async |caller: &Caller, path: &str, operation: Value| caller.patch(path, json!([operation])).await;
        assert_told(&caller.find("Users", "userName like \"a\"").await, 400, Some("invalidFilter"), "like");
        assert_told(&change(&caller, &path, json!({"op": "remove", "path": "emails[nosuch eq 1]"})).await, 400, Some("invalidFilter"), "nosuch");
        assert_told(&change(&caller, &path, json!({"op": "replace", "path": "nosuch", "value": 1})).await, 400, Some("invalidPath"), "nosuch");
        assert_told(&change(&caller, &path, json!({"op": "remove"})).await, 400, Some("noTarget"), "path");
        assert_told(&change(&strict, &theirs, json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "a"})).await, 400, Some("noTarget"), "emails");
        assert_told(&change(&caller, &path, json!({"op": "replace", "path": "id", "value": "a"})).await, 400, Some("mutability"), "id");
        assert_told(&change(&caller, &path, json!({"op": "copy", "path": "title"})).await, 400, Some("invalidSyntax"), "op");
        let broken = caller.try_send("POST", "/Users", &[("content-type", "application/scim+json")], Some(b"{\"userName\"".to_vec())).await;
        assert_told(&broken.expect("an answer"), 400, Some("invalidSyntax"), "the body");
        assert_told(&caller.send("POST", "/Users", Some(&json!({"displayName": "x"}))).await, 400, Some("invalidValue"), "userName");
        assert_told(&caller.send("POST", "/Users", Some(&user("TOLD"))).await, 409, Some("uniqueness"), "userName");
        assert_told(&caller.send("POST", "/Groups", Some(&group("G", &["nobody"]))).await, 400, Some("invalidValue"), "nobody");
        for number in 0..101 {
            caller.create("Users", &user(&format!("n{number}"))).await;
        }
        assert_told(&caller.find("Users", "title co \"a\"").await, 400, Some("tooMany"), "100");
        assert_told(&caller.get("/Users?count=1&cursor=forged").await, 400, Some("invalidCursor"), "cursor");
        assert_told(&caller.get(&format!("/Users?count=2&cursor={}", cursor().await)).await, 400, Some("invalidCount"), "count");
        let late = cursor().await;
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        assert_told(&caller.get(&format!("/Users?count=1&cursor={late}")).await, 400, Some("expiredCursor"), "cursor");
    }

    async fn what_is_no_bad_request_is_told_by_its_status_alone(store) {
        let settings = [("scim.bulk_operations_max", "0"), ("server.body_bytes_max", "4096"), ("limits.token_requests_per_second", "1"), ("limits.token_burst", "40")];
        let gateway = Gateway::start_with(store, &settings).await;
        let careful = Caller::of(&gateway, "careful", &gateway.connect("careful", &[("require_if_match".to_owned(), "true".to_owned())]));
        let caller = Caller::new(&gateway);
        let path = format!("/Users/{}", caller.create("Users", &user("told")).await);
        let printed = gateway.cli(&["token", "create", "--connection", "scim", "--scopes", "get:users", "--json"]);
        let reader = serde_json::from_str::<Value>(&printed).expect("JSON")["token"].as_str().expect("a token").to_owned();
        let title = patch(json!([{"op": "replace", "path": "title", "value": "T"}]));
        let unknown = Caller::of(&gateway, "scim", "nobody").get(&path).await;
        assert_told(&unknown, 401, None, "token");
        assert!(unknown.header("www-authenticate").is_some());
        assert_told(&Caller::of(&gateway, "scim", &reader).send("DELETE", &path, None).await, 403, None, "delete:users");
        assert_told(&caller.get("/Schemas?filter=id%20pr").await, 403, None, "filter");
        assert_told(&caller.get("/Users/nobody").await, 404, None, "no such");
        assert_told(&caller.get("/Nothing").await, 404, None, "no such");
        let wrong = caller.send("DELETE", "/Users", None).await;
        assert_told(&wrong, 405, None, "DELETE");
        assert_eq!(wrong.header("allow"), Some("GET, POST"));
        assert_told(&caller.send_with("PATCH", &path, &[("if-match", "\"99\"")], Some(&title)).await, 412, None, "version");
        let mut large = user("large");
        large["title"] = json!("x".repeat(5_000));
        assert_told(&caller.send("POST", "/Users", Some(&large)).await, 413, None, "4096");
        let plain = caller.try_send("POST", "/Users", &[("content-type", "text/plain")], Some(b"{}".to_vec())).await;
        assert_told(&plain.expect("an answer"), 415, None, "application/scim+json");
        let owned = format!("/Users/{}", careful.create("Users", &user("told")).await);
        assert_told(&careful.send("PATCH", &owned, Some(&title)).await, 428, None, "If-Match");
        assert_told(&caller.send("POST", "/Bulk", Some(&json!({}))).await, 501, None, "Bulk");
        let mut last = caller.get("/Users?count=0").await;
        for _ in 0..60 {
            if last.status == 429 {
                break;
            }
            last = caller.get("/Users?count=0").await;
        }
        assert_told(&last, 429, None, "");
        assert!(last.header("retry-after").and_then(|seconds| seconds.parse::<u32>().ok()).is_some_and(|seconds| seconds > 0));
    }

    async fn a_refusal_never_quotes_what_it_should_not_have_seen(store) {
        let gateway = Gateway::start(store).await;
        let caller = Caller::new(&gateway);
        let secret = "Swordfish-77";
        let mut body = user("quoted");
        body["password"] = json!([secret]);
        let path = format!("/Users/{}", caller.create("Users", &user("quoted")).await);
        for answer in [
            caller.send("POST", "/Users", Some(&body)).await,
            caller.send("PUT", &path, Some(&body)).await,
            caller.patch(&path, json!([{"op": "add", "path": "password", "value": {"a": secret}}])).await,
            caller.get(&format!("/Users?filter={}", encoded(&format!("password eq \"{secret}\"")))).await,
            caller.get(&format!("/Users?filter={}", encoded(&format!("active eq \"{secret}\"")))).await,
        ] {
            assert_eq!(answer.status, 400, "{}", answer.text);
            assert!(!answer.text.contains(secret), "{}", answer.text);
        }
    }
}
