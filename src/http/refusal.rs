//! The answer to a request that is turned away before an edge sees it: as a SCIM error under `/scim` (RFC 7644
//! §3.12), else in the management API's shape.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An answer in the form that clients of `path` expect; `retry_after_seconds` becomes a header.
pub fn refuse(path: &str, status: StatusCode, detail: &str, retry_after_seconds: Option<u64>) -> Response {
    let (kind, body) = if path.starts_with("/scim/") {
        let error = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": status.as_str(),
            "detail": detail,
        });
        ("application/scim+json", error)
    } else {
        let reason = status.canonical_reason().unwrap_or("Error");
        let code = detail_code(status);
        ("application/json", json!({ "statusCode": status.as_u16(), "error": reason, "message": detail, "errorCode": code }))
    };
    let mut response = (status, body.to_string()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(seconds) = retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn detail_code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
        StatusCode::SERVICE_UNAVAILABLE => "service_unavailable",
        StatusCode::INTERNAL_SERVER_ERROR => "internal_error",
        _ => "refused",
    }
}
