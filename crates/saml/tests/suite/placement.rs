//! Where signatures, assertions and ids stand.

use crate::mint::*;
use rosterd_saml::rule::Rule;

#[test]
fn stripped_of_its_signature_a_message_is_refused() {
    let login = Login::default();
    refuses(&login.response(&login.assertion()), Rule::Unsigned);
}

#[test]
fn a_signature_deeper_inside_is_refused() {
    let login = Login::default();
    let signature = signature_of(&login.assertion(), &login.assertion_id, rsa(), &How::default());
    let assertion = login.assertion().replace("</saml:Subject>", &format!("{signature}</saml:Subject>"));
    refuses(&login.response(&assertion), Rule::MisplacedSignature);
    refuses(
        &login.response(&login.assertion()).replace("</samlp:Status>", &format!("{signature}</samlp:Status>")),
        Rule::MisplacedSignature,
    );
}

#[test]
fn a_signature_of_another_namespace_is_refused() {
    let login = Login::default();
    let xml = login.signed_assertion(rsa());
    refuses(&xml.replace("</samlp:Status>", "</samlp:Status><Signature></Signature>"), Rule::MisplacedSignature);
    refuses(&xml.replace(DSIG, "urn:other"), Rule::MisplacedSignature);
}

#[test]
fn two_signatures_of_one_element_are_refused() {
    let login = Login::default();
    let twice =
        sign(&sign(&login.assertion(), &login.assertion_id, rsa(), &How::default()), &login.assertion_id, rsa(), &How::default());
    refuses(&login.response(&twice), Rule::TooManySignatures);
}

#[test]
fn a_third_signature_is_refused() {
    let login = Login::default();
    let twice = sign(&login.signed_both(rsa()), &login.response_id, rsa(), &How::default());
    refuses(&twice, Rule::TooManySignatures);
}

#[test]
fn one_wrong_signature_of_two_refuses_the_message() {
    let login = Login::default();
    // The assertion's is genuine, the Response's a stranger's, and the other way round.
    refuses(&sign(&login.signed_assertion(rsa()), &login.response_id, stranger(), &How::default()), Rule::SignatureInvalid);
    refuses(&sign(&login.signed_assertion(stranger()), &login.response_id, rsa(), &How::default()), Rule::SignatureInvalid);
}

#[test]
fn no_assertion_is_refused() {
    refuses(&sign(&Login::default().response(""), "_response1", rsa(), &How::default()), Rule::NoAssertion);
}

#[test]
fn a_bare_assertion_is_no_response() {
    let login = Login::default();
    refuses(&sign(&login.assertion(), &login.assertion_id, rsa(), &How::default()), Rule::RootNotResponse);
}

#[test]
fn a_response_of_another_namespace_or_version_is_refused() {
    let xml = Login::default().signed_assertion(rsa());
    refuses(&xml.replace(PROTOCOL, "urn:oasis:names:tc:SAML:1.0:protocol"), Rule::RootNotResponse);
    refuses(
        &xml.replace("<samlp:Response", "<samlp:ArtifactResponse").replace("</samlp:Response", "</samlp:ArtifactResponse"),
        Rule::RootNotResponse,
    );
    let login = Login::default();
    let xml = |version: &str| login.signed_assertion(rsa()).replacen(" Version=\"2.0\"", version, 1);
    refuses(&xml(" Version=\"1.1\""), Rule::ResponseVersion);
    refuses(&xml(""), Rule::ResponseVersion);
}

#[test]
fn a_missing_id_is_refused() {
    let login = Login::default();
    refuses(&login.signed_assertion(rsa()).replacen(" ID=\"_response1\"", "", 1), Rule::MissingId);
    refuses(&login.response(&login.assertion()).replace(" ID=\"_assertion1\"", ""), Rule::MissingId);
}

#[test]
fn an_id_that_is_no_name_is_refused() {
    for id in ["1", "", "element(/1/2)", "a b", "ä", "#x", "xpointer(id('a'))"] {
        let xml = Login::default().signed_assertion(rsa()).replacen("\"_response1\"", &format!("\"{id}\""), 1);
        refuses(&xml, Rule::MalformedId);
    }
}

#[test]
fn an_id_that_is_there_twice_is_refused() {
    let xml = Login::default().signed_assertion(rsa());
    refuses(&xml.replacen("\"_response1\"", "\"_assertion1\"", 1), Rule::DuplicateId);
    // On different elements, by different names.
    refuses(&xml.replacen("<ds:SignatureValue>", "<ds:SignatureValue Id=\"_assertion1\">", 1), Rule::DuplicateId);
}

#[test]
fn an_attribute_that_could_pass_for_an_id_is_refused() {
    let xml = Login::default().signed_assertion(rsa());
    for attribute in ["Id=\"_x\"", "id=\"_x\"", "xml:id=\"_x\"", "xmlns:x=\"urn:x\" x:ID=\"_x\"", "iD=\"_x\""] {
        refuses(&xml.replacen("<samlp:Status>", &format!("<samlp:Status {attribute}>"), 1), Rule::MisplacedId);
    }
    refuses(
        &xml.replacen(
            "<samlp:Status>",
            "<samlp:Extensions><x xmlns=\"urn:x\" ID=\"_assertion2\"></x></samlp:Extensions><samlp:Status>",
            1,
        ),
        Rule::MisplacedId,
    );
    refuses(&xml.replacen("<ds:SignatureValue>", "<ds:SignatureValue ID=\"_x\">", 1), Rule::MisplacedId);
}

#[test]
fn a_status_other_than_success_is_refused_in_the_identity_providers_words() {
    let denied = "<samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\"><samlp:StatusCode \
                  Value=\"urn:oasis:names:tc:SAML:2.0:status:RequestDenied\"></samlp:StatusCode></samlp:StatusCode>\
                  <samlp:StatusMessage>Not for you</samlp:StatusMessage></samlp:Status>";
    let mut login = Login::default();
    login.status = denied.into();
    // As a rule there is no assertion then; with one it is no better.
    let refusal = refuses(&login.response(""), Rule::StatusNotSuccess);
    assert!(refusal.received.unwrap().ends_with("RequestDenied Not for you"));
    refuses(&login.signed_assertion(rsa()), Rule::StatusNotSuccess);
    refuses(&login.signed_response(rsa()), Rule::StatusNotSuccess);
    login.status = String::new();
    refuses(&login.signed_assertion(rsa()), Rule::StatusNotSuccess);
    // Success one level down is none.
    login.status = format!(
        "<samlp:Status><samlp:StatusCode><samlp:StatusCode Value=\"{SUCCESS}\"></samlp:StatusCode></samlp:StatusCode></samlp:Status>"
    );
    refuses(&login.signed_assertion(rsa()), Rule::StatusNotSuccess);
    refuses(&login.signed_response(rsa()), Rule::StatusNotSuccess);
}
