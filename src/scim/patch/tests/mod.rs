//! What a PATCH does, as tables: `matrix` by operation and target (RFC 7644 §3.5.2), `clients` by what is really sent,
//! `rules` for what goes across operations, `properties` for what holds for any request.

mod clients;
mod matrix;
mod properties;
mod rules;

use super::*;
use crate::scim::resource::{MemberKind, MemberRef};
use crate::scim::schema::{ENTERPRISE_URN, GROUP_URN, PATCH_URN, USER_URN, registry};
use serde_json::json;

const STRICT: Mode = Mode { strict: true };
const COMPAT: Mode = Mode { strict: false };
const USER_ID: &str = "user-1";
/// The default of `scim.patch_operations_max`.
const OPERATIONS_MAX: usize = 1_000;

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The user that most operations here meet.
fn barbara() -> Map<String, Value> {
    object(json!({
        "schemas": [USER_URN, ENTERPRISE_URN],
        "userName": "bjensen",
        "title": "Guide",
        "active": true,
        "name": {"givenName": "Barbara", "familyName": "Jensen"},
        "emails": [{"value": "w@x", "type": "work", "primary": true}, {"value": "h@x", "type": "home"}],
        ENTERPRISE_URN: {"department": "Tours", "manager": {"value": "m1", "$ref": "../Users/m1"}},
    }))
}

fn tour_guides() -> Map<String, Value> {
    object(json!({"schemas": [GROUP_URN], "displayName": "Tour Guides"}))
}

fn message(operations: Value) -> Value {
    json!({"schemas": [PATCH_URN], "Operations": operations})
}

fn patch_user(current: &Map<String, Value>, operations: Value, mode: Mode) -> Result<Patched, ScimError> {
    apply(&registry().user, current, message(operations), USER_ID, mode, OPERATIONS_MAX)
}

/// The user after the operations.
fn patched(current: &Map<String, Value>, operations: Value, mode: Mode) -> Map<String, Value> {
    let shown = operations.to_string();
    patch_user(current, operations, mode).unwrap_or_else(|error| panic!("{shown}: {error}")).document
}

fn refusal(current: &Map<String, Value>, operations: Value, mode: Mode) -> ScimType {
    let shown = operations.to_string();
    match patch_user(current, operations, mode) {
        Ok(patched) => panic!("{shown} was applied: {:?}", patched.document),
        Err(error) => error.scim_type.unwrap(),
    }
}

fn patch_group(operations: Value, mode: Mode) -> Result<Patched, ScimError> {
    apply(&registry().group, &tour_guides(), message(operations), "group-1", mode, OPERATIONS_MAX)
}

fn member_ops(operations: Value, mode: Mode) -> Vec<MemberOp> {
    let shown = operations.to_string();
    let patched = patch_group(operations, mode).unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert!(!patched.changed, "members are rows, not part of the document");
    assert!(!patched.document.contains_key("members"));
    patched.members
}

fn group_refusal(operations: Value, mode: Mode) -> ScimType {
    patch_group(operations, mode).unwrap_err().scim_type.unwrap()
}

fn member(id: &str) -> MemberRef {
    MemberRef { id: id.into(), kind: None }
}
