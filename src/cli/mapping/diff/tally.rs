//! What differs between two mappings' results over many entries: counts per attribute and per outcome, with a few
//! samples of each. Pure; what may not be shown never gets in.

use crate::cli::mapping::value::{cut, short};
use crate::mapping::{Absent, Gate, Given, Mapped, Merge, Rule, WritePolicy};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const REDACTED: &str = "‹redacted›";

/// Differences so far.
pub struct Tally {
    samples_max: usize,
    pub entries: u64,
    /// Entries of which anything differs.
    pub changed: u64,
    pub attributes: BTreeMap<String, Counts>,
    /// Entries that end otherwise, by how they ended and how they end now.
    pub outcomes: BTreeMap<(&'static str, &'static str), Outcome>,
    /// Per attribute the words of its rule, old and new.
    words: [BTreeMap<String, String>; 2],
}

/// Of one attribute.
#[derive(Default)]
pub struct Counts {
    pub gaining: u64,
    pub losing: u64,
    pub changing: u64,
    pub failing: u64,
    pub mended: u64,
    /// One side clears the stored value, the other leaves it.
    pub absence: u64,
    pub samples: Vec<Sample>,
}

#[derive(Default)]
pub struct Outcome {
    pub count: u64,
    pub samples: Vec<Sample>,
}

#[derive(Debug, PartialEq)]
pub struct Sample {
    /// The user_id and the place in the input.
    pub who: String,
    pub old: String,
    pub new: String,
}

impl Counts {
    pub const fn any(&self) -> bool {
        self.gaining + self.losing + self.changing + self.failing + self.mended + self.absence > 0
    }
}

/// What one side says of one attribute.
#[derive(Clone, Copy, PartialEq)]
enum Says<'m> {
    Value(&'m Value),
    FirstFree(&'m [String]),
    Error(&'m str),
    /// The stored value goes.
    Clears,
    /// The stored value stays.
    Leaves,
    /// There is no rule.
    Nothing,
}

impl Says<'_> {
    fn of<'m>(rule: &Rule, given: &'m Given) -> Says<'m> {
        match given {
            Given::Value(value) => Says::Value(value),
            Given::FirstFree(texts) => Says::FirstFree(texts),
            Given::Error(reason) => Says::Error(reason),
            Given::Absent if rule.absent == Absent::Clear => Says::Clears,
            Given::Absent | Given::Keep => Says::Leaves,
        }
    }

    const fn is_value(self) -> bool {
        matches!(self, Self::Value(_) | Self::FirstFree(_))
    }

    const fn is_error(self) -> bool {
        matches!(self, Self::Error(_))
    }

    fn shown(self, hidden: bool) -> String {
        match self {
            Self::Value(_) | Self::FirstFree(_) if hidden => REDACTED.to_owned(),
            Self::Value(value) => short(value),
            Self::FirstFree(texts) => cut(&format!("first free of {}", texts.join(", "))),
            Self::Error(reason) => format!("error: {}", cut(reason)),
            Self::Clears => "absent, clears".to_owned(),
            Self::Leaves => "absent, keeps".to_owned(),
            Self::Nothing => "nothing".to_owned(),
        }
    }
}

/// How an entry ends, and why.
fn outcome(mapped: &Mapped) -> (&'static str, String) {
    match &mapped.gate {
        Some(Gate::Skip { reason }) => return ("skip", reason.clone()),
        Some(Gate::Deny { reason }) => return ("deny", reason.clone()),
        None => {}
    }
    let refusal = |(rule, given): &(Rule, Given)| match given {
        Given::Error(reason) if rule.required => Some(format!("{}: {reason}", rule.target)),
        Given::Absent if rule.required || rule.absent == Absent::Reject => Some(format!("{} has no value", rule.target)),
        _ => None,
    };
    match mapped.given.iter().find_map(refusal) {
        Some(reason) => ("rejected", reason),
        None => ("profile", String::new()),
    }
}

/// The words a rule ends with.
fn words(rule: &Rule) -> String {
    let mut words = vec![rule.policy.map_or("as the connection says", WritePolicy::as_str)];
    words.push(match rule.absent {
        Absent::Clear => "absent clear",
        Absent::Keep => "absent keep",
        Absent::Reject => "absent reject",
    });
    match rule.merge {
        Merge::Owned => words.push("merge owned"),
        Merge::Union => words.push("merge union"),
        Merge::Replace => {}
    }
    if rule.required {
        words.push("required");
    }
    words.join(", ")
}

