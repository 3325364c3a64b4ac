//! An announcement as the event that tells of it: CloudEvents 1.0. Pure. Owns the envelope and what stands in `data`; what the objects
//! look like is told to it.

use crate::clock::rfc3339;
use crate::model::ids::TenantId;
use crate::store::outbox::{Announced, AnnouncedGroup, Person};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// What could be read of the things that an event is about.
#[derive(Default)]
pub struct Known {
    /// Users as the API shows them, by the id of their profile.
    pub users: HashMap<String, Value>,
    pub groups: HashMap<String, AnnouncedGroup>,
    /// Whose profiles members of groups are, by the identity's id.
    pub people: HashMap<String, Person>,
}

/// The whole event. Id, type and time never change; `data.object` is what is known when it is made.
pub fn event(tenant: &TenantId, announced: &Announced, known: &Known) -> Value {
    let mut data = Map::new();
    data.insert("object".into(), object(announced, known));
    if let Some(before) = previous(announced) {
        data.insert("previous_object".into(), before);
    }
    data.insert("changed".into(), if announced.changed.is_array() { announced.changed.clone() } else { json!([]) });
    data.insert("context".into(), context(tenant, announced));
    json!({
        "specversion": "1.0",
        "type": announced.kind,
        "source": source(tenant),
        "id": announced.id,
        "time": rfc3339(announced.at),
        "subject": subject(announced),
        "datacontenttype": "application/json",
        "data": data,
    })
}

/// With the id it names an event for good, whichever replica and address it comes from.
pub fn source(tenant: &TenantId) -> String {
    format!("urn:rosterd:{tenant}")
}

/// Whose order is kept.
pub fn subject(announced: &Announced) -> &str {
    announced.profile_id.as_deref().or(announced.group_id.as_deref()).unwrap_or_default()
}

/// The members that an announcement names.
pub fn members(announced: &Announced) -> impl Iterator<Item = &str> {
    let named = announced.changed.get("members").and_then(Value::as_array);
    named.into_iter().flatten().filter_map(Value::as_str)
}

fn object(announced: &Announced, known: &Known) -> Value {
    if let Some(id) = &announced.profile_id {
        return with_id(id, known.users.get(id).filter(|_| announced.kind != "user.deleted"), announced);
    }
    let Some(id) = &announced.group_id else { return json!({}) };
    let group = known.groups.get(id).filter(|_| announced.kind != "group.deleted").map(|group| {
        json!({
            "name": group.name,
            "external_id": group.external_id,
            "connection": announced.connection.as_ref().map(|(name, _)| name),
            "created_at": rfc3339(group.created_at),
            "updated_at": rfc3339(group.updated_at),
        })
    });
    let group = with_id(id, group.as_ref(), announced);
    match announced.kind.as_str() {
        "group.member.added" | "group.member.deleted" => {
            let mut object = json!({ "group": group });
            match announced.changed.get("count") {
                // Too many to name.
                Some(count) => object["members_count"] = count.clone(),
                None => object["members"] = members(announced).map(|id| member(id, known)).collect(),
            }
            object
        }
        _ => group,
    }
}

/// The object with its id before it; of what is gone no more than was noted when it went.
fn with_id(id: &str, object: Option<&Value>, announced: &Announced) -> Value {
    let mut shown = Map::from_iter([(String::from("id"), Value::from(id))]);
    let noted = announced.changed.get("known").and_then(Value::as_object);
    match object.and_then(Value::as_object) {
        Some(members) => shown.extend(members.clone()),
        None => shown.extend(noted.cloned().unwrap_or_default()),
    }
    Value::Object(shown)
}

fn member(id: &str, known: &Known) -> Value {
    match known.people.get(id) {
        Some((profile, user_id)) => json!({ "id": id, "user": profile, "user_id": user_id }),
        None => json!({ "id": id }),
    }
}

/// The changed members as they were: of `app_metadata.title` the title in an object of its own.
fn previous(announced: &Announced) -> Option<Value> {
    let mut before = Map::new();
    for (path, change) in announced.before.as_ref()?.as_object()? {
        let Some(value) = change.get("before") else { continue };
        match path.split_once('.').filter(|(object, _)| matches!(*object, "app_metadata" | "user_metadata")) {
            Some((object, name)) => {
                let object = before.entry(object).or_insert_with(|| json!({}));
                if let Some(object) = object.as_object_mut() {
                    object.insert(name.to_owned(), value.clone());
                }
            }
            None => drop(before.insert(path.clone(), value.clone())),
        }
    }
    (!before.is_empty()).then_some(Value::Object(before))
}

