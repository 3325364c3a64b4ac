//! Attribute paths (RFC 7644 §3.10) and PATCH paths (§3.5.2): text in, a place in the schema out.
//!
//! Owns: how a URN is told from a name, resolution without regard to case, the forms of a PATCH path. Refuses:
//! touching documents. A path that begins with a known URN is split at the colon right after it, longest match
//! first, so dots inside a URN don't matter; everything else is `name` or `name.sub`.

use super::error::{ScimError, ScimType};
use super::filter::{self, ast::Filter};
use super::mode::Mode;
use super::schema::{Attribute, ResourceType, Schema};
use crate::model::query::Query;
use serde_json::Value;
use std::fmt;

/// An attribute path as it was written: not empty, no white space, brackets, parentheses or quotes. Whether it
/// means anything is for [`resolve`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributePath(String);

impl AttributePath {
    /// `[URN ":"] name ["." sub]`; a name may begin with `$`. `None` for text of any other form.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$' | '.' | ':');
        let first = text.chars().next()?;
        let last = text.chars().next_back()?;
        let formed = (first.is_ascii_alphabetic() || first == '$')
            && !matches!(last, '.' | ':')
            && !text.contains("..")
            && text.chars().all(allowed);
        formed.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One attribute or sub-attribute of a resource type.
#[derive(Clone, Copy, Debug)]
pub struct Resolved<'s> {
    /// The extension that holds it; `None` for core and common attributes.
    pub extension: Option<&'s Schema>,
    pub attribute: &'s Attribute,
    pub sub: Option<&'s Attribute>,
}

impl<'s> Resolved<'s> {
    /// What the path ends in: the sub-attribute if it names one.
    pub fn target(&self) -> &'s Attribute {
        self.sub.unwrap_or(self.attribute)
    }

    /// The member names that lead there from the root of a document, in the schema's spelling.
    pub fn document_path(&self) -> Vec<String> {
        let extension = self.extension.map(|schema| schema.id.clone());
        let names = [Some(self.attribute), self.sub].into_iter().flatten().map(|attribute| attribute.name.clone());
        extension.into_iter().chain(names).collect()
    }
}

impl fmt::Display for Resolved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = self.extension {
            write!(f, "{}:", schema.id)?;
        }
        f.write_str(&self.attribute.name)?;
        self.sub.map_or(Ok(()), |sub| write!(f, ".{}", sub.name))
    }
}

/// Why a path names nothing.
#[derive(Clone, Copy, Debug)]
pub enum Unresolved<'s> {
    /// No schema of the resource type has it.
    Unknown,
    /// This extension has it, and the path doesn't say so: strict, or an extension that was registered.
    WithoutUrn(&'s Schema),
}

impl Unresolved<'_> {
    /// For an error's detail; `text` is the path.
    pub fn detail(self, text: &str) -> String {
        let text = filter::excerpt(text);
        match self {
            Self::Unknown => format!("there is no attribute \"{text}\""),
            Self::WithoutUrn(schema) => format!("\"{text}\" is of an extension and needs its URN: \"{}:{text}\"", schema.id),
        }
    }
}

/// Finds the attribute a path names, whatever its case. Core attributes with or without their URN; extension
/// attributes with it. Lenient, an attribute of the standard's extension without its URN is taken where the core schema
/// has none of that name: clients drop the URN. RFC 7644 §3.10 says they SHOULD NOT; strict holds them to it. A registered
/// extension always needs its URN: what is registered must not change what a name means.
///
/// Errors: there is no such attribute, or it lacks its URN.
pub fn resolve<'s>(resource_type: &'s ResourceType, text: &str, mode: Mode) -> Result<Resolved<'s>, Unresolved<'s>> {
    let located = match split_urn(resource_type, text) {
        Some((_, "")) => None,
        Some((Urn::Core, rest)) => locate(None, |name| resource_type.find(name), rest),
        Some((Urn::Extension(schema), rest)) => locate(Some(schema), |name| schema.find(name), rest),
        None => {
            let core = |name: &str| resource_type.find(name);
            let (name, _) = split_name(text);
            if core(name).is_none() {
                return without_urn(resource_type, text, mode);
            }
            locate(None, core, text)
        }
    };
    located.ok_or(Unresolved::Unknown)
}

/// An extension attribute named as if it were a core attribute.
fn without_urn<'s>(resource_type: &'s ResourceType, text: &str, mode: Mode) -> Result<Resolved<'s>, Unresolved<'s>> {
    let (name, _) = split_name(text);
    let only_holder = |registered: bool| {
        let holds = |schema: &&Schema| schema.registered == registered && schema.find(name).is_some();
        let mut holders = resource_type.extensions.iter().filter(holds);
        holders.next().filter(|_| holders.next().is_none())
    };
    let schema = only_holder(false).or_else(|| only_holder(true)).ok_or(Unresolved::Unknown)?;
    let at = locate(Some(schema), |name| schema.find(name), text).ok_or(Unresolved::Unknown)?;
    if mode.strict || schema.registered { Err(Unresolved::WithoutUrn(schema)) } else { Ok(at) }
}

