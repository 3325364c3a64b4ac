//! Why one attribute has, or had, its value: who wrote it by which line, what the identity itself says, what others say, and what
//! was before. Pure.

use super::{AsOf, Hiding, changed};
use crate::clock::{Micros, rfc3339};
use crate::provisioning::decide::UserEvent;
use crate::store::users_read::{HistoryRecord, IdentityRecord};
use serde_json::{Map, Value, json};

/// Why an attribute has its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    pub attribute: String,
    /// `None`: it has none.
    pub value: Option<Value>,
    pub provenance: Map<String, Value>,
    /// What the mapping of the identity that wrote it gives now, before any write policy; `None` where it was written anew since.
    pub mapped: Option<Value>,
    /// What other identities' mappings give for it, which did not get through.
    pub others: Vec<Other>,
    pub older: Vec<Older>,
}

/// An identity that would say something else.
#[derive(Clone, Debug, PartialEq)]
pub struct Other {
    pub connection: String,
    pub identity_id: String,
    pub value: Value,
}

/// A value that an event replaced; `None` where there was nothing before.
#[derive(Clone, Debug, PartialEq)]
pub struct Older {
    pub value: Option<Value>,
    pub event: String,
    pub connection: Option<String>,
    pub actor: String,
    pub at: Micros,
    pub history_id: String,
}

/// What of the provenance is shown, in this order.
const MEMBERS: [&str; 10] =
    ["connection", "connection_id", "identity_id", "mapping", "mapping_version", "line", "rule", "event", "history_id", "actor"];

impl Reason {
    /// As the management API shows it; the command line prints the same.
    pub fn as_json(&self, hiding: Hiding<'_>) -> Value {
        let path = self.attribute.as_str();
        let mut object = Map::new();
        object.insert(String::from("attribute"), path.into());
        object.insert(String::from("value"), hiding.shown_if(path, self.value.clone()));
        for member in MEMBERS {
            object.insert(member.to_owned(), self.provenance.get(member).cloned().unwrap_or_default());
        }
        let at = self.provenance.get("at").and_then(Value::as_i64);
        object.insert(String::from("at"), at.map_or(Value::Null, |at| rfc3339(at).into()));
        object.insert(String::from("mapped"), hiding.shown_if(path, self.mapped.clone()));
        let others = self.others.iter().map(|other| {
            let value = hiding.shown(path, other.value.clone());
            json!({ "connection": other.connection, "identity_id": other.identity_id, "value": value })
        });
        object.insert(String::from("others"), others.collect());
        let older = self.older.iter().map(|older| {
            json!({
                "before": hiding.shown_if(path, older.value.clone()),
                "event": older.event,
                "connection": older.connection,
                "actor": older.actor,
                "at": rfc3339(older.at),
                "history_id": older.history_id,
            })
        });
        object.insert(String::from("history"), older.collect());
        Value::Object(object)
    }
}

