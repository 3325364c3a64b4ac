//! Operations on what has one value, and the merge of sub-attributes that lists share.

use super::{Patch, Verb};
use crate::scim::error::ScimError;
use crate::scim::path::Resolved;
use crate::scim::resource::is_unassigned;
use crate::scim::schema::{Attribute, Type};
use serde_json::{Map, Value};

impl<'s> Patch<'s> {
    /// A single value, or one sub-attribute of it: the value afterwards.
    pub(super) fn edit_single(
        &mut self,
        verb: Verb,
        at: Resolved<'s>,
        before: Option<Value>,
        value: Value,
    ) -> Result<Option<Value>, ScimError> {
        if at.attribute.kind != Type::Complex {
            return match verb {
                Verb::Remove => Ok(None),
                Verb::Replace => self.reader.value(at, value),
                Verb::Add => Ok(self.reader.value(at, value)?.or(before)),
            };
        }
        let mut object = into_object(before);
        if at.sub.is_none() && (verb == Verb::Remove || verb == Verb::Replace && self.unassigns(&value)) {
            return Ok(None);
        }
        let parts = self.parts_of(verb, at, value)?;
        merge(&mut object, &parts);
        Ok(if object.is_empty() { None } else { Some(object.into()) })
    }

    /// The sub-attributes an operation sets (`Some`) or unassigns (`None`), for `at` with or without a sub-attribute.
    pub(super) fn parts_of(
        &mut self,
        verb: Verb,
        at: Resolved<'s>,
        value: Value,
    ) -> Result<Vec<(&'s Attribute, Option<Value>)>, ScimError> {
        let mut parts = match (at.sub, verb) {
            (Some(sub), Verb::Remove) => vec![(sub, None)],
            (Some(sub), _) => vec![(sub, self.reader.value(at, value)?)],
            (None, _) => self.reader.parts(at, value)?,
        };
        if verb == Verb::Add {
            // Adding nothing changes nothing.
            parts.retain(|(_, value)| value.is_some());
        }
        Ok(parts)
    }

    /// Null, `[]` and, lenient, the empty string that some clients send for "no manager".
    pub(super) fn unassigns(&self, value: &Value) -> bool {
        is_unassigned(value) || (!self.strict() && value.as_str() == Some(""))
    }
}

/// Sets and unassigns sub-attributes. A `$ref` that was not sent along with a new `value` would name the old one.
pub(super) fn merge(object: &mut Map<String, Value>, parts: &[(&Attribute, Option<Value>)]) {
    let moves = |(sub, value): &(&Attribute, Option<Value>)| sub.name == "value" && object.get("value") != value.as_ref();
    if parts.iter().any(moves) {
        object.shift_remove("$ref");
    }
    for (sub, value) in parts {
        match value {
            Some(value) => {
                object.insert(sub.name.clone(), value.clone());
            }
            None => {
                object.shift_remove(&sub.name);
            }
        }
    }
}

pub(super) fn into_object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}
