//! PATCH (RFC 7644 §3.5.2): operations in, the resource as it should be out, or the reason why not. Nothing is changed
//! in place, so a request that fails at its third operation leaves no trace of the first two.
//!
//! Owns: the table of operation × target (add, replace, remove; nothing, attribute, list, `[filter]`,
//! `[filter].sub`, extension), the primary rule, and the forms of Entra and Okta. Refuses: reading members. They are
//! rows: what is asked of them comes out as [`MemberOp`]s, in order, for the store to do row by row.
//!
//! Policies where the RFC is silent:
//! - A path through a filter that matches nothing makes the element if the filter is a conjunction of `eq` terms.
//!   Strict, only `add` does; `replace` is `noTarget`.
//! - `remove` of a list with a `value` removes those elements only, strict or not: the other reading wipes groups.
//!   An empty `value` names nothing and removes nothing.
//! - `list.sub` without a filter means that sub-attribute of every element; an empty list gets an element.
//! - Several matches replaced by one value become one element.
//! - `add` of an element whose `value` and `type` are there already merges into that element.
//! - An element that `remove` leaves with nothing but `type` and `primary` says nothing any more and goes.
//! - A reference whose `value` moves loses a `$ref` that was not sent along with it.
//! - `schemas` can't be edited: it lists what has data.

mod attribute;
mod elements;
mod members;
mod operation;

#[cfg(test)]
mod tests;

pub use members::MemberOp;

use super::error::{ScimError, ScimType};
use super::mode::Mode;
use super::path::{ElementFilter, PatchPath, Resolved, bare_extension, parse_patch_path, resolve};
use super::resource::{self, Reader, immutable, is_members, same_value, wrong_type};
use super::schema::{Attribute, Mutability, ResourceType, Returned, Schema};
use operation::{Operation, Verb};
use serde_json::{Map, Value};

/// Most looks at an element, times the terms of the filter that looks: what bounds operations × elements.
const WORK_MAX: usize = 1_000_000;

/// What a PATCH asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Patched {
    /// The whole resource, valid, as it should be stored.
    pub document: Map<String, Value>,
    /// Whether `document` differs from what was there. Members don't count.
    pub changed: bool,
    /// What to do with the member rows, in order.
    pub members: Vec<MemberOp>,
    /// Whether a password was sent. What it was is already forgotten.
    pub password_given: bool,
    /// Names that were dropped because no schema knows them.
    pub ignored: Vec<String>,
    /// The attributes of registered extensions that the operations name, each as its URN and its name.
    pub written: Vec<Vec<String>>,
}

/// Applies the body of a PATCH to a resource.
///
/// `current` is the stored document (as [`resource::accept`] makes it), `resource_id` its `id`. A request has at most
/// `operations_max` operations; a path-less value counts one for each of its keys.
///
/// # Errors
/// 400, with the number of the operation: `invalidSyntax` for a body that is no PatchOp, `invalidPath`,
/// `invalidFilter`, `noTarget`, `mutability`, `invalidValue` as in RFC 7644 §3.12; `tooMany` for more work than any
/// real request asks.
pub fn apply(
    resource_type: &ResourceType,
    current: &Map<String, Value>,
    body: Value,
    resource_id: &str,
    mode: Mode,
    operations_max: usize,
) -> Result<Patched, ScimError> {
    let operations = operation::read(body, mode, operations_max)?;
    let several = operations.len() > 1;
    let mut patch = Patch {
        resource_type,
        resource_id,
        reader: Reader::new(mode),
        document: current.clone(),
        members: Vec::new(),
        password_given: false,
        written: Vec::new(),
        operations: 0,
        operations_max,
        work: 0,
    };
    for (index, operation) in operations.into_iter().enumerate() {
        patch.run(operation).map_err(|mut error| {
            if several {
                error.detail = format!("operation {}: {}", index + 1, error.detail);
            }
            error
        })?;
    }
    let document = resource::revalidate(resource_type, patch.document)?;
    Ok(Patched {
        changed: differs(&document, current),
        document,
        members: patch.members,
        password_given: patch.password_given,
        ignored: patch.reader.into_ignored(),
        written: patch.written,
    })
}

/// Whether two documents differ, `schemas` apart: it follows from the rest.
fn differs(left: &Map<String, Value>, right: &Map<String, Value>) -> bool {
    let attributes = |document: &Map<String, Value>| document.len() - usize::from(document.contains_key("schemas"));
    attributes(left) != attributes(right) || left.iter().any(|(name, value)| name != "schemas" && right.get(name) != Some(value))
}

/// One PATCH under way.
struct Patch<'s> {
    resource_type: &'s ResourceType,
    resource_id: &'s str,
    reader: Reader,
    /// The working copy. After an error it is of no use to anybody.
    document: Map<String, Value>,
    members: Vec<MemberOp>,
    password_given: bool,
    written: Vec<Vec<String>>,
    operations: usize,
    operations_max: usize,
    work: usize,
}

impl<'s> Patch<'s> {
    fn mode(&self) -> Mode {
        self.reader.mode()
    }

