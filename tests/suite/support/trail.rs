//! What holds for the history, log and outbox rows of every step, whichever it is: they belong together, say who asked
//! and whom it was about, and tell what was there before. Stated once here, as `wire.rs` does for answers.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::rows::{Snapshot, Table, added};

type Row = Map<String, Value>;

/// Every rule that the rows written between the two moments break.
pub fn broken_rules(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let mut wrong = vec![];
    let log = added(&after.log, &before.log);
    for entry in &log {
        wrong.extend(log_row(entry, before, after));
    }
    for row in added(&after.outbox, &before.outbox) {
        match log.iter().find(|entry| entry["id"] == row["log_id"]) {
            Some(entry) => wrong.extend(outbox_row(row, entry, before, after)),
            None => wrong.push(format!("rows outbox: a {} row belongs to no log row of this step", row["kind"])),
        }
    }
    for row in added(&after.history, &before.history) {
        if !log.iter().any(|entry| entry["history_id"] == row["id"]) {
            wrong.push("rows history: a row that no log row of this step names".to_owned());
        }
        wrong.extend(history_row(row, before));
    }
    let lost = |table: &str, now: &Table, then: &Table| {
        then.keys().find(|id| !now.contains_key(*id)).map(|id| format!("rows {table}: {id} is gone; these rows are kept"))
    };
    wrong.extend(lost("log", &after.log, &before.log));
    wrong.extend(lost("outbox", &after.outbox, &before.outbox));
    wrong.extend(lost("history", &after.history, &before.history));
    wrong
}

/// It says who asked, and names the user or group whose row moved.
fn log_row(entry: &Row, before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let has = |column: &&str| entry[*column].as_str().is_some_and(|text| !text.is_empty());
    let missing = ["connection_id", "actor", "request_id"].into_iter().filter(|column| !has(column));
    let mut wrong: Vec<String> = missing.map(|column| format!("rows log: a {} row has no {column}", entry["kind"])).collect();
    let kind = entry["kind"].as_str().unwrap_or_default();
    let moved = |column: &str, then: &Table, now: &Table| {
        entry[column].as_str().is_some_and(|id| now.contains_key(id) && now.get(id) != then.get(id))
    };
    if kind.starts_with("scim.group.") && !moved("group_id", &before.groups, &after.groups) {
        wrong.push(format!("rows log: a {kind} row does not name the group that moved: {}", entry["group_id"]));
    }
    if kind.starts_with("scim.user.") {
        if !moved("identity_id", &before.identities, &after.identities) {
            wrong.push(format!("rows log: a {kind} row does not name the identity that moved: {}", entry["identity_id"]));
        }
        let identity = entry["identity_id"].as_str().and_then(|id| after.identities.get(id));
        if identity.is_some_and(|identity| identity["profile_id"] != entry["profile_id"]) {
            wrong.push(format!("rows log: a {kind} row does not name the identity's profile: {}", entry["profile_id"]));
        }
    }
    wrong
}

/// It is about what its log row is about; of members it names exactly those who came or went.
fn outbox_row(row: &Row, entry: &Row, before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let mut wrong = vec![];
    for column in ["profile_id", "group_id", "connection_id"] {
        if row[column] != entry[column] {
            wrong.push(format!("rows outbox: a {} row has {column} {}, its log row {}", row["kind"], row[column], entry[column]));
        }
    }
    let (from, to) = match row["kind"].as_str() {
        Some("group.member.added") => (before, after),
        Some("group.member.deleted") => (after, before),
        _ => return wrong,
    };
    let of_group = to.members.iter().filter(|(group, ..)| row["group_id"] == group.as_str());
    let moved: BTreeSet<&str> = of_group.filter(|member| !from.members.contains(*member)).map(|(_, id, _)| id.as_str()).collect();
    let named: BTreeSet<&str> = row["changed"]["members"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if named != moved {
        wrong.push(format!("rows outbox: a {} row names {named:?}, those who moved are {moved:?}", row["kind"]));
    }
    wrong
}

/// It keeps what every changed attribute was.
fn history_row(row: &Row, before: &Snapshot) -> Vec<String> {
    let Some(user) = row["profile_id"].as_str().and_then(|id| before.users.get(id)) else { return vec![] };
    let changes = row["changes"].as_object().into_iter().flatten();
    changes
        .filter_map(|(path, change)| {
            let was = match path.as_str() {
                "blocked" => user["blocked"].clone(),
                // Who shares a profile has no value; that it changed is what is told.
                "identities" => return None,
                _ => path.split('.').try_fold(&user["doc"], |value, part| value.get(part)).cloned().unwrap_or_default(),
            };
            let told = change.get("before");
            (told != Some(&was)).then(|| format!("rows history: {path} was {was}, told is {}", json!(told)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: Value) -> Table {
        serde_json::from_value(rows).expect("rows by id")
    }

    fn moment(users: Value, groups: Value) -> Snapshot {
        Snapshot { users: table(users), groups: table(groups), ..Snapshot::default() }
    }

    #[test]
    fn history_tells_the_value_before() {
        let before = moment(json!({"p": {"blocked": false, "doc": {"app_metadata": {"title": "Engineer"}}}}), json!({}));
        let told = |path: &str, before_value: Value| {
            let row = json!({"profile_id": "p", "changes": {path: {"before": before_value}}});
            history_row(row.as_object().expect("a row"), &before)
        };
        assert!(told("app_metadata.title", json!("Engineer")).is_empty());
        assert!(told("name", Value::Null).is_empty());
        assert!(told("blocked", json!(false)).is_empty());
        assert_eq!(told("app_metadata.title", json!("Architect")).len(), 1);
        let row = json!({"profile_id": "p", "changes": {"name": {"by": "line 3"}}});
        assert_eq!(history_row(row.as_object().expect("a row"), &before).len(), 1, "nothing told");
    }

    #[test]
    fn an_announcement_names_exactly_who_joined() {
        let before = moment(json!({}), json!({"g": {"version": 1}}));
        let mut after = moment(json!({}), json!({"g": {"version": 2}}));
        after.members.insert(("g".into(), "alice".into(), "user".into()));
        let announced = |ids: Value| {
            let row = json!({"kind": "group.member.added", "group_id": "g", "profile_id": null, "connection_id": "c", "changed": {"members": ids}});
            let row = row.as_object().expect("a row");
            outbox_row(row, row, &before, &after)
        };
        assert!(announced(json!(["alice"])).is_empty());
        assert_eq!(announced(json!([])).len(), 1);
        assert_eq!(announced(json!(["alice", "bob"])).len(), 1);
    }
}
