//! One recorded request of a client and its answer, as it is stored: redacted and cut before it gets here.

use super::ids::{ConnectionId, TenantId, TokenId};

/// One row of the flight recorder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub tenant_id: TenantId,
    /// A UUIDv7 of the moment the request came in: rows sort by it.
    pub id: String,
    pub connection_id: ConnectionId,
    /// Not answered with what was asked for: a status of 400 or more.
    pub refused: bool,
    pub created_at: i64,
    /// None when no token opened anything.
    pub token_id: Option<TokenId>,
    pub request_id: String,
    pub method: String,
    /// Below the connection's base address: `/Users/{id}`.
    pub path: String,
    pub query: Option<String>,
    pub status: i64,
    pub scim_type: Option<String>,
    /// Why it was refused, one word of a closed set; the advice follows from it.
    pub cause: Option<String>,
    /// The reason in words, for administrators: it may say more than the client was told.
    pub detail: Option<String>,
    pub duration_us: i64,
    /// None = the header was not sent.
    pub user_agent: Option<String>,
    pub content_type: Option<String>,
    /// Names of what gave the client away, separated by blanks.
    pub signs: String,
    /// Sizes as they were, before anything was cut.
    pub request_bytes: i64,
    pub response_bytes: i64,
    pub request_body: Option<String>,
    pub response_body: Option<String>,
}
