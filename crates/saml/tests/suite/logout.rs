//! Single logout in both directions: what we write is read as it was meant, what comes is signed, addressed and fresh.

use jiff::SignedDuration;

use crate::mint::*;
use rosterd_saml::logout::{
    Expectation, LogoutOutcome, LogoutRequest, LogoutResponse, VerifiedLogoutRequest, read_request, read_response,
};
use rosterd_saml::read::NameId;
use rosterd_saml::redirect::{Kind, Received, Vouched, address};
use rosterd_saml::rule::{Refusal, Rule};
use rosterd_saml::sign::SigningKey;
use rosterd_saml::verify::Certificates;

const SLO: &str = "https://gateway.example.net/saml/acme/slo";

fn key(key: &Key) -> SigningKey {
    SigningKey::from_pem(&key.pem(), key.trusted()).unwrap()
}

fn certificates() -> Certificates {
    Certificates::new(vec![ec().trusted(), rsa().trusted()]).unwrap()
}

fn expected() -> Expectation<'static> {
    Expectation { slo_url: SLO, idp_entity_id: IDP, now: now(), skew: SignedDuration::from_secs(60) }
}

fn name() -> NameId {
    NameId {
        value: "alice & bob".into(),
        format: Some("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".into()),
        name_qualifier: Some("\"q\"".into()),
        sp_name_qualifier: None,
    }
}

/// As the identity provider would write it.
fn request(name_id: &NameId) -> LogoutRequest<'_> {
    LogoutRequest {
        id: "_logout1",
        issue_instant: now(),
        not_on_or_after: now().saturating_add(SignedDuration::from_mins(5)).unwrap(),
        destination: SLO,
        issuer: IDP,
        name_id,
        session_index: Some("_session1"),
    }
}

fn by_redirect(xml: &str, kind: Kind, by: &Key) -> Result<Vouched, Refusal> {
    let url = address(SLO, kind, xml, Some("state"), Some(&key(by))).unwrap();
    Received::from_query(url.split_once('?').unwrap().1)?.verify(&certificates())
}

fn taken(xml: &str) -> Result<VerifiedLogoutRequest, Refusal> {
    read_request(&by_redirect(xml, Kind::Request, rsa())?, &expected())
}

#[track_caller]
fn refused(xml: &str, rule: Rule) {
    assert_eq!(taken(xml).map_err(|refusal| refusal.rule), Err(rule), "{xml}");
}

#[test]
fn a_signed_request_is_read_from_a_redirect_and_from_a_form() {
    let name_id = name();
    let by_form = |by: &Key| {
        let xml = request(&name_id).signed_xml(&key(by)).unwrap();
        Vouched::from_form(&field(&xml), crate::verifier::in_use(), &certificates())
    };
    for by in [rsa(), ec()] {
        for vouched in [by_redirect(&request(&name_id).xml(), Kind::Request, by).unwrap(), by_form(by).unwrap()] {
            let read = read_request(&vouched, &expected()).unwrap();
            assert_eq!(
                read,
                VerifiedLogoutRequest { id: "_logout1".into(), name_id: name(), session_indexes: vec!["_session1".into()] }
            );
        }
    }
}

#[test]
fn an_unsigned_or_foreign_request_is_refused() {
    let name_id = name();
    let unsigned = Vouched::from_form(&field(&request(&name_id).xml()), crate::verifier::in_use(), &certificates());
    assert_eq!(unsigned.unwrap_err().rule, Rule::Unsigned);
    let foreign = request(&name_id).signed_xml(&key(stranger())).unwrap();
    assert_eq!(
        Vouched::from_form(&field(&foreign), crate::verifier::in_use(), &certificates()).unwrap_err().rule,
        Rule::SignatureInvalid
    );
    assert_eq!(by_redirect(&request(&name_id).xml(), Kind::Request, stranger()).unwrap_err().rule, Rule::SignatureInvalid);
    let changed = request(&name_id).signed_xml(&key(rsa())).unwrap().replace("alice", "mallory");
    assert_eq!(
        Vouched::from_form(&field(&changed), crate::verifier::in_use(), &certificates()).unwrap_err().rule,
        Rule::SignatureInvalid
    );
    let deeper = request(&name_id)
        .signed_xml(&key(rsa()))
        .unwrap()
        .replace("</samlp:LogoutRequest>", "<x><Signature/></x></samlp:LogoutRequest>");
    assert_eq!(
        Vouched::from_form(&field(&deeper), crate::verifier::in_use(), &certificates()).unwrap_err().rule,
        Rule::MisplacedSignature
    );
}

#[test]
fn a_verifier_that_hands_out_another_message_is_not_believed() {
    use rosterd_saml::verify::{NotVerified, Policy, SignedBytes, Verifier};
    struct Wrong(String);
    impl Verifier for Wrong {
        fn verify(&self, _: &str, _: &Certificates, _: &Policy) -> Result<SignedBytes, NotVerified> {
            Ok(SignedBytes::new(self.0.clone()))
        }
    }
    let name_id = name();
    let xml = request(&name_id).signed_xml(&key(rsa())).unwrap();
    let other = request(&name_id).xml().replace("_logout1", "_logout2");
    assert_eq!(Vouched::from_form(&field(&xml), &Wrong(other), &certificates()).unwrap_err().rule, Rule::SignedPart);
    let endless = request(&name_id).xml().replace("alice", &"a".repeat(800 * 1024));
    assert_eq!(Vouched::from_form(&field(&xml), &Wrong(endless), &certificates()).unwrap_err().rule, Rule::MessageTooLarge);
}

