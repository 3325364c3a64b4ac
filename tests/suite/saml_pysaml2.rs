//! Logins through a real pysaml2 on both stores, with the attributes of universities: what they make of people, every cipher and
//! placement, requests of both bindings, and an identity provider that does less than it was asked to.

use crate::support::browser::Browser;
use crate::support::caller::on_both_gateways;
use crate::support::federation::{Federation, PUBLIC_URL, fetched};
use crate::support::gateway::Store;
use crate::support::pysaml2_idp::{Pysaml2Idp, carol};
use serde_json::{Value, json};
use std::ops::Deref;
use std::time::Duration;

/// A gateway and a pysaml2 that know each other as `uni`. It asks nobody for a password.
struct Site {
    federation: Federation,
    idp: Pysaml2Idp,
}

impl Deref for Site {
    type Target = Federation;

    fn deref(&self) -> &Federation {
        &self.federation
    }
}

impl Site {
    async fn start(store: Store, settings: Value, options: &[&str]) -> Self {
        let site = Self { federation: Federation::start(store).await, idp: Pysaml2Idp::start() };
        site.idp.set(settings);
        site.connect("uni", "shibboleth", &fetched(&site.idp.metadata_url()).await, options);
        site.idp.trust("uni", &site.metadata_of("uni").await);
        site
    }

    async fn log_in(&self) -> Browser {
        let mut browser = self.browser();
        browser.open(&self.login("uni")).await;
        browser
    }

    /// Changed options are good everywhere after two seconds.
    async fn changed(&self, options: &[&str]) {
        self.set("uni", options);
        tokio::time::sleep(Duration::from_millis(2_100)).await;
    }
}

on_both_gateways! {
    async fn a_first_login_makes_the_person_and_the_next_brings_what_changed(store) {
        let site = Site::start(store, json!({}), &[]).await;
        let mut browser = site.log_in().await;
        assert_eq!(browser.page().url.as_str(), format!("{PUBLIC_URL}/session"));
        let profile = site.profile(&mut browser).await;
        for (name, value) in [
            ("username", json!("carol@example.org")), ("email", json!("carol@example.org")), ("given_name", json!("Carol")),
            ("family_name", json!("Shaw")), ("name", json!("Carol Shaw")),
        ] {
            assert_eq!(profile[name], value, "{name} of {profile}");
        }
        let user = profile["user_id"].as_str().expect("an id");
        let shown = site.gateway.cli(&["users", "show", user, "--json"]);
        assert!(shown.contains("staff"), "{shown}");
        let mut changed = carol();
        changed["sn"] = json!(["Shaw-Miller"]);
        site.idp.set(json!({"attributes": changed}));
        let mut browser = site.log_in().await;
        let after = site.profile(&mut browser).await;
        assert_eq!((&after["user_id"], &after["family_name"]), (&profile["user_id"], &json!("Shaw-Miller")));
        let why = site.gateway.cli(&["users", "why", user, "family_name"]);
        assert!(why.contains("shibboleth") && why.contains("Shaw-Miller"), "{why}");
    }

    async fn however_it_signs_and_encrypts_it_is_let_in(store) {
        let site = Site::start(store, json!({}), &["encrypt_assertions=true", "allow_cbc=true"]).await;
        let ciphers = [
            None,
            Some(["http://www.w3.org/2009/xmlenc11#aes128-gcm", "aes-128"]),
            Some(["http://www.w3.org/2009/xmlenc11#aes256-gcm", "aes-256"]),
            Some(["http://www.w3.org/2001/04/xmlenc#aes256-cbc", "aes-256"]),
        ];
        for (response, assertion) in [(false, true), (true, false), (true, true)] {
            for cipher in ciphers {
                site.idp.set(json!({"sign_response": response, "sign_assertion": assertion, "encrypt_assertion": cipher.is_some()}));
                if let Some(cipher) = cipher {
                    site.idp.set(json!({"cipher": cipher}));
                }
                let mut browser = site.log_in().await;
                assert_eq!(site.profile(&mut browser).await["family_name"], "Shaw", "{response} {assertion} {cipher:?}");
            }
        }
    }

    async fn a_cipher_that_the_connection_does_not_take_gets_nobody_in(store) {
        let cbc = json!(["http://www.w3.org/2001/04/xmlenc#aes256-cbc", "aes-256"]);
        let site = Site::start(store, json!({"encrypt_assertion": true, "cipher": cbc}), &["encrypt_assertions=true"]).await;
        assert_eq!(site.log_in().await.page().status, 403);
        site.changed(&["allow_cbc=true"]).await;
        let mut browser = site.log_in().await;
        assert_eq!(site.profile(&mut browser).await["family_name"], "Shaw");
        site.idp.set(json!({"cipher": ["http://www.w3.org/2001/04/xmlenc#tripledes-cbc", "des-192"]}));
        assert_eq!(site.log_in().await.page().status, 403);
        assert_eq!(site.reasons().await, ["saml_encryption_algorithm", "saml_encryption_algorithm"]);
    }

    async fn an_answer_that_is_encrypted_and_signed_by_nobody_gets_nobody_in(store) {
        let unsigned = json!({"encrypt_assertion": true, "sign_assertion": false});
        let site = Site::start(store, unsigned, &["encrypt_assertions=true"]).await;
        assert_eq!(site.log_in().await.page().status, 403);
        site.idp.set(json!({"encrypt_assertion": false}));
        assert_eq!(site.log_in().await.page().status, 403);
        assert_eq!(site.reasons().await, ["saml_encrypted_unsigned", "saml_unsigned"]);
    }

    async fn our_signed_requests_are_taken_both_ways_where_it_takes_no_others(store) {
        let site = Site::start(store, json!({"want_authn_requests_signed": true}), &[]).await;
        for binding in ["redirect", "post"] {
            site.changed(&[&format!("request_binding={binding}")]).await;
            let mut browser = site.log_in().await;
            assert_eq!(site.profile(&mut browser).await["family_name"], "Shaw", "{binding}");
        }
    }

    async fn an_identity_provider_that_does_not_ask_again_though_it_should_gets_nobody_in(store) {
        let site = Site::start(store, json!({}), &["force_authn=true"]).await;
        let mut browser = site.log_in().await;
        assert_eq!(site.profile(&mut browser).await["family_name"], "Shaw", "it asked again");
        site.idp.set(json!({"honours_force_authn": false}));
        assert_eq!(site.log_in().await.page().status, 403);
        assert_eq!(site.reasons().await, ["saml_authn_too_old"]);
        site.changed(&["force_authn=false"]).await;
        let mut browser = site.log_in().await;
        assert_eq!(site.profile(&mut browser).await["family_name"], "Shaw", "an hour ago is good enough for others");
    }

    async fn a_sign_in_of_another_kind_than_was_asked_for_gets_nobody_in(store) {
        let mfa = "https://refeds.org/profile/mfa";
        let site = Site::start(store, json!({}), &[&format!("authn_contexts={mfa}")]).await;
        assert_eq!(site.log_in().await.page().status, 403);
        site.idp.set(json!({"authn_context": mfa}));
        let mut browser = site.log_in().await;
        assert_eq!(site.profile(&mut browser).await["family_name"], "Shaw");
        assert_eq!(site.reasons().await, ["saml_authn_context_mismatch"]);
    }

    async fn a_login_that_begins_there_is_taken_only_where_that_is_switched_on(store) {
        let site = Site::start(store, json!({}), &[]).await;
        let unasked = site.idp.unsolicited(&site.entity_id("uni"));
        let mut browser = site.browser();
        assert_eq!(browser.open(&unasked).await.status, 403);
        site.changed(&["idp_initiated=true"]).await;
        let mut browser = site.browser();
        browser.open(&unasked).await;
        assert_eq!(site.profile(&mut browser).await["family_name"], "Shaw");
        assert_eq!(site.reasons().await, ["saml_idp_initiated_off"]);
    }

    async fn a_certificate_that_changes_without_a_word_stops_nobody(store) {
        let federation = Federation::start(store).await;
        let idp = Pysaml2Idp::start();
        federation.connect_by_url("uni", "shibboleth", &idp.metadata_url(), &[]);
        let site = Site { federation, idp };
        site.idp.trust("uni", &site.metadata_of("uni").await);
        for count in 1..=2 {
            let mut browser = site.log_in().await;
            assert_eq!(site.profile(&mut browser).await["logins_count"], count);
            site.idp.roll_over();
        }
        assert_eq!(site.reasons().await, Vec::<String>::new());
    }
}

