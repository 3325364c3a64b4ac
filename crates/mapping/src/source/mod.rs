//! One entry of a source as the plan sees it: a slot per attribute the mapping reads, everything else skipped while
//! decoding. Owns the slots, the names a plan reads ([`Names`]) and how values become a slot; how bytes become values
//! is the readers' ([`json`], [`ldif`], [`saml`], [`attributes`]).

pub mod attributes;
pub mod json;
pub mod ldif;
mod names;
pub mod saml;

pub use names::Names;

use crate::limits::{ATTRIBUTES_MAX, ENTRY_BYTES_MAX, VALUE_DEPTH_MAX};
use crate::value::Value;
use bumpalo::Bump;

/// What the source says of one attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Slot<'a> {
    #[default]
    Missing,
    Null,
    /// Present without a value: `""` or `[]`.
    Empty,
    One(Value<'a>),
    /// Two values or more, in source order.
    Many(&'a [Value<'a>]),
}

impl<'a> Slot<'a> {
    /// From the values of an attribute: empty texts and nulls among them say nothing and drop out (mapping.md §3).
    /// Allocates only if some do.
    pub fn of(arena: &'a Bump, values: &'a [Value<'a>]) -> Self {
        let says = |value: &Value<'_>| !matches!(value, Value::String("") | Value::Null | Value::Absent);
        let kept = if values.iter().all(says) {
            values
        } else {
            let mut kept = bumpalo::collections::Vec::with_capacity_in(values.len(), arena);
            kept.extend(values.iter().filter(|value| says(value)).copied());
            kept.into_bump_slice()
        };
        match kept {
            [] => Self::Empty,
            [one] => Self::One(*one),
            many => Self::Many(many),
        }
    }

    /// From one value of an attribute; a list is its values.
    pub fn from_value(arena: &'a Bump, value: Value<'a>) -> Self {
        match value {
            Value::Absent | Value::Keep => Self::Missing,
            Value::Null => Self::Null,
            Value::String("") => Self::Empty,
            Value::List(values) => Self::of(arena, values),
            one => Self::One(one),
        }
    }
}

/// The slots of one entry, by number ([`crate::plan::Plan::slots`]).
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub slots: &'a [Slot<'a>],
}

/// Why something is no entry. Nothing of it was mapped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the entry is {found} bytes, at most {ENTRY_BYTES_MAX} are read")]
    TooLarge { found: usize },
    #[error("more than {ATTRIBUTES_MAX} attributes in one entry")]
    TooManyAttributes,
    #[error("values nested more than {VALUE_DEPTH_MAX} deep")]
    TooDeep,
    /// Which of the two another program would take is anybody's guess, and checks have been passed by that.
    #[error("`{0}` is given twice")]
    Twice(String),
    /// In the JSON's own words, with line and column.
    #[error("no JSON object of attributes: {0}")]
    Json(#[from] serde_json::Error),
    #[error("line {line}: {message}")]
    Line { line: usize, message: String },
    #[error("no SAML assertion: {0}")]
    Saml(String),
}

/// # Errors
/// [`ReadError::TooLarge`].
fn bounded(bytes: usize) -> Result<(), ReadError> {
    if bytes > ENTRY_BYTES_MAX { Err(ReadError::TooLarge { found: bytes }) } else { Ok(()) }
}

/// An entry under construction.
pub struct Builder<'a, 'n> {
    arena: &'a Bump,
    names: &'n Names,
    slots: &'a mut [Slot<'a>],
    /// All attributes by name, if the plan reads `$all`.
    all: Option<bumpalo::collections::Vec<'a, (&'a str, Value<'a>)>>,
}

impl<'a, 'n> Builder<'a, 'n> {
    pub fn new(arena: &'a Bump, names: &'n Names) -> Self {
        let all = names.all.map(|_| bumpalo::collections::Vec::new_in(arena));
        Self { arena, names, slots: arena.alloc_slice_fill_copy(names.slots, Slot::Missing), all }
    }

