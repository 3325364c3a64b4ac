//! Logins through npm's samlp on both stores, with the attributes of Entra ID and the encryption of Auth0.

use crate::support::browser::Browser;
use crate::support::caller::on_both_gateways;
use crate::support::federation::{Federation, PUBLIC_URL, fetched};
use crate::support::gateway::Store;
use crate::support::node_samlp::{NodeSamlp, dave};
use serde_json::{Value, json};
use std::ops::Deref;
use std::time::Duration;

/// A gateway and a samlp that know each other as `entra`. It asks nobody for a password.
struct Site {
    federation: Federation,
    idp: NodeSamlp,
}

impl Deref for Site {
    type Target = Federation;

    fn deref(&self) -> &Federation {
        &self.federation
    }
}

impl Site {
    async fn start(store: Store, options: &[&str]) -> Self {
        Self::start_with(store, json!({}), options).await
    }

    /// With settings of the identity provider that its metadata tells of.
    async fn start_with(store: Store, settings: Value, options: &[&str]) -> Self {
        let site = Self { federation: Federation::start(store).await, idp: NodeSamlp::start() };
        site.idp.set(settings);
        site.connect("entra", "entra-saml", &fetched(&site.idp.metadata_url()).await, options);
        site.idp.trust(&site.metadata_of("entra").await);
        site
    }

    async fn log_in(&self) -> Browser {
        let mut browser = self.browser();
        browser.open(&self.login("entra")).await;
        browser
    }

    async fn changed(&self, options: &[&str]) {
        self.set("entra", options);
        tokio::time::sleep(Duration::from_millis(2_100)).await;
    }
}

const OBJECT: &str = "http://schemas.microsoft.com/identity/claims/objectidentifier";
const SURNAME: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname";

on_both_gateways! {
    async fn a_first_login_makes_the_person_and_the_next_brings_what_changed(store) {
        let site = Site::start(store, &[&format!("user_id_attribute={OBJECT}")]).await;
        let mut browser = site.log_in().await;
        assert_eq!(browser.page().url.as_str(), format!("{PUBLIC_URL}/session"));
        let profile = site.profile(&mut browser).await;
        for (name, value) in [
            ("user_id", json!(format!("samlp|entra|{}", dave()[OBJECT].as_str().expect("an id")))),
            ("username", json!("dave@example.org")), ("email", json!("dave@example.org")), ("given_name", json!("Dave")),
            ("family_name", json!("Grohl")), ("name", json!("Dave Grohl")), ("groups", json!(["admins", "staff"])),
        ] {
            assert_eq!(profile[name], value, "{name} of {profile}");
        }
        // Another name, another address: the same person.
        let mut changed = dave();
        changed[SURNAME] = json!("Grohl-Blum");
        site.idp.set(json!({"attributes": changed, "name_id": "d.blum@example.org"}));
        let mut browser = site.log_in().await;
        let after = site.profile(&mut browser).await;
        assert_eq!((&after["user_id"], &after["family_name"]), (&profile["user_id"], &json!("Grohl-Blum")));
        let why = site.gateway.cli(&["users", "why", profile["user_id"].as_str().expect("an id"), "family_name"]);
        assert!(why.contains("entra-saml") && why.contains("Grohl-Blum"), "{why}");
    }

    async fn however_it_signs_and_encrypts_it_is_let_in(store) {
        let site = Site::start(store, &["allow_cbc=true"]).await;
        let ciphers = [
            None,
            Some("http://www.w3.org/2009/xmlenc11#aes128-gcm"),
            Some("http://www.w3.org/2009/xmlenc11#aes256-gcm"),
            Some("http://www.w3.org/2001/04/xmlenc#aes256-cbc"),
        ];
        for (response, assertion) in [(false, true), (true, false), (true, true)] {
            for cipher in ciphers {
                let placed = json!({"sign_response": response, "sign_assertion": assertion, "encrypt": cipher.is_some()});
                site.idp.set(placed);
                site.idp.set(json!({"cipher": cipher}));
                let mut browser = site.log_in().await;
                assert_eq!(site.profile(&mut browser).await["family_name"], "Grohl", "{response} {assertion} {cipher:?}");
            }
        }
    }

    async fn our_signed_requests_are_taken_both_ways_where_it_takes_no_others(store) {
        let site = Site::start(store, &["sign_requests=true"]).await;
        site.idp.set(json!({"check_requests": true}));
        for binding in ["redirect", "post"] {
            site.changed(&[&format!("request_binding={binding}")]).await;
            let mut browser = site.log_in().await;
            assert_eq!(site.profile(&mut browser).await["family_name"], "Grohl", "{binding}");
        }
        site.changed(&["sign_requests=false"]).await;
        let browser = site.log_in().await;
        assert!(browser.page().url.as_str().starts_with(&site.idp.base), "{}", browser.page().url);
    }

    async fn a_login_that_begins_there_is_taken_only_where_that_is_switched_on(store) {
        let site = Site::start(store, &[]).await;
        let unasked = site.idp.unsolicited(&site.entity_id("entra"));
        let mut browser = site.browser();
        assert_eq!(browser.open(&unasked).await.status, 403);
        site.changed(&["idp_initiated=true"]).await;
        let mut browser = site.browser();
        browser.open(&unasked).await;
        assert_eq!(site.profile(&mut browser).await["family_name"], "Grohl");
        assert_eq!(site.reasons().await, ["saml_idp_initiated_off"]);
    }

    async fn a_certificate_that_changes_without_a_word_stops_nobody(store) {
        let federation = Federation::start(store).await;
        let idp = NodeSamlp::start();
        federation.connect_by_url("entra", "entra-saml", &idp.metadata_url(), &[]);
        let site = Site { federation, idp };
        site.idp.trust(&site.metadata_of("entra").await);
        for count in 1..=2 {
            let mut browser = site.log_in().await;
            assert_eq!(site.profile(&mut browser).await["logins_count"], count);
            site.idp.roll_over();
        }
        assert_eq!(site.reasons().await, Vec::<String>::new());
    }
}

