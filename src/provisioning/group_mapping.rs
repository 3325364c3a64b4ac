//! What a group mapping makes of a group (design §3, *Groups*): whether it is taken into profiles, and under which
//! name. Pure. Without one every group is taken under its own name.

use super::decide::Moment;
use super::plan::Refusal;
use crate::mapping::{Absent, Gate, Given, Input, Mapping};
use crate::model::group::MappedGroup;
use crate::profile::GroupRecord;
use serde_json::{Map, Value, json};

/// A mapping's result for one group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupOutcome {
    pub mapped: MappedGroup,
    /// Attributes that failed: target, line, reason.
    pub warnings: Vec<Value>,
}

/// Runs `mapping` over the group as its source has it. The result is kept as
/// `{"name": …, "app_metadata": {…}}`, or `{"skipped": reason}` for a group that no profile is to show.
///
/// # Errors
/// [`Refusal::Rejected`] with all reasons, where a required value is missing or failed.
pub fn run(mapping: &dyn Mapping, moment: &Moment<'_>, record: &GroupRecord) -> Result<GroupOutcome, Refusal> {
    let input = Input { payload: &record.payload, stored: None, now: moment.now, seed: moment.entropy.bytes() };
    let result = mapping.map(&input);
    let kept =
        |text: Value| MappedGroup { text: text.to_string(), mapping: mapping.name().to_owned(), version: mapping.version() };
    if let Some(Gate::Skip { reason } | Gate::Deny { reason }) = result.gate {
        return Ok(GroupOutcome { mapped: kept(json!({"skipped": reason})), warnings: Vec::new() });
    }
    let (mut name, mut metadata) = (Value::from(record.name.as_str()), Map::new());
    let (mut warnings, mut reasons) = (Vec::new(), Vec::new());
    for (rule, given) in result.given {
        match given {
            Given::Value(value) => match rule.target.strip_prefix("app_metadata.") {
                Some(key) => drop(metadata.insert(key.to_owned(), value)),
                None => name = value,
            },
            Given::Error(reason) if rule.required => reasons.push((rule.target.to_string(), reason)),
            Given::Error(reason) => {
                warnings.push(json!({"attribute": &*rule.target, "line": rule.line, "reason": reason}));
            }
            Given::Absent if rule.required || rule.absent == Absent::Reject => {
                reasons.push((rule.target.to_string(), "has no value".into()));
            }
            Given::Absent | Given::Keep | Given::FirstFree(_) => {}
        }
    }
    if !reasons.is_empty() {
        return Err(Refusal::Rejected { reasons });
    }
    let mut text = json!({"name": name});
    if !metadata.is_empty() {
        text["app_metadata"] = Value::Object(metadata);
    }
    Ok(GroupOutcome { mapped: kept(text), warnings })
}
