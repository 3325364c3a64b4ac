//! What a mapping's results would do to a stored profile, in the words of `try`. Asks the write policy itself: a
//! preview by other rules than the sync's would mislead.

use super::value::short;
use crate::mapping::{Absent, Given, Mapped, Rule, WritePolicy};
use crate::model::connection::SetUserRootAttributes;
use crate::profile::{Profile, Side};
use crate::provisioning::policy::{self, Changes, Context};
use crate::provisioning::provenance::{Provenance, Source};
use serde_json::{Map, Value};

/// The identity whose mapping is tried; it is taken to have written everything that is stored.
const IDENTITY: &str = "tried";

/// A stored profile beside which a mapping is tried.
pub struct Existing {
    profile: Profile,
    provenance: Provenance,
}

impl Existing {
    pub fn new(profile: Map<String, Value>) -> Self {
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
        Self { profile: Profile(profile), provenance }
    }

    pub const fn document(&self) -> &Map<String, Value> {
        &self.profile.0
    }

    /// Per rule of `mapped` what would become of the stored value. `hidden` says whether one may be shown.
    pub fn effects(&self, mapped: &Mapped, hidden: impl Fn(&str) -> bool) -> Vec<String> {
        let context = Context {
            side: Side::Push,
            option: SetUserRootAttributes::OnEachLogin,
            primary: true,
            identity_id: IDENTITY,
            stored: Some((&self.profile, &self.provenance)),
            previous: None,
        };
        let changes = policy::changes(mapped, &context);
        let effect = |(rule, given): &(Rule, Given)| self.effect(rule, given, &changes, hidden(&rule.target));
        mapped.given.iter().map(effect).collect()
    }

    fn effect(&self, rule: &Rule, given: &Given, changes: &Changes, hidden: bool) -> String {
        let stored = self.profile.value(&rule.target);
        let was = || match stored {
            Some(_) if hidden => String::from("(was ‹redacted›)"),
            Some(value) => format!("(was {})", short(value)),
            None => String::new(),
        };
        let is_it = |(other, _): &(Rule, String)| other.target == rule.target;
        if changes.rejected.iter().any(is_it) {
            return "refuses the entry".into();
        }
        if changes.errors.iter().any(is_it) {
            return if stored.is_some() { "keeps the old value".into() } else { "nothing is written".into() };
        }
        // A person's block is a row, the name of a user is made once, a push's groups are rows.
        match (&*rule.target, given) {
            ("blocked", Given::Value(value)) if stored.unwrap_or(&Value::Bool(false)) == value => return "same".into(),
            ("blocked", Given::Value(_)) => return format!("changed {}", was()).trim_end().into(),
            ("user_id", _) => return "only when the user is made".into(),
            ("groups", _) => return "group rows decide, except at a login".into(),
            _ => {}
        }
        if changes.set.iter().any(|(other, _)| other.target == rule.target) {
            return if stored.is_none() { "new".into() } else { format!("changed {}", was()) };
        }
        if changes.clear.iter().any(|other| other.target == rule.target) {
            return format!("removed {}", was());
        }
        match given {
            Given::Value(value) if stored == Some(value) => "same".into(),
            Given::Absent if stored.is_none() => "same".into(),
            Given::Absent if rule.absent != Absent::Clear => format!("kept by absent keep {}", was()),
            Given::Keep if stored.is_none() => "same".into(),
            Given::Keep => format!("kept {}", was()),
            _ => match policy::effective(rule, Side::Push, SetUserRootAttributes::OnEachLogin) {
                Some(WritePolicy::Always) | None => "same".into(),
                Some(word) => format!("kept by {} {}", word.as_str(), was()).trim_end().into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Merge;
    use serde_json::json;

    fn effect(target: &str, policy: Option<WritePolicy>, absent: Absent, given: Given) -> String {
        let Value::Object(stored) = json!({"email": "a@old", "name": "Ann", "app_metadata": {"title": "x"}}) else { panic!() };
        let rule = Rule { target: target.into(), line: 1, policy, absent, merge: Merge::Replace, required: false };
        let mapped = Mapped { given: vec![(rule, given)], ..Mapped::default() };
        Existing::new(stored).effects(&mapped, |target| target == "app_metadata.title").remove(0)
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
}
