//! What RFC 9700 and its neighbours ask of a provider beyond `provider_flow`, an attack each, on both stores.

use crate::support::application::{Application, returned, text};
use crate::support::caller::on_both_gateways;
use crate::support::minted;
use crate::support::saml_site::{Browser, SamlSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

async fn signed_in(site: &SamlSite) -> Browser<'_> {
    let mut browser = site.browser();
    assert_eq!(browser.log_in(|login| login).await.status, 303);
    browser
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

on_both_gateways! {
    async fn attack_mix_up_every_answer_says_whose_it_is(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        // `authorize` holds `iss` against ours.
        assert!(app.authorize(&mut browser, &[]).await.contains_key("code"));
        for change in [("prompt", "none login"), ("request", "x"), ("scope", "email"), ("response_type", "token")] {
            assert!(app.authorize(&mut browser, &[change]).await.contains_key("error"));
        }
        assert_eq!(app.authorize(&mut site.browser(), &[("prompt", "none")]).await["error"], "login_required");
    }

    async fn attack_a_hint_is_forged(store) {
        let site = SamlSite::start(store, &[]).await;
        let (app, other) = (Application::register(&site, "app", &[]), Application::register(&site, "other", &[]));
        let mut browser = signed_in(&site).await;
        let tokens = app.tokens(&mut browser, &[]).await;
        let hint = text(&tokens, "id_token").to_owned();
        let parts: Vec<&str> = hint.split('.').collect();
        let keys = browser.send("GET", "/.well-known/jwks.json", None).await.json();
        let kid = &crate::support::application::header(&hint)["kid"];
        let key = keys["keys"].as_array().expect("keys").iter().find(|key| key["kid"] == *kid).expect("its key");
        let none = encoded(&json!({"alg": "none", "kid": kid}));
        let shared = format!("{}.{}", encoded(&json!({"alg": "HS256", "kid": kid})), parts[1]);
        let mut mac = Hmac::<Sha256>::new_from_slice(text(key, "n").as_bytes()).expect("any length");
        mac.update(shared.as_bytes());
        let own = encoded(&json!({"alg": "RS256", "kid": "mine", "jwk": key, "jku": "https://evil.example/keys"}));
        let bob = encoded(&json!({"iss": site.gateway.base_url(), "sub": "samlp|acme|bob", "aud": app.id, "exp": 4_102_444_800_i64}));
        for forged in [
            format!("{none}.{}.", parts[1]),
            format!("{shared}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())),
            format!("{own}.{}.{}", parts[1], parts[2]),
            format!("{}.{bob}.{}", parts[0], parts[2]),
            format!("{}.{}.{}", parts[0], parts[1], &parts[2][1..]),
            format!("{hint}{}", "A".repeat(8_000)),
        ] {
            let answer = app.authorize(&mut browser, &[("id_token_hint", &forged)]).await;
            assert_eq!(answer.get("error").map(String::as_str), Some("invalid_request"), "{forged}");
            let asked = browser.send("GET", &format!("/oidc/logout?id_token_hint={forged}"), None).await;
            assert!(asked.status == 200 && browser.session().await.status == 200, "nobody is signed out by {forged}");
        }
        let others = other.authorize(&mut browser, &[("id_token_hint", &hint)]).await;
        assert_eq!(others["error"], "invalid_request", "another application's");
    }

    async fn attack_one_kind_of_token_is_shown_for_another(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let tokens = app.tokens(&mut browser, &[]).await;
        let (id_token, access, refresh) = (text(&tokens, "id_token"), text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        let session = browser.cookies["rosterd_session"].clone();
        for token in [id_token, refresh, &session, site.gateway.token(), site.gateway.bootstrapped("admin_token"), ""] {
            assert_eq!(app.userinfo(token).await.status, 401, "{token}");
        }
        for token in [id_token, access, &session] {
            assert_eq!(app.refresh(token).await.json()["error"], "invalid_grant");
            assert_eq!(app.exchange(token).await.json()["error"], "invalid_grant");
        }
        for token in [id_token, access, refresh] {
            let mut other = site.browser();
            other.cookies.insert(String::from("rosterd_session"), token.to_owned());
            assert_eq!(other.session().await.status, 401, "no login");
            let bearer = format!("Bearer {token}");
            let users = site.browser().send_with("GET", "/scim/v2/connections/scim/Users", None, &[("authorization", &bearer)]).await;
            assert_eq!(users.status, 401);
            let logs = site.browser().send_with("GET", "/session", None, &[("authorization", &bearer)]).await;
            assert_eq!(logs.status, 401);
        }
    }

    async fn attack_secrets_are_looked_for_in_what_is_printed_and_kept(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let code = app.authorize(&mut browser, &[]).await.remove("code").expect("a code");
        let tokens = app.exchange(&code).await.json();
        let next = app.refresh(text(&tokens, "refresh_token")).await.json();
        assert_eq!(app.exchange(&code).await.status, 400);
        app.ask("/oauth/revoke", &[("token", "rat_nonsense")]).await;
        let printed = site.gateway.everything_printed();
        let mut kept = String::new();
        for table in ["log", "history", "sessions", "clients", "codes", "grants", "access_tokens", "refresh_tokens", "provider_keys"] {
            kept += &format!("{:?}", site.rows(&format!("SELECT * FROM {table}")).await);
        }
        let secret = app.secret.clone().expect("a secret");
        let of = |tokens: &Value| ["id_token", "access_token", "refresh_token"].map(|name| text(tokens, name).to_owned());
        for secret in [vec![code, secret], of(&tokens).to_vec(), of(&next).to_vec()].concat() {
            assert!(!printed.contains(&secret), "{secret} is printed");
            assert!(!kept.contains(&secret), "{secret} is kept");
        }
    }

    async fn attack_another_tenants_application_and_code_are_not_there(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let tokens = app.tokens(&mut browser, &[]).await;
        site.gateway.cli(&["tenant", "create", "globex", "--host", "globex.example"]);
        let there = [("host", "globex.example")];
        let answer = browser.send_with("GET", &app.request(&[]), None, &there).await;
        assert_eq!((answer.status, answer.header("location")), (400, None), "{}", answer.text);
        let secret = app.secret.clone().expect("a secret");
        let code = app.authorize(&mut browser, &[]).await.remove("code").expect("a code");
        let fields = [
            ("client_id", app.id.as_str()), ("client_secret", &secret), ("grant_type", "authorization_code"), ("code", &code),
            ("redirect_uri", crate::support::application::CALLBACK), ("code_verifier", crate::support::application::VERIFIER),
        ];
        assert_eq!(app.post("/oauth/token", &fields, &there).await.json()["error"], "invalid_client");
        let bearer = format!("Bearer {}", text(&tokens, "access_token"));
        let told = site.browser().send_with("GET", "/userinfo", None, &[there[0], ("authorization", &bearer)]).await;
        assert_eq!(told.status, 401);
        let ours = browser.send("GET", "/.well-known/jwks.json", None).await.json();
        let theirs = browser.send_with("GET", "/.well-known/jwks.json", None, &there).await.json();
        assert!(ours["keys"][0]["kid"] != theirs["keys"][0]["kid"], "each tenant has its own keys");
        assert_eq!(app.exchange(&code).await.status, 200, "and it was good where it belongs");
    }

    async fn attack_a_connection_that_the_application_does_not_take_opens_nothing(store) {
        let site = SamlSite::start(store, &[]).await;
        site.connect("partners", &minted::metadata(&[minted::rsa()], ""), &[]);
        let app = Application::register(&site, "app", &["--connection", "partners"]);
        let mut browser = signed_in(&site).await;
        let answer = browser.send("GET", &app.request(&[]), None).await;
        assert!(answer.header("location").is_some_and(|to| to.starts_with("/login/partners?")), "came by acme: {}", answer.text);
        assert_eq!(app.authorize(&mut browser, &[("prompt", "none")]).await["error"], "login_required");
        let answer = browser.send("GET", &app.request(&[("connection", "acme")]), None).await;
        assert_eq!((answer.status, answer.header("location")), (403, None), "not offered either: {}", answer.text);
    }

    async fn attack_an_address_of_a_domain_that_nobody_proved_leads_nowhere(store) {
        let site = SamlSite::start(store, &[]).await;
        site.gateway.cli(&["organization", "create", "globex", "--domain", "globex.example"]);
        site.connect("globex-idp", &minted::metadata(&[minted::rsa()], ""), &["organization=globex"]);
        let app = Application::register(&site, "app", &[]);
        let mut browser = site.browser();
        for hint in ["mia@globex.example.evil", "mia@sub.globex.example", "globex.example", "mia@glóbex.example"] {
            let page = browser.send("GET", &app.request(&[("login_hint", hint)]), None).await;
            assert!(page.status == 200 && !page.text.contains("globex-idp"), "{hint}: {} {}", page.status, page.text);
        }
    }

    async fn attack_an_application_s_name_and_state_are_markup(store) {
        let site = SamlSite::start(store, &[]).await;
        site.connect("second", &minted::metadata(&[minted::rsa()], ""), &[]);
        let app = Application::register(&site, "<img src=x onerror=alert(1)>", &[]);
        let evil = [("state", "\"><script>alert(1)</script>"), ("login_hint", "\"><script>alert(1)</script>")];
        let page = site.browser().send("GET", &app.request(&evil), None).await;
        assert!(page.status == 200 && !page.text.contains("<script") && !page.text.contains("<img"), "{}", page.text);
        let mut browser = signed_in(&site).await;
        let answer = browser.send("GET", &app.request(&evil), None).await;
        assert_eq!(returned(&answer)["state"], evil[0].1, "and comes back as it was");
    }
}
