//! Conversions between what a source gave and what a place wants. Each looks at the value it gets: one reader has
//! decoded, another gives text. A value of the wrong kind is M102, one of the right kind that makes no sense M101.

use super::Trace;
use super::compare::integral;
use super::machine::{Fault, Machine, Outcome, excerpt};
use crate::decode;
use crate::diagnostic::codes::Code;
use crate::functions::{Call, date, identifier};
use crate::plan::{Conversion, NodeId};
use crate::source::Slot;
use crate::value::Value;
use bumpalo::Bump;
use jiff::Timestamp;

/// What can be said about a value that does not convert.
enum Misfit {
    /// Another kind of value.
    Kind,
    /// The kind is right.
    Content,
}

type Converted<'a> = Result<Value<'a>, Misfit>;

impl<'a, T: Trace> Machine<'a, '_, T> {
    #[inline]
    pub fn converted(&mut self, id: NodeId, to: Conversion, value: Value<'a>) -> Outcome<'a> {
        match (to, value) {
            (Conversion::Text | Conversion::Display, Value::String(_)) | (Conversion::Int, Value::Int(_)) => Ok(value),
            (Conversion::List | Conversion::Wrap, Value::Absent | Value::Null | Value::Keep) => Ok(Value::List(&[])),
            (_, Value::Absent | Value::Null | Value::Keep) => Ok(Value::Absent),
            _ => convert(&self.call, to, value).map_err(|misfit| self.misfitting(id, to, value, misfit)),
        }
    }

    #[cold]
    fn misfitting(&self, id: NodeId, to: Conversion, value: Value<'a>, misfit: Misfit) -> &'a Fault<'a> {
        let wanted = wanted(to);
        match (misfit, value) {
            (Misfit::Kind, _) => self.mismatch(id, wanted, value),
            (Misfit::Content, Value::String(text)) => {
                let text = excerpt(text);
                self.fault(id, Code::M101, format_args!("{text:?} is not {wanted}"))
            }
            (Misfit::Content, _) => self.fault(id, Code::M101, format_args!("this value is not {wanted}")),
        }
    }
}

const fn wanted(to: Conversion) -> &'static str {
    match to {
        Conversion::Int => "an integer",
        Conversion::Bool => "a boolean",
        Conversion::Text | Conversion::Display => "text",
        Conversion::List | Conversion::Wrap => "a list",
        Conversion::Record => "a record",
        Conversion::Binary | Conversion::BinaryToText => "binary (in text: base64)",
        Conversion::GuidText | Conversion::GuidBytes => "a GUID (16 bytes, base64 of them, or dashed text)",
        Conversion::SidText | Conversion::SidBytes => "a security identifier (bytes, base64 of them, or S-1-… text)",
        Conversion::FileTimeToDateTime => "an Active Directory time (100 ns since 1601)",
        Conversion::GenTimeToDateTime => "a GeneralizedTime with a zone (20260131120000Z)",
        Conversion::TextToDateTime | Conversion::DateTimeToText => "a datetime (2026-01-31T12:00:00Z)",
        Conversion::DurationToText => "a duration",
    }
}

#[inline(never)]
fn convert<'a>(call: &Call<'a>, to: Conversion, value: Value<'a>) -> Converted<'a> {
    let arena = call.arena;
    match to {
        Conversion::Int => int(value),
        Conversion::Bool => boolean(value),
        Conversion::Text => Err(Misfit::Kind),
        Conversion::Display => display(arena, value).map(Value::String).ok_or(Misfit::Kind),
        // Inside a JSON value nobody has dropped yet what says nothing.
        Conversion::List | Conversion::Wrap => Ok(match value {
            Value::List(items) if to == Conversion::List => match Slot::of(arena, items) {
                Slot::Many(items) => Value::List(items),
                Slot::One(one) => Value::List(std::slice::from_ref(arena.alloc(one))),
                Slot::Missing | Slot::Null | Slot::Empty => Value::List(&[]),
            },
            Value::List(_) => value,
            Value::String("") if to == Conversion::List => Value::List(&[]),
            one => Value::List(std::slice::from_ref(arena.alloc(one))),
        }),
        Conversion::Record if matches!(value, Value::Record(_)) => Ok(value),
        Conversion::Record => Err(Misfit::Kind),
        Conversion::Binary => bytes(arena, value).map(Value::Binary),
        Conversion::BinaryToText => match value {
            Value::Binary(bytes) => Ok(Value::String(decode::base64_text(arena, bytes))),
            Value::String(_) => Ok(value),
            _ => Err(Misfit::Kind),
        },
        Conversion::GuidText | Conversion::GuidBytes => guid(call, value, to == Conversion::GuidText),
        Conversion::SidText | Conversion::SidBytes => sid(call, value, to == Conversion::SidText),
        Conversion::FileTimeToDateTime if matches!(value, Value::DateTime(_)) => Ok(value),
        Conversion::FileTimeToDateTime => match int(value)? {
            // Both mean never.
            Value::Int(0 | i64::MAX) => Ok(Value::Absent),
            Value::Int(ticks) => date::from_ticks(ticks).map(Value::DateTime).ok_or(Misfit::Content),
            _ => Err(Misfit::Kind),
        },
        Conversion::GenTimeToDateTime => match value {
            Value::String(text) => date::from_gentime(text).map(Value::DateTime).ok_or(Misfit::Content),
            Value::DateTime(_) => Ok(value),
            _ => Err(Misfit::Kind),
        },
        Conversion::TextToDateTime => match value {
            Value::String(text) => text.parse::<Timestamp>().map(Value::DateTime).map_err(|_| Misfit::Content),
            Value::DateTime(_) => Ok(value),
            _ => Err(Misfit::Kind),
        },
        Conversion::DateTimeToText | Conversion::DurationToText => match value {
            Value::DateTime(_) | Value::Duration(_) => display(arena, value).map(Value::String).ok_or(Misfit::Kind),
            Value::String(_) => Ok(value),
            _ => Err(Misfit::Kind),
        },
    }
}

