//! From what a source says to profile attributes. Owns the [`Mapping`] trait, behind which the mapping language and
//! scripts stand, and its result [`Mapped`]. Total and bounded: a failing attribute never loses the others, and
//! nothing outside the [`Input`] is read. The words of the write policy are the language's own.

pub mod compiled;
pub mod javascript;

pub use rosterd_mapping::said::none_of;
pub use rosterd_mapping::target::{Absent, Merge, ROOTS, SCOPES, WritePolicy};

use serde_json::{Map, Value};
use std::sync::Arc;

/// One published version of a mapping, ready to run.
pub trait Mapping: Send + Sync {
    fn name(&self) -> &str;
    fn version(&self) -> i64;
    /// The text as published; lines in [`Rule::line`] count in it.
    fn text(&self) -> String;
    /// Runs every rule over the whole input.
    fn map(&self, input: &Input<'_>) -> Mapped;
    /// What it looks at.
    fn reads(&self) -> Reads;
    /// Was it written for another connector, which hands over more of somebody who logs in than the entry: `groups` by name,
    /// and `ldapStatus`?
    fn is_connector_script(&self) -> bool {
        false
    }
    /// What it looks at for anything but `groups`, which a source that hands its groups over itself does not need.
    fn reads_beside_groups(&self) -> Reads {
        self.reads()
    }
    /// What it is written for and gives, as `from ldap to profile`; `None`: a script, which takes whatever comes.
    fn direction(&self) -> Option<(&'static str, &'static str)> {
        None
    }
    /// Its rules, in the order of what [`Mapping::map`] gives; `None`: a script, which says by running what it writes.
    fn rules(&self) -> Option<&[Rule]> {
        None
    }
    /// The claims its rules write, in the order of what [`Mapping::map`] gives; none: it is not for applications.
    fn claims(&self) -> &[Claim] {
        &[]
    }
    /// May what its rule for `target` gives be shown to nobody?
    fn hides(&self, _target: &str) -> bool {
        false
    }
    /// Does it look at the stored profile?
    fn reads_stored(&self) -> bool {
        true
    }
    /// May the same input come to something else at another time?
    fn follows_the_clock(&self) -> bool {
        true
    }
}

/// What a mapping looks at in a source: what a directory has to be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// By name; `None`: whatever there is.
    pub attributes: Option<Vec<String>>,
    /// Those whose values are bytes though they may look like text.
    pub binary: Vec<String>,
}

/// What a rule of a mapping to `oidc` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The claim, and below it the member that is meant.
    pub path: Vec<String>,
    /// Told only where this scope was given.
    pub scope: Option<String>,
    /// Told here alone; `None`: everywhere.
    pub place: Option<ClaimPlace>,
}

/// Where an application reads claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimPlace {
    IdToken,
    Userinfo,
}

impl ClaimPlace {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdToken => "id_token",
            Self::Userinfo => "userinfo",
        }
    }
}

/// A mapping as text: a draft in a file, or a published version.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    pub name: String,
    /// From 1.
    pub version: i64,
    pub language: Language,
    pub text: String,
    /// What the text includes, in order: path and contents.
    pub includes: Vec<(String, String)>,
}

/// What a mapping is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// The mapping language.
    Mapping,
    /// An unchanged `profileMapper.js`.
    JavaScript,
}

impl Language {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mapping => "mapping",
            Self::JavaScript => "javascript",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Mapping, Self::JavaScript].into_iter().find(|language| language.as_str() == word)
    }

    /// Of its files, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Mapping => "mapping",
            Self::JavaScript => "js",
        }
    }
}

impl Published {
    /// The text with everything it includes below it: what a [`Rule::line`] counts in.
    pub fn listing(&self) -> String {
        self.includes.iter().fold(self.text.clone(), |mut listing, (_, contents)| {
            if !listing.ends_with('\n') {
                listing.push('\n');
            }
            listing + contents
        })
    }
}

/// All a mapping may look at.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What the source says of the person: `identities.raw`.
    pub payload: &'a Map<String, Value>,
    /// The profile as stored; none at an identity's first sight.
    pub stored: Option<&'a Map<String, Value>>,
    /// The instant of the run, unix microseconds.
    pub now: i64,
    /// Decides what `uuid()` and `random_string()` give.
    pub seed: [u8; 32],
}

