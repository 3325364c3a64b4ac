//! How an application is told no where it asks by itself (RFC 6749 §5.2, RFC 6750 §3.1).

use super::{json, shared};
use crate::store;
use axum::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::json;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) says: &'static str,
    pub(super) retry_after_seconds: Option<u64>,
}

const fn bad(error: &'static str, says: &'static str) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, error, says, retry_after_seconds: None }
}

impl Refusal {
    pub(super) const fn request(says: &'static str) -> Self {
        bad("invalid_request", says)
    }

    pub(super) const fn grant(says: &'static str) -> Self {
        bad("invalid_grant", says)
    }

    pub(super) const fn scope(says: &'static str) -> Self {
        bad("invalid_scope", says)
    }

    /// Alike for an application that is not there, a secret that is wrong and one that is missing.
    pub(super) const CLIENT: Self =
        Self { status: StatusCode::UNAUTHORIZED, ..bad("invalid_client", "the application did not prove which one it is") };

    /// The same from an address that failed too often.
    pub(super) const fn stranger(retry_after_seconds: u64) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after_seconds: Some(retry_after_seconds),
            ..bad("temporarily_unavailable", "too many requests from there did not prove which application they are of")
        }
    }

    pub(super) const UNAUTHORIZED_CLIENT: Self = bad("unauthorized_client", "the application may not ask for this");

    pub(super) const GRANT_TYPE: Self =
        bad("unsupported_grant_type", "wanted authorization_code, refresh_token or client_credentials");

    pub(super) const METHOD: Self =
        Self { status: StatusCode::METHOD_NOT_ALLOWED, ..bad("invalid_request", "this path takes a POST") };

    pub(super) const BEARER: Self = Self { status: StatusCode::UNAUTHORIZED, ..bad("invalid_token", "the token is not valid") };
    pub(super) const NO_POST: Self = Self { says: "this path takes a GET", ..Self::METHOD };

    pub(super) const NO_READER: Self = Self { says: "this path takes a GET or a POST", ..Self::METHOD };

    /// What stands in a query or in another kind of body is not looked for.
    pub(super) const KIND: Self = Self::request("wanted a body of application/x-www-form-urlencoded");

    const UNAVAILABLE: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        retry_after_seconds: Some(5),
        ..bad("temporarily_unavailable", "this can't be answered at the moment, try again later")
    };

    pub(super) const INTERNAL: Self = Self {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        ..bad("server_error", "an internal error, see the server's log under this request id")
    };

    pub(super) fn into_response(self) -> Response {
        let mut response = shared(json(self.status, &json!({ "error": self.error, "error_description": self.says })));
        let headers = response.headers_mut();
        match self.error {
            "invalid_client" => _ = headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"rosterd\"")),
            "invalid_token" => {
                _ = headers
                    .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rosterd\", error=\"invalid_token\""));
            }
            _ if self.status == StatusCode::METHOD_NOT_ALLOWED => {
                let allowed = match self {
                    Self::NO_POST => "GET",
                    Self::NO_READER => "GET, POST",
                    _ => "POST",
                };
                _ = headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            _ => {}
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Stale | store::Error::Conflict | store::Error::Busy { .. } | store::Error::Unavailable { .. } => {
                tracing::warn!(%error, "the store could not answer");
                Self::UNAVAILABLE
            }
            store::Error::Corrupt { .. } | store::Error::Statement { .. } | store::Error::Setup { .. } => {
                tracing::error!(%error, "internal error");
                Self::INTERNAL
            }
        }
    }
}

impl From<super::keys::KeysError> for Refusal {
    fn from(error: super::keys::KeysError) -> Self {
        match error {
            super::keys::KeysError::Store(error) => error.into(),
            error @ super::keys::KeysError::NotMade => {
                tracing::error!(%error, "the keys for tokens can't be used");
                Self::INTERNAL
            }
        }
    }
}

impl From<super::parameters::Unreadable> for Refusal {
    fn from(_: super::parameters::Unreadable) -> Self {
        Self::request("the form could not be read, or is too long")
    }
}
