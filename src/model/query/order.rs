//! The order of a list: one key per resource, and how two keys stand to each other. What the store's columns are ordered
//! by and what is read here from documents agree.
//!
//! - Text by bytes, folded unless it is case-exact; `false` before `true`; times as instants.
//! - Of a list counts the primary element, else the first (RFC 7644 §3.4.2.3).
//! - Who has no value comes last. Equal keys are ordered by id, and descending is the exact reverse of ascending: then
//!   who has no value comes first.
//! - A key has at most [`KEY_BYTES`] bytes: longer texts that begin alike are ordered by id.

use super::matches::parse_instant;
use super::{Field, Kind};
use crate::model::fold::fold;
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// Bytes of a text that its order is decided by: keys of many resources are held at once.
pub const KEY_BYTES: usize = 512;

/// What a list is ordered by.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// `None`: this kind of resource has no such attribute, so none has a value.
    pub field: Option<Field>,
    pub descending: bool,
}

impl Order {
    /// The key of a document.
    pub fn key(&self, document: &Map<String, Value>) -> Key {
        self.field.as_ref().map_or(Key::Absent, |field| Key::of(document, field))
    }

    /// How a resource with this key and id stands to another.
    pub fn compare(descending: bool, one: (&Key, &str), other: (&Key, &str)) -> Ordering {
        let ascending = one.cmp(&other);
        if descending { ascending.reverse() } else { ascending }
    }
}

/// What one resource is ordered by. Keys of one list are of one kind, or absent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Boolean(bool),
    Number(Number),
    /// Unix microseconds.
    Instant(i64),
    Text(String),
    /// Greater than every value.
    Absent,
}

/// A number with a total order: by its nearest floating point value, and where those are equal by its whole part, so
/// that integers are never confused.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    nearest: f64,
    whole: i128,
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nearest.total_cmp(&other.nearest).then(self.whole.cmp(&other.whole))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl Number {
    fn read(number: &serde_json::Number) -> Option<Self> {
        // Zero has one sign.
        let nearest = number.as_f64()? + 0.0;
        #[expect(clippy::cast_possible_truncation, reason = "the whole part, and the nearest that fits is right for an order")]
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)).unwrap_or(nearest as i128);
        Some(Self { nearest, whole })
    }
}

impl Key {
    fn of(document: &Map<String, Value>, field: &Field) -> Self {
        let Some(value) = deciding(document, &field.path) else { return Self::Absent };
        let key = match (field.kind, value) {
            (Kind::Text, Value::String(text)) if !text.is_empty() => Some(Self::text(text, field.case_exact)),
            (Kind::Binary, Value::String(text)) if !text.is_empty() => Some(Self::text(text, true)),
            (Kind::Boolean, Value::Bool(boolean)) => Some(Self::Boolean(*boolean)),
            (Kind::Number, Value::Number(number)) => Number::read(number).map(Self::Number),
            (Kind::Instant, Value::String(text)) => parse_instant(text).map(Self::Instant),
            _ => None,
        };
        key.unwrap_or(Self::Absent)
    }

    fn text(text: &str, case_exact: bool) -> Self {
        let mut key = if case_exact { text.to_owned() } else { fold(text) };
        key.truncate(key.floor_char_boundary(KEY_BYTES));
        Self::Text(key)
    }

    /// A text that [`Self::decode`] reads back.
    pub fn encode(&self) -> String {
        match self {
            Self::Boolean(boolean) => format!("b{}", u8::from(*boolean)),
            Self::Number(number) => format!("n{:x} {}", number.nearest.to_bits(), number.whole),
            Self::Instant(instant) => format!("i{instant}"),
            Self::Text(text) => format!("t{text}"),
            Self::Absent => String::from("-"),
        }
    }

