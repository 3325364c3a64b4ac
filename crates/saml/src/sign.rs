//! Our own signatures: over a query, and enveloped in a message of ours. Only what [`crate::write`] wrote is signed, so it is
//! canonical already.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Private};
use openssl::sha::sha256;
use openssl::sign::Signer;

use crate::document::DSIG;
use crate::verify::Certificate;

const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const ECDSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";

/// A key of ours and the certificate we publish for it. Prints nothing of the key.
#[derive(Clone)]
pub struct SigningKey {
    key: PKey<Private>,
    certificate: Certificate,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SigningKey({})", self.certificate.fingerprint())
    }
}

/// The key can't sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CannotSign(String);

impl CannotSign {
    pub(crate) fn because(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

impl std::fmt::Display for CannotSign {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the key can't sign: {}", self.0)
    }
}

impl std::error::Error for CannotSign {}

impl From<ErrorStack> for CannotSign {
    fn from(error: ErrorStack) -> Self {
        Self(error.to_string())
    }
}

impl SigningKey {
    /// `None`: it is no private key, or not that of the certificate.
    pub fn from_pem(pem: &[u8], certificate: Certificate) -> Option<Self> {
        let key = PKey::private_key_from_pem(pem).ok()?;
        key.public_eq(certificate.key()).then_some(Self { key, certificate })
    }

    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        if self.key.id() == Id::EC { ECDSA_SHA256 } else { RSA_SHA256 }
    }

    /// As XML signatures have it: ECDSA is two numbers of equal length, not DER.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, CannotSign> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key)?;
        let signature = signer.sign_oneshot_to_vec(bytes)?;
        if self.key.id() != Id::EC {
            return Ok(signature);
        }
        let numbers = EcdsaSig::from_der(&signature)?;
        let length = i32::try_from(coordinate_bytes(self.key.bits())).map_err(|_| CannotSign("the key is too long".into()))?;
        let mut plain = numbers.r().to_vec_padded(length)?;
        plain.extend(numbers.s().to_vec_padded(length)?);
        Ok(plain)
    }

    /// The message with its signature behind the issuer, which is where the schema wants it. `xml` is canonical and its root
    /// has that ID.
    pub(crate) fn envelop(&self, xml: &str, id: &str) -> Result<String, CannotSign> {
        let issuer_end = "</saml:Issuer>";
        let at = xml.find(issuer_end).ok_or_else(|| CannotSign("the message names no issuer".into()))? + issuer_end.len();
        let signature = self.signature(xml, id)?;
        Ok(format!("{}{signature}{}", &xml[..at], &xml[at..]))
    }

    fn signature(&self, xml: &str, id: &str) -> Result<String, CannotSign> {
        let digest = STANDARD.encode(sha256(xml.as_bytes()));
        let signed_info = |namespace: &str| {
            format!(
                "<ds:SignedInfo{namespace}>\
                 <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:CanonicalizationMethod>\
                 <ds:SignatureMethod Algorithm=\"{}\"></ds:SignatureMethod>\
                 <ds:Reference URI=\"#{id}\"><ds:Transforms>\
                 <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></ds:Transform>\
                 <ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:Transform></ds:Transforms>\
                 <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>\
                 <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>",
                self.algorithm()
            )
        };
        // Alone, the element has to declare its prefix; inside the signature it inherits it.
        let value = self.sign(signed_info(&format!(" xmlns:ds=\"{DSIG}\"")).as_bytes())?;
        Ok(format!(
            "<ds:Signature xmlns:ds=\"{DSIG}\">{}<ds:SignatureValue>{}</ds:SignatureValue>\
             <ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>",
            signed_info(""),
            STANDARD.encode(value),
            STANDARD.encode(self.certificate.der()),
        ))
    }
}

/// Bytes of one number of an ECDSA signature.
pub(crate) fn coordinate_bytes(bits: u32) -> usize {
    (bits as usize).div_ceil(8)
}
