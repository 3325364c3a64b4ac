//! Weak and foreign algorithms.

use crate::mint::*;
use rosterd_saml::rule::Rule;

fn signed(how: &How) -> String {
    let login = Login::default();
    login.response(&sign(&login.assertion(), &login.assertion_id, rsa(), how))
}

#[test]
fn sha_1_and_md5_signatures_are_refused() {
    for method in ["http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"] {
        refuses(&signed(&How { method: method.into(), ..How::default() }), Rule::SignatureAlgorithm);
    }
}

#[test]
fn sha_1_and_md5_digests_are_refused() {
    for digest in ["http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmldsig-more#md5"] {
        refuses(&signed(&How { digest: digest.into(), ..How::default() }), Rule::DigestAlgorithm);
    }
}

#[test]
fn the_public_key_is_no_secret_of_an_hmac() {
    for method in ["http://www.w3.org/2000/09/xmldsig#hmac-sha1", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"] {
        refuses(&signed(&How { method: method.into(), ..How::default() }), Rule::SignatureAlgorithm);
    }
}

#[test]
fn other_algorithms_are_refused() {
    for method in [
        "http://www.w3.org/2009/xmldsig11#dsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha224",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
        "none",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256 ",
    ] {
        refuses(&signed(&How { method: method.into(), ..How::default() }), Rule::SignatureAlgorithm);
    }
}
