//! Which application asks, and whether it proves it (RFC 6749 §2.3, RFC 7523): by one way, and that of its kind.

use super::Call;
use super::assertion::{self, Assertion, Once, Wrong};
use super::error::Refusal;
use super::parameters::Parameters;
use crate::model::client::{Client, ClientKeys, ClientKind};
use crate::model::ids::ClientId;
use crate::oidc::Rule;
use crate::oidc::keys::KeySet;
use crate::secret::{KeyRing, Secret, TokenKind};
use crate::store::clients::{self, StoredClient};
use crate::store::{self, Batch, login_used};
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use url::form_urlencoded;

/// What an application says of itself.
#[derive(Debug)]
struct Presented {
    /// Not said by one that signs, which says it there.
    id: Option<String>,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    None,
    Secret(Secret<String>),
    Assertion(Secret<String>),
}

/// The application that asks, proven.
pub(super) async fn authenticate(call: &Call, form: &Parameters) -> Result<Client, Refusal> {
    let proven = proven(call, form).await;
    if matches!(proven, Err(Refusal::CLIENT))
        && let Some(seconds) = call.provider.logins.count_a_stranger(&call.tenant, &call.parts).await
    {
        return Err(Refusal::stranger(seconds));
    }
    proven
}

async fn proven(call: &Call, form: &Parameters) -> Result<Client, Refusal> {
    let Presented { id, proof } = presented(&call.parts.headers, form)?;
    let secret = match proof {
        Proof::Assertion(text) => return by_assertion(call, id.as_deref(), &text).await,
        Proof::Secret(secret) => Some(secret),
        Proof::None => None,
    };
    let found = find(call, id.ok_or(Refusal::CLIENT)?).await?;
    if proves(&call.provider.logins.keys, &found, secret.as_ref(), call.provider.now()) {
        Ok(found.client)
    } else {
        Err(Refusal::CLIENT)
    }
}

async fn find(call: &Call, id: String) -> Result<StoredClient, Refusal> {
    let found = clients::find(&call.provider.logins.store, &call.tenant.id, &ClientId::new(id)).await?;
    found.ok_or(Refusal::CLIENT)
}

fn proves(ring: &KeyRing, found: &StoredClient, secret: Option<&Secret<String>>, now: i64) -> bool {
    let (ClientKind::Confidential | ClientKind::Machine) = found.client.options.kind else { return secret.is_none() };
    let Some(secret) = secret.filter(|secret| TokenKind::of(secret.expose()) == Some(TokenKind::ClientSecret)) else {
        return false;
    };
    let former = found.former.filter(|(_, until)| now < *until).map(|(hash, _)| hash);
    // Hashes are compared in constant time.
    ring.token_hashes(secret.expose()).iter().any(|hash| found.hash.as_ref() == Some(hash) || former.as_ref() == Some(hash))
}

/// By what it signed. Only what its key vouches for is used up, so that nobody else uses up anything of it.
async fn by_assertion(call: &Call, named: Option<&str>, text: &Secret<String>) -> Result<Client, Refusal> {
    let wrong = |wrong: Wrong| {
        tracing::info!(reason = %wrong, "what an application signed does not prove which one it is");
        Refusal::CLIENT
    };
    let assertion = Assertion::parse(text.expose()).map_err(wrong)?;
    // No database stores U+0000.
    if named.is_some_and(|named| named != assertion.alleged) || assertion.alleged.contains('\0') {
        return Err(wrong(Wrong::Issuer));
    }
    let client = find(call, assertion.alleged.clone()).await?.client;
    let Some(keys) = &client.options.keys else { return Err(Refusal::CLIENT) };
    let now = call.provider.now();
    let token_endpoint = format!("{}/oauth/token", call.issuer);
    let verified = |keys: &KeySet| assertion.verified(client.id.as_str(), keys, [&call.issuer, &token_endpoint], now);
    let mut once = verified(&*keys_of(call, &client, keys, false).await?);
    if once == Err(Wrong::Token(Rule::UnknownKey)) && matches!(keys, ClientKeys::At { .. }) {
        once = verified(&*keys_of(call, &client, keys, true).await?);
    }
    let Once { id, until } = once.map_err(wrong)?;
    let mut batch = Batch::default();
    login_used::insert(&mut batch, &call.tenant.id, &format!("client {}", client.id), &id, until);
    match call.provider.logins.store.apply(batch).await {
        Ok(()) => Ok(client),
        Err(store::Error::Conflict) => {
            tracing::info!(client = client.name, "what an application signed was used before");
            Err(Refusal::CLIENT)
        }
        Err(error) => Err(error.into()),
    }
}

async fn keys_of(call: &Call, client: &Client, keys: &ClientKeys, unknown_key: bool) -> Result<Arc<KeySet>, Refusal> {
    let found = match keys {
        ClientKeys::Set(set) => KeySet::parse(set.to_string().as_bytes()).map(Arc::new),
        ClientKeys::At { uri, allow_plaintext } => {
            let of = (client.tenant_id.as_str(), client.id.as_str());
            call.provider.applications.at(of, (uri, *allow_plaintext), unknown_key).await
        }
    };
    found.map_err(|refusal| {
        tracing::warn!(client = client.name, %refusal, "the keys of an application can't be had");
        Refusal::CLIENT
    })
}

