//! What real identity providers send, in each way they sign and encrypt it, is taken; and they take our requests and metadata.
//! The gateway is not asked: the messages go where it would hand them.

use crate::support::browser::Browser;
use crate::support::minted::verifier;
use crate::support::node_samlp::NodeSamlp;
use crate::support::page::Form;
use crate::support::pysaml2_idp::Pysaml2Idp;
use crate::support::served::key_pair;
use crate::support::simplesamlphp::{EMAIL, PERSISTENT, SimpleSamlPhp, TRANSIENT};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rosterd_saml::decrypt::{Decryption, DecryptionKey};
use rosterd_saml::metadata::{Binding, IdpMetadata, SpMetadata};
use rosterd_saml::protocol::{Awaited, Expectation, PendingRequest, VerifiedAssertion, judge};
use rosterd_saml::read::AttributeValue;
use rosterd_saml::redirect::{self, Kind};
use rosterd_saml::request::AuthnRequest;
use rosterd_saml::response::authenticate;
use rosterd_saml::rule::{Refusal, Rule};
use rosterd_saml::sign::SigningKey;
use rosterd_saml::signed::Trust;
use rosterd_saml::verify::{Certificate, Certificates};
use serde_json::json;
use tempfile::TempDir;

const ENTITY_ID: &str = "https://id.example.test/saml/acme/metadata";
const ACS: &str = "https://id.example.test/saml/acme/acs";
const REQUEST: &str = "_5d41402abc4b2a76b9719d911017c592";

/// A gateway as far as messages go.
struct Sp {
    folder: TempDir,
    certificate: Certificate,
    signs: bool,
    allow_cbc: bool,
    force_authn: bool,
    binding: Binding,
}

impl Sp {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        key_pair(folder.path(), "sp");
        let pem = std::fs::read_to_string(folder.path().join("sp.pem")).expect("written");
        let certificate = Certificate::from_text(&pem).expect("a certificate");
        Self { folder, certificate, signs: false, allow_cbc: false, force_authn: false, binding: Binding::Redirect }
    }

    fn key(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("sp.key")).expect("written")
    }

    fn metadata(&self) -> String {
        let signing = [self.certificate.clone()];
        let sp = SpMetadata {
            entity_id: ENTITY_ID,
            acs_url: ACS,
            slo_url: None,
            signs_requests: self.signs,
            signing: &signing,
            encryption: Some(&self.certificate),
            allow_cbc: self.allow_cbc,
            name_id_formats: &[],
        };
        sp.xml()
    }

    /// The form that begins a login at this address, or the address.
    fn begin(&self, idp: &IdpMetadata) -> (String, Option<Form>) {
        let endpoint = idp.sign_on_by(self.binding).expect("an address");
        let request = AuthnRequest {
            id: REQUEST,
            issue_instant: Timestamp::now(),
            destination: &endpoint.location,
            acs_url: ACS,
            issuer: ENTITY_ID,
            force_authn: self.force_authn,
            name_id_format: None,
            authn_contexts: &[],
        };
        let key = SigningKey::from_pem(&self.key(), self.certificate.clone()).expect("a key");
        let key = self.signs.then_some(&key);
        if self.binding == Binding::Redirect {
            let url = redirect::address(&endpoint.location, Kind::Request, &request.xml(), Some("relay"), key);
            return (url.expect("signed"), None);
        }
        let xml = key.map_or_else(|| request.xml(), |key| request.signed_xml(key).expect("signed"));
        let fields = vec![("SAMLRequest".into(), STANDARD.encode(xml)), ("RelayState".into(), "relay".into())];
        (endpoint.location.clone(), Some(Form { action: endpoint.location.parse().expect("a URL"), is_post: true, fields }))
    }

    fn judge(&self, idp: &IdpMetadata, answer: &Form, asked: Option<Timestamp>) -> Result<VerifiedAssertion, Refusal> {
        let keys = vec![DecryptionKey::from_pem(&self.key()).expect("a key")];
        let decryption = Decryption { keys, allow_cbc: self.allow_cbc };
        let certificates = Certificates::new(idp.signing.clone()).expect("somebody to believe");
        let trust = Trust { verifier: verifier::in_use(), certificates: &certificates, decryption: &decryption };
        assert_eq!(answer.action.as_str(), ACS);
        let authentic = authenticate(answer.field("SAMLResponse").expect("a message"), trust)?;
        let pending = asked.map(|created_at| PendingRequest {
            id: REQUEST.into(),
            created_at,
            expires_at: created_at + SignedDuration::from_mins(10),
            force_authn: self.force_authn,
            authn_contexts: Vec::new(),
        });
        let awaited = pending.as_ref().map_or(Awaited::Nothing { idp_initiated: true }, Awaited::Answer);
        let expected = Expectation {
            acs_url: ACS,
            sp_entity_id: ENTITY_ID,
            idp_entity_id: &idp.entity_id,
            awaited,
            now: Timestamp::now(),
            skew: SignedDuration::from_secs(60),
        };
        judge(authentic, &expected)
    }
}

