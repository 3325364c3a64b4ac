//! `/users/…` and `/users-by-email`: people as applications know them, read. What is shown of one is [`shown`]'s to say.

mod body;
mod by_email;
mod create;
mod delete;
mod erase;
mod list;
pub(super) mod planned;
pub(super) mod refused;
mod show;
pub mod shown;
mod update;

use super::Answer;
use super::call::Call;
use super::endpoint::{CHECKPOINT, DRY_RUN, Endpoint, FIELDS, Kind, OFFSET, Parameter, handler};
use super::page::with_fields;
use super::problem::Problem;
use crate::model::identity::Identity;
use crate::provisioning::manage::By;
use crate::provisioning::manage::Members;
use crate::provisioning::manage::write::Asked;
use crate::secret::Secret;
use crate::store::Batch;
use crate::store::audit::Audit;
use crate::store::users_read::{self, UserRecord};
use axum::http::header::ETAG;
use axum::http::{HeaderValue, Method};
use serde_json::{Value, json};

const READ: &str = "read:users";
const READ_OWN: &str = "read:current_user";
const CREATE: &str = "create:users";
const UPDATE: &str = "update:users";
const UPDATE_APP_METADATA: &str = "update:users_app_metadata";
const UPDATE_OWN: &str = "update:current_user_metadata";
const DELETE: &str = "delete:users";
const ERASE: &str = "erase:users";

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
        Endpoint::new(Method::GET, "/users/{id}", "show_user", &[READ, READ_OWN], handler!(show::show, nobody))
            .does("One user, as they are now")
            .with(&FIELDS)
            .answers(200, "the user", shown::schema),
        Endpoint::new(Method::GET, "/users-by-email", "list_users_by_email", &[READ], handler!(by_email::list, nobody))
            .does("Users with an address, however it is spelled")
            .with(&[Parameter::new("email", Kind::Text, "the whole address").required()])
            .with(&FIELDS)
            .answers(200, "at most 100 users, in the order of their creation", list_schema),
        Endpoint::new(Method::POST, "/users", "create_user", &[CREATE], handler!(create::create))
            .does("A new person of a database connection")
            .with(&DRY_RUN)
            .takes(body::new)
            .answers(200, "what would be done (`dry_run`)", planned::schema)
            .answers(201, "the user", shown::schema)
            .refuses(409, "the user already exists")
            .refuses(413, "the profile would be too large"),
        Endpoint::new(
            Method::PATCH,
            "/users/{id}",
            "update_user",
            &[UPDATE, UPDATE_APP_METADATA, UPDATE_OWN],
            handler!(update::update),
        )
        .does("Changes what is mentioned, under the policy of the connection that owns it")
        .with(&DRY_RUN)
        .takes(body::edit)
        .takes_as("application/merge-patch+json", body::edit)
        .answers(200, "the user, or what would be done (`dry_run`)", shown_or_planned)
        .refuses(409, "somebody of the connection has it")
        .refuses(412, "If-Match names another version")
        .refuses(413, "the profile would be too large"),
        Endpoint::new(Method::DELETE, "/users/{id}", "delete_user", &[DELETE], handler!(delete::delete, nobody))
            .does("Takes the person away with every identity; their source may bring them again, as somebody new")
            .with(&DRY_RUN)
            .answers(200, "what would be done (`dry_run`)", planned::schema)
            .answers_nothing(204, "they are gone, or never were")
            .refuses(412, "If-Match names another version"),
        Endpoint::new(Method::POST, "/users/{id}/erasure", "erase_user", &[ERASE], handler!(erase::erase, nobody))
            .does("Takes the person away with all that names them; no source brings them back")
            .with(&DRY_RUN)
            .answers(200, "what would go (`dry_run`)", erase::schema)
            .answers(202, "the proof", erase::schema),
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

fn shown_or_planned() -> Value {
    json!({ "oneOf": [shown::schema(), planned::schema()] })
}

/// Who asks the roster for a change.
pub(super) fn asked<'a>(call: &'a Call<'_>, audit: &'a Audit, by: By, dry_run: bool) -> Asked<'a> {
    Asked { tenant: &call.tenant, actor: &audit.actor, request_id: &audit.request_id, by, dry_run }
}

/// The whole user, with the version for the next change.
async fn whole(call: &Call<'_>, user_id: &str) -> Result<Answer, Problem> {
    let found = users_read::find_by_user_id(&call.api.store, &call.tenant, user_id).await?;
    let user = found.ok_or_else(Problem::no_user)?;
    Ok(Answer::ok(shown_one(call, &user).await?).with_header(ETAG, tag(user.version)))
}

fn tag(version: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).expect("a number between quotes")
}

/// The user that the path names by their `user_id`. Who is a secondary of somebody has none of their own.
pub(super) async fn find(call: &Call<'_>) -> Result<UserRecord, Problem> {
    let id = call.id_after("users");
    users_read::find_by_user_id(&call.api.store, &call.tenant, id).await?.ok_or_else(Problem::no_user)
}

/// One user as the caller wants to see them.
pub(super) async fn shown_one(call: &Call<'_>, user: &UserRecord) -> Result<Value, Problem> {
    let identities = users_read::identities(&call.api.store, &call.tenant, &user.id).await?;
    let mut shown = shown::user(user, &identities);
    if let (true, Some(members)) = (call.is_person(), shown.as_object_mut()) {
        // What is kept of people for others is not theirs to see.
        members.shift_remove("app_metadata");
    }
    with_fields(call, shown)
}

/// Several, in their order.
async fn shown_all(call: &Call<'_>, users: &[UserRecord]) -> Result<Vec<Value>, Problem> {
    let ids: Vec<_> = users.iter().map(|user| user.id.clone()).collect();
    let mut identities = users_read::identities_of(&call.api.store, &call.tenant, &ids).await?;
    let shown = users.iter().map(|user| with_fields(call, shown::user(user, &identities.remove(&user.id).unwrap_or_default())));
    shown.collect()
}

/// What opens a login with `password` from now on, made before anything else is done: it takes long by design.
async fn password(_call: &Call<'_>, said: &Members) -> Result<Option<Secret<String>>, Problem> {
    match said.password {
        None => Ok(None),
        Some(_) => Err(Problem::body("Payload validation error: 'Passwords are not kept yet' on property password")),
    }
}

/// Stores it with the change.
fn besides<'b>(
    _call: &'b Call<'_>,
    _audit: &'b Audit,
    _hash: Option<&'b Secret<String>>,
) -> impl Fn(&Identity, &mut Batch) + Send + Sync + 'b {
    |_, _| {}
}