/// The extension a path or key names, if it is a bare extension URN.
pub fn bare_extension<'s>(resource_type: &'s ResourceType, text: &str) -> Option<&'s Schema> {
    match split_urn(resource_type, text) {
        Some((Urn::Extension(schema), "")) => Some(schema),
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Urn<'s> {
    Core,
    Extension(&'s Schema),
}

/// The known URN a text begins with and what follows its colon (nothing for the bare URN). Longest match.
fn split_urn<'s, 't>(resource_type: &'s ResourceType, text: &'t str) -> Option<(Urn<'s>, &'t str)> {
    let core = std::iter::once((resource_type.core.id.as_str(), Urn::Core));
    let extensions = resource_type.extensions.iter().map(|schema| (schema.id.as_str(), Urn::Extension(schema)));
    core.chain(extensions)
        .filter_map(|(id, urn)| after_urn(id, text).map(|rest| (id.len(), urn, rest)))
        .max_by_key(|(length, ..)| *length)
        .map(|(_, urn, rest)| (urn, rest))
}

/// `Some("")` if `text` is `urn`, `Some(rest)` if it is `urn:rest` with something there.
fn after_urn<'t>(urn: &str, text: &'t str) -> Option<&'t str> {
    let head = text.get(..urn.len())?;
    if !head.eq_ignore_ascii_case(urn) {
        return None;
    }
    match &text[urn.len()..] {
        "" => Some(""),
        rest => rest.strip_prefix(':').filter(|rest| !rest.is_empty()),
    }
}

fn split_name(text: &str) -> (&str, Option<&str>) {
    text.split_once('.').map_or((text, None), |(name, sub)| (name, Some(sub)))
}

fn locate<'s>(extension: Option<&'s Schema>, find: impl Fn(&str) -> Option<&'s Attribute>, text: &str) -> Option<Resolved<'s>> {
    let (name, sub) = split_name(text);
    let attribute = find(name)?;
    let sub = match sub {
        Some(sub) => Some(attribute.sub(sub)?),
        None => None,
    };
    Some(Resolved { extension, attribute, sub })
}

/// What the `path` of a PATCH operation names.
#[derive(Clone, Debug)]
pub enum PatchPath<'s> {
    /// A bare extension URN: all of the extension.
    Extension(&'s Schema),
    /// `attribute`, `attribute.sub`, `list[filter]`, `list[filter].sub`, each with or without a URN.
    Attribute { at: Resolved<'s>, filter: Option<ElementFilter> },
}

/// The filter of a value path, over one element of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct ElementFilter {
    /// Its fields are relative to the element.
    pub query: Query,
    /// If the filter is a conjunction of `eq` terms: the sub-attributes an element needs to satisfy it, in the
    /// schema's spelling. A missing element can be made from these.
    pub creates: Option<Vec<(String, Value)>>,
}

/// Reads the `path` of a PATCH operation.
///
/// Errors: `invalidPath` if it is malformed or names no attribute, or filters what is not a list of objects, or,
/// strict, names an extension's attribute without its URN; `invalidFilter` if the filter inside the brackets is wrong
/// (RFC 7644 §3.5.2, §3.12).
pub fn parse_patch_path<'s>(resource_type: &'s ResourceType, text: &str, mode: Mode) -> Result<PatchPath<'s>, ScimError> {
    let text = text.trim();
    if let Some(schema) = bare_extension(resource_type, text) {
        return Ok(PatchPath::Extension(schema));
    }
    let Some(bracket) = text.find('[') else {
        let path = AttributePath::parse(text).ok_or_else(|| malformed(text))?;
        let at = resolve(resource_type, path.as_str(), mode).map_err(|why| invalid_path(why.detail(text)))?;
        return Ok(PatchPath::Attribute { at, filter: None });
    };
    let list = text[..bracket].trim_end();
    let path = AttributePath::parse(list).ok_or_else(|| malformed(list))?;
    let at = resolve(resource_type, path.as_str(), mode).map_err(|why| invalid_path(why.detail(list)))?;
    if at.sub.is_some() || at.attribute.sub_attributes.is_empty() || !at.attribute.multi_valued {
        return Err(invalid_path(format!("{at} is not a list of objects, so it can't be filtered")));
    }
    let (terms, rest) = filter::parse_element(&text[bracket..], mode)?;
    let sub = match rest {
        "" => None,
        rest => {
            let name = rest.strip_prefix('.').ok_or_else(|| malformed(rest))?;
            Some(at.attribute.sub(name).ok_or_else(|| invalid_path(Unresolved::Unknown.detail(name)))?)
        }
    };
    let query = filter::compile_element(&terms, at.attribute, mode)?;
    let mut needs = Vec::new();
    let creates = conjunction_of_eq(&terms, at.attribute, &mut needs).then_some(needs);
    let filter = Some(ElementFilter { query, creates });
    Ok(PatchPath::Attribute { at: Resolved { sub, ..at }, filter })
}

/// Gathers the `eq` terms of a filter; false if it holds anything else, or asks one sub-attribute for two values.
fn conjunction_of_eq(filter: &Filter, list: &Attribute, needs: &mut Vec<(String, Value)>) -> bool {
    match filter {
        Filter::And(left, right) => conjunction_of_eq(left, list, needs) && conjunction_of_eq(right, list, needs),
        Filter::Compare(path, filter::ast::Operator::Eq, value) => {
            let Some((name, value)) = list.sub(path.as_str()).and_then(|sub| Some((&sub.name, value.to_json(sub)?))) else {
                return false;
            };
            match needs.iter().find(|(other, _)| other == name) {
                Some((_, other)) => *other == value,
                None => {
                    needs.push((name.clone(), value));
                    true
                }
            }
        }
        _ => false,
    }
}

fn invalid_path(detail: String) -> ScimError {
    ScimError::of(ScimType::InvalidPath, detail)
}

fn malformed(text: &str) -> ScimError {
    invalid_path(format!("the path is malformed at \"{}\"", filter::excerpt(text)))
}

#[cfg(test)]
mod tests;
