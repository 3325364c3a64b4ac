//! What a body says of a connection, in the words of management tools, and what of that this gateway has.

use crate::api::problem::Problem;
use crate::model::connection::ConnectionKind;
use crate::model::connection_secrets::{ConnectionSecrets, SECRET_BYTES_MAX, of_kind};
use crate::registration::connections::ConnectionWanted;
use crate::registration::connections_shown::SECRET;
use crate::secret::Secret;
use crate::store::connections::StoredConnection;
use serde_json::{Map, Value};

/// Members that management tools send and that mean nothing here; they are taken only as what they are by default.
const WITHOUT_MEANING: [&str; 5] = ["display_name", "enabled_clients", "is_domain_connection", "realms", "show_as_button"];

/// Name, kind and the rest of a new one.
pub(super) fn new(members: &Map<String, Value>) -> Result<(String, ConnectionKind, ConnectionWanted), Problem> {
    let text = |name: &str| match members.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(Problem::member(name, "Expected type string")),
        None => Err(Problem::member(name, "Missing required property")),
    };
    let (name, strategy) = (text("name")?, text("strategy")?);
    let kind = ConnectionKind::ALL.into_iter().find(|kind| kind.strategy() == strategy);
    let kind = kind.ok_or_else(|| {
        let known: Vec<&str> = ConnectionKind::OFFERED.iter().map(|kind| kind.strategy()).collect();
        Problem::member("strategy", format!("wanted one of {}", known.join(", ")))
    })?;
    let wanted = wanted(members, kind, &["name", "strategy"], ConnectionSecrets::default(), &Map::new())?;
    Ok((name, kind, wanted))
}

/// What is wanted of one that is there. `options` replace all of them: what is not named falls to its default, and a secret is gone
/// unless it is named, as `***` the one that is there. Without `options` they stay.
pub(super) fn changed(
    members: &Map<String, Value>,
    stored: &StoredConnection,
    known: ConnectionSecrets,
) -> Result<ConnectionWanted, Problem> {
    for name in ["name", "strategy"] {
        if members.contains_key(name) {
            return Err(Problem::member(name, "Additional properties not allowed: it stays for good"));
        }
    }
    wanted(members, stored.connection.kind, &[], known, &stored.set)
}

fn wanted(
    members: &Map<String, Value>,
    kind: ConnectionKind,
    others: &[&str],
    known: ConnectionSecrets,
    set: &Map<String, Value>,
) -> Result<ConnectionWanted, Problem> {
    let mut wanted = ConnectionWanted::default();
    match members.get("options") {
        None => (wanted.set, wanted.secrets) = (set.clone(), known),
        Some(Value::Object(options)) => (wanted.set, wanted.secrets) = options_of(options, kind, &known)?,
        Some(_) => return Err(Problem::member("options", "Expected type object")),
    }
    for (name, value) in members {
        match (name.as_str(), value) {
            ("options", _) | ("display_name", Value::String(_)) => {}
            ("organization_id", Value::Null) => wanted.organization = Some(None),
            ("organization_id", Value::String(id)) => wanted.organization = Some(Some(id.clone())),
            ("organization_id", _) => return Err(Problem::member("organization_id", "Expected type string or null")),
            (name, _) if others.contains(&name) => {}
            (name, value) if WITHOUT_MEANING.contains(&name) && is_default(value) => {}
            (name, _) if WITHOUT_MEANING.contains(&name) => {
                return Err(Problem::member(name, "this gateway has no such thing; leave it out"));
            }
            (name, _) => return Err(Problem::member(name, format!("Additional properties not allowed: {name}"))),
        }
    }
    Ok(wanted)
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    }
}

/// The plain options, and the secrets that stand among them.
fn options_of(
    options: &Map<String, Value>,
    kind: ConnectionKind,
    known: &ConnectionSecrets,
) -> Result<(Map<String, Value>, ConnectionSecrets), Problem> {
    let (mut set, mut secrets) = (Map::new(), ConnectionSecrets::default());
    for (name, value) in options {
        let Some(spec) = of_kind(kind).find(|spec| spec.name == name) else {
            set.insert(name.clone(), value.clone());
            continue;
        };
        let path = format!("options.{name}");
        match value {
            Value::Null => {}
            Value::String(text) if text == SECRET => match known.get(spec.name) {
                Some(secret) => secrets.set(spec.name, Some(secret.clone())),
                None => return Err(Problem::member(&path, "*** stands for a secret that is there, and there is none")),
            },
            Value::String(text) if (1..=SECRET_BYTES_MAX).contains(&text.len()) => {
                secrets.set(spec.name, Some(Secret::new(text.clone())));
            }
            _ => return Err(Problem::member(&path, format!("wanted text of 1 to {SECRET_BYTES_MAX} bytes"))),
        }
    }
    Ok((set, secrets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn members(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("an object") };
        members
    }

    #[test]
    fn secrets_are_taken_out_of_the_options_and_stay_where_three_stars_stand() {
        let mut known = ConnectionSecrets::default();
        known.set("client_secret", Some(Secret::new("old".into())));
        let kind = ConnectionKind::Oidc;
        let of = |options: Value, known: &ConnectionSecrets| options_of(&members(options), kind, known);
        let text = |secrets: &ConnectionSecrets| secrets.get("client_secret").map(|secret| secret.expose().clone());
        let (set, secrets) = of(json!({"issuer": "https://a.example", "client_secret": "***"}), &known).expect("fine");
        assert_eq!((set.len(), text(&secrets).as_deref()), (1, Some("old")));
        let (_, secrets) = of(json!({"client_secret": "new"}), &known).expect("fine");
        assert_eq!(text(&secrets).as_deref(), Some("new"));
        let (_, secrets) = of(json!({}), &known).expect("fine");
        assert_eq!(text(&secrets), None, "options replace");
        for wrong in [json!({"client_secret": ""}), json!({"client_secret": 1}), json!({"client_secret": "x".repeat(5_000)})] {
            assert!(of(wrong, &known).is_err());
        }
        assert!(of(json!({"client_secret": "***"}), &ConnectionSecrets::default()).is_err());
    }

    #[test]
    fn what_is_unknown_or_has_no_meaning_here_is_refused_by_name() {
        let body = |more: Value| {
            let mut body = json!({"name": "a", "strategy": "scim"});
            for (name, value) in members(more) {
                body[name] = value;
            }
            new(&members(body)).map(|_| ()).map_err(|problem| format!("{problem:?}"))
        };
        assert!(body(json!({"display_name": "A", "enabled_clients": [], "is_domain_connection": false})).is_ok());
        for (more, member) in [
            (json!({"nmae": "b"}), "nmae"),
            (json!({"enabled_clients": ["app_1"]}), "enabled_clients"),
            (json!({"options": []}), "options"),
            (json!({"strategy": "nothing"}), "strategy"),
            (json!({"name": 1}), "name"),
            (json!({"organization_id": 1}), "organization_id"),
        ] {
            assert!(body(more).expect_err("refused").contains(&format!("on property {member}")), "{member}");
        }
    }
}
