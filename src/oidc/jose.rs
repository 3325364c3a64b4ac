//! Signed tokens in their compact form (RFC 7515) and the keys they are checked with (RFC 7517), over ring. Pure.
//!
//! Refuses: `none` and every algorithm by a shared secret, since there is no word for them; keys that a token names or brings
//! itself (`jku`, `x5u`, `jwk`, `x5c` are not even read); extensions that have to be understood (`crit`); RSA below 2,048 bits.

use super::rule::{Refusal, Rule};
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Longest token in bytes.
pub const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Longest modulus that is computed with.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
/// Longest part of a key that is kept, in characters of base64url: twice the longest modulus.
const PART_CHARS_MAX: usize = 2_732;
/// Longest exponent in bytes.
const EXPONENT_BYTES_MAX: usize = 8;

/// What a token may be signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// What an application may sign with to prove which one it is: advertised, so that every one of them is checked.
pub const CLIENT_ALGORITHMS: [Algorithm; 4] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

impl Algorithm {
    pub const ALL: [Self; 9] =
        [Self::Rs256, Self::Rs384, Self::Rs512, Self::Ps256, Self::Ps384, Self::Ps512, Self::Es256, Self::Es384, Self::EdDsa];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// The left half of a text's digest, as `at_hash` has it.
    pub fn half_digest(self, text: &str) -> String {
        let digest = match self {
            Self::Rs256 | Self::Ps256 | Self::Es256 => Sha256::digest(text).to_vec(),
            Self::Rs384 | Self::Ps384 | Self::Es384 => Sha384::digest(text).to_vec(),
            // Of Ed25519, which signs with SHA-512.
            Self::Rs512 | Self::Ps512 | Self::EdDsa => Sha512::digest(text).to_vec(),
        };
        URL_SAFE_NO_PAD.encode(&digest[..digest.len() / 2])
    }
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point without compression.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    /// A key as a set has it; `None`: of a sort that is not known here.
    pub fn of(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bounded = |name: &str| text(name).filter(|text| text.len() <= PART_CHARS_MAX);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(bounded(name)?.trim_end_matches('=')).ok();
        let point = |size: usize| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            (x.len() == size && y.len() == size).then(|| [vec![4], x, y].concat())
        };
        match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let e = stripped(bytes("e")?);
                (e.len() <= EXPONENT_BYTES_MAX).then_some(Self::Rsa { n: stripped(bytes("n")?), e })
            }
            ("EC", Some("P-256")) => Some(Self::P256(point(32)?)),
            ("EC", Some("P-384")) => Some(Self::P384(point(48)?)),
            ("OKP", Some("Ed25519")) => bytes("x").filter(|x| x.len() == 32).map(Self::Ed25519),
            _ => None,
        }
    }

    /// Whether a signature by this algorithm can be its.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm as A;
        match self {
            Self::Rsa { .. } => !matches!(algorithm, A::Es256 | A::Es384 | A::EdDsa),
            Self::P256(_) => algorithm == A::Es256,
            Self::P384(_) => algorithm == A::Es384,
            Self::Ed25519(_) => algorithm == A::EdDsa,
        }
    }

    /// # Errors
    /// Too short, or so long that checking it is an attack.
    pub fn strong(&self) -> Result<(), Refusal> {
        let Self::Rsa { n, .. } = self else { return Ok(()) };
        let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
        let weak = || Rule::WeakKey.refused().expected("RSA of 2048 to 8192 bits").received(format!("RSA of {bits} bits"));
        if RSA_BITS.contains(&bits) { Ok(()) } else { Err(weak()) }
    }

    fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let by = |how: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(how, key).verify(signed, signature).is_ok()
        };
        match self {
            _ if !self.fits(algorithm) => false,
            Self::Rsa { n, e } => {
                let how = match algorithm {
                    Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
                    Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
                    _ => &signature::RSA_PKCS1_2048_8192_SHA256,
                };
                RsaPublicKeyComponents { n, e }.verify(how, signed, signature).is_ok()
            }
            Self::P256(point) => by(&signature::ECDSA_P256_SHA256_FIXED, point),
            Self::P384(point) => by(&signature::ECDSA_P384_SHA384_FIXED, point),
            Self::Ed25519(key) => by(&signature::ED25519, key),
        }
    }
}