fn context(tenant: &TenantId, announced: &Announced) -> Value {
    let mut context = json!({ "tenant": tenant, "version": announced.version });
    if let Some(id) = announced.connection_id.as_ref().filter(|id| !id.is_empty()) {
        context["connection"] = match &announced.connection {
            Some((name, kind)) => json!({ "id": id, "name": name, "kind": kind }),
            None => json!({ "id": id }),
        };
    }
    if let Some((request, actor)) = &announced.done_by {
        context["request"] = json!({ "id": request });
        context["actor"] = actor.as_str().into();
    }
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(kind: &str, changed: Value) -> Announced {
        let is_user = kind.starts_with("user.");
        Announced {
            id: "e1".into(),
            position: 7,
            kind: kind.into(),
            profile_id: is_user.then(|| "p1".into()),
            group_id: (!is_user).then(|| "g1".into()),
            connection_id: Some("con_1".into()),
            version: 3,
            changed,
            at: 1_700_000_000_123_456,
            connection: Some(("okta".into(), "scim".into())),
            done_by: Some(("req-1".into(), "tok-1".into())),
            before: None,
        }
    }

    fn tenant() -> TenantId {
        TenantId::new("default")
    }

    #[test]
    fn a_change_tells_the_object_what_changed_and_what_was_before() {
        let known =
            Known { users: [(String::from("p1"), json!({"user_id": "scim|1", "email": "b@x"}))].into(), ..Known::default() };
        let mut announced = announced("user.updated", json!(["email", "app_metadata.title"]));
        announced.before = Some(json!({"email": {"before": "a@x", "by": {}}, "app_metadata.title": {"before": "CTO"}}));
        assert_eq!(
            event(&tenant(), &announced, &known),
            json!({
                "specversion": "1.0", "type": "user.updated", "source": "urn:rosterd:default", "id": "e1",
                "time": "2023-11-14T22:13:20.123Z", "subject": "p1", "datacontenttype": "application/json",
                "data": {
                    "object": {"id": "p1", "user_id": "scim|1", "email": "b@x"},
                    "previous_object": {"email": "a@x", "app_metadata": {"title": "CTO"}},
                    "changed": ["email", "app_metadata.title"],
                    "context": {
                        "tenant": "default", "version": 3, "connection": {"id": "con_1", "name": "okta", "kind": "scim"},
                        "request": {"id": "req-1"}, "actor": "tok-1"
                    },
                },
            })
        );
    }

    #[test]
    fn of_what_is_gone_there_is_what_was_noted_when_it_went_and_else_the_id() {
        let data = |announced: &Announced| event(&tenant(), announced, &Known::default())["data"].clone();
        let gone = announced("user.deleted", json!({"known": {"user_id": "scim|1"}}));
        assert_eq!(data(&gone)["object"], json!({"id": "p1", "user_id": "scim|1"}));
        assert_eq!(data(&gone)["changed"], json!([]));
        let since_gone = announced("user.updated", json!(["email"]));
        assert_eq!(data(&since_gone)["object"], json!({"id": "p1"}));
        let group = announced("group.deleted", json!({"known": {"name": "Sales"}}));
        assert_eq!(data(&group)["object"], json!({"id": "g1", "name": "Sales"}));
    }

    #[test]
    fn members_are_named_with_whose_profile_they_are_or_counted() {
        let known =
            Known { people: [(String::from("i1"), (String::from("p1"), String::from("scim|1")))].into(), ..Known::default() };
        let object = |changed| event(&tenant(), &announced("group.member.added", changed), &known)["data"]["object"].clone();
        assert_eq!(
            object(json!({"members": ["i1", "g2"]})),
            json!({"group": {"id": "g1"}, "members": [{"id": "i1", "user": "p1", "user_id": "scim|1"}, {"id": "g2"}]})
        );
        assert_eq!(object(json!({"count": 5000})), json!({"group": {"id": "g1"}, "members_count": 5000}));
    }
}
