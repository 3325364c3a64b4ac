//! `/conflicts`: the inbox. What is in it, what may be decided of each, what a decision comes to, and the decision. Answers by
//! [`crate::provisioning::inbox`], as the command line does.

mod list;
mod resolve;
mod show;

use super::call::Call;
use super::endpoint::{CHECKPOINT, DRY_RUN, Endpoint, Kind, Parameter, handler};
use super::problem::Problem;
use crate::model::conflict::{ConflictKind, ConflictState, Resolution};
use crate::provisioning::inbox::{self, Item};
use crate::store::conflicts;
use axum::http::Method;
use serde_json::{Value, json};

const READ: &str = "read:conflicts";
const UPDATE: &str = "update:conflicts";

pub(super) fn endpoints() -> Vec<Endpoint> {
    const STATE: Parameter = Parameter::new("state", Kind::OneOf(&ConflictState::WORDS), "open, if nothing is said");
    const KIND: Parameter = Parameter::new("kind", Kind::OneOf(&ConflictKind::WORDS), "only of this kind");
    const CONNECTION: Parameter = Parameter::new("connection", Kind::Text, "only of the connection of this name");
    const CONNECTION_ID: Parameter = Parameter::new("connection_id", Kind::Text, "only of this connection");
    vec![
        Endpoint::new(Method::GET, "/conflicts", "list_conflicts", &[READ], handler!(list::list, nobody))
            .does("What waits for a person's decision")
            .with(&CHECKPOINT)
            .with(&[STATE, KIND, CONNECTION, CONNECTION_ID])
            .answers(200, "in the order in which they came up", listed),
        Endpoint::new(Method::GET, "/conflicts/{id}", "show_conflict", &[READ], handler!(show::show, nobody))
            .does("One, with what each decision would come to")
            .answers(200, "the conflict", entry),
        Endpoint::new(Method::POST, "/conflicts/{id}/resolve", "resolve_conflict", &[UPDATE], handler!(resolve::resolve))
            .does("Decides; with dry_run only says what the decision comes to")
            .with(&DRY_RUN)
            .takes(wanted)
            .answers(200, "the conflict and the plan that was, or would be, carried out", entry)
            .refuses(409, "it was decided already, or says something else by now"),
    ]
}

fn wanted() -> Value {
    json!({ "type": "object", "required": ["action"], "additionalProperties": false,
        "properties": { "action": { "type": "string", "enum": Resolution::WORDS } } })
}

fn entry() -> Value {
    json!({
        "type": "object",
        "required": ["conflict_id", "kind", "state", "connection_id", "subject", "reason", "proposal", "actions"],
        "properties": {
            "conflict_id": { "type": "string" },
            "kind": { "type": "string", "enum": ConflictKind::WORDS },
            "state": { "type": "string", "enum": ConflictState::WORDS },
            "actions": { "type": "array", "items": { "type": "string" } },
            "preview": { "type": "array", "items": { "type": "object" } },
            "plan": { "type": "object" },
        },
    })
}

fn listed() -> Value {
    json!({ "type": "object", "required": ["conflicts"], "properties": {
        "conflicts": { "type": "array", "items": entry() }, "next": { "type": "string" } } })
}

/// The one that the path names.
async fn item(call: &Call<'_>) -> Result<Item, Problem> {
    let (store, tenant) = (&call.api.store, &call.tenant);
    let row = conflicts::find(store, tenant, call.id_after("conflicts")).await?.ok_or_else(Problem::no_conflict)?;
    inbox::load(store, row, tenant).await?.ok_or_else(Problem::no_conflict)
}
