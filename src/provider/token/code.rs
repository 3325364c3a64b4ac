//! A code for tokens: once, by the application it was issued to, with the address and the verifier it is bound to.

use super::{Call, ROUNDS, end, give, token};
use crate::model::client::Client;
use crate::model::grant::{ACCESS_LASTS, Grant, REFRESH_ABSOLUTE, REFRESH_IDLE};
use crate::provider::error::Refusal;
use crate::provider::parameters::Parameters;
use crate::secret::{Secret, TokenHash, TokenKind};
use crate::store::codes::{self, StoredCode};
use crate::store::{self, Batch, grants, refresh_tokens};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Alike for whatever is wrong with it.
const REFUSED: Refusal = Refusal::grant("the code is not valid: unknown, too old, used, or not for this request");

/// What becomes of a code that was found.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    Good,
    Refused,
    /// Somebody has it who should not.
    Replayed,
}

/// Pure.
fn judge(stored: &StoredCode, client: &Client, redirect_uri: Option<&str>, verifier: Option<&str>, now: i64) -> Judged {
    if stored.grant.client_id != client.id {
        return Judged::Refused;
    }
    if stored.used_at.is_some() {
        return Judged::Replayed;
    }
    let is_answered = match (&stored.challenge, verifier) {
        (Some(challenge), Some(verifier)) => goes_with(verifier, challenge),
        (None, None) => true,
        // A verifier for a challenge that never came: somebody took that out on the way.
        (Some(_), None) | (None, Some(_)) => false,
    };
    let is_bound = redirect_uri == Some(stored.redirect_uri.as_str()) && is_answered;
    if is_bound && now < stored.grant.expires_at && stored.person.is_some() { Judged::Good } else { Judged::Refused }
}

/// RFC 7636 §4.6.
fn goes_with(verifier: &str, challenge: &str) -> bool {
    let plain = verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    (43..=128).contains(&verifier.len()) && plain && bool::from(hash.as_bytes().ct_eq(challenge.as_bytes()))
}

async fn find(call: &Call, code: &Secret<String>) -> Result<Option<(TokenHash, StoredCode)>, Refusal> {
    let logins = &call.provider.logins;
    for hash in logins.keys.token_hashes(code.expose()) {
        if let Some(found) = codes::find(&logins.store, &call.tenant.id, &hash, call.provider.now()).await? {
            return Ok(Some((hash, found)));
        }
    }
    Ok(None)
}

pub(super) async fn exchange(call: &Call, client: &Client, form: &Parameters) -> Result<Value, Refusal> {
    let logins = &call.provider.logins;
    let code = token(form, "code", TokenKind::Code).ok_or(REFUSED)?;
    for _ in 0..ROUNDS {
        let now = call.provider.now();
        let (hash, stored) = find(call, &code).await?.ok_or(REFUSED)?;
        match judge(&stored, client, form.one("redirect_uri"), form.one("code_verifier"), now) {
            Judged::Good => {}
            Judged::Refused => return Err(REFUSED),
            Judged::Replayed => {
                let mut batch = Batch::default();
                // Whoever goes on with it is told the same, and nobody is told of it again.
                codes::delete(&mut batch, &call.tenant.id, &hash);
                end(call, client, &stored.grant, "code.replayed", batch).await?;
                return Err(REFUSED);
            }
        }
        let person = stored.person.as_ref().ok_or(REFUSED)?;
        let lasts = if stored.grant.offline { REFRESH_ABSOLUTE } else { ACCESS_LASTS };
        let grant = Grant { created_at: now, expires_at: now.saturating_add(lasts), ..stored.grant.clone() };
        let mut batch = Batch::default();
        codes::use_up(&mut batch, &call.tenant.id, &hash, now);
        grants::insert(&mut batch, &grant);
        let mut tokens = give(call, client, &grant, person, stored.nonce.as_deref(), &grant.scope, &mut batch).await?;
        if grant.offline {
            let refresh = TokenKind::Refresh.generate(&logins.entropy);
            let until = now.saturating_add(REFRESH_IDLE).min(grant.expires_at);
            refresh_tokens::insert(&mut batch, &grant, &logins.keys.hash_token(refresh.expose()), None, (now, until));
            tokens["refresh_token"] = refresh.expose().as_str().into();
        }
        match logins.store.apply(batch).await {
            Ok(()) => return Ok(tokens),
            // Somebody else used it in this moment, or the person went: the next round sees which.
            Err(store::Error::Stale | store::Error::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(REFUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_goes_with_its_challenge_alone() {
        // RFC 7636, appendix B
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(goes_with(verifier, challenge));
        for other in ["", challenge, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", &verifier[1..]] {
            assert!(!goes_with(other, challenge), "{other}");
        }
        assert!(!goes_with(challenge, challenge), "plain");
    }
}
