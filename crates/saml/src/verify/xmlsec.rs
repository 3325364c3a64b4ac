//! libxmlsec1, by way of samael, for the verification alone.

use std::ffi::c_int;
use std::sync::Once;

use samael::crypto::{AllowedSignatureAlgorithm as Algorithm, CertificateDer, Crypto, CryptoProvider, ReduceMode};

use super::{Certificates, NotVerified, Policy, SignedBytes, Verifier};

const ALLOWED: [Algorithm; 6] = [
    Algorithm::RsaSha256,
    Algorithm::RsaSha384,
    Algorithm::RsaSha512,
    Algorithm::EcdsaSha256,
    Algorithm::EcdsaSha384,
    Algorithm::EcdsaSha512,
];

/// The verifier in use.
#[derive(Debug, Clone, Copy, Default)]
pub struct Xmlsec;

impl Verifier for Xmlsec {
    fn verify(&self, xml: &str, certificates: &Certificates, policy: &Policy) -> Result<SignedBytes, NotVerified> {
        silence();
        // One call per certificate: given several, samael ends at the first whose key is of another kind.
        for certificate in certificates.iter().filter(|certificate| certificate.family() == policy.family) {
            let key = [CertificateDer::from(certificate.der().to_vec())];
            // PreDigest: the bytes that were hashed, not a document that was put together from what they covered.
            let reduced = Crypto::reduce_xml_to_signed_with_allowed_algorithms(xml, &key, ReduceMode::PreDigest, Some(&ALLOWED));
            if let Ok(reduced) = reduced {
                return Ok(SignedBytes::new(reduced));
            }
        }
        Err(NotVerified)
    }
}

#[expect(unsafe_code, reason = "samael has no way to say it; the function sets a flag and nothing else")]
unsafe extern "C" {
    /// Of libxmlsec1, which samael links: whether it prints what fails to standard error.
    safe fn xmlSecErrorsDefaultCallbackEnableOutput(enabled: c_int);
}

/// Anybody can send a wrong signature; nobody writes into the log of a gateway that way.
fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| xmlSecErrorsDefaultCallbackEnableOutput(0));
}
