//! The write policy: which of a mapping's results reach the profile. Pure. Owns the table of design §3 ("Who may
//! write what"), absence, and the comparison with what is stored; refuses to know where a record came from beyond
//! its [`Side`].

use super::provenance::Provenance;
use crate::mapping::{Absent, Given, Mapped, Rule, WritePolicy};
use crate::model::connection::SetUserRootAttributes;
use crate::profile::{Profile, Side, is_root};
use serde_json::{Map, Value};

/// What the policy is asked about.
pub struct Context<'a> {
    pub side: Side,
    pub option: SetUserRootAttributes,
    /// Secondary identities write no roots.
    pub primary: bool,
    pub identity_id: &'a str,
    /// None while the profile is being created.
    pub stored: Option<(&'a Profile, &'a Provenance)>,
    /// What this identity's mapping gave last time.
    pub previous: Option<&'a Map<String, Value>>,
}

/// What is to change, and what went wrong on the way.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    pub set: Vec<(Rule, Value)>,
    pub clear: Vec<Rule>,
    /// The old value stays; the reason goes to log and inbox.
    pub errors: Vec<(Rule, String)>,
    /// Reasons to refuse the whole record (`required`, `absent reject`).
    pub rejected: Vec<(Rule, String)>,
    /// What the mapping says of the source's own block, if anything.
    pub blocked: Option<bool>,
}

/// The rule's own word, else what the connection's option means for this side.
pub fn effective(rule: &Rule, side: Side, option: SetUserRootAttributes) -> WritePolicy {
    rule.policy.unwrap_or(match (side, option) {
        (Side::Push, SetUserRootAttributes::OnEachLogin) => WritePolicy::Always,
        (Side::Push, SetUserRootAttributes::OnFirstLogin | SetUserRootAttributes::NeverOnLogin) => WritePolicy::OnChange,
    })
}

/// Compares a mapping's results with what is stored, under the policy.
pub fn changes(mapped: &Mapped, context: &Context<'_>) -> Changes {
    let mut changes = Changes::default();
    for (rule, given) in &mapped.given {
        if let Given::Error(reason) = given {
            let list = if rule.required { &mut changes.rejected } else { &mut changes.errors };
            list.push((rule.clone(), reason.clone()));
            continue;
        }
        if matches!(given, Given::Absent) && (rule.required || rule.absent == Absent::Reject) {
            changes.rejected.push((rule.clone(), "has no value".into()));
            continue;
        }
        // Not a value of the profile but of the source's own block, which a secondary identity has as well.
        if rule.target == "blocked" {
            match given {
                Given::Value(Value::Bool(blocked)) => changes.blocked = Some(*blocked),
                Given::Value(_) => changes.errors.push((rule.clone(), "not a boolean".into())),
                _ => {}
            }
            continue;
        }
        if is_root(rule.target) && !context.primary {
            continue;
        }
        match given {
            Given::Value(value) if writes(rule, Some(value), context) => changes.set.push((rule.clone(), value.clone())),
            Given::Absent if clears(rule, context) => changes.clear.push(rule.clone()),
            _ => {}
        }
    }
    changes
}

fn writes(rule: &Rule, value: Option<&Value>, context: &Context<'_>) -> bool {
    let Some((profile, _)) = context.stored else { return true };
    let stored = profile.value(rule.target);
    if stored == value {
        return false;
    }
    match effective(rule, context.side, context.option) {
        WritePolicy::Always => true,
        WritePolicy::Create => false,
        WritePolicy::IfEmpty => stored.is_none(),
        WritePolicy::OnChange => context.previous.is_none_or(|previous| previous.get(rule.target) != value),
    }
}

/// Only what provenance says this identity wrote may go with its source's value.
fn clears(rule: &Rule, context: &Context<'_>) -> bool {
    let Some((profile, provenance)) = context.stored else { return false };
    let own = provenance.of(rule.target).is_some_and(|(source, _)| source.identity_id == context.identity_id);
    rule.absent == Absent::Clear && own && profile.value(rule.target).is_some() && writes(rule, None, context)
}

