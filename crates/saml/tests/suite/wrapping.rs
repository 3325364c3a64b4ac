//! Signature wrapping: the signed element is kept somewhere, so that its signature verifies, and another one stands where a
//! reader looks. Numbers as in "On Breaking SAML: Be Whoever You Want to Be" (Somorovsky et al., 2012), then beyond.
//! Each is minted on both placements of the signature where that makes sense, with the evil element's ID new and the same.

use crate::mint::*;
use rosterd_saml::rule::Rule;

fn evil() -> Login {
    let mut login = Login::default().with("alice", "mallory");
    login.assertion_attributes = login.assertion_attributes.replace("_assertion1", "_evil");
    login.response_attributes = login.response_attributes.replace("_response1", "_evilresponse");
    login
}

/// The signature alone, cut out of a signed element.
fn signature(signed: &str) -> String {
    let begin = signed.find("<ds:Signature ").unwrap();
    let end = signed[begin..].find("</ds:Signature>").unwrap() + begin + "</ds:Signature>".len();
    signed[begin..end].to_owned()
}

fn signed_assertion() -> String {
    let login = Login::default();
    sign(&login.assertion(), &login.assertion_id, rsa(), &How::default())
}

/// The genuine element without its signature, and the signature.
fn parts(signed: &str) -> (String, String) {
    let signature = signature(signed);
    (signed.replacen(&signature, "", 1), signature)
}

fn behind_issuer(element: &str, what: &str) -> String {
    element.replacen("</saml:Issuer>", &format!("</saml:Issuer>{what}"), 1)
}

#[test]
fn xsw_1_the_signed_response_inside_the_signature_of_an_evil_one() {
    let (genuine, signature) = parts(&Login::default().signed_response(rsa()));
    let evil = evil().response(&evil().assertion());
    let signature = signature.replace("</ds:Signature>", &format!("<ds:Object>{genuine}</ds:Object></ds:Signature>"));
    refuses(&behind_issuer(&evil, &signature), Rule::SeveralAssertions);
}

#[test]
fn xsw_1_without_an_assertion_of_its_own_the_evil_response_has_none() {
    let (genuine, signature) = parts(&Login::default().signed_response(rsa()));
    let signature = signature.replace("</ds:Signature>", &format!("{genuine}</ds:Signature>"));
    refuses(&behind_issuer(&evil().response(""), &signature), Rule::MisplacedAssertion);
}

#[test]
fn xsw_2_the_signed_response_beside_its_signature_in_an_evil_one() {
    let (genuine, signature) = parts(&Login::default().signed_response(rsa()));
    let evil = evil().response(&evil().assertion());
    refuses(&behind_issuer(&evil, &format!("{genuine}{signature}")), Rule::SeveralAssertions);
}

#[test]
fn xsw_3_an_evil_assertion_before_the_signed_one() {
    refuses(&Login::default().response(&format!("{}{}", evil().assertion(), signed_assertion())), Rule::SeveralAssertions);
}

#[test]
fn xsw_3_an_evil_assertion_behind_the_signed_one() {
    refuses(&Login::default().response(&format!("{}{}", signed_assertion(), evil().assertion())), Rule::SeveralAssertions);
}

#[test]
fn xsw_4_the_signed_assertion_inside_an_evil_one() {
    let evil = evil().assertion().replace("</saml:Assertion>", &format!("{}</saml:Assertion>", signed_assertion()));
    refuses(&Login::default().response(&evil), Rule::SeveralAssertions);
}

#[test]
fn xsw_5_the_signature_in_the_evil_assertion_and_the_signed_one_at_the_end() {
    let (genuine, signature) = parts(&signed_assertion());
    let evil = behind_issuer(&evil().assertion(), &signature);
    refuses(&Login::default().response(&format!("{evil}{genuine}")), Rule::SeveralAssertions);
}

#[test]
fn xsw_6_the_signed_assertion_inside_the_signature_of_an_evil_one() {
    let (genuine, signature) = parts(&signed_assertion());
    let signature = signature.replace("</ds:Signature>", &format!("{genuine}</ds:Signature>"));
    refuses(&Login::default().response(&behind_issuer(&evil().assertion(), &signature)), Rule::SeveralAssertions);
}

#[test]
fn xsw_7_the_signed_assertion_in_extensions_before_an_evil_one() {
    let extensions = format!("<samlp:Extensions>{}</samlp:Extensions>", signed_assertion());
    refuses(&Login::default().response(&format!("{extensions}{}", evil().assertion())), Rule::SeveralAssertions);
}

#[test]
fn xsw_7_extensions_alone_are_no_place_for_an_assertion() {
    let extensions = format!("<samlp:Extensions>{}</samlp:Extensions>", signed_assertion());
    refuses(&Login::default().response(&extensions), Rule::MisplacedAssertion);
}

