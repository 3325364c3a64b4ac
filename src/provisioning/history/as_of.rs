//! The profile as it was: the profile as it is, with one event after the other taken back, newest first. Pure.

use super::makes;
use crate::clock::Micros;
use crate::profile::Profile;
use crate::store::users_read::{HistoryRecord, IdentityRecord, UserRecord};
use serde_json::{Map, Value};

/// A profile at some moment.
#[derive(Clone, Debug, PartialEq)]
pub struct AsOf {
    pub doc: Profile,
    /// Per attribute path, why it is so, spelled out.
    pub provenance: Map<String, Value>,
    pub blocked: bool,
    /// What logins gave as groups: those that are rows are nobody's value and stand in the log.
    pub groups: Option<Value>,
    pub version: i64,
}

impl AsOf {
    /// As it is. The provenance is taken as spelled out.
    pub fn now(user: &UserRecord, identities: &[IdentityRecord]) -> Self {
        Self {
            doc: Profile(user.doc.as_object().cloned().unwrap_or_default()),
            provenance: user.provenance.as_object().cloned().unwrap_or_default(),
            blocked: user.blocked,
            groups: given_groups(identities),
            version: user.version,
        }
    }

    /// Takes an event back, which has to be the newest that was not. `false`: there was no profile before it.
    pub fn undo(&mut self, event: &HistoryRecord) -> bool {
        if makes(&event.changes) {
            return false;
        }
        for (path, change) in event.changes.as_object().into_iter().flatten() {
            let before = change.get("before").filter(|value| !value.is_null()).cloned();
            match (path.as_str(), before) {
                // Who else is linked is no value of the profile.
                ("identities", _) => continue,
                // Any block there was.
                ("blocked", before) => self.blocked = before == Some(Value::Bool(true)),
                ("groups", before) => self.groups = before,
                (path, Some(before)) => self.doc.set(path, before),
                (path, None) => self.doc.clear(path),
            }
            match change.get("by").and_then(Value::as_object) {
                Some(by) => drop(self.provenance.insert(path.clone(), Value::Object(by.clone()))),
                None => drop(self.provenance.shift_remove(path)),
            }
        }
        self.version = event.version - 1;
        true
    }

    /// The value at a path; blocked and groups are no members of the document.
    pub fn value(&self, path: &str) -> Option<Value> {
        match path {
            "blocked" => Some(self.blocked.into()),
            "groups" => self.groups.clone(),
            _ => self.doc.value(path).cloned(),
        }
    }

    /// Why the value at a path is so.
    pub fn why(&self, path: &str) -> Map<String, Value> {
        self.provenance.get(path).and_then(Value::as_object).cloned().unwrap_or_default()
    }
}

/// Which of the events newer than `at` are to be taken back: `events` are newest first, and the first that was written by then
/// ends it, whatever the clock of another replica says of older ones.
pub fn newer(events: &[HistoryRecord], at: Micros) -> usize {
    events.iter().take_while(|event| event.created_at > at).count()
}

/// What logins gave as groups, over all identities.
fn given_groups(identities: &[IdentityRecord]) -> Option<Value> {
    let mut all: Vec<Value> = Vec::new();
    for group in identities.iter().filter_map(|identity| identity.login_mapped.get("groups")?.as_array()).flatten() {
        if !all.contains(group) {
            all.push(group.clone());
        }
    }
    (!all.is_empty()).then_some(Value::Array(all))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{event, history, user};
    use super::*;
    use serde_json::json;

    #[test]
    fn each_event_taken_back_gives_the_profile_of_before_it() {
        let mut profile = AsOf::now(&user(), &[]);
        let all = history();
        assert!(profile.undo(&all[0]));
        assert_eq!(Value::Object(profile.doc.0.clone()), json!({"email": "anna@new.example", "nickname": "Ann"}));
        assert_eq!(profile.why("nickname")["line"], 9);
        assert_eq!(profile.why("app_metadata.department"), Map::new());
        assert!(profile.undo(&all[1]));
        assert_eq!(profile.value("email"), Some(json!("anna@old.example")));
        assert_eq!((profile.why("email")["event"].clone(), profile.version), (json!("scim.user.created"), 1));
        assert!(!profile.undo(&all[2]), "before that there was nobody");
    }

    #[test]
    fn a_block_and_groups_are_taken_back_beside_the_document() {
        let mut profile = AsOf { blocked: false, groups: Some(json!(["new"])), ..AsOf::now(&user(), &[]) };
        let lifted = json!({"blocked": {"before": true, "by": null}, "groups": {"before": ["old"], "by": null}, "identities": {"before": null, "by": null}});
        let doc = profile.doc.clone();
        assert!(profile.undo(&event(3, "scim.user.replaced", lifted)));
        assert_eq!(
            (profile.value("blocked"), profile.value("groups"), profile.doc),
            (Some(json!(true)), Some(json!(["old"])), doc)
        );
    }

    #[test]
    fn an_event_of_the_very_moment_counts_and_one_after_it_does_not() {
        let all = history();
        assert_eq!([3_000_000, 2_999_999, 1_999_999, 999_999].map(|at| newer(&all, at)), [0, 1, 2, 3]);
    }

    #[test]
    fn the_newest_event_of_then_ends_it_where_clocks_disagree() {
        let mut all = history();
        all[1].created_at = 4_000_000;
        assert_eq!(newer(&all, 3_500_000), 0);
    }
}