impl Tally {
    pub fn new(samples_max: usize) -> Self {
        Self {
            samples_max,
            entries: 0,
            changed: 0,
            attributes: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            words: [BTreeMap::new(), BTreeMap::new()],
        }
    }

    /// Compares the results of one entry. `hidden` says which attributes may not be shown.
    pub fn add(&mut self, place: &str, old: &Mapped, new: &Mapped, hidden: &dyn Fn(&str) -> bool) {
        self.entries += 1;
        let (before, after) = (outcome(old), outcome(new));
        for (words, (mapped, (ended, _))) in self.words.iter_mut().zip([(old, &before), (new, &after)]) {
            if words.is_empty() && *ended == "profile" {
                *words = mapped.given.iter().map(|(rule, _)| (rule.target.to_string(), self::words(rule))).collect();
            }
        }
        let user = new.text("user_id").or_else(|| old.text("user_id")).filter(|_| !hidden("user_id"));
        let who = user.map_or_else(|| place.to_owned(), |user| format!("{} ({place})", cut(user)));
        if before.0 != after.0 {
            self.changed += 1;
            let outcome = self.outcomes.entry((before.0, after.0)).or_default();
            outcome.count += 1;
            if outcome.samples.len() < self.samples_max {
                outcome.samples.push(Sample { who, old: reason(&before), new: reason(&after) });
            }
        } else if before.0 == "profile" {
            self.changed += u64::from(self.attributes(&who, old, new, hidden));
        }
    }