async fn idp_metadata(browser: &mut Browser, url: &str) -> IdpMetadata {
    let page = browser.open(url).await;
    assert_eq!(page.status, 200, "{page:?}");
    IdpMetadata::read(&page.text, None, Timestamp::now()).unwrap_or_else(|refusal| panic!("{refusal}: {}", page.text))
}

fn values(assertion: &VerifiedAssertion, name: &str) -> Vec<String> {
    let attributes = assertion.attributes().iter().filter(|attribute| attribute.name == name);
    let texts = attributes.flat_map(|attribute| &attribute.values).map(|value| match value {
        AttributeValue::Text(text) => text.clone(),
        other => panic!("no text: {other:?}"),
    });
    texts.collect()
}

fn name_id(assertion: &VerifiedAssertion) -> (&str, Option<&str>) {
    let name_id = assertion.name_id().expect("a NameID");
    (&name_id.value, name_id.format.as_deref())
}

/// A login at SimpleSAMLphp with a new browser, up to the answer; and when it began.
async fn php(sp: &Sp, idp: &SimpleSamlPhp) -> (IdpMetadata, Form, Timestamp) {
    idp.trust("acme", &sp.metadata());
    let mut browser = Browser::new();
    let metadata = idp_metadata(&mut browser, &idp.metadata_url()).await;
    let asked = Timestamp::now();
    match sp.begin(&metadata) {
        (url, None) => browser.open(&url).await,
        (_, Some(form)) => browser.submit(&form).await,
    };
    let answer = browser.sign_in_until_answer("alice", "alicepw").await;
    assert_eq!(answer.field("RelayState"), Some("relay"));
    (metadata, answer, asked)
}

#[tokio::test]
async fn simplesamlphp_is_taken_however_it_signs_and_encrypts() {
    let (mut sp, idp) = (Sp::new(), SimpleSamlPhp::start());
    sp.allow_cbc = true;
    for (response, assertion) in [(false, true), (true, false), (true, true)] {
        for encrypted in [false, true] {
            let what = format!("response {response}, assertion {assertion}, encrypted {encrypted}");
            idp.set(
                json!({"saml20.sign.response": response, "saml20.sign.assertion": assertion, "assertion.encryption": encrypted}),
            );
            let (metadata, answer, asked) = php(&sp, &idp).await;
            let taken = sp.judge(&metadata, &answer, Some(asked)).unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
            assert_eq!(name_id(&taken), ("alice@example.org", Some(EMAIL)), "{what}");
            assert_eq!(values(&taken, "groups"), ["staff", "readers & writers"], "{what}");
            assert_eq!(values(&taken, "sn"), ["Liddell"], "{what}");
            assert!(taken.authn().session_index.is_some(), "{what}: nothing to sign out of");
        }
    }
}

