//! Operations on the elements of a list: all of them, those a filter matches, and those a `remove` names by value.

use super::attribute::{into_object, merge};
use super::{Patch, Verb};
use crate::model::query::Query;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::path::{ElementFilter, Resolved};
use crate::scim::resource::{ELEMENTS_MAX, bytes_of, immutable, is_primary, same_value, too_many, two_primaries};
use crate::scim::schema::{Attribute, Mutability, Type};
use serde_json::{Map, Value};

impl<'s> Patch<'s> {
    /// A list without a filter, or one sub-attribute of all its elements: the list afterwards.
    pub(super) fn edit_list(
        &mut self,
        verb: Verb,
        at: Resolved<'s>,
        before: Option<Value>,
        value: Value,
    ) -> Result<Option<Value>, ScimError> {
        let list = into_list(before);
        let list = match (verb, at.sub) {
            (_, Some(_)) => self.edit_each(verb, at, list, value)?,
            (Verb::Add, None) => self.append(at, list, value)?,
            (Verb::Replace, None) if self.unassigns(&value) => Vec::new(),
            (Verb::Replace, None) => self.reader.list(at, value)?,
            (Verb::Remove, None) if value.is_null() => Vec::new(),
            (Verb::Remove, None) => self.remove_named(at, list, value)?,
        };
        finished(at, list)
    }

    /// The elements a filter matches, or one sub-attribute of them: the list afterwards.
    pub(super) fn edit_matching(
        &mut self,
        verb: Verb,
        at: Resolved<'s>,
        filter: &ElementFilter,
        before: Option<Value>,
        value: Value,
    ) -> Result<Option<Value>, ScimError> {
        let mut list = into_list(before);
        self.charge(list.len().saturating_mul(terms(&filter.query)))?;
        let matching: Vec<usize> = (0..list.len())
            .filter(|&index| list[index].as_object().is_some_and(|element| filter.query.matches(element)))
            .collect();
        if verb == Verb::Replace && matching.is_empty() && self.strict() {
            return Err(no_target(at));
        }
        let ends_element = verb == Verb::Remove || verb == Verb::Replace && self.unassigns(&value);
        if at.sub.is_none() && ends_element {
            remove_at(&mut list, &matching);
            return finished(at, list);
        }
        if at.sub.is_none() && verb == Verb::Replace && !matching.is_empty() {
            list = self.replace_at(at, list, &matching, filter, value)?;
            return finished(at, list);
        }
        let parts = self.parts_of(verb, at, value)?;
        self.charge_copies(matching.len(), &parts)?;
        if !matching.is_empty() {
            merge_at(at, &mut list, &matching, &parts)?;
            if parts.iter().any(|(_, value)| value.is_none()) {
                drop_hollow(&mut list, &matching);
            }
        } else if parts.iter().any(|(_, value)| value.is_some()) {
            let element = self.element_for(verb, at, filter, &parts)?;
            list.push(element);
            let last = list.len() - 1;
            settle_primary(at, &mut list, &[last])?;
        }
        finished(at, list)
    }

    /// Each match becomes the value. Lenient, what the filter asked for stays where the value doesn't speak of it.
    fn replace_at(
        &mut self,
        at: Resolved<'s>,
        mut list: Vec<Value>,
        matching: &[usize],
        filter: &ElementFilter,
        value: Value,
    ) -> Result<Vec<Value>, ScimError> {
        let Some(element) = self.reader.element(at, value)? else {
            remove_at(&mut list, matching);
            return Ok(list);
        };
        let mut element = into_object(Some(element));
        if !self.strict() {
            for (name, value) in filter.creates.iter().flatten() {
                element.entry(name).or_insert_with(|| value.clone());
            }
        }
        // Several matches would become one element several times.
        list[matching[0]] = element.into();
        remove_at(&mut list, &matching[1..]);
        settle_primary(at, &mut list, &matching[..1])?;
        Ok(list)
    }

