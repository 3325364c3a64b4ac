//! Which verifier these tests run against: ours, and beside it samael's way to ask the same library, which parses each
//! certificate anew and registers every ID. The differential run (`oracle/`) has another file in this one's place.

use rosterd_saml::verify::{Certificates, NotVerified, Policy, SignedBytes, Verifier, Xmlsec};
use samael::crypto::{AllowedSignatureAlgorithm as Algorithm, CertificateDer, Crypto, CryptoProvider, ReduceMode};

const ALLOWED: [Algorithm; 6] = [
    Algorithm::RsaSha256,
    Algorithm::RsaSha384,
    Algorithm::RsaSha512,
    Algorithm::EcdsaSha256,
    Algorithm::EcdsaSha384,
    Algorithm::EcdsaSha512,
];

pub fn in_use() -> &'static dyn Verifier {
    &Both
}

/// Ends the test that finds a document on which the two differ.
struct Both;

impl Verifier for Both {
    fn verify(&self, xml: &str, certificates: &Certificates, policy: &Policy) -> Result<SignedBytes, NotVerified> {
        // First: it sets the library up without looking whether somebody has, under those who are using it. Ours looks.
        let samaels = by_samael(xml, certificates, policy);
        let ours = Xmlsec.verify(xml, certificates, policy);
        assert_eq!(ours, samaels, "the verifiers differ on\n{xml}");
        ours
    }
}

pub fn by_samael(xml: &str, certificates: &Certificates, policy: &Policy) -> Result<SignedBytes, NotVerified> {
    // One call per certificate: given several, samael ends at the first whose key is of another kind.
    let mut of_kind = certificates.iter().filter(|certificate| certificate.family() == policy.family);
    let reduced = of_kind.find_map(|certificate| {
        let key = [CertificateDer::from(certificate.der().to_vec())];
        Crypto::reduce_xml_to_signed_with_allowed_algorithms(xml, &key, ReduceMode::PreDigest, Some(&ALLOWED)).ok()
    });
    reduced.map(SignedBytes::new).ok_or(NotVerified)
}
