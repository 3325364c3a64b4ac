//! A new proof of who somebody is, asked for through real providers: the strict one of npm, where a session of the person would let them
//! in without a word, and the copies of Google and GitHub, which can't tell. On both stores.

use crate::support::browser::Browser;
use crate::support::caller::on_both_gateways;
use crate::upstream_logins::{Copied, Strict};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;
use url::Url;

/// Somebody who has a session at the strict provider, too.
async fn signed_in(strict: &Strict) -> Browser {
    let mut browser = strict.log_in("acme").await;
    strict.entered(&mut browser).await;
    browser
}

fn is_asked_to_sign_in(strict: &Strict, browser: &Browser) -> bool {
    let page = browser.page();
    let is_there = page.url.as_str().starts_with(&format!("{}/interaction/", strict.panva.issuer));
    is_there && page.form_with("prompt").field("prompt") == Some("login")
}

async fn auth_time(strict: &Strict) -> i64 {
    strict.row("SELECT auth_time FROM sessions").await["auth_time"].as_i64().expect("a time")
}

/// Where the browser is sent by a login that is to be forced, with that taken out on the way.
async fn not_asked(strict: &Strict, browser: &mut Browser, says_max_age: bool) -> String {
    let sent = browser.fetch_visit(&format!("{}?force=1", strict.login("acme"))).await;
    let mut address = Url::parse(sent.header("location").expect("somewhere to go")).expect("an address");
    let all: Vec<(String, String)> = address.query_pairs().into_owned().collect();
    assert!(all.contains(&(String::from("prompt"), String::from("login"))), "{address}");
    assert!(all.contains(&(String::from("max_age"), String::from("0"))), "{address}");
    let kept = all.iter().filter(|(name, _)| name != "prompt" && name != "max_age");
    address.query_pairs_mut().clear().extend_pairs(kept);
    if says_max_age {
        address.query_pairs_mut().append_pair("max_age", "86400");
    }
    address.into()
}

on_both_gateways! {
    async fn a_new_proof_is_asked_for_where_a_session_would_do_and_the_session_says_when_it_was(store) {
        let strict = Strict::start(store, &[]).await;
        let mut browser = signed_in(&strict).await;
        browser.open(&strict.login("acme")).await;
        assert!(!is_asked_to_sign_in(&strict, &browser), "the provider knows them");
        strict.entered(&mut browser).await;
        let before = auth_time(&strict).await;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        browser.open(&format!("{}?force=1", strict.login("acme"))).await;
        assert!(is_asked_to_sign_in(&strict, &browser), "{}", browser.told());
        strict.panva.sign_in(&mut browser, "alice").await;
        strict.entered(&mut browser).await;
        let after = auth_time(&strict).await;
        assert!(after > before && after % 1_000_000 == 0, "the provider's word, in whole seconds: {before} {after}");
    }

    async fn an_application_that_asks_for_a_new_proof_gets_one(store) {
        let strict = Strict::start(store, &[]).await;
        let back = format!("{}/session", strict.public_url);
        let made = strict.gateway.cli(&["client", "create", "app", "--redirect-uri", &back, "--json"]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        let asked = |more: (&str, &str)| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("client_id", made["client_id"].as_str().expect("an id")).append_pair("redirect_uri", &back);
            query.append_pair("response_type", "code").append_pair("scope", "openid");
            query.append_pair("code_challenge", &challenge).append_pair("code_challenge_method", "S256");
            query.append_pair(more.0, more.1);
            format!("{}/authorize?{}", strict.public_url, query.finish())
        };
        let mut browser = signed_in(&strict).await;
        browser.open(&asked(("max_age", "10000"))).await;
        assert!(browser.page().url.as_str().contains("code="), "young enough: {}", browser.told());
        for more in [("prompt", "login"), ("max_age", "0")] {
            // As of a second ago: the provider tells whole ones.
            tokio::time::sleep(Duration::from_millis(1_100)).await;
            browser.open(&asked(more)).await;
            assert!(is_asked_to_sign_in(&strict, &browser), "{more:?}: {}", browser.told());
            strict.panva.sign_in(&mut browser, "alice").await;
            assert!(browser.page().url.as_str().contains("code="), "{more:?}: {}", browser.told());
        }
    }

    async fn attack_the_wish_for_a_new_proof_is_taken_out_on_the_way(store) {
        // One that tells when it saw a proof, and one that does not unless it is asked.
        for (metadata, code) in [(json!({"require_auth_time": true}), "oidc_auth_too_old"), (json!({}), "oidc_auth_time_missing")] {
            let strict = Strict::start_with(store, &metadata, &[]).await;
            let mut browser = signed_in(&strict).await;
            strict.panva.age_sessions(3_600);
            let out = browser.fetch("DELETE", &format!("{}/session", strict.public_url)).await;
            assert_eq!(out.status, 204, "{}", out.text);
            let address = not_asked(&strict, &mut browser, false).await;
            browser.open(&address).await;
            strict.kept_out(&mut browser, code).await;
        }
    }

    async fn attack_an_old_proof_is_shown_where_a_new_one_was_asked_for(store) {
        let strict = Strict::start(store, &[]).await;
        let mut browser = signed_in(&strict).await;
        strict.panva.age_sessions(3_600);
        let out = browser.fetch("DELETE", &format!("{}/session", strict.public_url)).await;
        assert_eq!(out.status, 204, "{}", out.text);
        let address = not_asked(&strict, &mut browser, true).await;
        browser.open(&address).await;
        strict.kept_out(&mut browser, "oidc_auth_too_old").await;
        let mut browser = strict.begin("acme").await;
        strict.panva.sign_in(&mut browser, "alice").await;
        strict.entered(&mut browser).await;
    }

    async fn google_can_not_tell_and_lets_nobody_in_who_has_to_prove_it(store) {
        let google = Copied::start(store, ("google", "google-oauth2"), "mia@corp.example").await;
        google.log_in().await;
        let mut browser = google.browser();
        browser.open(&format!("{}?force=1", google.login("acme"))).await;
        google.emulate.sign_in(&mut browser, google.who).await;
        google.kept_out(&mut browser, "oidc_auth_time_missing").await;
    }

    async fn plain_oauth_can_not_even_be_asked(store) {
        let github = Copied::start(store, ("github", "github"), "balint").await;
        let mut browser = github.browser();
        browser.open(&format!("{}?force=1", github.login("acme"))).await;
        assert!(browser.page().url.as_str().starts_with(&github.public_url), "nobody is sent anywhere: {}", browser.told());
        github.kept_out(&mut browser, "oidc_auth_time_missing").await;
    }
}
