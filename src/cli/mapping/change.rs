//! What a mapping's results would do to a stored profile, in the words of `try`. Asks the write policy itself: a
//! preview by other rules than the sync's would mislead.

use super::value::short;
use crate::mapping::{Absent, Given, Mapped, Rule, WritePolicy};
use crate::model::connection::SetUserRootAttributes;
use crate::profile::{Profile, Side};
use crate::provisioning::policy::{self, Changes, Context};
use crate::provisioning::provenance::{Provenance, Source};
use clap::ValueEnum;
use serde_json::{Map, Value};

/// The identity whose mapping is tried; it is taken to have written everything that is stored.
const IDENTITY: &str = "tried";

/// The connection's option of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RootAttributes {
    #[value(name = "on_each_login")]
    Each,
    #[value(name = "on_first_login")]
    First,
    #[value(name = "never_on_login")]
    Never,
}

impl RootAttributes {
    const fn option(self) -> SetUserRootAttributes {
        match self {
            Self::Each => SetUserRootAttributes::OnEachLogin,
            Self::First => SetUserRootAttributes::OnFirstLogin,
            Self::Never => SetUserRootAttributes::NeverOnLogin,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Each => "on_each_login",
            Self::First => "on_first_login",
            Self::Never => "never_on_login",
        }
    }
}

/// Who hands the entry over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// A login
    Login,
    /// A push, or the sync of a directory
    Push,
}

/// Which connection the mapping is tried for.
#[derive(Clone, Copy, Debug)]
pub struct Writing {
    pub by: By,
    pub root_attributes: RootAttributes,
}

impl Writing {
    const fn side(self) -> Side {
        match self.by {
            By::Login => Side::Login,
            By::Push => Side::Push,
        }
    }

    /// The word in force, and who says it: the rule (or its file), or the connection's option.
    pub fn in_force(self, rule: &Rule) -> (Option<WritePolicy>, &'static str) {
        let by = if rule.policy.is_some() { "rule" } else { self.root_attributes.word() };
        (policy::effective(rule, self.side(), self.root_attributes.option()), by)
    }
}

/// What becomes of the stored value.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    pub outcome: Outcome,
    /// For people.
    pub words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Changes,
    Stays,
    Clears,
    Refused,
}

/// A stored profile beside which a mapping is tried.
pub struct Existing {
    profile: Profile,
    provenance: Provenance,
    /// What the source gave the last time, if that is known.
    previous: Option<Profile>,
}

impl Existing {
    /// What is stored, and what the source gave the last time.
    pub fn new(profile: Map<String, Value>, previous: Option<Map<String, Value>>) -> Self {
        let mut paths: Vec<String> = Vec::new();
        for (name, value) in &profile {
            match value {
                Value::Object(inner) if name.ends_with("_metadata") => {
                    paths.extend(inner.keys().map(|key| format!("{name}.{key}")));
                }
                _ => paths.push(name.clone()),
            }
        }
        let source = Source {
            connection: String::new(),
            connection_id: String::new(),
            identity_id: IDENTITY.into(),
            mapping: String::new(),
            mapping_version: 0,
            event: String::new(),
            history_id: String::new(),
            actor: String::new(),
            at: 0,
        };
        let mut provenance = Provenance::default();
        provenance.record(&source, paths.iter().map(|path| (path.as_str(), 0)));
        Self { profile: Profile(profile), provenance, previous: previous.map(Profile) }
    }

    pub const fn document(&self) -> &Map<String, Value> {
        &self.profile.0
    }

    /// Per rule of `mapped` what would become of the stored value. `hidden` says whether one may be shown.
    pub fn effects(&self, mapped: &Mapped, writing: Writing, hidden: impl Fn(&str) -> bool) -> Vec<Effect> {
        // By target, as the store keeps it.
        let previous = self.previous.as_ref().map(|previous| {
            let value = |(rule, _): &(Rule, Given)| Some((rule.target.to_string(), previous.value(&rule.target)?.clone()));
            mapped.given.iter().filter_map(value).collect::<Map<String, Value>>()
        });
        let context = Context {
            side: writing.side(),
            option: writing.root_attributes.option(),
            primary: true,
            identity_id: IDENTITY,
            stored: Some((&self.profile, &self.provenance)),
            previous: previous.as_ref(),
        };
        let changes = policy::changes(mapped, &context);
        let effect = |(rule, given): &(Rule, Given)| self.effect(rule, given, &changes, writing, hidden(&rule.target));
        mapped.given.iter().map(effect).collect()
    }

