//! A provider that is wrong in one thing at a time, on both stores: the list of the Relying Party profile, by what nobody may be
//! signed in. Each is refused by its own code, shown on a page that tells nothing else, and told to the administrator.

use crate::support::bad_provider::{Act, At, CLIENT_ID, jwk, key, now, sign};
use crate::support::caller::on_both_gateways;
use crate::support::gateway::Store;
use crate::support::oidc_site::OidcSite;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Each claim and value is refused by its code.
async fn claims_are_refused(store: Store, all: &[(&str, Value, &str)]) {
    let site = OidcSite::start(store, &[]).await;
    for (name, value, code) in all {
        site.provider.act(|act| {
            act.claims.clear();
            act.claims.insert((*name).to_owned(), value.clone());
        });
        site.refused(code).await;
    }
    site.provider.act(|act| act.claims.clear());
    assert_eq!(site.log_in(&mut site.browser()).await.status, 303, "right again");
}

/// What a test has the provider do is refused by this code.
async fn is_refused(store: Store, change: impl FnOnce(&mut Act), code: &str) {
    let site = OidcSite::start(store, &[]).await;
    site.provider.act(change);
    site.refused(code).await;
    site.site.recorded(code).await;
}

fn right_claims(issuer: &str, nonce: &str) -> Value {
    json!({"iss": issuer, "sub": "ann", "aud": CLIENT_ID, "iat": now(), "exp": now() + 300, "nonce": nonce})
}