/// Every attribute path that has or had a reason: in `then`, or in the events before it.
pub fn attributes(then: &AsOf, before: &[HistoryRecord]) -> Vec<String> {
    let mut paths: Vec<String> = then.provenance.keys().cloned().collect();
    for path in before.iter().flat_map(|event| changed(&event.changes)) {
        if path != "identities" && !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// Why the attribute at `path` was as it was `then`; `before` are the events up to that, newest first, and `now` is the profile
/// as it is.
pub fn explain(path: &str, then: &AsOf, now: &AsOf, before: &[HistoryRecord], identities: &[IdentityRecord]) -> Reason {
    let provenance = then.why(path);
    let mut older = Vec::new();
    for event in before.iter().filter(|event| changed(&event.changes).iter().any(|name| name == path)) {
        older.push(Older {
            value: event.changes.get(path).and_then(|change| change.get("before")).filter(|value| !value.is_null()).cloned(),
            event: event.event.clone(),
            connection: event.connection.clone(),
            actor: event.actor.clone(),
            at: event.created_at,
            history_id: event.id.clone(),
        });
    }
    let stands = then.why(path) == now.why(path);
    let writer = provenance.get("identity_id").and_then(Value::as_str);
    let own = identities.iter().find(|candidate| stands && Some(candidate.id.as_str()) == writer);
    let mapped = own.and_then(|identity| own_value(identity, &provenance, path));
    let other = |identity: &IdentityRecord| {
        let value = walk(&identity.mapped, path).or_else(|| walk(&identity.login_mapped, path))?.clone();
        Some(Other { connection: identity.connection.clone(), identity_id: identity.id.to_string(), value })
    };
    let others = identities.iter().filter(|identity| stands && Some(identity.id.as_str()) != writer).filter_map(other).collect();
    Reason { attribute: path.to_owned(), value: then.value(path), provenance, mapped, others, older }
}

/// What the identity's mapping gave on the side that wrote the value.
fn own_value(identity: &IdentityRecord, provenance: &Map<String, Value>, path: &str) -> Option<Value> {
    let by_login = provenance.get("event").and_then(Value::as_str) == Some(UserEvent::LoggedIn.as_str());
    let (first, second) =
        if by_login { (&identity.login_mapped, &identity.mapped) } else { (&identity.mapped, &identity.login_mapped) };
    walk(first, path).or_else(|| walk(second, path)).cloned()
}

/// The value at a path, whose names may themselves hold dots.
fn walk<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(found) = document.get(path) {
        return Some(found);
    }
    path.match_indices('.').find_map(|(dot, _)| walk(document.get(&path[..dot])?, &path[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{history, identity, user};
    use super::*;

    fn at_each_version() -> Vec<AsOf> {
        let mut then = AsOf::now(&user(), &[]);
        let mut all = vec![then.clone()];
        for event in &history()[..2] {
            then.undo(event);
            all.insert(0, then.clone());
        }
        all
    }

    #[test]
    fn a_value_is_explained_with_what_the_identity_says_and_what_was_before() {
        let all = at_each_version();
        let reason = explain("email", &all[2], &all[2], &history(), &[identity()]);
        assert_eq!((reason.value, reason.mapped), (Some(json!("anna@new.example")), Some(json!("anna@mapped.example"))));
        assert_eq!((&reason.provenance["line"], &reason.provenance["event"]), (&json!(7), &json!("scim.user.replaced")));
        let before: Vec<Option<Value>> = reason.older.into_iter().map(|older| older.value).collect();
        assert_eq!(before, [Some(json!("anna@old.example")), None]);
    }

    #[test]
    fn an_earlier_moment_has_the_value_and_the_reason_of_then() {
        let all = at_each_version();
        let reason = explain("email", &all[0], &all[2], &history()[2..], &[identity()]);
        assert_eq!(
            (reason.value, reason.provenance["event"].clone()),
            (Some(json!("anna@old.example")), json!("scim.user.created"))
        );
        assert_eq!((reason.mapped, reason.older.len()), (None, 1), "what the mapping gives now says nothing of then");
        assert_eq!(attributes(&all[0], &history()[2..]), ["email", "nickname"]);
    }

    #[test]
    fn another_identity_that_says_something_else_is_told() {
        let now = AsOf::now(&user(), &[]);
        let twin = IdentityRecord { id: crate::model::ids::IdentityId::new("j"), connection: "ldap".into(), ..identity() };
        let reason = explain("email", &now, &now, &[], &[identity(), twin]);
        assert_eq!(reason.others.len(), 1);
        assert_eq!((reason.others[0].connection.as_str(), &reason.others[0].value), ("ldap", &json!("anna@mapped.example")));
    }

    #[test]
    fn missing_members_are_left_out_and_dots_in_names_are_found() {
        let now = AsOf::now(&user(), &[]);
        let reason = explain("app_metadata.department", &now, &now, &[], &[]);
        assert_eq!((reason.value, reason.mapped, reason.older.len()), (Some(json!("R&D")), None, 0));
        assert_eq!(walk(&json!({"app_metadata": {"a.b": 1}}), "app_metadata.a.b"), Some(&json!(1)));
    }
}
