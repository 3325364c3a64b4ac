//! From what a source says to profile attributes. Owns the [`Mapping`] trait, its result [`Mapped`] and the words of
//! the write policy; the one mapping so far is [`scim`], fixed in code until the mapping language stands behind the
//! same trait. Total and bounded: a failing attribute never loses the others, and nothing outside the input is read.

pub mod scim;

use serde_json::{Map, Value};

/// One published version of a mapping, ready to run.
pub trait Mapping: Send + Sync {
    fn name(&self) -> &str;
    fn version(&self) -> i64;
    /// The text as published; lines in [`Rule::line`] count in it.
    fn text(&self) -> String;
    /// Runs every rule over the whole input.
    fn map(&self, input: &Map<String, Value>) -> Mapped;
}

/// When a rule's result is written over what is stored. A rule without a word inherits the connection's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WritePolicy {
    Always,
    Create,
    IfEmpty,
    /// Only if this source's own result differs from what it last gave.
    OnChange,
}

/// What an absent result does to the stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Remove it, if this identity wrote it.
    Clear,
    Keep,
    /// Refuse the whole record.
    Reject,
}

/// Where a value comes from, for provenance.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Path in the profile: `email`, `app_metadata.title`.
    pub target: &'static str,
    /// The rule's line in the mapping's text, from 1.
    pub line: u32,
    pub policy: Option<WritePolicy>,
    pub absent: Absent,
    pub required: bool,
}

/// What one rule gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    Value(Value),
    Absent,
    /// The attribute is left alone and the reason reported; it never holds the value.
    Error(String),
}

/// Stops a record before it reaches the profile.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// Not imported: the identity keeps the resource and has no profile.
    Skip { reason: String },
    /// Imported but barred: a `policy` block with this reason.
    Deny { reason: String },
}

/// The result of a mapping over one input: every rule with what it gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapped {
    pub given: Vec<(Rule, Given)>,
    pub gate: Option<Gate>,
}

impl Mapped {
    /// The values alone, as stored in `identities.mapped`.
    pub fn to_text(&self) -> String {
        let mut object = Map::new();
        for (rule, given) in &self.given {
            if let Given::Value(value) = given {
                object.insert(rule.target.to_owned(), value.clone());
            }
        }
        Value::Object(object).to_string()
    }
}