fn int(value: Value<'_>) -> Converted<'_> {
    match value {
        Value::Int(_) => Ok(value),
        Value::Float(number) => integral(number).map(Value::Int).ok_or(Misfit::Content),
        Value::String(text) => {
            let text = text.trim_ascii();
            // Not what `str::parse` takes besides: a leading plus.
            let digits = text.strip_prefix('-').unwrap_or(text).starts_with(|first: char| first.is_ascii_digit());
            text.parse().ok().filter(|_| digits).map(Value::Int).ok_or(Misfit::Content)
        }
        _ => Err(Misfit::Kind),
    }
}

fn boolean(value: Value<'_>) -> Converted<'_> {
    match value {
        Value::Bool(_) => Ok(value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        Value::String(_) => Err(Misfit::Content),
        _ => Err(Misfit::Kind),
    }
}

fn bytes<'a>(arena: &'a Bump, value: Value<'a>) -> Result<&'a [u8], Misfit> {
    match value {
        Value::Binary(bytes) => Ok(bytes),
        Value::String(text) => decode::base64_bytes(arena, text).ok_or(Misfit::Content),
        _ => Err(Misfit::Kind),
    }
}

fn guid<'a>(call: &Call<'a>, value: Value<'a>, text_wanted: bool) -> Converted<'a> {
    let bytes = match value {
        Value::String(text) => identifier::guid_bytes(text),
        Value::Binary(bytes) => bytes.try_into().ok(),
        _ => return Err(Misfit::Kind),
    };
    let bytes = bytes.ok_or(Misfit::Content)?;
    if text_wanted {
        return identifier::guid_text(call, bytes).map_err(|_| Misfit::Content);
    }
    Ok(Value::Binary(call.arena.alloc_slice_copy(&bytes)))
}

fn sid<'a>(call: &Call<'a>, value: Value<'a>, text_wanted: bool) -> Converted<'a> {
    let bytes: &[u8] = match value {
        Value::String(text) if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("S-1-")) => {
            decode::sid_bytes(call.arena, text).ok_or(Misfit::Content)?
        }
        value => bytes(call.arena, value)?,
    };
    // The text is also the check of the bytes.
    let text = identifier::sid_text(call, bytes).map_err(|_| Misfit::Content)?;
    Ok(if text_wanted { text } else { Value::Binary(bytes) })
}

/// A value as text: what a template and `text(x)` write. `None` for what has no text (lists, records, nothing).
pub fn display<'a>(arena: &'a Bump, value: Value<'a>) -> Option<&'a str> {
    Some(match value {
        Value::String(text) => text,
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Int(number) => bumpalo::format!(in arena, "{number}",).into_bump_str(),
        Value::Float(number) => bumpalo::format!(in arena, "{number}",).into_bump_str(),
        Value::DateTime(at) => match date::text_of_seconds(at.as_second()).filter(|_| at.subsec_nanosecond() == 0) {
            Some(text) => arena.alloc_str(text.as_str()),
            None => bumpalo::format!(in arena, "{at}",).into_bump_str(),
        },
        Value::Duration(by) => bumpalo::format!(in arena, "{by}",).into_bump_str(),
        Value::Binary(bytes) => decode::base64_text(arena, bytes),
        Value::Absent | Value::Keep | Value::Null | Value::List(_) | Value::Record(_) | Value::Regex(_) | Value::Table(_) => {
            return None;
        }
    })
}
