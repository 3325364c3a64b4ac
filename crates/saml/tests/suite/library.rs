//! What libxmlsec1 may do for us, asked without the stages before it: each of these is refused there first, by name, and would
//! be refused here too.

use std::net::TcpListener;

use crate::mint::*;
use crate::verifier;
use rosterd_saml::signature::Family;
use rosterd_saml::verify::{Certificate, Certificates, NotVerified, Policy, SignedBytes, Verifier, Xmlsec};

const RSA: Policy = Policy { family: Family::Rsa };

fn trusted() -> Certificates {
    Certificates::new(vec![rsa().trusted()]).unwrap()
}

/// Ours alone: the other way to ask is let off more.
fn ours(xml: &str) -> Result<SignedBytes, NotVerified> {
    // Both, once: samael sets the library up without looking (see there).
    verifier::in_use().verify(&Login::default().signed_assertion(rsa()), &trusted(), &RSA).unwrap();
    Xmlsec.verify(xml, &trusted(), &RSA)
}

fn signed(how: &How) -> String {
    let login = Login::default();
    login.response(&sign(&login.assertion(), &login.assertion_id, rsa(), how))
}

#[track_caller]
fn refused(xml: &str) {
    assert_eq!(ours(xml), Err(NotVerified), "{xml}");
}

/// The signature is right: only what else was done is the reason.
#[track_caller]
fn refused_by_ours_alone(xml: &str) {
    refused(xml);
    assert!(verifier::by_samael(xml, &trusted(), &RSA).is_ok(), "refused for another reason\n{xml}");
}

#[test]
fn what_was_hashed_is_handed_out() {
    let login = Login::default();
    assert_eq!(ours(&login.signed_assertion(rsa())), Ok(SignedBytes::new(login.assertion())));
    let response = login.response(&login.assertion());
    assert_eq!(ours(&login.signed_response(rsa())), Ok(SignedBytes::new(response)));
    // With two signatures the outer one covers the inner.
    let inner = login.response(&sign(&login.assertion(), &login.assertion_id, rsa(), &How::default()));
    assert_eq!(ours(&login.signed_both(rsa())), Ok(SignedBytes::new(inner)));
}

#[test]
fn each_signature_has_to_be_by_the_key() {
    let login = Login::default();
    refused(&login.signed_assertion(stranger()));
    refused(&login.response(&login.assertion()));
    let by_stranger = sign(&login.assertion(), &login.assertion_id, stranger(), &How::default());
    refused(&sign(&login.response(&by_stranger), &login.response_id, rsa(), &How::default()));
    refused(&login.signed_assertion(rsa()).replace("alice", "mallory"));
}

#[test]
fn a_second_certificate_is_tried_on_the_same_document() {
    let login = Login::default();
    for key in [rsa(), stranger()] {
        let both = Certificates::new(vec![stranger().trusted(), ec().trusted(), rsa().trusted()]).unwrap();
        assert!(verifier::in_use().verify(&login.signed_both(key), &both, &RSA).is_ok());
    }
}

#[test]
fn weak_and_unknown_algorithms_are_refused() {
    for method in ["http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"] {
        refused(&signed(&How { method: method.into(), ..How::default() }));
    }
    refused(&signed(&How { digest: "http://www.w3.org/2000/09/xmldsig#sha1".into(), ..How::default() }));
    refused(&signed(&How { method: "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256".into(), ..How::default() }));
}

#[test]
fn a_transform_that_computes_is_refused() {
    let xpath = transform("http://www.w3.org/TR/1999/REC-xpath-19991116", "<ds:XPath>true()</ds:XPath>");
    let transforms = format!("{}{xpath}{}", transform(ENVELOPED, ""), transform(EXC_C14N, ""));
    refused_by_ours_alone(&signed(&How { transforms, ..How::default() }));
    let inclusive = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
    refused(&signed(&How { transforms: format!("{}{}", transform(ENVELOPED, ""), transform(inclusive, "")), ..How::default() }));
    let canonicalization = format!("<ds:CanonicalizationMethod Algorithm=\"{inclusive}\"></ds:CanonicalizationMethod>");
    refused(&signed(&How { canonicalization, ..How::default() }));
}

#[test]
fn a_reference_leads_to_the_element_around_and_nowhere_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let login = Login::default();
    let elsewhere = format!("http://{}/", listener.local_addr().unwrap());
    // Of the Response, and by the key, but in the Assertion.
    let response = login.response(&login.assertion());
    let signature = signature_of(&response, &login.response_id, rsa(), &How::default());
    let issuer = response.rfind("</saml:Issuer>").unwrap() + "</saml:Issuer>".len();
    refused_by_ours_alone(&format!("{}{signature}{}", &response[..issuer], &response[issuer..]));
    for uri in ["", "#", "#xpointer(/)", "#nobody", "file:///etc/hostname", &elsewhere] {
        refused(&signed(&How { uri: Some(format!(" URI=\"{uri}\"")), ..How::default() }));
    }
    refused(&signed(&How { uri: Some(String::new()), ..How::default() }));
    refused(&signed(&How { references: 2, ..How::default() }));
    assert!(listener.accept().is_err(), "somebody was called");
}

#[test]
fn an_id_stands_once_and_is_a_name() {
    let login = Login::default();
    let with = |id: &str| {
        let assertion = login.assertion().replace("<saml:Subject>", &format!("<saml:Subject ID=\"{id}\">"));
        login.response(&sign(&assertion, &login.assertion_id, rsa(), &How::default()))
    };
    assert!(ours(&with("_another")).is_ok());
    for id in [&*login.assertion_id, &*login.response_id, "1", "", "a:b"] {
        refused(&with(id));
    }
}

#[test]
fn nothing_is_repaired_or_defined() {
    let xml = Login::default().signed_assertion(rsa());
    assert!(ours(&xml).is_ok());
    refused_by_ours_alone(xml.strip_suffix('>').unwrap());
    refused_by_ours_alone(&format!("{xml}<more/>"));
    refused_by_ours_alone(&xml.replacen("<samlp:Response ", "<samlp:Response a=\"1\" a=\"1\" ", 1));
    refused_by_ours_alone(&format!("<!DOCTYPE r>{xml}"));
    refused(&format!("<!DOCTYPE r [<!ENTITY e \"alice\">]>{}", xml.replace("alice", "&e;")));
    refused("");
    refused("<a/>");
}

#[test]
fn many_threads_share_one_key() {
    let login = Login::default();
    let (good, bad) = (login.signed_both(rsa()), login.signed_assertion(rsa()).replace("alice", "mallory"));
    assert!(ours(&good).is_ok());
    let certificate: Certificate = rsa().trusted();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let certificates = Certificates::new(vec![certificate.clone()]).unwrap();
            let (good, bad) = (&good, &bad);
            scope.spawn(move || {
                for _ in 0..200 {
                    assert!(Xmlsec.verify(good, &certificates, &RSA).is_ok());
                    assert_eq!(Xmlsec.verify(bad, &certificates, &RSA), Err(NotVerified));
                }
            });
        }
    });
}

/// What a stranger sends leaves no error behind that the next caller of OpenSSL would take for its own.
#[test]
fn a_refusal_leaves_no_error_behind() {
    let certificates = trusted();
    assert!(ours(&Login::default().signed_assertion(rsa())).is_ok());
    assert_eq!(Xmlsec.verify(&Login::default().signed_assertion(stranger()), &certificates, &RSA), Err(NotVerified));
    assert!(openssl::error::ErrorStack::get().errors().is_empty());
}
