//! Certificates of an identity provider: containers of public keys that somebody decided to trust. Their dates and issuers
//! decide nothing (SAML trusts keys); the strength of the key does.

use std::sync::Arc;

use jiff::Timestamp;
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::x509::X509;

use super::xmlsec::{Kept, Key};
use crate::limits::CERTIFICATES_TRIED_MAX;
use crate::rule::{Refusal, Rule, require_with};
use crate::signature::Family;
use crate::transport::decode_base64;

const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;
/// Of the public exponent: with 1 everything is its own signature, and a long one makes each check as slow as signing.
const EXPONENT_BITS: std::ops::RangeInclusive<i32> = 2..=64;

/// A certificate whose key is strong enough.
#[derive(Debug, Clone)]
pub struct Certificate {
    der: Vec<u8>,
    family: Family,
    key: PKey<Public>,
    /// The same, in the form in which signatures over XML are verified: shared by all clones, so that none makes it again.
    kept: Arc<Kept>,
    not_after: Option<Timestamp>,
    fingerprint: String,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl Certificate {
    pub fn from_der(der: &[u8]) -> Result<Self, Refusal> {
        let malformed = |_| Rule::MalformedCertificate.refusal();
        let certificate = X509::from_der(der).map_err(malformed)?;
        let key = certificate.public_key().map_err(malformed)?;
        let family = match key.id() {
            Id::EC => Family::Ec,
            _ => Family::Rsa,
        };
        let (is_strong, kind) = strength(&key);
        require_with(Rule::WeakCertificate, is_strong, |refusal| refusal.received(kind))?;
        let digest = certificate.digest(MessageDigest::sha256()).map_err(malformed)?;
        let fingerprint = digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<String>>().join(":");
        Ok(Self { der: der.to_vec(), family, key, kept: Arc::default(), not_after: not_after(&certificate), fingerprint })
    }

    /// The text of a ds:X509Certificate, or of a PEM file.
    pub fn from_text(text: &str) -> Result<Self, Refusal> {
        let malformed = || Rule::MalformedCertificate.refusal();
        let inside = match text.split_once("-----BEGIN CERTIFICATE-----") {
            Some((_, rest)) => rest.split_once("-----END CERTIFICATE-----").ok_or_else(malformed)?.0,
            None => text,
        };
        Self::from_der(&decode_base64(inside).map_err(|_| malformed())?)
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub fn family(&self) -> Family {
        self.family
    }

    /// When its owner meant to have replaced it; nothing is refused for it.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.not_after
    }

    /// SHA-256, as other programs print it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(crate) fn key(&self) -> &PKey<Public> {
        &self.key
    }

    pub(super) fn kept(&self) -> Option<&Key> {
        self.kept.of(&self.key)
    }
}

fn strength(key: &PKey<Public>) -> (bool, String) {
    match key.id() {
        Id::RSA => {
            let exponent = key.rsa().map_or(0, |key| key.e().num_bits());
            let is_strong = RSA_BITS.contains(&key.bits()) && EXPONENT_BITS.contains(&exponent);
            (is_strong, format!("RSA {} with an exponent of {exponent} bits", key.bits()))
        }
        Id::EC => {
            let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
            let is_known = matches!(curve, Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1 | Nid::SECP521R1));
            (is_known, curve.and_then(|curve| curve.short_name().ok()).unwrap_or("an unnamed curve").to_owned())
        }
        other => (false, format!("key type {}", other.as_raw())),
    }
}

fn not_after(certificate: &X509) -> Option<Timestamp> {
    let since_epoch = Asn1Time::from_unix(0).ok()?.diff(certificate.not_after()).ok()?;
    Timestamp::from_second(i64::from(since_epoch.days) * 86_400 + i64::from(since_epoch.secs)).ok()
}

/// The certificates of a connection: at least one, so that "no signature was wrong" never means "none was asked for".
#[derive(Debug, Clone)]
pub struct Certificates(Vec<Certificate>);

impl Certificates {
    /// Those beyond [`CERTIFICATES_TRIED_MAX`] are left out.
    pub fn new(mut certificates: Vec<Certificate>) -> Result<Self, Refusal> {
        crate::rule::require(Rule::NoCertificate, !certificates.is_empty())?;
        certificates.truncate(CERTIFICATES_TRIED_MAX);
        Ok(Self(certificates))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        self.0.iter()
    }

    pub(crate) fn has(&self, family: Family) -> bool {
        self.0.iter().any(|certificate| certificate.family == family)
    }
}