const BOTH_WAYS: [&str; 2] = ["redirect", "post"];

/// A pysaml2 that takes and sends what is said of logouts in this way alone, and requests only if we signed them.
async fn that_signs_out_by(store: Store, binding: &str) -> Site {
    Site::start(store, json!({"logout_binding": binding, "want_authn_requests_signed": true}), &[]).await
}

on_both_gateways! {
    async fn whoever_signs_out_here_is_signed_out_there(store) {
        for binding in BOTH_WAYS {
            let site = that_signs_out_by(store, binding).await;
            let (mut browser, mut elsewhere) = (site.log_in().await, site.log_in().await);
            assert_eq!(site.idp.sessions().await, 2);
            let page = browser.open(&format!("{PUBLIC_URL}/saml/uni/slo?return_to=/bye")).await;
            let form = page.forms().into_iter().next().expect("a button");
            browser.submit(&form).await;
            assert_eq!(browser.page().url.as_str(), format!("{PUBLIC_URL}/bye"), "{binding}: {}", browser.told());
            assert_eq!(site.session(&mut browser).await.status, 401);
            assert_eq!(site.idp.sessions().await, 1, "{binding}: the one that was named");
            assert_eq!(site.profile(&mut elsewhere).await["family_name"], "Shaw", "the other one stays on both sides");
        }
    }

    async fn whoever_signs_out_there_is_signed_out_here(store) {
        for binding in BOTH_WAYS {
            let site = that_signs_out_by(store, binding).await;
            let (mut at_home, mut at_work) = (site.log_in().await, site.log_in().await);
            let page = at_work.open(&site.idp.sign_out(false)).await;
            assert_eq!((page.status, page.text.as_str()), (200, "signed out everywhere"), "{binding}: our answer is taken");
            assert_eq!(site.session(&mut at_work).await.status, 401);
            assert_eq!(site.profile(&mut at_home).await["family_name"], "Shaw", "{binding}: another session stays");
            // Without an index all of a person's sessions are meant, whoever's browser says so.
            let page = site.browser().open(&site.idp.sign_out(true)).await.clone();
            assert_eq!((page.status, page.text.as_str()), (200, "signed out everywhere"), "{binding}");
            assert_eq!(site.session(&mut at_home).await.status, 401);
            assert_eq!((site.idp.sessions().await, site.reasons().await), (0, Vec::<String>::new()));
        }
    }
}
