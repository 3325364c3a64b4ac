//! Single logout on both stores: what an identity provider ends here, what somebody who signs out here ends there, and what is
//! refused of either.

use crate::support::caller::on_both_gateways;
use crate::support::minted::{self, at, mint, rsa, stranger};
use crate::support::saml_site::{Browser, SamlSite, sent_xml};
use rosterd_saml::logout::{LogoutOutcome, LogoutRequest, LogoutResponse};
use rosterd_saml::read::NameId;
use rosterd_saml::redirect::{self, Kind};
use rosterd_saml::sign::SigningKey;

fn key(of: &minted::Key) -> SigningKey {
    SigningKey::from_pem(&of.pem(), of.trusted()).expect("a key")
}

fn named(value: &str) -> NameId {
    NameId { value: value.to_owned(), format: None, name_qualifier: None, sp_name_qualifier: None }
}

/// The path and query of a logout that the identity provider asks for.
fn asked(site: &SamlSite, id: &str, name: &str, index: Option<&str>, by: &minted::Key) -> String {
    let name_id = named(name);
    let destination = site.whom(None).acs.replace("/acs", "/slo");
    let xml = LogoutRequest {
        id,
        issue_instant: at(0).parse().expect("a time"),
        not_on_or_after: at(120).parse().expect("a time"),
        destination: &destination,
        issuer: minted::IDP,
        name_id: &name_id,
        session_index: index,
    }
    .xml();
    let address = redirect::address(&destination, Kind::Request, &xml, Some("state"), Some(&key(by))).expect("signed");
    address.replace(site.gateway.base_url(), "")
}

async fn signed_in<'a>(site: &'a SamlSite, name: &str, index: &str) -> Browser<'a> {
    let mut browser = site.browser();
    let answer = browser.log_in(|login| login.with(">alice<", &format!(">{name}<")).with("_session1", index)).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    browser
}

