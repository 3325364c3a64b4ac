//! `/logs` and `/users/{id}/logs`: who did what with which outcome. In two ways: after an entry, in the order in which entries became
//! visible and without end, for whoever copies them; and searched, the newest first, for people. Refuses to walk further than a
//! search may cost.

mod list;
mod of_user;
mod search;
mod show;
pub(in crate::api) mod shown;

use super::endpoint::{Endpoint, FIELDS, Kind, OFFSET, Parameter, handler};
use axum::http::Method;
use serde_json::{Value, json};

const READ: &str = "read:logs";
const READ_OF_USERS: &str = "read:logs_users";

pub(super) fn endpoints() -> Vec<Endpoint> {
    const SORT: Parameter = Parameter::new("sort", Kind::OneOf(&["date:-1", "date:1"]), "the newest first, or the oldest");
    const SEARCH: [Parameter; 4] = [
        Parameter::new("q", Kind::Text, "clauses like type:\"fp\" AND connection:\"acme\""),
        Parameter::new("search", Kind::Text, "the same"),
        Parameter::new(
            "from",
            Kind::Text,
            "a log_id: the entries after it, the oldest first; everything but `take` is ignored then",
        ),
        Parameter::new("take", Kind::Whole { least: 1, most: 100 }, "entries of a part by `from`, 50 if nothing is said"),
    ];
    vec![
        Endpoint::new(Method::GET, "/logs", "list_logs", &[READ], handler!(list::list, nobody))
            .does("What happened: after an entry without end, or searched")
            .with(&OFFSET)
            .with(&[SORT])
            .with(&SEARCH)
            .with(&FIELDS)
            .answers(200, "the entries; by `from` with a Link to what follows them", listed),
        Endpoint::new(Method::GET, "/logs/{id}", "show_log", &[READ], handler!(show::show, nobody)).does("One entry").answers(
            200,
            "the entry",
            entry,
        ),
        Endpoint::new(Method::GET, "/users/{id}/logs", "list_user_logs", &[READ, READ_OF_USERS], handler!(of_user::list, nobody))
            .does("What happened to a person, the newest first")
            .with(&OFFSET)
            .with(&[SORT])
            .with(&FIELDS)
            .answers(200, "the entries", listed),
    ]
}

fn entry() -> Value {
    json!({
        "type": "object",
        "properties": {
            "log_id": { "type": "string" },
            "date": { "type": "string", "format": "date-time" },
            "type": { "type": "string" },
            "description": { "type": "string" },
            "user_id": { "type": "string" },
            "connection_id": { "type": "string" },
            "client_id": { "type": "string" },
            "ip": { "type": "string" },
            "details": { "type": "object" },
        },
    })
}

/// Entries alone, or with how many there are.
fn listed() -> Value {
    let entries = json!({ "type": "array", "items": entry() });
    json!({ "oneOf": [entries, { "type": "object", "required": ["start", "limit", "length", "total", "logs"], "properties": { "logs": entries } }] })
}
