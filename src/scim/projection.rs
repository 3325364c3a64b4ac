//! `attributes` and `excludedAttributes` (RFC 7644 §3.4.2.5, §3.9): which parts of a resource an answer shows.
//!
//! Owns: reading both lists and cutting a document down. Refuses: showing what is returned `never`, hiding what is
//! returned `always`. Names nobody knows are ignored. The brackets of `emails[type eq "work"]` are too, and enterprise
//! attributes need no URN; strict, both are refused: to ignore them would show what was to be left out.

use super::error::{ScimError, ScimType};
use super::filter::excerpt;
use super::mode::Mode;
use super::path::{self, Unresolved};
use super::schema::{Attribute, ResourceType, Returned};
use serde_json::{Map, Value};

/// Most items of one list.
pub const ITEMS_MAX: usize = 500;

/// Member names from the root of a document.
pub type Path = Vec<String>;

/// Which parts of the resources of one type an answer shows.
#[derive(Clone, Debug)]
pub struct Projection {
    selection: Selection,
    /// Returned `always`.
    always: Vec<Path>,
    /// Returned `never`.
    never: Vec<Path>,
    /// Returned on `request`.
    on_request: Vec<Path>,
    /// Whether a stored document may hold what no answer shows unasked.
    hides_stored: bool,
}

#[derive(Clone, Debug)]
enum Selection {
    Default,
    Only(Vec<Path>),
    Without(Vec<Path>),
}

impl Projection {
    /// Reads the two comma lists. A blank list is no list.
    ///
    /// Errors: `invalidValue` if both are given, or one has more than [`ITEMS_MAX`] items; strict, also for an item with
    /// a filter and for an extension's attribute without its URN.
    pub fn parse(
        attributes: Option<&str>,
        excluded: Option<&str>,
        resource_type: &ResourceType,
        mode: Mode,
    ) -> Result<Self, ScimError> {
        let attributes = items(attributes.unwrap_or_default())?;
        let excluded = items(excluded.unwrap_or_default())?;
        let selection = match (attributes.is_empty(), excluded.is_empty()) {
            (true, true) => Selection::Default,
            (false, true) => Selection::Only(paths(&attributes, resource_type, mode)?),
            (true, false) => Selection::Without(paths(&excluded, resource_type, mode)?),
            (false, false) => {
                return Err(invalid_value("attributes and excludedAttributes can't be used together".into()));
            }
        };
        let (never, on_request) = (returned(resource_type, Returned::Never), returned(resource_type, Returned::Request));
        let of_extension = |path: &Path| resource_type.extensions.iter().any(|schema| path.first() == Some(&schema.id));
        Ok(Self {
            selection,
            always: returned(resource_type, Returned::Always),
            hides_stored: never.iter().chain(&on_request).any(of_extension),
            never,
            on_request,
        })
    }

    /// Whether neither list was given.
    pub fn is_default(&self) -> bool {
        matches!(self.selection, Selection::Default)
    }

    /// Whether the answer is the stored document as it is.
    pub fn shows_all_stored(&self) -> bool {
        self.is_default() && !self.hides_stored
    }

    /// The projection of the answer to a write: what is returned on request is shown where the client wrote it (RFC 7643
    /// §2.2). `written` leads to what was written of extensions.
    #[must_use]
    pub fn echoing(mut self, written: &[Path]) -> Self {
        self.on_request.retain(|path| !written.iter().any(|written| path.starts_with(written)));
        self
    }

    /// Whether the answer shows anything of a top-level attribute (`members`) or of an extension (its URN), in the
    /// schema's spelling. What is not wanted need not be read.
    pub fn wants(&self, attribute: &str) -> bool {
        let names = |path: &Path| path.len() == 1 && path[0] == attribute;
        let within = |path: &Path| path.first().is_some_and(|name| name == attribute);
        if self.never.iter().any(names) {
            return false;
        }
        self.always.iter().any(within)
            || match &self.selection {
                Selection::Default => !self.on_request.iter().any(names),
                Selection::Only(paths) => paths.iter().any(within),
                Selection::Without(paths) => !paths.iter().chain(&self.on_request).any(names),
            }
    }

    /// Cuts a document down to what the answer shows; the order of what stays is kept. An object or list of which
    /// nothing stays goes too.
    pub fn apply(&self, document: &mut Map<String, Value>) {
        match &self.selection {
            Selection::Default => remove_all(document, &self.on_request),
            Selection::Only(paths) => {
                let kept: Vec<&[String]> = paths.iter().chain(&self.always).map(Vec::as_slice).collect();
                keep(document, &kept);
            }
            Selection::Without(paths) => {
                let removable = paths.iter().filter(|path| !self.always.contains(path));
                remove_all(document, removable.chain(&self.on_request));
            }
        }
        remove_all(document, &self.never);
    }
}

