//! What may be said of a person, as the description tells it.

use serde_json::{Value, json};

fn roots() -> Value {
    let text = |max: u32| json!({"type": ["string", "null"], "minLength": 1, "maxLength": max});
    json!({
        "email": {"type": ["string", "null"], "format": "email", "maxLength": 254},
        "email_verified": {"type": ["boolean", "null"]},
        "username": text(128),
        "phone_number": {"type": ["string", "null"], "pattern": "^\\+[0-9]{1,15}$"},
        "phone_verified": {"type": ["boolean", "null"]},
        "name": text(300),
        "given_name": text(150),
        "family_name": text(150),
        "nickname": text(350),
        "picture": {"type": ["string", "null"], "format": "uri", "maxLength": 2048},
        "blocked": {"type": ["boolean", "null"]},
        "user_metadata": {"type": ["object", "null"]},
        "app_metadata": {"type": ["object", "null"]},
        "password": {"type": ["string", "null"], "minLength": 1, "maxLength": 256},
        "verify_email": {"type": ["boolean", "null"]},
    })
}

fn with(more: &Value, required: &[&str]) -> Value {
    let mut properties = roots();
    if let (Some(properties), Some(more)) = (properties.as_object_mut(), more.as_object()) {
        properties.extend(more.clone());
    }
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

pub(in crate::api) fn new() -> Value {
    let more =
        json!({"connection": {"type": "string"}, "user_id": {"type": ["string", "null"], "minLength": 1, "maxLength": 255}});
    with(&more, &["connection"])
}

pub(in crate::api) fn edit() -> Value {
    let more = json!({
        "connection": {"type": "string"},
        "verify_phone_number": {"type": ["boolean", "null"]},
        "client_id": {"type": ["string", "null"]},
    });
    let mut schema = with(&more, &[]);
    schema["minProperties"] = 1.into();
    schema
}