on_both_gateways! {
    async fn an_identity_provider_ends_the_session_it_names_and_no_other(store) {
        let site = SamlSite::start(store, &[]).await;
        let (mut here, mut there) = (signed_in(&site, "alice", "_a").await, signed_in(&site, "alice", "_b").await);
        let mut bob = signed_in(&site, "bob", "_a").await;
        let answer = site.browser().send("GET", &asked(&site, "_r1", "alice", Some("_a"), rsa()), None).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let location = answer.header("location").expect("somewhere").to_owned();
        assert!(location.starts_with(minted::SLO) && location.contains("RelayState=state"), "{location}");
        let response = sent_xml(&location);
        assert_eq!(response.attribute("InResponseTo"), "_r1");
        assert!(response.0.contains("status:Success"), "{}", response.0);
        assert_eq!((here.session().await.status, there.session().await.status), (401, 200));
        assert_eq!(bob.session().await.status, 200);
        let answer = site.browser().send("GET", &asked(&site, "_r2", "alice", None, rsa()), None).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        assert_eq!((there.session().await.status, bob.session().await.status), (401, 200), "without an index, all of theirs");
        let logged = site.rows("SELECT detail FROM log WHERE kind = 'logout' ORDER BY id").await;
        assert_eq!(logged.len(), 2);
    }

    async fn attack_a_logout_is_asked_for_by_a_stranger_unsigned_or_again(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut alice = signed_in(&site, "alice", "_a").await;
        let forged = asked(&site, "_r1", "alice", None, stranger());
        let unsigned = forged.split("&SigAlg").next().expect("a query").to_owned();
        let mut browser = site.browser();
        let refused = browser.send("GET", &forged, None).await;
        assert_eq!(refused.status, 403);
        assert!(refused.text.contains("Signing out did not work") && !refused.text.contains("Sign-in"), "{}", refused.text);
        assert_eq!(browser.send("GET", &unsigned, None).await.status, 403);
        assert_eq!(alice.session().await.status, 200);
        let good = asked(&site, "_r1", "alice", None, rsa());
        assert_eq!(browser.send("GET", &good, None).await.status, 303);
        let mut again = signed_in(&site, "alice", "_c").await;
        assert_eq!(browser.send("GET", &good, None).await.status, 303, "whoever repeats it gets on");
        assert_eq!(again.session().await.status, 200, "and ends nothing");
        assert_eq!(site.reasons().await, ["saml_signature_invalid", "saml_unsigned"]);
    }

    async fn whoever_signs_out_here_is_sent_on_to_sign_out_there(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = signed_in(&site, "alice", "_a").await;
        let page = browser.send("GET", "/saml/acme/slo?return_to=/bye", None).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("<form method=\"post\">") && page.text.contains("value=\"/bye\""), "{}", page.text);
        assert_eq!(browser.session().await.status, 200, "an address that is only followed ends nothing");
        let answer = browser.send("POST", "/saml/acme/slo", Some(&[("return_to", "/bye")])).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let request = sent_xml(answer.header("location").expect("somewhere"));
        assert!(request.0.contains(">alice</saml:NameID>") && request.0.contains(">_a</samlp:SessionIndex>"), "{}", request.0);
        assert!(answer.header("location").expect("somewhere").contains("&Signature="));
        assert_eq!(browser.session().await.status, 401, "here it is over at once");
        let destination = site.whom(None).acs.replace("/acs", "/slo");
        let id = request.attribute("ID");
        let response = LogoutResponse {
            id: "_x",
            in_response_to: &id,
            issue_instant: at(0).parse().expect("a time"),
            destination: &destination,
            issuer: minted::IDP,
            outcome: LogoutOutcome::Everywhere,
        };
        let back = redirect::address(&destination, Kind::Response, &response.xml(), None, Some(&key(rsa()))).expect("signed");
        let back = back.replace(site.gateway.base_url(), "");
        let other = site.browser().send("GET", &back, None).await;
        assert_eq!(other.status, 403, "another browser asked for nothing: {}", other.text);
        let answer = browser.send("GET", &back, None).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/bye")), "{}", answer.text);
    }

    async fn attack_another_sites_page_signs_somebody_out(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut browser = signed_in(&site, "alice", "_a").await;
        let from = [("sec-fetch-site", "cross-site")];
        assert_eq!(browser.send_with("POST", "/saml/acme/slo", Some(&[]), &from).await.status, 403);
        assert_eq!(browser.session().await.status, 200);
    }

    async fn a_connection_without_single_logout_takes_none_and_offers_none(store) {
        let site = SamlSite::start(store, &["single_logout=false"]).await;
        let mut browser = signed_in(&site, "alice", "_a").await;
        assert_eq!(site.browser().send("GET", &asked(&site, "_r1", "alice", None, rsa()), None).await.status, 403);
        assert_eq!(browser.session().await.status, 200);
        let metadata = browser.send("GET", "/saml/acme/metadata", None).await;
        assert!(!metadata.text.contains("SingleLogoutService"), "{}", metadata.text);
    }

    async fn a_posted_logout_is_taken_like_one_by_redirect(store) {
        let site = SamlSite::start(store, &[]).await;
        let mut alice = signed_in(&site, "alice", "_a").await;
        let destination = site.whom(None).acs.replace("/acs", "/slo");
        let name_id = named("alice");
        let xml = LogoutRequest {
            id: "_r1",
            issue_instant: at(0).parse().expect("a time"),
            not_on_or_after: at(120).parse().expect("a time"),
            destination: &destination,
            issuer: minted::IDP,
            name_id: &name_id,
            session_index: None,
        }
        .signed_xml(&key(rsa()))
        .expect("signed");
        let fields = [("SAMLRequest", mint::field(&xml)), ("RelayState", String::from("their state"))];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = site.browser().send("POST", "/saml/acme/slo", Some(&fields)).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        assert!(answer.header("location").expect("somewhere").contains("RelayState=their%20state"), "{answer:?}");
        assert_eq!(alice.session().await.status, 401);
    }
}
