//! One write of one user or group. A request of its own and an operation of a bulk request both come here, so that the
//! same scope, condition and rule meets either.

use super::answer::{Answer, Refused};
use super::conditions::Conditions;
use super::route::Resources;
use super::{Call, groups, users};
use crate::model::access::Principal;
use crate::scim::error::ScimError;
use crate::traffic::Cause;
use axum::http::Method;
use serde_json::Value;

/// What is to be done to what.
pub(super) struct Operation {
    /// The id of the resource; `None`: a POST to the collection.
    pub id: Option<String>,
    pub resources: Resources,
    pub conditions: Conditions,
    /// The body; null where there is none.
    pub sent: Value,
}

/// Carries it out: POST creates, PUT, PATCH and DELETE change (the method is the call's), anything else reads.
///
/// What changes something is put on the heap: it is twice as large as what reads, which would be as large as it otherwise.
///
/// # Errors
/// 428 where the connection wants an `If-Match` and there is none; then whatever the resource's own function refuses.
pub(super) async fn operate(call: &Call<'_>, operation: Operation) -> Result<Answer, Refused> {
    let Operation { id, resources, conditions, sent } = operation;
    let Some(id) = id else {
        return match resources {
            Resources::Users => Box::pin(users::create(call, sent)).await,
            Resources::Groups => Box::pin(groups::create(call, sent)).await,
        };
    };
    if call.connection.options.require_if_match && has_to_match(&call.method) && !conditions.names_version() {
        let detail = "this connection takes changes with If-Match only (in /Bulk: version); read the resource for its version";
        return Err(ScimError::status(428, detail).into());
    }
    match resources {
        Resources::Users => users::one(call, &id, &conditions, sent).await,
        Resources::Groups => groups::one(call, &id, &conditions, sent).await,
    }
}

fn has_to_match(method: &Method) -> bool {
    matches!(*method, Method::PUT | Method::PATCH | Method::DELETE)
}

/// 403 unless the token's scopes hold `{method}:{users|groups}` for each of `resources`.
pub(super) fn permitted(principal: &Principal, method: &Method, resources: &[Resources]) -> Result<(), Refused> {
    let method = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_ascii_lowercase() };
    for each in resources {
        let scope = format!("{method}:{}", each.segment().to_ascii_lowercase());
        if !principal.allows(&scope) {
            let refused = Refused::from(ScimError::status(403, format!("the token has no scope {scope}")));
            return Err(refused.because(Cause::ScopeMissing));
        }
    }
    Ok(())
}
