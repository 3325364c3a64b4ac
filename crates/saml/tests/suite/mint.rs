//! An identity provider of the tests' own. It writes canonical XML to begin with, so that signing needs no canonicaliser: what
//! libxmlsec1 makes of a message is the library's word alone, not ours repeated.

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use openssl::x509::{X509, X509NameBuilder};

use rosterd_saml::decrypt::{Decryption, DecryptionKey};
use rosterd_saml::protocol::{Awaited, Expectation, PendingRequest, VerifiedAssertion, judge};
use rosterd_saml::response::authenticate;
use rosterd_saml::rule::{Refusal, Rule};
use rosterd_saml::signed::Trust;
use rosterd_saml::verify::{Certificate, Certificates};

pub const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
pub const IDP: &str = "https://idp.example.com/metadata";
pub const SP: &str = "https://gateway.example.net/saml/acme/metadata";
pub const ACS: &str = "https://gateway.example.net/saml/acme/acs";
pub const REQUEST: &str = "_request1";
pub const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
pub const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

pub struct Key {
    pub private: PKey<Private>,
    pub certificate: X509,
}

impl Key {
    pub fn trusted(&self) -> Certificate {
        Certificate::from_der(&self.der()).unwrap()
    }

    pub fn der(&self) -> Vec<u8> {
        self.certificate.to_der().unwrap()
    }

    pub fn pem(&self) -> Vec<u8> {
        self.private.private_key_to_pem_pkcs8().unwrap()
    }

    pub fn decryption(&self) -> DecryptionKey {
        DecryptionKey::from_pem(&self.pem()).unwrap()
    }
}

fn with_certificate(private: PKey<Private>) -> Key {
    Key { certificate: certificate(&private, &private), private }
}

fn certificate<T: HasPublic>(key: &PKeyRef<T>, signer: &PKey<Private>) -> X509 {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "idp.example.com").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(key).unwrap();
    // Long over: a certificate's dates decide nothing.
    builder.set_not_before(&Asn1Time::from_unix(1_000_000_000).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(1_100_000_000).unwrap()).unwrap();
    let digest = if signer.id() == Id::ED25519 { MessageDigest::null() } else { MessageDigest::sha256() };
    builder.sign(signer, digest).unwrap();
    builder.build()
}

/// Made once per build folder: the tests run some hundred times when rules are switched off, and primes take their time.
pub fn rsa_key(name: &str, bits: u32) -> Key {
    let make = || PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
    let Some(folder) = option_env!("CARGO_TARGET_TMPDIR") else { return with_certificate(make()) };
    let file = std::path::Path::new(folder).join(format!("{name}.pem"));
    if let Ok(pem) = std::fs::read(&file) {
        return with_certificate(PKey::private_key_from_pem(&pem).unwrap());
    }
    let key = make();
    // Under a name of its own first: other tests run beside this one.
    let thread = format!("{:?}", std::thread::current().id());
    let own = file.with_file_name(format!("{name}-{}-{thread}", std::process::id()));
    std::fs::write(&own, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    // The first one wins, so that all have the same.
    let _ = std::fs::hard_link(&own, &file);
    let pem = std::fs::read(&file).unwrap();
    std::fs::remove_file(own).unwrap();
    with_certificate(PKey::private_key_from_pem(&pem).unwrap())
}

/// A certificate (DER) over the identity provider's modulus with another public exponent.
pub fn with_exponent(exponent: BigNum) -> Vec<u8> {
    let modulus = rsa().private.rsa().unwrap().n().to_owned().unwrap();
    let public = PKey::from_rsa(Rsa::from_public_components(modulus, exponent).unwrap()).unwrap();
    certificate(&public, &rsa().private).to_der().unwrap()
}

pub fn ec_key(curve: Nid) -> Key {
    let group = EcGroup::from_curve_name(curve).unwrap();
    with_certificate(PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap())
}

pub fn ed25519_key() -> Key {
    with_certificate(PKey::generate_ed25519().unwrap())
}

/// The identity provider's key.
pub fn rsa() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| rsa_key("idp", 2048))
}

/// Its other key, of another kind.
pub fn ec() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| ec_key(Nid::X9_62_PRIME256V1))
}

/// Somebody else's.
pub fn stranger() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| rsa_key("stranger", 2048))
}

/// The gateway's own, to decrypt with.
pub fn ours() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| rsa_key("ours", 2048))
}

