//! `/users/{id}/identities…`: which accounts are one person (profile.md §8). The rules are `provisioning::manage::link`'s.

mod link;
mod undo;
mod unlink;

use super::Answer;
use super::call::Call;
use super::endpoint::{DRY_RUN, Endpoint, handler};
use super::problem::Problem;
use super::users::{find, planned, shown};
use crate::store::users_read;
use axum::http::Method;
use serde_json::{Map, Value, json};

const UPDATE: &str = "update:users";
const UPDATE_OWN: &str = "update:current_user_identities";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let all = "/users/{id}/identities";
    vec![
        Endpoint::new(Method::POST, all, "link_identities", &[UPDATE, UPDATE_OWN], handler!(link::link))
            .does("Makes another user part of this one: its `user_id` resolves no more, its identities are this one's")
            .with(&DRY_RUN)
            .takes(link::schema)
            .answers(200, "what would be done (`dry_run`)", planned::schema)
            .answers(201, "all identities of the user, the primary one first", list_schema)
            .refuses(409, "the identity is linked already"),
        Endpoint::new(
            Method::DELETE,
            "/users/{id}/identities/{provider}/{identity}",
            "unlink_identity",
            &[UPDATE, UPDATE_OWN],
            handler!(unlink::unlink, nobody),
        )
        .does("Makes an identity a user of its own again, without metadata")
        .with(&DRY_RUN)
        .answers(200, "the identities that are left, or what would be done (`dry_run`)", list_schema),
        Endpoint::new(Method::POST, "/users/{id}/identities/undo", "undo_link", &[UPDATE], handler!(undo::undo))
            .does("Undoes a link: the other user is there again as it was, with metadata and blocks")
            .with(&DRY_RUN)
            .takes(undo::schema)
            .answers(200, "the identities that are left, or what would be done (`dry_run`)", list_schema),
    ]
}

fn list_schema() -> Value {
    json!({ "oneOf": [{ "type": "array", "items": shown::identity_schema() }, planned::schema()] })
}

/// All identities of the user, the primary one first.
async fn left(call: &Call<'_>) -> Result<Value, Problem> {
    let user = find(call).await?;
    let identities = users_read::identities(&call.api.store, &call.tenant, &user.id).await?;
    Ok(identities.iter().map(|one| shown::identity(&user, one)).collect())
}

/// A text that has to be there.
fn text<'b>(body: &'b Map<String, Value>, name: &'static str) -> Result<Option<&'b str>, Problem> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() && !text.contains('\0') => Ok(Some(text)),
        Some(_) => Err(Problem::member(name, "Expected type string")),
    }
}

/// Refuses members that mean nothing here.
fn only(body: &Map<String, Value>, known: &[&str]) -> Result<(), Problem> {
    let unknown = body.keys().find(|name| !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(Problem::member(name, "Additional properties not allowed")))
}

fn answer(value: Value, created: bool) -> Answer {
    if created { Answer::created(value) } else { Answer::ok(value) }
}
