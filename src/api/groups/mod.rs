//! `/groups…` and `/users/{id}/groups`: the groups that connections push or that are read from directories, and who is in them. A group
//! is its source's: here it is only read.

mod list;
mod members;
mod of_user;
mod show;

use super::call::Call;
use super::endpoint::{CHECKPOINT, Endpoint, FIELDS, Kind, Parameter, handler};
use super::problem::Problem;
use crate::clock::rfc3339;
use crate::store::groups_read::{self, GroupRecord};
use axum::http::Method;
use serde_json::{Value, json};

const READ: &str = "read:groups";
const READ_MEMBERS: &str = "read:group_members";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, "/groups", "list_groups", &[READ], handler!(list::list, nobody))
            .does("Groups of all connections, or those that one parameter names")
            .with(&[
                Parameter::new("connection_id", Kind::Text, "of this connection"),
                Parameter::new("name", Kind::Text, "of this name, in any case"),
                Parameter::new("external_id", Kind::Text, "with this id at their source"),
                Parameter::new("search", Kind::Text, "whose name begins so, in any case"),
            ])
            .with(&CHECKPOINT)
            .with(&FIELDS)
            .answers(200, "in the order of their creation", list_schema),
        Endpoint::new(Method::GET, "/groups/{id}", "show_group", &[READ], handler!(show::show, nobody))
            .does("One group")
            .with(&FIELDS)
            .answers(200, "the group", schema),
        Endpoint::new(
            Method::GET,
            "/groups/{id}/members",
            "list_group_members",
            &[READ_MEMBERS],
            handler!(members::list, nobody),
        )
        .does("Who is in a group itself: users, and groups")
        .with(&CHECKPOINT)
        .answers(200, "users by their user_id, groups by their id", members_schema),
        Endpoint::new(Method::GET, "/users/{id}/groups", "list_user_groups", &[READ], handler!(of_user::list, nobody))
            .does("The groups a user is in, also by way of other groups; none while they are blocked")
            .with(&CHECKPOINT)
            .answers(200, "in the order of their creation", list_schema),
    ]
}

fn schema() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "properties": {
            "id": text, "name": text, "external_id": text, "connection_id": text, "connection": text, "tenant_name": text,
            "created_at": text, "updated_at": text, "app_metadata": { "type": "object" },
        },
    })
}

fn list_schema() -> Value {
    json!({
        "type": "object",
        "required": ["groups"],
        "properties": { "groups": { "type": "array", "items": schema() }, "next": { "type": "string" } },
    })
}

fn members_schema() -> Value {
    json!({
        "type": "object",
        "required": ["members"],
        "properties": { "members": { "type": "array", "items": { "type": "object" } }, "next": { "type": "string" } },
    })
}

/// The group that the path names.
async fn find(call: &Call<'_>) -> Result<GroupRecord, Problem> {
    let found = groups_read::find(&call.api.store, &call.tenant, call.id_after("groups")).await?;
    found.ok_or_else(Problem::no_group)
}

fn shown(call: &Call<'_>, group: &GroupRecord) -> Value {
    let mapped = group.mapped.get("name").and_then(Value::as_str);
    let mut shown = json!({
        "id": group.id,
        "name": mapped.unwrap_or(&group.name),
        "connection_id": group.connection_id,
        "connection": group.connection,
        "tenant_name": call.tenant,
        "created_at": rfc3339(group.created_at),
        "updated_at": rfc3339(group.updated_at),
    });
    if let Some(external_id) = &group.external_id {
        shown["external_id"] = external_id.as_str().into();
    }
    let metadata = group.mapped.as_object().into_iter().flatten();
    let metadata = metadata.filter_map(|(name, value)| Some((name.strip_prefix("app_metadata.")?.to_owned(), value.clone())));
    let metadata: serde_json::Map<String, Value> = metadata.collect();
    if !metadata.is_empty() {
        shown["app_metadata"] = Value::Object(metadata);
    }
    shown
}
