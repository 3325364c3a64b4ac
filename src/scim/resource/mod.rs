//! A resource as a client sends it (POST, PUT), made into the document that is stored: names and URNs in the schema's
//! spelling, only attributes that have a value, every value as it was sent.
//!
//! Owns: the rules of RFC 7643 §2 and §3 for input (case, types, null, read-only, `schemas`, primary) and what real
//! clients send besides (see [`Mode`]); the limits of one attribute. Refuses: looking anything up. Whether a member or
//! a manager exists and whether a name is free is `provisioning`'s question.
//!
//! Not part of a document, for they are rows, derived or secret: `id`, `meta`, `groups`, `members`, `password`.
//!
//! Policies where the RFC is silent: `active` is true where a POST leaves it out and stays as it is where a PUT does;
//! an empty `externalId` identifies nothing and counts as absent; a value with `primary: false` stays as sent.

mod members;
mod schemas;
mod value;

#[cfg(test)]
mod tests;

pub use members::{MEMBERS_MAX, MemberKind, MemberRef};
pub(super) use value::{ELEMENTS_MAX, Reader, is_primary, is_unassigned, kind_of, too_many, two_primaries, wrong_type};

use super::error::{ScimError, ScimType};
use super::mode::Mode;
use super::path::{Resolved, bare_extension};
use super::schema::{Attribute, Mutability, ResourceType, Returned, Schema, Type};
use crate::model::fold::fold;
use serde_json::{Map, Value};

/// Largest document, in bytes of names and text. No body within the usual limit reaches it, but a resource can grow by
/// one PATCH after the other.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// A resource that may be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// `schemas` first; extensions under their URN.
    pub document: Map<String, Value>,
    /// Whether a password was sent. What it was is already forgotten.
    pub password_given: bool,
    /// A group's members, each once; `None` if they weren't sent.
    pub members: Option<Vec<MemberRef>>,
    /// Names that were dropped because no schema knows them.
    pub ignored: Vec<String>,
}

/// Reads the body of a POST (RFC 7644 §3.3).
///
/// # Errors
/// 400 `invalidSyntax` for a body of another shape or an attribute no schema knows (strict); 400 `invalidValue` for a
/// wrong type, a missing required attribute, wrong `schemas`, two primary elements, or too much of anything.
pub fn accept(resource_type: &ResourceType, body: Value, mode: Mode) -> Result<Accepted, ScimError> {
    let mut accepted = read(resource_type, body, mode)?;
    if has_active(resource_type) && !accepted.document.contains_key("active") {
        accepted.document.insert("active".into(), true.into());
    }
    require(resource_type, &accepted.document)?;
    Ok(accepted)
}

/// Reads the body of a PUT (RFC 7644 §3.5.1): what it leaves out is cleared, but `active` and the password.
///
/// # Errors
/// As [`accept`], and 400 `mutability` for an immutable attribute whose value would change.
pub fn accept_put(
    resource_type: &ResourceType,
    body: Value,
    current: &Map<String, Value>,
    mode: Mode,
) -> Result<Accepted, ScimError> {
    let mut accepted = read(resource_type, body, mode)?;
    if let Some(active) = current.get("active").filter(|_| has_active(resource_type)) {
        accepted.document.entry("active").or_insert_with(|| active.clone());
    }
    keep_immutable(resource_type, &mut accepted.document, current)?;
    accepted.document = with_schemas(resource_type, accepted.document);
    require(resource_type, &accepted.document)?;
    Ok(accepted)
}

/// Checks a whole document once more after it was edited (PATCH): types, limits, required attributes; `schemas` lists
/// what has data. Always lenient, because strictness is about what a client sends, not about what is stored.
pub(super) fn revalidate(resource_type: &ResourceType, document: Map<String, Value>) -> Result<Map<String, Value>, ScimError> {
    let accepted = read(resource_type, Value::Object(document), Mode { strict: false })?;
    require(resource_type, &accepted.document)?;
    Ok(accepted.document)
}

