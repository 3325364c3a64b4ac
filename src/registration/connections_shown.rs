//! A connection as JSON, alike in the management API and in `--json`. Of a secret nothing is shown but that it is there.

use super::connections::PlannedConnection;
use crate::clock::rfc3339;
use crate::model::connection::{Connection, ConnectionKind};
use crate::store::connections::StoredConnection;
use serde_json::{Value, json};

/// What stands in the place of a secret, and, sent back, means that it stays.
pub const SECRET: &str = "***";

/// Where a SCIM client of this connection is pointed at.
pub fn scim_base_url(public_url: &str, connection: &Connection) -> Option<String> {
    let is_pushed_to = !matches!(connection.kind, ConnectionKind::Database | ConnectionKind::Ldap);
    is_pushed_to.then(|| format!("{public_url}/scim/v2/connections/{}", connection.id))
}

/// The object, without its secrets.
pub fn connection(stored: &StoredConnection, public_url: &str) -> Value {
    let connection = &stored.connection;
    let mut object = json!({
        "id": connection.id,
        "name": connection.name,
        "strategy": connection.kind.strategy(),
        "kind": connection.kind.as_str(),
        "organization_id": connection.organization_id,
        "options": connection.options.to_json(connection.kind),
        "created_at": rfc3339(connection.created_at),
        "updated_at": rfc3339(connection.updated_at),
    });
    if let Some(url) = scim_base_url(public_url, connection) {
        object["scim_base_url"] = Value::String(url);
    }
    object
}

/// The same with `***` among its options for each secret it has.
pub fn with_secrets<'s>(stored: &StoredConnection, secrets: impl IntoIterator<Item = &'s str>, public_url: &str) -> Value {
    let mut object = connection(stored, public_url);
    for name in secrets {
        object["options"][name] = SECRET.into();
    }
    object
}

/// What a step would do: `{dry_run, step, changes, connection}`. Of something new there is no id yet.
pub fn plan(planned: &PlannedConnection, public_url: &str) -> Value {
    let object = |stored: Option<&StoredConnection>| {
        let mut shown = stored.map_or_else(|| json!({}), |stored| connection(stored, public_url));
        if let Some(members) = shown.as_object_mut() {
            let is_new = planned.before.is_none();
            let made = ["id", "created_at", "scim_base_url"];
            members.retain(|name, _| name != "updated_at" && !(is_new && made.contains(&name.as_str())));
        }
        shown
    };
    let (before, after) = (object(planned.before.as_ref()), object(planned.after.as_ref()));
    let flat = |object: &Value| {
        let members = object.as_object().into_iter().flatten().filter(|(name, _)| *name != "options");
        let options = object["options"].as_object().into_iter().flatten();
        let options = options.map(|(name, value)| (format!("options.{name}"), value.clone()));
        members.map(|(name, value)| (name.clone(), value.clone())).chain(options).collect::<serde_json::Map<_, _>>()
    };
    let (was, is) = (flat(&before), flat(&after));
    let mut names: Vec<&String> = was.keys().chain(is.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let value = |of: &serde_json::Map<String, Value>, name: &String| of.get(name).cloned().unwrap_or_default();
    let changes = names.into_iter().filter(|name| was.get(*name) != is.get(*name));
    let changes = changes.map(|name| json!({ "attribute": name, "before": value(&was, name), "after": value(&is, name) }));
    json!({
        "dry_run": true,
        "step": planned.step.as_str(),
        "changes": changes.collect::<Vec<_>>(),
        "connection": if planned.after.is_some() { after } else { before.clone() },
    })
}
