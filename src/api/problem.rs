//! The one form of every refusal: `{statusCode, error, message, errorCode}` as JSON. Internals go to the log with the request
//! id, never into a body.

use crate::http::authenticate::AuthError;
use crate::http::body::BodyError;
use crate::registration;
use crate::registration::connections::ConnectionError;
use crate::store;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Seconds a client waits after a 503.
const RETRY_SECONDS: u64 = 1;

/// Seconds until a place for a stream may be free.
const STREAM_RETRY_SECONDS: u64 = 10;

/// A refusal on its way out.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    headers: Vec<(HeaderName, String)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// 400: a parameter, named, and what is wanted of it.
    pub(super) fn query(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_query_string", message)
    }

    /// 400: something in the body, in words.
    pub(super) fn body(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_body", message)
    }

    /// 400: what is wrong with one member of the body.
    pub(super) fn member(path: &str, says: impl std::fmt::Display) -> Self {
        Self::body(format!("Payload validation error: '{says}' on property {path}"))
    }

    /// 503: what is asked takes too long to find.
    pub(super) fn search_timeout(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "search_timeout", message).with(RETRY_AFTER, RETRY_SECONDS.to_string())
    }

    /// 400: more than offsets reach.
    pub(super) fn paging(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_paging", message)
    }

    /// 415.
    pub(super) fn media_type() -> Self {
        let message = "the body has to be JSON, and be said to be: Content-Type: application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    }

    /// 409: another thing of the tenant has it.
    pub(super) fn taken(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "already_exists", message)
    }

    /// 404, the same for what never was and for another tenant's.
    pub(super) fn no_client() -> Self {
        Self::new(StatusCode::NOT_FOUND, "inexistent_client", "The client does not exist.")
    }

    /// 404, the same for what never was and for another tenant's.
    pub(super) fn no_webhook() -> Self {
        Self::new(StatusCode::NOT_FOUND, "inexistent_webhook", "The webhook does not exist.")
    }

    /// 410: retention took events that came after the place.
    pub(super) fn cursor_expired() -> Self {
        let message =
            "events that came after this place are not kept any more: begin anew without it, and read what you keep anew";
        Self::new(StatusCode::GONE, "cursor_expired", message)
    }

    /// 429: streams take a place each as long as they are open.
    pub(super) fn too_many_streams() -> Self {
        let message = "too many streams are open with this token or in this tenant: close one, or ask by parts";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).with(RETRY_AFTER, STREAM_RETRY_SECONDS.to_string())
    }

    /// 500: what went wrong stands in the log.
    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "internal error");
        let message = "an internal error, see the server's log under this request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }

    /// 404, the same for what never was and for another tenant's.
    pub(super) fn no_user() -> Self {
        Self::new(StatusCode::NOT_FOUND, "inexistent_user", "The user does not exist.")
    }

    /// 404, the same for what never was and for another tenant's.
    pub(super) fn no_conflict() -> Self {
        Self::new(StatusCode::NOT_FOUND, "inexistent_conflict", "The conflict does not exist.")
    }

    /// 404, the same for what never was and for another tenant's.
    pub(super) fn no_log() -> Self {
        Self::new(StatusCode::NOT_FOUND, "inexistent_log", "The log entry does not exist.")
    }

    /// 404, the same for what never was and for another tenant's.
    pub(super) fn no_group() -> Self {
        Self::new(StatusCode::NOT_FOUND, "inexistent_group", "The group does not exist.")
    }

    /// 404, the same for what never was and for another tenant's.
    pub(super) fn no_organization() -> Self {
        Self::new(StatusCode::NOT_FOUND, "inexistent_organization", "The organization does not exist.")
    }

    /// 404: nothing is pushed to the connection.
    pub(super) fn no_scim_configuration() -> Self {
        let message = "The connection has no SCIM configuration.";
        Self::new(StatusCode::NOT_FOUND, "inexistent_scim_configuration", message)
    }

    /// 404: no such token opens the connection.
    pub(super) fn no_token() -> Self {
        Self::new(StatusCode::NOT_FOUND, "inexistent_token", "The token does not exist.")
    }

    /// 404: the directory of the connection did not answer when it was last read.
    pub(super) fn offline() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "connection_offline",
            "The directory of the connection did not answer when it was last read.",
        )
    }

    /// 404: others have it, and this gateway not.
    pub(super) fn not_implemented(what: &str) -> Self {
        let message = format!("this gateway does not have {what}; docs/management-api.md says what it has");
        Self::new(StatusCode::NOT_FOUND, "not_implemented", message)
    }

    /// 400: it can't be done to this.
    pub(super) fn not_supported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "operation_not_supported", message)
    }

    /// 400: the path can't be read.
    pub(super) fn uri() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_uri", "the path holds bytes that are no text")
    }

    /// 404: nothing is served at this path.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
    }

    /// 503: it takes longer than an answer may, or came to no end.
    pub(super) fn later() -> Self {
        let message = "the server can't answer in time, ask again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", message).with(RETRY_AFTER, RETRY_SECONDS.to_string())
    }

    /// 404, the same for what never was and for another tenant's.
    pub(super) fn no_mapping() -> Self {
        Self::new(StatusCode::NOT_FOUND, "inexistent_mapping", "The mapping does not exist.")
    }

    /// The same of a run.
    pub(super) fn no_run() -> Self {
        Self::new(StatusCode::NOT_FOUND, "inexistent_run", "The run does not exist.")
    }

    /// 409: it is not, or not any more, as the caller takes it to be.
    pub(super) fn moved_on(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 404, the same for what never was and for another tenant's.
    pub(super) fn no_connection() -> Self {
        Self::new(StatusCode::NOT_FOUND, "inexistent_connection", "The connection does not exist.")
    }

    pub(super) fn method_not_allowed(methods: &[Method]) -> Self {
        let allow: Vec<&str> = methods.iter().map(Method::as_str).collect();
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has no such method")
            .with(ALLOW, allow.join(", "))
    }

    /// 403. Tools parse the message.
    pub(super) fn scope(any_of: &[&str]) -> Self {
        let message = format!("Insufficient scope, expected any of: {}", any_of.join(","));
        Self::new(StatusCode::FORBIDDEN, "insufficient_scope", message)
    }

    /// 401 for a token that opens SCIM and not this.
    pub(super) fn another_kind() -> Self {
        Self::from(AuthError::WrongKind)
    }

    pub(super) fn into_response(self) -> Response {
        let body = json!({
            "statusCode": self.status.as_u16(),
            "error": self.status.canonical_reason().unwrap_or("Error"),
            "message": self.message,
            "errorCode": self.code,
        });
        let mut response = json(self.status, &body);
        for (name, value) in self.headers {
            // Values are ours.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        let (status, message) = (error.status(), error.public_message());
        let code = match status {
            StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
            StatusCode::SERVICE_UNAVAILABLE => "service_unavailable",
            _ => "invalid_token",
        };
        let problem = Self::new(status, code, message);
        match error.retry_after_seconds() {
            Some(seconds) => problem.with(RETRY_AFTER, seconds.to_string()),
            None => problem.with(WWW_AUTHENTICATE, error.challenge()),
        }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let (status, code) = match error {
            BodyError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            BodyError::TimedOut => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            BodyError::Broken => (StatusCode::BAD_REQUEST, "invalid_body"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<registration::Error> for Problem {
    fn from(error: registration::Error) -> Self {
        match error {
            registration::Error::Wrong(wrong) => Self::member(wrong.field.as_str(), wrong.says),
            registration::Error::Taken { .. } => Self::taken(error.to_string()),
            registration::Error::Stale => store::Error::Stale.into(),
            registration::Error::Store(error) => error.into(),
        }
    }
}

impl From<crate::sync::Error> for Problem {
    fn from(error: crate::sync::Error) -> Self {
        use crate::sync::Error;
        match error {
            Error::Busy { .. } => Self::moved_on("run_under_way", error.to_string()),
            Error::Held { .. } | Error::Ended { .. } | Error::Stopped { .. } => {
                Self::moved_on("run_is_not_open", error.to_string())
            }
            Error::Setup(message) | Error::Directory(message) => Self::body(message),
            Error::Overtaken => store::Error::Stale.into(),
            Error::Store(error) => error.into(),
            Error::Provisioning(crate::provisioning::Error::Store(error)) => error.into(),
            Error::Provisioning(error) => Self::body(error.to_string()),
        }
    }
}

impl From<ConnectionError> for Problem {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Wrong { member, says } => Self::member(&member, says),
            ConnectionError::Taken { .. } | ConnectionError::InUse { .. } | ConnectionError::Sealed => {
                Self::taken(error.to_string())
            }
            ConnectionError::Stale => store::Error::Stale.into(),
            ConnectionError::Store(error) => error.into(),
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Stale | store::Error::Conflict | store::Error::Busy { .. } | store::Error::Unavailable { .. } => {
                tracing::warn!(%error, "the store could not answer");
                let later = "the server can't answer at the moment, ask again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", later)
                    .with(RETRY_AFTER, RETRY_SECONDS.to_string())
            }
            store::Error::Corrupt { .. } | store::Error::Statement { .. } | store::Error::Setup { .. } => {
                tracing::error!(%error, "internal error");
                let message = "an internal error, see the server's log under this request id";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
            }
        }
    }
}

/// The form of every refusal, for the description.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["statusCode", "error", "message", "errorCode"],
        "properties": {
            "statusCode": { "type": "integer" },
            "error": { "type": "string" },
            "message": { "type": "string" },
            "errorCode": { "type": "string" },
        },
    })
}

/// A JSON answer that no cache keeps.
pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
