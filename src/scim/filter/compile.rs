//! A tree against a schema: every path resolved, every operator and value checked against the attribute's type.

use super::ast::{Filter, Operator, Value};
use super::refused;
use crate::model::query::{Comparison, Field, Index, Kind, Literal, Query, parse_instant};
use crate::scim::error::ScimError;
use crate::scim::mode::Mode;
use crate::scim::path::{self, AttributePath, Unresolved};
use crate::scim::schema::{Attribute, ResourceType, Returned, Type};

/// Turns a filter into a predicate over resources of one type.
///
/// Errors: `invalidFilter` for an unknown attribute, an operator the attribute's type does not have (RFC 7644
/// table 3), a value of another type, an attribute that is never returned; strict, also for a quoted boolean, digits
/// without quotes where text is compared, an extension's attribute without its URN.
pub fn compile(filter: &Filter, resource_type: &ResourceType, mode: Mode) -> Result<Query, ScimError> {
    query(filter, &Scope { within: Within::Resource(resource_type), mode })
}

/// Turns the filter of a value path into a predicate over one element of `list`; the fields are relative to the
/// element. Errors: as [`compile`].
pub fn compile_element(filter: &Filter, list: &Attribute, mode: Mode) -> Result<Query, ScimError> {
    Ok(unindexed(query(filter, &Scope { within: Within::Element(list), mode })?))
}

/// What paths are looked up in, and how kindly terms are read.
struct Scope<'s> {
    within: Within<'s>,
    mode: Mode,
}

#[derive(Clone, Copy)]
enum Within<'s> {
    Resource(&'s ResourceType),
    Element(&'s Attribute),
}

/// An attribute and the way to it.
struct Place<'s> {
    attribute: &'s Attribute,
    path: Vec<String>,
}

impl<'s> Place<'s> {
    fn sub(mut self, sub: &'s Attribute) -> Self {
        self.path.push(sub.name.clone());
        Place { attribute: sub, path: self.path }
    }

    fn field(self) -> Field {
        field(self.attribute, self.path)
    }
}

/// The place `path` leads to, which holds `attribute`, in the terms of the store.
pub fn field(attribute: &Attribute, path: Vec<String>) -> Field {
    let kind = match attribute.kind {
        Type::String | Type::Reference => Kind::Text,
        Type::Boolean => Kind::Boolean,
        Type::Decimal | Type::Integer => Kind::Number,
        Type::DateTime => Kind::Instant,
        Type::Binary => Kind::Binary,
        Type::Complex => Kind::Complex,
    };
    Field { path, kind, case_exact: attribute.case_exact, index: attribute.index.clone() }
}

impl<'s> Scope<'s> {
    fn find(&self, path: &AttributePath) -> Result<Place<'s>, ScimError> {
        let text = path.as_str();
        let (place, hidden) = match self.within {
            Within::Resource(resource_type) => {
                let at = path::resolve(resource_type, text, self.mode).map_err(|why| match why {
                    Unresolved::Unknown => {
                        refused(format!("{} has no attribute \"{}\"", resource_type.name, super::excerpt(text)))
                    }
                    Unresolved::WithoutUrn(_) => refused(why.detail(text)),
                })?;
                let hidden = at.attribute.returned == Returned::Never;
                (Place { attribute: at.target(), path: at.document_path() }, hidden)
            }
            Within::Element(list) => {
                let Some(sub) = list.sub(text) else {
                    return Err(refused(format!("{} has no sub-attribute \"{}\"", list.name, super::excerpt(text))));
                };
                (Place { attribute: sub, path: vec![sub.name.clone()] }, false)
            }
        };
        // RFC 7643 §7 would allow it; it is an oracle for guessing.
        if hidden || place.attribute.returned == Returned::Never {
            return Err(refused(format!("{} can't be filtered on", place.attribute.name)));
        }
        Ok(place)
    }
}

