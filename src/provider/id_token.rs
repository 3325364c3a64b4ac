//! ID tokens (OpenID Connect Core §2): made, and recognised when one of ours comes back as a hint.

use super::claims;
use super::keys::{Key, KeySet, KeysError};
use crate::clock::{Micros, SECOND};
use crate::model::grant::{ACCESS_LASTS, Grant, Person};
use crate::model::provider_key::SigningAlg;
use crate::oidc::jose::{Algorithm, Unverified};
use serde_json::{Map, Value};

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

pub(super) fn sign(key: &Key, about: About<'_>) -> Result<String, KeysError> {
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
    put("at_hash", algorithm(key.life.alg).half_digest(about.access_token).into());
    if let Some(acr) = &grant.proof.acr {
        put("acr", acr.as_str().into());
    }
    if !grant.proof.amr.is_empty() {
        put("amr", grant.proof.amr.clone().into());
    }
    if let Some(organization) = &grant.organization_id {
        put("org_id", organization.as_str().into());
    }
    if let Some(nonce) = about.nonce {
        put("nonce", nonce.into());
    }
    key.sign(&token)
}

fn algorithm(alg: SigningAlg) -> Algorithm {
    match alg {
        SigningAlg::Rs256 => Algorithm::Rs256,
        SigningAlg::Es256 => Algorithm::Es256,
        SigningAlg::EdDsa => Algorithm::EdDsa,
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
    let parsed = Unverified::parse(text, &SigningAlg::ALL.map(algorithm)).ok()?;
    let key = keys.find(parsed.kid.as_deref()?).filter(|key| algorithm(key.life.alg) == parsed.algorithm)?;
    let claims = parsed.verified(&[&key.verifies]).ok()?;
    let of = |name: &str| claims.get(name)?.as_str().map(str::to_owned);
    (of("iss")? == issuer).then_some(())?;
    Some(Hint { sub: of("sub")?, client_id: of("aud")? })
}

/// Whose account a token of ours proves to the application it was given to: by RS256, in time. Nothing of it counts before its
/// signature.
pub(super) fn proof(keys: &KeySet, issuer: &str, text: &str, (client_id, now): (&str, i64)) -> Option<String> {
    let parsed = Unverified::parse(text, &[Algorithm::Rs256]).ok()?;
    let key = keys.find(parsed.kid.as_deref()?).filter(|key| algorithm(key.life.alg) == parsed.algorithm)?;
    let claims = parsed.verified(&[&key.verifies]).ok()?;
    let of = |name: &str| claims.get(name)?.as_str().map(str::to_owned);
    let in_time = claims.get("exp")?.as_i64()? > now;
    let is_ours = of("iss")? == issuer && of("aud")? == client_id;
    (is_ours && in_time).then_some(())?;
    of("sub").filter(|sub| !sub.is_empty())
}
