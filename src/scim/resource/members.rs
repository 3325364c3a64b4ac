//! A group's members as a client names them. They become rows; the document never holds them.

use super::value::{Reader, too_many, wrong_type};
use crate::scim::error::{ScimError, ScimType};
use crate::scim::path::Resolved;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Most members in one body.
pub const MEMBERS_MAX: usize = 100_000;

/// One member as it was named; whether it exists is not known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRef {
    pub id: String,
    /// From `type`, else from `$ref`.
    pub kind: Option<MemberKind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    User,
    Group,
}

impl MemberKind {
    pub(in crate::scim) fn of_type(word: &str) -> Option<Self> {
        match word {
            _ if word.eq_ignore_ascii_case("User") => Some(Self::User),
            _ if word.eq_ignore_ascii_case("Group") => Some(Self::Group),
            _ => None,
        }
    }

    /// From the segment before the id in `…/Users/{id}`.
    fn of_reference(reference: &str) -> Option<Self> {
        let mut segments = reference.rsplit('/');
        segments.next()?;
        match segments.next()? {
            segment if segment.eq_ignore_ascii_case("Users") => Some(Self::User),
            segment if segment.eq_ignore_ascii_case("Groups") => Some(Self::Group),
            _ => None,
        }
    }
}

impl Reader {
    /// The members a value names, each once, in order. `None` for null.
    ///
    /// # Errors
    /// 400 `invalidValue` for another shape, an element without `value`, or more than [`MEMBERS_MAX`].
    pub(in crate::scim) fn members(&mut self, at: Resolved<'_>, value: Value) -> Result<Option<Vec<MemberRef>>, ScimError> {
        let elements = match value {
            Value::Null => return Ok(None),
            Value::Array(elements) => elements,
            other if self.mode().strict => return Err(wrong_type(at, "an array", &other)),
            other => vec![other],
        };
        if elements.len() > MEMBERS_MAX {
            return Err(too_many(at, MEMBERS_MAX));
        }
        let mut seen = HashSet::with_capacity(elements.len());
        let mut members = Vec::with_capacity(elements.len());
        for element in elements {
            let Some(member) = self.member(at, element)? else { continue };
            if seen.insert(member.id.clone()) {
                members.push(member);
            }
        }
        Ok(Some(members))
    }

    fn member(&mut self, at: Resolved<'_>, element: Value) -> Result<Option<MemberRef>, ScimError> {
        let object = match element {
            Value::Null => return Ok(None),
            Value::Object(object) => object,
            Value::String(id) if !self.mode().strict => Map::from_iter([("value".to_owned(), Value::String(id))]),
            other => return Err(wrong_type(at, "an array of objects", &other)),
        };
        let (mut id, mut label, mut reference) = (None, None, None);
        for (sub, value) in self.parts(at, Value::Object(object))? {
            let Some(Value::String(text)) = value else { continue };
            match sub.name.as_str() {
                "value" => id = Some(text),
                "type" => label = Some(text),
                "$ref" => reference = Some(text),
                _ => {}
            }
        }
        let kind =
            label.as_deref().and_then(MemberKind::of_type).or_else(|| reference.as_deref().and_then(MemberKind::of_reference));
        match id.filter(|id| !id.is_empty()) {
            Some(id) => Ok(Some(MemberRef { id, kind })),
            None => Err(ScimError::of(ScimType::InvalidValue, format!("an element of {at} has no value, the id of a member"))),
        }
    }
}
