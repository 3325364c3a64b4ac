//! The only door for JSON from outside: one pass from bytes to a [`Value`], with every limit of RFC 7644 §7 checked
//! while reading, so that a hostile body costs no more than its own length.
//!
//! Refuses: what is not UTF-8, broken JSON, too much depth or too many values, two member names that differ only in
//! case (SCIM names ignore case, RFC 7643 §2.1, so either could win), and U+0000, which PostgreSQL can't store.
//! No refusal repeats content of the body but a member name that is doubled.

use super::error::{ScimError, ScimType};
use super::filter::excerpt;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;

/// What one body may hold. Limits of single attributes are the resource's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Objects and arrays inside each other.
    pub depth: usize,
    /// Member values and array elements in the whole body.
    pub values: usize,
    /// Members of one object.
    pub keys: usize,
    /// Bytes of one string or member name.
    pub string_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 32, values: 50_000, keys: 1_000, string_bytes: 1 << 20 }
    }
}

impl Limits {
    /// Where bodies above the usual 1 MiB are let in (a group of 100,000 members), as many values as such a body
    /// holds when they are ids: one for each 20 bytes.
    pub fn for_body(bytes_max: usize) -> Self {
        let usual = Self::default();
        Self { values: usual.values.max(bytes_max / 20), ..usual }
    }
}

/// Reads one JSON text.
///
/// # Errors
/// 400 `invalidSyntax` for everything in the module's text; broken JSON is told by line and column.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, ScimError> {
    let text = text(bytes)?;
    let reading = Reading { limits, values: Cell::new(0), refusal: RefCell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = ValueSeed { reading: &reading, depth: 0 }.deserialize(&mut deserializer).and_then(|value| {
        deserializer.end()?;
        Ok(value)
    });
    parsed.map_err(|error| match reading.refusal.take() {
        Some(refusal) => syntax(refusal.to_string()),
        None => syntax(broken(&error)),
    })
}

/// The text of a body, without a byte order mark before it.
///
/// # Errors
/// 400 `invalidSyntax` for what is not UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str, ScimError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes)
        .map_err(|error| syntax(format!("the body is not UTF-8 (byte {} is the first that is wrong)", error.valid_up_to())))
}

fn syntax(detail: String) -> ScimError {
    ScimError::of(ScimType::InvalidSyntax, detail)
}

/// Where the JSON is broken; the parser's own words are left out, they may quote the body.
pub(super) fn broken(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "ends too early" } else { "is not valid JSON" };
    format!("the body {what} (line {}, column {})", error.line(), error.column())
}

/// Why well-formed JSON is refused all the same.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the body is nested more than {max} levels deep")]
    Depth { max: usize },
    #[error("the body holds more than {max} values")]
    Values { max: usize },
    #[error("an object of the body has more than {max} members")]
    Keys { max: usize },
    #[error("a string of the body is longer than {max} bytes")]
    StringBytes { max: usize },
    #[error("a string of the body holds the character U+0000")]
    NulCharacter,
    #[error("the member \"{name}\" appears twice in one object (names ignore case)")]
    Duplicate { name: String },
}

/// The state of one parse. `Cell`s, because every nested seed borrows it.
struct Reading<'l> {
    limits: &'l Limits,
    values: Cell<usize>,
    refusal: RefCell<Option<Refusal>>,
}