#[test]
fn xsw_8_the_signed_assertion_in_an_object_of_the_signature() {
    let (genuine, signature) = parts(&signed_assertion());
    let signature = signature.replace("</ds:Signature>", &format!("<ds:Object>{genuine}</ds:Object></ds:Signature>"));
    refuses(&Login::default().response(&behind_issuer(&evil().assertion(), &signature)), Rule::SeveralAssertions);
}

#[test]
fn xsw_9_an_object_that_hides_what_was_signed_under_another_name() {
    // No second assertion by name: the evil one refers to an element of another kind that was signed once.
    let other = format!("<saml:Advice xmlns:saml=\"{ASSERTION}\" ID=\"_assertion1\"></saml:Advice>");
    let signature =
        signature_of(&other, "_assertion1", rsa(), &How { objects: format!("<ds:Object>{other}</ds:Object>"), ..How::default() });
    refuses(&Login::default().response(&behind_issuer(&evil().assertion(), &signature)), Rule::SignatureObject);
}

#[test]
fn xsw_10_an_evil_assertion_with_the_id_of_the_signed_one() {
    let evil = evil().with("_evil\"", "_assertion1\"").assertion();
    refuses(&Login::default().response(&format!("{evil}{}", signed_assertion())), Rule::DuplicateId);
    refuses(&Login::default().response(&format!("{}{evil}", signed_assertion())), Rule::DuplicateId);
}

#[test]
fn xsw_11_an_evil_response_around_the_whole_signed_one() {
    let genuine = Login::default().signed_response(rsa());
    refuses(&evil().response(&genuine), Rule::MisplacedAssertion);
}

#[test]
fn xsw_12_the_signature_refers_to_an_element_elsewhere_in_the_message() {
    let login = Login::default();
    let extensions =
        "<samlp:Extensions xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_elsewhere\"></samlp:Extensions>";
    let signature = signature_of(extensions, "_elsewhere", rsa(), &How::default());
    let xml = login.response(&format!("{extensions}{}", behind_issuer(&evil().assertion(), &signature)));
    refuses(&xml, Rule::ReferenceUri);
}

#[test]
fn xsw_13_a_response_inside_the_signed_assertion() {
    let inner = format!("<saml:Advice><samlp:Response xmlns:samlp=\"{PROTOCOL}\" ID=\"_inner\"></samlp:Response></saml:Advice>");
    let mut login = Login::default();
    login.conditions += &inner;
    refuses(&login.signed_assertion(rsa()), Rule::NestedResponse);
}

#[test]
fn xsw_14_an_encrypted_assertion_beside_the_signed_one() {
    let sealed = crate::seal::seal(&evil().assertion(), &crate::seal::Sealing::default());
    refuses(&Login::default().response(&format!("{}{sealed}", signed_assertion())), Rule::SeveralAssertions);
}

#[test]
fn an_evil_assertion_of_another_namespace_is_counted_too() {
    let evil = evil().assertion().replace(ASSERTION, "urn:oasis:names:tc:SAML:1.0:assertion").replace(" ID=", " AssertionID=");
    refuses(&Login::default().response(&format!("{evil}{}", signed_assertion())), Rule::SeveralAssertions);
    refuses(&Login::default().response(&evil), Rule::MisplacedAssertion);
}

#[test]
fn a_signature_over_the_status_vouches_for_nobody() {
    let status = format!("<samlp:Status xmlns:samlp=\"{PROTOCOL}\" ID=\"_status\"></samlp:Status>");
    let signature = signature_of(&status, "_status", rsa(), &How::default());
    let xml = behind_issuer(&Login::default().response(&evil().assertion()), &signature);
    refuses(&xml, Rule::ReferenceUri);
}

#[test]
fn a_verifier_that_hands_out_another_element_is_not_believed() {
    use rosterd_saml::decrypt::Decryption;
    use rosterd_saml::signed::Trust;
    use rosterd_saml::verify::{Certificates, NotVerified, Policy, SignedBytes, Verifier};
    struct Wrong(String);
    impl Verifier for Wrong {
        fn verify(&self, _: &str, _: &Certificates, _: &Policy) -> Result<SignedBytes, NotVerified> {
            Ok(SignedBytes::new(self.0.clone()))
        }
    }
    let certificates = Certificates::new(vec![rsa().trusted()]).unwrap();
    let decryption = Decryption::default();
    let message = field(&Login::default().signed_assertion(rsa()));
    for other in [evil().assertion(), evil().response(&evil().assertion())] {
        let trust = Trust { verifier: &Wrong(other), certificates: &certificates, decryption: &decryption };
        let refusal = rosterd_saml::response::authenticate(&message, trust).unwrap_err();
        assert_eq!(refusal.rule, Rule::SignedPart);
    }
    let endless = Login::default().assertion().replace("alice", &"a".repeat(800 * 1024));
    let trust = Trust { verifier: &Wrong(endless), certificates: &certificates, decryption: &decryption };
    assert_eq!(rosterd_saml::response::authenticate(&message, trust).unwrap_err().rule, Rule::MessageTooLarge);
}
