//! Applications that others wrote, each by its own library, in front of the OpenID provider: code with PKCE, userinfo, refresh,
//! revocation, sign-out. People sign in on the gateway's page, with the password of a directory.

use crate::support::application::text;
use crate::support::authlib::Authlib;
use crate::support::browser::Browser;
use crate::support::caller::on_both_gateways;
use crate::support::federation::Federation;
use crate::support::gateway::Store;
use crate::support::mod_auth_openidc::ModAuthOpenidc;
use crate::support::openid_client::OpenidClient;
use crate::support::relying_party::Registration;
use crate::support::slapd::{PASSWORD, Slapd};
use crate::support::strict_party::StrictParty;
use crate::support::web::{Web, answer};
use openidconnect::core::CoreJwsSigningAlgorithm;
use openidconnect::{OAuth2TokenResponse, TokenResponse};
use serde_json::{Value, json};
use std::collections::HashMap;

const SCOPE: &str = "openid profile email groups offline_access";

/// A gateway whose people are those of a directory, and which applications can reach.
struct Site {
    federation: Federation,
    _slapd: Slapd,
}

struct Registered {
    id: String,
    secret: String,
}

impl Site {
    async fn start(store: Store) -> Self {
        let (slapd, federation) = (Slapd::start(3), Federation::start_in_the_open(store).await);
        federation.connect_directory("corp", &slapd);
        Self { federation, _slapd: slapd }
    }

    fn issuer(&self) -> &str {
        &self.federation.public_url
    }

    fn register(&self, name: &str, redirect_uri: &str, signed_out_uri: &str, more: &[&str]) -> Registered {
        let line =
            ["client", "create", name, "--json", "--redirect-uri", redirect_uri, "--post-logout-redirect-uri", signed_out_uri];
        let made: Value = serde_json::from_str(&self.federation.gateway.cli(&[&line, more].concat())).expect("JSON");
        Registered { id: text(&made, "client_id").to_owned(), secret: text(&made, "client_secret").to_owned() }
    }

    fn registration<'a>(&'a self, registered: &'a Registered) -> Registration<'a> {
        let (client_id, client_secret) = (registered.id.as_str(), registered.secret.as_str());
        Registration { issuer: self.issuer(), client_id, client_secret, scope: SCOPE }
    }

    /// Who is signed in, by the gateway's own word.
    async fn user_id(&self, browser: &mut Browser) -> String {
        text(&self.federation.profile(browser).await, "user_id").to_owned()
    }

    async fn is_signed_out(&self, browser: &mut Browser) -> bool {
        self.federation.session(browser).await.status == 401
    }

    /// Grants that are still there.
    async fn grants(&self) -> usize {
        self.federation.rows("SELECT id FROM grants").await.len()
    }
}

/// What the applications of the two libraries tell of who is there.
async fn told_by_the_application(site: &Site, browser: &mut Browser, me: &Value) {
    let user_id = site.user_id(browser).await;
    for told in [&me["claims"], &me["userinfo"]] {
        assert_eq!((&told["sub"], &told["email"]), (&json!(user_id), &json!("u000001@example.test")), "{me}");
    }
    assert_eq!((&me["claims"]["iss"], &me["has_refresh_token"]), (&json!(site.issuer()), &json!(true)), "{me}");
}

