//! What we send: requests that others can verify, our metadata, and nothing that leaves its place.

use crate::mint::*;
use rosterd_saml::limits::Limits;
use rosterd_saml::metadata::SpMetadata;
use rosterd_saml::redirect::{Kind, Received, address};
use rosterd_saml::request::AuthnRequest;
use rosterd_saml::scan::scan;
use rosterd_saml::sign::SigningKey;
use rosterd_saml::verify::{Certificates, Policy};

const HOSTILE: &str = "a\"b<c>&'d\u{e9}\r\n\t";

fn request<'a>(contexts: &'a [String], url: &'a str) -> AuthnRequest<'a> {
    AuthnRequest {
        id: "_r1",
        issue_instant: now(),
        destination: url,
        acs_url: url,
        issuer: url,
        force_authn: true,
        name_id_format: Some(url),
        authn_contexts: contexts,
    }
}

#[test]
fn a_request_says_what_it_was_told_whatever_that_is() {
    let contexts = [HOSTILE.to_owned(), "second".to_owned()];
    let xml = request(&contexts, HOSTILE).xml();
    let document = scan(&xml, Limits::MESSAGE).unwrap();
    let root = document.root();
    assert_eq!((root.local(), root.namespace()), ("AuthnRequest", PROTOCOL));
    for name in ["Destination", "AssertionConsumerServiceURL"] {
        assert_eq!(root.attribute(name), Some(HOSTILE));
    }
    assert_eq!((root.attribute("ForceAuthn"), root.attribute("IssueInstant")), (Some("true"), Some(&*at(0))));
    let locals: Vec<&str> = root.children().map(|child| child.local()).collect();
    assert_eq!(locals, ["Issuer", "NameIDPolicy", "RequestedAuthnContext"]);
    assert_eq!(root.children().nth(1).unwrap().attribute("Format"), Some(HOSTILE));
    assert_eq!(root.children().nth(2).unwrap().children().count(), 2);
}

#[test]
fn a_plain_request_asks_for_nothing_more() {
    let plain = AuthnRequest { force_authn: false, name_id_format: None, ..request(&[], ACS) }.xml();
    assert!(!plain.contains("ForceAuthn") && !plain.contains("Format") && !plain.contains("RequestedAuthnContext"));
}

#[test]
fn a_request_signed_for_a_form_verifies_by_libxmlsec() {
    for (key, url) in [(rsa(), ACS), (ec(), ACS), (rsa(), HOSTILE)] {
        let signing = SigningKey::from_pem(&key.pem(), key.trusted()).unwrap();
        let xml = request(&[], url).signed_xml(&signing).unwrap();
        let certificates = Certificates::new(vec![key.trusted()]).unwrap();
        let policy = Policy { family: key.trusted().family() };
        assert!(crate::verifier::in_use().verify(&xml, &certificates, &policy).is_ok(), "{xml}");
        assert!(crate::verifier::in_use().verify(&xml.replace("_r1", "_r2"), &certificates, &policy).is_err());
    }
}

#[test]
fn a_request_by_redirect_verifies_over_its_query() {
    for key in [rsa(), ec()] {
        let signing = SigningKey::from_pem(&key.pem(), key.trusted()).unwrap();
        let certificates = Certificates::new(vec![key.trusted()]).unwrap();
        let url =
            address("https://idp.example.com/sso?x=1", Kind::Request, &request(&[], ACS).xml(), Some("a b&c"), Some(&signing))
                .unwrap();
        let query = url.strip_prefix("https://idp.example.com/sso?x=1&").unwrap();
        let received = Received::from_query(query).unwrap();
        assert_eq!(received.relay_state.as_deref(), Some("a b&c"));
        assert!(received.verify(&certificates).is_ok());
    }
    let unsigned = address("https://idp.example.com/sso", Kind::Request, "<m/>", None, None).unwrap();
    assert!(unsigned.starts_with("https://idp.example.com/sso?SAMLRequest=") && !unsigned.contains('&'));
}

#[test]
fn a_key_is_that_of_its_certificate_and_prints_nothing() {
    assert!(SigningKey::from_pem(&rsa().pem(), ec().trusted()).is_none());
    assert!(SigningKey::from_pem(&rsa().pem(), stranger().trusted()).is_none());
    assert!(SigningKey::from_pem(b"no key", rsa().trusted()).is_none());
    let key = SigningKey::from_pem(&rsa().pem(), rsa().trusted()).unwrap();
    assert_eq!(format!("{key:?}"), format!("SigningKey({})", rsa().trusted().fingerprint()));
    assert_eq!(format!("{:?}", ours().decryption()), "DecryptionKey");
}

#[test]
fn our_metadata_publishes_both_keys_and_what_we_accept() {
    let certificates = [rsa().trusted(), ec().trusted()];
    let encryption = ours().trusted();
    let metadata = SpMetadata {
        entity_id: HOSTILE,
        acs_url: ACS,
        slo_url: Some("https://gateway.example.net/slo"),
        signs_requests: true,
        signing: &certificates,
        encryption: Some(&encryption),
        allow_cbc: false,
        name_id_formats: &["urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"],
    };
    let xml = metadata.xml();
    let document = scan(&xml, Limits::METADATA).unwrap();
    assert_eq!(document.root().attribute("entityID"), Some(HOSTILE));
    let descriptor = document.root().children().next().unwrap();
    assert_eq!(descriptor.attribute("AuthnRequestsSigned"), Some("true"));
    assert_eq!(descriptor.attribute("WantAssertionsSigned"), Some("true"));
    // In the order of the schema.
    let locals: Vec<&str> = descriptor.children().map(|child| child.local()).collect();
    assert_eq!(
        locals,
        [
            "KeyDescriptor",
            "KeyDescriptor",
            "KeyDescriptor",
            "SingleLogoutService",
            "SingleLogoutService",
            "NameIDFormat",
            "AssertionConsumerService"
        ]
    );
    let uses: Vec<Option<&str>> = descriptor.children().take(3).map(|child| child.attribute("use")).collect();
    assert_eq!(uses, [Some("signing"), Some("signing"), Some("encryption")]);
    assert!(!xml.contains("-cbc\"") && xml.contains("aes256-gcm"));
    assert!(SpMetadata { allow_cbc: true, ..metadata.clone() }.xml().contains("aes256-cbc"));
    let bare = SpMetadata { slo_url: None, encryption: None, signing: &[], signs_requests: false, ..metadata }.xml();
    assert!(
        !bare.contains("SingleLogoutService")
            && !bare.contains("KeyDescriptor")
            && bare.contains("AuthnRequestsSigned=\"false\"")
    );
}