on_both_gateways! {
    async fn wrong_issuer(store) {
        claims_are_refused(store, &[
            ("iss", json!("https://evil.example"), "oidc_issuer"),
            ("iss", json!("http://127.0.0.1/"), "oidc_issuer"),
            ("iss", Value::Null, "oidc_issuer"),
        ]).await;
    }

    async fn missing_subject(store) {
        claims_are_refused(store, &[
            ("sub", Value::Null, "oidc_subject_missing"),
            ("sub", json!(""), "oidc_subject_missing"),
            ("sub", json!({"id": 1}), "oidc_subject_missing"),
        ]).await;
    }

    async fn bad_and_extra_audience(store) {
        claims_are_refused(store, &[
            ("aud", json!("somebody-else"), "oidc_audience"),
            ("aud", json!([]), "oidc_audience"),
            ("aud", Value::Null, "oidc_audience"),
            ("aud", json!([CLIENT_ID, "somebody-else"]), "oidc_authorized_party"),
            ("azp", json!("somebody-else"), "oidc_authorized_party"),
        ]).await;
    }

    async fn missing_and_wrong_times(store) {
        claims_are_refused(store, &[
            ("iat", Value::Null, "oidc_times_missing"),
            ("exp", Value::Null, "oidc_times_missing"),
            ("exp", json!(now() - 120), "oidc_expired"),
            ("iat", json!(now() + 3_600), "oidc_issued_in_future"),
            ("nbf", json!(now() + 3_600), "oidc_not_yet_valid"),
        ]).await;
    }

    async fn wrong_nonce_and_wrong_hash_of_the_access_token(store) {
        claims_are_refused(store, &[
            ("nonce", json!("another"), "oidc_nonce_mismatch"),
            ("nonce", Value::Null, "oidc_nonce_missing"),
            ("at_hash", json!("another"), "oidc_access_token_hash"),
        ]).await;
    }

    async fn kid_absent_with_one_key_and_with_several(store) {
        let site = OidcSite::start(store, &[]).await;
        site.provider.act(|act| act.header = json!({"alg": "RS256"}));
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303, "one key");
        let site = OidcSite::start(store, &[]).await;
        site.provider.act(|act| {
            act.header = json!({"alg": "RS256"});
            act.keys = vec![jwk("second"), json!({"kty": "AKP", "kid": "x"}), jwk("first")];
        });
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303, "one of several");
    }

    async fn bad_signature(store) {
        is_refused(store, |act| act.signs_with = String::from("second"), "oidc_signature").await;
    }

    async fn alg_none(store) {
        is_refused(store, |act| act.header = json!({"alg": "none"}), "oidc_algorithm").await;
    }

    async fn hs256_with_the_public_key(store) {
        let site = OidcSite::start(store, &[]).await;
        let pem = key("first").public_key_to_pem().expect("PEM");
        let mut browser = site.browser();
        let address = site.begin(&mut browser, "/login/acme").await;
        let nonce = url::Url::parse(&address).expect("an address");
        let nonce = nonce.query_pairs().find(|(name, _)| name == "nonce").expect("a nonce").1.into_owned();
        let signed = sign("first", &json!({"alg": "HS256", "kid": "first"}), &right_claims(&site.provider.url, &nonce));
        let (signed, _) = signed.rsplit_once('.').expect("three parts");
        let shared = PKey::hmac(&pem).expect("a key");
        let mut signer = Signer::new(MessageDigest::sha256(), &shared).expect("a signer");
        let signature = signer.sign_oneshot_to_vec(signed.as_bytes()).expect("signed");
        use base64::Engine;
        let token = format!("{signed}.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature));
        site.provider.act(|act| act.token = Some(token));
        let answer = browser.send("GET", &site.provider.authorize(&address), None).await;
        assert!(answer.status == 403 && answer.text.contains("oidc_algorithm"), "{}", answer.text);
    }

    async fn an_algorithm_that_the_connection_does_not_allow(store) {
        let site = OidcSite::start(store, &["algorithms=ES256"]).await;
        site.refused("oidc_algorithm").await;
    }

    async fn a_token_of_another_use_a_critical_extension_and_a_weak_key(store) {
        let site = OidcSite::start(store, &[]).await;
        for (header, code) in [
            (json!({"alg": "RS256", "kid": "first", "typ": "at+jwt"}), "oidc_token_type"),
            (json!({"alg": "RS256", "kid": "first", "typ": "logout+jwt"}), "oidc_token_type"),
            (json!({"alg": "RS256", "kid": "first", "crit": ["exp"]}), "oidc_token_critical"),
        ] {
            site.provider.act(|act| act.header = header);
            site.refused(code).await;
        }
        is_refused(store, |act| {
            act.keys = vec![jwk("weak")];
            act.signs_with = String::from("weak");
            act.header = json!({"alg": "RS256", "kid": "weak"});
        }, "oidc_weak_key").await;
    }

    async fn no_id_token_an_encrypted_one_one_that_is_none_and_one_that_is_too_large(store) {
        let site = OidcSite::start(store, &[]).await;
        for (token, code) in [
            (String::from("a.b.c.d.e"), "oidc_token_encrypted"),
            (String::from("a.b.c"), "oidc_token_malformed"),
            ("x".repeat(20_000), "oidc_token_too_large"),
        ] {
            site.provider.act(|act| act.token = Some(token));
            site.refused(code).await;
        }
        site.provider.act(|act| act.gives_id_token = false);
        site.refused("oidc_no_id_token").await;
    }

    async fn a_profile_of_somebody_else(store) {
        let site = OidcSite::start(store, &[]).await;
        for profile in [json!({"sub": "eve", "name": "Eve"}), json!({"name": "Nobody"})] {
            site.provider.act(|act| act.profile = profile);
            site.refused("oidc_profile_subject").await;
        }
        site.provider.act(|act| act.profile = json!(["ann"]));
        site.refused("oidc_profile_malformed").await;
        assert_eq!(site.site.rows("SELECT user_id FROM users").await.len(), 0);
    }

    async fn rotated_keys_are_read_again_once(store) {
        let site = OidcSite::start(store, &[]).await;
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
        // Right after they were read.
        site.provider.act(|act| {
            act.keys = vec![jwk("second")];
            act.signs_with = String::from("second");
            act.header = json!({"alg": "RS256", "kid": "second"});
        });
        assert_eq!(site.log_in(&mut site.browser()).await.status, 303);
        assert_eq!(site.provider.asked("jwks"), 2);
        site.provider.act(|act| act.header = json!({"alg": "RS256", "kid": "third"}));
        for _ in 0..3 {
            site.refused("oidc_unknown_key").await;
        }
        assert_eq!(site.provider.asked("jwks"), 2, "whoever sends tokens with unknown keys calls nobody");
    }

    async fn discovery_of_another_issuer(store) {
        let site = OidcSite::start(store, &[]).await;
        site.provider.act(|act| act.document.insert(String::from("issuer"), "https://other.example".into()));
        let answer = site.browser().send("GET", "/login/acme", None).await;
        assert!(answer.status == 403 && answer.text.contains("oidc_discovery_issuer"), "{}", answer.text);
        let told = &site.site.refusals().await[0];
        assert_eq!((&told["expected"], &told["received"]), (&json!(site.provider.url), &json!("https://other.example")));
    }

    async fn discovery_that_is_none_or_leads_nowhere(store) {
        for (change, code) in [
            (At::Says(200, "text/html", String::from("<html>")), "oidc_discovery_malformed"),
            (At::Says(500, "text/plain", String::new()), "oidc_discovery_unavailable"),
            (At::SendsOn, "oidc_discovery_unavailable"),
            (At::Floods(2 << 20), "oidc_discovery_unavailable"),
        ] {
            let site = OidcSite::start(store, &[]).await;
            site.provider.act(|act| act.at.insert("openid-configuration", change));
            let answer = site.browser().send("GET", "/login/acme", None).await;
            assert!(matches!(answer.status, 403 | 503) && answer.text.contains(code), "{code}: {}", answer.text);
            let asked = site.provider.asked("openid-configuration");
            site.browser().send("GET", "/login/acme", None).await;
            assert_eq!(site.provider.asked("openid-configuration"), asked, "not asked again at once");
        }
        for missing in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
            let site = OidcSite::start(store, &[]).await;
            site.provider.act(|act| act.document.shift_remove(missing));
            let answer = site.browser().send("GET", "/login/acme", None).await;
            assert!(answer.text.contains("oidc_discovery_endpoint"), "{missing}: {}", answer.text);
        }
    }

    async fn keys_that_are_elsewhere_huge_or_none(store) {
        for (change, code) in [
            (At::SendsOn, "oidc_keys_unavailable"),
            (At::Floods(2 << 20), "oidc_keys_unavailable"),
            (At::Says(404, "text/plain", String::new()), "oidc_keys_unavailable"),
            (At::Says(200, "application/json", String::from("[]")), "oidc_keys_malformed"),
        ] {
            is_refused(store, |act| _ = act.at.insert("jwks", change), code).await;
        }
    }

    async fn a_token_endpoint_that_is_slow_is_given_up_and_never_asked_twice(store) {
        let site = OidcSite::start(store, &[]).await;
        site.provider.act(|act| act.at.insert("token", At::Waits(Duration::from_secs(20))));
        let started = Instant::now();
        site.refused("oidc_exchange_failed").await;
        assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
        assert_eq!(site.provider.asked("token"), 1);
        site.provider.act(|act| act.at.insert("token", At::SendsOn));
        site.refused("oidc_exchange_failed").await;
        site.provider.act(|act| act.at.insert("token", At::Says(500, "text/html", String::from("<html>"))));
        site.refused("oidc_exchange_refused").await;
        assert_eq!(site.provider.asked("token"), 3);
    }

    async fn a_token_answer_that_is_none(store) {
        let site = OidcSite::start(store, &[]).await;
        for (body, code) in [
            ("[]", "oidc_token_answer_malformed"),
            (r#"{"id_token":"x"}"#, "oidc_no_access_token"),
            (r#"{"access_token":"a","token_type":"mac"}"#, "oidc_token_answer_malformed"),
            (r#"{"error":{"message":"Expired","code":190}}"#, "oidc_exchange_refused"),
        ] {
            site.provider.act(|act| act.at.insert("token", At::Says(200, "application/json", body.to_owned())));
            site.refused(code).await;
        }
    }
}
