//! JSON text in and out.

use super::Call;
use super::build::TextBuilder;
use super::record::distinct;
use super::rewrite::push_text;
use super::write::{JSON, PLAIN, STRING, example, required};
use super::{Accepts, Body, Function, Group};
use crate::limits::{LIST_VALUES_MAX, STRING_BYTES_MAX, VALUE_DEPTH_MAX};
use crate::value::Value;
use bumpalo::collections::Vec as ArenaVec;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt::Write as _;

pub(super) static JSON_PARSE: Function = Function {
    name: "json_parse",
    group: Group::Structure,
    signature: "json_parse(text: string) -> json",
    parameters: &[required("text", Accepts::Text)],
    result: JSON,
    may_be_absent: true,
    fallible: true,
    summary: "The value that JSON text holds; of members named twice the last counts.",
    examples: &[
        example(r#"json_parse(r"[1,null,true]")"#, "[1, null, true]"),
        example(r#"json_parse("[")"#, "error"),
        example(r#"json_parse?("[")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let text = call.string(arguments, 0)?;
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = Seed { call, depth: VALUE_DEPTH_MAX }.deserialize(&mut reader);
        let value = value.and_then(|value| reader.end().map(|()| value));
        value.map_err(|error| {
            // What the seed itself refuses is data that is JSON.
            if error.is_data() {
                call.over(format_args!("JSON of more than {VALUE_DEPTH_MAX} levels or {LIST_VALUES_MAX} values in one"))
            } else {
                call.fail(format_args!("not JSON, at line {} column {}", error.line(), error.column()))
            }
        })
    }),
    ..PLAIN
};

/// Reads one value into the arena.
struct Seed<'c, 'a> {
    call: &'c Call<'a>,
    depth: usize,
}

impl<'c, 'a> Seed<'c, 'a> {
    fn inner<E: Error>(&self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { call: self.call, depth })
    }
}

impl<'a> DeserializeSeed<'a> for Seed<'_, 'a> {
    type Value = Value<'a>;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<Value<'a>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Seed<'_, 'a> {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'a>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'a>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'a>, E> {
        Ok(Value::Int(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "past 64 bits a JSON number is a double")]
    fn visit_u64<E>(self, value: u64) -> Result<Value<'a>, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'a>, E> {
        Ok(Value::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> Result<Value<'a>, E> {
        Ok(Value::String(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value<'a>, E> {
        Ok(self.call.text(value))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Value<'a>, A::Error> {
        let mut list = ArenaVec::new_in(self.call.arena);
        while let Some(item) = items.next_element_seed(self.inner()?)? {
            if list.len() == LIST_VALUES_MAX {
                return Err(A::Error::custom("too many values"));
            }
            list.push(item);
        }
        Ok(Value::List(list.into_bump_slice()))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<Value<'a>, A::Error> {
        let mut record = ArenaVec::new_in(self.call.arena);
        while let Some(name) = members.next_key_seed(self.inner()?)? {
            let Value::String(name) = name else { return Err(A::Error::custom("a name is wanted")) };
            if record.len() == LIST_VALUES_MAX {
                return Err(A::Error::custom("too many members"));
            }
            record.push((name, members.next_value_seed(self.inner()?)?));
        }
        Ok(Value::Record(distinct(self.call, record.into_bump_slice())))
    }
}

pub(super) static JSON_TEXT: Function = Function {
    name: "json_text",
    group: Group::Structure,
    signature: "json_text(x: any) -> string",
    parameters: &[required("x", Accepts::Any)],
    result: STRING,
    summary: "A value as JSON text without spaces; dates and durations as ISO 8601 text, binary as base64.",
    examples: &[
        example(r#"json_text({a: [1, true], b: "x"})"#, r#""{\"a\":[1,true],\"b\":\"x\"}""#),
        example(r#"json_text("q\"")"#, r#""\"q\\\"\"""#),
        example("json_text(absent)", "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let mut out = TextBuilder::new(call);
        write_value(&mut out, arguments.first().unwrap_or(&Value::Absent));
        out.finish()
    }),
    ..PLAIN
};

/// A value as JSON. Its depth is bounded by that of sources and of expressions.
pub(super) fn write_value(out: &mut TextBuilder<'_, '_>, value: &Value<'_>) {
    if out.is_over() {
        return;
    }
    match value {
        Value::Absent | Value::Null | Value::Keep | Value::Regex(_) | Value::Table(_) => out.push_str("null"),
        Value::Bool(_) | Value::Int(_) => push_text(out, value),
        // Debug, as it writes large and small numbers with an exponent.
        Value::Float(number) if number.is_finite() => {
            let _ = write!(out, "{number:?}");
        }
        Value::Float(_) => out.push_str("null"),
        Value::String(text) => push_quoted(out, text),
        Value::Binary(_) | Value::DateTime(_) | Value::Duration(_) => {
            out.push('"');
            push_text(out, value);
            out.push('"');
        }
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Record(members) => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push_quoted(out, name);
                out.push(':');
                write_value(out, member);
            }
            out.push('}');
        }
    }
}

fn push_quoted(out: &mut TextBuilder<'_, '_>, text: &str) {
    if text.len() > STRING_BYTES_MAX {
        out.push_str(text);
        return;
    }
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|letter: char| matches!(letter, '"' | '\\' | '\0'..='\x1f')) {
        out.push_str(&rest[..at]);
        let byte = rest.as_bytes()[at];
        let _ = match byte {
            b'"' => out.write_str("\\\""),
            b'\\' => out.write_str("\\\\"),
            b'\n' => out.write_str("\\n"),
            b'\r' => out.write_str("\\r"),
            b'\t' => out.write_str("\\t"),
            _ => write!(out, "\\u{byte:04x}"),
        };
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}
