//! `/connections/{id}/scim-configuration/tokens`: what opens the SCIM endpoint of a connection, and nothing else. Two at a time, so that
//! one can take over from the other; the text of one is shown once.

use super::scim_configuration::find_configured;
use crate::api::Answer;
use crate::api::call::Call;
use crate::api::problem::Problem;
use crate::clock::{SECOND, rfc3339};
use crate::model::access::{SCIM_SCOPES, Token};
use crate::model::ids::TokenId;
use crate::secret::TokenKind;
use crate::store::{Batch, tokens};
use axum::body::Body;
use serde_json::{Map, Value, json};

/// Tokens that open one endpoint at a time.
const LIVE_MAX: usize = 2;
/// Tokens of a connection that are read, those that were revoked included.
const READ_MAX: i64 = 1_000;
/// A life is longer than this, and shorter than ten years.
const LIFETIME_SECONDS_MIN: i64 = 900;
const LIFETIME_SECONDS_MAX: i64 = 10 * 365 * 86_400;

pub(in crate::api) async fn list(call: &Call<'_>) -> Result<Answer, Problem> {
    let live = live(call).await?;
    Ok(Answer::ok(live.iter().map(shown).collect()))
}

pub(in crate::api) async fn create(call: &Call<'_>, sent: Body) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let (scopes, lifetime) = wanted(&call.object(sent).await?)?;
    let connection = find_configured(call).await?.connection;
    if live(call).await?.len() >= LIVE_MAX {
        return Err(Problem::taken(format!("the connection has {LIVE_MAX} tokens: revoke one first")));
    }
    let audit = call.audit();
    let text = TokenKind::Scim.generate(&call.api.entropy);
    let token = Token {
        tenant_id: call.tenant.clone(),
        id: TokenId::new(call.api.entropy.uuid(audit.at)),
        connection_id: Some(connection.id),
        name: "scim".to_owned(),
        scopes,
        expires_at: lifetime.map(|seconds| audit.at.saturating_add(seconds * SECOND)),
        revoked_at: None,
        last_used_at: None,
        created_at: audit.at,
    };
    if dry_run {
        let mut plan = json!({ "dry_run": true, "step": "create", "scopes": token.scopes });
        if let Some(at) = token.expires_at {
            plan["valid_until"] = rfc3339(at).into();
        }
        return Ok(Answer::ok(plan));
    }
    let mut batch = Batch::default();
    tokens::create(&mut batch, &token, &call.api.keys.hash_token(text.expose()), &audit);
    call.api.store.apply(batch).await?;
    let mut made = shown(&token);
    made["token"] = text.expose().as_str().into();
    Ok(Answer::created(made))
}

pub(in crate::api) async fn delete(call: &Call<'_>) -> Result<Answer, Problem> {
    let dry_run = call.is_dry_run()?;
    let id = call.id_after("tokens");
    let token = live(call).await?.into_iter().find(|token| token.id.as_str() == id).ok_or_else(Problem::no_token)?;
    if dry_run {
        return Ok(Answer::ok(json!({ "dry_run": true, "step": "delete", "token_id": token.id })));
    }
    let mut batch = Batch::default();
    tokens::revoke(&mut batch, &token, &call.audit());
    call.api.store.apply(batch).await?;
    Ok(Answer::no_content())
}

/// Those of the connection that open it now.
async fn live(call: &Call<'_>) -> Result<Vec<Token>, Problem> {
    let connection = find_configured(call).await?.connection;
    let all = tokens::list(&call.api.store, &call.tenant, Some(&connection.id), "", READ_MAX).await?;
    let now = call.api.clock.now();
    Ok(all.into_iter().filter(|token| token.is_live(now)).collect())
}

fn shown(token: &Token) -> Value {
    let mut shown = json!({ "token_id": token.id, "scopes": token.scopes, "created_at": rfc3339(token.created_at) });
    for (name, at) in [("valid_until", token.expires_at), ("last_used_at", token.last_used_at)] {
        if let Some(at) = at {
            shown[name] = rfc3339(at).into();
        }
    }
    shown
}

fn wanted(members: &Map<String, Value>) -> Result<(Vec<String>, Option<i64>), Problem> {
    if let Some(other) = members.keys().find(|name| !matches!(name.as_str(), "scopes" | "token_lifetime")) {
        return Err(Problem::member(other, format!("Additional properties not allowed: {other}")));
    }
    let scopes = match members.get("scopes") {
        None | Some(Value::Null) => SCIM_SCOPES.map(str::to_owned).to_vec(),
        Some(Value::Array(given)) if !given.is_empty() => {
            let known = |scope: &Value| SCIM_SCOPES.into_iter().find(|known| scope == known).map(str::to_owned);
            let scopes: Option<Vec<String>> = given.iter().map(known).collect();
            let mut scopes =
                scopes.ok_or_else(|| Problem::member("scopes", format!("wanted some of {}", SCIM_SCOPES.join(", "))))?;
            scopes.sort_unstable();
            scopes.dedup();
            scopes
        }
        Some(_) => return Err(Problem::member("scopes", "Expected an array of at least one scope")),
    };
    let lifetime = match members.get("token_lifetime") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let seconds = value.as_i64().filter(|seconds| (LIFETIME_SECONDS_MIN..=LIFETIME_SECONDS_MAX).contains(seconds));
            let wrong = || format!("wanted a whole number of seconds from {LIFETIME_SECONDS_MIN} to {LIFETIME_SECONDS_MAX}");
            Some(seconds.ok_or_else(|| Problem::member("token_lifetime", wrong()))?)
        }
    };
    Ok((scopes, lifetime))
}
