//! What goes in and comes out, for the description.

use serde_json::{Value, json};

pub(in crate::api) fn run() -> Value {
    json!({
        "type": "object",
        "required": ["run_id", "connection_id", "kind", "state", "summary", "created_at", "updated_at"],
        "properties": {
            "run_id": { "type": "string" },
            "connection_id": { "type": "string" },
            "kind": { "type": "string" },
            "state": { "type": "string" },
            "summary": { "type": "object" },
            "list_hash": { "type": ["string", "null"] },
            "created_at": { "type": "string" },
            "updated_at": { "type": "string" },
            "finished_at": { "type": ["string", "null"] },
        },
    })
}

pub(super) fn list() -> Value {
    json!({
        "type": "object",
        "required": ["runs"],
        "properties": { "runs": { "type": "array", "items": run() }, "next": { "type": "string" } },
    })
}

pub(super) fn items() -> Value {
    let item = json!({ "type": "object", "properties": { "action": { "type": "string" }, "subject": { "type": "string" } } });
    json!({
        "type": "object",
        "required": ["items"],
        "properties": { "items": { "type": "array", "items": item }, "next": { "type": "string" } },
    })
}

pub(super) fn confirmation() -> Value {
    json!({ "type": "object", "required": ["list_hash"], "properties": { "list_hash": { "type": "string" } } })
}

pub(super) fn undone() -> Value {
    json!({ "type": "object", "required": ["undoes", "changes", "restored", "kept"] })
}
