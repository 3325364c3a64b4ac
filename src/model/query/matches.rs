//! A predicate over one document: what decides where no index does, and what the store's SQL must agree with.

use super::{Comparison, Field, Kind, Literal, Query};
use crate::model::fold::fold;
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

impl Query {
    /// Whether the document satisfies the predicate. The meaning of each comparison is written in [`super`].
    /// Whatever a field's index is, its value is read from the document.
    pub fn matches(&self, document: &Map<String, Value>) -> bool {
        match self {
            Self::All => true,
            Self::And(parts) => parts.iter().all(|part| part.matches(document)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(document)),
            Self::Not(inner) => !inner.matches(document),
            Self::Present(field) => any_value(document, &field.path, &mut is_present),
            Self::Compare(field, comparison, literal) => compare(document, field, *comparison, literal),
            Self::Element { list, matches } => any_value(document, &list.path, &mut |value| match value {
                Value::Object(element) => matches.matches(element),
                _ => false,
            }),
        }
    }
}

/// Whether `test` holds for any value at the end of `path`; lists on the way and at the end are opened.
fn any_value(object: &Map<String, Value>, path: &[String], test: &mut dyn FnMut(&Value) -> bool) -> bool {
    let Some((name, rest)) = path.split_first() else { return false };
    let Some(value) = object.get(name) else { return false };
    let elements = match value {
        Value::Array(elements) => elements.as_slice(),
        single => std::slice::from_ref(single),
    };
    elements.iter().any(|element| match element {
        Value::Object(object) if !rest.is_empty() => any_value(object, rest, test),
        value if rest.is_empty() => test(value),
        _ => false,
    })
}

/// Whether a value is more than `null`, `""`, `[]`, `{}`, or an object or list of nothing but those.
fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => elements.iter().any(is_present),
        Value::Object(object) => object.values().any(is_present),
    }
}

fn compare(document: &Map<String, Value>, field: &Field, comparison: Comparison, literal: &Literal) -> bool {
    let literal = match literal {
        Literal::Text(text) => Scalar::Text(key(field, text)),
        Literal::Boolean(boolean) => Scalar::Boolean(*boolean),
        Literal::Number(number) => Scalar::Number(number),
        Literal::Instant(instant) => Scalar::Instant(*instant),
    };
    let mut assigned = false;
    let found = any_value(document, &field.path, &mut |value| {
        let Some(scalar) = Scalar::read(field, value) else { return false };
        assigned = true;
        scalar.satisfies(comparison, &literal)
    });
    found || (comparison == Comparison::NotEqual && !assigned)
}

/// A value in the form it is compared in.
enum Scalar<'v> {
    Text(Cow<'v, str>),
    Boolean(bool),
    Number(&'v Number),
    Instant(i64),
}

impl<'v> Scalar<'v> {
    /// `None` for what is no value of the field's kind.
    fn read(field: &Field, value: &'v Value) -> Option<Self> {
        match (field.kind, value) {
            (Kind::Text | Kind::Binary, Value::String(text)) if !text.is_empty() => Some(Self::Text(key(field, text))),
            (Kind::Boolean, Value::Bool(boolean)) => Some(Self::Boolean(*boolean)),
            (Kind::Number, Value::Number(number)) => Some(Self::Number(number)),
            (Kind::Instant, Value::String(text)) => parse_instant(text).map(Self::Instant),
            _ => None,
        }
    }

    fn satisfies(&self, comparison: Comparison, literal: &Self) -> bool {
        match (comparison, self, literal) {
            (Comparison::Contains, Self::Text(text), Self::Text(part)) => text.contains(part.as_ref()),
            (Comparison::StartsWith, Self::Text(text), Self::Text(part)) => text.starts_with(part.as_ref()),
            (Comparison::EndsWith, Self::Text(text), Self::Text(part)) => text.ends_with(part.as_ref()),
            _ => self.order(literal).is_some_and(|order| comparison.holds(order)),
        }
    }

    fn order(&self, literal: &Self) -> Option<Ordering> {
        match (self, literal) {
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::Number(a), Self::Number(b)) => order_of_numbers(a, b),
            (Self::Instant(a), Self::Instant(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

impl Comparison {
    /// Whether a value that stands in `order` to the literal satisfies the comparison; never for those of text.
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Contains | Self::StartsWith | Self::EndsWith => false,
        }
    }
}

fn key<'v>(field: &Field, text: &'v str) -> Cow<'v, str> {
    if field.case_exact || field.kind == Kind::Binary { Cow::Borrowed(text) } else { Cow::Owned(fold(text)) }
}

/// Integers exactly, everything else as floating point.
fn order_of_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    let integer = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// Unix microseconds of an `xsd:dateTime`; without a zone it is taken as UTC. `None` if it is none.
pub fn parse_instant(text: &str) -> Option<i64> {
    // jiff would take a bare date as well.
    if !text.contains(['T', 't']) {
        return None;
    }
    let instant = match text.parse::<jiff::Timestamp>() {
        Ok(instant) => instant,
        Err(_) => jiff::tz::Offset::UTC.to_timestamp(text.parse::<jiff::civil::DateTime>().ok()?).ok()?,
    };
    Some(instant.as_microsecond())
}
