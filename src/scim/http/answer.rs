//! Answers: media type, tags, locations, and every error of an inner layer in its SCIM form (RFC 7644 §3.12).
//! Internals go to the log with the request id, never into a body.

use crate::http::authenticate::AuthError;
use crate::http::body::BodyError;
use crate::provisioning::{self, plan::Refusal};
use crate::scim::error::{ScimError, ScimType};
use crate::store;
use crate::traffic::Cause;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;

/// Seconds a client waits after a 503.
const RETRY_AFTER: u64 = 1;
/// Longest list of unknown members a detail names.
const NAMED_IDS_MAX: usize = 10;

/// An answer before it has a media type.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// JSON text; None = no body.
    pub body: Option<Bytes>,
    pub headers: Vec<(HeaderName, String)>,
}

impl Answer {
    pub fn json(status: u16, body: String) -> Self {
        Self { status, body: Some(Bytes::from(body)), headers: Vec::new() }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, body: None, headers: Vec::new() }
    }

    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The header of that name as it will be sent.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The response; `accept` decides between the two JSON media types (RFC 7644 §3.1).
    pub fn into_response(self, request_headers: &HeaderMap) -> Response {
        let mut response = Response::new(self.body.map_or_else(Body::empty, Body::from));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if self.status != 204 && self.status != 304 {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(request_headers)));
        }
        for (name, value) in self.headers {
            // Values are ours (tags, URLs of plain ids, numbers); one that can't stand in a header is left out.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

fn media_type(request_headers: &HeaderMap) -> &'static str {
    let accept = request_headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("application/json") && !accept.contains("application/scim+json") {
        "application/json; charset=utf-8"
    } else {
        "application/scim+json; charset=utf-8"
    }
}

/// A refusal on its way out: what the client sees, headers that go with it, and what only the recorded traffic says.
#[derive(Debug)]
pub struct Refused {
    pub error: ScimError,
    pub headers: Vec<(HeaderName, String)>,
    /// Finer than the answer, which tells strangers nothing. None where status and `scimType` say it all.
    pub cause: Option<Cause>,
}

impl From<ScimError> for Refused {
    fn from(error: ScimError) -> Self {
        Self { error, headers: Vec::new(), cause: None }
    }
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        let body = Bytes::from(refused.error.body().to_string());
        Self { status: refused.error.status, body: Some(body), headers: refused.headers }
    }
}

impl Refused {
    fn later(status: u16, detail: &str, seconds: u64, cause: Cause) -> Self {
        let headers = vec![(header::RETRY_AFTER, seconds.max(1).to_string())];
        Self { error: ScimError::status(status, detail), headers, cause: Some(cause) }
    }

    /// The same refusal with a finer cause for the recorded traffic.
    #[must_use]
    pub fn because(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }
}

impl From<AuthError> for Refused {
    fn from(error: AuthError) -> Self {
        let cause = match &error {
            AuthError::Missing => Cause::TokenMissing,
            AuthError::Malformed => Cause::TokenMalformed,
            AuthError::Unknown => Cause::TokenUnknown,
            AuthError::Expired => Cause::TokenExpired,
            AuthError::Revoked => Cause::TokenRevoked,
            AuthError::WrongKind => Cause::TokenOfAnotherKind,
            AuthError::RateLimited { .. } => Cause::TooManyRequests,
            AuthError::Store(_) => Cause::StoreUnavailable,
        };
        if let Some(seconds) = error.retry_after_seconds() {
            return Self::later(error.status().as_u16(), error.public_message(), seconds, cause);
        }
        Self {
            error: ScimError::status(error.status().as_u16(), error.public_message()),
            headers: vec![(header::WWW_AUTHENTICATE, error.challenge().to_owned())],
            cause: Some(cause),
        }
    }
}

