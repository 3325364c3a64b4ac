//! What comes out, for the description.

use crate::model::event::EVENT_TYPES;
use serde_json::{Value, json};

fn event() -> Value {
    json!({
        "type": "object",
        "required": ["specversion", "type", "source", "id", "time", "subject", "data"],
        "properties": {
            "specversion": { "type": "string", "const": "1.0" },
            "type": { "type": "string", "enum": EVENT_TYPES },
            "source": { "type": "string" },
            "id": { "type": "string" },
            "time": { "type": "string", "format": "date-time" },
            "subject": { "type": "string" },
            "datacontenttype": { "type": "string" },
            "data": {
                "type": "object",
                "required": ["object", "changed", "context"],
                "properties": {
                    "object": { "type": "object" },
                    "previous_object": { "type": "object" },
                    "changed": { "type": "array", "items": { "type": "string" } },
                    "context": { "type": "object" },
                },
            },
        },
    })
}

pub(super) fn part() -> Value {
    json!({
        "type": "object",
        "required": ["events", "next", "more"],
        "properties": {
            "events": { "type": "array", "items": event() },
            "next": { "type": "string" },
            "more": { "type": "boolean" },
        },
    })
}

pub(super) fn stream() -> Value {
    json!({ "type": "string" })
}
