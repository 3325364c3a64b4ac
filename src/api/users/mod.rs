//! `/users/…` and `/users-by-email`: people as applications know them, read. What is shown of one is [`shown`]'s to say.

mod by_email;
mod list;
mod show;
pub mod shown;

use super::call::Call;
use super::endpoint::{CHECKPOINT, Endpoint, FIELDS, Kind, OFFSET, Parameter, handler};
use super::page::with_fields;
use super::problem::Problem;
use crate::store::users_read::{self, UserRecord};
use axum::http::Method;
use serde_json::{Value, json};

const READ: &str = "read:users";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, "/users", "list_users", &[READ], handler!(list::list, nobody))
            .does("Everybody, or those a search finds, in the order of their creation or another")
            .with(&[
                Parameter::new("q", Kind::Text, "a search: docs/management-api.md has its fields and operators"),
                Parameter::new("search_engine", Kind::OneOf(&["v3"]), "the only one there is"),
                Parameter::new("connection", Kind::Text, "only who has an identity at the connection of this name"),
                Parameter::new("sort", Kind::Text, "a field and `:1` or `:-1`; whoever lacks the field is first, or last"),
            ])
            .with(&OFFSET)
            .with(&CHECKPOINT)
            .with(&FIELDS)
            .answers(200, "a bare array, or an object with totals or a checkpoint", page_schema),
        Endpoint::new(Method::GET, "/users/{id}", "show_user", &[READ], handler!(show::show, nobody))
            .does("One user, as they are now")
            .with(&FIELDS)
            .answers(200, "the user", shown::schema),
        Endpoint::new(Method::GET, "/users-by-email", "list_users_by_email", &[READ], handler!(by_email::list, nobody))
            .does("Users with an address, however it is spelled")
            .with(&[Parameter::new("email", Kind::Text, "the whole address").required()])
            .with(&FIELDS)
            .answers(200, "at most 100 users, in the order of their creation", list_schema),
    ]
}

fn page_schema() -> Value {
    let users = list_schema();
    json!({
        "anyOf": [
            users,
            {
                "type": "object",
                "required": ["users"],
                "properties": {
                    "users": users,
                    "start": { "type": "integer" },
                    "limit": { "type": "integer" },
                    "length": { "type": "integer" },
                    "total": { "type": "integer" },
                    "next": { "type": "string" },
                },
            },
        ],
    })
}

fn list_schema() -> Value {
    json!({ "type": "array", "items": shown::schema() })
}

/// The user that the path names by their `user_id`. Who is a secondary of somebody has none of their own.
pub(super) async fn find(call: &Call<'_>) -> Result<UserRecord, Problem> {
    let id = call.id_after("users");
    users_read::find_by_user_id(&call.api.store, &call.tenant, id).await?.ok_or_else(Problem::no_user)
}

/// One user as the caller wants to see them.
pub(super) async fn shown_one(call: &Call<'_>, user: &UserRecord) -> Result<Value, Problem> {
    let identities = users_read::identities(&call.api.store, &call.tenant, &user.id).await?;
    with_fields(call, shown::user(user, &identities))
}

/// Several, in their order.
async fn shown_all(call: &Call<'_>, users: &[UserRecord]) -> Result<Vec<Value>, Problem> {
    let ids: Vec<_> = users.iter().map(|user| user.id.clone()).collect();
    let mut identities = users_read::identities_of(&call.api.store, &call.tenant, &ids).await?;
    let shown = users.iter().map(|user| with_fields(call, shown::user(user, &identities.remove(&user.id).unwrap_or_default())));
    shown.collect()
}