fn query(filter: &Filter, scope: &Scope<'_>) -> Result<Query, ScimError> {
    match filter {
        Filter::And(left, right) => {
            let mut parts = Vec::new();
            for side in [left, right] {
                match query(side, scope)? {
                    Query::And(inner) => parts.extend(inner),
                    other => parts.push(other),
                }
            }
            Ok(Query::And(parts))
        }
        Filter::Or(left, right) => {
            let mut parts = Vec::new();
            for side in [left, right] {
                match query(side, scope)? {
                    Query::Or(inner) => parts.extend(inner),
                    other => parts.push(other),
                }
            }
            Ok(Query::Or(parts))
        }
        Filter::Not(inner) => Ok(not(query(inner, scope)?)),
        Filter::Present(path) => Ok(present(scope.find(path)?)),
        Filter::Compare(path, operator, value) => compare(scope.find(path)?, *operator, value, scope.mode),
        Filter::Element(path, inner) => element(scope, path, inner),
    }
}

fn not(query: Query) -> Query {
    Query::Not(Box::new(query))
}

fn present(place: Place<'_>) -> Query {
    match place.attribute.default_sub() {
        // Rows of a join table: each has a value.
        Some(sub) if matches!(sub.index, Index::GroupsOfMember | Index::MembersOfGroup) => Query::Present(place.sub(sub).field()),
        _ => Query::Present(place.field()),
    }
}

fn compare(place: Place<'_>, operator: Operator, value: &Value, mode: Mode) -> Result<Query, ScimError> {
    // null and the empty string are no values (RFC 7643 §2.5): equal to them is what has none.
    let nothing = match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() && !matches!(place.attribute.kind, Type::Boolean | Type::DateTime),
        _ => false,
    };
    match (nothing, operator) {
        (true, Operator::Eq) => return Ok(not(present(place))),
        (true, Operator::Ne) => return Ok(present(place)),
        _ => {}
    }
    let place = if place.attribute.kind == Type::Complex {
        match place.attribute.default_sub() {
            Some(sub) if mode.strict && !place.attribute.multi_valued => {
                let (name, sub) = (&place.attribute.name, &sub.name);
                return Err(refused(format!("{name} is complex: name a sub-attribute, as in {name}.{sub}")));
            }
            Some(sub) => place.sub(sub),
            None => return Err(refused(format!("{} is complex: name a sub-attribute", place.attribute.name))),
        }
    } else {
        place
    };
    let attribute = place.attribute;
    if !operators(attribute.kind).contains(&operator) {
        return Err(refused(format!("{} can't be compared by \"{}\"", attribute.name, operator.as_str())));
    }
    let literal = literal(attribute, value)
        .ok_or_else(|| refused(format!("{} is {}, which the value is not", attribute.name, noun(attribute.kind))))?;
    if mode.strict {
        is_of_json_type(attribute, value)?;
    }
    let empty = literal == Literal::Text(String::new());
    if empty && matches!(operator, Operator::Co | Operator::Sw | Operator::Ew) {
        return Err(refused(format!("{} {} needs a value that is not empty", attribute.name, operator.as_str())));
    }
    Ok(Query::Compare(place.field(), comparison(operator), literal))
}

/// The operators a type has (RFC 7644 table 3).
fn operators(kind: Type) -> &'static [Operator] {
    use Operator::{Eq, Ge, Gt, Le, Lt, Ne};
    match kind {
        Type::String | Type::Reference => &Operator::ALL,
        Type::Decimal | Type::Integer | Type::DateTime => &[Eq, Ne, Gt, Ge, Lt, Le],
        Type::Boolean | Type::Binary => &[Eq, Ne],
        Type::Complex => &[],
    }
}

fn comparison(operator: Operator) -> Comparison {
    match operator {
        Operator::Eq => Comparison::Equal,
        Operator::Ne => Comparison::NotEqual,
        Operator::Co => Comparison::Contains,
        Operator::Sw => Comparison::StartsWith,
        Operator::Ew => Comparison::EndsWith,
        Operator::Gt => Comparison::Greater,
        Operator::Ge => Comparison::GreaterOrEqual,
        Operator::Lt => Comparison::Less,
        Operator::Le => Comparison::LessOrEqual,
    }
}