    /// The element a filter asked for and did not find: its `eq` terms and the value.
    fn element_for(
        &mut self,
        verb: Verb,
        at: Resolved<'s>,
        filter: &ElementFilter,
        parts: &[(&Attribute, Option<Value>)],
    ) -> Result<Value, ScimError> {
        let may_create = !self.strict() || (verb == Verb::Add && at.sub.is_some());
        let terms = filter.creates.as_ref().filter(|_| may_create).ok_or_else(|| no_target(at))?;
        let mut element: Map<String, Value> = terms.iter().cloned().collect();
        merge(&mut element, parts);
        // What a filter says is input like any other.
        self.reader.element(Resolved { sub: None, ..at }, element.into())?.ok_or_else(|| no_target(at))
    }

    /// `list.sub` means every element; an empty list gets one, as through a filter.
    fn edit_each(&mut self, verb: Verb, at: Resolved<'s>, mut list: Vec<Value>, value: Value) -> Result<Vec<Value>, ScimError> {
        self.charge(list.len())?;
        let parts = self.parts_of(verb, at, value)?;
        let all: Vec<usize> = (0..list.len()).collect();
        self.charge_copies(list.len(), &parts)?;
        if list.is_empty() {
            if parts.iter().any(|(_, value)| value.is_some()) {
                let mut element = Map::new();
                merge(&mut element, &parts);
                list.push(element.into());
            }
            return Ok(list);
        }
        merge_at(at, &mut list, &all, &parts)?;
        if parts.iter().any(|(_, value)| value.is_none()) {
            drop_hollow(&mut list, &all);
        }
        Ok(list)
    }

    /// Appends what isn't there yet. An element with the `value` and `type` of another is merged into it.
    fn append(&mut self, at: Resolved<'s>, mut list: Vec<Value>, value: Value) -> Result<Vec<Value>, ScimError> {
        if self.unassigns(&value) {
            return Ok(list);
        }
        // One object is a value to add as much as a list of them.
        let value = if value.is_object() { vec![value].into() } else { value };
        let added = self.reader.list(at, value)?;
        let mut touched = Vec::with_capacity(added.len());
        for element in added {
            self.charge(list.len())?;
            match list.iter().position(|known| is_same_element(known, &element)) {
                Some(index) => {
                    let parts: Vec<_> = into_object(Some(element))
                        .into_iter()
                        .filter_map(|(name, value)| Some((at.attribute.sub(&name)?, Some(value))))
                        .collect();
                    merge_at(at, &mut list, &[index], &parts)?;
                    touched.push(index);
                }
                None => {
                    touched.push(list.len());
                    list.push(element);
                }
            }
        }
        settle_primary(at, &mut list, &touched)?;
        Ok(list)
    }

    /// Pays for writing the same parts into several elements: long text costs as much as looking at many.
    fn charge_copies(&mut self, copies: usize, parts: &[(&Attribute, Option<Value>)]) -> Result<(), ScimError> {
        const BYTES_PER_LOOK: usize = 256;
        let bytes: usize = parts.iter().filter_map(|(_, value)| value.as_ref()).map(bytes_of).sum();
        self.charge(copies.saturating_mul(bytes / BYTES_PER_LOOK))
    }

    /// Removes what `value` names, and nothing else.
    fn remove_named(&mut self, at: Resolved<'s>, mut list: Vec<Value>, value: Value) -> Result<Vec<Value>, ScimError> {
        let named = match value {
            Value::Array(named) => named,
            one => vec![one],
        };
        for name in named {
            self.charge(list.len())?;
            if at.attribute.kind != Type::Complex {
                let Some(name) = self.reader.element(at, name)? else { continue };
                list.retain(|element| !same_value(at.attribute, element, &name));
                continue;
            }
            let mut parts = self.reader.parts(at, name)?;
            parts.retain(|(_, value)| value.is_some());
            if parts.iter().any(|(sub, _)| sub.name == "value") {
                parts.retain(|(sub, _)| matches!(sub.name.as_str(), "value" | "type"));
            }
            list.retain(|element| parts.is_empty() || !has_parts(element, &parts));
        }
        Ok(list)
    }
}