    fn strict(&self) -> bool {
        self.mode().strict
    }

    fn run(&mut self, operation: Operation) -> Result<(), ScimError> {
        let Operation { verb, path, value } = operation;
        let Some(path) = path else {
            return self.run_without_path(verb, value);
        };
        self.count_operation()?;
        match parse_patch_path(self.resource_type, &path, self.mode())? {
            PatchPath::Extension(extension) => self.edit_extension(verb, extension, value),
            PatchPath::Attribute { at, filter } => self.edit(verb, at, filter.as_ref(), value),
        }
    }

    /// Each key of the value is an operation of its own.
    fn run_without_path(&mut self, verb: Verb, value: Option<Value>) -> Result<(), ScimError> {
        if verb == Verb::Remove {
            return Err(ScimError::of(ScimType::NoTarget, "a remove operation needs a path"));
        }
        match value {
            Some(Value::Object(attributes)) => {
                attributes.into_iter().try_for_each(|(key, value)| self.run_key(verb, &key, value))
            }
            Some(other) => Err(wrong_type("the value of an operation without path", "an object", &other)),
            None => Err(value_missing(verb)),
        }
    }

    /// One key of a path-less value: an attribute, an extension, or (lenient) any path.
    fn run_key(&mut self, verb: Verb, key: &str, value: Value) -> Result<(), ScimError> {
        self.count_operation()?;
        if key.eq_ignore_ascii_case("meta") || key.eq_ignore_ascii_case("schemas") {
            return Ok(());
        }
        if key.eq_ignore_ascii_case("id") {
            return self.check_id(&value);
        }
        if let Some(extension) = bare_extension(self.resource_type, key) {
            return self.edit_extension(verb, extension, Some(value));
        }
        if let Some(attribute) = self.resource_type.find(key) {
            return self.edit(verb, Resolved { extension: None, attribute, sub: None }, None, Some(value));
        }
        if self.strict() {
            return self.reader.unknown("", key);
        }
        if key.contains('[') {
            return match parse_patch_path(self.resource_type, key, self.mode())? {
                PatchPath::Extension(extension) => self.edit_extension(verb, extension, Some(value)),
                PatchPath::Attribute { at, filter } => self.edit(verb, at, filter.as_ref(), Some(value)),
            };
        }
        match (resolve(self.resource_type, key, self.mode()), value) {
            (Ok(at), value) => self.edit(verb, at, None, Some(value)),
            (Err(_), Value::Object(core)) if self.resource_type.core.id.eq_ignore_ascii_case(key) => {
                core.into_iter().try_for_each(|(key, value)| self.run_key(verb, &key, value))
            }
            (Err(_), _) => self.reader.unknown("", key),
        }
    }

    /// Okta sends the `id` along when it renames a group; only another one would be a change.
    fn check_id(&self, id: &Value) -> Result<(), ScimError> {
        if id.is_null() || id.as_str() == Some(self.resource_id) { Ok(()) } else { Err(read_only("id")) }
    }

    /// All of an extension: `add` and `replace` merge into it, `remove` ends it.
    fn edit_extension(&mut self, verb: Verb, extension: &'s Schema, value: Option<Value>) -> Result<(), ScimError> {
        let attributes = match (verb, value) {
            (Verb::Remove, _) | (Verb::Replace, Some(Value::Null)) => return self.remove_extension(extension),
            (_, Some(Value::Null)) => return Ok(()),
            (_, Some(Value::Object(attributes))) => attributes,
            (_, Some(other)) => return Err(wrong_type(&extension.id, "an object", &other)),
            (_, None) => return Err(value_missing(verb)),
        };
        for (key, value) in attributes {
            self.count_operation()?;
            let at = match extension.find(&key) {
                Some(attribute) => Some(Resolved { extension: Some(extension), attribute, sub: None }),
                None if self.strict() => None,
                None => resolve(self.resource_type, &format!("{}:{key}", extension.id), self.mode()).ok(),
            };
            match at {
                Some(at) => self.edit(verb, at, None, Some(value))?,
                None => self.reader.unknown(format_args!("{}:", extension.id), &key)?,
            }
        }
        Ok(())
    }

    fn remove_extension(&mut self, extension: &'s Schema) -> Result<(), ScimError> {
        let Some(Value::Object(attributes)) = self.document.get(&extension.id) else { return Ok(()) };
        let fixed = extension
            .attributes
            .iter()
            .find(|attribute| attribute.mutability == Mutability::Immutable && attributes.contains_key(&attribute.name));
        if let Some(attribute) = fixed {
            return Err(immutable(Resolved { extension: Some(extension), attribute, sub: None }));
        }
        self.document.shift_remove(&extension.id);
        Ok(())
    }