/// The value in the attribute's type; `None` if it is of another.
fn literal(attribute: &Attribute, value: &Value) -> Option<Literal> {
    match (attribute.kind, value) {
        (Type::String | Type::Reference | Type::Binary, Value::String(text)) => Some(Literal::Text(text.clone())),
        // Lenient: unquoted digits, as PingFederate sends user names and employee numbers.
        (Type::String, Value::Number(number)) if number.is_i64() || number.is_u64() => Some(Literal::Text(number.to_string())),
        (Type::Boolean, value) => value.as_boolean().map(Literal::Boolean),
        (Type::Decimal | Type::Integer, Value::Number(number)) => Some(Literal::Number(number.clone())),
        (Type::DateTime, Value::String(text)) => parse_instant(text).map(Literal::Instant),
        _ => None,
    }
}

/// Strict: a value of the attribute's JSON type, and not one that [`literal`] only reads as such.
fn is_of_json_type(attribute: &Attribute, value: &Value) -> Result<(), ScimError> {
    let name = &attribute.name;
    match (attribute.kind, value) {
        (Type::Boolean, Value::String(_)) => Err(refused(format!("{name} is a boolean: write true or false without quotes"))),
        (Type::String, Value::Number(_)) => Err(refused(format!("{name} is a string: write the digits in quotes"))),
        _ => Ok(()),
    }
}

fn noun(kind: Type) -> &'static str {
    match kind {
        Type::String => "a string",
        Type::Boolean => "a boolean",
        Type::Decimal | Type::Integer => "a number",
        Type::DateTime => "a time of the form 2026-01-31T12:00:00Z",
        Type::Binary => "base64",
        Type::Reference => "a reference",
        Type::Complex => "complex",
    }
}

fn element(scope: &Scope<'_>, path: &AttributePath, inner: &Filter) -> Result<Query, ScimError> {
    if matches!(scope.within, Within::Element(_)) {
        return Err(refused("brackets don't nest"));
    }
    let place = scope.find(path)?;
    if place.attribute.sub_attributes.is_empty() {
        return Err(refused(format!("{} has no sub-attributes to filter by", place.attribute.name)));
    }
    let matches = query(inner, &Scope { within: Within::Element(place.attribute), mode: scope.mode })?;
    Ok(some_element(&place.field(), matches))
}

/// "Some element of `list` satisfies `matches`", said without [`Query::Element`] where that means the same, so
/// that the store can use the index of the list's sub-attributes; where it doesn't, joined by the conditions that
/// follow from it and have an index.
fn some_element(list: &Field, matches: Query) -> Query {
    match matches {
        Query::Or(parts) => Query::Or(parts.into_iter().map(|part| some_element(list, part)).collect()),
        Query::Present(field) => Query::Present(absolute(list, field)),
        Query::Compare(field, comparison, literal) if comparison != Comparison::NotEqual => {
            Query::Compare(absolute(list, field), comparison, literal)
        }
        Query::And(parts) => {
            let indexed = |part: &Query| match part {
                Query::Compare(field, comparison, literal)
                    if *comparison != Comparison::NotEqual && field.index != Index::Document =>
                {
                    Some(Query::Compare(absolute(list, field.clone()), *comparison, literal.clone()))
                }
                _ => None,
            };
            let mut all: Vec<Query> = parts.iter().filter_map(indexed).collect();
            let matches = Box::new(unindexed(Query::And(parts)));
            let element = Query::Element { list: list.clone(), matches };
            if all.is_empty() {
                return element;
            }
            all.push(element);
            Query::And(all)
        }
        other => Query::Element { list: list.clone(), matches: Box::new(unindexed(other)) },
    }
}

fn absolute(list: &Field, field: Field) -> Field {
    let path = list.path.iter().cloned().chain(field.path).collect();
    Field { path, ..field }
}

/// Inside an element no index helps: an index tells which resources have a value, not in which element.
fn unindexed(query: Query) -> Query {
    let plain = |field: Field| Field { index: Index::Document, ..field };
    match query {
        Query::All => Query::All,
        Query::And(parts) => Query::And(parts.into_iter().map(unindexed).collect()),
        Query::Or(parts) => Query::Or(parts.into_iter().map(unindexed).collect()),
        Query::Not(inner) => not(unindexed(*inner)),
        Query::Present(field) => Query::Present(plain(field)),
        Query::Compare(field, comparison, literal) => Query::Compare(plain(field), comparison, literal),
        Query::Element { list, matches } => Query::Element { list: plain(list), matches },
    }
}
