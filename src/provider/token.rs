//! `/oauth/token` (RFC 6749 §3.2): a code, a refresh token or an application's own secret for tokens.

mod code;
mod machine;
mod refresh;

use super::claims::{self, Asked};
use super::client;
use super::error::Refusal;
use super::id_token::{self, About};
use super::parameters::Parameters;
use super::{Call, json, preflight, shared, told};
use crate::clock::{Micros, SECOND};
use crate::mapping::ClaimPlace;
use crate::model::client::{Client, ClientKind};
use crate::model::event::LogEntry;
use crate::model::grant::{ACCESS_LASTS, Grant, Person};
use crate::secret::{Secret, TokenKind};
use crate::store::{Batch, access_tokens, events, grants};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

/// How often it is looked again when somebody else was quicker.
const ROUNDS: usize = 3;

pub(super) async fn answer(call: Call, body: Body) -> Response {
    if let Some(response) = preflight(&call.parts.method) {
        return response;
    }
    match exchange(&call, body).await {
        Ok(tokens) => shared(json(StatusCode::OK, &tokens)),
        Err(refusal) => {
            tracing::info!(error = refusal.error, says = refusal.says, "an application got no tokens");
            refusal.into_response()
        }
    }
}

async fn exchange(call: &Call, body: Body) -> Result<Value, Refusal> {
    if call.parts.method != Method::POST {
        return Err(Refusal::METHOD);
    }
    if !call.brings_a_form() {
        return Err(Refusal::KIND);
    }
    let form = call.provider.form(body).await?;
    let client = client::authenticate(call, &form).await?;
    let logs_in = client.options.kind != ClientKind::Machine;
    match form.one("grant_type") {
        Some("authorization_code") if logs_in => code::exchange(call, &client, &form).await,
        Some("refresh_token") if logs_in => refresh::exchange(call, &client, &form).await,
        Some("client_credentials") if !logs_in => machine::exchange(call, &client, &form).await,
        Some("authorization_code" | "refresh_token" | "client_credentials") => Err(Refusal::UNAUTHORIZED_CLIENT),
        Some(_) => Err(Refusal::GRANT_TYPE),
        None => Err(Refusal::request("grant_type is missing")),
    }
}

/// What is given for a grant: an access token, in `batch`, and an ID token about who it is.
async fn give(
    call: &Call,
    client: &Client,
    grant: &Grant,
    person: &Person,
    nonce: Option<&str>,
    scope: &str,
    batch: &mut Batch,
) -> Result<Value, Refusal> {
    let logins = &call.provider.logins;
    let now = call.provider.now();
    let access = TokenKind::Access.generate(&logins.entropy);
    let until = now.saturating_add(ACCESS_LASTS).min(grant.expires_at);
    let id = logins.entropy.uuid(now);
    access_tokens::insert(batch, grant, (&id, scope), &logins.keys.hash_token(access.expose()), (now, until));
    let asked = Asked::from_text(&grant.asked).within(&grant.scope, scope).id_token;
    let wanted = if client.options.id_token_claims { claims::wanted(scope, &asked) } else { asked };
    let place = ClaimPlace::IdToken;
    let claims = told::claims(call, told::Telling { client: &client.options, grant, person, wanted, scope, place }).await?;
    let keys = call.provider.keys.of(logins, &call.tenant.id).await?;
    let key = keys.active(client.options.alg)?;
    let about = About { issuer: &call.issuer, grant, person, nonce, access_token: access.expose(), claims, now };
    let id_token = id_token::sign(key, about)?;
    Ok(json!({
        "access_token": access.expose(),
        "token_type": "Bearer",
        "expires_in": (until - now) / SECOND,
        "scope": scope,
        "id_token": id_token,
    }))
}

/// Ends a grant of which something came twice, and says so in the log.
async fn end(call: &Call, client: &Client, grant: &Grant, kind: &'static str, mut batch: Batch) -> Result<(), Refusal> {
    let logins = &call.provider.logins;
    let now: Micros = call.provider.now();
    grants::delete(&mut batch, &grant.tenant_id, &grant.id);
    let entry = LogEntry {
        id: logins.entropy.uuid(now),
        kind,
        outcome: "refused",
        identity_id: Some(grant.identity_id.clone()),
        profile_id: Some(grant.profile_id.clone()),
        client_id: Some(client.id.clone()),
        actor: client.id.to_string(),
        request_id: super::authorize::request_id(&call.parts).to_owned(),
        detail: Some(json!({ "client": client.name }).to_string()),
        at: now - now % 1_000,
        ..LogEntry::default()
    };
    let entry = entry.from_where(Some(logins.address_of(&call.parts)), super::authorize::user_agent(&call.parts));
    events::insert_log(&mut batch, &grant.tenant_id, &[entry]);
    logins.store.apply(batch).await?;
    Ok(())
}

/// The text of a token of that kind, as the form has it.
fn token(form: &Parameters, name: &str, kind: TokenKind) -> Option<Secret<String>> {
    form.one(name).filter(|text| TokenKind::of(text) == Some(kind)).map(|text| Secret::new(text.to_owned()))
}

/// The refresh token of this text, used or not, if its grant counts.
pub(super) async fn refresh(
    call: &Call,
    text: &Secret<String>,
) -> Result<Option<crate::store::refresh_tokens::RefreshToken>, Refusal> {
    Ok(refresh::find(call, text).await?.map(|(_, found)| found))
}