#[cfg(test)]
mod tests {
    use super::super::provenance::Source;
    use super::*;
    use serde_json::json;

    fn rule(target: &'static str, absent: Absent) -> Rule {
        Rule { target, line: 3, policy: None, absent, required: false }
    }

    fn mapped(entries: &[(&'static str, Given)]) -> Mapped {
        Mapped {
            given: entries
                .iter()
                .map(|(target, given)| {
                    (rule(target, if *target == "email" { Absent::Keep } else { Absent::Clear }), given.clone())
                })
                .collect(),
            gate: None,
        }
    }

    fn stored(writer: &str) -> (Profile, Provenance) {
        let mut profile = Profile::default();
        profile.set("name", "Old".into());
        profile.set("email", "old@x".into());
        profile.set("app_metadata.title", "Boss".into());
        let mut provenance = Provenance::default();
        let source = Source {
            connection: "c".into(),
            connection_id: "c".into(),
            identity_id: writer.into(),
            mapping: "scim".into(),
            mapping_version: 1,
            event: "e".into(),
            history_id: "h".into(),
            actor: "a".into(),
            at: 0,
        };
        provenance.record(&source, [("name", 1), ("email", 2), ("app_metadata.title", 3)]);
        (profile, provenance)
    }

    fn run(
        mapped: &Mapped,
        stored: &(Profile, Provenance),
        option: SetUserRootAttributes,
        primary: bool,
        previous: Option<&Map<String, Value>>,
    ) -> (Vec<String>, Vec<&'static str>) {
        let context =
            Context { side: Side::Push, option, primary, identity_id: "me", stored: Some((&stored.0, &stored.1)), previous };
        let changes = changes(mapped, &context);
        (
            changes.set.iter().map(|(rule, value)| format!("{}={value}", rule.target)).collect(),
            changes.clear.iter().map(|rule| rule.target).collect(),
        )
    }

    #[test]
    fn a_push_overwrites_under_on_each_login() {
        let mapped = mapped(&[("name", Given::Value("New".into()))]);
        let (set, _) = run(&mapped, &stored("me"), SetUserRootAttributes::OnEachLogin, true, None);
        assert_eq!(set, [r#"name="New""#]);
    }

    #[test]
    fn on_change_leaves_a_manual_edit_until_the_source_changes_its_mind() {
        let option = SetUserRootAttributes::OnFirstLogin;
        let previous = json!({"name": "Source"});
        let same = mapped(&[("name", Given::Value("Source".into()))]);
        assert_eq!(run(&same, &stored("me"), option, true, previous.as_object()).0, Vec::<String>::new());
        let other = mapped(&[("name", Given::Value("Changed".into()))]);
        assert_eq!(run(&other, &stored("me"), option, true, previous.as_object()).0, [r#"name="Changed""#]);
    }

    #[test]
    fn a_secondary_identity_writes_no_roots_but_its_metadata() {
        let mapped = mapped(&[("name", Given::Value("New".into())), ("app_metadata.title", Given::Value("Clerk".into()))]);
        let (set, _) = run(&mapped, &stored("me"), SetUserRootAttributes::OnEachLogin, false, None);
        assert_eq!(set, [r#"app_metadata.title="Clerk""#]);
    }

    #[test]
    fn absence_clears_only_what_this_identity_wrote_and_never_the_address() {
        let mapped = mapped(&[("app_metadata.title", Given::Absent), ("email", Given::Absent)]);
        let option = SetUserRootAttributes::OnEachLogin;
        assert_eq!(run(&mapped, &stored("me"), option, true, None).1, ["app_metadata.title"]);
        assert_eq!(run(&mapped, &stored("someone else"), option, true, None).1, Vec::<&str>::new());
    }
}
