//! What a profile was, and why each of its values was so: the rows of history, read backwards from the profile as it is now.
//!
//! [`as_of`], [`changes`], [`why`] and [`hidden`] are pure, rows in and an answer out; [`read`] gets the rows, a part at a time.
//! The management API and the command line answer by the same functions. Owns what a moment means: the newest event written by
//! then counts. Refuses to guess: what no row holds is left out.

pub mod as_of;
pub mod changes;
pub mod hidden;
pub mod read;
pub mod why;

pub use as_of::AsOf;
pub use changes::Change;
pub use hidden::Hiding;
pub use why::Reason;

use crate::store;
use serde_json::Value;

/// What stopped an answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    /// More events than one answer goes back over.
    #[error("there are more than {} events since then: ask for a later time", read::EVENTS_MAX)]
    TooMany,
}

/// The attribute paths that an event changed: the members of the object, or the names of a creation.
pub(crate) fn changed(changes: &Value) -> Vec<String> {
    if let Some(names) = changes.get("created").and_then(Value::as_array) {
        return names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    changes.as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default()
}

/// Whether an event made the profile.
pub(crate) fn makes(changes: &Value) -> bool {
    changes.get("created").is_some_and(Value::is_array)
}

/// `app_metadata` means everything below it.
pub fn is_within(path: &str, asked: &str) -> bool {
    path.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::model::ids::{ConnectionId, IdentityId, ProfileId};
    use crate::store::users_read::{HistoryRecord, IdentityRecord, UserRecord};
    use serde_json::{Value, json};

    #[test]
    fn a_name_means_itself_and_what_is_below() {
        assert!(super::is_within("app_metadata.department", "app_metadata"));
        assert!(!super::is_within("email_verified", "email"));
    }

    pub(crate) fn explained(event: &str, history_id: &str, line: u32, at: i64) -> Value {
        json!({"connection": "scim", "connection_id": "con_1", "identity_id": "i", "mapping": "scim", "mapping_version": 1,
               "line": line, "event": event, "history_id": history_id, "actor": "token:t", "at": at})
    }

    /// Made at 1 s with address and nickname; the address changed at 2 s, the nickname went and a department came at 3 s.
    pub(crate) fn user() -> UserRecord {
        UserRecord {
            id: ProfileId::new("p"),
            user_id: String::from("scim|scim|anna"),
            organization_id: None,
            blocked: false,
            doc: json!({"email": "anna@new.example", "app_metadata": {"department": "R&D"}}),
            provenance: json!({
                "email": explained("scim.user.replaced", "h2", 7, 2_000_000),
                "nickname": explained("scim.user.patched", "h3", 9, 3_000_000),
                "app_metadata.department": explained("scim.user.patched", "h3", 12, 3_000_000),
            }),
            version: 3,
            created_at: 1_000_000,
            updated_at: 3_000_000,
            last_login_at: None,
            logins_count: 0,
        }
    }

    pub(crate) fn identity() -> IdentityRecord {
        IdentityRecord {
            id: IdentityId::new("i"),
            connection_id: ConnectionId::new("con_1"),
            connection: String::from("scim"),
            kind: String::from("scim"),
            position: 0,
            external_id: None,
            user_name: None,
            state: String::from("active"),
            active: Some(true),
            raw: Value::Null,
            mapped: json!({"email": "anna@mapped.example"}),
            mapping: Some(String::from("scim")),
            mapping_version: Some(2),
            login_mapped: Value::Null,
            login_mapping: None,
            login_mapping_version: None,
            last_source: String::from("scim"),
            first_seen: 0,
            last_seen: 0,
        }
    }

    pub(crate) fn event(version: i64, name: &str, changes: Value) -> HistoryRecord {
        HistoryRecord {
            id: format!("h{version}"),
            version,
            event: String::from(name),
            connection: Some(String::from("scim")),
            connection_id: Some(String::from("con_1")),
            identity_id: Some(String::from("i")),
            mapping: Some(String::from("scim")),
            mapping_version: Some(1),
            actor: String::from("token:t"),
            changes,
            created_at: version * 1_000_000,
        }
    }

    /// Newest first.
    pub(crate) fn history() -> Vec<HistoryRecord> {
        let first = |line| explained("scim.user.created", "h1", line, 1_000_000);
        vec![
            event(
                3,
                "scim.user.patched",
                json!({
                "nickname": {"before": "Ann", "by": first(9)}, "app_metadata.department": {"before": null, "by": null}}),
            ),
            event(2, "scim.user.replaced", json!({"email": {"before": "anna@old.example", "by": first(7)}})),
            event(1, "scim.user.created", json!({"created": ["email", "nickname"]})),
        ]
    }
}
