//! One level of a JSON text at a time: what lies deeper stays text. Nothing is built but a list of places in it.

use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter::excerpt;
use crate::scim::json::broken;
use serde::Deserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;

/// Most members of an object that is taken apart here: a message or one of its operations.
const MEMBERS_MAX: usize = 100;

/// Why a text is not taken apart.
#[derive(Debug)]
pub(super) enum Fault {
    /// It holds more elements than that.
    TooMany,
    Refused(ScimError),
}

fn syntax(detail: String) -> ScimError {
    ScimError::of(ScimType::InvalidSyntax, detail)
}

/// The members of the object that `text` is: lower-cased names, each once, and their values unread.
///
/// # Errors
/// 400 `invalidSyntax` for broken JSON, for something else than an object, and for a name that is there twice.
pub(super) fn members(text: &str) -> Result<Vec<(String, &str)>, ScimError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let found = deserializer.deserialize_any(Members).and_then(|found| deserializer.end().map(|()| found));
    let found = found.map_err(|error| {
        let what =
            if error.is_data() { "the bulk request and each of its operations must be an object".into() } else { broken(&error) };
        syntax(what)
    })?;
    let mut names = HashSet::new();
    if found.len() > MEMBERS_MAX {
        return Err(syntax(format!("an object of the bulk request has more than {MEMBERS_MAX} members")));
    }
    for (name, _) in &found {
        if !names.insert(name.as_str()) {
            return Err(syntax(format!("the member \"{}\" appears twice in one object (names ignore case)", excerpt(name))));
        }
    }
    Ok(found)
}

/// The elements of the array that `text` is, unread. Stops at the first that is one too many.
pub(super) fn elements(text: &str, max: usize) -> Result<Vec<&str>, Fault> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let found = deserializer.deserialize_any(Elements { max });
    let found = found.map_err(|error| {
        let what = if error.is_data() { "Operations must be an array".into() } else { broken(&error) };
        Fault::Refused(syntax(what))
    })?;
    found.ok_or(Fault::TooMany)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value::<&'de RawValue>()?;
            // One more than may be is enough to know.
            if found.len() <= MEMBERS_MAX {
                found.push((name.to_ascii_lowercase(), value.get()));
            }
        }
        Ok(found)
    }
}

struct Elements {
    max: usize,
}

impl<'de> Visitor<'de> for Elements {
    /// `None`: more than may be.
    type Value = Option<Vec<&'de str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(element) = elements.next_element::<&'de RawValue>()? {
            if found.len() == self.max {
                // The rest is read over: an error from here would hide what is wrong.
                while elements.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            found.push(element.get());
        }
        Ok(Some(found))
    }
}
