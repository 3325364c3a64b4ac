//! Events as changes of single attributes, each with the value before and after. A row holds what was before; what came after is
//! the before of the next newer row of the same attribute, or the profile. Pure.

use super::{AsOf, Hiding, changed, is_within};
use crate::clock::rfc3339;
use crate::store::users_read::HistoryRecord;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// One attribute that an event changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<'r> {
    pub event: &'r HistoryRecord,
    /// Which of the event's changes.
    pub number: usize,
    pub attribute: String,
    pub before: Option<Value>,
    pub after: After,
    /// The line of the mapping that wrote what came after, if one did.
    pub line: Option<u64>,
}

impl Change<'_> {
    /// As the management API shows it.
    pub fn as_json(&self, hiding: Hiding<'_>) -> Value {
        let event = self.event;
        let (after, is_known) = match &self.after {
            After::Value(after) => (after.clone(), true),
            After::Unknown => (None, false),
        };
        let mut object = json!({
            "at": rfc3339(event.created_at),
            "attribute": self.attribute,
            "before": hiding.shown_if(&self.attribute, self.before.clone()),
            "after": hiding.shown_if(&self.attribute, after),
            "event": event.event,
            "event_id": event.id,
            "connection": event.connection,
            "connection_id": event.connection_id,
            "identity_id": event.identity_id,
            "mapping": event.mapping,
            "version": event.mapping_version,
            "line": self.line,
            "actor": event.actor,
            "profile_version": event.version,
        });
        if !is_known {
            object["after_known"] = false.into();
        }
        object
    }
}

/// What came after a change.
#[derive(Clone, Debug, PartialEq)]
pub enum After {
    Value(Option<Value>),
    /// The row that says so is too far from here.
    Unknown,
}

/// A value, and why it was so.
pub type Standing = (Option<Value>, Map<String, Value>);

/// What is known of each attribute as it stood behind the newest row of a page.
#[derive(Debug, Default)]
pub struct Behind {
    standing: HashMap<String, Standing>,
    /// Everything newer was looked at, so that whatever is in none of it is as it is now.
    complete: bool,
}

impl Behind {
    /// Nothing is newer.
    pub fn newest() -> Self {
        Self { complete: true, ..Self::default() }
    }

    pub fn complete(&mut self) {
        self.complete = true;
    }

    /// Takes up what a newer row says of before it. Rows come oldest first; the first word counts.
    pub fn note(&mut self, event: &HistoryRecord) {
        for (path, change) in event.changes.as_object().into_iter().flatten() {
            if change.is_object() {
                self.standing.entry(path.clone()).or_insert_with(|| before(change));
            }
        }
    }

    /// Which of the attributes that `rows` (newest first) changed are known by nothing yet. One whose standing value the very row
    /// wrote, as its provenance says, is as it is now.
    pub fn open(&self, rows: &[HistoryRecord], now: &AsOf, asked: impl Fn(&str) -> bool) -> Vec<String> {
        if self.complete {
            return Vec::new();
        }
        let mut open: Vec<String> = Vec::new();
        let mut met: Vec<String> = Vec::new();
        for event in rows {
            for path in changed(&event.changes).into_iter().filter(|path| asked(path)) {
                if met.contains(&path) {
                    continue;
                }
                let by_it = now.why(&path).get("history_id").and_then(Value::as_str) == Some(event.id.as_str());
                if !by_it && !self.standing.contains_key(&path) {
                    open.push(path.clone());
                }
                met.push(path);
            }
        }
        open
    }

    fn of(&self, path: &str, event: &HistoryRecord, now: &AsOf) -> Option<Standing> {
        let by_it = || now.why(path).get("history_id").and_then(Value::as_str) == Some(event.id.as_str());
        match self.standing.get(path) {
            Some(standing) => Some(standing.clone()),
            None if self.complete || by_it() => Some((now.value(path), now.why(path))),
            None => None,
        }
    }
}

