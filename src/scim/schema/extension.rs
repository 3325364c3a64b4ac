//! A schema extension that an administrator registers for a tenant: JSON in the form of RFC 7643 §7 in, a [`Schema`] out,
//! or every reason why not.
//!
//! Owns: which URNs, names and characteristics an extension may have, and how large it may be; the JSON it is stored as.
//! Refuses what this server would not keep its word on (`uniqueness`, lists inside of elements), and what is nobody's to
//! define: the URNs of the RFCs. Knows no store: which extensions a tenant has is told to
//! [`Registry::extended`](super::Registry::extended).

use super::discovery;
use super::{Attribute, Mutability, Returned, Schema, Type, Uniqueness};
use crate::model::nearest::nearest;
use crate::scim::filter::excerpt;
use crate::scim::json;
use crate::scim::resource::kind_of;
use serde_json::{Map, Value};
use std::fmt;

/// Longest text of one schema in bytes.
pub const BYTES_MAX: usize = 64 * 1024;
/// Most extensions of one tenant.
pub const SCHEMAS_MAX: usize = 20;
/// Most attributes of one extension; sub-attributes count.
pub const ATTRIBUTES_MAX: usize = 200;
/// Longest URN in bytes.
pub const URN_BYTES_MAX: usize = 256;
/// Longest name of a schema or an attribute in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest description, canonical value or reference type in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Most canonical values or reference types of one attribute.
pub const WORDS_MAX: usize = 100;
/// Objects and arrays inside each other: schema, attributes, attribute, subAttributes, sub-attribute, its lists, and one
/// more, so that what is too deep is told by its name.
const DEPTH_MAX: usize = 7;
/// Most problems told at once.
const PROBLEMS_MAX: usize = 20;

/// URNs that only the RFCs and their registry give (RFC 7643 §10), and those of SCIM 1.1…
const RESERVED: [&str; 3] = ["urn:ietf:params:scim:schemas:extension:enterprise:", "urn:ietf:params:scim:", "urn:scim:"];
/// …but for this form: the guides of Entra and Okta have customers name their extensions so.
const CUSTOMARY: &str = "urn:ietf:params:scim:schemas:extension:";

/// The members of a schema (RFC 7643 §7).
const SCHEMA_MEMBERS: [&str; 6] = ["schemas", "id", "name", "description", "attributes", "meta"];
/// The members of an attribute.
const ATTRIBUTE_MEMBERS: [&str; 12] = [
    "name",
    "type",
    "multiValued",
    "description",
    "required",
    "caseExact",
    "mutability",
    "returned",
    "uniqueness",
    "canonicalValues",
    "referenceTypes",
    "subAttributes",
];

/// The resource type an extension extends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extends {
    User,
    Group,
}

impl Extends {
    /// The name of the resource type (RFC 7643 §6).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// In whatever case.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::User, Self::Group].into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(name))
    }
}

/// One extension of a tenant.
#[derive(Clone, Debug)]
pub struct Extension {
    pub extends: Extends,
    pub schema: Schema,
}

/// One reason why a schema can't be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `attributes[2].subAttributes[0].type`; empty: the whole text.
    pub field: String,
    pub reason: String,
}

impl Problem {
    pub(super) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.reason),
            field => write!(f, "{field}: {}", self.reason),
        }
    }
}

/// Reads one schema. Characteristics that are not stated have the defaults of RFC 7643 §2.2.
///
/// # Errors
/// Everything that is wrong with it (at most twenty things), each with the field it is wrong in.
pub fn read(text: &[u8]) -> Result<Schema, Vec<Problem>> {
    if text.len() > BYTES_MAX {
        return Err(vec![Problem::new("", format!("the schema is {} bytes, and {BYTES_MAX} are allowed", text.len()))]);
    }
    let limits = json::Limits { depth: DEPTH_MAX, ..json::Limits::default() };
    let value =
        json::parse(text, &limits).map_err(|error| vec![Problem::new("", error.detail.replace("the body", "the schema"))])?;
    let Value::Object(object) = &value else {
        return Err(vec![Problem::new("", format!("the schema must be an object, not {}", kind_of(&value)))]);
    };
    let mut reading = Reading::default();
    let schema = reading.schema(object);
    match schema {
        Some(schema) if reading.problems.is_empty() => Ok(schema),
        _ => Err(reading.problems),
    }
}