/// The items of a comma list. A comma in brackets is part of a filter.
fn items(list: &str) -> Result<Vec<&str>, ScimError> {
    let mut depth = 0_usize;
    let separates = |c: char| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    let items: Vec<&str> = list.split(separates).map(str::trim).filter(|item| !item.is_empty()).take(ITEMS_MAX + 1).collect();
    if items.len() > ITEMS_MAX {
        return Err(invalid_value(format!("a list of attributes has more than {ITEMS_MAX} items")));
    }
    Ok(items)
}

/// Where the items lead, each place once; a bare URN leads to all of its schema.
fn paths(items: &[&str], resource_type: &ResourceType, mode: Mode) -> Result<Vec<Path>, ScimError> {
    let mut paths: Vec<Path> = Vec::new();
    let mut add = |path: Path| {
        if !paths.contains(&path) {
            paths.push(path);
        }
    };
    for item in items {
        let (item, filtered) = item.split_once('[').map_or((*item, false), |(name, _)| (name.trim_end(), true));
        if filtered && mode.strict {
            return Err(invalid_value(format!("an item of a list of attributes has no filter: write \"{}\"", excerpt(item))));
        }
        if item.eq_ignore_ascii_case(&resource_type.core.id) {
            let shown = resource_type.core.attributes.iter().filter(|attribute| attribute.returned == Returned::Default);
            shown.for_each(|attribute| add(vec![attribute.name.clone()]));
        } else if let Some(schema) = path::bare_extension(resource_type, item) {
            add(vec![schema.id.clone()]);
        } else {
            match path::resolve(resource_type, item, mode) {
                Ok(at) => add(at.document_path()),
                Err(Unresolved::WithoutUrn(_)) if !mode.strict => {}
                Err(Unresolved::Unknown) => {}
                Err(why @ Unresolved::WithoutUrn(_)) => return Err(invalid_value(why.detail(item))),
            }
        }
    }
    Ok(paths)
}

/// Every place of the resource type that is returned so.
fn returned(resource_type: &ResourceType, returned: Returned) -> Vec<Path> {
    let mut paths = Vec::new();
    let core = resource_type.common.iter().chain(&resource_type.core.attributes).map(|attribute| (None, attribute));
    let extensions = resource_type
        .extensions
        .iter()
        .flat_map(|schema| schema.attributes.iter().map(move |attribute| (Some(&schema.id), attribute)));
    for (extension, attribute) in core.chain(extensions) {
        let place = |names: &[&Attribute]| -> Path {
            extension.into_iter().chain(names.iter().map(|attribute| &attribute.name)).cloned().collect()
        };
        if attribute.returned == returned {
            paths.push(place(&[attribute]));
        }
        let subs = attribute.sub_attributes.iter().filter(|sub| sub.returned == returned);
        paths.extend(subs.map(|sub| place(&[attribute, sub])));
    }
    paths
}

/// Removes all but what the paths lead to.
fn keep(object: &mut Map<String, Value>, paths: &[&[String]]) {
    object.retain(|name, value| {
        let below: Vec<&[String]> = paths
            .iter()
            .filter_map(|path| path.split_first())
            .filter(|(first, _)| *first == name)
            .map(|(_, rest)| rest)
            .collect();
        if below.iter().any(|rest| rest.is_empty()) {
            return true;
        }
        !below.is_empty() && each_object(value, &mut |element| keep(element, &below))
    });
}

fn remove_all<'p>(object: &mut Map<String, Value>, paths: impl IntoIterator<Item = &'p Path>) {
    paths.into_iter().for_each(|path| remove(object, path));
}

/// Removes what one path leads to.
fn remove(object: &mut Map<String, Value>, path: &[String]) {
    match path {
        [] => {}
        [name] => {
            object.shift_remove(name);
        }
        [name, rest @ ..] => {
            let remains = object.get_mut(name).is_none_or(|value| each_object(value, &mut |element| remove(element, rest)));
            if !remains {
                object.shift_remove(name);
            }
        }
    }
}

/// Edits the object, or each object of the list; says whether anything is left. What is no object has no parts.
fn each_object(value: &mut Value, edit: &mut dyn FnMut(&mut Map<String, Value>)) -> bool {
    match value {
        Value::Object(object) => {
            edit(object);
            !object.is_empty()
        }
        Value::Array(elements) => {
            elements.retain_mut(|element| each_object(element, edit));
            !elements.is_empty()
        }
        _ => false,
    }
}

fn invalid_value(detail: String) -> ScimError {
    ScimError::of(ScimType::InvalidValue, detail)
}

#[cfg(test)]
mod tests;