pub fn now() -> Timestamp {
    "2026-11-27T12:00:00Z".parse().unwrap()
}

pub fn at(seconds: i64) -> String {
    now().saturating_add(SignedDuration::from_secs(seconds)).unwrap().to_string()
}

/// A login that is right in everything; a test changes one thing.
#[derive(Clone)]
pub struct Login {
    pub response_id: String,
    pub response_attributes: String,
    pub response_issuer: String,
    pub status: String,
    pub assertion_id: String,
    pub assertion_attributes: String,
    pub issuer: String,
    pub subject: String,
    pub conditions: String,
    pub authn: String,
    pub attributes: String,
}

pub fn confirmation(in_response_to: &str, recipient: &str, until: i64) -> String {
    format!(
        "<saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"><saml:SubjectConfirmationData{in_response_to} \
         NotOnOrAfter=\"{}\" Recipient=\"{recipient}\"></saml:SubjectConfirmationData></saml:SubjectConfirmation>",
        at(until)
    )
}

pub fn name_id(value: &str) -> String {
    format!("<saml:NameID Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\">{value}</saml:NameID>")
}

pub fn audience(value: &str) -> String {
    format!("<saml:AudienceRestriction><saml:Audience>{value}</saml:Audience></saml:AudienceRestriction>")
}

pub fn conditions(from: i64, until: i64, inside: &str) -> String {
    format!("<saml:Conditions NotBefore=\"{}\" NotOnOrAfter=\"{}\">{inside}</saml:Conditions>", at(from), at(until))
}

pub fn authn(instant: i64, more: &str) -> String {
    format!(
        "<saml:AuthnStatement AuthnInstant=\"{}\" SessionIndex=\"_session1\"{more}><saml:AuthnContext>\
         <saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef>\
         </saml:AuthnContext></saml:AuthnStatement>",
        at(instant)
    )
}

pub fn attribute(name: &str, values: &[&str]) -> String {
    let values: String = values.iter().map(|value| format!("<saml:AttributeValue>{value}</saml:AttributeValue>")).collect();
    format!("<saml:Attribute Name=\"{name}\">{values}</saml:Attribute>")
}

pub fn answered() -> String {
    format!(" InResponseTo=\"{REQUEST}\"")
}

impl Default for Login {
    fn default() -> Self {
        Self {
            response_id: "_response1".into(),
            response_attributes: format!(
                " Destination=\"{ACS}\" ID=\"_response1\" InResponseTo=\"{REQUEST}\" IssueInstant=\"{}\" Version=\"2.0\"",
                at(0)
            ),
            response_issuer: format!("<saml:Issuer xmlns:saml=\"{ASSERTION}\">{IDP}</saml:Issuer>"),
            status: format!("<samlp:Status><samlp:StatusCode Value=\"{SUCCESS}\"></samlp:StatusCode></samlp:Status>"),
            assertion_id: "_assertion1".into(),
            assertion_attributes: format!(" ID=\"_assertion1\" IssueInstant=\"{}\" Version=\"2.0\"", at(0)),
            issuer: format!("<saml:Issuer>{IDP}</saml:Issuer>"),
            subject: format!("<saml:Subject>{}{}</saml:Subject>", name_id("alice"), confirmation(&answered(), ACS, 300)),
            conditions: conditions(-60, 300, &audience(SP)),
            authn: authn(-5, ""),
            attributes: format!(
                "<saml:AttributeStatement>{}{}</saml:AttributeStatement>",
                attribute("mail", &["alice@example.com"]),
                attribute("groups", &["staff", "admins"])
            ),
        }
    }
}

impl Login {
    /// With one piece replaced wherever it stands; it has to stand somewhere.
    pub fn with(mut self, from: &str, to: &str) -> Self {
        let mut found = false;
        for part in [
            &mut self.response_attributes,
            &mut self.response_issuer,
            &mut self.status,
            &mut self.assertion_attributes,
            &mut self.issuer,
            &mut self.subject,
            &mut self.conditions,
            &mut self.authn,
            &mut self.attributes,
        ] {
            found |= part.contains(from);
            *part = part.replace(from, to);
        }
        assert!(found, "{from} stands nowhere");
        self
    }

