//! `bulkId:x` in the data of an operation: where it stands for a resource that another operation creates, and putting the
//! resource's id there. Elsewhere the same text is just text.
//!
//! References are: a whole string under `value`, `members`, `manager` or `managerId` (lists of them too); under `$ref` the
//! end of a path as well; in the `path` of a PATCH operation each quoted `"bulkId:x"` of its filters.

use serde_json::{Map, Value};
use std::convert::Infallible;

const PREFIX: &str = "bulkId:";

/// What becomes of one reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The id, and the absolute URL for a `$ref`.
    To { id: String, location: String },
    /// Not there yet: the value that holds it is left out for now.
    LeftOut,
}

/// The bulkId that `text` is a reference to, if it is one.
pub fn bulk_id(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX).filter(|id| !id.is_empty())
}

/// May this text of JSON hold a reference? Cheap, and never wrong about a no.
pub fn may_refer(data: &str) -> bool {
    // An escape could spell any letter.
    data.contains(PREFIX) || data.contains("\\u")
}

/// Every bulkId that the data refers to, in order, repetitions included.
pub fn found(data: &mut Value) -> Vec<String> {
    let mut ids = Vec::new();
    // Nothing is changed: each reference resolves to itself.
    let Ok(_stays) = walk::<Infallible>(data, Place::Elsewhere, &mut |id| {
        ids.push(id.to_owned());
        Ok(None)
    });
    ids
}

/// Puts what `resolve` says in the place of every reference. Whether something was left out.
///
/// # Errors
/// The first of `resolve`'s.
pub fn put<E>(data: &mut Value, mut resolve: impl FnMut(&str) -> Result<Resolved, E>) -> Result<bool, E> {
    let mut left_out = false;
    walk(data, Place::Elsewhere, &mut |id| {
        let resolved = resolve(id)?;
        left_out |= resolved == Resolved::LeftOut;
        Ok(Some(resolved))
    })?;
    Ok(left_out)
}

/// What a string is by the name it stands under.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Inside an element that stands for a resource: without it the element says nothing.
    Value,
    Reference,
    /// The element itself.
    Whole,
    Path,
    Elsewhere,
}

fn place(name: &str) -> Place {
    // `urn:…:User:manager.value` and the like, where a PATCH names attributes by their paths.
    let last = name.rsplit([':', '.']).next().unwrap_or(name);
    let is = |word: &str| last.eq_ignore_ascii_case(word);
    if is("value") {
        Place::Value
    } else if is("$ref") {
        Place::Reference
    } else if is("members") || is("manager") || is("managerId") {
        Place::Whole
    } else if is("path") {
        Place::Path
    } else {
        Place::Elsewhere
    }
}

/// What is to happen with a value after it was walked.
#[derive(PartialEq, Eq)]
enum Fate {
    Stays,
    /// It goes.
    Goes,
    /// What holds it goes.
    HolderGoes,
}

/// The depth is that of a body that was read: bounded.
fn walk<E>(value: &mut Value, at: Place, visit: &mut impl FnMut(&str) -> Result<Option<Resolved>, E>) -> Result<Fate, E> {
    match value {
        Value::String(text) => string(text, at, visit),
        Value::Array(elements) => {
            let mut failed = None;
            elements.retain_mut(|element| {
                if failed.is_some() {
                    return true;
                }
                match walk(element, at, visit) {
                    Ok(fate) => fate == Fate::Stays,
                    Err(error) => {
                        failed = Some(error);
                        true
                    }
                }
            });
            failed.map_or(Ok(Fate::Stays), Err)
        }
        Value::Object(members) => object(members, visit),
        _ => Ok(Fate::Stays),
    }
}

fn object<E>(members: &mut Map<String, Value>, visit: &mut impl FnMut(&str) -> Result<Option<Resolved>, E>) -> Result<Fate, E> {
    let mut gone = Vec::new();
    for (name, value) in members.iter_mut() {
        match walk(value, place(name), visit)? {
            Fate::Stays => {}
            Fate::Goes => gone.push(name.clone()),
            Fate::HolderGoes => return Ok(Fate::Goes),
        }
    }
    for name in gone {
        members.shift_remove(&name);
    }
    Ok(Fate::Stays)
}

fn string<E>(text: &mut String, at: Place, visit: &mut impl FnMut(&str) -> Result<Option<Resolved>, E>) -> Result<Fate, E> {
    let id = match at {
        Place::Elsewhere => return Ok(Fate::Stays),
        Place::Path => return in_filters(text, visit),
        Place::Reference => text.rsplit('/').next().and_then(bulk_id),
        Place::Value | Place::Whole => bulk_id(text),
    };
    let Some(id) = id else { return Ok(Fate::Stays) };
    match visit(id)? {
        None => Ok(Fate::Stays),
        Some(Resolved::To { id, location }) => {
            *text = if at == Place::Reference { location } else { id };
            Ok(Fate::Stays)
        }
        Some(Resolved::LeftOut) if at == Place::Whole => Ok(Fate::Goes),
        Some(Resolved::LeftOut) => Ok(Fate::HolderGoes),
    }
}

/// Each `"bulkId:x"` in a path.
fn in_filters<E>(path: &mut String, visit: &mut impl FnMut(&str) -> Result<Option<Resolved>, E>) -> Result<Fate, E> {
    let mut whole = String::new();
    let mut rest = path.as_str();
    while let Some((before, after)) = rest.split_once("\"bulkId:") {
        let Some((id, after)) = after.split_once('"') else { break };
        whole.push_str(before);
        match visit(id)? {
            Some(Resolved::To { id, .. }) => whole.extend(["\"", id.as_str(), "\""]),
            _ => whole.extend(["\"bulkId:", id, "\""]),
        }
        rest = after;
    }
    if !whole.is_empty() {
        whole.push_str(rest);
        *path = whole;
    }
    Ok(Fate::Stays)
}
