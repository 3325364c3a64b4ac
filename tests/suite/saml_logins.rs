//! Logins by SAML on both stores, against an identity provider of the suite's own: what they make of a person, who is kept out,
//! and what a browser sees.

use crate::support::caller::on_both_gateways;
use crate::support::minted::{self, Whom, mint};
use crate::support::saml_site::{SamlSite, sent_xml};
use serde_json::json;

on_both_gateways! {
    async fn a_login_begins_with_a_request_of_ours_and_stores_nothing(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = site.browser();
        let answer = browser.send("GET", "/login/acme?return_to=/app", None).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let request = sent_xml(answer.header("location").expect("somewhere"));
        assert_eq!(request.attribute("AssertionConsumerServiceURL"), site.whom(None).acs);
        assert_eq!(request.attribute("Destination"), minted::SSO);
        let id = request.attribute("ID");
        assert!(id.len() == 33 && id.starts_with('_'), "{id}");
        assert!(request.0.contains(&format!(">{}</saml:Issuer>", site.whom(None).entity_id)), "{}", request.0);
        assert_eq!(browser.cookies.len(), 1, "what it waits for");
        assert_eq!(site.rows("SELECT 1 AS one FROM login_used").await.len(), 0);
        assert_eq!(browser.session().await.status, 401);
    }

    async fn the_answer_makes_the_person_and_a_session(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = site.browser();
        let request = browser.begin_at("/login/acme?return_to=/app").await;
        let answer = browser.hand_over(&minted::login(&site.whom(Some(&request))).signed_assertion(minted::rsa())).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/app")), "{}", answer.text);
        assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["rosterd_session"], "nothing is waited for any more");
        let session = browser.session().await;
        assert_eq!(session.status, 200, "{}", session.text);
        let session = session.json();
        assert_eq!(session["user_id"], "samlp|acme|alice");
        assert_eq!(session["email"], "alice@example.com");
        assert_eq!(session["groups"], json!(["admins", "staff"]));
        assert_eq!(session["session"]["connection"], "acme", "{session}");
    }

    async fn the_next_login_brings_what_changed_meanwhile(store) {
        let site = SamlSite::start(store, &[]).await;
        assert_eq!(site.browser().log_in(|login| login).await.status, 303);
        let mut browser = site.browser();
        let answer = browser.log_in(|login| login.with("alice@example.com", "a.lee@example.com")).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let session = browser.session().await.json();
        assert_eq!((&session["email"], &session["logins_count"]), (&json!("a.lee@example.com"), &json!(2)), "{session}");
        let why = site.gateway.cli(&["users", "why", "samlp|acme|alice", "email"]);
        assert!(why.contains("minted") && why.contains("acme"), "{why}");
    }

    async fn each_placement_of_the_signature_is_taken(store) {
        let site = SamlSite::start(store, &[]).await;
        for placed in 0..3 {
            let mut browser = site.browser();
            let login = minted::login(&site.whom(Some(&browser.begin().await)));
            let xml = match placed {
                0 => login.signed_assertion(minted::rsa()),
                1 => login.signed_response(minted::rsa()),
                _ => login.signed_both(minted::rsa()),
            };
            let answer = browser.hand_over(&xml).await;
            assert_eq!(answer.status, 303, "{placed}: {}", answer.text);
        }
    }

    async fn a_blocked_person_reads_nothing_of_why_and_the_log_does(store) {
        let site = SamlSite::start(store, &[]).await;
        let (mut elsewhere, mut bob) = (site.browser(), site.browser());
        assert_eq!(elsewhere.log_in(|login| login).await.status, 303);
        assert_eq!(bob.log_in(|login| login.with(">alice<", ">bob<")).await.status, 303);
        let gone = mint::attribute("employment", &["gone"]);
        let mut browser = site.browser();
        let answer = browser
            .log_in(|login| login.with("<saml:AttributeStatement>", &format!("<saml:AttributeStatement>{gone}")))
            .await;
        assert_eq!(answer.status, 403);
        assert!(answer.text.contains("access_denied") && !answer.text.contains("blocked"), "{}", answer.text);
        assert_eq!(browser.session().await.status, 401);
        assert_eq!(elsewhere.session().await.status, 401, "where they were signed in before it is over");
        assert_eq!(bob.session().await.status, 200);
        assert_eq!(site.rows("SELECT id FROM sessions").await.len(), 1, "for good");
        assert_eq!(site.reasons().await, ["blocked_at_source"]);
        site.recorded("blocked_at_source").await;
        let answer = site.browser().log_in(|login| login).await;
        assert_eq!(answer.status, 303, "the source is asked anew each time: {}", answer.text);
    }

    async fn a_connection_that_makes_nobody_lets_nobody_new_in(store) {
        let site = SamlSite::start(store, &["create_on_login=false"]).await;
        let answer = site.browser().log_in(|login| login).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert_eq!(site.reasons().await, ["no_jit"]);
        assert_eq!(site.rows("SELECT user_id FROM users").await.len(), 0);
    }

    async fn a_login_goes_on_only_where_it_may(store) {
        let site = SamlSite::without_connection(store, &[("login.return_to", "https://app.example.com")]).await;
        site.connect("acme", &minted::metadata(&[minted::rsa()], ""), &[]);
        for evil in ["https://evil.example", "//evil.example", "/%5Cevil.example", "javascript:alert(1)"] {
            let path = format!("/login/acme?return_to={evil}");
            let answer = site.browser().send("GET", &path, None).await;
            assert_eq!(answer.status, 400, "{evil}");
            assert!(answer.text.contains("invalid_return_to") && !answer.text.contains("evil.example"), "{}", answer.text);
        }
        let mut browser = site.browser();
        let request = browser.begin_at("/login/acme?return_to=https://app.example.com/in").await;
        let answer = browser.hand_over(&minted::login(&site.whom(Some(&request))).signed_assertion(minted::rsa())).await;
        assert_eq!(answer.header("location"), Some("https://app.example.com/in"), "{}", answer.text);
    }

    async fn a_login_nobody_asked_for_is_refused_unless_the_connection_says_otherwise_and_goes_to_one_place(store) {
        let site = SamlSite::start(store, &["idp_initiated_target=/welcome"]).await;
        let unasked = || minted::login(&site.whom(None)).signed_assertion(minted::rsa());
        assert_eq!(site.browser().hand_over(&unasked()).await.status, 403);
        assert_eq!(site.reasons().await, ["saml_idp_initiated_off"]);
        site.gateway.cli(&["connection", "update", "acme", "--set", "idp_initiated=true"]);
        let mut browser = site.browser();
        let answer = browser.hand_over(&unasked()).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/welcome")), "{}", answer.text);
        assert_eq!(browser.session().await.json()["user_id"], "samlp|acme|alice");
    }

    async fn two_tabs_of_a_browser_sign_in_each_by_its_own_request(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = site.browser();
        let first = browser.begin_at("/login/acme?return_to=/one").await;
        let second = browser.begin_at("/login/acme?return_to=/two").await;
        for (request, path) in [(second, "/two"), (first, "/one")] {
            let answer = browser.hand_over(&minted::login(&site.whom(Some(&request))).signed_assertion(minted::rsa())).await;
            assert_eq!(answer.header("location"), Some(path), "{}", answer.text);
        }
    }

    async fn a_connection_answers_to_its_name_and_to_its_id(store) {
        let site = SamlSite::without_connection(store, &[]).await;
        let id = site.connect("acme", &minted::metadata(&[minted::rsa()], ""), &[]);
        let mut browser = site.browser();
        let request = browser.begin_at(&format!("/login/{id}")).await;
        let by_id = Whom { acs: format!("{}/saml/{id}/acs", site.gateway.base_url()), ..site.whom(Some(&request)) };
        let answer = browser
            .hand_over_at(&format!("/saml/{id}/acs"), &minted::login(&by_id).signed_assertion(minted::rsa()))
            .await;
        assert_eq!(answer.status, 303, "{}", answer.text);
    }

    async fn our_metadata_names_our_addresses_and_keys_and_follows_their_renewal(store) {
        let site = SamlSite::start(store, &[]).await;
        let read = async || site.browser().send("GET", "/saml/acme/metadata", None).await;
        let first = read().await;
        assert_eq!((first.status, first.header("content-type")), (200, Some("application/samlmetadata+xml")));
        let whom = site.whom(None);
        assert!(first.text.contains(&format!("entityID=\"{}\"", whom.entity_id)), "{}", first.text);
        assert!(first.text.contains(&format!("Location=\"{}\"", whom.acs)), "{}", first.text);
        assert_eq!(first.text.matches("use=\"signing\"").count(), 1);
        assert_eq!(read().await.text, first.text, "the key is made once");
        site.gateway.cli(&["connection", "keys", "acme", "--add-next"]);
        tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        let both = read().await.text;
        assert_eq!(both.matches("use=\"signing\"").count(), 2, "{both}");
        site.gateway.cli(&["connection", "keys", "acme", "--use-next"]);
        let listed: serde_json::Value =
            serde_json::from_str(&site.gateway.cli(&["connection", "keys", "acme", "--json"])).expect("JSON");
        let states: Vec<&str> = listed["keys"].as_array().expect("keys").iter().filter_map(|key| key["state"].as_str()).collect();
        assert_eq!(states, ["current", "former"]);
    }

    async fn metadata_that_can_not_be_read_any_more_is_read_again_by_the_next_login(store) {
        let site = SamlSite::start(store, &[]).await;
        site.change("UPDATE saml_metadata SET document = '<!DOCTYPE x><x/>', version = version + 1").await;
        let mut browser = site.browser();
        assert_eq!(browser.log_in(|login| login).await.status, 303, "from its file");
        // With nothing there to read, nobody is believed, and that is said.
        site.change("UPDATE saml_metadata SET document = '<x', refetched_at = NULL, version = version + 1").await;
        std::fs::remove_file(site.gateway.folder().join("acme.xml")).expect("removed");
        let answer = site.browser().send("GET", "/login/acme", None).await;
        assert!(answer.status == 403 && answer.text.contains("saml_metadata_unreadable"), "{}", answer.text);
        assert_eq!(site.reasons().await, ["saml_metadata_unreadable"]);
    }

    async fn a_connection_without_metadata_says_so_to_the_administrator(store) {
        let site = SamlSite::without_connection(store, &[]).await;
        site.gateway.cli(&["connection", "create", "bare", "--kind", "samlp", "--mapping", "minted"]);
        let answer = site.browser().send("GET", "/login/bare", None).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert!(answer.text.contains("saml_no_metadata"), "{}", answer.text);
        assert_eq!(site.browser().send("GET", "/saml/bare/metadata", None).await.status, 200, "it may be wanted first");
        assert_eq!(site.browser().send("GET", "/login/nobody", None).await.status, 404);
    }
}