    pub fn assertion(&self) -> String {
        format!(
            "<saml:Assertion xmlns:saml=\"{ASSERTION}\"{}>{}{}{}{}{}</saml:Assertion>",
            self.assertion_attributes, self.issuer, self.subject, self.conditions, self.authn, self.attributes
        )
    }

    pub fn response(&self, inside: &str) -> String {
        format!(
            "<samlp:Response xmlns:samlp=\"{PROTOCOL}\"{}>{}{}{inside}</samlp:Response>",
            self.response_attributes, self.response_issuer, self.status
        )
    }

    pub fn signed_assertion(&self, key: &Key) -> String {
        self.response(&sign(&self.assertion(), &self.assertion_id, key, &How::default()))
    }

    pub fn signed_response(&self, key: &Key) -> String {
        sign(&self.response(&self.assertion()), &self.response_id, key, &How::default())
    }

    pub fn signed_both(&self, key: &Key) -> String {
        sign(&self.signed_assertion(key), &self.response_id, key, &How::default())
    }
}

/// How a signature is made; a test changes one thing.
#[derive(Clone)]
pub struct How {
    pub uri: Option<String>,
    pub canonicalization: String,
    pub transforms: String,
    pub method: String,
    pub method_inside: String,
    pub digest: String,
    pub digest_value: Option<String>,
    pub key_info: String,
    pub references: usize,
    pub objects: String,
}

pub fn transform(algorithm: &str, inside: &str) -> String {
    format!("<ds:Transform Algorithm=\"{algorithm}\">{inside}</ds:Transform>")
}

impl Default for How {
    fn default() -> Self {
        Self {
            uri: None,
            canonicalization: format!("<ds:CanonicalizationMethod Algorithm=\"{EXC_C14N}\"></ds:CanonicalizationMethod>"),
            transforms: format!("{}{}", transform(ENVELOPED, ""), transform(EXC_C14N, "")),
            method: String::new(),
            method_inside: String::new(),
            digest: "http://www.w3.org/2001/04/xmlenc#sha256".into(),
            digest_value: None,
            key_info: String::new(),
            references: 1,
            objects: String::new(),
        }
    }
}

fn digest_of(algorithm: &str) -> MessageDigest {
    match algorithm.rsplit(['#', '-']).next().unwrap() {
        "sha1" => MessageDigest::sha1(),
        "sha384" => MessageDigest::sha384(),
        "sha512" => MessageDigest::sha512(),
        "md5" => MessageDigest::md5(),
        _ => MessageDigest::sha256(),
    }
}

/// The element with its signature behind its issuer. `xml` is canonical.
pub fn sign(xml: &str, id: &str, key: &Key, how: &How) -> String {
    let signature = signature_of(xml, id, key, how);
    let at = xml.find("</saml:Issuer>").unwrap() + "</saml:Issuer>".len();
    format!("{}{signature}{}", &xml[..at], &xml[at..])
}

/// A detached signature over `xml`, to be put anywhere.
pub fn signature_of(xml: &str, id: &str, key: &Key, how: &How) -> String {
    let uri = how.uri.clone().unwrap_or_else(|| format!(" URI=\"#{id}\""));
    let method = match how.method.as_str() {
        "" if key.private.id() == Id::EC => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        "" => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        given => given,
    };
    let value = STANDARD.encode(hash(digest_of(&how.digest), xml.as_bytes()).unwrap());
    let value = how.digest_value.clone().unwrap_or(value);
    let transforms =
        if how.transforms.is_empty() { String::new() } else { format!("<ds:Transforms>{}</ds:Transforms>", how.transforms) };
    let reference = format!(
        "<ds:Reference{uri}>{transforms}<ds:DigestMethod Algorithm=\"{}\"></ds:DigestMethod><ds:DigestValue>{value}</ds:DigestValue>\
         </ds:Reference>",
        how.digest
    );
    let info = |namespace: &str| {
        format!(
            "<ds:SignedInfo{namespace}>{}<ds:SignatureMethod Algorithm=\"{method}\">{}</ds:SignatureMethod>{}</ds:SignedInfo>",
            how.canonicalization,
            how.method_inside,
            reference.repeat(how.references)
        )
    };
    let bytes = info(&format!(" xmlns:ds=\"{DSIG}\""));
    let value = STANDARD.encode(raw_signature(bytes.as_bytes(), key, digest_of(method)));
    format!(
        "<ds:Signature xmlns:ds=\"{DSIG}\">{}<ds:SignatureValue>{value}</ds:SignatureValue>{}{}</ds:Signature>",
        info(""),
        how.key_info,
        how.objects
    )
}