    fn effect(&self, rule: &Rule, given: &Given, changes: &Changes, writing: Writing, hidden: bool) -> Effect {
        let stored = self.profile.value(&rule.target);
        let was = || match stored {
            Some(_) if hidden => String::from(" (was ‹redacted›)"),
            Some(value) => format!(" (was {})", short(value)),
            None => String::new(),
        };
        let effect = |outcome, words: String| Effect { outcome, words };
        let stays = |words: &str| effect(Outcome::Stays, words.to_owned());
        let kept = |by: &str| effect(Outcome::Stays, format!("kept{by}{}", was()));
        let is_it = |(other, _): &(Rule, String)| other.target == rule.target;
        if changes.rejected.iter().any(is_it) {
            return effect(Outcome::Refused, "refuses the entry".into());
        }
        if changes.errors.iter().any(is_it) {
            return stays(if stored.is_some() { "keeps the old value" } else { "nothing is written" });
        }
        // A person's block is a row, the name of a user is made once, a push's groups are rows.
        match (&*rule.target, given) {
            ("blocked", Given::Value(value)) if stored.unwrap_or(&Value::Bool(false)) == value => return stays("same"),
            ("blocked", Given::Value(_)) => return effect(Outcome::Changes, format!("changed{}", was())),
            ("user_id", _) => return stays("only when the user is made"),
            ("groups", _) if writing.by == By::Login => return stays("those of this login, beside the group rows"),
            ("groups", _) => return stays("group rows decide, except at a login"),
            _ => {}
        }
        if changes.set.iter().any(|(other, _)| other.target == rule.target) {
            let words = if stored.is_none() { "new".into() } else { format!("changed{}", was()) };
            return effect(Outcome::Changes, words);
        }
        if changes.clear.iter().any(|other| other.target == rule.target) {
            return effect(Outcome::Clears, format!("removed{}", was()));
        }
        match (given, writing.in_force(rule)) {
            (Given::Value(value), _) if stored == Some(value) => stays("same"),
            (Given::Absent | Given::Keep, _) if stored.is_none() => stays("same"),
            (Given::Keep, _) => kept(""),
            (_, (None, option)) => kept(&format!(" by {option}")),
            (Given::Absent, _) if rule.absent != Absent::Clear => kept(" by absent keep"),
            (_, (Some(WritePolicy::Always), _)) => stays("same"),
            (_, (Some(word), _)) => kept(&format!(" by {}", word.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Merge;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("an object") };
        object
    }

    fn stored() -> Map<String, Value> {
        object(json!({"email": "a@old", "name": "Ann", "app_metadata": {"title": "x"}}))
    }

    fn given(target: &str, policy: Option<WritePolicy>, absent: Absent, given: Given) -> Mapped {
        let rule = Rule { target: target.into(), line: 1, policy, absent, merge: Merge::Replace, required: false };
        Mapped { given: vec![(rule, given)], ..Mapped::default() }
    }

    const PUSH: Writing = Writing { by: By::Push, root_attributes: RootAttributes::Each };

    fn effect(target: &str, policy: Option<WritePolicy>, absent: Absent, value: Given) -> String {
        let mapped = given(target, policy, absent, value);
        Existing::new(stored(), None).effects(&mapped, PUSH, |target| target == "app_metadata.title").remove(0).words
    }

    #[test]
    fn each_outcome_has_its_words() {
        let value = |text: &str| Given::Value(text.into());
        let (clear, keep) = (Absent::Clear, Absent::Keep);
        assert_eq!(effect("email", None, keep, value("a@new")), "changed (was \"a@old\")");
        assert_eq!(effect("name", None, clear, value("Ann")), "same");
        assert_eq!(effect("nickname", None, clear, value("ann")), "new");
        assert_eq!(effect("name", Some(WritePolicy::Create), clear, value("Bob")), "kept by create (was \"Ann\")");
        assert_eq!(effect("name", Some(WritePolicy::IfEmpty), clear, value("Bob")), "kept by if_empty (was \"Ann\")");
        assert_eq!(effect("name", None, clear, Given::Absent), "removed (was \"Ann\")");
        assert_eq!(effect("email", None, keep, Given::Absent), "kept by absent keep (was \"a@old\")");
        assert_eq!(effect("name", None, clear, Given::Keep), "kept (was \"Ann\")");
        assert_eq!(effect("name", None, clear, Given::Error("odd".into())), "keeps the old value");
        assert_eq!(effect("name", None, Absent::Reject, Given::Absent), "refuses the entry");
        assert_eq!(effect("blocked", None, clear, Given::Value(true.into())), "changed");
    }

    #[test]
    fn a_sensitive_value_is_never_shown() {
        let given = Given::Value("y".into());
        assert_eq!(effect("app_metadata.title", None, Absent::Clear, given), "changed (was ‹redacted›)");
    }

    #[test]
    fn the_connections_option_decides_where_the_rule_says_nothing() {
        use RootAttributes::{Each, First, Never};
        let decided = |by, root_attributes, policy| {
            let mapped = given("name", policy, Absent::Clear, Given::Value("Bob".into()));
            let writing = Writing { by, root_attributes };
            let effect = Existing::new(stored(), None).effects(&mapped, writing, |_| false).remove(0);
            (effect.outcome, effect.words, writing.in_force(&mapped.given[0].0).1)
        };
        let changed = "changed (was \"Ann\")";
        for (by, option, policy, outcome, words, says) in [
            (By::Login, Each, None, Outcome::Changes, changed, "on_each_login"),
            (By::Login, First, None, Outcome::Stays, "kept by create (was \"Ann\")", "on_first_login"),
            (By::Login, Never, None, Outcome::Stays, "kept by never_on_login (was \"Ann\")", "never_on_login"),
            (By::Push, Never, None, Outcome::Changes, changed, "never_on_login"),
            (By::Login, Never, Some(WritePolicy::Always), Outcome::Changes, changed, "rule"),
            (By::Push, Each, Some(WritePolicy::IfEmpty), Outcome::Stays, "kept by if_empty (was \"Ann\")", "rule"),
        ] {
            assert_eq!(decided(by, option, policy), (outcome, words.to_owned(), says), "{by:?} {option:?} {policy:?}");
        }
    }

    #[test]
    fn what_the_source_gave_the_last_time_tells_an_edit_from_news() {
        let on_change = |previous: &str, now: &str| {
            let mapped = given("name", Some(WritePolicy::OnChange), Absent::Clear, Given::Value(now.into()));
            let existing = Existing::new(stored(), Some(object(json!({ "name": previous }))));
            existing.effects(&mapped, PUSH, |_| false).remove(0).words
        };
        assert_eq!(on_change("Anna", "Anna"), "kept by on_change (was \"Ann\")");
        assert_eq!(on_change("Anna", "Bob"), "changed (was \"Ann\")");
    }
}
