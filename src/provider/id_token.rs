//! ID tokens (OpenID Connect Core §2): made, and recognised when one of ours comes back as a hint.

use super::claims;
use super::keys::{Key, KeySet, algorithm};
use crate::clock::{Micros, SECOND};
use crate::model::grant::{ACCESS_LASTS, Grant, Person};
use crate::model::provider_key::SigningAlg;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Header, Validation, decode, decode_header, encode};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha512};
use std::collections::HashSet;

/// Longest token that is looked at.
const BYTES_MAX: usize = 16 << 10;

/// What an ID token is about.
pub(super) struct About<'a> {
    pub(super) issuer: &'a str,
    pub(super) grant: &'a Grant,
    pub(super) person: &'a Person,
    pub(super) nonce: Option<&'a str>,
    pub(super) access_token: &'a str,
    /// Claims of scopes, if they go here.
    pub(super) claims: Map<String, Value>,
    pub(super) now: Micros,
}

pub(super) fn sign(key: &Key, about: About<'_>) -> Result<String, jsonwebtoken::errors::Error> {
    let mut header = Header::new(algorithm(key.life.alg));
    header.kid = Some(key.life.kid.clone());
    let mut token = about.claims;
    let grant = about.grant;
    let mut put = |name: &str, value: Value| token.insert(name.to_owned(), value);
    put("iss", about.issuer.into());
    put("sub", claims::subject(&about.person.user_id).into());
    put("aud", grant.client_id.as_str().into());
    put("exp", (about.now.saturating_add(ACCESS_LASTS) / SECOND).into());
    put("iat", (about.now / SECOND).into());
    put("auth_time", (grant.auth_time / SECOND).into());
    put("sid", grant.session_id.as_str().into());
    put("at_hash", at_hash(key.life.alg, about.access_token).into());
    if let Some(nonce) = about.nonce {
        put("nonce", nonce.into());
    }
    encode(&header, &token, &key.signs)
}

/// The left half of the hash that goes with the algorithm (OpenID Connect Core §3.1.3.6); Ed25519 hashes by SHA-512.
fn at_hash(alg: SigningAlg, access_token: &str) -> String {
    let half = |hash: &[u8]| URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2]);
    match alg {
        SigningAlg::Rs256 | SigningAlg::Es256 => half(&Sha256::digest(access_token)),
        SigningAlg::EdDsa => half(&Sha512::digest(access_token)),
    }
}

/// What one of our ID tokens says, however old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) sub: String,
    pub(super) client_id: String,
}

/// A hint that we signed. Which algorithm counts is the key's to say, never the token's.
pub(super) fn recognise(keys: &KeySet, issuer: &str, text: &str) -> Option<Hint> {
    if text.len() > BYTES_MAX {
        return None;
    }
    let key = keys.find(&decode_header(text).ok()?.kid?)?;
    let mut validation = Validation::new(algorithm(key.life.alg));
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation.required_spec_claims = HashSet::new();
    let claims = decode::<Map<String, Value>>(text, &key.verifies, &validation).ok()?.claims;
    let of = |name: &str| claims.get(name)?.as_str().map(str::to_owned);
    (of("iss")? == issuer).then_some(())?;
    Some(Hint { sub: of("sub")?, client_id: of("aud")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_an_access_token_is_half_of_its_algorithms() {
        // OpenID Connect Core, A.3
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnvTvH0o7Xkg6DkC1Y6PE";
        assert_eq!(at_hash(SigningAlg::Rs256, token).len(), 22);
        assert_eq!(at_hash(SigningAlg::EdDsa, token).len(), 43);
    }
}
