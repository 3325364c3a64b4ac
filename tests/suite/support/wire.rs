//! What holds for every answer of a SCIM endpoint, whichever step asked (RFC 7644 §3.1, §3.3, §3.12, §3.14): stated
//! once here, so that fixtures state only what is particular to a step.

use serde_json::Value;

use super::gateway::Answer;

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// Every promise of the protocol that the answer breaks. `secrets` are texts that must not come back.
pub fn broken_promises(method: &str, answer: &Answer, secrets: &[String]) -> Vec<String> {
    let mut broken = vec![];
    let mut require = |holds: bool, promise: &str| {
        if !holds {
            broken.push(format!("every answer: {promise}"));
        }
    };
    for secret in secrets {
        require(!answer.text.contains(secret.as_str()), "no password comes back");
    }
    if answer.status == 204 || answer.status == 304 {
        require(answer.text.is_empty(), "204 and 304 have no body");
        return broken;
    }
    let media_type = answer.header("content-type").unwrap_or_default();
    require(
        media_type.starts_with("application/scim+json") || media_type.starts_with("application/json"),
        "the content type is application/scim+json, or application/json when asked for",
    );
    let Ok(body) = serde_json::from_str::<Value>(&answer.text) else {
        require(false, "the body is JSON");
        return broken;
    };
    require(!holds_null(&body), "nothing in the body is null");
    require(!holds_key(&body, "password"), "no password attribute is answered");
    if answer.status >= 400 {
        require(body["schemas"] == serde_json::json!([ERROR]), "a refusal is a SCIM Error");
        require(body["status"] == answer.status.to_string().as_str(), "the error's status is the HTTP status, as text");
        require(body["detail"].is_string(), "a refusal says why");
        require(answer.status != 401 || answer.header("www-authenticate").is_some(), "401 names the scheme");
        return broken;
    }
    if body["schemas"] == serde_json::json!([LIST]) {
        require(body["totalResults"].is_u64(), "totalResults is a number");
        require(body["startIndex"].is_u64(), "startIndex is a number");
        require(body["itemsPerPage"].is_u64(), "itemsPerPage is a number");
        let page = body["Resources"].as_array();
        require(page.is_some(), "Resources is an array, even when empty");
        let page = page.map(Vec::as_slice).unwrap_or_default();
        require(body["itemsPerPage"] == page.len(), "itemsPerPage counts this page");
        for resource in page {
            require(resource["schemas"].is_array(), "each resource names its schemas");
            require(!is_roster_resource(resource) || resource["id"].is_string(), "each resource has an id");
        }
        return broken;
    }
    if is_roster_resource(&body) {
        require(body["id"].is_string(), "each resource has an id");
        require(
            body["meta"]["version"].is_null() || answer.header("etag") == body["meta"]["version"].as_str(),
            "the ETag is meta.version",
        );
        if answer.status == 201 && method == "POST" {
            require(answer.header("location").is_some(), "201 has a Location");
            require(
                body["meta"].is_null() || answer.header("location") == body["meta"]["location"].as_str(),
                "the Location is meta.location",
            );
        }
    }
    broken
}

fn is_roster_resource(resource: &Value) -> bool {
    resource["schemas"].as_array().is_some_and(|schemas| {
        schemas.iter().any(|urn| {
            urn == "urn:ietf:params:scim:schemas:core:2.0:User" || urn == "urn:ietf:params:scim:schemas:core:2.0:Group"
        })
    })
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(members) => members.values().any(holds_null),
        _ => false,
    }
}

fn holds_key(value: &Value, name: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| holds_key(item, name)),
        Value::Object(members) => members.iter().any(|(key, member)| key.eq_ignore_ascii_case(name) || holds_key(member, name)),
        _ => false,
    }
}
