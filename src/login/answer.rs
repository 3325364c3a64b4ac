//! The refusals, each with its one form: `{statusCode, error, message, errorCode}` as JSON, or a page where a browser shows it to
//! somebody.

use super::request_id;
use super::told::Own;
use crate::clock::Entropy;
use crate::http::body::BodyError;
use crate::http::page::Page;
use crate::store;
use axum::http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERER, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rosterd_saml::write::html;
use serde_json::{Value, json};

/// Seconds after which a directory or a store that could not answer is asked again.
const RETRY_SECONDS: u64 = 5;

/// Why a request is not served.
#[derive(Debug)]
pub(super) enum Refused {
    /// Whatever the reason.
    InvalidCredentials,
    /// Nobody is signed in.
    NotSignedIn,
    TooManyFailures {
        retry_after_seconds: u64,
    },
    /// The directory or the store can't tell: nothing is said of the person.
    Unavailable,
    /// Its options make no sense together, or its mapping does not run: for the administrator.
    Misconfigured,
    Internal,
    NoConnection,
    /// Of a kind without passwords.
    NoPasswords,
    CrossOrigin,
    /// The request is not what it should be: the field and what is wanted of it.
    Request {
        code: &'static str,
        message: String,
    },
    MediaType,
    Body(BodyError),
    MethodNotAllowed {
        allow: &'static str,
    },
}

impl Refused {
    pub(super) fn request(code: &'static str, message: impl Into<String>) -> Self {
        Self::Request { code, message: message.into() }
    }

    pub(super) fn parts(&self) -> (StatusCode, &'static str, &str) {
        match self {
            Self::InvalidCredentials => {
                (StatusCode::UNAUTHORIZED, "invalid_credentials", "user name and password do not open an account here")
            }
            Self::NotSignedIn => (StatusCode::UNAUTHORIZED, "login_required", "nobody is signed in"),
            Self::TooManyFailures { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "too many logins failed, try again later")
            }
            Self::Unavailable | Self::Misconfigured => {
                (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", "logins can't be checked at the moment, try again later")
            }
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal_error",
                "an internal error, see the server's log under this request id",
            ),
            Self::NoConnection => (StatusCode::NOT_FOUND, "inexistent_connection", "The connection does not exist."),
            Self::NoPasswords => {
                (StatusCode::NOT_FOUND, "no_password_login", "nobody signs in with a password through this connection")
            }
            Self::CrossOrigin => {
                (StatusCode::FORBIDDEN, "cross_origin", "another site's page may not do this; it has to come from this address")
            }
            Self::Request { code, message } => (StatusCode::BAD_REQUEST, code, message),
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body must be application/x-www-form-urlencoded or application/json",
            ),
            Self::Body(BodyError::TooLarge { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too large"),
            Self::Body(BodyError::TimedOut) => (StatusCode::REQUEST_TIMEOUT, "timed_out", "the body did not arrive in time"),
            Self::Body(BodyError::Broken) => (StatusCode::BAD_REQUEST, "invalid_body", "the body ended early"),
            Self::MethodNotAllowed { .. } => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has no such method")
            }
        }
    }

    pub(super) fn into_response(self) -> Response {
        let (status, code, message) = self.parts();
        let reason = status.canonical_reason().unwrap_or("Error");
        let body = json!({ "statusCode": status.as_u16(), "error": reason, "message": message, "errorCode": code });
        self.with_headers(json(status, &body))
    }

    /// The same for a person in front of a browser, who may go back to our page that they came from.
    pub(super) fn into_page(self, parts: &Parts, public_url: &str, own: &Own, entropy: &Entropy) -> Response {
        let (status, code, message) = self.parts();
        let mut text = message.to_owned();
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        if !text.ends_with('.') {
            text.push('.');
        }
        let again = came_from(parts, public_url).map_or(String::new(), |address| {
            format!("<ul><li><a class=\"way\" href=\"{}\">Try again</a></li></ul>", html(address))
        });
        let reference = Some((code, request_id(parts)));
        let page = Page { title: "Sign-in did not work", text: &text, reference, form: &again };
        self.with_headers(page.dressed(own.dress(), status, entropy))
    }

    fn with_headers(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        match self {
            Self::TooManyFailures { retry_after_seconds } => _ = headers.insert(RETRY_AFTER, retry_after_seconds.into()),
            Self::Unavailable | Self::Misconfigured => _ = headers.insert(RETRY_AFTER, RETRY_SECONDS.into()),
            Self::MethodNotAllowed { allow } => _ = headers.insert(ALLOW, HeaderValue::from_static(allow)),
            // A 401 names a way in (RFC 9110 §11.6.1); a browser knows none of this name and asks for nothing.
            Self::InvalidCredentials | Self::NotSignedIn => {
                _ = headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Session realm=\"rosterd\""));
            }
            _ => {}
        }
        response
    }
}

/// Whether a browser goes to a page with this request, and shows what is answered.
pub(super) fn is_for_a_person(parts: &Parts) -> bool {
    parts.headers.get(ACCEPT).and_then(|kinds| kinds.to_str().ok()).is_some_and(|kinds| kinds.contains("text/html"))
}

/// The page of ours with the form that was sent: an application's request, with all that it asks for.
fn came_from<'a>(parts: &'a Parts, public_url: &str) -> Option<&'a str> {
    let page = parts.headers.get(REFERER)?.to_str().ok()?;
    let path = page.strip_prefix(public_url.trim_end_matches('/'))?;
    path.starts_with("/authorize?").then_some(page)
}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Stale | store::Error::Conflict | store::Error::Busy { .. } | store::Error::Unavailable { .. } => {
                tracing::warn!(%error, "the store could not answer");
                Self::Unavailable
            }
            store::Error::Corrupt { .. } | store::Error::Statement { .. } | store::Error::Setup { .. } => {
                tracing::error!(%error, "internal error");
                Self::Internal
            }
        }
    }
}

/// Somewhere else, at once; `address` was checked.
pub(super) fn goes_to(address: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(address) = HeaderValue::from_str(address) {
        response.headers_mut().insert(LOCATION, address);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A JSON answer that no cache keeps.
pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