on_both_gateways! {
    async fn openid_client_signs_in_refreshes_asks_revokes_and_signs_out(store) {
        let (site, mut application) = (Site::start(store).await, OpenidClient::new());
        let registered = site.register("app", &application.redirect_uri(), &application.signed_out_uri(), &[]);
        application.start(site.registration(&registered));
        let mut browser = Browser::new();
        browser.open(&application.page("login")).await;
        let me = browser.sign_in("u000001", PASSWORD).await.json();
        told_by_the_application(&site, &mut browser, &me).await;

        let refreshed = browser.open(&application.page("refresh")).await.json();
        assert_eq!((&refreshed["is_rotated"], &refreshed["claims"]["sub"]), (&json!(true), &me["claims"]["sub"]), "{refreshed}");
        let shown = browser.open(&application.page("introspect")).await.json();
        assert_eq!((&shown["active"], &shown["client_id"]), (&json!(true), &json!(registered.id)));
        // An access token alone, then the whole grant.
        assert_eq!(browser.open(&application.page("revoke?token=access_token")).await.json(), json!({}));
        assert_eq!(browser.open(&application.page("introspect")).await.json(), json!({"active": false}));
        assert_eq!(browser.open(&application.page("revoke")).await.json(), json!({}));
        let refused = browser.open(&application.page("refresh")).await;
        assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_grant")));

        let page = browser.open(&application.page("logout")).await;
        assert_eq!(page.url.as_str(), format!("{}?state=bye", application.signed_out_uri()));
        assert!(site.is_signed_out(&mut browser).await);
        let refused = browser.open(&application.page("login?prompt=none")).await.json();
        assert_eq!(refused["error"], json!("login_required"), "{refused}");
    }

    async fn authlib_signs_in_refreshes_revokes_and_signs_out(store) {
        let (site, mut application) = (Site::start(store).await, Authlib::new());
        let registered = site.register("app", &application.redirect_uri(), &application.signed_out_uri(), &[]);
        application.start(site.registration(&registered));
        let mut browser = Browser::new();
        browser.open(&application.page("login")).await;
        let me = browser.sign_in("u000001", PASSWORD).await.json();
        told_by_the_application(&site, &mut browser, &me).await;
        assert_eq!(browser.open(&application.page("refresh")).await.json(), json!({"is_rotated": true}));
        assert_eq!(browser.open(&application.page("revoke")).await.status, 200);
        let refused = browser.open(&application.page("refresh")).await;
        assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_grant")));
        assert_eq!(site.grants().await, 0);
        assert_eq!(browser.open(&application.page("logout")).await.json(), json!({"state": "bye"}));
        assert!(site.is_signed_out(&mut browser).await);
    }

    async fn mod_auth_openidc_signs_in_refreshes_and_revokes_where_it_signs_out(store) {
        let (site, mut application) = (Site::start(store).await, ModAuthOpenidc::new());
        let registered = site.register("app", &application.redirect_uri(), &application.signed_out_uri(), &[]);
        application.start(site.registration(&registered));
        let mut browser = Browser::new();
        browser.open(&application.page()).await;
        let page = browser.sign_in("u000001", PASSWORD).await.clone();
        assert_eq!((page.url.as_str(), page.text.as_str()), (application.page().as_str(), "signed in"));
        let user_id = site.user_id(&mut browser).await;
        let told = ["x-sub", "x-email", "x-email-verified", "x-iss"].map(|name| page.header(name).unwrap_or_default());
        assert_eq!(told, [user_id.as_str(), "u000001@example.test", "0", site.issuer()]);

        let before = page.header("x-access-token").expect("a token").to_owned();
        let page = browser.open(&application.refresh(&before)).await;
        assert_eq!((page.url.as_str(), page.text.as_str()), (application.page().as_str(), "signed in"), "no error in the query");
        assert_ne!(page.header("x-access-token"), Some(before.as_str()));
        assert_eq!(site.grants().await, 1);

        let page = browser.open(&application.logout()).await;
        assert_eq!(page.text, "signed out");
        assert_eq!(site.grants().await, 0, "it revokes what it has");
        assert!(site.is_signed_out(&mut browser).await);
        let page = browser.open(&application.page()).await;
        assert!(page.url.as_str().starts_with(site.issuer()), "{}", page.url);
    }

    async fn openidconnect_of_rust_signs_in_refreshes_revokes_and_signs_out(store) {
        let site = Site::start(store).await;
        let back = Web::plain(|_| answer("200 OK", &["content-type: text/plain"], "back")).await;
        let (redirect_uri, signed_out) = (format!("http://127.0.0.1:{}/cb", back.port), format!("http://127.0.0.1:{}/bye", back.port));
        let mut browser = Browser::new();
        for (alg, allowed) in [
            ("RS256", CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256),
            ("ES256", CoreJwsSigningAlgorithm::EcdsaP256Sha256),
            ("EdDSA", CoreJwsSigningAlgorithm::EdDsa),
        ] {
            let registered = site.register(alg, &redirect_uri, &signed_out, &["--alg", alg]);
            let party = StrictParty::discover(site.issuer(), &registered.id, &registered.secret, &redirect_uri, allowed).await;
            let waiting = party.begin(&SCOPE.split(' ').collect::<Vec<_>>());
            browser.open(waiting.url.as_str()).await;
            if alg == "RS256" {
                browser.sign_in("u000001", PASSWORD).await;
            }
            let returned: HashMap<String, String> = browser.page().url.query_pairs().into_owned().collect();
            assert_eq!(returned.get("iss").map(String::as_str), Some(site.issuer()));
            let (tokens, sub) = party.finish(waiting, &returned).await;
            assert_eq!(sub, site.user_id(&mut browser).await);

            let told = party.userinfo(tokens.access_token(), &sub).await.expect("its sub is that of the ID token");
            assert_eq!(told.email().map(|email| email.as_str()), Some("u000001@example.test"));
            let refresh = tokens.refresh_token().expect("a refresh token");
            let next = party.refresh(refresh).await.expect("tokens");
            assert_eq!(party.sub_without_nonce(&next), sub);
            let refresh = next.refresh_token().expect("the next one");
            party.revoke(refresh).await;
            let refused = party.refresh(refresh).await.expect_err("it was revoked");
            assert!(refused.contains("invalid_grant"), "{refused}");
            assert!(party.userinfo(next.access_token(), &sub).await.is_err());

            if alg == "EdDSA" {
                browser.open(&party.logout(next.id_token().expect("an ID token"), &signed_out)).await;
                assert_eq!(browser.page().url.as_str(), format!("{signed_out}?state=bye"));
                assert!(site.is_signed_out(&mut browser).await);
            }
        }
    }
}
