//! A recorded request and the client behind it as the management API and `--json` show them.

use super::advice::{Advice, advice};
use super::cause::Cause;
use super::source::{Idp, Source};
use crate::clock::rfc3339;
use crate::model::traffic::Exchange;
use serde_json::{Value, json};

/// The advice of a recorded refusal.
pub fn advice_for(exchange: &Exchange, idp: Idp) -> Option<Advice> {
    let known = exchange.cause.as_deref().and_then(Cause::parse);
    let status = u16::try_from(exchange.status).unwrap_or(500);
    // A row of a newer binary, whose word this one doesn't know.
    let cause = known.or_else(|| Cause::of_answer(status, exchange.scim_type.as_deref()))?;
    Some(advice(cause, idp))
}

/// One request. Without `content`, what people are called and looked up by (query, bodies) is left out.
pub fn exchange(exchange: &Exchange, idp: Idp, content: bool) -> Value {
    let advice =
        advice_for(exchange, idp).map(|advice| json!({ "idp": idp.as_str(), "why": advice.why, "change": advice.change }));
    let only = |text: &Option<String>| text.clone().filter(|_| content);
    json!({
        "id": exchange.id,
        "date": rfc3339(exchange.created_at),
        "connection_id": exchange.connection_id,
        "token_id": exchange.token_id,
        "request_id": exchange.request_id,
        "method": exchange.method,
        "path": exchange.path,
        "query": only(&exchange.query),
        "status": exchange.status,
        "refused": exchange.refused,
        "scim_type": exchange.scim_type,
        "cause": exchange.cause,
        "detail": exchange.detail,
        "advice": advice,
        "duration_us": exchange.duration_us,
        "user_agent": exchange.user_agent,
        "content_type": exchange.content_type,
        "request_bytes": exchange.request_bytes,
        "response_bytes": exchange.response_bytes,
        "request_body": only(&exchange.request_body),
        "response_body": only(&exchange.response_body),
    })
}

/// Who sends.
pub fn source(source: &Source) -> Value {
    json!({
        "idp": source.idp.as_str(),
        "name": source.idp.name(),
        "dialect": source.dialect.map(super::source::Dialect::as_str),
        "reasons": source.reasons,
        "requests": source.requests,
    })
}