/// What `new` would change about `old` that a stored value may not suit: an attribute that goes or is read otherwise, one that
/// becomes required, or secret. Whatever else changes (more attributes, what is shown, hints, descriptions) suits every value.
pub fn breaks(old: &Schema, new: &Schema) -> Vec<Problem> {
    let mut problems = Vec::new();
    if old.id != new.id {
        problems.push(Problem::new("id", format!("stored resources hold it as {}", old.id)));
    }
    broken("attributes", &old.attributes, &new.attributes, &mut problems);
    problems.truncate(PROBLEMS_MAX);
    problems
}

fn broken(at: &str, old: &[Attribute], new: &[Attribute], problems: &mut Vec<Problem>) {
    for before in old {
        if !new.iter().any(|after| after.name == before.name) {
            problems.push(Problem::new(at, format!("\"{}\" is missing", before.name)));
        }
    }
    for (index, after) in new.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let before = old.iter().find(|before| before.name == after.name);
        if after.required && !before.is_some_and(|before| before.required) {
            problems.push(Problem::new(below(&at, "required"), "stored resources may have no value"));
        }
        let Some(before) = before else { continue };
        for (differs, field) in [
            (before.kind != after.kind, "type"),
            (before.multi_valued != after.multi_valued, "multiValued"),
            (before.returned != Returned::Never && after.returned == Returned::Never, "returned"),
        ] {
            if differs {
                problems.push(Problem::new(below(&at, field), "stored values were taken as something else"));
            }
        }
        broken(&below(&at, "subAttributes"), &before.sub_attributes, &after.sub_attributes, problems);
    }
}

/// The JSON a schema is stored and shown as: every characteristic spelled out. [`read`] takes it back.
pub fn document(schema: &Schema) -> Value {
    discovery::schema_document(schema)
}

/// One attribute of that JSON.
pub fn document_of(attribute: &Attribute) -> Value {
    discovery::attribute_body(attribute)
}

/// Whether `left` and `right` can't both be URNs of one tenant: they are the same, or one goes on where the other ends, so
/// that `urn:a:b:c` could be the extension or an attribute `c` of `urn:a:b`.
pub(super) fn urns_clash(left: &str, right: &str) -> bool {
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    let begins = long.get(..short.len()).is_some_and(|head| head.eq_ignore_ascii_case(short));
    begins && matches!(long.as_bytes().get(short.len()), None | Some(b':'))
}

#[derive(Default)]
struct Reading {
    problems: Vec<Problem>,
    attributes: usize,
}