/// Zeros in front of a number, which some encoders leave there.
fn stripped(bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes[zeros..].to_vec()
}

/// A token that was taken apart and nothing more: its claims are out of reach until a key vouched for them.
pub struct Unverified<'a> {
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl std::fmt::Debug for Unverified<'_> {
    /// Nothing of the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unverified").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl<'a> Unverified<'a> {
    /// # Errors
    /// Not a signed token of the compact form, too large, by an algorithm that is not `allowed`, or of another use.
    pub fn parse(token: &'a str, allowed: &[Algorithm]) -> Result<Self, Refusal> {
        // Tokens of other uses are signed with the same keys.
        Self::parse_as(token, allowed, &["JWT", "JWS"])
    }

    /// [`Self::parse`] for a token of one of these types; one that says none is of the first.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_as(token: &'a str, allowed: &[Algorithm], types: &[&str]) -> Result<Self, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            let came = format!("{} bytes", token.len());
            return Err(Rule::TokenTooLarge.refused().expected(format!("at most {TOKEN_BYTES_MAX} bytes")).received(came));
        }
        let malformed = |why: &str| Rule::TokenMalformed.refused().received(why);
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(if parts.len() == 5 { Rule::TokenEncrypted.refused() } else { malformed("not three parts") });
        };
        let bytes = URL_SAFE_NO_PAD.decode(header).map_err(|_| malformed("a header that is no base64url"))?;
        let Ok(Value::Object(header)) = serde_json::from_slice(&bytes) else {
            return Err(malformed("a header that is no object"));
        };
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let named = text("alg").unwrap_or_default();
        let expected = || allowed.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(" ");
        let algorithm = Algorithm::parse(named).filter(|found| allowed.contains(found));
        let algorithm = algorithm.ok_or_else(|| Rule::Algorithm.refused().expected(expected()).received(named))?;
        if header.contains_key("crit") {
            return Err(Rule::TokenCritical.refused().received(header["crit"].to_string()));
        }
        let usual = types.first().copied().unwrap_or_default();
        let typ = text("typ").unwrap_or(usual);
        if !types.iter().any(|known| typ.eq_ignore_ascii_case(known)) {
            return Err(Rule::TokenType.refused().expected(usual).received(typ));
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed("a signature that is no base64url"))?;
        let end = token.rfind('.').expect("there are three parts");
        Ok(Self { algorithm, kid: text("kid").map(str::to_owned), signed: &token[..end], payload, signature })
    }

    /// Whom it says it is about, believed by nobody: good for finding whose keys may vouch for it, and for nothing else.
    pub fn alleged_subject(&self) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(self.payload).ok()?;
        let claims: Value = serde_json::from_slice(&bytes).ok()?;
        Some(claims.get("sub")?.as_str()?.to_owned())
    }

    /// The claims, if one of `keys` vouches for them. Weak ones vouch for nothing, and take nothing from others beside them.
    ///
    /// # Errors
    /// None does, or they are no object.
    pub fn verified(&self, keys: &[&Key]) -> Result<Map<String, Value>, Refusal> {
        let mut strong = keys.iter().filter(|key| key.strong().is_ok()).peekable();
        if strong.peek().is_none()
            && let Some(weak) = keys.first()
        {
            weak.strong()?;
        }
        if !strong.any(|key| key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature)) {
            return Err(Rule::Signature.refused());
        }
        let malformed = || Rule::TokenMalformed.refused().received("claims that are no object");
        let bytes = URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| malformed())?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(claims)) => Ok(claims),
            _ => Err(malformed()),
        }
    }
}

