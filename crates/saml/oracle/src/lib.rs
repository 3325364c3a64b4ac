//! Two verifiers that have to agree: libxmlsec1, which the gateway uses, and bergshamra.

use bergshamra::{DsigContext, KeysManager, keys::loader::load_x509_cert_der, verify_all};
use rosterd_saml::verify::{Certificates, NotVerified, Policy, SignedBytes, Verifier, Xmlsec};

/// Ends the process of whoever finds a document on which the two differ.
#[derive(Debug, Clone, Copy)]
pub struct Both;

impl Verifier for Both {
    fn verify(&self, xml: &str, certificates: &Certificates, policy: &Policy) -> Result<SignedBytes, NotVerified> {
        let ours = Xmlsec.verify(xml, certificates, policy);
        let of_kind = certificates.iter().filter(|certificate| certificate.family() == policy.family);
        let theirs = of_kind.map(|certificate| second_opinion(xml, certificate.der())).find(Result::is_ok);
        assert_eq!(ours.is_ok(), theirs.is_some(), "the verifiers differ: {theirs:?} of\n{xml}");
        ours
    }
}

fn second_opinion(xml: &str, certificate: &[u8]) -> Result<(), String> {
    let mut keys = KeysManager::new();
    keys.add_key(load_x509_cert_der(certificate).map_err(|error| error.to_string())?);
    // Trusted keys alone, references in their place, every digest computed.
    let results = verify_all(&DsigContext::new(keys), xml).map_err(|error| error.to_string())?;
    match results.iter().find(|result| !result.all_reference_digests_verified()) {
        Some(result) => Err(format!("{result:?}")),
        None => Ok(()),
    }
}