impl Reading<'_> {
    /// Keeps the reason here and gives the parser an error to unwind with.
    fn refuse<E: serde::de::Error>(&self, refusal: Refusal) -> E {
        self.refusal.replace(Some(refusal));
        E::custom("refused")
    }

    fn check_text<E: serde::de::Error>(&self, text: &str) -> Result<(), E> {
        if text.len() > self.limits.string_bytes {
            return Err(self.refuse(Refusal::StringBytes { max: self.limits.string_bytes }));
        }
        if text.as_bytes().contains(&0) {
            return Err(self.refuse(Refusal::NulCharacter));
        }
        Ok(())
    }

    fn count_value<E: serde::de::Error>(&self) -> Result<(), E> {
        let values = self.values.get() + 1;
        if values > self.limits.values {
            return Err(self.refuse(Refusal::Values { max: self.limits.values }));
        }
        self.values.set(values);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct ValueSeed<'r, 'l> {
    reading: &'r Reading<'l>,
    depth: usize,
}

impl ValueSeed<'_, '_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > self.reading.limits.depth {
            return Err(self.reading.refuse(Refusal::Depth { max: self.reading.limits.depth }));
        }
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.reading.check_text(text)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Value, E> {
        self.reading.check_text(&text)?;
        Ok(Value::String(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(inner)? {
            self.reading.count_value()?;
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        let mut names = Names::default();
        while let Some(name) = members.next_key::<String>()? {
            self.reading.check_text(&name)?;
            self.reading.count_value()?;
            if object.len() == self.reading.limits.keys {
                return Err(self.reading.refuse(Refusal::Keys { max: self.reading.limits.keys }));
            }
            if names.holds(&name, &object) {
                return Err(self.reading.refuse(Refusal::Duplicate { name: excerpt(&name) }));
            }
            let value = members.next_value_seed(inner)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// Up to this many members a scan beats hashing.
const SCANNED_NAMES_MAX: usize = 24;

/// The names of the object being read, lower-cased, once it is too large to scan.
#[derive(Default)]
struct Names {
    lower: HashSet<String>,
}

impl Names {
    /// Whether `object` already has this name in any case; notes the name otherwise.
    fn holds(&mut self, name: &str, object: &Map<String, Value>) -> bool {
        if object.len() < SCANNED_NAMES_MAX {
            return object.keys().any(|known| known.eq_ignore_ascii_case(name));
        }
        if self.lower.is_empty() {
            self.lower.extend(object.keys().map(|known| known.to_ascii_lowercase()));
        }
        !self.lower.insert(name.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Value, String> {
        parse(text.as_bytes(), &Limits::default()).map_err(|error| {
            assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax));
            error.detail
        })
    }

    fn refused(text: &str) -> String {
        read(text).expect_err(text)
    }

    #[test]
    fn any_json_is_read_as_it_stands_and_in_its_order() {
        let text = r#"{"z":1,"a":[true,null,-2,1.5,"\u00e9"],"Ä":{"b":{}},"big":18446744073709551615}"#;
        assert_eq!(
            read(text).unwrap().to_string(),
            r#"{"z":1,"a":[true,null,-2,1.5,"é"],"Ä":{"b":{}},"big":18446744073709551615}"#
        );
    }

    #[test]
    fn a_byte_order_mark_before_the_text_is_skipped() {
        assert_eq!(read("\u{feff}{}").unwrap(), json!({}));
    }

    #[test]
    fn broken_json_is_told_by_its_place_and_never_quoted() {
        assert_eq!(refused("{\n \"password\": hunter2}"), "the body is not valid JSON (line 2, column 14)");
        assert_eq!(refused("{\"a\":"), "the body ends too early (line 1, column 5)");
        assert_eq!(refused(""), "the body ends too early (line 1, column 0)");
        assert!(refused("{} {}").starts_with("the body is not valid JSON"));
        assert!(refused("1e999").starts_with("the body is not valid JSON"));
    }

    #[test]
    fn what_is_not_utf_8_is_refused() {
        let error = parse(b"{\"a\":\"\xff\"}", &Limits::default()).unwrap_err();
        assert_eq!(error.detail, "the body is not UTF-8 (byte 6 is the first that is wrong)");
        assert!(
            parse("{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>().as_slice(), &Limits::default())
                .is_err()
        );
    }

    #[test]
    fn two_names_that_differ_only_in_case_are_refused_by_name() {
        assert_eq!(
            refused(r#"{"active":true,"Active":false}"#),
            r#"the member "Active" appears twice in one object (names ignore case)"#
        );
        assert!(read(r#"{"a":{"b":1},"c":{"b":1}}"#).is_ok(), "the same name in two objects is none of this");
    }

    #[test]
    fn a_double_among_hundreds_of_names_is_found() {
        let mut members: Vec<String> = (0..300).map(|n| format!("\"name{n}\":{n}")).collect();
        assert!(read(&format!("{{{}}}", members.join(","))).is_ok());
        members.push("\"NAME150\":0".into());
        assert!(refused(&format!("{{{}}}", members.join(","))).contains("NAME150"));
    }

    #[test]
    fn depth_32_is_read_and_33_is_refused() {
        assert!(read(&format!("{}{}", "[".repeat(32), "]".repeat(32))).is_ok());
        assert_eq!(refused(&format!("{}{}", "[".repeat(33), "]".repeat(33))), "the body is nested more than 32 levels deep");
        assert!(refused(&"{\"a\":".repeat(100_000)).contains("32 levels"));
    }

    #[test]
    fn the_number_of_values_and_of_members_is_bounded() {
        let list = |n: usize| format!("[{}0]", "0,".repeat(n - 1));
        assert!(read(&list(50_000)).is_ok());
        assert_eq!(refused(&list(50_001)), "the body holds more than 50000 values");
        let object = |n: usize| format!("{{{}}}", (0..n).map(|k| format!("\"k{k}\":0")).collect::<Vec<_>>().join(","));
        assert!(read(&object(1_000)).is_ok());
        assert_eq!(refused(&object(1_001)), "an object of the body has more than 1000 members");
        assert_eq!(Limits::for_body(20 << 20).values, 1 << 20);
    }

    #[test]
    fn a_nul_character_is_refused_in_a_value_and_in_a_name() {
        assert!(refused(r#"{"a":"x\u0000"}"#).contains("U+0000"));
        assert!(refused(r#"{"a\u0000":1}"#).contains("U+0000"));
    }

    #[test]
    fn a_string_above_the_limit_is_refused() {
        let limits = Limits { string_bytes: 8, ..Limits::default() };
        assert!(parse(br#"{"12345678":"12345678"}"#, &limits).is_ok());
        assert!(parse(br#"["123456789"]"#, &limits).unwrap_err().detail.contains("longer than 8 bytes"));
    }

    /// JSON values without names that differ only in case.
    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[^\u{0}]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,4}", inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = parse(&bytes, &Limits::default());
        }

        #[test]
        fn json_like_text_is_answered_without_a_panic(text in r#"[\[\]{}:,"\\0-9a-z\-+.eun ]{0,80}"#) {
            if let Ok(value) = parse(text.as_bytes(), &Limits::default()) {
                prop_assert_eq!(value, serde_json::from_str::<Value>(&text).unwrap());
            }
        }

        #[test]
        fn what_was_written_is_read_back(value in any_value()) {
            prop_assert_eq!(parse(value.to_string().as_bytes(), &Limits::default()).unwrap(), value);
        }

        #[test]
        fn a_doubled_name_is_always_refused(names in prop::collection::btree_set("[a-z]{2,6}", 1..60), upper in any::<bool>()) {
            let mut names: Vec<String> = names.into_iter().collect();
            names.push(if upper { names[0].to_ascii_uppercase() } else { names[0].clone() });
            let body: Vec<String> = names.iter().map(|name| format!("\"{name}\":0")).collect();
            let detail = refused(&format!("{{{}}}", body.join(",")));
            prop_assert!(detail.contains(names.last().unwrap()));
        }
    }
}