    /// The values of one attribute; one that the mapping does not read is skipped.
    ///
    /// # Errors
    /// [`ReadError::Twice`] for a name (as the source kind compares them) that came before.
    pub fn put(&mut self, name: &str, values: &'a [Value<'a>]) -> Result<(), ReadError> {
        let key = if self.all.is_some() { &*self.arena.alloc_str(name) } else { "" };
        if let Some(all) = &mut self.all {
            all.push((key, if let [one] = values { *one } else { Value::List(values) }));
        }
        let Some(found) = self.names.find_option(name) else { return Ok(()) };
        if self.set(found, Slot::of(self.arena, values)) { Ok(()) } else { Err(ReadError::Twice(name.to_owned())) }
    }

    /// One attribute as somebody writes it down: `dn` is `$dn`, a list is its values.
    ///
    /// # Errors
    /// [`ReadError::Twice`].
    pub fn put_written(&mut self, name: &str, value: Value<'a>) -> Result<(), ReadError> {
        if let Some(all) = &mut self.all {
            all.push((&*self.arena.alloc_str(name), value));
        }
        match self.names.find_any(name) {
            Some(found) if !self.set(found, Slot::from_value(self.arena, value)) => Err(ReadError::Twice(name.to_owned())),
            _ => Ok(()),
        }
    }

    /// The transitive values of an attribute, for `nested($x[*])`. Without them `nested` has the direct ones.
    pub fn put_nested(&mut self, name: &str, values: &'a [Value<'a>]) {
        if let Some(found) = self.names.find(name) {
            for slot in self.names.nested(found) {
                self.slots[usize::from(slot)] = Slot::of(self.arena, values);
            }
        }
    }

    /// Whether the name is one this plan reads.
    pub fn wants(&self, name: &str) -> bool {
        self.all.is_some() || self.names.find_option(name).is_some()
    }

    /// A value of bytes: text if it is UTF-8, unless the attribute is declared as bytes.
    pub fn value(&self, name: &str, bytes: &'a [u8]) -> Value<'a> {
        match std::str::from_utf8(bytes) {
            Ok(text) if !self.names.find_option(name).is_some_and(|found| self.names.is_binary(found)) => Value::String(text),
            _ => Value::Binary(bytes),
        }
    }

    /// False if it was set before.
    fn set(&mut self, found: names::Found, slot: Slot<'a>) -> bool {
        if let Some(at) = self.names.only_slot(found) {
            let place = &mut self.slots[usize::from(at)];
            let first = matches!(place, Slot::Missing);
            *place = slot;
            return first;
        }
        let first = self.names.direct(found).all(|at| self.slots[usize::from(at)] == Slot::Missing);
        for at in self.names.direct(found) {
            self.slots[usize::from(at)] = slot;
        }
        for at in self.names.nested(found) {
            if self.slots[usize::from(at)] == Slot::Missing {
                self.slots[usize::from(at)] = slot;
            }
        }
        first
    }

    pub fn finish(self) -> Entry<'a> {
        if let (Some(slot), Some(all)) = (self.names.all, self.all) {
            self.slots[usize::from(slot)] = Slot::One(Value::Record(all.into_bump_slice()));
        }
        Entry { slots: self.slots }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Entry, Names, json, ldif, saml};
    use crate::plan::{Plan, SlotSpec};
    use crate::target::Kind;
    use crate::types::Type;
    use bumpalo::Bump;
    use proptest::prelude::*;

    /// Pieces that readers look at, in any order: nearer to trouble than random bytes.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "dn: ",
            "cn:: ",
            "YQ==",
            "\n",
            "\n ",
            "\r\n",
            "#",
            ":",
            "<",
            ">",
            "/",
            "&",
            ";",
            "amp",
            "\"",
            "[",
            "]",
            "{",
            "}",
            ",",
            "null",
            "-1",
            "\\u00e9",
            "é",
            "<Assertion xmlns=\"urn:oasis:names:tc:SAML:2.0:assertion\">",
            "</Assertion>",
            "<AttributeStatement>",
            "<Attribute Name=\"a\">",
            "<AttributeValue>",
            "</AttributeValue>",
            "</Attribute>",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "\"a\":",
            "\"b\":",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn no_reader_panics_on_anything(text in pieces(), bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let arena = Bump::new();
            let names = Names::new(&plan_reading(Kind::Saml, &["$all", "$dn", "a", "b", "cn"]));
            for bytes in [text.as_bytes(), &bytes] {
                let _ = json::read(&arena, &names, bytes);
                for record in ldif::records(bytes) {
                    let _ = ldif::read(&arena, &names, record);
                }
            }
            let _ = saml::read(&arena, &names, &text);
        }

        #[test]
        fn parsed_and_unparsed_json_give_one_entry(a in "[a-z\\\\\"é]{0,8}", b in prop::collection::vec(any::<i64>(), 0..4)) {
            let value = serde_json::json!({ "a": a, "b": b, "c": { "x": [a, null, 1.5] } });
            let text = value.to_string();
            let arena = Bump::new();
            let names = Names::new(&plan_reading(Kind::Json, &["a", "b", "c"]));
            let parsed = json::read_map(&arena, &names, value.as_object().unwrap()).unwrap();
            let unparsed = json::read(&arena, &names, text.as_bytes()).unwrap();
            prop_assert_eq!(parsed.slots, unparsed.slots);
        }
    }

    /// A plan without rules that reads these attributes.
    pub fn plan_reading(from: Kind, names: &[&str]) -> Plan {
        let slot = |name: &&str| SlotSpec {
            name: (*name).into(),
            ty: Type::Json.or_absent(),
            list: false,
            sensitive: false,
            nested: false,
        };
        Plan {
            name: "test".into(),
            from,
            to: Kind::Profile,
            slots: names.iter().map(slot).collect(),
            nodes: vec![],
            spans: vec![],
            lets: vec![],
            gates: vec![],
            rules: vec![],
            order: vec![],
            tables: vec![],
            regexes: vec![],
            sets: vec![],
            old: vec![],
            locals: 0,
            shortcuts: crate::shortcut::Shortcuts::default(),
            files: vec![],
        }
    }

    pub fn named(entry: &Entry<'_>, slot: usize) -> String {
        format!("{:?}", entry.slots[slot])
    }
}