on_both_gateways! {
    // Whom it signs in has one session there, and what a person began from it goes with it: samlp sends the browser to end one
    // session after the other.
    async fn whoever_signs_out_here_is_signed_out_there_and_of_all_that_began_there(store) {
        for binding in ["redirect", "post"] {
            let site = Site::start_with(store, json!({"logout_binding": binding}), &[]).await;
            let (mut browser, mut elsewhere) = (site.log_in().await, site.log_in().await);
            assert_eq!(site.idp.sessions().await, 2);
            let page = browser.open(&format!("{PUBLIC_URL}/saml/entra/slo?return_to=/bye")).await;
            let form = page.forms().into_iter().next().expect("a button");
            browser.submit(&form).await;
            assert_eq!(browser.page().url.as_str(), format!("{PUBLIC_URL}/bye"), "{binding}: {}", browser.told());
            assert_eq!((site.session(&mut browser).await.status, site.session(&mut elsewhere).await.status), (401, 401));
            assert_eq!(site.idp.sessions().await, 0, "{binding}");
        }
    }

    async fn whoever_signs_out_there_is_signed_out_here(store) {
        for binding in ["redirect", "post"] {
            let site = Site::start_with(store, json!({"logout_binding": binding}), &[]).await;
            let (mut at_home, mut at_work) = (site.log_in().await, site.log_in().await);
            let page = at_work.open(&site.idp.sign_out()).await;
            assert_eq!((page.status, page.text.as_str()), (200, "200"), "{binding}: our answers are taken");
            assert_eq!((site.session(&mut at_work).await.status, site.session(&mut at_home).await.status), (401, 401));
            assert_eq!((site.idp.sessions().await, site.reasons().await), (0, Vec::<String>::new()), "{binding}");
        }
    }
}
