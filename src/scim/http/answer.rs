//! Answers: media type, tags, locations, and every error of an inner layer in its SCIM form (RFC 7644 §3.12).
//! Internals go to the log with the request id, never into a body.

use crate::http::authenticate::AuthError;
use crate::http::body::BodyError;
use crate::provisioning::{self, plan::Refusal};
use crate::scim::error::{ScimError, ScimType};
use crate::store;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

/// Seconds a client waits after a 503.
const RETRY_AFTER: u64 = 1;
/// Longest list of unknown members a detail names.
const NAMED_IDS_MAX: usize = 10;

/// An answer before it has a media type.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// JSON text; None = no body.
    pub body: Option<String>,
    pub headers: Vec<(HeaderName, String)>,
}

impl Answer {
    pub fn json(status: u16, body: String) -> Self {
        Self { status, body: Some(body), headers: Vec::new() }
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

/// A refusal on its way out: what the client sees, and headers that go with it.
#[derive(Debug)]
pub struct Refused {
    pub error: ScimError,
    pub headers: Vec<(HeaderName, String)>,
}

impl From<ScimError> for Refused {
    fn from(error: ScimError) -> Self {
        Self { error, headers: Vec::new() }
    }
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        Self { status: refused.error.status, body: Some(refused.error.body().to_string()), headers: refused.headers }
    }
}

impl Refused {
    fn later(status: u16, detail: &str, seconds: u64) -> Self {
        Self { error: ScimError::status(status, detail), headers: vec![(header::RETRY_AFTER, seconds.max(1).to_string())] }
    }
}

impl From<AuthError> for Refused {
    fn from(error: AuthError) -> Self {
        if let Some(seconds) = error.retry_after_seconds() {
            return Self::later(error.status().as_u16(), error.public_message(), seconds);
        }
        Self {
            error: ScimError::status(error.status().as_u16(), error.public_message()),
            headers: vec![(header::WWW_AUTHENTICATE, error.challenge().to_owned())],
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
                Self::later(503, "the server is busy, ask again", RETRY_AFTER)
            }
            store::Error::Unavailable { .. } => {
                tracing::error!(%error, "the store is unavailable");
                Self::later(503, "the server can't reach its database, ask again", RETRY_AFTER)
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
                Self::later(503, "the mapping of this connection can't run, its administrator has to mend it", RETRY_AFTER)
            }
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => not_found().into(),
            Refusal::VersionMismatch => ScimError::status(
                412,
                "the resource's version is not one that the request asks for (If-Match, If-None-Match, or version in /Bulk)",
            )
            .into(),
            Refusal::Taken { attribute } => {
                ScimError::of(ScimType::Uniqueness, format!("{attribute} is already taken on this connection")).into()
            }
            Refusal::EmailElsewhere { .. } => ScimError::of(
                ScimType::Uniqueness,
                "the e-mail address belongs to a user of another connection; an administrator has to decide (see the inbox)",
            )
            .into(),
            Refusal::Erased => ScimError::of(ScimType::Uniqueness, "this externalId can't be used again").into(),
            Refusal::Repost => ScimError::of(
                ScimType::Uniqueness,
                "an inactive user has this externalId or userName, and this connection does not reactivate by POST",
            )
            .into(),
            Refusal::Rejected { reasons } => {
                let reasons: Vec<String> = reasons.iter().map(|(attribute, reason)| format!("{attribute}: {reason}")).collect();
                ScimError::of(ScimType::InvalidValue, format!("the mapping refuses the resource: {}", reasons.join("; "))).into()
            }
            Refusal::TooLarge { bytes_max } => {
                ScimError::status(413, format!("the user's profile would be larger than {bytes_max} bytes")).into()
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
                .into()
            }
            Refusal::Cycle { .. } => {
                ScimError::of(ScimType::InvalidValue, "members: the group would be a member of itself").into()
            }
            Refusal::OverBudget { retry_after_seconds } => Self::later(
                429,
                "more deletions this hour than the connection's budget allows; they are held until an administrator confirms",
                retry_after_seconds,
            ),
        }
    }
}

/// The same for what never was, is gone, or is another tenant's.
pub fn not_found() -> ScimError {
    ScimError::status(404, "no such resource")
}