#[tokio::test]
async fn what_simplesamlphp_encrypts_is_refused_where_cbc_is_not_allowed_and_what_it_signs_nowhere_always() {
    let (mut sp, idp) = (Sp::new(), SimpleSamlPhp::start());
    idp.set(json!({"assertion.encryption": true}));
    let (metadata, answer, asked) = php(&sp, &idp).await;
    let refused = sp.judge(&metadata, &answer, Some(asked)).expect_err("CBC");
    assert_eq!(refused.rule, Rule::EncryptionAlgorithm, "{refused}");
    idp.set(json!({"saml20.sign.assertion": false}));
    sp.allow_cbc = true;
    let (metadata, answer, asked) = php(&sp, &idp).await;
    let refused = sp.judge(&metadata, &answer, Some(asked)).expect_err("nobody signed it");
    // Said of a malleable cipher alike, whatever came out of it.
    assert_eq!(refused.rule, Rule::DecryptionFailed, "{refused}");
    idp.set(json!({"assertion.encryption": false}));
    let (metadata, answer, asked) = php(&sp, &idp).await;
    let refused = sp.judge(&metadata, &answer, Some(asked)).expect_err("nobody signed it");
    assert_eq!(refused.rule, Rule::Unsigned, "{refused}");
}

#[tokio::test]
async fn simplesamlphp_takes_our_signed_requests_both_ways_and_refuses_unsigned_ones_where_it_wants_them_signed() {
    let (mut sp, idp) = (Sp::new(), SimpleSamlPhp::start());
    idp.set(json!({"validate.authnrequest": true}));
    sp.signs = true;
    for binding in [Binding::Redirect, Binding::Post] {
        sp.binding = binding;
        let (metadata, answer, asked) = php(&sp, &idp).await;
        assert!(metadata.wants_signed_requests);
        sp.judge(&metadata, &answer, Some(asked)).unwrap_or_else(|refusal| panic!("{binding:?}: {refusal}"));
    }
    sp.signs = false;
    sp.binding = Binding::Redirect;
    idp.trust("acme", &sp.metadata());
    idp.set_towards_gateways(json!({"validate.authnrequest": true}));
    let mut browser = Browser::new();
    let metadata = idp_metadata(&mut browser, &idp.metadata_url()).await;
    let page = browser.open(&sp.begin(&metadata).0).await;
    assert!(page.text.contains("no signature found on message"), "{page:?}");
}

#[tokio::test]
async fn simplesamlphp_names_people_as_it_is_told_and_begins_logins_by_itself() {
    let (sp, idp) = (Sp::new(), SimpleSamlPhp::start());
    for (format, attribute, wanted) in [(PERSISTENT, "uid", "alice"), (EMAIL, "mail", "alice@example.org")] {
        idp.set(json!({"NameIDFormat": format, "simplesaml.nameidattribute": attribute}));
        let (metadata, answer, asked) = php(&sp, &idp).await;
        let taken = sp.judge(&metadata, &answer, Some(asked)).expect("taken");
        assert_eq!(name_id(&taken), (wanted, Some(format)));
    }
    idp.set(json!({"NameIDFormat": TRANSIENT, "simplesaml.nameidattribute": null}));
    let mut browser = Browser::new();
    let metadata = idp_metadata(&mut browser, &idp.metadata_url()).await;
    let mut once = Vec::new();
    for _ in 0..2 {
        let mut browser = Browser::new();
        browser.open(&idp.unsolicited(ENTITY_ID)).await;
        let answer = browser.sign_in_until_answer("alice", "alicepw").await;
        let taken = sp.judge(&metadata, &answer, None).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert_eq!(name_id(&taken).1, Some(TRANSIENT));
        once.push(name_id(&taken).0.to_owned());
    }
    assert_ne!(once[0], once[1]);
}

