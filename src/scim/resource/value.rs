//! One attribute's value against its line in the schema (RFC 7643 §2.3, §2.4): type, sub-attributes, limits, and the
//! forms that are taken besides when not strict. POST, PUT and PATCH all read values here.

use crate::model::query::parse_instant;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter::excerpt;
use crate::scim::mode::Mode;
use crate::scim::path::Resolved;
use crate::scim::schema::{Attribute, Mutability, Returned, Type};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Number, Value};
use std::fmt::Display;

/// Longest text of one attribute in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;
/// The same for what is long by nature: references (photos may be `data:` URIs), certificates, and the values of
/// roles and entitlements, into which Entra packs JSON.
pub const LONG_TEXT_BYTES_MAX: usize = 8 * 1024;
/// Longest password in bytes.
pub const PASSWORD_BYTES_MAX: usize = 4 * 1024;
/// Most elements of one list. Members have their own limit.
pub const ELEMENTS_MAX: usize = 1_000;
/// Most names remembered as ignored; a log line, not an archive.
const IGNORED_MAX: usize = 100;

/// Reads values in one mode and remembers what it dropped.
#[derive(Debug)]
pub(in crate::scim) struct Reader {
    mode: Mode,
    ignored: Vec<String>,
}

/// A sub-attribute that was sent, and its value; `None` for one sent as null or empty, which unassigns it.
pub(in crate::scim) type Part<'s> = (&'s Attribute, Option<Value>);

impl Reader {
    pub fn new(mode: Mode) -> Self {
        Self { mode, ignored: Vec::new() }
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub fn into_ignored(self) -> Vec<String> {
        self.ignored
    }

    /// Notes a name that was dropped, once.
    pub fn ignore(&mut self, name: String) {
        if self.ignored.len() < IGNORED_MAX && !self.ignored.contains(&name) {
            self.ignored.push(name);
        }
    }

    /// A name no schema knows, below `parent` (a URN and colon, a list and dot, or nothing): an error if strict, else
    /// noted and dropped.
    pub fn unknown(&mut self, parent: impl Display, name: &str) -> Result<(), ScimError> {
        let name = format!("{parent}{}", excerpt(name));
        if self.mode.strict {
            return Err(ScimError::of(ScimType::InvalidSyntax, format!("there is no attribute \"{name}\"")));
        }
        self.ignore(name);
        Ok(())
    }

    /// The value to store at `at`, or `None` if it is unassigned (null, `[]`, `{}`).
    pub fn value(&mut self, at: Resolved<'_>, value: Value) -> Result<Option<Value>, ScimError> {
        if !at.target().multi_valued {
            return self.element(at, value);
        }
        let elements = self.list(at, value)?;
        Ok(if elements.is_empty() { None } else { Some(elements.into()) })
    }

    /// The elements of a list attribute.
    pub fn list(&mut self, at: Resolved<'_>, value: Value) -> Result<Vec<Value>, ScimError> {
        let elements = match value {
            Value::Null => Vec::new(),
            Value::Array(elements) => elements,
            other if self.mode.strict => return Err(wrong_type(at, "an array", &other)),
            other => vec![other],
        };
        if elements.len() > ELEMENTS_MAX {
            return Err(too_many(at, ELEMENTS_MAX));
        }
        let mut list = Vec::with_capacity(elements.len());
        for element in elements {
            list.extend(self.element(at, element)?);
        }
        if list.iter().filter(|element| is_primary(element)).count() > 1 {
            return Err(two_primaries(at));
        }
        Ok(list)
    }

    /// A single value, or one element of a list.
    pub fn element(&mut self, at: Resolved<'_>, value: Value) -> Result<Option<Value>, ScimError> {
        if is_unassigned(&value) {
            return Ok(None);
        }
        if at.target().kind != Type::Complex {
            return self.simple(at, value).map(Some);
        }
        let parts = self.parts(at, value)?;
        let object: Map<String, Value> = parts.into_iter().filter_map(|(sub, value)| Some((sub.name.clone(), value?))).collect();
        if object.is_empty() {
            return Ok(None);
        }
        let missing = at.attribute.sub_attributes.iter().find(|sub| sub.required && !object.contains_key(&sub.name));
        match missing {
            Some(sub) => Err(invalid(format!("{at}.{} is required", sub.name))),
            None => Ok(Some(object.into())),
        }
    }

    /// The sub-attributes a complex value names. Read-only and never-returned ones are passed over.
    pub fn parts<'s>(&mut self, at: Resolved<'s>, value: Value) -> Result<Vec<Part<'s>>, ScimError> {
        let object = match value {
            unassigned if is_unassigned(&unassigned) => return Ok(Vec::new()),
            Value::Object(object) => object,
            scalar => self.wrapped(at, scalar)?,
        };
        let has_value = object.keys().any(|name| name.eq_ignore_ascii_case("value"));
        let mut parts = Vec::with_capacity(object.len());
        for (name, value) in object {
            let sub = match at.attribute.sub(&name) {
                None if !self.mode.strict && !has_value && name.eq_ignore_ascii_case("managerId") => at.attribute.default_sub(),
                sub => sub,
            };
            let Some(sub) = sub else {
                self.unknown(format_args!("{at}."), &name)?;
                continue;
            };
            if sub.mutability == Mutability::ReadOnly {
                continue;
            }
            let value = self.value(Resolved { sub: Some(sub), ..at }, value)?;
            if sub.returned != Returned::Never {
                parts.push((sub, value));
            }
        }
        Ok(parts)
    }

    /// A bare value where an object is due stands for its `value` (`"manager": "271"`, `"emails": ["a@b"]`); an empty
    /// one for nothing.
    fn wrapped(&self, at: Resolved<'_>, scalar: Value) -> Result<Map<String, Value>, ScimError> {
        if self.mode.strict || at.attribute.default_sub().is_none() || scalar.is_array() {
            return Err(wrong_type(at, "an object", &scalar));
        }
        if scalar.as_str() == Some("") {
            return Ok(Map::new());
        }
        Ok(Map::from_iter([("value".to_owned(), scalar)]))
    }

    /// Whether a value was given for an attribute that is never stored. The value itself ends here.
    pub fn secret(&mut self, at: Resolved<'_>, value: Value) -> Result<bool, ScimError> {
        let value = self.value(at, value)?;
        Ok(value.is_some_and(|value| value.as_str() != Some("")))
    }

    fn simple(&self, at: Resolved<'_>, value: Value) -> Result<Value, ScimError> {
        let lenient = !self.mode.strict;
        match at.target().kind {
            Type::String => self.text(at, "a string", value, |_| true),
            Type::Reference => self.text(at, "a URI", value, |text| lenient || is_reference(text)),
            Type::DateTime => self.text(at, "a dateTime with a zone, as 2026-01-31T12:00:00Z", value, |text| {
                parse_instant(text).is_some() && (lenient || has_zone(text))
            }),
            Type::Binary => self.text(at, "Base64 text", value, |text| is_base64(text, lenient)),
            Type::Boolean => match &value {
                Value::Bool(_) => Ok(value),
                Value::String(text) if lenient && text.eq_ignore_ascii_case("true") => Ok(true.into()),
                Value::String(text) if lenient && text.eq_ignore_ascii_case("false") => Ok(false.into()),
                _ => Err(wrong_type(at, "true or false", &value)),
            },
            Type::Integer => match &value {
                Value::Number(number) if number.is_i64() || number.is_u64() => Ok(value),
                Value::String(text) if lenient => {
                    text.parse::<i64>().map(Value::from).map_err(|_| wrong_type(at, "an integer", &value))
                }
                _ => Err(wrong_type(at, "an integer", &value)),
            },
            Type::Decimal => match &value {
                Value::Number(_) => Ok(value),
                Value::String(text) if lenient => {
                    text.parse::<Number>().map(Value::from).map_err(|_| wrong_type(at, "a number", &value))
                }
                _ => Err(wrong_type(at, "a number", &value)),
            },
            Type::Complex => Err(wrong_type(at, "a simple value", &value)),
        }
    }

    fn text(&self, at: Resolved<'_>, wanted: &str, value: Value, valid: impl Fn(&str) -> bool) -> Result<Value, ScimError> {
        let Value::String(text) = &value else {
            return Err(wrong_type(at, wanted, &value));
        };
        let max = text_bytes_max(at);
        if text.len() > max {
            return Err(invalid(format!("{at} must be at most {max} bytes, not {}", text.len())));
        }
        if !valid(text) {
            return Err(invalid(format!("{at} must be {wanted}")));
        }
        Ok(value)
    }
}