impl From<BodyError> for Refused {
    fn from(error: BodyError) -> Self {
        let detail = error.to_string();
        match error {
            BodyError::TooLarge { .. } => ScimError::status(413, detail).into(),
            BodyError::TimedOut => ScimError::status(408, detail).into(),
            BodyError::Broken => ScimError::of(ScimType::InvalidSyntax, detail).into(),
        }
    }
}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Conflict => ScimError::of(ScimType::Uniqueness, "a unique value was taken meanwhile").into(),
            store::Error::Stale | store::Error::Busy { .. } => {
                tracing::warn!(%error, "busy");
                Self::later(503, "the server is busy, ask again", RETRY_AFTER, Cause::Busy)
            }
            store::Error::Unavailable { .. } => {
                tracing::error!(%error, "the store is unavailable");
                Self::later(503, "the server can't reach its database, ask again", RETRY_AFTER, Cause::StoreUnavailable)
            }
            store::Error::Corrupt { .. } | store::Error::Statement { .. } | store::Error::Setup { .. } => {
                tracing::error!(%error, "internal error");
                ScimError::status(500, "an internal error, see the server's log under this request id").into()
            }
        }
    }
}

impl From<provisioning::Error> for Refused {
    fn from(error: provisioning::Error) -> Self {
        match error {
            provisioning::Error::Store(error) => error.into(),
            provisioning::Error::Refused(refusal) => refusal.into(),
            provisioning::Error::Mapping { .. } => {
                tracing::error!(%error, "a connection's mapping can't run");
                let detail = "the mapping of this connection can't run, its administrator has to mend it";
                Self::later(503, detail, RETRY_AFTER, Cause::MappingBroken)
            }
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let cause = cause_of(&refusal);
        let unique = |detail: String| ScimError::of(ScimType::Uniqueness, detail);
        let error = match refusal {
            Refusal::NotFound => not_found(),
            Refusal::VersionMismatch => ScimError::status(
                412,
                "the resource's version is not one that the request asks for (If-Match, If-None-Match, or version in /Bulk)",
            ),
            Refusal::Taken { attribute } => unique(format!("{attribute} is already taken on this connection")),
            Refusal::EmailElsewhere { .. } => unique(String::from(
                "the e-mail address belongs to a user of another connection; an administrator has to decide (see the inbox)",
            )),
            Refusal::Erased => unique(String::from("this externalId can't be used again")),
            Refusal::Repost => unique(String::from(
                "an inactive user has this externalId or userName, and this connection does not reactivate by POST",
            )),
            Refusal::Rejected { reasons } => {
                let reasons: Vec<String> = reasons.iter().map(|(attribute, reason)| format!("{attribute}: {reason}")).collect();
                ScimError::of(ScimType::InvalidValue, format!("the mapping refuses the resource: {}", reasons.join("; ")))
            }
            Refusal::TooLarge { bytes_max } => {
                ScimError::status(413, format!("the user's profile would be larger than {bytes_max} bytes"))
            }
            Refusal::UnknownMembers { ids } => {
                let named = ids.iter().take(NAMED_IDS_MAX).map(|id| id.chars().take(64).collect::<String>());
                let named: Vec<String> = named.collect();
                let more = ids.len().saturating_sub(NAMED_IDS_MAX);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                ScimError::of(
                    ScimType::InvalidValue,
                    format!("members: no user or group of this connection has the id {}{more}", named.join(", ")),
                )
            }
            Refusal::Cycle { .. } => ScimError::of(ScimType::InvalidValue, "members: the group would be a member of itself"),
            Refusal::OverBudget { retry_after_seconds } => {
                let detail =
                    "more deletions this hour than the connection's budget allows; they are held until an administrator confirms";
                return Self::later(429, detail, retry_after_seconds, cause);
            }
        };
        Self::from(error).because(cause)
    }
}

fn cause_of(refusal: &Refusal) -> Cause {
    match refusal {
        Refusal::NotFound => Cause::NotFound,
        Refusal::VersionMismatch => Cause::VersionMismatch,
        Refusal::Taken { attribute: "userName" } => Cause::UserNameTaken,
        Refusal::Taken { attribute: "externalId" } => Cause::ExternalIdTaken,
        Refusal::Taken { attribute: "displayName" } => Cause::GroupNameTaken,
        Refusal::Taken { .. } => Cause::ValueTaken,
        Refusal::EmailElsewhere { .. } => Cause::EmailElsewhere,
        Refusal::Erased => Cause::Erased,
        Refusal::Repost => Cause::Repost,
        Refusal::Rejected { .. } => Cause::MappingRefuses,
        Refusal::TooLarge { .. } => Cause::ProfileTooLarge,
        Refusal::UnknownMembers { .. } => Cause::UnknownMembers,
        Refusal::Cycle { .. } => Cause::GroupInItself,
        Refusal::OverBudget { .. } => Cause::OverBudget,
    }
}

/// The same for what never was, is gone, or is another tenant's.
pub fn not_found() -> ScimError {
    ScimError::status(404, "no such resource")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{InboxEntry, LogEntry};

    /// One refusal of each kind. The match in [`cause_of`] keeps this list honest: a new kind does not compile without a cause.
    fn refusals() -> Vec<Refusal> {
        let taken = ["userName", "externalId", "displayName", "anything"].map(|attribute| Refusal::Taken { attribute });
        let others = [
            Refusal::NotFound,
            Refusal::VersionMismatch,
            Refusal::EmailElsewhere { inbox: inbox(), log: LogEntry::default() },
            Refusal::Erased,
            Refusal::Repost,
            Refusal::Rejected { reasons: vec![(String::from("email"), String::from("is required"))] },
            Refusal::TooLarge { bytes_max: 1 },
            Refusal::UnknownMembers { ids: vec![String::from("x")] },
            Refusal::Cycle { group_id: String::from("x") },
            Refusal::OverBudget { retry_after_seconds: 5 },
        ];
        taken.into_iter().chain(others).collect()
    }

    fn inbox() -> InboxEntry {
        let (id, subject, detail) = (String::new(), String::new(), String::new());
        InboxEntry { id, connection_id: crate::model::ids::ConnectionId::new("c"), kind: "k", subject, detail, at: 0 }
    }

    #[test]
    fn every_refusal_carries_a_cause_that_suits_its_status() {
        for refusal in refusals() {
            let what = format!("{refusal:?}");
            let refused = Refused::from(refusal);
            let cause = refused.cause.unwrap_or_else(|| panic!("{what} has no cause"));
            // A finer cause stands for a status that the coarse one is of, too.
            let coarse = Cause::of_answer(refused.error.status, refused.error.scim_type.map(ScimType::as_str));
            assert!(coarse.is_some() && cause != Cause::BadRequest && cause != Cause::Internal, "{what}: {cause:?}");
        }
    }

    #[test]
    fn every_scim_type_and_status_that_is_sent_has_a_cause_of_its_own() {
        let types = [
            ScimType::InvalidFilter,
            ScimType::TooMany,
            ScimType::Uniqueness,
            ScimType::Mutability,
            ScimType::InvalidSyntax,
            ScimType::InvalidPath,
            ScimType::NoTarget,
            ScimType::InvalidValue,
            ScimType::InvalidVers,
            ScimType::Sensitive,
        ];
        let mut causes: Vec<_> = types.iter().map(|kind| Cause::of_answer(kind.status(), Some(kind.as_str()))).collect();
        causes.extend([401, 403, 404, 405, 408, 412, 413, 415, 429, 500, 501, 503].map(|status| Cause::of_answer(status, None)));
        let distinct: std::collections::HashSet<_> = causes.iter().flatten().collect();
        assert_eq!(distinct.len(), causes.len());
        assert!(!distinct.contains(&Cause::BadRequest));
    }
}
