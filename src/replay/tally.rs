//! What differences come to over many people: counts per attribute and per fate, with a few samples of each. Bounded whatever the
//! number of people, and kept as JSON between two parts of a walk. What may not be shown never gets in.

use crate::provisioning::difference::{Difference, Fate};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Samples kept of each kind.
pub const SAMPLES_MAX: usize = 5;
/// Attributes and kinds of errors told apart.
const KINDS_MAX: usize = 500;
/// Bytes of a value that a sample shows.
const SHOWN_BYTES_MAX: usize = 200;
const REDACTED: &str = "‹redacted›";

/// Counts so far. A person is counted once for each side that the mapping serves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Stored payloads that were mapped.
    pub people: u64,
    pub unchanged: u64,
    /// They take the version, and nothing of the profile moves.
    pub derived: u64,
    pub changed: u64,
    pub let_in: Counted,
    pub skipped: Counted,
    /// Refused as a record: who has a profile keeps it as it is.
    pub rejected: Counted,
    /// The same login would not get in.
    pub would_not_enter: Counted,
    /// Profiles that get a block, and that lose one.
    pub blocks: Counted,
    pub unblocks: Counted,
    /// The mapping would call them something else, were they new.
    pub user_ids: Counted,
    pub attributes: BTreeMap<String, Attribute>,
    /// By attribute, or by the code of a refusal.
    pub errors: BTreeMap<String, Counted>,
    /// Kinds that were not told apart any more.
    pub untold: u64,
    /// Of a replay: who was left out, since they would have been locked out beyond the budget, or could not be stored.
    pub held_back: Counted,
    pub failed: Counted,
}

/// A number with some of what it counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    pub count: u64,
    pub samples: Vec<Sample>,
}

/// Of one attribute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    pub added: u64,
    pub changed: u64,
    pub removed: u64,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub user: String,
    pub connection: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Whose difference it is.
#[derive(Clone, Copy)]
pub struct Who<'w> {
    pub user: &'w str,
    pub connection: &'w str,
    pub hides: &'w dyn Fn(&str) -> bool,
}

impl Who<'_> {
    fn sample(&self, why: Option<&str>) -> Sample {
        Sample {
            user: self.user.to_owned(),
            connection: self.connection.to_owned(),
            why: why.filter(|why| !why.is_empty()).map(|why| cut(why).to_owned()),
            ..Sample::default()
        }
    }

    fn shown(&self, path: &str, value: Option<&Value>) -> Option<Value> {
        let value = value?;
        if (self.hides)(path) {
            return Some(REDACTED.into());
        }
        let text = value.to_string();
        Some(if text.len() > SHOWN_BYTES_MAX { format!("{}…", cut(&text)).into() } else { value.clone() })
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHOWN_BYTES_MAX)]
}

impl Counted {
    fn add(&mut self, sample: impl FnOnce() -> Sample) {
        self.count += 1;
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(sample());
        }
    }
}

impl Tally {
    /// Counts one side of one person.
    pub fn add(&mut self, who: Who<'_>, difference: &Difference) {
        match &difference.fate {
            Fate::NotMeant => return,
            Fate::Unchanged => self.unchanged += 1,
            Fate::Derived => self.derived += 1,
            Fate::Changed => self.changed += 1,
            Fate::LetIn => self.let_in.add(|| who.sample(None)),
            Fate::Skipped { reason } => self.skipped.add(|| who.sample(Some(reason))),
            Fate::WouldNotEnter { code, because } => {
                self.would_not_enter.add(|| who.sample(Some(&format!("{code}: {because}"))));
            }
            Fate::Refused { code, reasons } => {
                self.rejected.add(|| who.sample(reasons.first().map(|(_, why)| why.as_str())));
                for (attribute, why) in reasons {
                    self.error(if attribute.is_empty() { code } else { attribute }, who, why);
                }
            }
        }
        self.people += 1;
        for (attribute, why) in &difference.errors {
            self.error(attribute, who, why);
        }
        if let Some((kind, why)) = difference.blocks.first() {
            self.blocks.add(|| who.sample(Some(&format!("{}: {why}", kind.as_str()))));
        }
        if let Some(kind) = difference.lifts.first() {
            self.unblocks.add(|| who.sample(Some(kind.as_str())));
        }
        if let Some((before, after)) = &difference.user_id {
            let shown = |value| who.shown("user_id", Some(value));
            self.user_ids.add(|| Sample { before: shown(before), after: shown(after), ..who.sample(None) });
        }
        for moved in &difference.moved {
            if !self.attributes.contains_key(&moved.path) && self.attributes.len() >= KINDS_MAX {
                self.untold += 1;
                continue;
            }
            let attribute = self.attributes.entry(moved.path.clone()).or_default();
            match (&moved.before, &moved.after) {
                (None, _) => attribute.added += 1,
                (Some(_), None) => attribute.removed += 1,
                (Some(_), Some(_)) => attribute.changed += 1,
            }
            if attribute.samples.len() < SAMPLES_MAX {
                let shown = |value: &Option<Value>| who.shown(&moved.path, value.as_ref());
                let (before, after) = (shown(&moved.before), shown(&moved.after));
                attribute.samples.push(Sample { before, after, ..who.sample(None) });
            }
        }
    }