#[tokio::test]
async fn simplesamlphp_rolls_its_certificate_over_with_and_without_a_word() {
    let (sp, idp) = (Sp::new(), SimpleSamlPhp::start());
    let (before, _, _) = php(&sp, &idp).await;
    idp.announce_roll_over();
    let (both, answer, asked) = php(&sp, &idp).await;
    assert_eq!((before.signing.len(), both.signing.len()), (1, 2));
    sp.judge(&before, &answer, Some(asked)).expect("still signed with the old key");
    idp.finish_roll_over();
    let (after, answer, asked) = php(&sp, &idp).await;
    assert_eq!(after.signing.len(), 1);
    sp.judge(&both, &answer, Some(asked)).expect("the new key was announced");
    let refused = sp.judge(&before, &answer, Some(asked)).expect_err("nobody knew of the new key");
    assert_eq!(refused.rule, Rule::SignatureInvalid);
}

async fn python(sp: &Sp, idp: &Pysaml2Idp) -> (IdpMetadata, Form, Timestamp) {
    idp.trust("acme", &sp.metadata());
    let mut browser = Browser::new();
    let metadata = idp_metadata(&mut browser, &idp.metadata_url()).await;
    let asked = Timestamp::now();
    let answer = match sp.begin(&metadata) {
        (url, None) => browser.open_until(&url, "SAMLResponse").await,
        (_, Some(form)) => browser.submit_until(&form, "SAMLResponse").await,
    };
    assert_eq!(answer.field("RelayState"), Some("relay"));
    (metadata, answer, asked)
}

#[tokio::test]
async fn pysaml2_is_taken_however_it_signs_and_encrypts() {
    let (mut sp, idp) = (Sp::new(), Pysaml2Idp::start());
    let gcm = |bits: u32| (format!("http://www.w3.org/2009/xmlenc11#aes{bits}-gcm"), format!("aes-{bits}"));
    let cbc = |bits: u32| (format!("http://www.w3.org/2001/04/xmlenc#aes{bits}-cbc"), format!("aes-{bits}"));
    for (response, assertion) in [(false, true), (true, false), (true, true)] {
        for cipher in [None, Some(gcm(128)), Some(gcm(256)), Some(cbc(256))] {
            let what = format!("response {response}, assertion {assertion}, {cipher:?}");
            idp.set(json!({"sign_response": response, "sign_assertion": assertion, "encrypt_assertion": cipher.is_some()}));
            sp.allow_cbc = cipher.as_ref().is_some_and(|(name, _)| name.ends_with("cbc"));
            if let Some(cipher) = cipher {
                idp.set(json!({"cipher": cipher}));
            }
            let (metadata, answer, asked) = python(&sp, &idp).await;
            let taken = sp.judge(&metadata, &answer, Some(asked)).unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
            assert_eq!(name_id(&taken), ("carol-7f3a", Some(PERSISTENT)), "{what}");
            assert_eq!(values(&taken, "urn:oid:2.5.4.42"), ["Carol"], "{what}");
            assert_eq!(values(&taken, "urn:oid:1.3.6.1.4.1.5923.1.1.1.1"), ["staff", "member"], "{what}");
        }
    }
}

#[tokio::test]
async fn the_triple_des_of_pysaml2_is_refused_whatever_is_allowed() {
    let (mut sp, idp) = (Sp::new(), Pysaml2Idp::start());
    sp.allow_cbc = true;
    idp.set(json!({"encrypt_assertion": true, "cipher": ["http://www.w3.org/2001/04/xmlenc#tripledes-cbc", "des-192"]}));
    let (metadata, answer, asked) = python(&sp, &idp).await;
    let refused = sp.judge(&metadata, &answer, Some(asked)).expect_err("Triple DES");
    assert_eq!(refused.rule, Rule::EncryptionAlgorithm, "{refused}");
}

