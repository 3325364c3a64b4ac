//! Which application asks, and whether it proves it (RFC 6749 §2.3): by one way, and that of its kind.

use super::Call;
use super::error::Refusal;
use super::parameters::Parameters;
use crate::model::client::{Client, ClientKind};
use crate::model::ids::ClientId;
use crate::secret::{KeyRing, Secret, TokenKind};
use crate::store::clients::{self, StoredClient};
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

/// What an application says of itself.
#[derive(Debug)]
struct Presented {
    id: String,
    secret: Option<Secret<String>>,
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
    let presented = presented(&call.parts.headers, form)?;
    let logins = &call.provider.logins;
    let found = clients::find(&logins.store, &call.tenant.id, &ClientId::new(presented.id.clone())).await?;
    let found = found.ok_or(Refusal::CLIENT)?;
    if proves(&logins.keys, &found, presented.secret.as_ref(), call.provider.now()) {
        Ok(found.client)
    } else {
        Err(Refusal::CLIENT)
    }
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

fn presented(headers: &HeaderMap, form: &Parameters) -> Result<Presented, Refusal> {
    if form.repeated().is_some() {
        return Err(Refusal::request("a parameter is there twice"));
    }
    if form.one("client_assertion").is_some() {
        return Err(Refusal::CLIENT);
    }
    let (id, secret) = (form.one("client_id"), form.one("client_secret"));
    let Some(line) = headers.get(header::AUTHORIZATION) else {
        let id = id.ok_or(Refusal::CLIENT)?.to_owned();
        return Ok(Presented { id, secret: secret.map(|secret| Secret::new(secret.to_owned())) });
    };
    let basic = basic(line.to_str().unwrap_or_default()).ok_or(Refusal::CLIENT)?;
    if secret.is_some() {
        return Err(Refusal::request("the secret came in two ways"));
    }
    if id.is_some_and(|id| id != basic.id) {
        return Err(Refusal::request("two applications are named"));
    }
    Ok(basic)
}

/// Both halves are form-encoded before they are put together.
fn basic(line: &str) -> Option<Presented> {
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
    Some(Presented { id: decoded(id)?, secret: Some(Secret::new(decoded(secret)?)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(authorization: Option<&str>, form: &str) -> Result<(String, Option<String>), &'static str> {
        let mut headers = HeaderMap::new();
        if let Some(line) = authorization {
            headers.insert(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(line)).parse().expect("a header"));
        }
        let found = presented(&headers, &Parameters::parse(form.as_bytes()).expect("readable"));
        found.map(|found| (found.id, found.secret.map(|secret| secret.expose().clone()))).map_err(|refusal| refusal.error)
    }

    #[test]
    fn an_application_says_which_one_it_is_in_one_way() {
        assert_eq!(of(Some("a%3Ab:s%2B+"), ""), Ok((String::from("a:b"), Some(String::from("s+ ")))));
        assert_eq!(of(Some("a:s"), "client_id=a"), Ok((String::from("a"), Some(String::from("s")))));
        assert_eq!(of(None, "client_id=a&client_secret=s"), Ok((String::from("a"), Some(String::from("s")))));
        assert_eq!(of(None, "client_id=a"), Ok((String::from("a"), None)));
        assert_eq!(of(Some("a:s"), "client_id=a&client_secret=s"), Err("invalid_request"));
        assert_eq!(of(Some("a:s"), "client_id=b"), Err("invalid_request"));
        assert_eq!(of(None, "client_id=a&client_id=a"), Err("invalid_request"));
        assert_eq!(of(None, ""), Err("invalid_client"));
        assert_eq!(of(Some("nothing"), ""), Err("invalid_client"));
        assert_eq!(of(Some("a%00:b"), ""), Err("invalid_client"));
        assert_eq!(of(None, "client_id=a&client_assertion=x"), Err("invalid_client"));
    }
}
