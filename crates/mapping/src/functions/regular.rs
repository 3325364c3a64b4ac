//! What a regular expression finds. Matching itself is the operator `~`, replacing is `replace`.

use super::build::ListBuilder;
use super::write::{PLAIN, STRING, STRINGS, example, optional, required};
use super::{Accepts, Body, Call, Function, Group};
use crate::value::{Failure, Value};

pub(super) static CAPTURE: Function = Function {
    name: "capture",
    group: Group::Regex,
    signature: "capture(text: string, pattern: regex, group?: string | int) -> string",
    parameters: &[required("text", Accepts::Text), required("pattern", Accepts::Regex), optional("group", Accepts::Any)],
    result: STRING,
    may_be_absent: true,
    summary: "What a group of the pattern matched, by name or number; without one, the first group, or all of a pattern \
              that has none. Absent where nothing matches or the pattern has no such group.",
    examples: &[
        example(r#"capture("ext 42", /ext (\d+)/)"#, r#""42""#),
        example(r#"capture("a/b", /(?<first>\w+)\/(?<second>\w+)/, "second")"#, r#""b""#),
        example(r#"capture("x", /(\d+)/)"#, "absent"),
    ],
    body: Body::Native(capture),
    ..PLAIN
};

fn capture<'a>(call: &Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    let text = call.string(arguments, 0)?;
    let Some(Value::Regex(regex)) = arguments.get(1) else {
        return Err(call.wrong_kind("a regular expression", arguments.get(1)));
    };
    let Some(captures) = regex.0.captures(text) else { return Ok(Value::Absent) };
    let found = match arguments.get(2) {
        None | Some(Value::Absent) => captures.get(usize::from(captures.len() > 1)),
        Some(Value::Int(number)) => usize::try_from(*number).ok().and_then(|number| captures.get(number)),
        Some(Value::String(name)) => captures.name(name),
        other => return Err(call.wrong_kind("a group's name or number", other)),
    };
    Ok(found.map_or(Value::Absent, |found| Value::String(found.as_str())))
}

pub(super) static FIND_ALL: Function = Function {
    name: "find_all",
    group: Group::Regex,
    signature: "find_all(text: string, pattern: regex) -> list<string>",
    parameters: &[required("text", Accepts::Text), required("pattern", Accepts::Regex)],
    result: STRINGS,
    summary: "Every match of the pattern, from left to right, none overlapping; the empty list when there is none.",
    examples: &[example(r#"find_all("a1 b22", /\d+/)"#, r#"["1", "22"]"#), example(r#"find_all("abc", /\d+/)"#, "[]")],
    body: Body::Native(|call, arguments| {
        let text = call.string(arguments, 0)?;
        let Some(Value::Regex(regex)) = arguments.get(1) else {
            return Err(call.wrong_kind("a regular expression", arguments.get(1)));
        };
        let mut list = ListBuilder::new(call);
        for found in regex.0.find_iter(text) {
            list.push(Value::String(found.as_str()));
            if list.is_over() {
                break;
            }
        }
        list.finish()
    }),
    ..PLAIN
};