pub fn raw_signature(bytes: &[u8], key: &Key, digest: MessageDigest) -> Vec<u8> {
    let signature = Signer::new(digest, &key.private).unwrap().sign_oneshot_to_vec(bytes).unwrap();
    if key.private.id() != Id::EC {
        return signature;
    }
    let numbers = EcdsaSig::from_der(&signature).unwrap();
    let length = key.private.bits().div_ceil(8) as i32;
    let (mut plain, s) = (numbers.r().to_vec_padded(length).unwrap(), numbers.s().to_vec_padded(length).unwrap());
    plain.extend(s);
    plain
}

pub fn field(xml: &str) -> String {
    STANDARD.encode(xml)
}

/// What the gateway knows beside the message; a test changes one thing.
pub struct Gateway {
    pub certificates: Vec<Certificate>,
    pub decryption: Decryption,
    pub pending: Option<PendingRequest>,
    pub idp_initiated: bool,
    pub now: Timestamp,
    pub skew: SignedDuration,
    pub acs_url: String,
    pub sp_entity_id: String,
}

pub fn pending() -> PendingRequest {
    PendingRequest {
        id: REQUEST.into(),
        created_at: now().saturating_sub(SignedDuration::from_secs(20)).unwrap(),
        expires_at: now().saturating_add(SignedDuration::from_mins(9)).unwrap(),
        force_authn: false,
        authn_contexts: Vec::new(),
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            certificates: vec![rsa().trusted()],
            decryption: Decryption { keys: vec![ours().decryption()], allow_cbc: false },
            pending: Some(pending()),
            idp_initiated: false,
            now: now(),
            skew: SignedDuration::from_secs(60),
            acs_url: ACS.into(),
            sp_entity_id: SP.into(),
        }
    }
}

impl Gateway {
    pub fn take_field(&self, field: &str) -> Result<VerifiedAssertion, Refusal> {
        let certificates = Certificates::new(self.certificates.clone())?;
        let trust = Trust { verifier: super::verifier::in_use(), certificates: &certificates, decryption: &self.decryption };
        let authentic = authenticate(field, trust)?;
        let awaited = match &self.pending {
            Some(pending) => Awaited::Answer(pending),
            None => Awaited::Nothing { idp_initiated: self.idp_initiated },
        };
        let expectation = Expectation {
            acs_url: &self.acs_url,
            sp_entity_id: &self.sp_entity_id,
            idp_entity_id: IDP,
            awaited,
            now: self.now,
            skew: self.skew,
        };
        judge(authentic, &expectation)
    }

    pub fn take(&self, xml: &str) -> Result<VerifiedAssertion, Refusal> {
        self.take_field(&field(xml))
    }

    #[track_caller]
    pub fn accepts(&self, xml: &str) -> VerifiedAssertion {
        match self.take(xml) {
            Ok(verified) => verified,
            Err(refusal) => panic!("refused: {refusal}\n{xml}"),
        }
    }

    /// By that rule and no other, within a second.
    #[track_caller]
    pub fn refuses(&self, xml: &str, rule: Rule) -> Refusal {
        self.refuses_field(&field(xml), rule)
    }

    #[track_caller]
    pub fn refuses_field(&self, field: &str, rule: Rule) -> Refusal {
        let (outcome, took) = timed(|| self.take_field(field));
        assert!(took < Duration::from_secs(1), "{took:?}");
        match outcome {
            Err(refusal) if refusal.rule == rule => refusal,
            Err(refusal) => panic!("expected {rule}, refused by {refusal}"),
            Ok(verified) => panic!("expected {rule}, accepted as {:?}", verified.name_id()),
        }
    }
}

/// What it gives, and the time it took of a processor: others at work on the machine don't count.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let spent = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    };
    let before = spent();
    let outcome = work();
    (outcome, spent() - before)
}

#[track_caller]
pub fn accepts(xml: &str) -> VerifiedAssertion {
    Gateway::default().accepts(xml)
}

#[track_caller]
pub fn refuses(xml: &str, rule: Rule) -> Refusal {
    Gateway::default().refuses(xml, rule)
}

/// Who the message says it is.
pub fn who(verified: &VerifiedAssertion) -> &str {
    &verified.name_id().unwrap().value
}
