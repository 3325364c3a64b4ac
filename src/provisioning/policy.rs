//! The write policy: which of a mapping's results reach the profile. Pure. Owns the table of design §3 ("Who may
//! write what"), absence, and the comparison with what is stored; refuses to know where a record came from beyond
//! its [`Side`].

use super::provenance::Provenance;
use crate::mapping::{Absent, Given, Mapped, Merge, Rule, WritePolicy};
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

/// The rule's own word (or its file's), else what the connection's option means for this side. None: not written at
/// all, not even when a profile is made.
pub fn effective(rule: &Rule, side: Side, option: SetUserRootAttributes) -> Option<WritePolicy> {
    rule.policy.or(inherited(side, option))
}

/// What the connection's option means for a rule of this side that has no word of its own.
pub fn inherited(side: Side, option: SetUserRootAttributes) -> Option<WritePolicy> {
    match (side, option) {
        (Side::Push | Side::Sync | Side::Login, SetUserRootAttributes::OnEachLogin) => Some(WritePolicy::Always),
        (Side::Push | Side::Sync, SetUserRootAttributes::OnFirstLogin | SetUserRootAttributes::NeverOnLogin) => {
            Some(WritePolicy::OnChange)
        }
        (Side::Login, SetUserRootAttributes::OnFirstLogin) => Some(WritePolicy::Create),
        (Side::Login, SetUserRootAttributes::NeverOnLogin) => None,
    }
}

/// Compares a mapping's results with what is stored, under the policy.
pub fn changes(mapped: &Mapped, context: &Context<'_>) -> Changes {
    let mut changes = Changes::default();
    for (rule, given) in &mapped.given {
        match given {
            Given::Error(reason) => {
                let list = if rule.required { &mut changes.rejected } else { &mut changes.errors };
                list.push((rule.clone(), reason.clone()));
                continue;
            }
            Given::Absent if rule.required || rule.absent == Absent::Reject => {
                changes.rejected.push((rule.clone(), "has no value".into()));
                continue;
            }
            // Whoever asked the store has turned the candidates into a value where one could be written.
            Given::Keep | Given::FirstFree(_) => continue,
            Given::Value(_) | Given::Absent => {}
        }
        // Not a value of the profile but of the source's own block, which a secondary identity has as well.
        if &*rule.target == "blocked" {
            match given {
                Given::Value(Value::Bool(blocked)) => changes.blocked = Some(*blocked),
                Given::Value(_) => changes.errors.push((rule.clone(), "not a boolean".into())),
                _ => {}
            }
            continue;
        }
        if !is_written(&rule.target) || is_root(&rule.target) && !context.primary {
            continue;
        }
        let value = match given {
            Given::Value(value) => Some(value),
            _ => None,
        };
        match outcome(rule, value, context) {
            Some(Write::Set(value)) => changes.set.push((rule.clone(), value)),
            Some(Write::Clear) => changes.clear.push(rule.clone()),
            None => {}
        }
    }
    changes
}

enum Write {
    Set(Value),
    Clear,
}

/// What one result does to the stored value; `None` = nothing.
fn outcome(rule: &Rule, value: Option<&Value>, context: &Context<'_>) -> Option<Write> {
    let policy = effective(rule, context.side, context.option)?;
    let Some((profile, provenance)) = context.stored else { return value.cloned().map(Write::Set) };
    let stored = profile.value(&rule.target);
    let previous = context.previous.and_then(|previous| previous.get(&*rule.target));
    let allowed = match policy {
        WritePolicy::Always => true,
        WritePolicy::Create => false,
        WritePolicy::IfEmpty => stored.is_none(),
        WritePolicy::OnChange => context.previous.is_none() || previous != value,
    };
    if !allowed {
        return None;
    }
    let wanted = match (value, rule.merge) {
        (Some(Value::Array(given)), merge @ (Merge::Owned | Merge::Union)) => Some(merged(given, stored, previous, merge)),
        (Some(value), _) => Some(value.clone()),
        (None, _) if rule.absent != Absent::Clear => return None,
        (None, Merge::Union) => return None,
        // Others may have put values into the list: only what this identity gave goes.
        (None, Merge::Owned) if stored.is_some_and(Value::is_array) => {
            Some(merged(&[], stored, previous, Merge::Owned)).filter(|rest| rest.as_array().is_some_and(|rest| !rest.is_empty()))
        }
        // Only what provenance says this identity wrote may go with its source's value.
        (None, _) => {
            let (source, _) = provenance.of(&rule.target)?;
            if source.identity_id != context.identity_id {
                return None;
            }
            None
        }
    };
    match wanted {
        Some(value) if stored == Some(&value) => None,
        Some(value) => Some(Write::Set(value)),
        None if stored.is_some() => Some(Write::Clear),
        None => None,
    }
}

/// The stored list with this identity's values exchanged (`owned`) or completed (`union`); what others put there keeps
/// its place.
fn merged(given: &[Value], stored: Option<&Value>, previous: Option<&Value>, merge: Merge) -> Value {
    let own = previous.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let stored = stored.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let gone = |value: &Value| merge == Merge::Owned && own.contains(value) && !given.contains(value);
    let mut list: Vec<Value> = stored.iter().filter(|value| !gone(value)).cloned().collect();
    for value in given {
        if !list.contains(value) {
            list.push(value.clone());
        }
    }
    Value::Array(list)
}

/// Is this target a value of the profile's document? `user_id` proposes a name when a profile is made, `session` is a
/// login's, and groups are rows or stand in what a login's mapping gave.
fn is_written(target: &str) -> bool {
    target != "user_id" && target != "groups" && !target.starts_with("session.")
}

#[cfg(test)]
mod tests;
