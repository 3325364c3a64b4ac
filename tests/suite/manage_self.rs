//! What people may do to their own profile by an application of theirs, on both stores: read it, change their `user_metadata`, connect
//! another account of theirs with a proof; and nothing of anybody else.

use crate::support::application::{Application, text};
use crate::support::caller::on_both_gateways;
use crate::support::gateway::Answer;
use crate::support::saml_site::{Browser, SamlSite};
use serde_json::{Value, json};

const ALL: &str = "openid read:current_user update:current_user_metadata update:current_user_identities";

/// A browser of somebody who is signed in under this name.
async fn as_whom<'a>(site: &'a SamlSite, name: &str) -> Browser<'a> {
    let mut browser = site.browser();
    let answer = browser.log_in(|login| login.with(">alice<", &format!(">{name}<"))).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    browser
}

async fn tokens(site: &SamlSite, app: &Application<'_>, name: &str, scope: &str, audience: bool) -> Value {
    let mut browser = as_whom(site, name).await;
    let address = format!("{}/api/v2/", site.gateway.base_url());
    let audience = if audience { address.as_str() } else { "" };
    app.tokens(&mut browser, &[("scope", scope), ("audience", audience)]).await
}

async fn call(site: &SamlSite, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
    let headers = [
        (String::from("authorization"), format!("Bearer {token}")),
        (String::from("content-type"), String::from("application/json")),
    ];
    let url = format!("{}/api/v2{path}", site.gateway.base_url());
    site.gateway.send(method, &url, &headers, body.map(|body| body.to_string())).await.expect("an answer")
}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.json()["errorCode"]), (status, &json!(code)), "{}", answer.text);
}

const ALICE: &str = "/users/samlp%7Cacme%7Calice";
const BOB: &str = "/users/samlp%7Cacme%7Cbob";

