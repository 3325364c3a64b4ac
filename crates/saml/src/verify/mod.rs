//! The one step that needs cryptography over XML, behind a trait, so that the library that does it can be exchanged, or two
//! be asked. What it hands back are the bytes that were signed; identity data is read from these and from nothing else.

mod certificate;
mod xmlsec;

pub use certificate::{Certificate, Certificates};
pub use xmlsec::Xmlsec;

use crate::signature::Family;

/// Checks every signature of a document against given keys, and nothing else: where signatures stand and what they refer to
/// was checked before. Keys inside the message are none.
pub trait Verifier: Send + Sync {
    /// The canonical bytes of the outermost signed element. `Err`: not every signature of the document is by one of the
    /// certificates, with algorithms the policy accepts.
    fn verify(&self, xml: &str, certificates: &Certificates, policy: &Policy) -> Result<SignedBytes, NotVerified>;
}

/// What a verifier may accept.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// The kind of key the outermost signature was made with: certificates of the other kind need not be tried.
    pub family: Family,
}

/// Exactly what was hashed for a signature that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBytes(String);

impl SignedBytes {
    /// For verifiers: the canonical form of what was signed.
    pub fn new(canonical: String) -> Self {
        Self(canonical)
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

/// No certificate verifies. Why is not told: libraries don't say it, and an attacker should not hear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotVerified;
