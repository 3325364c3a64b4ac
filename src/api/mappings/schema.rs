//! What goes in and comes out, for the description.

use serde_json::{Map, Value, json};

fn version() -> Value {
    json!({
        "type": "object",
        "required": ["name", "version", "language", "checksum", "published_at", "published_by"],
        "properties": {
            "name": { "type": "string" },
            "version": { "type": "integer" },
            "language": { "type": "string" },
            "checksum": { "type": "string" },
            "published_at": { "type": "string" },
            "published_by": { "type": "string" },
        },
    })
}

pub(super) fn mapping() -> Value {
    let mut schema = version();
    let properties = schema["properties"].as_object_mut();
    if let Some(properties) = properties {
        let more = json!({ "text": { "type": "string" }, "includes": { "type": "object" }, "connections": { "type": "array" } });
        properties.extend(more.as_object().cloned().unwrap_or_default());
    }
    schema
}

fn page(key: &str) -> Value {
    let mut properties = Map::new();
    properties.insert(key.to_owned(), json!({ "type": "array", "items": version() }));
    properties.insert("next".into(), json!({ "type": "string" }));
    json!({ "type": "object", "required": [key], "properties": properties })
}

pub(super) fn list() -> Value {
    page("mappings")
}

pub(super) fn versions() -> Value {
    page("versions")
}

pub(super) fn text() -> Value {
    json!({
        "type": "object",
        "required": ["text"],
        "properties": {
            "text": { "type": "string" },
            "language": { "type": "string", "enum": ["mapping", "javascript"] },
            "includes": { "type": "object", "additionalProperties": { "type": "string" } },
        },
        "additionalProperties": false,
    })
}

pub(super) fn publication() -> Value {
    let mut schema = text();
    schema["properties"]["preview"] = json!({ "type": ["string", "null"] });
    schema
}

pub(super) fn replay() -> Value {
    json!({
        "type": "object",
        "properties": { "all": { "type": "boolean" }, "users": { "type": "array", "items": { "type": "string" }, "maxItems": 1000 } },
        "additionalProperties": false,
    })
}

pub(super) fn anything() -> Value {
    json!({ "type": "object" })
}
