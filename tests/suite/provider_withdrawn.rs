//! What an application no longer has: less than it was given, nothing after an administrator's word, and how much there may be at a time;
//! hints that are over; and whose people a page about a login that went wrong is for. On both stores.

use crate::support::application::{Application, SIGNED_OUT, returned, text};
use crate::support::bad_provider::now;
use crate::support::binary::Sandbox;
use crate::support::caller::on_both_gateways;
use crate::support::federation::Federation;
use crate::support::gateway::Store;
use crate::support::key_pair::KeyPair;
use crate::support::oidc_site::OidcSite;
use crate::support::saml_site::{Browser, SamlSite};
use crate::support::slapd::Slapd;
use serde_json::{Value, json};

const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

async fn signed_in(site: &SamlSite) -> Browser<'_> {
    let mut browser = site.browser();
    assert_eq!(browser.log_in(|login| login).await.status, 303);
    browser
}

fn robot(site: &SamlSite) -> Application<'_> {
    Application::made(site, &["client", "create", "robot", "--machine", "--scopes", "read:clients", "--json"])
}

/// What the management API says to that token.
async fn calls(site: &SamlSite, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    site.browser().send_with("GET", "/api/v2/clients", None, &[("authorization", &bearer)]).await.status
}

/// Grants of the one that is there, so many more.
async fn grants(site: &SamlSite, from: usize, to: usize) {
    for n in from..to {
        let copy = format!(
            "INSERT INTO grants (tenant_id, id, client_id, session_id, profile_id, identity_id, offline, scope, asked, auth_time, \
             created_at, expires_at) SELECT tenant_id, '00-{n:04}', client_id, session_id, profile_id, identity_id, offline, scope, \
             asked, auth_time, created_at, expires_at FROM grants WHERE id > '01' ORDER BY id LIMIT 1"
        );
        site.change(&copy).await;
    }
}

