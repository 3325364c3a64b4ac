//! Text made of other text: joining, replacing, padding, and the text of any value.

use super::build::TextBuilder;
use super::json::write_value;
use super::write::{PLAIN, STRING, example, optional, repeated, required};
use super::{Accepts, Body, Call, Function, Group};
use crate::limits::STRING_BYTES_MAX;
use crate::value::{Failure, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

pub(super) static JOIN: Function = Function {
    name: "join",
    group: Group::String,
    signature: "join(separator: string, parts: any…) -> string",
    parameters: &[required("separator", Accepts::Text), repeated("parts", Accepts::Any)],
    result: STRING,
    may_be_absent: true,
    summary: "The parts with a separator between them; a list counts as its values. What is absent or empty is left out, \
              and the whole is absent when nothing remains.",
    examples: &[
        example(r#"join(" ", "Ann", absent, "Lee")"#, r#""Ann Lee""#),
        example(r#"join(", ", ["a", "b"], 3)"#, r#""a, b, 3""#),
        example(r#"join(" ", absent, "")"#, "absent"),
    ],
    body: Body::Native(join),
    ..PLAIN
};

fn join<'a>(call: &Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    let separator = call.string(arguments, 0)?;
    let parts = arguments.get(1..).unwrap_or_default();
    let mut out = TextBuilder::new(call);
    let mut is_first = true;
    let values = parts.iter().flat_map(|part| match part {
        Value::List(items) => *items,
        one => std::slice::from_ref(one),
    });
    for value in values.filter(|value| value.is_present()) {
        if !is_first {
            out.push_str(separator);
        }
        is_first = false;
        push_text(&mut out, value);
        if out.is_over() {
            break;
        }
    }
    if is_first { Ok(Value::Absent) } else { out.finish() }
}

pub(super) static REPLACE: Function = Function {
    name: "replace",
    group: Group::String,
    signature: "replace(text: string, what: string | regex, by: string) -> string",
    parameters: &[required("text", Accepts::Text), required("what", Accepts::TextOrRegex), required("by", Accepts::Text)],
    result: STRING,
    summary: "Every occurrence replaced. With a regex, `$1` and `${name}` stand for what its groups matched and `$$` for \
              a dollar; a group the regex does not have stays as written.",
    examples: &[
        example(r#"replace("a-b-c", "-", "")"#, r#""abc""#),
        example(r#"replace("/a=s96-c", /=s96-c$/, "=s256-c")"#, r#""/a=s256-c""#),
        example(r#"replace("Lee, Ann", /(?<last>\w+), (?<first>\w+)/, "$first $last")"#, r#""Ann Lee""#),
        example(r#"replace("abc", "", "x")"#, r#""abc""#),
    ],
    body: Body::Native(|call, arguments| replaced(call, arguments, usize::MAX)),
    ..PLAIN
};

pub(super) static REPLACE_FIRST: Function = Function {
    name: "replace_first",
    group: Group::String,
    signature: "replace_first(text: string, what: string | regex, by: string) -> string",
    parameters: &[required("text", Accepts::Text), required("what", Accepts::TextOrRegex), required("by", Accepts::Text)],
    result: STRING,
    summary: "Like `replace`, the first occurrence alone.",
    examples: &[
        example(r#"replace_first("a.b.c", ".", "-")"#, r#""a-b.c""#),
        example(r#"replace_first("abc", "x", "y")"#, r#""abc""#),
    ],
    body: Body::Native(|call, arguments| replaced(call, arguments, 1)),
    ..PLAIN
};

fn replaced<'a>(call: &Call<'a>, arguments: &[Value<'a>], limit: usize) -> Result<Value<'a>, Failure<'a>> {
    let (text, by) = (call.string(arguments, 0)?, call.string(arguments, 2)?);
    let mut out = TextBuilder::new(call);
    let mut rest = 0;
    match arguments.get(1) {
        Some(Value::Regex(regex)) if by.contains('$') => {
            for captures in regex.0.captures_iter(text).take(limit) {
                let Some(whole) = captures.get(0) else { continue };
                out.push_str(&text[rest..whole.start()]);
                expand(&mut out, &regex.0, &captures, by);
                rest = whole.end();
                if out.is_over() {
                    break;
                }
            }
        }
        Some(Value::Regex(regex)) => {
            if limit == usize::MAX
                && let Some(simple) = regex.1.replace_all(call.arena, text, by)
            {
                return Ok(Value::String(simple));
            }
            for found in regex.0.find_iter(text).take(limit) {
                out.push_str(&text[rest..found.start()]);
                out.push_str(by);
                rest = found.end();
                if out.is_over() {
                    break;
                }
            }
        }
        _ => {
            let what = call.string(arguments, 1)?;
            if !what.is_empty() {
                for (at, found) in text.match_indices(what).take(limit) {
                    out.push_str(&text[rest..at]);
                    out.push_str(by);
                    rest = at + found.len();
                    if out.is_over() {
                        break;
                    }
                }
            }
        }
    }
    if rest == 0 && out.as_str().is_empty() && !out.is_over() {
        return Ok(Value::String(text));
    }
    out.push_str(&text[rest..]);
    out.finish()
}

/// `$1`, `$name`, `${name}`, `$$`.
fn expand(out: &mut TextBuilder<'_, '_>, regex: &regex::Regex, captures: &regex::Captures<'_>, by: &str) {
    let mut rest = by;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, whole) = match after.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        let group = match name.parse::<usize>() {
            Ok(number) => (number < captures.len()).then(|| captures.get(number)),
            Err(_) => regex.capture_names().flatten().any(|known| known == name).then(|| captures.name(name)),
        };
        match group {
            _ if after.starts_with('$') => {
                out.push('$');
                rest = &after[1..];
                continue;
            }
            Some(matched) => out.push_str(matched.map_or("", |matched| matched.as_str())),
            None => {
                out.push('$');
                out.push_str(&after[..whole]);
            }
        }
        rest = &after[whole..];
    }
    out.push_str(rest);
}

pub(super) static STRIP_SPACES: Function = Function {
    name: "strip_spaces",
    group: Group::String,
    signature: "strip_spaces(text: string) -> string",
    parameters: &[required("text", Accepts::Text)],
    result: STRING,
    summary: "Without any white space (tabs, line ends and no-break spaces too; the space alone: `replace(x, \" \", \"\")`).",
    examples: &[example(r#"strip_spaces("+49 89 123")"#, r#""+4989123""#), example("strip_spaces(absent)", "absent")],
    body: Body::Native(|call, arguments| {
        let text = call.string(arguments, 0)?;
        if !text.contains(char::is_whitespace) {
            return Ok(Value::String(text));
        }
        let mut out = TextBuilder::with_capacity(call, text.len());
        text.split_whitespace().for_each(|part| out.push_str(part));
        out.finish()
    }),
    ..PLAIN
};

pub(super) static SQUEEZE: Function = Function {
    name: "squeeze",
    group: Group::String,
    signature: "squeeze(text: string) -> string",
    parameters: &[required("text", Accepts::Text)],
    result: STRING,
    summary: "Each run of white space as one space, none at the ends.",
    examples: &[example(r#"squeeze("  Ann   Lee ")"#, r#""Ann Lee""#), example(r#"squeeze("   ")"#, r#""""#)],
    body: Body::Native(|call, arguments| {
        let text = call.string(arguments, 0)?;
        let mut out = TextBuilder::with_capacity(call, text.len());
        for word in text.split_whitespace() {
            if !out.as_str().is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
        if out.as_str() == text { Ok(Value::String(text)) } else { out.finish() }
    }),
    ..PLAIN
};

pub(super) static PAD_LEFT: Function = Function {
    name: "pad_left",
    group: Group::String,
    signature: "pad_left(text: string, length: int, fill?: string) -> string",
    parameters: &[required("text", Accepts::Text), required("length", Accepts::Int), optional("fill", Accepts::Text)],
    result: STRING,
    summary: "Filled at the left to so many characters, with spaces unless a filling is given; longer text stays.",
    examples: &[
        example(r#"pad_left("42", 6, "0")"#, r#""000042""#),
        example(r#"pad_left("abc", 2)"#, r#""abc""#),
        example(r#"pad_left("x", 99999999)"#, "error"),
    ],
    body: Body::Native(|call, arguments| {
        let (text, length) = (call.string(arguments, 0)?, call.int(arguments, 1)?);
        let fill = call.optional_string(arguments, 2)?.filter(|fill| !fill.is_empty()).unwrap_or(" ");
        let missing = usize::try_from(length).unwrap_or(0).saturating_sub(text.chars().count());
        if missing == 0 {
            return Ok(Value::String(text));
        } else if missing > STRING_BYTES_MAX {
            return Err(call.text_too_long());
        }
        let mut out = TextBuilder::with_capacity(call, text.len() + missing);
        fill.chars().cycle().take(missing).for_each(|letter| out.push(letter));
        out.push_str(text);
        out.finish()
    }),
    ..PLAIN
};

pub(super) static MASK: Function = Function {
    name: "mask",
    group: Group::String,
    signature: "mask(text: string, keep: int) -> string",
    parameters: &[required("text", Accepts::Text), required("keep", Accepts::Int)],
    result: STRING,
    summary: "Every character a `*` but the last few; text no longer than those is starred whole.",
    examples: &[
        example(r#"mask("4929123456789", 4)"#, r#""*********6789""#),
        example(r#"mask("1234", 4)"#, r#""****""#),
        example(r#"mask("abc", 0)"#, r#""***""#),
    ],
    body: Body::Native(|call, arguments| {
        let (text, keep) = (call.string(arguments, 0)?, call.int(arguments, 1)?);
        let length = text.chars().count();
        let keep = usize::try_from(keep).unwrap_or(0);
        let starred = if keep < length { length - keep } else { length };
        let mut out = TextBuilder::with_capacity(call, text.len());
        text.chars().enumerate().for_each(|(at, letter)| out.push(if at < starred { '*' } else { letter }));
        out.finish()
    }),
    ..PLAIN
};

pub(super) static TEXT: Function = Function {
    name: "text",
    group: Group::String,
    signature: "text(x: any) -> string",
    parameters: &[required("x", Accepts::Any)],
    result: STRING,
    summary: "The text of a value: decimal, `true`, RFC 3339, ISO 8601 duration, base64 of binary, JSON of a list or \
              record.",
    examples: &[
        example("text(583231)", r#""583231""#),
        example(r#"text("a")"#, r#""a""#),
        example("text(@2026-01-31T00:00:00Z)", r#""2026-01-31T00:00:00Z""#),
        example("text(absent)", "absent"),
    ],
    body: Body::Native(|call, arguments| match arguments.first() {
        Some(text @ Value::String(_)) => Ok(*text),
        Some(value) => {
            let mut out = TextBuilder::new(call);
            push_text(&mut out, value);
            out.finish()
        }
        None => Ok(Value::Absent),
    }),
    ..PLAIN
};

/// The text of any value, as templates and `text` write it; nothing for what is absent.
pub(super) fn push_text(out: &mut TextBuilder<'_, '_>, value: &Value<'_>) {
    // The only error there can be is the bound, which the builder remembers.
    let _ = match value {
        Value::Absent | Value::Null | Value::Keep | Value::Regex(_) | Value::Table(_) => Ok(()),
        Value::String(text) => out.write_str(text),
        Value::Bool(is_true) => write!(out, "{is_true}"),
        Value::Int(number) => write!(out, "{number}"),
        Value::Float(number) => write!(out, "{number}"),
        Value::DateTime(instant) => write!(out, "{instant}"),
        Value::Duration(duration) => write!(out, "{duration}"),
        Value::Binary(bytes) => push_base64(out, bytes),
        Value::List(_) | Value::Record(_) => {
            write_value(out, value);
            Ok(())
        }
    };
}

/// Base64 in pieces on the stack.
pub(super) fn push_base64(out: &mut TextBuilder<'_, '_>, bytes: &[u8]) -> std::fmt::Result {
    for piece in bytes.chunks(3 * 256) {
        let mut buffer = [0; 4 * 256];
        let length = STANDARD.encode_slice(piece, &mut buffer).map_err(|_| std::fmt::Error)?;
        out.write_str(std::str::from_utf8(&buffer[..length]).map_err(|_| std::fmt::Error)?)?;
    }
    Ok(())
}
