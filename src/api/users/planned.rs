//! What a change of people would do, for `?dry_run=true`: each attribute that would move, with what it is and what it would be.

use crate::model::user::User;
use crate::profile::Profile;
use crate::provisioning::manage::people::PeoplePlan;
use crate::provisioning::manage::write::{Done, after};
use crate::provisioning::plan::ProfileWrite;
use crate::store::users_read::UserRecord;
use serde_json::{Value, json};

/// Of one person.
pub(in crate::api) fn one(step: &str, before: Option<&UserRecord>, done: &Done) -> Value {
    let user = done.plan.as_deref().and_then(after);
    let history = done.plan.as_ref().and_then(|plan| plan.history.as_ref());
    let step = if done.plan.is_some() { step } else { "none" };
    let was_blocked = before.is_some_and(|before| before.blocked);
    let changes = history.map_or_else(Vec::new, |history| changes(&history.changes, user, was_blocked));
    json!({"dry_run": true, "step": step, "user_id": done.user_id, "changes": changes})
}

/// Of whole people.
pub(in crate::api) fn people(step: &str, plan: Option<&PeoplePlan>) -> Value {
    let Some(plan) = plan else { return json!({"dry_run": true, "step": "none", "changes": []}) };
    let of = |profile: &ProfileWrite| match profile {
        ProfileWrite::Insert(user) => Some(("created", user.clone())),
        ProfileWrite::Update { user, .. } => Some(("updated", user.clone())),
        ProfileWrite::Remove { user, .. } => Some(("deleted", user.clone())),
        ProfileWrite::None => None,
    };
    let profiles: Vec<Value> = plan
        .profiles
        .iter()
        .filter_map(of)
        .map(|(becomes, user)| {
            let history = plan.history.iter().find(|history| history.profile_id == user.id);
            let changes = history.map_or_else(Vec::new, |history| changes(&history.changes, Some(&user), false));
            json!({"user_id": user.user_id, "becomes": becomes, "changes": changes})
        })
        .collect();
    let back: Vec<&String> = plan.unburied.iter().collect();
    json!({"dry_run": true, "step": step, "profiles": profiles, "user_ids_back": back})
}

/// A history row read together with the profile it leads to.
fn changes(text: &str, user: Option<&User>, was_blocked: bool) -> Vec<Value> {
    let read: Value = serde_json::from_str(text).unwrap_or_default();
    let doc = user.and_then(|user| Profile::parse(&user.doc)).unwrap_or_default();
    let is_blocked = user.is_some_and(|user| user.blocked);
    let now = |path: &str| match path {
        "blocked" => json!(is_blocked),
        path => doc.value(path).cloned().unwrap_or(Value::Null),
    };
    if let Some(created) = read.get("created").and_then(Value::as_array) {
        let names = created.iter().filter_map(Value::as_str);
        return names.map(|path| json!({"attribute": path, "before": null, "after": now(path)})).collect();
    }
    let read = read.as_object().cloned().unwrap_or_default();
    read.iter()
        .map(|(path, entry)| match path.as_str() {
            "blocked" => json!({"attribute": path, "before": was_blocked, "after": is_blocked}),
            _ if path.starts_with("identities") => json!({"attribute": path, "before": entry["before"]}),
            _ => json!({"attribute": path, "before": entry["before"], "after": now(path)}),
        })
        .collect()
}

/// The schema of a plan, for the description.
pub(in crate::api) fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["dry_run", "step"],
        "properties": {
            "dry_run": {"type": "boolean"},
            "step": {"type": "string"},
            "user_id": {"type": "string"},
            "changes": {"type": "array", "items": {"type": "object"}},
            "profiles": {"type": "array", "items": {"type": "object"}},
            "user_ids_back": {"type": "array", "items": {"type": "string"}},
        },
    })
}
