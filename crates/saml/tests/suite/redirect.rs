//! Messages in a query, whose signature covers the query as it was sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::sign::Signer;

use crate::mint::*;
use rosterd_saml::redirect::{Kind, Received};
use rosterd_saml::rule::{Refusal, Rule};
use rosterd_saml::verify::Certificates;

const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

fn certificates() -> Certificates {
    Certificates::new(vec![stranger().trusted(), ec().trusted(), rsa().trusted()]).unwrap()
}

fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn deflated(text: &str) -> String {
    encoded(&STANDARD.encode(miniz_oxide::deflate::compress_to_vec(text.as_bytes(), 6)))
}

/// As it goes out: message, state, algorithm, each encoded as given, and a signature over just that.
fn signed(covered: &str, key: &Key, digest: MessageDigest) -> String {
    format!("{covered}&Signature={}", encoded(&STANDARD.encode(raw_signature(covered.as_bytes(), key, digest))))
}

fn query() -> String {
    signed(
        &format!("SAMLRequest={}&RelayState=a%2fb&SigAlg={}", deflated("<m/>"), encoded(RSA_SHA256)),
        rsa(),
        MessageDigest::sha256(),
    )
}

fn verify(query: &str) -> Result<(), Refusal> {
    Received::from_query(query)?.verify(&certificates()).map(|_| ())
}

#[track_caller]
fn refused(query: &str, rule: Rule) {
    assert_eq!(verify(query).map_err(|refusal| refusal.rule), Err(rule), "{query}");
}

#[test]
fn a_signed_query_is_accepted_as_it_was_encoded() {
    assert_eq!(verify(&query()), Ok(()));
    let received = Received::from_query(&query()).unwrap();
    assert_eq!((received.kind, received.relay_state.as_deref()), (Kind::Request, Some("a/b")));
    // Lower-case escapes, as AD FS has them; encoded again by us they would be others.
    let covered = format!("SAMLResponse={}&SigAlg={}", deflated("<m/>").to_lowercase(), encoded(RSA_SHA256).to_lowercase());
    assert!(
        verify(&signed(&covered, rsa(), MessageDigest::sha256())).is_err(),
        "base64 has no lower case: the message is another"
    );
    let lower = |text: &str| {
        let parts: Vec<String> = text
            .split('%')
            .enumerate()
            .map(|(at, part)| if at == 0 { part.into() } else { format!("%{}{}", part[..2].to_lowercase(), &part[2..]) })
            .collect();
        parts.concat()
    };
    let covered = format!("SAMLResponse={}&SigAlg={}", lower(&deflated("<m/>")), lower(&encoded(RSA_SHA256)));
    assert_eq!(verify(&signed(&covered, rsa(), MessageDigest::sha256())), Ok(()));
}

#[test]
fn parameters_are_signed_in_the_order_of_the_standard_wherever_they_stand() {
    let good = query();
    let mut parts: Vec<&str> = good.split('&').collect();
    parts.reverse();
    assert_eq!(verify(&format!("session=1&{}&utm=x", parts.join("&"))), Ok(()));
}

#[test]
fn every_algorithm_is_accepted_by_its_digest() {
    for (bits, digest) in [("256", MessageDigest::sha256()), ("384", MessageDigest::sha384()), ("512", MessageDigest::sha512())] {
        for (family, key) in [("rsa", rsa()), ("ecdsa", ec())] {
            let algorithm = encoded(&format!("http://www.w3.org/2001/04/xmldsig-more#{family}-sha{bits}"));
            let covered = format!("SAMLRequest={}&SigAlg={algorithm}", deflated("<m/>"));
            assert_eq!(verify(&signed(&covered, key, digest)), Ok(()), "{family} {bits}");
        }
    }
}

#[test]
fn an_ecdsa_signature_in_der_is_accepted_too() {
    let algorithm = encoded("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256");
    let covered = format!("SAMLRequest={}&SigAlg={algorithm}", deflated("<m/>"));
    let der = Signer::new(MessageDigest::sha256(), &ec().private).unwrap().sign_oneshot_to_vec(covered.as_bytes()).unwrap();
    assert_eq!(verify(&format!("{covered}&Signature={}", encoded(&STANDARD.encode(der)))), Ok(()));
}

#[test]
fn what_was_changed_is_refused() {
    let good = query();
    refused(&good.replace("a%2fb", "a%2Fb"), Rule::SignatureInvalid);
    refused(&good.replace("&RelayState=a%2fb", ""), Rule::SignatureInvalid);
    refused(&good.replace(&deflated("<m/>"), &deflated("<n/>")), Rule::SignatureInvalid);
    refused(&good.replace("SAMLRequest", "SAMLResponse"), Rule::SignatureInvalid);
    refused(&good.replace("rsa%2Dsha256", "rsa%2Dsha512"), Rule::SignatureInvalid);
    let algorithm = encoded("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256");
    refused(&format!("SAMLRequest={}&SigAlg={algorithm}&Signature=AAAA", deflated("<m/>")), Rule::SignatureInvalid);
}

#[test]
fn a_query_without_a_signature_is_refused() {
    refused(&format!("SAMLRequest={}", deflated("<m/>")), Rule::Unsigned);
}

#[test]
fn weak_and_unknown_algorithms_are_refused() {
    for algorithm in ["http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2000/09/xmldsig#dsa-sha1", "none", ""] {
        let covered = format!("SAMLRequest={}&SigAlg={}", deflated("<m/>"), encoded(algorithm));
        refused(&signed(&covered, rsa(), MessageDigest::sha1()), Rule::SignatureAlgorithm);
    }
}

#[test]
fn a_kind_of_key_nobody_has_is_refused() {
    let only_ec = Certificates::new(vec![ec().trusted()]).unwrap();
    let refusal = Received::from_query(&query()).unwrap().verify(&only_ec).unwrap_err();
    assert_eq!(refusal.rule, Rule::NoMatchingCertificate);
}

#[test]
fn parameters_twice_or_half_are_refused() {
    let good = query();
    for name in ["SAMLRequest", "RelayState", "SigAlg", "Signature"] {
        let part = good.split('&').find(|part| part.starts_with(name)).unwrap();
        refused(&format!("{good}&{part}"), Rule::QueryParameters);
    }
    refused(&format!("{good}&SAMLResponse=x"), Rule::QueryParameters);
    refused("", Rule::QueryParameters);
    refused("SigAlg=a&Signature=AAAA", Rule::QueryParameters);
    refused(&format!("SAMLRequest={}&SigAlg=a", deflated("<m/>")), Rule::QueryParameters);
    refused("SAMLRequest=%zz", Rule::QueryParameters);
    refused("SAMLRequest=%4", Rule::QueryParameters);
    refused(&format!("SAMLEncoding=urn%3Aother&{good}"), Rule::QueryParameters);
}

#[test]
fn what_is_not_deflated_is_refused() {
    refused(&format!("SAMLRequest={}", encoded(&STANDARD.encode("<m/>"))), Rule::NotDeflated);
    refused("SAMLRequest=%25%25", Rule::NotBase64);
    refused("SAMLRequest=%ff", Rule::NotUtf8);
}

#[test]
fn a_long_relay_state_is_refused() {
    let with = |length: usize| format!("SAMLRequest={}&RelayState={}", deflated("<m/>"), "x".repeat(length));
    refused(&with(1025), Rule::RelayStateTooLong);
    refused(&with(1024), Rule::Unsigned);
    refused(&with(600_000), Rule::MessageTooLarge);
}
