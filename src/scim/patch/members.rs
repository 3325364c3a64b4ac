//! Operations on a group's members. They are rows: nothing here reads or holds them.

use super::{Patch, Verb};
use crate::model::query::Query;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::path::{ElementFilter, Resolved};
use crate::scim::resource::{MemberKind, MemberRef};
use serde_json::Value;

/// One thing to do with a group's member rows.
#[derive(Clone, Debug, PartialEq)]
pub enum MemberOp {
    /// Adds each that isn't a member yet.
    Add(Vec<MemberRef>),
    /// Removes these ids; one that isn't a member is no error.
    Remove(Vec<String>),
    /// Removes the members that satisfy the query, whose fields are relative to one member (`value`, `type`, …).
    RemoveWhere(Query),
    /// These and no others; none empties the group.
    Replace(Vec<MemberRef>),
}

impl Patch<'_> {
    pub(super) fn edit_members(
        &mut self,
        verb: Verb,
        at: Resolved<'_>,
        filter: Option<&ElementFilter>,
        value: Value,
    ) -> Result<(), ScimError> {
        if at.sub.is_some() {
            return Err(fixed(at));
        }
        let value = match value {
            one @ Value::Object(_) if filter.is_none() && verb != Verb::Replace => vec![one].into(),
            value => value,
        };
        let operation = match (verb, filter) {
            (Verb::Add, None) => MemberOp::Add(self.reader.members(at, value)?.unwrap_or_default()),
            (Verb::Replace, None) => MemberOp::Replace(self.reader.members(at, value)?.unwrap_or_default()),
            (Verb::Remove, None) => match self.reader.members(at, value)? {
                Some(members) => MemberOp::Remove(members.into_iter().map(|member| member.id).collect()),
                None => MemberOp::Replace(Vec::new()),
            },
            (Verb::Remove, Some(filter)) => match only_id(filter) {
                Some(id) => MemberOp::Remove(vec![id.to_owned()]),
                None => MemberOp::RemoveWhere(filter.query.clone()),
            },
            (Verb::Add, Some(filter)) if !self.strict() => self.add_filtered(at, filter, value)?,
            (Verb::Add | Verb::Replace, Some(_)) => return Err(fixed(at)),
        };
        // Naming nobody does nothing; only a replacement by nobody means something.
        match &operation {
            MemberOp::Add(members) if members.is_empty() => {}
            MemberOp::Remove(ids) if ids.is_empty() => {}
            _ => self.members.push(operation),
        }
        Ok(())
    }

    /// `add members[value eq "x"]` adds x, unless the value says somebody else.
    fn add_filtered(&mut self, at: Resolved<'_>, filter: &ElementFilter, value: Value) -> Result<MemberOp, ScimError> {
        let id = only_id(filter).ok_or_else(|| fixed(at))?;
        let mut kind = None;
        for (sub, value) in self.reader.parts(at, value)? {
            match (sub.name.as_str(), value) {
                ("value", Some(value)) if value.as_str() != Some(id) => return Err(fixed(at)),
                ("type", Some(Value::String(word))) => kind = MemberKind::of_type(&word),
                _ => {}
            }
        }
        Ok(MemberOp::Add(vec![MemberRef { id: id.to_owned(), kind }]))
    }
}

/// The id, if that is all the filter asks.
fn only_id(filter: &ElementFilter) -> Option<&str> {
    match filter.creates.as_deref()? {
        [(name, Value::String(id))] if name == "value" => Some(id),
        _ => None,
    }
}

fn fixed(at: Resolved<'_>) -> ScimError {
    ScimError::of(ScimType::Mutability, format!("{at} is immutable: a member is added or removed, never edited"))
}
