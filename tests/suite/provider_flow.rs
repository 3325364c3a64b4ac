//! The OpenID provider on both stores: the modules of the Basic OP profile by name, and the lines of RFC 9700 that are a provider's.

use crate::support::application::{Application, CALLBACK, SIGNED_OUT, VERIFIER, header, returned, text};
use crate::support::caller::on_both_gateways;
use crate::support::saml_site::{Browser, SamlSite};
use serde_json::{Value, json};

async fn signed_in(site: &SamlSite) -> Browser<'_> {
    let mut browser = site.browser();
    assert_eq!(browser.log_in(|login| login).await.status, 303);
    browser
}

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

on_both_gateways! {
    async fn discovery_lists_what_is_served_and_keys_have_no_private_parts(store) {
        let site = SamlSite::without_connection(store, &[]).await;
        let mut browser = site.browser();
        let document = browser.send("GET", "/.well-known/openid-configuration", None).await.json();
        assert_eq!(document, browser.send("GET", "/.well-known/oauth-authorization-server", None).await.json());
        assert_eq!(document["issuer"], site.gateway.base_url());
        for (name, value) in [
            ("response_types_supported", json!(["code"])),
            ("code_challenge_methods_supported", json!(["S256"])),
            ("request_uri_parameter_supported", json!(false)),
            ("authorization_response_iss_parameter_supported", json!(true)),
            ("id_token_signing_alg_values_supported", json!(["RS256", "ES256", "EdDSA"])),
        ] {
            assert_eq!(document[name], value, "{name}");
        }
        let keys = browser.send("GET", "/.well-known/jwks.json", None).await.json();
        let keys = keys["keys"].as_array().expect("keys").clone();
        let ids: std::collections::BTreeSet<&str> = keys.iter().map(|key| text(key, "kid")).collect();
        assert_eq!((keys.len(), ids.len()), (3, 3), "one of each algorithm, each with a name of its own");
        assert!(keys.iter().all(|key| key.get("d").is_none() && key.get("p").is_none()));
        for name in ["authorization", "token", "userinfo", "revocation", "introspection", "end_session"] {
            let address = text(&document, &format!("{name}_endpoint")).to_owned();
            assert_ne!(browser.send("GET", &address, None).await.status, 404, "{address}");
        }
    }

    async fn a_code_is_exchanged_for_an_id_token_that_says_who_when_and_for_whom(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = signed_in(&site).await;
        for alg in ["RS256", "ES256", "EdDSA"] {
            let app = Application::register(&site, alg, &["--alg", alg]);
            let tokens = app.tokens(&mut browser, &[]).await;
            let claims = app.verified(text(&tokens, "id_token")).await;
            assert_eq!((&claims["sub"], &claims["nonce"]), (&json!("samlp|acme|alice"), &json!("n-1")));
            assert_eq!(claims["aud"], app.id.as_str(), "a text, not a list");
            assert!(["auth_time", "iat", "at_hash", "sid"].iter().all(|name| claims.contains_key(*name)), "{claims:?}");
            assert!(claims["exp"].as_i64().expect("a time") - claims["iat"].as_i64().expect("a time") <= 3_600);
            let told = app.userinfo(text(&tokens, "access_token")).await.json();
            assert_eq!(told["sub"], claims["sub"]);
            assert_eq!(tokens["token_type"], "Bearer");
        }
        let app = Application::register(&site, "plain", &[]);
        let tokens = app.tokens(&mut browser, &[("nonce", ""), ("scope", "openid")]).await;
        let claims = app.verified(text(&tokens, "id_token")).await;
        assert!(!claims.contains_key("nonce") && !claims.contains_key("email"), "{claims:?}");
        assert!(tokens.get("refresh_token").is_none(), "not asked for offline_access");
    }

    async fn whoever_is_not_signed_in_signs_in_and_comes_back(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = site.browser();
        // the only way in is gone at once
        let answer = browser.send("GET", &app.request(&[]), None).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let way = answer.header("location").expect("a way").to_owned();
        assert!(way.starts_with("/login/acme?return_to=%2Fauthorize"), "{way}");
        let request = browser.begin_at(&way).await;
        let login = crate::support::minted::login(&site.whom(Some(&request)));
        let back = browser.hand_over(&login.signed_assertion(crate::support::minted::rsa())).await;
        let back = back.header("location").expect("back").to_owned();
        assert!(back.starts_with("/authorize?"), "{back}");
        let done = browser.send("GET", &back, None).await;
        assert_eq!(returned(&done).get("state").map(String::as_str), Some("s-1"));
        assert_eq!(app.exchange(&returned(&done)["code"]).await.status, 200);
    }

    async fn the_page_of_ways_in_runs_no_script_and_shows_customers_to_their_own(store) {
        let site = SamlSite::start(store, &[]).await;
        site.gateway.cli(&["organization", "create", "globex", "--domain", "globex.example"]);
        let metadata = crate::support::minted::metadata(&[crate::support::minted::rsa()], "");
        site.connect("globex-idp", &metadata, &["organization=globex"]);
        site.connect("second", &metadata, &[]);
        let app = Application::register(&site, "<b>app</b>", &[]);
        let mut browser = site.browser();
        let page = browser.send("GET", &app.request(&[]), None).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("/login/acme?") && page.text.contains("/login/second?"), "{}", page.text);
        assert!(!page.text.contains("globex-idp") && !page.text.contains("<script") && !page.text.contains("<b>"), "{}", page.text);
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        for more in [("login_hint", "mia@globex.example"), ("organization", "globex"), ("connection", "globex-idp")] {
            let answer = browser.send("GET", &app.request(&[more]), None).await;
            assert!(answer.header("location").is_some_and(|to| to.starts_with("/login/globex-idp?")), "{more:?} {}", answer.text);
        }
        let mut alice = signed_in(&site).await;
        let answer = alice.send("GET", &app.request(&[("organization", "globex")]), None).await;
        assert!(answer.header("location").is_some_and(|to| to.starts_with("/login/globex-idp?")), "came by another way");
    }

    async fn attack_nothing_goes_to_an_address_that_is_not_registered(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        for bad in ["https://evil.example/cb", "https://app.example/cb?x=1", "https://app.example/cb/", "https://APP.example/cb", ""] {
            let answer = browser.send("GET", &app.request(&[("redirect_uri", bad)]), None).await;
            assert_eq!((answer.status, answer.header("location")), (400, None), "{bad}");
        }
        let answer = browser.send("GET", &app.request(&[("client_id", "app_0")]), None).await;
        assert_eq!((answer.status, answer.header("location")), (400, None));
    }

    async fn what_is_wrong_with_a_request_is_told_to_the_application(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        for (change, error) in [
            (("code_challenge", ""), "invalid_request"),
            (("code_challenge_method", "plain"), "invalid_request"),
            (("response_type", "token"), "unsupported_response_type"),
            (("request", "eyJ"), "request_not_supported"),
            (("request_uri", "https://a.example"), "request_uri_not_supported"),
            (("prompt", "none login"), "invalid_request"),
            (("scope", "email"), "invalid_scope"),
            (("id_token_hint", "x"), "invalid_request"),
        ] {
            let query = app.authorize(&mut browser, &[change]).await;
            assert_eq!((query.get("error").map(String::as_str), query.get("state").map(String::as_str)), (Some(error), Some("s-1")));
            assert!(!query.contains_key("code"));
        }
        let twice = browser.send("GET", &format!("{}&nonce=n-2", app.request(&[])), None).await;
        assert_eq!(returned(&twice)["error"], "invalid_request");
        for (name, value) in [("display", "touch"), ("ui_locales", "de"), ("acr_values", "1"), ("foo", "bar"), ("claims", r#"{"userinfo":{"name":{"essential":true}}}"#)] {
            assert!(app.authorize(&mut browser, &[(name, value)]).await.contains_key("code"), "{name} does no harm");
        }
    }

    async fn prompt_and_max_age_say_who_has_to_sign_in(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        assert_eq!(app.authorize(&mut site.browser(), &[("prompt", "none")]).await["error"], "login_required");
        let mut browser = signed_in(&site).await;
        let tokens = app.tokens(&mut browser, &[("prompt", "none")]).await;
        site.change(&format!("UPDATE sessions SET created_at = created_at - {0}, auth_time = auth_time - {0}", 100 * SECOND)).await;
        assert!(app.authorize(&mut browser, &[("max_age", "10000")]).await.contains_key("code"));
        for change in [("max_age", "1"), ("prompt", "login")] {
            let way = browser.send("GET", &app.request(&[change]), None).await.header("location").expect("a way").to_owned();
            assert!(way.starts_with("/login/acme?"), "{way}");
            browser.clone().begin_at(&way).await;
        }
        let hint = text(&tokens, "id_token").to_owned();
        assert!(app.authorize(&mut browser, &[("id_token_hint", &hint), ("prompt", "none")]).await.contains_key("code"));
    }

    async fn attack_a_code_used_twice_ends_what_it_began(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let code = app.authorize(&mut browser, &[]).await.remove("code").expect("a code");
        let tokens = app.exchange(&code).await.json();
        assert_eq!(app.userinfo(text(&tokens, "access_token")).await.status, 200);
        let again = app.exchange(&code).await;
        assert_eq!((again.status, &again.json()["error"]), (400, &json!("invalid_grant")));
        assert_eq!(app.userinfo(text(&tokens, "access_token")).await.status, 401);
        assert_eq!(app.refresh(text(&tokens, "refresh_token")).await.status, 400);
        assert_eq!(site.rows("SELECT id FROM log WHERE kind = 'code.replayed'").await.len(), 1);
    }

    async fn attack_a_code_is_worth_nothing_elsewhere(store) {
        let site = SamlSite::start(store, &[]).await;
        let (app, other) = (Application::register(&site, "app", &[]), Application::register(&site, "other", &[]));
        let mut browser = signed_in(&site).await;
        let code = app.authorize(&mut browser, &[]).await.remove("code").expect("a code");
        assert_eq!(other.exchange(&code).await.json()["error"], "invalid_grant", "another application's");
        let of = |redirect_uri: &'static str, verifier: &'static str| {
            vec![("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", redirect_uri), ("code_verifier", verifier)]
        };
        for fields in [of(SIGNED_OUT, VERIFIER), of("", VERIFIER), of(CALLBACK, ""), of(CALLBACK, &VERIFIER[1..])] {
            assert_eq!(app.ask("/oauth/token", &fields).await.json()["error"], "invalid_grant", "{fields:?}");
        }
        site.change(&format!("UPDATE codes SET expires_at = expires_at - {}", 61 * SECOND)).await;
        assert_eq!(app.exchange(&code).await.json()["error"], "invalid_grant", "too old");
    }

    async fn an_application_proves_which_one_it_is_in_one_way(store) {
        let site = SamlSite::start(store, &[]).await;
        let (app, open) = (Application::register(&site, "app", &[]), Application::register(&site, "open", &["--public"]));
        let mut browser = signed_in(&site).await;
        let basic = |secret: &str| {
            use base64::Engine;
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{}:{secret}", app.id)))
        };
        let secret = app.secret.clone().expect("a secret");
        let code = app.authorize(&mut browser, &[]).await.remove("code").expect("a code");
        let fields = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
        let wrong = app.post("/oauth/token", &fields, &[("authorization", &basic("rcs_x"))]).await;
        assert_eq!((wrong.status, wrong.header("www-authenticate")), (401, Some("Basic realm=\"rosterd\"")));
        let both = [&fields[..], &[("client_secret", secret.as_str())]].concat();
        assert_eq!(app.post("/oauth/token", &both, &[("authorization", &basic(&secret))]).await.json()["error"], "invalid_request");
        let none = [&fields[..], &[("client_id", app.id.as_str())]].concat();
        assert_eq!(app.post("/oauth/token", &none, &[]).await.status, 401);
        assert_eq!(app.post("/oauth/token", &fields, &[("authorization", &basic(&secret))]).await.status, 200);
        let tokens = open.tokens(&mut browser, &[]).await;
        assert_eq!(open.refresh(text(&tokens, "refresh_token")).await.status, 200, "a public one by PKCE and rotation");

        let rotated: Value = serde_json::from_str(&site.gateway.cli(&["client", "update", "app", "--rotate-secret", "--json"])).expect("JSON");
        let new = Application { site: &site, id: app.id.clone(), secret: Some(text(&rotated, "client_secret").to_owned()) };
        assert!(new.secret != app.secret);
        for app in [&app, &new] {
            app.tokens(&mut browser, &[]).await;
        }
        site.change("UPDATE clients SET former_until = 1").await;
        assert_eq!(app.exchange("rac_x").await.status, 401, "the secret before it is over");
    }

    async fn a_refresh_token_rotates_and_the_same_moment_gets_the_same_successor(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let first = app.tokens(&mut signed_in(&site).await, &[]).await;
        let first_refresh = text(&first, "refresh_token");
        let (one, two) = tokio::join!(app.refresh(first_refresh), app.refresh(first_refresh));
        assert_eq!((one.status, two.status), (200, 200), "{} {}", one.text, two.text);
        let (one, two) = (one.json(), two.json());
        assert_eq!(one["refresh_token"], two["refresh_token"]);
        assert_ne!(one["refresh_token"], first["refresh_token"]);
        let (old, new) = (app.verified(text(&first, "id_token")).await, app.verified(text(&one, "id_token")).await);
        assert_eq!((&old["sub"], &old["auth_time"]), (&new["sub"], &new["auth_time"]));
        assert!(!new.contains_key("nonce"));
        let wider = [("grant_type", "refresh_token"), ("refresh_token", text(&one, "refresh_token")), ("scope", "openid phone")];
        assert_eq!(app.ask("/oauth/token", &wider).await.json()["error"], "invalid_scope");

        // Attack: used again when the moment is over, by whoever stole it.
        site.change(&format!("UPDATE refresh_tokens SET used_at = used_at - {} WHERE used_at IS NOT NULL", 31 * SECOND)).await;
        assert_eq!(app.refresh(first_refresh).await.json()["error"], "invalid_grant");
        assert_eq!(app.refresh(text(&one, "refresh_token")).await.json()["error"], "invalid_grant", "the family is gone");
        assert_eq!(app.userinfo(text(&one, "access_token")).await.status, 401);
        assert_eq!(site.rows("SELECT id FROM log WHERE kind = 'refresh_token.reused'").await.len(), 1);
    }

    async fn whoever_is_blocked_or_left_loses_everything_at_once(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        for (ends, undo) in [
            ("UPDATE users SET blocked = TRUE", "UPDATE users SET blocked = FALSE"),
            ("UPDATE identities SET state = 'deleted'", "UPDATE identities SET state = 'active'"),
        ] {
            let mut browser = signed_in(&site).await;
            let tokens = app.tokens(&mut browser, &[]).await;
            let code = app.authorize(&mut browser, &[]).await.remove("code").expect("a code");
            site.change(ends).await;
            assert_eq!(app.userinfo(text(&tokens, "access_token")).await.status, 401, "{ends}");
            assert_eq!(app.refresh(text(&tokens, "refresh_token")).await.status, 400, "{ends}");
            assert_eq!(app.exchange(&code).await.status, 400, "{ends}");
            assert_eq!(app.authorize(&mut browser, &[("prompt", "none")]).await["error"], "login_required", "{ends}");
            site.change(undo).await;
        }
    }

    async fn userinfo_takes_a_token_in_a_header_or_a_form_and_never_in_a_query(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let tokens = app.tokens(&mut signed_in(&site).await, &[]).await;
        let token = text(&tokens, "access_token");
        let mut browser = site.browser();
        let bearer = format!("Bearer {token}");
        assert_eq!(browser.send_with("POST", "/userinfo", None, &[("authorization", &bearer)]).await.status, 200);
        let told = browser.send("POST", "/userinfo", Some(&[("access_token", token)])).await;
        assert_eq!((told.status, told.header("access-control-allow-origin")), (200, Some("*")));
        assert!(told.json()["email"].is_string() && told.json()["email_verified"].is_boolean(), "{}", told.text);
        let refused = browser.send("GET", &format!("/userinfo?access_token={token}"), None).await;
        assert_eq!(refused.status, 401);
        assert!(refused.header("www-authenticate").is_some_and(|line| line.contains("invalid_token")));
        site.change("UPDATE access_tokens SET expires_at = 1").await;
        assert_eq!(app.userinfo(token).await.status, 401, "too old");
    }

    async fn tokens_are_revoked_and_shown_to_their_own_application_alone(store) {
        let site = SamlSite::start(store, &[]).await;
        let (app, other) = (Application::register(&site, "app", &[]), Application::register(&site, "other", &[]));
        let tokens = app.tokens(&mut signed_in(&site).await, &[]).await;
        let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        let shown = app.ask("/oauth/introspect", &[("token", access)]).await.json();
        assert_eq!((&shown["active"], &shown["sub"], &shown["client_id"]), (&json!(true), &json!("samlp|acme|alice"), &json!(app.id)));
        assert_eq!(other.ask("/oauth/introspect", &[("token", access)]).await.json(), json!({"active": false}));
        assert_eq!(app.post("/oauth/introspect", &[("token", access)], &[]).await.status, 401);
        for token in [access, refresh, "nonsense"] {
            assert_eq!(other.ask("/oauth/revoke", &[("token", token)]).await.status, 200);
        }
        assert_eq!(app.userinfo(access).await.status, 200, "another's word ends nothing");
        assert_eq!(app.ask("/oauth/revoke", &[("token", access)]).await.status, 200);
        assert_eq!(app.userinfo(access).await.status, 401);
        let next = app.refresh(refresh).await.json();
        assert_eq!(app.ask("/oauth/revoke", &[("token", text(&next, "refresh_token"))]).await.status, 200);
        assert_eq!(app.userinfo(text(&next, "access_token")).await.status, 401, "the family is gone");
    }

    async fn logout_ends_the_session_and_leads_to_a_registered_address(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let tokens = app.tokens(&mut browser, &[("scope", "openid")]).await;
        let out = |hint: &str, to: &str| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("client_id", &app.id).append_pair("post_logout_redirect_uri", to).append_pair("state", "s-2");
            if !hint.is_empty() {
                query.append_pair("id_token_hint", hint);
            }
            format!("/oidc/logout?{}", query.finish())
        };
        let hint = text(&tokens, "id_token");
        assert_eq!(browser.send("GET", &out(hint, "https://evil.example"), None).await.status, 400);
        let asked = browser.send("GET", &out("", SIGNED_OUT), None).await;
        assert!(asked.status == 200 && asked.text.contains("<form method=\"post\""), "{}", asked.text);
        let elsewhere = [("origin", "https://evil.example")];
        let forged = browser.send_with("POST", "/oidc/logout", Some(&[("confirmed", "yes")]), &elsewhere).await;
        assert!(forged.status == 303 && browser.session().await.status == 200, "another site can't press the button");
        let done = browser.send("GET", &out(hint, SIGNED_OUT), None).await;
        assert_eq!((done.status, done.header("location")), (303, Some("https://app.example/out?state=s-2")));
        assert_eq!(browser.session().await.status, 401);
        assert_eq!(app.userinfo(text(&tokens, "access_token")).await.status, 401, "what was for as long as the session");
        let mut browser = signed_in(&site).await;
        assert_eq!(browser.send("POST", "/oidc/logout", Some(&[("confirmed", "yes")])).await.status, 200);
        assert_eq!(browser.session().await.status, 401);
    }

    async fn keys_rotate_and_what_was_signed_before_still_verifies(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let before = app.tokens(&mut browser, &[]).await;
        let day = 86_400 * SECOND;
        let again = async || tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        site.change(&format!("UPDATE provider_keys SET state_since = state_since - {}", 91 * day)).await;
        again().await;
        app.tokens(&mut browser, &[]).await;
        let waiting = site.rows("SELECT kid FROM provider_keys WHERE state = 'next'").await;
        assert_eq!(waiting.len(), 3, "published, and not in use yet");
        site.change(&format!("UPDATE provider_keys SET state_since = state_since - {day}")).await;
        again().await;
        let after = app.tokens(&mut browser, &[]).await;
        let kid = |tokens: &Value| header(text(tokens, "id_token"))["kid"].as_str().expect("a kid").to_owned();
        assert_ne!(kid(&before), kid(&after));
        assert!(waiting.iter().any(|row| row["kid"] == kid(&after)));
        for tokens in [&before, &after] {
            app.verified(text(tokens, "id_token")).await;
        }
    }

    async fn a_machine_calls_the_management_api_with_no_more_than_it_was_given(store) {
        let site = SamlSite::start(store, &[]).await;
        let line = ["client", "create", "robot", "--machine", "--scopes", "read:connections,read:logs", "--json"];
        let robot = Application::made(&site, &line);
        let fields = [("grant_type", "client_credentials")];
        let tokens = robot.ask("/oauth/token", &fields).await.json();
        assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
        let known = site.rows("SELECT scopes, connection_id FROM tokens WHERE client_id IS NOT NULL").await;
        assert_eq!((known.len(), &known[0]["scopes"]), (1, &json!("read:connections read:logs")));
        let rows = site.rows("SELECT id FROM connections WHERE name = 'acme'").await;
        let traffic = format!("/api/v2/connections/{}/traffic", rows[0]["id"].as_str().expect("an id"));
        let bearer = format!("Bearer {}", text(&tokens, "access_token"));
        let listed = site.browser().send_with("GET", &traffic, None, &[("authorization", &bearer)]).await;
        assert_eq!(listed.status, 200, "{}", listed.text);
        let narrow = robot.ask("/oauth/token", &[fields[0], ("scope", "read:logs")]).await.json();
        let bearer = format!("Bearer {}", text(&narrow, "access_token"));
        let refused = site.browser().send_with("GET", &traffic, None, &[("authorization", &bearer)]).await;
        assert_eq!(refused.status, 403, "{}", refused.text);
        let shown = robot.ask("/oauth/introspect", &[("token", text(&tokens, "access_token"))]).await.json();
        assert_eq!(shown["active"], true);
        let wider = robot.ask("/oauth/token", &[fields[0], ("scope", "write:users")]).await;
        assert_eq!(wider.json()["error"], "invalid_scope");
        let app = Application::register(&site, "app", &[]);
        assert_eq!(app.ask("/oauth/token", &fields).await.json()["error"], "unauthorized_client");
        assert_eq!(robot.ask("/oauth/revoke", &[("token", text(&tokens, "access_token"))]).await.status, 200);
        assert_eq!(robot.ask("/oauth/introspect", &[("token", text(&tokens, "access_token"))]).await.json()["active"], false);
    }
}