on_both_gateways! {
    async fn a_refresh_for_less_tells_less_of_what_was_asked_for_by_name_too(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let asked = json!({"id_token": {"email": null}, "userinfo": {"email": null}}).to_string();
        let first = app.tokens(&mut browser, &[("scope", "openid profile offline_access"), ("claims", &asked)]).await;
        assert_eq!(app.verified(text(&first, "id_token")).await["email"], "alice@example.com");
        let narrow = [("grant_type", "refresh_token"), ("refresh_token", text(&first, "refresh_token")), ("scope", "openid")];
        let less = app.ask("/oauth/token", &narrow).await.json();
        assert!(!app.verified(text(&less, "id_token")).await.contains_key("email"), "{less}");
        let told = app.userinfo(text(&less, "access_token")).await.json();
        assert_eq!(told.as_object().map(|claims| claims.keys().map(String::as_str).collect::<Vec<_>>()), Some(vec!["sub"]), "{told}");
        let again = app.refresh(text(&less, "refresh_token")).await.json();
        assert_eq!(app.verified(text(&again, "id_token")).await["email"], "alice@example.com", "what was given stays given");
    }

    async fn an_id_token_that_is_over_still_says_whom_a_logout_means(store) {
        let site = SamlSite::start(store, &[]).await;
        let app = Application::register(&site, "app", &[]);
        let mut browser = signed_in(&site).await;
        let tokens = app.tokens(&mut browser, &[]).await;
        let claims = app.verified(text(&tokens, "id_token")).await;
        // A key that was the provider's once: of it nothing but the public half counts any more.
        let key = KeyPair::new("ES256", "long-ago");
        let made = format!(
            "INSERT INTO provider_keys (tenant_id, kid, alg, number, state, public, key, created_at, state_since) SELECT tenant_id, \
             'long-ago', 'ES256', 99, 'retired', '{}', key, created_at, state_since FROM provider_keys WHERE alg = 'ES256' AND state = 'active'",
            key.public()
        );
        site.change(&made).await;
        tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        let hint = |sub: &Value, by: &KeyPair| {
            by.sign(&json!({"iss": claims["iss"], "aud": app.id, "sub": sub, "exp": now() - 86_400, "iat": now() - 90_000}))
        };
        let out = |hint: &str| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("post_logout_redirect_uri", SIGNED_OUT).append_pair("id_token_hint", hint).append_pair("client_id", &app.id);
            format!("/oidc/logout?{}", query.finish())
        };
        let forged = KeyPair::new("ES256", "long-ago");
        for (hint, why) in [(hint(&claims["sub"], &forged), "signed by nobody"), (hint(&json!("mallory"), &key), "somebody else")] {
            let asked = browser.send("GET", &out(&hint), None).await;
            assert!(asked.status == 200 && asked.text.contains("<form method=\"post\""), "{why}: {}", asked.text);
        }
        let done = browser.send("GET", &out(&hint(&claims["sub"], &key)), None).await;
        assert_eq!((done.status, done.header("location")), (303, Some(SIGNED_OUT)), "{}", done.text);
        assert_eq!(browser.session().await.status, 401);
    }

    async fn a_machine_has_a_hundred_tokens_and_the_oldest_goes_for_one_more(store) {
        let site = SamlSite::start(store, &[]).await;
        let robot = robot(&site);
        let first = robot.ask("/oauth/token", &GRANT).await.json();
        let bytes = if matches!(store, Store::Sqlite) { "BLOB" } else { "BYTEA" };
        for n in 0..100 {
            let copy = format!(
                "INSERT INTO tokens (tenant_id, id, client_id, name, hash, scopes, expires_at, created_at) SELECT tenant_id, 'tok_copy{n:03}', \
                 client_id, name, {hash}, scopes, expires_at + {n} + 1, created_at FROM tokens WHERE client_id IS NOT NULL AND id NOT LIKE 'tok_copy%'",
                hash = format_args!("CAST('{n:032}' AS {bytes})"),
            );
            site.change(&copy).await;
        }
        let last = robot.ask("/oauth/token", &GRANT).await.json();
        assert_eq!(site.rows("SELECT id FROM tokens WHERE client_id IS NOT NULL").await.len(), 100);
        assert_eq!((calls(&site, text(&first, "access_token")).await, calls(&site, text(&last, "access_token")).await), (401, 200));
    }

    async fn an_administrator_ends_what_a_machine_has_and_so_does_a_secret_that_is_out_at_once(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut robot = robot(&site);
        let token = async |robot: &Application<'_>| text(&robot.ask("/oauth/token", &GRANT).await.json(), "access_token").to_owned();
        let first = token(&robot).await;
        let shown: Value =
            serde_json::from_str(&site.gateway.cli(&["client", "revoke", "robot", "--dry-run", "--json"])).expect("JSON");
        assert_eq!((&shown["tokens"], &shown["grants"], &shown["dry_run"]), (&json!(1), &json!(0), &json!(true)));
        assert_eq!(calls(&site, &first).await, 200);
        site.gateway.cli(&["client", "revoke", "robot", "--yes"]);
        // Whoever knows a token remembers it for two seconds.
        tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        assert_eq!(calls(&site, &first).await, 401);
        assert_eq!(site.rows("SELECT id FROM log WHERE kind = 'client.revoked'").await.len(), 1);
        let second = token(&robot).await;
        let rotated = |overlap: &str| -> Option<String> {
            let line = ["client", "update", "robot", "--rotate-secret", "--overlap", overlap, "--json"];
            let made: Value = serde_json::from_str(&site.gateway.cli(&line)).expect("JSON");
            made["client_secret"].as_str().map(str::to_owned)
        };
        robot.secret = rotated("1h");
        tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        assert_eq!(calls(&site, &second).await, 200, "the secret before works on, and so does what was fetched by it");
        robot.secret = rotated("none");
        tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        assert_eq!(calls(&site, &second).await, 401, "whoever had it is out");
        assert_eq!(calls(&site, &token(&robot).await).await, 200);
    }

    async fn an_application_of_many_goes_with_all_it_was_given_and_takes_nothing_of_anothers(store) {
        let site = SamlSite::start(store, &[]).await;
        let (app, other) = (Application::register(&site, "app", &["--ask-consent"]), Application::register(&site, "other", &[]));
        let mut browser = signed_in(&site).await;
        let url = url::Url::parse(&format!("https://x{}", app.request(&[]))).expect("an address");
        let mut said: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        said.push((String::from("confirmed"), String::from("yes")));
        let said: Vec<(&str, &str)> = said.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let yes = browser.send("POST", "/authorize", Some(&said)).await;
        let code = returned(&yes).remove("code").expect("a code");
        let tokens = app.exchange(&code).await.json();
        grants(&site, 0, 450).await;
        let others = other.tokens(&mut browser, &[]).await;
        site.gateway.cli(&["client", "revoke", "app", "--yes"]);
        assert_eq!(app.userinfo(text(&tokens, "access_token")).await.status, 401);
        assert_eq!(app.refresh(text(&tokens, "refresh_token")).await.status, 400);
        assert_eq!(other.userinfo(text(&others, "access_token")).await.status, 200);
        assert_eq!(site.rows("SELECT id FROM grants").await.len(), 1, "another application's");
        assert_eq!(site.rows("SELECT profile_id FROM consents").await.len(), 1, "what was said stays said");
        assert!(app.authorize(&mut browser, &[("prompt", "none")]).await.contains_key("code"), "and it can have more");
        site.gateway.cli(&["client", "delete", "app", "--yes"]);
        for table in ["codes", "consents"] {
            let left = site.rows(&format!("SELECT client_id FROM {table} WHERE client_id = '{}'", app.id)).await;
            assert!(left.is_empty(), "{table}: {left:?}");
        }
        assert_eq!(other.userinfo(text(&others, "access_token")).await.status, 200);
    }

    async fn a_page_about_a_login_that_went_wrong_is_the_organizations(store) {
        let dressed = |text: &str| text.contains("--own:#7a1f1f") && text.contains("https://pics.example/globex.png");
        let look = ["--color", "#7a1f1f", "--logo-url", "https://pics.example/globex.png"];
        let site = SamlSite::start(store, &[]).await;
        site.gateway.cli(&[&["organization", "create", "globex"], &look[..]].concat());
        site.gateway.cli(&["connection", "update", "acme", "--set", "organization=globex"]);
        let mut browser = site.browser();
        let refused = browser.log_in(|login| login.with("urn:oasis:names:tc:SAML:2.0:status:Success", "urn:x")).await;
        assert!(refused.status == 403 && dressed(&refused.text), "{}", refused.text);
        let nobodys = site.browser().send("POST", "/saml/nobody/acs", Some(&[("SAMLResponse", "x")])).await;
        assert!(nobodys.status == 404 && !nobodys.text.contains("--own:#"), "{}", nobodys.text);

        let site = OidcSite::start(store, &[]).await;
        site.site.gateway.cli(&[&["organization", "create", "globex"], &look[..]].concat());
        site.site.gateway.cli(&["connection", "update", "acme", "--set", "organization=globex"]);
        let refused = site.browser().send("GET", "/login/callback/acme?state=x&code=y", None).await;
        assert!(refused.status == 403 && dressed(&refused.text), "{}", refused.text);

        let (slapd, federation) = (Slapd::start(1), Federation::start(store).await);
        federation.connect_directory("corp", &slapd);
        federation.gateway.cli(&[&["organization", "create", "globex"], &look[..]].concat());
        federation.gateway.cli(&["connection", "update", "corp", "--set", "organization=globex"]);
        let headers = [("accept", "text/html"), ("content-type", "application/x-www-form-urlencoded")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let url = format!("{}/login/corp", federation.gateway.base_url());
        let body = Some(String::from("username=u000000&password=wrong"));
        let refused = federation.gateway.send("POST", &url, &headers, body).await.expect("an answer");
        assert!(refused.status == 401 && dressed(&refused.text), "{}", refused.text);
    }
}

/// A reader that has gone away ends a command, and does not break it.
#[test]
fn a_list_of_options_may_be_read_in_part() {
    let sandbox = Sandbox::new();
    for kind in ["oidc", "ldap", "samlp"] {
        let said = sandbox.run_unread(&format!("connection options {kind}"));
        assert!(!said.contains("panicked"), "{kind}: {said}");
    }
}