fn presented(headers: &HeaderMap, form: &Parameters) -> Result<Presented, Refusal> {
    const TWO_WAYS: Refusal = Refusal::request("the application proved itself in two ways");
    if form.repeated().is_some() {
        return Err(Refusal::request("a parameter is there twice"));
    }
    let (id, secret) = (form.one("client_id"), form.one("client_secret"));
    let (assertion, kind) = (form.one("client_assertion"), form.one("client_assertion_type"));
    let line = headers.get(header::AUTHORIZATION);
    if assertion.is_some() || kind.is_some() {
        if secret.is_some() || line.is_some() {
            return Err(TWO_WAYS);
        }
        let text = assertion.filter(|_| kind == Some(assertion::KIND)).ok_or(Refusal::CLIENT)?;
        return Ok(Presented { id: id.map(str::to_owned), proof: Proof::Assertion(Secret::new(text.to_owned())) });
    }
    let Some(line) = line else {
        let id = id.ok_or(Refusal::CLIENT)?.to_owned();
        let proof = secret.map_or(Proof::None, |secret| Proof::Secret(Secret::new(secret.to_owned())));
        return Ok(Presented { id: Some(id), proof });
    };
    let (basic_id, basic_secret) = basic(line.to_str().unwrap_or_default()).ok_or(Refusal::CLIENT)?;
    if secret.is_some() {
        return Err(TWO_WAYS);
    }
    if id.is_some_and(|id| id != basic_id) {
        return Err(Refusal::request("two applications are named"));
    }
    Ok(Presented { id: Some(basic_id), proof: Proof::Secret(basic_secret) })
}

/// Both halves are form-encoded before they are put together.
fn basic(line: &str) -> Option<(String, Secret<String>)> {
    let (scheme, encoded) = line.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |half: &str| form_urlencoded::parse(format!("x={half}").as_bytes()).next().map(|(_, text)| text.into_owned());
    // No database stores U+0000.
    let decoded = |half: &str| decoded(half).filter(|text| !text.contains('\0'));
    Some((decoded(id)?, Secret::new(decoded(secret)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(authorization: Option<&str>, form: &str) -> Result<(Option<String>, Option<String>), &'static str> {
        let mut headers = HeaderMap::new();
        if let Some(line) = authorization {
            headers.insert(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(line)).parse().expect("a header"));
        }
        let found = presented(&headers, &Parameters::parse(form.as_bytes()).expect("readable"));
        let proof = |proof: Proof| match proof {
            Proof::None => None,
            Proof::Secret(secret) => Some(secret.expose().clone()),
            Proof::Assertion(text) => Some(format!("signed {}", text.expose())),
        };
        found.map(|found| (found.id, proof(found.proof))).map_err(|refusal| refusal.error)
    }

    fn some(id: &str, proof: &str) -> Result<(Option<String>, Option<String>), &'static str> {
        Ok((Some(id.to_owned()), Some(proof.to_owned())))
    }

    #[test]
    fn an_application_says_which_one_it_is_in_one_way() {
        assert_eq!(of(Some("a%3Ab:s%2B+"), ""), some("a:b", "s+ "));
        assert_eq!(of(Some("a:s"), "client_id=a"), some("a", "s"));
        assert_eq!(of(None, "client_id=a&client_secret=s"), some("a", "s"));
        assert_eq!(of(None, "client_id=a"), Ok((Some(String::from("a")), None)));
        assert_eq!(of(Some("a:s"), "client_id=a&client_secret=s"), Err("invalid_request"));
        assert_eq!(of(Some("a:s"), "client_id=b"), Err("invalid_request"));
        assert_eq!(of(None, "client_id=a&client_id=a"), Err("invalid_request"));
        assert_eq!(of(None, ""), Err("invalid_client"));
        assert_eq!(of(Some("nothing"), ""), Err("invalid_client"));
        assert_eq!(of(Some("a%00:b"), ""), Err("invalid_client"));
    }

    #[test]
    fn what_it_signed_is_one_way_and_goes_with_no_other() {
        let signed = format!("client_assertion=x&client_assertion_type={}", assertion::KIND);
        assert_eq!(of(None, &signed), Ok((None, Some(String::from("signed x")))));
        assert_eq!(of(None, &format!("client_id=a&{signed}")), some("a", "signed x"));
        assert_eq!(of(None, &format!("client_id=a&client_secret=s&{signed}")), Err("invalid_request"));
        assert_eq!(of(Some("a:s"), &signed), Err("invalid_request"));
        for other in ["client_assertion=x", "client_assertion=x&client_assertion_type=saml2-bearer", "client_assertion_type=x"] {
            assert_eq!(of(None, &format!("client_id=a&{other}")), Err("invalid_client"), "{other}");
        }
    }
}
