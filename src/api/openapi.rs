//! The description of this API (OpenAPI 3.1) at `/api/v2/openapi.json`, made of the [`Endpoint`]s that are served: what is not
//! described is not there. Says nothing of a tenant, and so needs no token.

use super::endpoint::Endpoint;
use super::problem;
use serde_json::{Map, Value, json};

/// The whole document. `base` is the absolute address below which the calls are.
pub(super) fn document(endpoints: &[Endpoint], base: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = operation(endpoint);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rosterd management API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Users, where their attributes come from, and what happened to them. Every call is made with a bearer \
                token: of `rosterd token create --admin`, or of a machine's client credentials.",
        },
        "servers": [{ "url": base }],
        "security": [{ "bearer": [] }],
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Problem": problem::schema() },
        },
        "paths": paths,
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut parameters: Vec<Value> = in_path(endpoint.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }))
        .collect();
    parameters.extend(endpoint.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "required": parameter.required,
            "description": parameter.says,
            "schema": parameter.kind.schema(),
        })
    }));
    let mut operation = json!({
        "operationId": endpoint.id,
        "summary": endpoint.summary,
        "tags": [endpoint.path.split('/').nth(1).unwrap_or_default()],
        "parameters": parameters,
        "responses": responses(endpoint),
    });
    if !endpoint.scopes.is_empty() {
        operation["description"] = format!("Needs one of the scopes: {}.", endpoint.scopes.join(", ")).into();
    }
    if !endpoint.takes.is_empty() {
        let content: Map<String, Value> =
            endpoint.takes.iter().map(|(media_type, schema)| ((*media_type).to_owned(), json!({ "schema": schema() }))).collect();
        operation["requestBody"] = json!({ "content": content });
    }
    operation
}

/// What every call may be refused with, and what this one says of itself.
fn responses(endpoint: &Endpoint) -> Value {
    let mut common: Vec<(u16, &str)> = vec![
        (400, "the path, the query or the body is not what it should be; the message names the place"),
        (401, "no token, or one that opens nothing"),
        (403, "the token lacks the scope"),
        (429, "too many requests: `Retry-After` says when to come again"),
        (503, "not at the moment: ask again"),
    ];
    if in_path(endpoint.path).next().is_some() {
        common.push((404, "there is no such thing, or it is another tenant's"));
    }
    if !endpoint.takes.is_empty() {
        common.extend([(408, "the body came too slowly"), (413, "the body is too long"), (415, "the body is of another kind")]);
    }
    let mut responses: Map<String, Value> = Map::new();
    let refusal = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    for (status, says) in common {
        responses.insert(status.to_string(), json!({ "description": says, "content": refusal }));
    }
    for told in &endpoint.answers {
        let mut response = json!({ "description": told.says });
        if let Some((media_type, schema)) = told.content {
            let schema = if told.status < 400 { schema() } else { json!({ "$ref": "#/components/schemas/Problem" }) };
            response["content"] = json!({ media_type: { "schema": schema } });
        }
        // A second kind of the same answer stands beside the first.
        let kept = responses.get(&told.status.to_string()).filter(|_| told.status < 300).map(|other| other["content"].clone());
        if let (Some(Value::Object(kept)), Some(content)) = (kept, response["content"].as_object_mut()) {
            content.extend(kept);
        }
        responses.insert(told.status.to_string(), response);
    }
    Value::Object(responses)
}

/// The names in braces.
fn in_path(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}