/// Merges into some elements. An immutable sub-attribute that has a value keeps it.
fn merge_at(
    at: Resolved<'_>,
    list: &mut [Value],
    indexes: &[usize],
    parts: &[(&Attribute, Option<Value>)],
) -> Result<(), ScimError> {
    for &index in indexes {
        let Value::Object(element) = &mut list[index] else { continue };
        for (sub, value) in parts.iter().filter(|(sub, _)| sub.mutability == Mutability::Immutable) {
            let known = element.get(&sub.name);
            if known.is_some_and(|known| !value.as_ref().is_some_and(|value| same_value(sub, known, value))) {
                return Err(immutable(Resolved { sub: Some(*sub), ..at }));
            }
        }
        merge(element, parts);
    }
    let gives_primary = parts.iter().any(|(sub, value)| sub.name == "primary" && value.is_some());
    if gives_primary { settle_primary(at, list, indexes) } else { Ok(()) }
}

/// The primary rule (RFC 7644 §3.5.2): an element an operation leaves primary demotes the others; two can't both win.
fn settle_primary(at: Resolved<'_>, list: &mut [Value], touched: &[usize]) -> Result<(), ScimError> {
    let mut winner = None;
    for &index in touched {
        if is_primary(&list[index]) && winner.replace(index).is_some_and(|other| other != index) {
            return Err(two_primaries(at.attribute.name.as_str()));
        }
    }
    let Some(winner) = winner else { return Ok(()) };
    for (index, element) in list.iter_mut().enumerate() {
        if index != winner && is_primary(element) {
            element["primary"] = false.into();
        }
    }
    Ok(())
}

fn is_same_element(known: &Value, added: &Value) -> bool {
    match added.get("value") {
        Some(value) => known.get("value") == Some(value) && known.get("type") == added.get("type"),
        None => known == added,
    }
}

fn has_parts(element: &Value, parts: &[(&Attribute, Option<Value>)]) -> bool {
    parts.iter().all(|(sub, wanted)| match (element.get(&sub.name), wanted) {
        (Some(value), Some(wanted)) => same_value(sub, value, wanted),
        _ => false,
    })
}

/// Removes the elements at ascending `indexes`.
fn remove_at(list: &mut Vec<Value>, indexes: &[usize]) {
    let mut gone = indexes.iter().copied().peekable();
    let mut index = 0;
    list.retain(|_| {
        let keep = gone.next_if_eq(&index).is_none();
        index += 1;
        keep
    });
}

/// Of the elements at ascending `indexes`, removes those that hold only labels.
fn drop_hollow(list: &mut Vec<Value>, indexes: &[usize]) {
    let labels_only = |element: &Value| {
        element.as_object().is_some_and(|element| element.keys().all(|name| matches!(name.as_str(), "type" | "primary")))
    };
    let hollow: Vec<usize> = indexes.iter().copied().filter(|&index| labels_only(&list[index])).collect();
    remove_at(list, &hollow);
}

fn into_list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn finished(at: Resolved<'_>, list: Vec<Value>) -> Result<Option<Value>, ScimError> {
    if list.len() > ELEMENTS_MAX {
        return Err(too_many(at, ELEMENTS_MAX));
    }
    Ok(if list.is_empty() { None } else { Some(list.into()) })
}

fn no_target(at: Resolved<'_>) -> ScimError {
    ScimError::of(ScimType::NoTarget, format!("no element of {} matches", at.attribute.name))
}

/// How many comparisons a filter costs at each element.
fn terms(query: &Query) -> usize {
    match query {
        Query::And(queries) | Query::Or(queries) => queries.iter().map(terms).sum::<usize>().max(1),
        Query::Not(query) | Query::Element { matches: query, .. } => terms(query),
        Query::All | Query::Present(_) | Query::Compare(..) => 1,
    }
}