/// Where registered extensions have values in a document: the URN and the name of each attribute.
pub fn written(resource_type: &ResourceType, document: &Map<String, Value>) -> Vec<Vec<String>> {
    let registered = resource_type.extensions.iter().filter(|extension| extension.registered);
    let of = |extension: &Schema| document.get(&extension.id).and_then(Value::as_object);
    registered
        .filter_map(|extension| Some((extension, of(extension)?)))
        .flat_map(|(extension, attributes)| attributes.keys().map(|name| vec![extension.id.clone(), name.clone()]))
        .collect()
}

fn read(resource_type: &ResourceType, body: Value, mode: Mode) -> Result<Accepted, ScimError> {
    let Value::Object(body) = body else {
        let detail = format!("the body must be an object, not {}", kind_of(&body));
        return Err(ScimError::of(ScimType::InvalidSyntax, detail));
    };
    let mut reader = Reader::new(mode);
    let mut core = Map::new();
    let mut extensions = Map::new();
    let (mut declared, mut members, mut password_given) = (Value::Null, None, false);
    for (name, value) in body {
        if let Some(extension) = bare_extension(resource_type, &name) {
            let attributes = read_extension(&mut reader, extension, value)?;
            if !attributes.is_empty() {
                extensions.insert(extension.id.clone(), attributes.into());
            }
            continue;
        }
        let Some(attribute) = resource_type.find(&name) else {
            reader.unknown("", &name)?;
            continue;
        };
        let at = Resolved { extension: None, attribute, sub: None };
        match attribute.name.as_str() {
            "schemas" => declared = value,
            _ if attribute.mutability == Mutability::ReadOnly => {}
            _ if is_members(resource_type, attribute) => members = reader.members(at, value)?,
            _ if attribute.returned == Returned::Never => password_given |= reader.secret(at, value)?,
            canonical => {
                if let Some(value) = reader.value(at, value)?.filter(|value| !is_empty_external_id(canonical, value)) {
                    core.insert(canonical.to_owned(), value);
                }
            }
        }
    }
    schemas::check(resource_type, declared, &mut reader)?;
    core.extend(extensions);
    let document = with_schemas(resource_type, core);
    if bytes_of_object(&document) > DOCUMENT_BYTES_MAX {
        let detail = format!("the resource must be at most {DOCUMENT_BYTES_MAX} bytes");
        return Err(ScimError::of(ScimType::InvalidValue, detail));
    }
    Ok(Accepted { document, password_given, members, ignored: reader.into_ignored() })
}

fn bytes_of_object(object: &Map<String, Value>) -> usize {
    object.iter().map(|(name, value)| name.len() + bytes_of(value)).sum()
}

/// About what a value takes: its text, and a few bytes for everything else.
pub(super) fn bytes_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.iter().map(bytes_of).sum(),
        Value::Object(object) => bytes_of_object(object),
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
    }
}

fn read_extension(reader: &mut Reader, extension: &Schema, value: Value) -> Result<Map<String, Value>, ScimError> {
    let object = match value {
        Value::Null => Map::new(),
        Value::Object(object) => object,
        other => return Err(wrong_type(&extension.id, "an object", &other)),
    };
    let mut attributes = Map::new();
    for (name, value) in object {
        let Some(attribute) = extension.find(&name) else {
            reader.unknown(format_args!("{}:", extension.id), &name)?;
            continue;
        };
        let at = Resolved { extension: Some(extension), attribute, sub: None };
        if attribute.mutability == Mutability::ReadOnly {
            continue;
        }
        if attribute.returned == Returned::Never {
            reader.secret(at, value)?;
        } else if let Some(value) = reader.value(at, value)? {
            attributes.insert(attribute.name.clone(), value);
        }
    }
    Ok(attributes)
}

/// Members are rows, never part of a document.
pub(super) fn is_members(resource_type: &ResourceType, attribute: &Attribute) -> bool {
    attribute.name == "members" && resource_type.core.find("members").is_some_and(|members| std::ptr::eq(members, attribute))
}

fn has_active(resource_type: &ResourceType) -> bool {
    resource_type.core.find("active").is_some_and(|active| active.kind == Type::Boolean)
}