fn text_bytes_max(at: Resolved<'_>) -> usize {
    let target = at.target();
    let is_value_of_long = target.name == "value" && matches!(at.attribute.name.as_str(), "roles" | "entitlements");
    match target.kind {
        _ if target.returned == Returned::Never => PASSWORD_BYTES_MAX,
        Type::Reference | Type::Binary => LONG_TEXT_BYTES_MAX,
        _ if is_value_of_long => LONG_TEXT_BYTES_MAX,
        _ => TEXT_BYTES_MAX,
    }
}

/// What RFC 3986 never allows in a reference, absolute or relative.
fn is_reference(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"'))
}

fn has_zone(text: &str) -> bool {
    let time = text.split_once('T').map_or("", |(_, time)| time);
    time.ends_with('Z') || time.contains(['+', '-'])
}

/// RFC 4648 §4; lenient also its URL-safe alphabet, no padding, and line breaks as PEM has them.
fn is_base64(text: &str, lenient: bool) -> bool {
    const INDIFFERENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    if !lenient {
        return base64::engine::general_purpose::STANDARD.decode(text).is_ok();
    }
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    GeneralPurpose::new(&alphabet::STANDARD, INDIFFERENT).decode(&packed).is_ok()
        || GeneralPurpose::new(&alphabet::URL_SAFE, INDIFFERENT).decode(&packed).is_ok()
}

/// Null and `[]` are the same as absent (RFC 7643 §2.5).
pub(in crate::scim) fn is_unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        _ => false,
    }
}

pub(in crate::scim) fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// The kind of a JSON value in words, for details that must not show the value.
pub(in crate::scim) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn invalid(detail: String) -> ScimError {
    ScimError::of(ScimType::InvalidValue, detail)
}

/// `emails.value must be a string, not a number`.
pub(in crate::scim) fn wrong_type(at: impl Display, wanted: &str, value: &Value) -> ScimError {
    invalid(format!("{at} must be {wanted}, not {}", kind_of(value)))
}

pub(in crate::scim) fn too_many(at: impl Display, max: usize) -> ScimError {
    invalid(format!("{at} must have at most {max} elements"))
}

pub(in crate::scim) fn two_primaries(at: impl Display) -> ScimError {
    invalid(format!("{at} has more than one primary element"))
}
