//! Applications that prove themselves by what they sign (`private_key_jwt`), and those that were let go without PKCE, on both stores.

use crate::support::application::{Application, CALLBACK, VERIFIER, text};
use crate::support::bad_provider::now;
use crate::support::caller::on_both_gateways;
use crate::support::gateway::Answer;
use crate::support::key_pair::{KeyPair, Publishes, set};
use crate::support::saml_site::{Browser, SamlSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const MACHINE: [&str; 5] = ["client", "create", "robot", "--machine", "--json"];

/// Claims that are right, with a name of their own.
fn claims(app: &Application<'_>) -> Value {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let id = format!("jti-{}", MADE.fetch_add(1, Ordering::SeqCst));
    json!({"iss": app.id, "sub": app.id, "aud": app.site.gateway.base_url(), "exp": now() + 60, "iat": now(), "jti": id})
}

async fn ask(app: &Application<'_>, path: &str, assertion: &str, fields: &[(&str, &str)]) -> Answer {
    let all = [fields, &[("client_assertion_type", KIND), ("client_assertion", assertion)]].concat();
    app.post(path, &all, &[]).await
}

/// Whether what it signed opens the token endpoint.
async fn opens(robot: &Application<'_>, assertion: &str) -> bool {
    let answer = ask(robot, "/oauth/token", assertion, &[("grant_type", "client_credentials")]).await;
    let json = answer.json();
    assert!(
        (answer.status == 200 && json["access_token"].is_string()) || (answer.status == 401 && json["error"] == "invalid_client"),
        "{}",
        answer.text
    );
    answer.status == 200
}

fn file(site: &SamlSite, name: &str, keys: &[&KeyPair]) -> String {
    let path = site.gateway.folder().join(name);
    std::fs::write(&path, set(keys).to_string()).expect("written");
    path.to_str().expect("text").to_owned()
}

/// A machine with these keys.
fn robot<'a>(site: &'a SamlSite, keys: &[&KeyPair]) -> Application<'a> {
    let path = file(site, "robot.jwks", keys);
    Application::made(site, &[&MACHINE[..], &["--scopes", "read:logs", "--jwks", &path]].concat())
}

