//! `/userinfo` (OpenID Connect Core §5.3): who an access token is about. The token comes in the header or a form, never in a query.

use super::claims::{self, Asked};
use super::error::Refusal;
use super::{Call, json, preflight, shared, told};
use crate::http::bearer::{BearerError, bearer};
use crate::mapping::ClaimPlace;
use crate::secret::TokenKind;
use crate::store::access_tokens::{self, AccessToken};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::Value;

pub(super) async fn answer(call: Call, body: Body) -> Response {
    if let Some(response) = preflight(&call.parts.method) {
        return response;
    }
    match tell(&call, body).await {
        Ok(claims) => shared(json(StatusCode::OK, &claims)),
        Err(refusal) => refusal.into_response(),
    }
}

async fn tell(call: &Call, body: Body) -> Result<Value, Refusal> {
    let text = match (&call.parts.method, bearer(&call.parts.headers)) {
        (&Method::GET | &Method::POST, Ok(text)) => text.to_owned(),
        (&Method::POST, Err(BearerError::Missing)) => {
            let form = call.provider.form(body).await?;
            form.one("access_token").ok_or(Refusal::BEARER)?.to_owned()
        }
        (&Method::GET, Err(_)) | (&Method::POST, Err(BearerError::Malformed)) => return Err(Refusal::BEARER),
        _ => return Err(Refusal::NO_READER),
    };
    let token = find(call, &text).await?.ok_or(Refusal::BEARER)?;
    let wanted =
        claims::wanted(&token.scope, &Asked::from_text(&token.grant.asked).within(&token.grant.scope, &token.scope).userinfo);
    let AccessToken { client, grant, person, scope, .. } = &token;
    let telling = told::Telling { client, grant, person, wanted, scope, place: ClaimPlace::Userinfo };
    let mut told = told::claims(call, telling).await?;
    told.insert(String::from("sub"), claims::subject(&token.person.user_id).into());
    if let Some(organization) = &token.grant.organization_id {
        told.insert(String::from("org_id"), organization.as_str().into());
    }
    Ok(Value::Object(told))
}

/// The access token of this text, if it counts.
pub(super) async fn find(call: &Call, text: &str) -> Result<Option<AccessToken>, Refusal> {
    if TokenKind::of(text) != Some(TokenKind::Access) {
        return Ok(None);
    }
    let logins = &call.provider.logins;
    for hash in logins.keys.token_hashes(text) {
        if let Some(found) = access_tokens::find(&logins.store, &call.tenant.id, &hash, call.provider.now()).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