impl Reading {
    fn problem(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem::new(field, reason));
        }
    }

    fn schema(&mut self, object: &Map<String, Value>) -> Option<Schema> {
        self.known_members("", object, &SCHEMA_MEMBERS);
        let id = self.text("", object, "id", URN_BYTES_MAX);
        if let Some(id) = &id {
            self.urn(id);
        }
        let name = self.text("", object, "name", NAME_BYTES_MAX);
        let description = self.optional_text("", object, "description", TEXT_BYTES_MAX).unwrap_or_default();
        let attributes = self.attributes("", object, "attributes", false);
        Some(Schema { id: id?, name: name?, description, attributes: attributes?, registered: true })
    }

    /// A URN (RFC 8141 §2) of characters that paths and filters can hold.
    fn urn(&mut self, id: &str) {
        let is_customary = |prefix: &str| CUSTOMARY.starts_with(prefix) && begins_with(id, CUSTOMARY);
        if let Some(prefix) = RESERVED.iter().find(|prefix| begins_with(id, prefix) && !is_customary(prefix)) {
            let reason = format!(
                "URNs that begin with \"{prefix}\" are the standard's; take one of your own, as in urn:example:params:2.0:User"
            );
            return self.problem("id", reason);
        }
        let mut parts = id.split(':');
        let is_urn = parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn"));
        let namespace = parts.next().unwrap_or_default();
        let is_namespace = (2..=32).contains(&namespace.len())
            && namespace.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !namespace.starts_with('-')
            && !namespace.ends_with('-');
        let specific: Vec<&str> = parts.collect();
        let is_part = |part: &&str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        let well_formed = is_urn && is_namespace && !specific.is_empty() && specific.iter().all(is_part);
        if !well_formed || id.contains("..") || id.ends_with('.') {
            let reason = "must be a URN of letters, digits, \"-\", \"_\" and \".\" between colons, as in \
                          urn:example:params:2.0:User";
            self.problem("id", reason);
        }
    }

    /// The attributes in `member`; `is_part`: they are the parts of a complex one.
    fn attributes(&mut self, at: &str, object: &Map<String, Value>, member: &str, is_part: bool) -> Option<Vec<Attribute>> {
        let field = below(at, member);
        let list: &[Value] = match object.get(member) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(list)) => list,
            Some(other) => {
                self.problem(field, format!("must be an array of attributes, not {}", kind_of(other)));
                return None;
            }
        };
        if list.is_empty() {
            self.problem(field, "at least one attribute is required");
            return None;
        }
        let mut attributes: Vec<Attribute> = Vec::with_capacity(list.len().min(ATTRIBUTES_MAX));
        for (index, value) in list.iter().enumerate() {
            self.attributes += 1;
            let at = format!("{field}[{index}]");
            if self.attributes > ATTRIBUTES_MAX {
                self.problem(at, format!("a schema has at most {ATTRIBUTES_MAX} attributes, sub-attributes counted"));
                return None;
            }
            let Value::Object(object) = value else {
                self.problem(at, format!("must be an object, not {}", kind_of(value)));
                continue;
            };
            let Some(attribute) = self.attribute(&at, object, is_part) else { continue };
            if attributes.iter().any(|other| other.name.eq_ignore_ascii_case(&attribute.name)) {
                let reason = format!("\"{}\" is there twice; names ignore case", excerpt(&attribute.name));
                self.problem(below(&at, "name"), reason);
            }
            attributes.push(attribute);
        }
        Some(attributes)
    }

    fn attribute(&mut self, at: &str, object: &Map<String, Value>, is_part: bool) -> Option<Attribute> {
        self.known_members(at, object, &ATTRIBUTE_MEMBERS);
        let name = self.text(at, object, "name", NAME_BYTES_MAX);
        if let Some(name) = &name
            && !(is_attribute_name(name) || name == "$ref" && is_part)
        {
            let reason = "must be a letter and then letters, digits, \"-\" or \"_\" (RFC 7643 §2.1)";
            self.problem(below(at, "name"), reason);
        }
        let kind = self.word(at, object, "type", &KINDS).unwrap_or(Type::String);
        let mut attribute = Attribute::new(name.as_deref().unwrap_or_default(), kind, "");
        attribute.description = self.optional_text(at, object, "description", TEXT_BYTES_MAX).unwrap_or_default();
        attribute.multi_valued = self.boolean(at, object, "multiValued", false);
        attribute.required = self.boolean(at, object, "required", false);
        attribute.case_exact = self.boolean(at, object, "caseExact", attribute.case_exact);
        attribute.mutability = self.word(at, object, "mutability", &MUTABILITIES).unwrap_or(Mutability::ReadWrite);
        attribute.returned = self.word(at, object, "returned", &RETURNED).unwrap_or(Returned::Default);
        attribute.uniqueness = self.word(at, object, "uniqueness", &UNIQUENESSES).unwrap_or(Uniqueness::None);
        attribute.canonical_values = self.words(at, object, "canonicalValues");
        attribute.reference_types = self.words(at, object, "referenceTypes");
        self.shape(at, object, &mut attribute, is_part);
        self.promises(at, &attribute);
        name.map(|_| attribute)
    }

    /// What depends on the type.
    fn shape(&mut self, at: &str, object: &Map<String, Value>, attribute: &mut Attribute, is_part: bool) {
        let has_parts = object.get("subAttributes").is_some_and(|parts| !parts.is_null() && *parts != Value::Array(Vec::new()));
        match (attribute.kind, is_part) {
            (Type::Complex, true) => {
                self.problem(below(at, "type"), "a sub-attribute can't be complex (RFC 7643 §2.3.8)");
            }
            (Type::Complex, false) => {
                attribute.sub_attributes = self.attributes(at, object, "subAttributes", true).unwrap_or_default();
            }
            _ if has_parts => {
                let reason =
                    format!("only a complex attribute has them, and this one is {}", discovery::kind_word(attribute.kind));
                self.problem(below(at, "subAttributes"), reason);
            }
            _ => {}
        }
        if attribute.kind == Type::Reference && attribute.reference_types.is_empty() {
            let reason = "a reference says what it refers to: \"external\", \"uri\", or names of resource types (RFC 7643 §7)";
            self.problem(below(at, "referenceTypes"), reason);
        }
        if attribute.kind != Type::Reference && !attribute.reference_types.is_empty() {
            let reason = format!("only a reference has them, and this one is {}", discovery::kind_word(attribute.kind));
            self.problem(below(at, "referenceTypes"), reason);
        }
        if is_part && attribute.multi_valued {
            self.problem(below(at, "multiValued"), "a sub-attribute has one value here; make the attribute itself multi-valued");
        }
        // What PATCH and the primary rule read of elements (RFC 7643 §2.4).
        let wanted = match attribute.name.as_str() {
            "primary" => Some(Type::Boolean),
            "$ref" => Some(Type::Reference),
            _ => None,
        };
        if let Some(wanted) = wanted.filter(|_| is_part)
            && attribute.kind != wanted
        {
            let reason = format!("a sub-attribute \"{}\" is {} (RFC 7643 §2.4)", attribute.name, discovery::kind_word(wanted));
            self.problem(below(at, "type"), reason);
        }
    }

    /// What this server would not keep, and what contradicts itself.
    fn promises(&mut self, at: &str, attribute: &Attribute) {
        if attribute.uniqueness != Uniqueness::None {
            let reason = "extension attributes are not kept unique; write \"none\" or leave it out";
            self.problem(below(at, "uniqueness"), reason);
        }
        if attribute.mutability == Mutability::WriteOnly && attribute.returned != Returned::Never {
            self.problem(below(at, "returned"), "a writeOnly attribute is never returned: write \"never\"");
        }
        if attribute.required && attribute.returned == Returned::Never {
            let reason = "what is never returned is not stored, so it can't be required; write false";
            self.problem(below(at, "required"), reason);
        }
        if attribute.required && attribute.mutability == Mutability::ReadOnly {
            self.problem(below(at, "required"), "no client can give a readOnly attribute a value; write false");
        }
    }

    fn known_members(&mut self, at: &str, object: &Map<String, Value>, known: &[&str]) {
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            let near = nearest(name, known.iter().copied()).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            let reason = format!("RFC 7643 §7 has no member of this name{near}");
            self.problem(below(at, &excerpt(name)), reason);
        }
    }

    /// A text that has to be there and not to be blank.
    fn text(&mut self, at: &str, object: &Map<String, Value>, name: &str, bytes_max: usize) -> Option<String> {
        match object.get(name) {
            None | Some(Value::Null) => {
                self.problem(below(at, name), "is required");
                None
            }
            Some(Value::String(text)) if text.trim().is_empty() => {
                self.problem(below(at, name), "must not be empty");
                None
            }
            Some(_) => self.optional_text(at, object, name, bytes_max),
        }
    }

    fn optional_text(&mut self, at: &str, object: &Map<String, Value>, name: &str, bytes_max: usize) -> Option<String> {
        match object.get(name)? {
            Value::Null => None,
            Value::String(text) if text.len() > bytes_max => {
                self.problem(below(at, name), format!("must be at most {bytes_max} bytes, not {}", text.len()));
                None
            }
            Value::String(text) => Some(text.clone()),
            other => {
                self.problem(below(at, name), format!("must be a string, not {}", kind_of(other)));
                None
            }
        }
    }

    fn boolean(&mut self, at: &str, object: &Map<String, Value>, name: &str, default: bool) -> bool {
        match object.get(name) {
            None | Some(Value::Null) => default,
            Some(Value::Bool(value)) => *value,
            Some(other) => {
                self.problem(below(at, name), format!("must be true or false, not {}", kind_of(other)));
                default
            }
        }
    }

    /// One of a few words, in whatever case.
    fn word<T: Copy>(&mut self, at: &str, object: &Map<String, Value>, name: &str, words: &[(&str, T)]) -> Option<T> {
        let value = object.get(name).filter(|value| !value.is_null())?;
        let Some(text) = value.as_str() else {
            self.problem(below(at, name), format!("must be a string, not {}", kind_of(value)));
            return None;
        };
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, found)| *found);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problem(below(at, name), format!("is one of {}, not \"{}\"", all.join(", "), excerpt(text)));
        }
        found
    }

    /// A list of texts.
    fn words(&mut self, at: &str, object: &Map<String, Value>, name: &str) -> Vec<String> {
        let list = match object.get(name) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(list)) => list,
            Some(other) => {
                self.problem(below(at, name), format!("must be an array of strings, not {}", kind_of(other)));
                return Vec::new();
            }
        };
        if list.len() > WORDS_MAX {
            self.problem(below(at, name), format!("must have at most {WORDS_MAX} elements, not {}", list.len()));
            return Vec::new();
        }
        let mut words = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let at = format!("{}[{index}]", below(at, name));
            match value {
                Value::String(text) if text.is_empty() => self.problem(at, "must not be empty"),
                Value::String(text) if text.len() > TEXT_BYTES_MAX => {
                    self.problem(at, format!("must be at most {TEXT_BYTES_MAX} bytes, not {}", text.len()));
                }
                Value::String(text) => words.push(text.clone()),
                other => self.problem(at, format!("must be a string, not {}", kind_of(other))),
            }
        }
        words
    }
}

const KINDS: [(&str, Type); 8] = [
    ("string", Type::String),
    ("boolean", Type::Boolean),
    ("decimal", Type::Decimal),
    ("integer", Type::Integer),
    ("dateTime", Type::DateTime),
    ("binary", Type::Binary),
    ("reference", Type::Reference),
    ("complex", Type::Complex),
];
const MUTABILITIES: [(&str, Mutability); 4] = [
    ("readOnly", Mutability::ReadOnly),
    ("readWrite", Mutability::ReadWrite),
    ("immutable", Mutability::Immutable),
    ("writeOnly", Mutability::WriteOnly),
];
const RETURNED: [(&str, Returned); 4] =
    [("always", Returned::Always), ("never", Returned::Never), ("default", Returned::Default), ("request", Returned::Request)];
const UNIQUENESSES: [(&str, Uniqueness); 3] =
    [("none", Uniqueness::None), ("server", Uniqueness::Server), ("global", Uniqueness::Global)];

/// `ALPHA *(nameChar)`, RFC 7643 §2.1.
fn is_attribute_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn begins_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// The field `name` of what is at `at`.
fn below(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

#[cfg(test)]
mod behaviour;
#[cfg(test)]
mod tests;