    /// Whether any attribute differs.
    fn attributes(&mut self, who: &str, old: &Mapped, new: &Mapped, hidden: &dyn Fn(&str) -> bool) -> bool {
        let mut both: BTreeMap<&str, [Says<'_>; 2]> = BTreeMap::new();
        for (side, mapped) in [old, new].into_iter().enumerate() {
            for (rule, given) in &mapped.given {
                both.entry(&rule.target).or_insert([Says::Nothing; 2])[side] = Says::of(rule, given);
            }
        }
        let mut differs = false;
        for (target, [before, after]) in both {
            differs |= self.attribute(target, who, before, after, hidden);
        }
        differs
    }

    fn attribute(&mut self, target: &str, who: &str, before: Says<'_>, after: Says<'_>, hidden: &dyn Fn(&str) -> bool) -> bool {
        // Where one side has no rule, nothing that is stored comes from it: clearing nothing is no difference.
        let silent = |says: Says<'_>| matches!(says, Says::Clears | Says::Leaves | Says::Nothing);
        let same_silence = silent(before) && silent(after) && (before == Says::Nothing || after == Says::Nothing);
        if before == after || same_silence || before.is_error() && after.is_error() {
            return false;
        }
        let counts = self.attributes.entry(target.to_owned()).or_default();
        let count = match (before, after) {
            (_, Says::Error(_)) => &mut counts.failing,
            (Says::Error(_), _) => &mut counts.mended,
            _ if before.is_value() && after.is_value() => &mut counts.changing,
            _ if after.is_value() => &mut counts.gaining,
            _ if before.is_value() => &mut counts.losing,
            _ => &mut counts.absence,
        };
        *count += 1;
        if counts.samples.len() < self.samples_max {
            let hidden = hidden(target);
            counts.samples.push(Sample { who: who.to_owned(), old: before.shown(hidden), new: after.shown(hidden) });
        }
        true
    }

    /// Rules whose words differ, or that only one side has: target, old, new.
    pub fn words(&self) -> Vec<(&str, &str, &str)> {
        let [old, new] = &self.words;
        // A side that never got as far as a profile says nothing about its rules.
        if old.is_empty() || new.is_empty() {
            return Vec::new();
        }
        let mut targets: Vec<&String> = old.keys().chain(new.keys()).collect();
        targets.sort_unstable();
        targets.dedup();
        let word = |words: &'_ BTreeMap<String, String>, target: &String| words.get(target).cloned();
        targets
            .into_iter()
            .filter(|target| word(old, target) != word(new, target))
            .map(|target| {
                let of = |words| BTreeMap::get(words, target).map_or("no rule", String::as_str);
                (target.as_str(), of(old), of(new))
            })
            .collect()
    }

    pub fn as_json(&self) -> Value {
        let samples = |samples: &[Sample]| {
            samples.iter().map(|sample| json!({ "entry": sample.who, "old": sample.old, "new": sample.new })).collect::<Value>()
        };
        let attribute = |(target, counts): (&String, &Counts)| {
            json!({
                "attribute": target,
                "gaining": counts.gaining,
                "losing": counts.losing,
                "changing": counts.changing,
                "new_errors": counts.failing,
                "errors_gone": counts.mended,
                "keep_or_clear": counts.absence,
                "samples": samples(&counts.samples),
            })
        };
        let outcome = |((from, to), outcome): (&(&str, &str), &Outcome)| json!({ "old": from, "new": to, "entries": outcome.count, "samples": samples(&outcome.samples) });
        json!({
            "entries": self.entries,
            "changed": self.changed,
            "outcomes": self.outcomes.iter().map(outcome).collect::<Vec<_>>(),
            "attributes": self.attributes.iter().map(attribute).collect::<Vec<_>>(),
            "rules": self.words().iter().map(|(target, old, new)| json!({ "target": target, "old": old, "new": new })).collect::<Vec<_>>(),
        })
    }
}

fn reason((word, reason): &(&'static str, String)) -> String {
    if reason.is_empty() { (*word).to_owned() } else { format!("{word}: {}", cut(reason)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(given: &[(&str, Absent, Given)]) -> Mapped {
        let rule = |target: &str, absent| Rule {
            target: target.into(),
            line: 1,
            policy: None,
            absent,
            merge: Merge::Replace,
            required: target == "email",
        };
        let given = given.iter().map(|(target, absent, given)| (rule(target, *absent), given.clone())).collect();
        Mapped { given, ..Mapped::default() }
    }

    fn value(text: &str) -> Given {
        Given::Value(text.into())
    }

    #[test]
    fn each_kind_of_difference_is_counted_apart() {
        let (clear, keep) = (Absent::Clear, Absent::Keep);
        let old = mapped(&[
            ("a", clear, value("1")),
            ("b", clear, Given::Absent),
            ("c", clear, value("1")),
            ("d", clear, value("1")),
            ("e", clear, Given::Error("x".into())),
            ("f", clear, Given::Absent),
            ("g", clear, value("same")),
        ]);
        let new = mapped(&[
            ("a", clear, value("2")),
            ("b", clear, value("2")),
            ("c", clear, Given::Absent),
            ("d", clear, Given::Error("y".into())),
            ("e", clear, value("2")),
            ("f", keep, Given::Absent),
            ("g", clear, value("same")),
            ("h", clear, Given::Absent),
        ]);
        let mut tally = Tally::new(1);
        tally.add("line 1", &old, &new, &|target| target == "a");
        let counts: Vec<(&str, [u64; 6])> = tally
            .attributes
            .iter()
            .map(|(target, c)| (target.as_str(), [c.gaining, c.losing, c.changing, c.failing, c.mended, c.absence]))
            .collect();
        assert_eq!(
            counts,
            [
                ("a", [0, 0, 1, 0, 0, 0]),
                ("b", [1, 0, 0, 0, 0, 0]),
                ("c", [0, 1, 0, 0, 0, 0]),
                ("d", [0, 0, 0, 1, 0, 0]),
                ("e", [0, 0, 0, 0, 1, 0]),
                ("f", [0, 0, 0, 0, 0, 1]),
            ]
        );
        assert_eq!((tally.changed, tally.entries), (1, 1));
        assert_eq!(tally.attributes["a"].samples[0].new, "‹redacted›");
        assert_eq!(
            tally.words(),
            [
                ("f", "as the connection says, absent clear", "as the connection says, absent keep"),
                ("h", "no rule", "as the connection says, absent clear")
            ]
        );
    }

    #[test]
    fn an_entry_that_ends_otherwise_is_counted_once_and_not_by_attribute() {
        let profile = mapped(&[("name", Absent::Clear, value("x"))]);
        let rejected = mapped(&[("email", Absent::Keep, Given::Error("M110".into()))]);
        let skipped = Mapped { gate: Some(Gate::Skip { reason: "computer".into() }), ..Mapped::default() };
        let mut tally = Tally::new(1);
        tally.add("line 1", &profile, &rejected, &|_| false);
        tally.add("line 2", &profile, &skipped, &|_| false);
        tally.add("line 3", &skipped, &skipped, &|_| false);
        let ends: Vec<_> = tally.outcomes.iter().map(|(ends, outcome)| (*ends, outcome.samples[0].new.as_str())).collect();
        assert_eq!(ends, [(("profile", "rejected"), "rejected: email: M110"), (("profile", "skip"), "skip: computer")]);
        assert!(tally.attributes.is_empty());
        assert_eq!((tally.changed, tally.entries), (2, 3));
    }
}
