//! What goes in and comes out, for the description.

use crate::model::event::EVENT_TYPES;
use serde_json::{Value, json};

fn types() -> Value {
    json!({ "type": "array", "items": { "type": "string", "enum": EVENT_TYPES } })
}

pub(super) fn webhook() -> Value {
    let (text, instant) = (json!({ "type": ["string", "null"] }), json!({ "type": ["string", "null"], "format": "date-time" }));
    let number = json!({ "type": "integer", "minimum": 0 });
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" },
            "url": { "type": "string" },
            "description": { "type": "string" },
            "types": types(),
            "enabled": { "type": "boolean" },
            "allow_plaintext": { "type": "boolean" },
            "disabled_because": { "type": "string" },
            "secret": { "type": "string" },
            "former_secret_until": { "type": "string", "format": "date-time" },
            "created_at": { "type": "string", "format": "date-time" },
            "updated_at": { "type": "string", "format": "date-time" },
            "delivered_at": instant,
            "failed_at": instant,
            "failures": number,
            "paused_until": instant,
            "last_error": text,
            "unread": number,
            "waiting": number,
            "dead": number,
        },
    })
}

pub(super) fn list() -> Value {
    json!({
        "type": "object",
        "required": ["webhooks"],
        "properties": { "webhooks": { "type": "array", "items": webhook() }, "next": { "type": "string" } },
    })
}

pub(super) fn wanted() -> Value {
    json!({
        "type": "object",
        "properties": {
            "url": { "type": "string" },
            "description": { "type": "string" },
            "types": types(),
            "enabled": { "type": "boolean" },
        },
        "additionalProperties": false,
    })
}

pub(super) fn new() -> Value {
    let mut schema = wanted();
    schema["required"] = json!(["url"]);
    schema
}

pub(super) fn plan() -> Value {
    json!({ "type": "object" })
}

pub(super) fn rotate() -> Value {
    json!({
        "type": "object",
        "properties": { "overlap_seconds": { "type": "integer", "minimum": 0 } },
        "additionalProperties": false,
    })
}

pub(super) fn tried() -> Value {
    json!({
        "type": "object",
        "required": ["event_id", "delivered", "status", "error"],
        "properties": {
            "event_id": { "type": "string" },
            "delivered": { "type": "boolean" },
            "status": { "type": ["integer", "null"] },
            "error": { "type": ["string", "null"] },
        },
    })
}

pub(super) fn deliveries() -> Value {
    json!({
        "type": "object",
        "required": ["deliveries"],
        "properties": {
            "deliveries": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "event_id": { "type": "string" },
                        "subject": { "type": "string" },
                        "state": { "type": "string", "enum": ["waiting", "behind", "dead"] },
                        "attempts": { "type": "integer" },
                        "status": { "type": ["integer", "null"] },
                        "error": { "type": ["string", "null"] },
                    },
                },
            },
            "next": { "type": "string" },
        },
    })
}

pub(super) fn again() -> Value {
    json!({
        "type": "object",
        "properties": {
            "event_id": { "type": "string" },
            "dead": { "type": "boolean", "const": true },
            "from": { "type": "string" },
            "since": { "type": "string", "format": "date-time" },
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": false,
    })
}

pub(super) fn sent_again() -> Value {
    json!({
        "type": "object",
        "required": ["dry_run", "events"],
        "properties": { "dry_run": { "type": "boolean" }, "events": { "type": "integer", "minimum": 0 } },
    })
}