/// What a command that has to fail says.
fn refused(site: &SamlSite, arguments: &[&str]) -> String {
    let output = site.gateway.run(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn signed_in(site: &SamlSite) -> Browser<'_> {
    let mut browser = site.browser();
    assert_eq!(browser.log_in(|login| login).await.status, 303);
    browser
}

on_both_gateways! {
    async fn an_application_signs_in_people_by_each_algorithm_without_a_secret(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = signed_in(&site).await;
        let discovered = browser.send("GET", "/.well-known/openid-configuration", None).await.json();
        assert_eq!(discovered["token_endpoint_auth_signing_alg_values_supported"], json!(["RS256", "PS256", "ES256", "EdDSA"]));
        for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
            let key = KeyPair::new(alg, "one");
            let path = file(&site, "app.jwks", &[&key]);
            let app = Application::register(&site, alg, &["--jwks", &path]);
            assert_eq!(app.secret, None, "one way to prove it");
            let code = app.authorize(&mut browser, &[]).await.remove("code").expect("a code");
            let exchange =
                [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
            let tokens = ask(&app, "/oauth/token", &key.sign(&claims(&app)), &exchange).await;
            assert_eq!(tokens.status, 200, "{alg}: {}", tokens.text);
            let tokens = tokens.json();
            app.verified(text(&tokens, "id_token")).await;
            let refresh = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token"))];
            let mut to_endpoint = claims(&app);
            to_endpoint["aud"] = format!("{}/oauth/token", site.gateway.base_url()).into();
            let next = ask(&app, "/oauth/token", &key.sign(&to_endpoint), &refresh).await.json();
            let access = text(&next, "access_token");
            let shown = ask(&app, "/oauth/introspect", &key.sign(&claims(&app)), &[("token", access)]).await.json();
            assert_eq!(shown["active"], true);
            assert_eq!(ask(&app, "/oauth/revoke", &key.sign(&claims(&app)), &[("token", access)]).await.status, 200);
            assert_eq!(app.userinfo(access).await.status, 401);
        }
    }

    async fn keys_at_an_address_are_read_once_and_again_when_the_application_changes_them(store) {
        let site = SamlSite::start(store, &[]).await;
        let (old, new) = (KeyPair::new("ES256", "old"), KeyPair::new("EdDSA", "new"));
        let keys = Publishes::start(&[&old]).await;
        let at = ["--scopes", "read:logs", "--jwks-uri", &keys.url];
        let plain = refused(&site, &[&MACHINE[..], &at].concat());
        assert!(plain.contains("--jwks-uri") && plain.contains("https"), "{plain}");
        let robot = Application::made(&site, &[&MACHINE[..], &at, &["--allow-plaintext"]].concat());
        for _ in 0..3 {
            assert!(opens(&robot, &old.sign(&claims(&robot))).await);
        }
        assert_eq!(keys.asked(), 1, "kept");
        keys.change(&[&old, &new]);
        assert!(opens(&robot, &new.sign(&claims(&robot))).await, "a name that was not there has them read again");
        assert_eq!(keys.asked(), 2);
        let unknown = KeyPair::new("EdDSA", "eves");
        for _ in 0..3 {
            assert!(!opens(&robot, &unknown.sign(&claims(&robot))).await);
        }
        assert_eq!(keys.asked(), 2, "whoever makes up names has them read once a minute");
        assert!(opens(&robot, &old.sign(&claims(&robot))).await);
    }

    async fn attack_an_unsigned_assertion(store) {
        let site = SamlSite::start(store, &[]).await;
        let key = KeyPair::new("RS256", "one");
        let robot = robot(&site, &[&key]);
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        for alg in ["none", "None", ""] {
            let head = encode(&json!({"alg": alg, "kid": "one"}));
            assert!(!opens(&robot, &format!("{head}.{}.", encode(&claims(&robot)))).await);
            assert!(!opens(&robot, &key.sign_as(&json!({"alg": alg, "kid": "one"}), &claims(&robot))).await);
        }
        assert!(opens(&robot, &key.sign(&claims(&robot))).await);
    }

    async fn attack_an_assertion_with_the_public_key_for_a_shared_secret(store) {
        let site = SamlSite::start(store, &[]).await;
        let key = KeyPair::new("RS256", "one");
        let robot = robot(&site, &[&key]);
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        for secret in [key.public_pem(), key.public().to_string().into_bytes()] {
            let signed = format!("{}.{}", encode(&json!({"alg": "HS256", "kid": "one"})), encode(&claims(&robot)));
            let hmac = PKey::hmac(&secret).expect("a secret");
            let mut signer = Signer::new(MessageDigest::sha256(), &hmac).expect("a signer");
            let code = signer.sign_oneshot_to_vec(signed.as_bytes()).expect("signed");
            assert!(!opens(&robot, &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(code))).await);
        }
    }

    async fn attack_an_assertion_that_was_made_for_somebody_else(store) {
        let site = SamlSite::start(store, &[]).await;
        let key = KeyPair::new("EdDSA", "one");
        let robot = robot(&site, &[&key]);
        let ours = site.gateway.base_url();
        for audience in [json!("https://other.example"), json!([ours, "https://other.example"]), json!([]), json!(format!("{ours}/"))] {
            let mut foreign = claims(&robot);
            foreign["aud"] = audience.clone();
            assert!(!opens(&robot, &key.sign(&foreign)).await, "{audience}");
        }
    }

    async fn attack_an_assertion_is_used_again(store) {
        let site = SamlSite::start(store, &[]).await;
        let (key, eve) = (KeyPair::new("ES256", "one"), KeyPair::new("ES256", "one"));
        let robot = robot(&site, &[&key]);
        let once = claims(&robot);
        assert!(!opens(&robot, &eve.sign(&once)).await, "and nobody uses up what is not theirs");
        let assertion = key.sign(&once);
        assert!(opens(&robot, &assertion).await);
        assert!(!opens(&robot, &assertion).await);
        let mut again = once.clone();
        again["exp"] = (now() + 200).into();
        assert!(!opens(&robot, &key.sign(&again)).await, "by its name, not by its letters");
    }

    async fn attack_an_assertion_that_is_over_or_counts_too_long(store) {
        let site = SamlSite::start(store, &[]).await;
        let key = KeyPair::new("EdDSA", "one");
        let robot = robot(&site, &[&key]);
        for (name, value) in [
            ("exp", json!(now() - 61)),
            ("exp", json!(now() + 3_600)),
            ("exp", Value::Null),
            ("iat", json!(now() + 120)),
            ("nbf", json!(now() + 120)),
            ("jti", Value::Null),
        ] {
            let mut wrong = claims(&robot);
            wrong[name] = value.clone();
            assert!(!opens(&robot, &key.sign(&wrong)).await, "{name} {value}");
        }
        let mut late = claims(&robot);
        late["exp"] = (now() - 20).into();
        assert!(opens(&robot, &key.sign(&late)).await, "clocks differ by a minute");
    }

    async fn attack_an_assertion_by_another_applications_key(store) {
        let site = SamlSite::start(store, &[]).await;
        let (key, others) = (KeyPair::new("RS256", "one"), KeyPair::new("RS256", "one"));
        let robot = robot(&site, &[&key]);
        let path = file(&site, "other.jwks", &[&others]);
        let other = Application::register(&site, "other", &["--jwks", &path]);
        assert!(!opens(&robot, &others.sign(&claims(&robot))).await);
        let mut of_both = claims(&robot);
        of_both["iss"] = other.id.clone().into();
        for signer in [&key, &others] {
            assert!(!opens(&robot, &signer.sign(&of_both)).await);
        }
        let named = [("grant_type", "client_credentials"), ("client_id", other.id.as_str())];
        let answer = ask(&robot, "/oauth/token", &key.sign(&claims(&robot)), &named).await;
        assert_eq!(answer.status, 401, "{}", answer.text);
        let brought = json!({"alg": "RS256", "jwk": others.public(), "jku": "https://eve.example/keys"});
        assert!(!opens(&robot, &others.sign_as(&brought, &claims(&robot))).await, "keys that come along are not read");
    }

    async fn attack_a_proof_of_another_kind_or_two_at_once(store) {
        let site = SamlSite::start(store, &[]).await;
        let key = KeyPair::new("EdDSA", "one");
        let robot = robot(&site, &[&key]);
        let grant = ("grant_type", "client_credentials");
        let secret = robot.post("/oauth/token", &[grant, ("client_id", &robot.id), ("client_secret", "rcs_x")], &[]).await;
        assert_eq!(secret.json()["error"], "invalid_client");
        let nothing = robot.post("/oauth/token", &[grant, ("client_id", &robot.id)], &[]).await;
        assert_eq!(nothing.json()["error"], "invalid_client");
        let two = ask(&robot, "/oauth/token", &key.sign(&claims(&robot)), &[grant, ("client_secret", "x")]).await;
        assert_eq!(two.json()["error"], "invalid_request");
        let line = ["client", "create", "plain", "--machine", "--scopes", "read:logs", "--json"];
        let plain = Application::made(&site, &line);
        assert!(!opens(&plain, &key.sign(&claims(&plain))).await, "it has a secret, and no keys");
        let public = Application::register(&site, "public", &["--public"]);
        assert!(!opens(&public, &key.sign(&claims(&public))).await);
    }

    async fn attack_ssrf_keys_of_an_application_lie_inside(store) {
        let site = SamlSite::start(store, &[]).await;
        let key = KeyPair::new("EdDSA", "one");
        for address in ["https://127.0.0.1:1/keys", "https://10.0.0.1/keys", "https://169.254.169.254/keys", "https://[::1]/keys"] {
            let name = format!("robot {address}");
            let line = ["client", "create", &name, "--machine", "--scopes", "read:logs", "--jwks-uri", address, "--json"];
            let robot = Application::made(&site, &line);
            assert!(!opens(&robot, &key.sign(&claims(&robot))).await, "{address}");
        }
    }

    async fn a_secret_gives_way_to_keys_and_keys_to_a_secret_at_once(store) {
        let site = SamlSite::start(store, &[]).await;
        let line = ["client", "create", "robot", "--machine", "--scopes", "read:logs", "--json"];
        let mut robot = Application::made(&site, &line);
        let grant = [("grant_type", "client_credentials")];
        let before = robot.ask("/oauth/token", &grant).await.json();
        let key = KeyPair::new("EdDSA", "one");
        site.gateway.cli(&["client", "update", "robot", "--jwks", &file(&site, "robot.jwks", &[&key])]);
        assert_eq!(robot.ask("/oauth/token", &grant).await.status, 401);
        assert!(opens(&robot, &key.sign(&claims(&robot))).await);
        let shown: Value = serde_json::from_str(&site.gateway.cli(&["client", "show", "robot", "--json"])).expect("JSON");
        assert_eq!((&shown["token_endpoint_auth_method"], &shown["jwks"]), (&json!("private_key_jwt"), &set(&[&key])));
        let says = refused(&site, &["client", "update", "robot", "--rotate-secret"]);
        assert!(says.contains("by its keys"), "{says}");
        let back: Value =
            serde_json::from_str(&site.gateway.cli(&["client", "update", "robot", "--no-jwks", "--json"])).expect("JSON");
        assert!(!opens(&robot, &key.sign(&claims(&robot))).await);
        robot.secret = back["client_secret"].as_str().map(str::to_owned);
        assert_eq!(robot.ask("/oauth/token", &grant).await.status, 200);
        let former = format!("Bearer {}", text(&before, "access_token"));
        let listed = site.browser().send_with("GET", "/api/v2/clients", None, &[("authorization", &former)]).await;
        assert_eq!(listed.status, 401, "what was fetched by the proof before ended with it");
    }

    async fn an_application_without_pkce_is_bound_by_its_nonce_and_can_not_be_made_to_take_a_verifier(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "old", &["--without-pkce"]);
        let mut browser = signed_in(&site).await;
        let without = [("code_challenge", ""), ("code_challenge_method", "")];
        let bare = app.authorize(&mut browser, &[&without[..], &[("nonce", "")]].concat()).await;
        assert_eq!(bare["error"], "invalid_request", "then a nonce is what binds it");
        let exchange = async |code: &str, verifier: Option<&str>| {
            let mut fields = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)];
            fields.extend(verifier.map(|verifier| ("code_verifier", verifier)));
            app.ask("/oauth/token", &fields).await
        };
        let code = app.authorize(&mut browser, &without).await.remove("code").expect("a code");
        assert_eq!(exchange(&code, Some(VERIFIER)).await.json()["error"], "invalid_grant", "PKCE downgrade: RFC 9700 §4.8.2");
        let tokens = exchange(&code, None).await.json();
        assert_eq!(app.verified(text(&tokens, "id_token")).await["nonce"], "n-1");
        let code = app.authorize(&mut browser, &[]).await.remove("code").expect("a code");
        assert_eq!(exchange(&code, None).await.json()["error"], "invalid_grant", "a challenge that was sent is held to");
        assert_eq!(exchange(&code, Some(VERIFIER)).await.status, 200);
        let strict = Application::register(&site, "strict", &[]);
        assert_eq!(strict.authorize(&mut browser, &without).await["error"], "invalid_request");
    }
}
