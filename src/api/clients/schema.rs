//! What goes in and comes out, for the description.

use serde_json::{Value, json};

pub(super) fn client() -> Value {
    json!({ "type": "object", "properties": { "client_id": { "type": "string" }, "name": { "type": "string" } } })
}

pub(super) fn list() -> Value {
    json!({
        "oneOf": [
            { "type": "array", "items": client() },
            { "type": "object", "required": ["clients"], "properties": { "clients": { "type": "array", "items": client() } } },
        ],
    })
}

pub(super) fn plan() -> Value {
    json!({ "type": "object" })
}

pub(super) fn new() -> Value {
    json!({ "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } })
}

pub(super) fn wanted() -> Value {
    json!({ "type": "object" })
}

pub(super) fn rotate() -> Value {
    json!({ "type": "object", "properties": { "overlap_seconds": { "type": "integer", "minimum": 0 } } })
}