/// A token by ES256, with a key in PKCS #8 (PEM).
///
/// # Errors
/// In words: the key is none.
pub fn sign_es256(pem: &Secret<String>, kid: &str, claims: &Value) -> Result<Secret<String>, &'static str> {
    let lines = pem.expose().lines().map(str::trim);
    let inside = lines.skip_while(|line| !line.starts_with("-----BEGIN PRIVATE KEY")).skip(1);
    let text: String = inside.take_while(|line| !line.starts_with("-----END")).collect();
    let der = STANDARD.decode(text).ok().filter(|der| !der.is_empty()).ok_or("it is no private key in PEM (PKCS #8)")?;
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random)
        .map_err(|_| "it is no private key of the curve P-256")?;
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&json!({"alg": "ES256", "kid": kid, "typ": "JWT"})), encode(claims));
    let signature = key.sign(&random, signed.as_bytes()).map_err(|_| "it could not sign")?;
    Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    /// Signs for the tests of this module and its neighbours.
    pub struct Signer(Ed25519KeyPair);

    impl Signer {
        pub fn new(seed: u8) -> Self {
            Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key"))
        }

        pub fn jwk(&self, kid: Option<&str>) -> Value {
            let x = URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref());
            let mut jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "use": "sig", "alg": "EdDSA"});
            if let Some(kid) = kid {
                jwk["kid"] = kid.into();
            }
            jwk
        }

        pub fn sign(&self, header: &Value, claims: &Value) -> String {
            let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", encode(header), encode(claims));
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes())))
        }
    }

    fn key(value: &Value) -> Key {
        Key::of(value.as_object().expect("an object")).expect("a key")
    }

    fn rule<T: std::fmt::Debug>(result: Result<T, Refusal>) -> Rule {
        result.expect_err("refused").rule
    }

    #[test]
    fn a_token_is_believed_by_its_key_alone() {
        let (ours, other) = (Signer::new(1), Signer::new(2));
        let token = ours.sign(&json!({"alg": "EdDSA", "kid": "1"}), &json!({"sub": "ann"}));
        let parsed = Unverified::parse(&token, &Algorithm::ALL).expect("a token");
        let (right, wrong) = (key(&ours.jwk(None)), key(&other.jwk(None)));
        assert_eq!(parsed.verified(&[&wrong, &right]).expect("signed")["sub"], "ann");
        assert_eq!(rule(parsed.verified(&[&wrong])), Rule::Signature);
        assert_eq!(rule(parsed.verified(&[])), Rule::Signature);
        let claims = URL_SAFE_NO_PAD.encode(json!({"sub": "eve"}).to_string());
        let parts: Vec<&str> = token.split('.').collect();
        let changed = format!("{}.{claims}.{}", parts[0], parts[2]);
        assert_eq!(rule(Unverified::parse(&changed, &Algorithm::ALL).expect("a token").verified(&[&right])), Rule::Signature);
    }

    #[test]
    fn only_what_the_connection_allows_is_tried_and_nothing_without_a_key_pair() {
        let signer = Signer::new(1);
        for alg in ["none", "None", "", "HS256", "HS512", "RS1", "ES512", "eddsa"] {
            let token = signer.sign(&json!({"alg": alg}), &json!({}));
            assert_eq!(rule(Unverified::parse(&token, &Algorithm::ALL)), Rule::Algorithm, "{alg}");
        }
        assert_eq!(
            rule(Unverified::parse(&signer.sign(&json!({"alg": "EdDSA"}), &json!({})), &[Algorithm::Rs256])),
            Rule::Algorithm
        );
        let unsigned = format!("{}.e30.", URL_SAFE_NO_PAD.encode("{\"alg\":\"none\"}"));
        assert_eq!(rule(Unverified::parse(&unsigned, &Algorithm::ALL)), Rule::Algorithm);
    }

    #[test]
    fn a_key_in_the_header_counts_for_nothing() {
        let (ours, eve) = (Signer::new(1), Signer::new(2));
        let header = json!({"alg": "EdDSA", "jwk": eve.jwk(None), "jku": "https://eve.example/", "x5u": "https://eve.example/"});
        let token = eve.sign(&header, &json!({"sub": "ann"}));
        let parsed = Unverified::parse(&token, &Algorithm::ALL).expect("a token");
        assert_eq!(rule(parsed.verified(&[&key(&ours.jwk(None))])), Rule::Signature);
    }

    #[test]
    fn what_is_no_plain_token_is_refused_before_anything_is_computed() {
        let signer = Signer::new(1);
        let parse = |token: &str| rule(Unverified::parse(token, &Algorithm::ALL));
        for token in ["", ".", "..", "a.b", "a.b.c.d", "!.!.!", "e30.e30.e30 "] {
            assert!(matches!(parse(token), Rule::TokenMalformed | Rule::Algorithm), "{token}");
        }
        assert_eq!(parse("a.b.c.d.e"), Rule::TokenEncrypted);
        assert_eq!(parse(&"x".repeat(TOKEN_BYTES_MAX + 1)), Rule::TokenTooLarge);
        assert_eq!(parse(&signer.sign(&json!({"alg": "EdDSA", "crit": ["b64"], "b64": false}), &json!({}))), Rule::TokenCritical);
        for typ in ["at+jwt", "logout+jwt", "secevent+jwt"] {
            assert_eq!(parse(&signer.sign(&json!({"alg": "EdDSA", "typ": typ}), &json!({}))), Rule::TokenType, "{typ}");
        }
    }

    #[test]
    fn keys_below_2048_bits_are_no_keys() {
        for (bytes, strong) in [(128, false), (255, false), (256, true), (1_024, true), (1_025, false)] {
            let n = URL_SAFE_NO_PAD.encode([&[0, 0x80][..], &vec![1; bytes - 1]].concat());
            let key = key(&json!({"kty": "RSA", "n": n, "e": "AQAB"}));
            assert_eq!(key.strong().is_ok(), strong, "{bytes} bytes");
        }
    }

    #[test]
    fn a_weak_key_beside_a_good_one_vouches_for_nothing_and_spoils_nothing() {
        let ours = Signer::new(1);
        let token = ours.sign(&json!({"alg": "EdDSA"}), &json!({"sub": "ann"}));
        let parsed = Unverified::parse(&token, &Algorithm::ALL).expect("a token");
        let n = URL_SAFE_NO_PAD.encode(vec![0x81; 128]);
        let weak = key(&json!({"kty": "RSA", "n": n, "e": "AQAB"}));
        let good = key(&ours.jwk(None));
        assert!(parsed.verified(&[&weak, &good]).is_ok() && parsed.verified(&[&good, &weak]).is_ok());
        assert_eq!(rule(parsed.verified(&[&weak])), Rule::WeakKey);
        let other = key(&Signer::new(2).jwk(None));
        assert_eq!(rule(parsed.verified(&[&weak, &other])), Rule::Signature);
    }

    #[test]
    fn parts_of_keys_that_are_longer_than_any_are_not_kept() {
        let n = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0x81; bytes]);
        let of = |n: String, e: &str| Key::of(json!({"kty": "RSA", "n": n, "e": e}).as_object().expect("an object"));
        assert!(of(n(2_048), "AQAB").is_some_and(|key| key.strong().is_err()), "too long to be computed with");
        assert_eq!(of(n(2_050), "AQAB"), None);
        assert_eq!(of(n(256), &n(9)), None);
    }

    #[test]
    fn a_token_never_prints() {
        let token = Signer::new(1).sign(&json!({"alg": "EdDSA", "kid": "1"}), &json!({"sub": "ann"}));
        let printed = format!("{:?}", Unverified::parse(&token, &Algorithm::ALL).expect("a token"));
        assert!(token.split('.').all(|part| !printed.contains(part)), "{printed}");
    }

    #[test]
    fn keys_of_unknown_sorts_and_broken_points_are_left_out() {
        for jwk in [
            json!({"kty": "oct", "k": "AAAA"}),
            json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
            json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
            json!({"kty": "OKP", "crv": "X25519", "x": "AA"}),
            json!({"kty": "AKP"}),
            json!({}),
        ] {
            assert_eq!(Key::of(jwk.as_object().expect("an object")), None, "{jwk}");
        }
    }

    #[test]
    fn a_token_of_ours_is_one_that_others_can_check() {
        let random = SystemRandom::new();
        let how = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(how, &random).expect("a key");
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8.as_ref()));
        let token = sign_es256(&Secret::new(pem), "K1", &json!({"iss": "team"})).expect("signed");
        let pair = EcdsaKeyPair::from_pkcs8(how, pkcs8.as_ref(), &random).expect("a key");
        let key = Key::P256(pair.public_key().as_ref().to_vec());
        let parsed = Unverified::parse(token.expose(), &[Algorithm::Es256]).expect("a token");
        assert_eq!(parsed.kid.as_deref(), Some("K1"));
        assert_eq!(parsed.verified(&[&key]).expect("signed")["iss"], "team");
        for no_key in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "x"] {
            assert!(sign_es256(&Secret::new(no_key.to_owned()), "K1", &json!({})).is_err());
        }
    }

    #[test]
    fn the_example_of_the_standard_for_at_hash() {
        // OpenID Connect Core, A.3.
        assert_eq!(Algorithm::Rs256.half_digest("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