#[tokio::test]
async fn pysaml2_takes_our_signed_requests_both_ways_and_a_sign_in_of_an_hour_ago_is_none_where_it_was_forced() {
    let (mut sp, idp) = (Sp::new(), Pysaml2Idp::start());
    idp.set(json!({"want_authn_requests_signed": true}));
    sp.signs = true;
    for binding in [Binding::Redirect, Binding::Post] {
        sp.binding = binding;
        let (metadata, answer, asked) = python(&sp, &idp).await;
        assert!(metadata.wants_signed_requests);
        sp.judge(&metadata, &answer, Some(asked)).unwrap_or_else(|refusal| panic!("{binding:?}: {refusal}"));
    }
    sp.force_authn = true;
    let (metadata, answer, asked) = python(&sp, &idp).await;
    sp.judge(&metadata, &answer, Some(asked)).expect("it honours ForceAuthn");
    idp.set(json!({"honours_force_authn": false}));
    let (metadata, answer, asked) = python(&sp, &idp).await;
    let refused = sp.judge(&metadata, &answer, Some(asked)).expect_err("an hour ago");
    assert_eq!(refused.rule, Rule::AuthnTooOld, "{refused}");
}

async fn node(sp: &Sp, idp: &NodeSamlp) -> (IdpMetadata, Form, Timestamp) {
    idp.trust(&sp.metadata());
    let mut browser = Browser::new();
    let metadata = idp_metadata(&mut browser, &idp.metadata_url()).await;
    let asked = Timestamp::now();
    let answer = match sp.begin(&metadata) {
        (url, None) => browser.open_until(&url, "SAMLResponse").await,
        (_, Some(form)) => browser.submit_until(&form, "SAMLResponse").await,
    };
    assert_eq!(answer.field("RelayState"), Some("relay"));
    (metadata, answer, asked)
}

#[tokio::test]
async fn samlp_is_taken_however_it_signs_and_encrypts() {
    let (mut sp, idp) = (Sp::new(), NodeSamlp::start());
    let ciphers = [
        None,
        Some("http://www.w3.org/2009/xmlenc11#aes256-gcm"),
        Some("http://www.w3.org/2009/xmlenc11#aes128-gcm"),
        Some("http://www.w3.org/2001/04/xmlenc#aes256-cbc"),
    ];
    for (response, assertion) in [(false, true), (true, false), (true, true)] {
        for cipher in ciphers {
            let what = format!("response {response}, assertion {assertion}, {cipher:?}");
            sp.allow_cbc = cipher.is_some_and(|name| name.ends_with("cbc"));
            idp.set(
                json!({"sign_response": response, "sign_assertion": assertion, "encrypt": cipher.is_some(), "cipher": cipher}),
            );
            let (metadata, answer, asked) = node(&sp, &idp).await;
            let taken = sp.judge(&metadata, &answer, Some(asked)).unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
            assert_eq!(name_id(&taken), ("dave@example.org", Some(EMAIL)), "{what}");
            let groups = values(&taken, "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups");
            assert_eq!(groups, ["staff", "admins"], "{what}");
        }
    }
}

#[tokio::test]
async fn samlp_takes_our_signed_requests_both_ways_and_refuses_unsigned_ones_where_it_checks_them() {
    let (mut sp, idp) = (Sp::new(), NodeSamlp::start());
    idp.set(json!({"check_requests": true}));
    sp.signs = true;
    for binding in [Binding::Redirect, Binding::Post] {
        sp.binding = binding;
        let (metadata, answer, asked) = node(&sp, &idp).await;
        sp.judge(&metadata, &answer, Some(asked)).unwrap_or_else(|refusal| panic!("{binding:?}: {refusal}"));
    }
    sp.signs = false;
    sp.binding = Binding::Redirect;
    let mut browser = Browser::new();
    let metadata = idp_metadata(&mut browser, &idp.metadata_url()).await;
    let page = browser.open(&sp.begin(&metadata).0).await;
    assert_eq!(page.status, 400, "{page:?}");
}
