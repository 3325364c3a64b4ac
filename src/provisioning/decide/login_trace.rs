//! What became of each attribute at a login, for an administrator: by which line of which mapping it was set, or why it was not. Names,
//! lines and reasons, never a value. Pure.

use super::Desk;
use crate::mapping::{Given, Mapped, Rule, WritePolicy};
use crate::model::connection::SetUserRootAttributes;
use crate::profile::{Profile, is_root};
use crate::provisioning::policy::{Changes, effective};
use serde_json::{Value, json};

/// Attributes that a line of text names.
const NAMED_MAX: usize = 12;

/// Whom the login met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// By this connection's id.
    Known,
    /// By `join`, at first sight.
    Joined,
    New,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Set,
    Cleared,
    /// It is so already.
    Same,
    /// The mapping gives nothing, and what stands there stays.
    Nothing,
    /// The rule, its file or the connection lets this login not write it.
    Kept(WritePolicy),
    /// `set_user_root_attributes` lets no login write it.
    NotByLogins,
    /// Another connection owns the roots of this profile.
    Secondary,
    Failed(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    attribute: String,
    line: u32,
    fate: Fate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginTrace {
    whom: Whom,
    mapping: String,
    version: i64,
    option: SetUserRootAttributes,
    /// The record says what it said the last time: nothing was asked of the rules.
    is_same: bool,
    attributes: Vec<Traced>,
}

/// Whom a login met and what it changes.
pub(super) struct Met<'a> {
    pub whom: Whom,
    pub is_primary: bool,
    pub is_same: bool,
    /// What stood there; `None`: the profile is made now.
    pub stored: Option<&'a Profile>,
    pub changes: &'a Changes,
    pub groups_change: bool,
}

pub(super) fn of(desk: &Desk<'_>, mapped: &Mapped, met: &Met<'_>) -> LoginTrace {
    // Not values of a profile, or settled once.
    let is_told = |target: &str| target != "user_id" && target != "blocked" && !target.starts_with("session.");
    let told = mapped.given.iter().filter(|(rule, _)| !met.is_same && is_told(&rule.target));
    let traced = |(rule, given): &(Rule, Given)| Traced {
        attribute: rule.target.to_string(),
        line: rule.line,
        fate: fate(desk, rule, given, met),
    };
    LoginTrace {
        whom: met.whom,
        mapping: desk.mapping.name().to_owned(),
        version: desk.mapping.version(),
        option: desk.root_attributes,
        is_same: met.is_same,
        attributes: told.map(traced).collect(),
    }
}

fn fate(desk: &Desk<'_>, rule: &Rule, given: &Given, met: &Met<'_>) -> Fate {
    let is_it = |other: &Rule| other.target == rule.target && other.line == rule.line;
    if met.changes.set.iter().any(|(other, _)| is_it(other)) {
        return Fate::Set;
    }
    if met.changes.clear.iter().any(is_it) {
        return Fate::Cleared;
    }
    match given {
        Given::Error(reason) => return Fate::Failed(reason.clone()),
        Given::Keep | Given::FirstFree(_) => return Fate::Nothing,
        Given::Absent | Given::Value(_) => {}
    }
    if &*rule.target == "groups" {
        return if met.groups_change { Fate::Set } else { Fate::Same };
    }
    if is_root(&rule.target) && !met.is_primary {
        return Fate::Secondary;
    }
    let stands = met.stored.and_then(|stored| stored.value(&rule.target));
    match (given, stands) {
        (Given::Absent, _) => Fate::Nothing,
        (Given::Value(value), Some(stands)) if value == stands => Fate::Same,
        _ => match effective(rule, desk.side, desk.root_attributes) {
            None => Fate::NotByLogins,
            Some(WritePolicy::Always) => Fate::Same,
            Some(policy) => Fate::Kept(policy),
        },
    }
}

impl Fate {
    fn word(&self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Cleared => "cleared",
            Self::Same => "same",
            Self::Nothing => "nothing",
            Self::Kept(_) | Self::NotByLogins | Self::Secondary => "kept",
            Self::Failed(_) => "failed",
        }
    }

    fn because(&self) -> Option<String> {
        match self {
            Self::Kept(policy) => Some(policy.as_str().to_owned()),
            Self::NotByLogins => Some(String::from("set_user_root_attributes")),
            Self::Secondary => Some(String::from("secondary identity")),
            Self::Failed(reason) => Some(reason.clone()),
            Self::Set | Self::Cleared | Self::Same | Self::Nothing => None,
        }
    }
}

impl LoginTrace {
    /// In one line: whom, and what it set.
    pub fn line(&self) -> String {
        let whom = match self.whom {
            Whom::Known => "somebody known",
            Whom::Joined => "somebody known by another connection, joined now",
            Whom::New => "somebody new",
        };
        if self.is_same {
            return format!("{whom}: said what was said the last time");
        }
        let mut text = format!("{whom}: {} version {}", self.mapping, self.version);
        let of = |word: &str| self.attributes.iter().filter(|one| one.fate.word() == word).collect::<Vec<_>>();
        for word in ["set", "cleared", "failed", "kept"] {
            let all = of(word);
            let named = all.iter().take(NAMED_MAX).map(|one| format!("{} (line {})", one.attribute, one.line));
            let named = named.collect::<Vec<_>>().join(", ");
            let more = if all.len() > NAMED_MAX { format!(" and {} more", all.len() - NAMED_MAX) } else { String::new() };
            if !all.is_empty() {
                text += &format!("; {word} {named}{more}");
            }
        }
        text
    }

    /// Each attribute.
    pub fn to_json(&self) -> Value {
        let attributes = self.attributes.iter().map(|one| {
            let mut object = json!({"attribute": one.attribute, "line": one.line, "outcome": one.fate.word()});
            if let Some(because) = one.fate.because() {
                object["because"] = because.into();
            }
            object
        });
        let whom = match self.whom {
            Whom::Known => "known",
            Whom::Joined => "joined",
            Whom::New => "new",
        };
        let option = match self.option {
            SetUserRootAttributes::OnEachLogin => "on_each_login",
            SetUserRootAttributes::OnFirstLogin => "on_first_login",
            SetUserRootAttributes::NeverOnLogin => "never_on_login",
        };
        json!({
            "whom": whom, "mapping": self.mapping, "mapping_version": self.version, "set_user_root_attributes": option,
            "said_the_same": self.is_same, "attributes": attributes.collect::<Vec<_>>(),
        })
    }
}
