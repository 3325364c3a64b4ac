//! Whose keys count, and which keys are none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::bn::BigNum;
use openssl::nid::Nid;

use crate::mint::*;
use rosterd_saml::rule::Rule;
use rosterd_saml::verify::{Certificate, Certificates};

#[test]
fn a_foreign_key_is_refused() {
    let login = Login::default();
    refuses(&login.signed_assertion(stranger()), Rule::SignatureInvalid);
    refuses(&login.signed_response(stranger()), Rule::SignatureInvalid);
    refuses(&login.signed_both(stranger()), Rule::SignatureInvalid);
}

#[test]
fn a_key_in_the_message_is_not_believed() {
    let certificate = STANDARD.encode(stranger().der());
    let value = "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>";
    for inside in [format!("<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>"), value.into()] {
        let login = Login::default();
        let how = How { key_info: format!("<ds:KeyInfo>{inside}</ds:KeyInfo>"), ..How::default() };
        refuses(&login.response(&sign(&login.assertion(), &login.assertion_id, stranger(), &how)), Rule::SignatureInvalid);
    }
}

#[test]
fn what_was_changed_after_signing_is_refused() {
    let login = Login::default();
    for xml in [login.signed_assertion(rsa()), login.signed_response(rsa()), login.signed_both(rsa())] {
        refuses(&xml.replace("alice", "mallory"), Rule::SignatureInvalid);
        refuses(&xml.replacen("<ds:DigestValue>", "<ds:DigestValue>AA", 1), Rule::SignatureValue);
    }
}

#[test]
fn a_signature_of_a_kind_without_a_certificate_is_refused() {
    let login = Login::default();
    refuses(&login.signed_assertion(ec()), Rule::NoMatchingCertificate);
    let gateway = Gateway { certificates: vec![ec().trusted()], ..Gateway::default() };
    gateway.refuses(&login.signed_assertion(rsa()), Rule::NoMatchingCertificate);
}

#[test]
fn a_connection_without_a_certificate_accepts_nobody() {
    assert_eq!(Certificates::new(Vec::new()).unwrap_err().rule, Rule::NoCertificate);
    let login = Login::default();
    let gateway = Gateway { certificates: Vec::new(), ..Gateway::default() };
    gateway.refuses(&login.response(&login.assertion()), Rule::NoCertificate);
}

#[test]
fn weak_keys_are_no_certificates() {
    for key in [rsa_key("short", 1024), ec_key(Nid::X9_62_PRIME192V1), ec_key(Nid::SECP256K1), ed25519_key()] {
        assert_eq!(Certificate::from_der(&key.der()).unwrap_err().rule, Rule::WeakCertificate);
    }
}

#[test]
fn an_exponent_by_which_anybody_signs_or_each_check_is_slow_is_weak() {
    let of_bits = |bits: i32| {
        let mut exponent = BigNum::from_u32(1).unwrap();
        exponent.set_bit(bits - 1).unwrap();
        Certificate::from_der(&with_exponent(exponent)).map_err(|refusal| (refusal.rule, refusal.received.unwrap()))
    };
    for bits in [2, 17, 64] {
        assert!(of_bits(bits).is_ok(), "{bits}");
    }
    for bits in [1, 65, 2_000] {
        assert_eq!(of_bits(bits).unwrap_err(), (Rule::WeakCertificate, format!("RSA 2048 with an exponent of {bits} bits")));
    }
}

#[test]
fn a_wrong_signature_is_tried_with_no_more_than_thirty_two_certificates() {
    let login = Login::default();
    let signed = login.signed_assertion(rsa());
    let behind = |others: usize| {
        let mut certificates = vec![stranger().trusted(); others];
        certificates.push(rsa().trusted());
        Gateway { certificates, ..Gateway::default() }
    };
    behind(31).accepts(&signed);
    behind(32).refuses(&signed, Rule::SignatureInvalid);
}

#[test]
fn a_certificate_comes_as_pem_or_bare_and_tells_when_it_ends() {
    let pem = String::from_utf8(rsa().certificate.to_pem().unwrap()).unwrap();
    let bare = STANDARD.encode(rsa().der());
    for text in [&*pem, &*bare, &format!("\n {bare}\n")] {
        let certificate = Certificate::from_text(text).unwrap();
        assert_eq!(certificate, rsa().trusted());
        assert_eq!(certificate.not_after().unwrap().as_second(), 1_100_000_000);
        assert_eq!(certificate.fingerprint().len(), 95);
    }
    for text in ["", "AAAA", "-----BEGIN CERTIFICATE-----AAAA", "no"] {
        assert_eq!(Certificate::from_text(text).unwrap_err().rule, Rule::MalformedCertificate);
    }
}