    /// `None` for what [`Self::encode`] did not write.
    pub fn decode(text: &str) -> Option<Self> {
        if text == "-" {
            return Some(Self::Absent);
        }
        let rest = text.get(1..)?;
        match text.as_bytes()[0] {
            b'b' => Some(Self::Boolean(rest == "1")),
            b'n' => {
                let (bits, whole) = rest.split_once(' ')?;
                let nearest = f64::from_bits(u64::from_str_radix(bits, 16).ok()?);
                Some(Self::Number(Number { nearest, whole: whole.parse().ok()? }))
            }
            b'i' => rest.parse().ok().map(Self::Instant),
            b't' => Some(Self::Text(rest.to_owned())),
            _ => None,
        }
    }
}

/// The one value at the end of `path` that decides.
fn deciding<'v>(object: &'v Map<String, Value>, path: &[String]) -> Option<&'v Value> {
    let (name, rest) = path.split_first()?;
    let value = match object.get(name)? {
        Value::Array(elements) => {
            let is_primary = |element: &&Value| element.get("primary") == Some(&Value::Bool(true));
            elements.iter().find(is_primary).or(elements.first())?
        }
        single => single,
    };
    match value {
        Value::Object(inner) if !rest.is_empty() => deciding(inner, rest),
        value if rest.is_empty() => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::query::Index;
    use serde_json::json;

    fn key(kind: Kind, path: &[&str], document: Value) -> Key {
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        let field = Field { path, kind, case_exact: false, index: Index::Document };
        let order = Order { field: Some(field), descending: false };
        order.key(document.as_object().expect("an object"))
    }

    fn text(of: &str) -> Key {
        Key::Text(of.to_owned())
    }

    #[test]
    fn of_a_list_the_primary_element_counts_else_the_first() {
        let emails = |document| key(Kind::Text, &["emails", "value"], document);
        assert_eq!(emails(json!({"emails": [{"value": "B@x"}, {"value": "A@x", "primary": true}]})), text("a@x"));
        assert_eq!(emails(json!({"emails": [{"value": "B@x", "primary": false}, {"value": "A@x"}]})), text("b@x"));
        assert_eq!(emails(json!({"emails": [{"type": "work"}, {"value": "A@x"}]})), Key::Absent);
        assert_eq!(emails(json!({"emails": []})), Key::Absent);
    }

    #[test]
    fn values_order_by_their_type_and_absence_is_last() {
        let number = |of: Value| key(Kind::Number, &["n"], json!({ "n": of }));
        let ascending = [
            number(json!(-1.5)),
            number(json!(0)),
            number(json!(0.5)),
            number(json!(9_007_199_254_740_992_i64)),
            number(json!(9_007_199_254_740_993_i64)),
            number(json!(u64::MAX)),
            number(json!("1")),
        ];
        assert!(ascending.windows(2).all(|pair| pair[0] < pair[1]), "{ascending:?}");
        assert_eq!(number(json!(-0.0)), number(json!(0)));
        let at = |of: &str| key(Kind::Instant, &["t"], json!({ "t": of }));
        assert!(at("2026-01-01T01:00:00+01:00") < at("2026-01-01T00:30:00Z"));
        assert!(at("2026-01-01T00:00:00Z") < at("none"));
        assert!(key(Kind::Boolean, &["b"], json!({"b": false})) < key(Kind::Boolean, &["b"], json!({"b": true})));
        assert!(text("\u{ffff}") < text("\u{10000}") && text("zz") < Key::Absent);
    }

    #[test]
    fn keys_are_bounded() {
        let Key::Text(cut) = key(Kind::Text, &["t"], json!({"t": "é".repeat(2_000)})) else { panic!("a text") };
        assert_eq!(cut.len(), KEY_BYTES);
    }

    #[test]
    fn a_key_survives_its_text() {
        let number = |of: Value| key(Kind::Number, &["n"], json!({ "n": of }));
        let keys = [
            Key::Absent,
            Key::Boolean(true),
            Key::Boolean(false),
            Key::Instant(-7),
            text(""),
            text("-"),
            text("ünï \u{1f}"),
            number(json!(0.1)),
            number(json!(i64::MIN)),
        ];
        for key in keys {
            assert_eq!(Key::decode(&key.encode()), Some(key));
        }
        for wrong in ["", "x", "n", "n1", "iüü", "é"] {
            assert_eq!(Key::decode(wrong), None, "{wrong}");
        }
    }
}