#[test]
fn a_request_for_somebody_else_by_somebody_else_or_of_another_time_is_refused() {
    let name_id = name();
    let good = request(&name_id).xml();
    assert!(taken(&good).is_ok());
    refused(&good.replace(SLO, "https://gateway.example.net/saml/globex/slo"), Rule::DestinationMismatch);
    refused(&good.replace(&format!(" Destination=\"{SLO}\""), ""), Rule::DestinationMissing);
    refused(&good.replace(IDP, "https://evil.example.com"), Rule::IssuerMismatch);
    refused(&good.replace(&at(0), &at(61)), Rule::IssuedInFuture);
    refused(&good.replace(&at(300), &at(-60)), Rule::Expired);
    let endless = good.replace(&format!(" NotOnOrAfter=\"{}\"", at(300)), "");
    assert!(taken(&endless).is_ok());
    refused(&endless.replace(&at(0), &at(-360)), Rule::Expired);
    // However long it says it holds, ten minutes count.
    let long = |issued: i64| good.replace(&at(0), &at(issued)).replace(&at(300), &at(100_000));
    assert!(taken(&long(-659)).is_ok());
    refused(&long(-660), Rule::Expired);
    refused(&good.replace(&at(0), "yesterday"), Rule::MalformedTime);
}

#[test]
fn a_request_that_names_nobody_is_refused() {
    let name_id = name();
    let good = request(&name_id).xml();
    let begin = good.find("<saml:NameID").unwrap();
    let end = good.find("</saml:NameID>").unwrap() + "</saml:NameID>".len();
    let named = &good[begin..end];
    refused(&good.replace(named, ""), Rule::NameIdMissing);
    refused(
        &good.replace(named, &format!("<saml:EncryptedID xmlns:saml=\"{ASSERTION}\"></saml:EncryptedID>")),
        Rule::EncryptedIdentifier,
    );
    refused(&good.replace(named, &format!("{named}{named}")), Rule::RepeatedElement);
    refused(&good.replace("alice &amp; bob", ""), Rule::EmptyNameId);
}

#[test]
fn a_message_of_another_kind_is_refused() {
    let name_id = name();
    let good = request(&name_id).xml();
    refused(&good.replace("LogoutRequest", "AuthnRequest"), Rule::MessageKind);
    refused(&good.replace("Version=\"2.0\"", "Version=\"1.1\""), Rule::ResponseVersion);
    refused(&good.replace(" ID=\"_logout1\"", ""), Rule::MissingId);
    refused("<!DOCTYPE a><a/>", Rule::Doctype);
}

fn response(outcome: LogoutOutcome) -> String {
    LogoutResponse { id: "_answer1", in_response_to: "_logout9", issue_instant: now(), destination: SLO, issuer: IDP, outcome }
        .xml()
}

fn answered_by(xml: &str) -> Result<LogoutOutcome, Rule> {
    let vouched = by_redirect(xml, Kind::Response, rsa()).map_err(|refusal| refusal.rule)?;
    read_response(&vouched, "_logout9", &expected()).map_err(|refusal| refusal.rule)
}

#[test]
fn an_answer_says_how_far_it_went() {
    assert_eq!(answered_by(&response(LogoutOutcome::Everywhere)), Ok(LogoutOutcome::Everywhere));
    assert_eq!(answered_by(&response(LogoutOutcome::Partly)), Ok(LogoutOutcome::Partly));
    let xml = LogoutResponse {
        id: "_answer1",
        in_response_to: "_logout9",
        issue_instant: now(),
        destination: SLO,
        issuer: IDP,
        outcome: LogoutOutcome::Everywhere,
    };
    let form =
        Vouched::from_form(&field(&xml.signed_xml(&key(ec())).unwrap()), crate::verifier::in_use(), &certificates()).unwrap();
    assert_eq!(read_response(&form, "_logout9", &expected()), Ok(LogoutOutcome::Everywhere));
}

#[test]
fn an_answer_to_something_else_or_in_failure_is_refused() {
    let good = response(LogoutOutcome::Everywhere);
    assert_eq!(answered_by(&good.replace("_logout9", "_logout8")), Err(Rule::InResponseToMismatch));
    assert_eq!(answered_by(&good.replace(" InResponseTo=\"_logout9\"", "")), Err(Rule::InResponseToMissing));
    assert_eq!(answered_by(&good.replace("status:Success", "status:Responder")), Err(Rule::StatusNotSuccess));
    assert_eq!(answered_by(&good.replace(SLO, ACS)), Err(Rule::DestinationMismatch));
    assert_eq!(answered_by(&good.replace("LogoutResponse", "Response")), Err(Rule::MessageKind));
}