/// Where a value comes from, for provenance.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Path in the profile: `email`, `app_metadata.title`.
    pub target: Arc<str>,
    /// The rule's line in the mapping's text, from 1.
    pub line: u32,
    /// `None` inherits the connection's.
    pub policy: Option<WritePolicy>,
    pub absent: Absent,
    pub merge: Merge,
    pub required: bool,
}

/// What one rule gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    Value(Value),
    Absent,
    /// The rule itself says to leave the stored value alone.
    Keep,
    /// The first of these that nobody bears yet; whoever reads the store turns it into a value or an error.
    FirstFree(Vec<String>),
    /// The attribute is left alone and the reason reported; it never holds the value.
    Error(String),
}

/// Stops a record before it reaches the profile.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// Not imported: the identity keeps the resource and has no profile; of somebody who has one, nothing counts but a `blocked`
    /// that is true.
    Skip { reason: String },
    /// Imported but barred: a `policy` block with this reason.
    Deny { reason: String },
}

/// The result of a mapping over one input: every rule with what it gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapped {
    pub given: Vec<(Rule, Given)>,
    /// What a mapping gives beyond the targets of its rules: kept in `identities.mapped`, shown in `profileData`, and
    /// never written to a profile.
    pub extras: Map<String, Value>,
    pub gate: Option<Gate>,
}

impl Mapped {
    /// The values alone, as stored in `identities.mapped`. A rule that gave nothing to go by (keep, an error) is
    /// still on record with what it gave before, so that `on_change` compares with the last real result. An extra never
    /// passes for the value of a rule. What is skipped is not taken, and what was given before stays on record.
    pub fn to_text(&self, previous: Option<&Map<String, Value>>) -> String {
        if let Some(Gate::Skip { .. }) = &self.gate {
            let mut object = previous.cloned().unwrap_or_default();
            if self.is_true("blocked") {
                object.insert("blocked".into(), true.into());
            }
            return Value::Object(object).to_string();
        }
        let is_target = |name: &str| self.given.iter().any(|(rule, _)| &*rule.target == name);
        let mut object: Map<String, Value> =
            self.extras.iter().filter(|(name, _)| !is_target(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
        for (rule, given) in &self.given {
            let value = match given {
                Given::Value(value) => Some(value),
                Given::Keep | Given::Error(_) => previous.and_then(|previous| previous.get(&*rule.target)),
                Given::Absent | Given::FirstFree(_) => None,
            };
            if let Some(value) = value {
                object.insert(rule.target.to_string(), value.clone());
            }
        }
        Value::Object(object).to_string()
    }

    /// Did a rule for `target` give `true`?
    pub fn is_true(&self, target: &str) -> bool {
        self.given.iter().any(|(rule, given)| &*rule.target == target && *given == Given::Value(Value::Bool(true)))
    }

    /// The text a rule for `target` gave.
    pub fn text(&self, target: &str) -> Option<&str> {
        self.given.iter().find_map(|(rule, given)| match given {
            Given::Value(Value::String(text)) if &*rule.target == target => Some(text.as_str()),
            _ => None,
        })
    }
}

/// Makes a text runnable.
///
/// # Errors
/// The first mistakes in it, in words.
pub fn compile(published: &Published) -> Result<Arc<dyn Mapping>, String> {
    match published.language {
        Language::JavaScript => {
            let sandbox = Arc::clone(javascript::sandbox::of_the_process());
            let mapping = javascript::JavascriptMapping::load(published, sandbox).map_err(|failure| failure.to_string())?;
            Ok(Arc::new(mapping))
        }
        Language::Mapping => Ok(Arc::new(compiled::Compiled::load(published)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn extras_stand_beside_the_values_and_never_pass_for_one() {
        let rule = |target: &str| Rule {
            target: target.into(),
            line: 1,
            policy: None,
            absent: Absent::Clear,
            merge: Merge::Replace,
            required: false,
        };
        let Value::Object(extras) = json!({"dn": "cn=a", "email": "claimed@x", "name": "claimed"}) else { panic!("an object") };
        let given = vec![(rule("name"), Given::Value("Anna".into())), (rule("email"), Given::Absent)];
        let mapped = Mapped { given, extras, gate: None };
        let text: Value = serde_json::from_str(&mapped.to_text(None)).expect("JSON");
        assert_eq!(text, json!({"dn": "cn=a", "name": "Anna"}));
    }
}
