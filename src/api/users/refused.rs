//! Why a person is not changed, as clients of such an API know it.

use crate::api::problem::Problem;
use crate::provisioning::manage::members::Wrong;
use crate::provisioning::manage::{Error, Refused};
use axum::http::StatusCode;

/// 400: the first thing that is wrong; more than one is counted.
pub(in crate::api) fn members(wrong: &[Wrong]) -> Problem {
    let first = wrong.first().map(ToString::to_string).unwrap_or_default();
    let more = wrong.len().saturating_sub(1);
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    Problem::body(format!("Payload validation error: {first}{more}"))
}

/// 400: the body names a connection that is not there, or another tenant's.
pub(in crate::api) fn no_such_connection(name: &str) -> Problem {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(128).collect();
    Problem::new(StatusCode::BAD_REQUEST, "inexistent_connection", format!("The connection does not exist: {shown}"))
}

pub(in crate::api) fn problem(error: Error) -> Problem {
    let refused = match error {
        Error::Refused(refused) => refused,
        Error::Store(error) => return error.into(),
        Error::Mapping { name, reason } => {
            tracing::error!(mapping = name, reason, "a mapping can't run");
            let message = format!("the mapping `{name}` can't run: an administrator has to mend it");
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", message);
        }
    };
    let (status, code) = match &refused {
        Refused::NotFound => return Problem::no_user(),
        Refused::VersionMismatch => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
        Refused::Exists { .. } | Refused::Erased => (StatusCode::CONFLICT, "auth0_idp_error"),
        Refused::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
        Refused::NoDatabase { .. } | Refused::OfDatabase { .. } | Refused::Owned { .. } | Refused::PrimaryStays => {
            (StatusCode::BAD_REQUEST, "operation_not_supported")
        }
        Refused::NoIdentity { .. } => (StatusCode::BAD_REQUEST, "inexistent_connection"),
        Refused::Itself | Refused::TooManyIdentities { .. } | Refused::OtherOrganization => {
            (StatusCode::BAD_REQUEST, "invalid_body")
        }
        Refused::NoSecondary => (StatusCode::BAD_REQUEST, "inexistent_user"),
        Refused::AlreadyLinked => (StatusCode::CONFLICT, "identity_already_linked"),
        Refused::NotLinked => (StatusCode::NOT_FOUND, "inexistent_identity"),
        Refused::NothingToUndo => (StatusCode::NOT_FOUND, "inexistent_link"),
    };
    Problem::new(status, code, refused.to_string())
}