pub(super) fn is_empty_external_id(name: &str, value: &Value) -> bool {
    name == "externalId" && value.as_str() == Some("")
}

/// `schemas` in front: the core URN and that of each extension that has data (RFC 7643 §3).
fn with_schemas(resource_type: &ResourceType, mut attributes: Map<String, Value>) -> Map<String, Value> {
    attributes.shift_remove("schemas");
    let extensions = resource_type.extensions.iter().filter(|extension| attributes.contains_key(&extension.id));
    let urns = std::iter::once(&resource_type.core).chain(extensions).map(|schema| Value::from(schema.id.as_str()));
    let mut document = Map::with_capacity(attributes.len() + 1);
    document.insert("schemas".into(), urns.collect());
    document.extend(attributes);
    document
}

/// Every required attribute has a value that isn't blank; an extension's only where the extension has data.
fn require(resource_type: &ResourceType, document: &Map<String, Value>) -> Result<(), ScimError> {
    require_of(&resource_type.core.attributes, document, "")?;
    for extension in &resource_type.extensions {
        if let Some(Value::Object(attributes)) = document.get(&extension.id) {
            require_of(&extension.attributes, attributes, &format!("{}:", extension.id))?;
        }
    }
    Ok(())
}

fn require_of(attributes: &[Attribute], object: &Map<String, Value>, prefix: &str) -> Result<(), ScimError> {
    let required = attributes.iter().filter(|attribute| attribute.required && attribute.mutability != Mutability::ReadOnly);
    for attribute in required {
        let name = &attribute.name;
        match object.get(name) {
            None => return Err(ScimError::of(ScimType::InvalidValue, format!("{prefix}{name} is required"))),
            Some(Value::String(text)) if text.trim().is_empty() => {
                return Err(ScimError::of(ScimType::InvalidValue, format!("{prefix}{name} must not be empty")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// An immutable attribute that has a value keeps it: sending another is an error, leaving it out is not
/// (RFC 7644 §3.5.1).
fn keep_immutable(
    resource_type: &ResourceType,
    document: &mut Map<String, Value>,
    current: &Map<String, Value>,
) -> Result<(), ScimError> {
    keep_immutable_of(&resource_type.core.attributes, document, current, "")?;
    for extension in &resource_type.extensions {
        let Some(Value::Object(before)) = current.get(&extension.id) else { continue };
        let mut after = match document.shift_remove(&extension.id) {
            Some(Value::Object(after)) => after,
            _ => Map::new(),
        };
        keep_immutable_of(&extension.attributes, &mut after, before, &format!("{}:", extension.id))?;
        if !after.is_empty() {
            document.insert(extension.id.clone(), after.into());
        }
    }
    Ok(())
}

fn keep_immutable_of(
    attributes: &[Attribute],
    document: &mut Map<String, Value>,
    current: &Map<String, Value>,
    prefix: &str,
) -> Result<(), ScimError> {
    for attribute in attributes {
        let Some(before) = current.get(&attribute.name) else { continue };
        if attribute.mutability == Mutability::Immutable {
            let after = document.entry(&attribute.name).or_insert_with(|| before.clone());
            if !same_value(attribute, before, after) {
                return Err(immutable(format_args!("{prefix}{}", attribute.name)));
            }
            before.clone_into(after);
        } else if let (false, Value::Object(before), Some(Value::Object(after))) =
            (attribute.multi_valued, before, document.get_mut(&attribute.name))
        {
            keep_immutable_of(&attribute.sub_attributes, after, before, &format!("{prefix}{}.", attribute.name))?;
        }
    }
    Ok(())
}

/// Equal for the schema: text of an attribute that ignores case may be spelled otherwise.
pub(super) fn same_value(attribute: &Attribute, left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) if !attribute.case_exact => fold(left) == fold(right),
        _ => left == right,
    }
}

pub(super) fn immutable(at: impl std::fmt::Display) -> ScimError {
    ScimError::of(ScimType::Mutability, format!("{at} is immutable and already has another value"))
}