    /// One operation on one place.
    fn edit(
        &mut self,
        verb: Verb,
        at: Resolved<'s>,
        filter: Option<&ElementFilter>,
        value: Option<Value>,
    ) -> Result<(), ScimError> {
        if at.attribute.name == "schemas" && at.extension.is_none() {
            return Ok(());
        }
        if at.attribute.mutability == Mutability::ReadOnly || at.target().mutability == Mutability::ReadOnly {
            return Err(read_only(at));
        }
        let value = match (verb, value) {
            (Verb::Remove, value) => value.unwrap_or(Value::Null),
            (_, Some(value)) => value,
            (_, None) => return Err(value_missing(verb)),
        };
        if is_members(self.resource_type, at.attribute) {
            return self.edit_members(verb, at, filter, value);
        }
        if at.attribute.returned == Returned::Never || at.target().returned == Returned::Never {
            if verb != Verb::Remove {
                self.password_given |= self.reader.secret(at, value)?;
            }
            return Ok(());
        }
        if verb == Verb::Remove && at.sub.is_none() && at.attribute.required {
            return Err(ScimError::of(ScimType::Mutability, format!("{at} is required and can't be removed")));
        }
        self.note_written(at);
        let before = self.take(at);
        let fixed = fixed_values(at.attribute, before.as_ref());
        let after = match (at.attribute.multi_valued, filter) {
            (true, Some(filter)) => self.edit_matching(verb, at, filter, before, value)?,
            (true, None) => self.edit_list(verb, at, before, value)?,
            (false, _) => self.edit_single(verb, at, before, value)?,
        };
        check_fixed(at, &fixed, after.as_ref())?;
        self.put(at, after);
        Ok(())
    }

    /// For the answer, which shows what is returned on request where it was written.
    fn note_written(&mut self, at: Resolved<'_>) {
        if let Some(extension) = at.extension.filter(|extension| extension.registered) {
            let path = vec![extension.id.clone(), at.attribute.name.clone()];
            if !self.written.contains(&path) {
                self.written.push(path);
            }
        }
    }

    /// Takes the value out and leaves its place in the order of members.
    fn take(&mut self, at: Resolved<'_>) -> Option<Value> {
        let holder = match at.extension {
            Some(extension) => self.document.get_mut(&extension.id)?.as_object_mut()?,
            None => &mut self.document,
        };
        holder.get_mut(&at.attribute.name).map(Value::take)
    }

    fn put(&mut self, at: Resolved<'_>, value: Option<Value>) {
        let name = &at.attribute.name;
        let Some(extension) = at.extension else {
            put_into(&mut self.document, name, value);
            return;
        };
        if value.is_none() && !self.document.contains_key(&extension.id) {
            return;
        }
        let holder = self.document.entry(&extension.id).or_insert_with(|| Map::new().into());
        if let Some(holder) = holder.as_object_mut() {
            put_into(holder, name, value);
            if holder.is_empty() {
                self.document.shift_remove(&extension.id);
            }
        }
    }

    fn count_operation(&mut self) -> Result<(), ScimError> {
        self.operations += 1;
        let max = self.operations_max;
        if self.operations > max {
            let detail = format!("a PATCH has at most {max} operations; a key of a path-less value counts as one");
            return Err(ScimError::of(ScimType::InvalidValue, detail));
        }
        Ok(())
    }

    /// Pays for `looks` at elements.
    fn charge(&mut self, looks: usize) -> Result<(), ScimError> {
        self.work = self.work.saturating_add(looks);
        if self.work > WORK_MAX {
            return Err(ScimError::of(ScimType::TooMany, "the operations look at too many elements; send fewer at a time"));
        }
        Ok(())
    }
}

fn put_into(holder: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            holder.insert(name.to_owned(), value);
        }
        None => {
            holder.shift_remove(name);
        }
    }
}

/// The values an operation may not change: that of an immutable attribute, or of immutable parts of a single object.
fn fixed_values<'s>(attribute: &'s Attribute, before: Option<&Value>) -> Vec<(&'s Attribute, Value)> {
    let Some(before) = before else { return Vec::new() };
    if attribute.mutability == Mutability::Immutable {
        return vec![(attribute, before.clone())];
    }
    let parts = attribute.sub_attributes.iter().filter(|sub| !attribute.multi_valued && sub.mutability == Mutability::Immutable);
    parts.filter_map(|sub| Some((sub, before.get(&sub.name)?.clone()))).collect()
}

fn check_fixed(at: Resolved<'_>, fixed: &[(&Attribute, Value)], after: Option<&Value>) -> Result<(), ScimError> {
    for (attribute, before) in fixed {
        let is_whole = std::ptr::eq(*attribute, at.attribute);
        let now = if is_whole { after } else { after.and_then(|after| after.get(&attribute.name)) };
        if !now.is_some_and(|now| same_value(attribute, before, now)) {
            return Err(immutable(Resolved { sub: (!is_whole).then_some(*attribute), ..at }));
        }
    }
    Ok(())
}

fn read_only(at: impl std::fmt::Display) -> ScimError {
    ScimError::of(ScimType::Mutability, format!("{at} is read-only"))
}

fn value_missing(verb: Verb) -> ScimError {
    ScimError::of(ScimType::InvalidValue, format!("a value is required for {}", verb.as_str()))
}