    fn error(&mut self, kind: &str, who: Who<'_>, why: &str) {
        if !self.errors.contains_key(kind) && self.errors.len() >= KINDS_MAX {
            self.untold += 1;
            return;
        }
        self.errors.entry(kind.to_owned()).or_default().add(|| who.sample(Some(why)));
    }

    /// Somebody who was to be changed and was left out.
    pub fn left_out(&mut self, who: Who<'_>, failed: Option<&str>) {
        self.people += 1;
        let list = if failed.is_some() { &mut self.failed } else { &mut self.held_back };
        list.add(|| who.sample(failed));
    }

    pub fn as_json(&self) -> Value {
        let samples = |samples: &[Sample]| json!(samples);
        let some = |some: &Counted| json!({ "count": some.count, "samples": samples(&some.samples) });
        let attribute = |(path, of): (&String, &Attribute)| {
            json!({
                "attribute": path,
                "added": of.added,
                "changed": of.changed,
                "removed": of.removed,
                "samples": samples(&of.samples),
            })
        };
        let error =
            |(kind, of): (&String, &Counted)| json!({ "attribute": kind, "count": of.count, "samples": samples(&of.samples) });
        json!({
            "people": self.people,
            "unchanged": self.unchanged,
            "derived": self.derived,
            "changed": self.changed,
            "let_in": some(&self.let_in),
            "skipped": some(&self.skipped),
            "rejected": some(&self.rejected),
            "would_not_enter": some(&self.would_not_enter),
            "blocks": some(&self.blocks),
            "unblocks": some(&self.unblocks),
            "user_ids": some(&self.user_ids),
            "attributes": self.attributes.iter().map(attribute).collect::<Vec<_>>(),
            "errors": self.errors.iter().map(error).collect::<Vec<_>>(),
            "untold": self.untold,
            "held_back": some(&self.held_back),
            "failed": some(&self.failed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::user::BlockKind;
    use crate::provisioning::difference::Moved;

    fn difference(fate: Fate) -> Difference {
        Difference { fate, moved: Vec::new(), blocks: Vec::new(), lifts: Vec::new(), errors: Vec::new(), user_id: None }
    }

    fn moved(path: &str, before: Option<&str>, after: Option<&str>) -> Moved {
        Moved { path: path.into(), before: before.map(Value::from), after: after.map(Value::from) }
    }

    fn who<'w>(user: &'w str, hides: &'w dyn Fn(&str) -> bool) -> Who<'w> {
        Who { user, connection: "hr", hides }
    }

    #[test]
    fn each_kind_of_change_is_counted_apart_and_what_is_sensitive_is_not_shown() {
        let mut tally = Tally::default();
        let all = vec![
            moved("name", Some("Ann"), Some("Anna")),
            moved("nickname", None, Some("ann")),
            moved("app_metadata.salary", Some("1"), Some("2")),
            moved("locale", Some("de"), None),
        ];
        let hides = |path: &str| path.ends_with("salary");
        tally.add(who("a", &hides), &Difference { moved: all, ..difference(Fate::Changed) });
        let counts = |path: &str| {
            let of = &tally.attributes[path];
            (of.added, of.changed, of.removed)
        };
        assert_eq!((counts("nickname"), counts("name"), counts("locale")), ((1, 0, 0), (0, 1, 0), (0, 0, 1)));
        assert!(!tally.as_json().to_string().contains("\"2\""), "{}", tally.as_json());
        assert_eq!((tally.people, tally.changed), (1, 1));
    }

    #[test]
    fn samples_are_few_and_short_whatever_comes() {
        let mut tally = Tally::default();
        let long = "x".repeat(5_000);
        for at in 0..1_000 {
            let moved = vec![moved("name", None, Some(&long)), moved(&format!("app_metadata.k{at}"), None, Some("v"))];
            let errors = vec![(format!("app_metadata.e{at}"), long.clone())];
            let user = format!("u{at}");
            tally.add(who(&user, &|_| false), &Difference { moved, errors, ..difference(Fate::Changed) });
        }
        assert_eq!((tally.attributes["name"].added, tally.attributes["name"].samples.len()), (1_000, SAMPLES_MAX));
        assert!(tally.attributes.len() <= KINDS_MAX && tally.errors.len() <= KINDS_MAX && tally.untold > 900);
        assert!(tally.as_json().to_string().len() < 600_000);
    }

    #[test]
    fn fates_and_blocks_are_counted_once_and_who_is_not_meant_is_not() {
        let mut tally = Tally::default();
        let none = |_: &str| false;
        for fate in [
            Fate::NotMeant,
            Fate::Unchanged,
            Fate::Derived,
            Fate::LetIn,
            Fate::Skipped { reason: "robot".into() },
            Fate::WouldNotEnter { code: "denied", because: "intern".into() },
            Fate::Refused { code: "rejected", reasons: vec![("email".into(), "has no value".into())] },
        ] {
            tally.add(who("a", &none), &difference(fate));
        }
        let blocked = Difference { blocks: vec![(BlockKind::Policy, "leaver".into())], ..difference(Fate::Changed) };
        tally.add(who("b", &none), &blocked);
        assert_eq!((tally.people, tally.blocks.count, tally.let_in.count, tally.skipped.count), (7, 1, 1, 1));
        assert_eq!(tally.errors["email"].samples[0].why.as_deref(), Some("has no value"));
        let text = serde_json::to_string(&tally).unwrap();
        assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), tally, "it is kept between two parts of a walk");
    }
}
