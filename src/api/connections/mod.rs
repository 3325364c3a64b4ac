//! `/connections/…`

mod traffic;

use super::endpoint::{CHECKPOINT, Endpoint, Kind, Parameter, handler};
use axum::http::Method;
use serde_json::{Value, json};

const READ: &str = "read:connections";

pub(super) fn endpoints() -> Vec<Endpoint> {
    const REFUSED: Parameter = Parameter::new("refused", Kind::Flag, "only what was refused");
    vec![
        Endpoint::new(
            Method::GET,
            "/connections/{id}/traffic",
            "list_connection_traffic",
            &[READ],
            handler!(traffic::list, nobody),
        )
        .does("The newest requests of a connection, each refusal with what to change at the identity provider")
        .with(&CHECKPOINT)
        .with(&[REFUSED])
        .answers(200, "the newest first; bodies only with the scope read:raw", traffic_schema),
    ]
}

fn traffic_schema() -> Value {
    json!({
        "type": "object",
        "required": ["source", "traffic"],
        "properties": { "traffic": { "type": "array", "items": { "type": "object" } }, "next": { "type": "string" } },
    })
}
