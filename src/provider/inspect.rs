//! `/oauth/revoke` (RFC 7009) and `/oauth/introspect` (RFC 7662): an application's own tokens. Of others' nothing is told and
//! nothing ends.

use super::client;
use super::error::Refusal;
use super::parameters::Parameters;
use super::{Call, claims, json, preflight, shared, userinfo};
use crate::clock::SECOND;
use crate::model::client::{Client, ClientKind};
use crate::secret::{Secret, TokenKind};
use crate::store::{Batch, access_tokens, clients, grants};
use axum::body::Body;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

async fn asked(call: &Call, body: Body) -> Result<(Client, Parameters), Refusal> {
    if call.parts.method != Method::POST {
        return Err(Refusal::METHOD);
    }
    if !call.brings_a_form() {
        return Err(Refusal::KIND);
    }
    let form = call.provider.form(body).await?;
    let client = client::authenticate(call, &form).await?;
    if form.one("token").is_none() {
        return Err(Refusal::request("token is missing"));
    }
    Ok((client, form))
}

pub(super) async fn revoke(call: Call, body: Body) -> Response {
    if let Some(response) = preflight(&call.parts.method) {
        return response;
    }
    match end(&call, body).await {
        Ok(()) => {
            let mut response = shared(StatusCode::OK.into_response());
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn end(call: &Call, body: Body) -> Result<(), Refusal> {
    let (client, form) = asked(call, body).await?;
    let text = form.one("token").unwrap_or_default();
    let logins = &call.provider.logins;
    let mut batch = Batch::default();
    match TokenKind::of(text) {
        Some(TokenKind::Access) => {
            let own = userinfo::find(call, text).await?.filter(|token| token.grant.client_id == client.id);
            for hash in own.iter().flat_map(|_| logins.keys.token_hashes(text)) {
                access_tokens::delete(&mut batch, &call.tenant.id, &hash);
            }
        }
        Some(TokenKind::Refresh) => {
            let found = super::token::refresh(call, &Secret::new(text.to_owned())).await?;
            if let Some(found) = found.filter(|found| found.grant.client_id == client.id) {
                grants::delete(&mut batch, &call.tenant.id, &found.grant.id);
            }
        }
        Some(TokenKind::Management) => {
            for hash in logins.keys.token_hashes(text) {
                clients::delete_token(&mut batch, &call.tenant.id, &client.id, &hash);
            }
        }
        // Nothing that could be revoked: as good as revoked (RFC 7009 §2.2).
        _ => {}
    }
    if !batch.is_empty() {
        logins.store.apply(batch).await?;
    }
    Ok(())
}

pub(super) async fn introspect(call: Call, body: Body) -> Response {
    match tell(&call, body).await {
        Ok(told) => json(StatusCode::OK, &told.unwrap_or_else(|| json!({ "active": false }))),
        Err(refusal) => refusal.into_response(),
    }
}

async fn tell(call: &Call, body: Body) -> Result<Option<Value>, Refusal> {
    let (client, form) = asked(call, body).await?;
    if client.options.kind == ClientKind::Public {
        return Err(Refusal::CLIENT);
    }
    let text = form.one("token").unwrap_or_default();
    let logins = &call.provider.logins;
    let now = call.provider.now();
    let common = |scope: &str, expires_at: i64, created_at: i64| {
        json!({
            "active": true,
            "scope": scope,
            "client_id": client.id,
            "token_type": "Bearer",
            "exp": expires_at / SECOND,
            "iat": created_at / SECOND,
            "aud": client.id,
            "iss": call.issuer,
        })
    };
    let about = |mut told: Value, person: &crate::model::grant::Person, scope: &str| {
        told["sub"] = claims::subject(&person.user_id).into();
        let doc: Value = serde_json::from_str(&person.doc).unwrap_or_default();
        let is_told = scope.split(' ').any(|word| word == "profile");
        if let Some(name) = doc.get("username").and_then(Value::as_str).filter(|_| is_told) {
            told["username"] = name.into();
        }
        told
    };
    Ok(match TokenKind::of(text) {
        Some(TokenKind::Access) => {
            let own = userinfo::find(call, text).await?.filter(|token| token.grant.client_id == client.id);
            own.map(|token| {
                let mut told = about(common(&token.scope, token.expires_at, token.created_at), &token.person, &token.scope);
                told["jti"] = token.id.into();
                told
            })
        }
        Some(TokenKind::Refresh) => {
            let found = super::token::refresh(call, &Secret::new(text.to_owned())).await?;
            let own =
                found.filter(|found| found.grant.client_id == client.id && found.used_at.is_none() && now < found.expires_at);
            own.map(|found| {
                let mut told =
                    about(common(&found.grant.scope, found.expires_at, found.created_at), &found.person, &found.grant.scope);
                told["token_type"] = "refresh_token".into();
                told
            })
        }
        Some(TokenKind::Management) => {
            let mut told = None;
            for hash in logins.keys.token_hashes(text) {
                let found = clients::find_token(&logins.store, &call.tenant.id, &client.id, &hash).await?;
                if let Some(found) = found.filter(|found| now < found.expires_at) {
                    let mut known = common(&found.scopes, found.expires_at, found.created_at);
                    known["jti"] = found.id.into();
                    told = Some(known);
                }
            }
            told
        }
        _ => None,
    })
}
