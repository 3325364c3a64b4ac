//! Messages in a query: the signature covers the query as it was sent, byte for byte, so nothing is decoded before it is
//! checked and nothing is encoded again.

use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::sign::Verifier;

use crate::limits::{ENCODED_BYTES_MAX, RELAY_STATE_BYTES_MAX};
use crate::rule::{Refusal, Rule, require, require_with};
use crate::sign::{CannotSign, SigningKey, coordinate_bytes};
use crate::signature::{Family, family_of};
use crate::transport::{Message, decode_base64};
use crate::verify::{Certificate, Certificates};
use crate::write::query;

const DEFLATE: &str = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Request,
    Response,
}

impl Kind {
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Response => "SAMLResponse",
        }
    }
}

/// A message that came in a query, whose signature nobody has checked.
#[derive(Debug)]
pub struct Received {
    pub kind: Kind,
    pub relay_state: Option<String>,
    message: Message,
    signature: Option<Signature>,
}

#[derive(Debug)]
struct Signature {
    algorithm: String,
    value: Vec<u8>,
    covered: String,
}

/// A message whose query is signed by a trusted key.
#[derive(Debug)]
pub struct Vouched(pub(crate) Message);

impl Received {
    /// The query as received, without its question mark.
    pub fn from_query(raw: &str) -> Result<Self, Refusal> {
        require(Rule::MessageTooLarge, raw.len() <= ENCODED_BYTES_MAX)?;
        let request = parameter(raw, "SAMLRequest")?;
        let response = parameter(raw, "SAMLResponse")?;
        let (kind, message) = match (request, response) {
            (Some(message), None) => (Kind::Request, message),
            (None, Some(message)) => (Kind::Response, message),
            _ => return Err(Rule::QueryParameters.refusal().expected("one of SAMLRequest and SAMLResponse")),
        };
        let relay_state = parameter(raw, "RelayState")?;
        let algorithm = parameter(raw, "SigAlg")?;
        let value = parameter(raw, "Signature")?;
        if let Some(encoding) = parameter(raw, "SAMLEncoding")? {
            require(Rule::QueryParameters, decoded(encoding)? == DEFLATE).map_err(|refusal| refusal.received(encoding))?;
        }
        let signature = match (algorithm, value) {
            (Some(algorithm), Some(value)) => {
                let state = relay_state.map_or(String::new(), |state| format!("&RelayState={state}"));
                let covered = format!("{}={message}{state}&SigAlg={algorithm}", kind.parameter());
                Some(Signature { algorithm: decoded(algorithm)?, value: decode_base64(&decoded(value)?)?, covered })
            }
            (None, None) => None,
            _ => return Err(Rule::QueryParameters.refusal().expected("SigAlg and Signature, or neither")),
        };
        let relay_state = relay_state.map(decoded).transpose()?;
        let is_short = relay_state.as_ref().is_none_or(|state| state.len() <= RELAY_STATE_BYTES_MAX);
        require(Rule::RelayStateTooLong, is_short)?;
        Ok(Self { kind, relay_state, message: Message::from_redirect(&decoded(message)?)?, signature })
    }

    /// The message, if one of the certificates vouches for the query.
    pub fn verify(self, certificates: &Certificates) -> Result<Vouched, Refusal> {
        let Some(signature) = self.signature else { return Err(Rule::Unsigned.refusal()) };
        let family = family_of(&signature.algorithm);
        require_with(Rule::SignatureAlgorithm, family.is_some(), |refusal| refusal.received(&*signature.algorithm))?;
        let family = family.unwrap_or(Family::Rsa);
        require_with(Rule::NoMatchingCertificate, certificates.has(family), |refusal| refusal.received(format!("{family:?}")))?;
        let mut candidates = certificates.iter().filter(|certificate| certificate.family() == family);
        require(Rule::SignatureInvalid, candidates.any(|certificate| signature.is_by(certificate).unwrap_or(false)))?;
        Ok(Vouched(self.message))
    }
}

impl Signature {
    /// `None`: not even a signature.
    fn is_by(&self, certificate: &Certificate) -> Option<bool> {
        let digest = match self.algorithm.rsplit_once("-sha")?.1 {
            "384" => MessageDigest::sha384(),
            "512" => MessageDigest::sha512(),
            _ => MessageDigest::sha256(),
        };
        let key = certificate.key();
        let mut verifier = Verifier::new(digest, key).ok()?;
        let half = coordinate_bytes(key.bits());
        // The standard has two numbers of equal length; some send the DER that their library makes.
        let value = if certificate.family() == Family::Ec && self.value.len() == 2 * half {
            let (r, s) = self.value.split_at(half);
            let numbers = EcdsaSig::from_private_components(BigNum::from_slice(r).ok()?, BigNum::from_slice(s).ok()?);
            numbers.ok()?.to_der().ok()?
        } else {
            self.value.clone()
        };
        verifier.verify_oneshot(&value, self.covered.as_bytes()).ok()
    }
}

/// The value of a parameter, as it stands in the query; twice is refused.
fn parameter<'q>(raw: &'q str, name: &str) -> Result<Option<&'q str>, Refusal> {
    let mut found = raw.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name);
    let first = found.next();
    require_with(Rule::QueryParameters, found.next().is_none(), |refusal| refusal.received(name))?;
    Ok(first.map(|(_, value)| value))
}

/// Percent-decoded, `+` a blank.
fn decoded(value: &str) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else { return Err(Rule::QueryParameters.refusal()) };
                (high * 16 + low) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| Rule::NotUtf8.refusal())
}

/// The address that carries a message of ours, signed if there is a key.
pub fn address(
    destination: &str,
    kind: Kind,
    xml: &str,
    relay_state: Option<&str>,
    key: Option<&SigningKey>,
) -> Result<String, CannotSign> {
    use base64::Engine;
    let encode = |bytes: &[u8]| query(&base64::engine::general_purpose::STANDARD.encode(bytes));
    let deflated = miniz_oxide::deflate::compress_to_vec(xml.as_bytes(), 6);
    let mut covered = format!("{}={}", kind.parameter(), encode(&deflated));
    if let Some(state) = relay_state {
        covered = format!("{covered}&RelayState={}", query(state));
    }
    if let Some(key) = key {
        covered = format!("{covered}&SigAlg={}", query(key.algorithm()));
        let value = key.sign(covered.as_bytes())?;
        covered = format!("{covered}&Signature={}", encode(&value));
    }
    let joint = if destination.contains('?') { '&' } else { '?' };
    Ok(format!("{destination}{joint}{covered}"))
}
