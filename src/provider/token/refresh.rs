//! A refresh token for the next one: used once. A second use in the same moment gets the same successor; a later one ends the
//! family, since one of the two who have it stole it.

use super::{Call, ROUNDS, end, give, token};
use crate::model::client::Client;
use crate::model::grant::{REFRESH_GRACE, REFRESH_IDLE};
use crate::provider::error::Refusal;
use crate::provider::parameters::Parameters;
use crate::secret::{Secret, TokenHash, TokenKind};
use crate::store::refresh_tokens::{self, RefreshToken};
use crate::store::{self, Batch};
use serde_json::Value;

/// Alike for whatever is wrong with it.
const REFUSED: Refusal = Refusal::grant("the refresh token is not valid: unknown, too old, used, or another application's");

#[derive(Debug, PartialEq, Eq)]
enum Judged {
    Rotate,
    /// The same successor again.
    Repeat,
    Refused,
    Reused,
}

/// Pure.
fn judge(found: &RefreshToken, client: &Client, now: i64) -> Judged {
    if found.grant.client_id != client.id {
        return Judged::Refused;
    }
    match found.used_at {
        None if now < found.expires_at => Judged::Rotate,
        None => Judged::Refused,
        // Also a use after `now`: another replica's clock, or one that was read while this request waited.
        Some(at) if now.saturating_sub(at) < REFRESH_GRACE => Judged::Repeat,
        Some(_) => Judged::Reused,
    }
}

/// What a request may narrow to: `asked`, if all of it was given.
fn narrowed(given: &str, asked: Option<&str>) -> Result<String, Refusal> {
    let Some(asked) = asked else { return Ok(given.to_owned()) };
    let words = || asked.split(' ').filter(|word| !word.is_empty());
    let has = |word: &str| given.split(' ').any(|known| known == word);
    if words().all(has) && words().any(|word| word == "openid") {
        Ok(words().collect::<Vec<_>>().join(" "))
    } else {
        Err(Refusal::scope("wanted openid, and no more than was given at first"))
    }
}

pub(super) async fn find(call: &Call, text: &Secret<String>) -> Result<Option<(TokenHash, RefreshToken)>, Refusal> {
    let logins = &call.provider.logins;
    for hash in logins.keys.token_hashes(text.expose()) {
        if let Some(found) = refresh_tokens::find(&logins.store, &call.tenant.id, &hash, call.provider.now()).await? {
            return Ok(Some((hash, found)));
        }
    }
    Ok(None)
}

/// Where the text of a successor is sealed for.
fn place(hash: &TokenHash) -> String {
    let hash: String = hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("successor {hash}")
}

pub(super) async fn exchange(call: &Call, client: &Client, form: &Parameters) -> Result<Value, Refusal> {
    let logins = &call.provider.logins;
    let text = token(form, "refresh_token", TokenKind::Refresh).ok_or(REFUSED)?;
    for _ in 0..ROUNDS {
        let now = call.provider.now();
        let (hash, found) = find(call, &text).await?.ok_or(REFUSED)?;
        let judged = judge(&found, client, now);
        let scope = match judged {
            Judged::Rotate | Judged::Repeat => narrowed(&found.grant.scope, form.one("scope"))?,
            Judged::Refused | Judged::Reused => String::new(),
        };
        let mut batch = Batch::default();
        let next = match judged {
            Judged::Rotate => {
                let next = TokenKind::Refresh.generate(&logins.entropy);
                let sealed = logins.keys.seal(next.expose().as_bytes(), &place(&hash), &logins.entropy);
                refresh_tokens::use_up(&mut batch, &call.tenant.id, (&hash, found.parent.as_ref()), now, sealed);
                let until = now.saturating_add(REFRESH_IDLE).min(found.grant.expires_at);
                let own = logins.keys.hash_token(next.expose());
                refresh_tokens::insert(&mut batch, &found.grant, &own, Some(&hash), (now, until));
                next
            }
            Judged::Repeat => {
                // `None`: somebody goes on with it already.
                let sealed = found.successor.as_deref().ok_or(REFUSED)?;
                let opened = logins.keys.open(sealed, &place(&hash)).map_err(|_| REFUSED)?;
                Secret::new(String::from_utf8(opened.expose().clone()).map_err(|_| REFUSED)?)
            }
            Judged::Refused => return Err(REFUSED),
            Judged::Reused => {
                end(call, client, &found.grant, "refresh_token.reused", batch).await?;
                return Err(REFUSED);
            }
        };
        let mut tokens = give(call, client, &found.grant, &found.person, None, &scope, &mut batch).await?;
        tokens["refresh_token"] = next.expose().as_str().into();
        match logins.store.apply(batch).await {
            Ok(()) => return Ok(tokens),
            // Used in the same moment, or its grant ended.
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
    fn a_scope_may_only_narrow() {
        assert_eq!(narrowed("openid email", None).expect("the same"), "openid email");
        assert_eq!(narrowed("openid email", Some("openid")).expect("less"), "openid");
        for asked in ["openid profile", "email", "openid emai"] {
            assert_eq!(narrowed("openid email", Some(asked)).expect_err(asked).error, "invalid_scope");
        }
    }
}
