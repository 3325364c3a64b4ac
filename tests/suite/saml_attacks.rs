//! Attacks on a login by SAML as they reach the gateway, on both stores. What a message alone can be is tested in `rosterd-saml`,
//! rule by rule; here is what needs a browser, a store, a second replica or another tenant, and that each refusal is told to the
//! administrator and to nobody else.

use crate::support::caller::on_both_gateways;
use crate::support::gateway::Gateway;
use crate::support::minted::{self, Login, mint, rsa, stranger};
use crate::support::saml_site::SamlSite;
use std::time::Duration;

/// Whatever an attacker sends is answered within this.
const REFUSED_WITHIN: Duration = Duration::from_secs(1);

fn signed(login: &Login) -> String {
    login.signed_assertion(rsa())
}

on_both_gateways! {
    async fn attack_an_assertion_is_replayed_in_the_same_browser(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = site.browser();
        let request = browser.begin().await;
        let waiting = browser.cookies.clone();
        let xml = signed(&minted::login(&site.whom(Some(&request))));
        assert_eq!(browser.hand_over(&xml).await.status, 303);
        browser.cookies = waiting;
        assert_eq!(browser.hand_over(&xml).await.status, 403);
        assert_eq!(site.reasons().await, ["saml_replayed"]);
    }

    async fn attack_another_assertion_answers_a_request_that_was_answered(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = site.browser();
        let request = browser.begin().await;
        let waiting = browser.cookies.clone();
        let whom = site.whom(Some(&request));
        assert_eq!(browser.hand_over(&signed(&minted::login(&whom))).await.status, 303);
        browser.cookies = waiting;
        assert_eq!(browser.hand_over(&signed(&minted::login(&whom))).await.status, 403);
        assert_eq!(site.reasons().await, ["saml_replayed"]);
    }

    async fn attack_an_unasked_assertion_is_replayed(store) {
        let site = SamlSite::start(store, &["idp_initiated=true"]).await;
        let xml = signed(&minted::login(&site.whom(None)));
        assert_eq!(site.browser().hand_over(&xml).await.status, 303);
        assert_eq!(site.browser().hand_over(&xml).await.status, 403);
        assert_eq!(site.reasons().await, ["saml_replayed"]);
    }

    async fn attack_many_browsers_use_one_unasked_assertion_at_once(store) {
        let site = SamlSite::start(store, &["idp_initiated=true"]).await;
        let xml = signed(&minted::login(&site.whom(None)));
        let mut statuses = Vec::new();
        for round in 0..5 {
            let (mut a, mut b, mut c, mut d) = (site.browser(), site.browser(), site.browser(), site.browser());
            let answers = tokio::join!(a.hand_over(&xml), b.hand_over(&xml), c.hand_over(&xml), d.hand_over(&xml));
            statuses.extend([answers.0.status, answers.1.status, answers.2.status, answers.3.status]);
            assert!(round > 0 || statuses.contains(&303), "{statuses:?}");
        }
        assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 303 | 403)), "{statuses:?}");
    }

    async fn attack_somebody_elses_answer_is_put_into_a_browser(store) {
        let site = SamlSite::start(store, &[]).await;
        let (mut attacker, mut victim) = (site.browser(), site.browser());
        let request = attacker.begin().await;
        let own = victim.begin().await;
        let xml = signed(&minted::login(&site.whom(Some(&request))));
        assert_eq!(victim.hand_over(&xml).await.status, 403, "the victim waits for {own}");
        assert_eq!(site.reasons().await, ["saml_unknown_request"]);
        assert_eq!(victim.session().await.status, 401);
        assert_eq!(attacker.hand_over(&xml).await.status, 303, "whose it is may use it: a refusal used nothing up");
    }

    async fn attack_a_login_of_another_connection_answers_this_ones_request(store) {
        let site = SamlSite::start(store, &[]).await;
        site.connect("other", &minted::metadata(&[rsa()], ""), &[]);
        let mut browser = site.browser();
        let request = browser.begin_at("/login/other").await;
        let answer = browser.hand_over(&signed(&minted::login(&site.whom(Some(&request))))).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert_eq!(site.reasons().await, ["saml_unknown_request"]);
    }

    async fn attack_an_assertion_for_one_connection_is_posted_to_anothers_acs(store) {
        let site = SamlSite::start(store, &["idp_initiated=true"]).await;
        site.connect("other", &minted::metadata(&[rsa()], ""), &["idp_initiated=true"]);
        let xml = signed(&minted::login(&site.whom(None)));
        let answer = site.browser().hand_over_at("/saml/other/acs", &xml).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert_eq!(site.reasons().await, ["saml_destination_mismatch"]);
    }

    async fn attack_another_tenants_acs_takes_an_assertion_with_a_copied_entity_id(store) {
        let site = SamlSite::start(store, &["idp_initiated=true"]).await;
        site.gateway.cli(&["tenant", "create", "globex", "--host", "globex.example"]);
        let file = format!("metadata_file={}", site.gateway.folder().join("acme.xml").display());
        let entity = format!("sp_entity_id={}", site.whom(None).entity_id);
        site.gateway.cli(&["mapping", "publish", "minted", "--tenant", "globex"]);
        let made = site.gateway.cli(&[
            "connection", "create", "acme", "--tenant", "globex", "--kind", "samlp", "--mapping", "minted", "--json", "--set", &file,
            "--set", &entity, "--set", "idp_initiated=true",
        ]);
        let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
        let path = format!("/saml/{}/acs", made["id"].as_str().expect("an id"));
        let xml = signed(&minted::login(&site.whom(None)));
        let fields = [("SAMLResponse", mint::field(&xml))];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // The host of `default` knows no such connection, its own does not take what was meant for another address.
        assert_eq!(site.browser().send("POST", &path, Some(&fields)).await.status, 404);
        let answer = site.browser().send_with("POST", &path, Some(&fields), &[("host", "globex.example")]).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert_eq!(site.reasons().await, ["saml_destination_mismatch"]);
        assert_eq!(site.browser().hand_over(&xml).await.status, 303, "and it was good where it belongs");
    }

    async fn attack_messages_that_say_the_wrong_thing_are_refused_each_by_its_own_code(store) {
        let site = SamlSite::start(store, &[]).await;
        let audience = site.whom(None).entity_id;
        let acs = site.whom(None).acs;
        type Change = Box<dyn Fn(&Login) -> String>;
        let with = |from: &str, to: &str| -> Change {
            let (from, to) = (from.to_owned(), to.to_owned());
            Box::new(move |login: &Login| signed(&login.clone().with(&from, &to)))
        };
        let cases: Vec<(&str, Change)> = vec![
            ("saml_unsigned", Box::new(|login| login.response(&login.assertion()))),
            ("saml_signature_invalid", Box::new(|login| login.signed_assertion(stranger()))),
            ("saml_signature_invalid", Box::new(|login| signed(login).replace("alice@", "admin@"))),
            ("saml_not_base64", Box::new(|_| String::from("\u{0}raw"))),
            ("saml_doctype", Box::new(|login| format!("<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]>{}", signed(login)))),
            ("saml_audience_mismatch", with(&format!("<saml:Audience>{audience}"), "<saml:Audience>https://evil.example")),
            ("saml_recipient_mismatch", with(&format!("Recipient=\"{acs}"), "Recipient=\"https://evil.example")),
            ("saml_destination_mismatch", with(&format!("Destination=\"{acs}"), "Destination=\"https://evil.example")),
            ("saml_issuer_mismatch", with(&format!("<saml:Issuer>{}", minted::IDP), "<saml:Issuer>https://evil.example")),
            ("saml_expired", Box::new(|login| {
                let mut login = login.clone();
                // Whatever second it is: the conditions alone.
                let (before, after) = login.conditions.split_once("NotOnOrAfter=\"").expect("an end");
                login.conditions = format!("{before}NotOnOrAfter=\"2020-01-01T00:00:00Z{}", &after[20..]);
                signed(&login)
            })),
            ("saml_status_not_success", with("status:Success", "status:Requester")),
            ("saml_transient_name_id", with("nameid-format:persistent", "nameid-format:transient")),
        ];
        for (code, change) in &cases {
            let mut browser = site.browser();
            let request = browser.begin().await;
            let xml = change(&minted::login(&site.whom(Some(&request))));
            let field = if *code == "saml_not_base64" { String::from("%%%") } else { mint::field(&xml) };
            let before = site.gateway.worked();
            let answer = browser.send("POST", "/saml/acme/acs", Some(&[("SAMLResponse", &field)])).await;
            let worked = site.gateway.worked().saturating_sub(before);
            assert!(worked < REFUSED_WITHIN, "{code}: {worked:?}");
            assert_eq!(answer.status, 403, "{code}: {}", answer.text);
            assert!(answer.text.contains(code), "{code}: {}", answer.text);
            assert!(!answer.text.contains("evil.example") && !answer.text.contains("alice"), "{code}: {}", answer.text);
            assert_eq!(browser.session().await.status, 401, "{code}");
        }
        let codes: Vec<&str> = cases.iter().map(|(code, _)| *code).collect();
        assert_eq!(site.reasons().await, codes);
        assert_eq!(site.rows("SELECT user_id FROM users").await.len(), 0);
    }

    async fn the_administrator_reads_what_was_expected_and_what_came(store) {
        let site = SamlSite::start(store, &[]).await;
        let audience = format!("<saml:Audience>{}", site.whom(None).entity_id);
        let answer = site.browser().log_in(|login| login.with(&audience, "<saml:Audience>urn:elsewhere")).await;
        assert_eq!(answer.status, 403);
        let detail = site.refusals().await.remove(0);
        assert_eq!(detail["expected"], site.whom(None).entity_id.as_str());
        assert_eq!(detail["received"], "urn:elsewhere");
        let shown = site.recorded("saml_audience_mismatch").await;
        assert!(shown.contains("urn:elsewhere") && shown.contains("entity id"), "{shown}");
        assert!(!shown.contains("alice"), "{shown}");
    }

    async fn attack_a_field_that_stands_in_the_form_twice(store) {
        let site = SamlSite::start(store, &["idp_initiated=true"]).await;
        let field = mint::field(&signed(&minted::login(&site.whom(None))));
        for fields in [[("SAMLResponse", field.as_str()), ("SAMLResponse", "x")], [("SAMLResponse", "x"), ("SAMLResponse", &field)]] {
            assert_eq!(site.browser().send("POST", "/saml/acme/acs", Some(&fields)).await.status, 400);
        }
        assert_eq!(site.browser().send("POST", "/saml/acme/acs", Some(&[("other", "x")])).await.status, 400);
        assert_eq!(site.browser().send("GET", "/saml/acme/acs", None).await.status, 405);
    }

    async fn attack_a_body_larger_than_any_message(store) {
        let site = SamlSite::start(store, &[]).await;
        let huge = "A".repeat(600 << 10);
        let before = site.gateway.worked();
        let answer = site.browser().send("POST", "/saml/acme/acs", Some(&[("SAMLResponse", &huge)])).await;
        assert_eq!(answer.status, 413, "{}", answer.text);
        assert!(site.gateway.worked().saturating_sub(before) < REFUSED_WITHIN);
    }

    async fn attack_refusals_are_caused_until_the_log_is_full(store) {
        let site = SamlSite::without_connection(store, &[("login.failures_per_address", "3")]).await;
        site.connect("acme", &minted::metadata(&[rsa()], ""), &[]);
        for _ in 0..8 {
            let answer = site.browser().send("POST", "/saml/acme/acs", Some(&[("SAMLResponse", "PHg+")])).await;
            assert_eq!(answer.status, 403, "{}", answer.text);
        }
        assert_eq!(site.reasons().await.len(), 3, "what one address can write has a limit");
        assert_eq!(site.browser().log_in(|login| login).await.status, 303, "and nobody is locked out by it");
    }

    async fn attack_another_sites_page_begins_logins_in_somebodys_browser(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = site.browser();
        for mode in ["no-cors", "cors"] {
            let answer = browser.send_with("GET", "/login/acme", None, &[("sec-fetch-mode", mode)]).await;
            assert_eq!((answer.status, browser.cookies.len()), (403, 0), "{mode}");
        }
        for _ in 0..12 {
            assert_eq!(browser.send_with("GET", "/login/acme", None, &[("sec-fetch-mode", "navigate")]).await.status, 303);
        }
        assert_eq!(browser.cookies.len(), 5, "what one browser waits for has a limit");
        let long = format!("/login/acme?return_to=/{}", "x".repeat(1_100));
        assert_eq!(browser.send("GET", &long, None).await.status, 400);
    }

    async fn attack_refusals_that_a_page_causes_lock_nobodys_password_login(store) {
        let site = SamlSite::without_connection(store, &[("login.failures_per_address", "3")]).await;
        site.connect("acme", &minted::metadata(&[rsa()], ""), &[]);
        for _ in 0..5 {
            assert_eq!(site.browser().send("GET", "/saml/acme/slo?SAMLRequest=x", None).await.status, 403);
        }
        let counted = site.rows("SELECT subject FROM login_failures").await;
        assert!(counted.iter().all(|row| row["subject"].as_str().is_some_and(|subject| subject.starts_with("saml:"))), "{counted:?}");
    }

    async fn a_session_lasts_no_longer_than_the_identity_provider_vouches_for_it(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = site.browser();
        let until = minted::at(600);
        let answer = browser
            .log_in(|login| {
                login.with("\"_session1\"", &format!("\"_session1\" SessionNotOnOrAfter=\"{until}\""))
            })
            .await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let set = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        let set: Vec<&str> = set.filter(|value| value.starts_with("rosterd_session=")).collect();
        let seconds: i64 = set[0].split("Max-Age=").nth(1).and_then(|rest| rest.split(';').next()).expect("an age").parse().expect("a number");
        assert!((500..=600).contains(&seconds), "{seconds}");
        let session = browser.session().await.json();
        assert!(session["session"]["expires_at"].as_str().expect("a time").starts_with(&until[..16]), "{session}");
    }

    async fn the_session_a_browser_had_ends_with_its_next_login(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = site.browser();
        assert_eq!(browser.log_in(|login| login).await.status, 303);
        let request = browser.begin().await;
        // Over https the session's cookie does not come along with another site's form.
        browser.cookies.remove("rosterd_session");
        assert_eq!(browser.hand_over(&signed(&minted::login(&site.whom(Some(&request))))).await.status, 303);
        assert_eq!(site.rows("SELECT id FROM sessions").await.len(), 1);
    }

    async fn attack_a_message_is_replayed_at_another_replica(store) {
        let site = SamlSite::without_connection(store, &[("server.public_url", "http://id.example")]).await;
        site.connect("acme", &minted::metadata(&[rsa()], ""), &["idp_initiated=true"]);
        let replica = Gateway::beside(&site.gateway);
        let path = format!("{}/saml/acme/acs", replica.base_url());
        let xml = signed(&minted::login(&site.whom(None)));
        assert_eq!(site.browser().hand_over(&xml).await.status, 303);
        let answer = site.browser().hand_over_at(&path, &xml).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert_eq!(site.reasons().await, ["saml_replayed"]);
        let fresh = signed(&minted::login(&site.whom(None)));
        assert_eq!(site.browser().hand_over_at(&path, &fresh).await.status, 303, "one that is new it takes");
    }

    async fn a_login_that_began_at_one_replica_ends_at_another(store) {
        let site = SamlSite::without_connection(store, &[("server.public_url", "http://id.example")]).await;
        site.connect("acme", &minted::metadata(&[rsa()], ""), &[]);
        let replica = Gateway::beside(&site.gateway);
        let mut browser = site.browser();
        let request = browser.begin().await;
        let xml = signed(&minted::login(&site.whom(Some(&request))));
        let answer = browser.hand_over_at(&format!("{}/saml/acme/acs", replica.base_url()), &xml).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
    }

    async fn a_refusal_is_recorded_under_the_path_that_was_asked_for(store) {
        let site = SamlSite::start(store, &[]).await;
        assert_eq!(site.browser().send("POST", "/saml/acme/acs", Some(&[("SAMLResponse", "x")])).await.status, 403);
        site.recorded("\"/saml/acme/acs\"").await;
    }
}