on_both_gateways! {
    async fn a_person_reads_and_changes_their_own_user_metadata_and_nothing_else(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &["--alg", "RS256"]);
        let admin = site.gateway.bootstrapped("admin_token").to_owned();
        as_whom(&site, "bob").await;
        let given = tokens(&site, &app, "alice", ALL, true).await;
        let token = text(&given, "access_token");
        assert_eq!(call(&site, &admin, "PATCH", ALICE, Some(json!({"app_metadata": {"plan": "gold"}, "user_metadata": {"lang": "de"}}))).await.status, 200);
        let own = call(&site, token, "GET", ALICE, None).await;
        assert_eq!((own.status, &own.json()["user_metadata"]), (200, &json!({"lang": "de"})), "{}", own.text);
        assert!(own.json().get("app_metadata").is_none(), "{}", own.text);
        let changed = call(&site, token, "PATCH", ALICE, Some(json!({"user_metadata": {"theme": "dark"}}))).await;
        assert_eq!((changed.status, &changed.json()["user_metadata"]), (200, &json!({"lang": "de", "theme": "dark"})), "{}", changed.text);
        let actors = site.rows("SELECT actor FROM log WHERE kind = 'self.user.updated'").await;
        assert_eq!(json!(actors), json!([{"actor": "user:samlp|acme|alice"}]));

        for body in [
            json!({"app_metadata": {"plan": "platinum"}}),
            json!({"user_metadata": {"a": 1}, "app_metadata": {}}),
            json!({"user_metadata": {"a": 1}, "blocked": false}),
            json!({"name": "Alice"}),
            json!({"user_metadata": {}, "connection": "acme"}),
        ] {
            refused(&call(&site, token, "PATCH", ALICE, Some(body)).await, 403, "insufficient_scope");
        }
        for (method, path) in [
            ("GET", BOB), ("PATCH", BOB), ("DELETE", ALICE), ("GET", "/users"), ("GET", "/users-by-email?email=a@x.example"), ("POST", "/users"),
            ("GET", "/clients"), ("GET", "/user-blocks?identifier=alice"), ("POST", "/users/samlp%7Cacme%7Cbob/identities"),
        ] {
            let answer = call(&site, token, method, path, (method != "GET").then(|| json!({"user_metadata": {"a": 1}}))).await;
            assert!(answer.status == 403 || answer.status == 405, "{method} {path}: {} {}", answer.status, answer.text);
        }
        let metadata = site.rows("SELECT doc FROM users WHERE user_id = 'samlp|acme|alice'").await;
        assert_eq!(metadata[0]["doc"]["app_metadata"]["plan"], "gold");
        // Who is blocked is out at once.
        assert_eq!(call(&site, &admin, "PATCH", ALICE, Some(json!({"blocked": true}))).await.status, 200);
        refused(&call(&site, token, "GET", ALICE, None).await, 401, "invalid_token");
    }

    async fn a_token_that_was_not_asked_for_it_opens_nothing(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let without = tokens(&site, &app, "alice", ALL, false).await;
        refused(&call(&site, text(&without, "access_token"), "GET", ALICE, None).await, 403, "insufficient_scope");
        let plain = tokens(&site, &app, "alice", "openid", true).await;
        refused(&call(&site, text(&plain, "access_token"), "GET", ALICE, None).await, 403, "insufficient_scope");
        let reads = tokens(&site, &app, "alice", "openid read:current_user read:users update:users", true).await;
        assert_eq!(call(&site, text(&reads, "access_token"), "GET", ALICE, None).await.status, 200);
        refused(&call(&site, text(&reads, "access_token"), "GET", BOB, None).await, 403, "insufficient_scope");
        refused(&call(&site, text(&reads, "access_token"), "PATCH", ALICE, Some(json!({"name": "x"}))).await, 403, "insufficient_scope");
        let made_up = format!("{}x", text(&reads, "access_token"));
        refused(&call(&site, &made_up, "GET", ALICE, None).await, 401, "invalid_token");
    }

    async fn two_proofs_make_one_person_and_a_proof_that_is_none_makes_nothing(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &["--alg", "RS256"]);
        let stranger = Application::register(&site, "stranger", &["--alg", "RS256"]);
        let other_alg = Application::register(&site, "other", &["--alg", "ES256"]);
        let given = tokens(&site, &app, "alice", ALL, true).await;
        let token = text(&given, "access_token");
        let path = "/users/samlp%7Cacme%7Calice/identities";
        let bobs = tokens(&site, &app, "bob", "openid", false).await;
        let proof = text(&bobs, "id_token");
        let by_stranger = tokens(&site, &stranger, "bob", "openid", false).await;
        let by_other = tokens(&site, &other_alg, "bob", "openid", false).await;
        let (head, tail) = proof.split_at(proof.len() - 6);
        let tampered = format!("{head}{}", tail.chars().rev().collect::<String>());
        let mut parts = proof.split('.');
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", parts.nth(1).expect("claims"));
        for no_proof in [text(&by_stranger, "id_token"), text(&by_other, "id_token"), tampered.as_str(), unsigned.as_str(), "x", text(&bobs, "access_token")] {
            refused(&call(&site, token, "POST", path, Some(json!({"link_with": no_proof}))).await, 400, "invalid_body");
        }
        for body in [json!({"provider": "samlp", "user_id": "acme|bob"}), json!({"provider": "samlp", "user_id": "acme|bob", "connection_id": "x"})] {
            refused(&call(&site, token, "POST", path, Some(body)).await, 403, "insufficient_scope");
        }
        let admin = site.gateway.bootstrapped("admin_token").to_owned();
        refused(&call(&site, &admin, "POST", path, Some(json!({"link_with": proof}))).await, 400, "invalid_body");
        let own = text(&given, "id_token");
        refused(&call(&site, token, "POST", path, Some(json!({"link_with": own}))).await, 400, "invalid_body");
        assert_eq!(site.rows("SELECT id FROM users").await.len(), 2, "nothing of it moved anybody");

        let linked = call(&site, token, "POST", path, Some(json!({"link_with": proof}))).await;
        assert_eq!((linked.status, linked.json().as_array().map(Vec::len)), (201, Some(2)), "{}", linked.text);
        let mut bob = as_whom(&site, "bob").await;
        let session = bob.session().await.json();
        assert_eq!(session["user_id"], "samlp|acme|alice", "both accounts are one person: {session}");
        refused(&call(&site, token, "POST", path, Some(json!({"link_with": proof}))).await, 409, "identity_already_linked");
        let left = call(&site, token, "DELETE", "/users/samlp%7Cacme%7Calice/identities/samlp/acme%7Cbob", None).await;
        assert_eq!((left.status, left.json().as_array().map(Vec::len)), (200, Some(1)), "{}", left.text);
    }
}
