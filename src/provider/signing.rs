//! A key that signs tokens (RFC 7515), and the half of it that is published (RFC 7517). Pure but for making one.
//!
//! Over OpenSSL, as our keys for SAML are: it makes RSA keys, which ring does not. Checking is [`jose`](crate::oidc::jose)'s.

use crate::model::provider_key::SigningAlg;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

const RSA_BITS: u32 = 2_048;
/// Bytes of a coordinate, and of half a signature, on the curve P-256.
const P256_BYTES: i32 = 32;

/// Prints nothing of the key.
pub(super) struct SigningKey {
    alg: SigningAlg,
    key: PKey<Private>,
}

impl SigningKey {
    pub(super) fn generate(alg: SigningAlg) -> Result<Self, ErrorStack> {
        let key = match alg {
            SigningAlg::Rs256 => PKey::from_rsa(Rsa::generate(RSA_BITS)?)?,
            SigningAlg::Es256 => PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)?,
            SigningAlg::EdDsa => PKey::generate_ed25519()?,
        };
        Ok(Self { alg, key })
    }

    /// From PKCS #8; `None`: it is none, or of another algorithm.
    pub(super) fn from_der(alg: SigningAlg, der: &[u8]) -> Option<Self> {
        let key = PKey::private_key_from_pkcs8(der).ok()?;
        let fits = match alg {
            SigningAlg::Rs256 => key.id() == Id::RSA && key.bits() >= RSA_BITS,
            SigningAlg::Es256 => key.id() == Id::EC && key.ec_key().ok()?.group().curve_name() == Some(Nid::X9_62_PRIME256V1),
            SigningAlg::EdDsa => key.id() == Id::ED25519,
        };
        fits.then_some(Self { alg, key })
    }

    /// PKCS #8.
    pub(super) fn to_der(&self) -> Result<Secret<Vec<u8>>, ErrorStack> {
        Ok(Secret::new(self.key.private_key_to_pkcs8()?))
    }

    /// The public half as JWK, and its thumbprint (RFC 7638), which is its `kid`.
    pub(super) fn public(&self) -> Result<(String, Map<String, Value>), ErrorStack> {
        let text = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
        // What the thumbprint is of, in the order of the alphabet.
        let members = match self.alg {
            SigningAlg::Rs256 => {
                let rsa = self.key.rsa()?;
                vec![("e", text(&rsa.e().to_vec())), ("kty", "RSA".into()), ("n", text(&rsa.n().to_vec()))]
            }
            SigningAlg::Es256 => {
                let key = self.key.ec_key()?;
                let (mut x, mut y, mut context) = (BigNum::new()?, BigNum::new()?, BigNumContext::new()?);
                key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
                let (x, y) = (x.to_vec_padded(P256_BYTES)?, y.to_vec_padded(P256_BYTES)?);
                vec![("crv", "P-256".into()), ("kty", "EC".into()), ("x", text(&x)), ("y", text(&y))]
            }
            SigningAlg::EdDsa => {
                vec![("crv", "Ed25519".into()), ("kty", "OKP".into()), ("x", text(&self.key.raw_public_key()?))]
            }
        };
        let mut jwk: Map<String, Value> = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(Value::Object(jwk.clone()).to_string()));
        for (name, value) in [("alg", self.alg.as_str()), ("use", "sig"), ("kid", &kid)] {
            jwk.insert(name.to_owned(), value.into());
        }
        Ok((kid, jwk))
    }

    /// A token of the compact form.
    pub(super) fn sign(&self, kid: &str, claims: &Map<String, Value>) -> Result<String, ErrorStack> {
        let header = serde_json::json!({ "alg": self.alg.as_str(), "kid": kid, "typ": "JWT" }).to_string();
        let claims = serde_json::to_string(claims).expect("texts, numbers and lists of them");
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = match self.alg {
            SigningAlg::Rs256 => Signer::new(MessageDigest::sha256(), &self.key)?.sign_oneshot_to_vec(signed.as_bytes())?,
            SigningAlg::Es256 => {
                let der = Signer::new(MessageDigest::sha256(), &self.key)?.sign_oneshot_to_vec(signed.as_bytes())?;
                let pair = EcdsaSig::from_der(&der)?;
                [pair.r().to_vec_padded(P256_BYTES)?, pair.s().to_vec_padded(P256_BYTES)?].concat()
            }
            SigningAlg::EdDsa => Signer::new_without_digest(&self.key)?.sign_oneshot_to_vec(signed.as_bytes())?,
        };
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::jose::{Algorithm, Key, Unverified};
    use serde_json::json;

    #[test]
    fn each_algorithm_signs_what_its_own_public_key_verifies_and_publishes_nothing_private() {
        for alg in SigningAlg::ALL {
            let made = SigningKey::generate(alg).expect("made");
            let key = SigningKey::from_der(alg, made.to_der().expect("DER").expose()).expect("opens");
            let (kid, public) = key.public().expect("a JWK");
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(public.get(private).is_none(), "{public:?}");
            }
            assert_eq!((&public["alg"], &public["use"], &public["kid"]), (&json!(alg.as_str()), &json!("sig"), &json!(kid)));
            let claims = json!({"sub": "x"});
            let token = key.sign(&kid, claims.as_object().expect("an object")).expect("signs");
            let parsed = Unverified::parse(&token, &[Algorithm::parse(alg.as_str()).expect("known")]).expect("a token");
            let (own, other) = (Key::of(&public).expect("a key"), SigningKey::generate(alg).expect("made"));
            let other = Key::of(&other.public().expect("a JWK").1).expect("a key");
            assert_eq!(
                (parsed.kid.as_deref(), parsed.verified(&[&own]).expect("verifies")["sub"].as_str()),
                (Some(&*kid), Some("x"))
            );
            assert!(parsed.verified(&[&other]).is_err(), "{alg:?}");
            for another in SigningAlg::ALL.into_iter().filter(|another| *another != alg) {
                assert!(SigningKey::from_der(another, made.to_der().expect("DER").expose()).is_none(), "{alg:?} {another:?}");
            }
        }
        assert!(SigningKey::from_der(SigningAlg::Rs256, b"x").is_none());
    }

    #[test]
    fn the_name_of_a_key_is_the_thumbprint_of_the_standard() {
        // RFC 8037, appendix A.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("base64url");
        let key = PKey::private_key_from_raw_bytes(&seed, Id::ED25519).expect("a key");
        let (kid, public) = SigningKey { alg: SigningAlg::EdDsa, key }.public().expect("a JWK");
        assert_eq!(public["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