fn before(change: &Value) -> Standing {
    let value = change.get("before").filter(|value| !value.is_null()).cloned();
    (value, change.get("by").and_then(Value::as_object).cloned().unwrap_or_default())
}

/// The changes of `rows` (newest first) to what is `asked` for.
pub fn changes<'r>(rows: &'r [HistoryRecord], behind: Behind, now: &AsOf, asked: Option<&str>) -> Vec<Change<'r>> {
    let mut behind = behind;
    let mut all = Vec::new();
    for event in rows {
        for (number, path) in changed(&event.changes).into_iter().enumerate() {
            let standing = behind.of(&path, event, now);
            let own = event.changes.get(&path).filter(|change| change.is_object()).map(before);
            let line = standing.as_ref().and_then(|(_, by)| {
                let wrote = by.get("history_id")?.as_str()? == event.id;
                by.get("line")?.as_u64().filter(|line| wrote && *line > 0)
            });
            if asked.is_none_or(|asked| is_within(&path, asked)) {
                all.push(Change {
                    event,
                    number,
                    attribute: path.clone(),
                    before: own.as_ref().and_then(|(value, _)| value.clone()),
                    after: standing.map_or(After::Unknown, |(value, _)| After::Value(value)),
                    line,
                });
            }
            behind.standing.insert(path, own.unwrap_or_default());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::tests::{history, user};
    use super::*;
    use serde_json::json;

    type Told = (i64, String, Value, Value, Option<u64>);

    fn told(changes: &[Change<'_>]) -> Vec<Told> {
        let told = |change: &Change<'_>| {
            let After::Value(after) = &change.after else { panic!("not known") };
            let of = |value: &Option<Value>| value.clone().unwrap_or_default();
            (change.event.version, change.attribute.clone(), of(&change.before), of(after), change.line)
        };
        changes.iter().map(told).collect()
    }

    fn whole() -> Vec<Told> {
        let row = |version, path: &str, before, after, line| (version, path.to_owned(), before, after, line);
        vec![
            row(3, "nickname", json!("Ann"), json!(null), Some(9)),
            row(3, "app_metadata.department", json!(null), json!("R&D"), Some(12)),
            row(2, "email", json!("anna@old.example"), json!("anna@new.example"), Some(7)),
            row(1, "email", json!(null), json!("anna@old.example"), Some(7)),
            row(1, "nickname", json!(null), json!("Ann"), Some(9)),
        ]
    }

    #[test]
    fn each_change_has_what_was_before_and_what_came_after() {
        let rows = history();
        assert_eq!(told(&changes(&rows, Behind::newest(), &AsOf::now(&user(), &[]), None)), whole());
    }

    #[test]
    fn a_later_part_says_the_same_once_newer_rows_were_looked_at() {
        let (rows, now) = (history(), AsOf::now(&user(), &[]));
        let mut behind = Behind::default();
        assert_eq!(behind.open(&rows[2..], &now, |_| true), ["email", "nickname"]);
        behind.note(&rows[1]);
        assert_eq!(behind.open(&rows[2..], &now, |_| true), ["nickname"]);
        behind.note(&rows[0]);
        assert_eq!(told(&changes(&rows[2..], behind, &now, None)), whole()[3..]);
    }

    #[test]
    fn what_the_standing_value_is_by_needs_no_newer_row() {
        let (rows, now) = (history(), AsOf::now(&user(), &[]));
        let behind = Behind::default();
        assert!(behind.open(&rows[1..2], &now, |_| true).is_empty());
        assert_eq!(told(&changes(&rows[1..2], behind, &now, None)), whole()[2..3]);
    }

    #[test]
    fn what_is_too_far_away_is_unknown_and_not_guessed() {
        let rows = history();
        let all = changes(&rows[2..], Behind::default(), &AsOf::now(&user(), &[]), Some("nickname"));
        assert_eq!((all.len(), &all[0].after, all[0].line), (1, &After::Unknown, None));
    }
}
