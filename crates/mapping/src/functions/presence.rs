//! Whether something is there, and taking one of several.

use super::write::{BOOL, ITEM, PLAIN, example, required, sees_absent};
use super::{Accepts, Body, Function, Group, Intrinsic};
use crate::diagnostic::codes::Code;
use crate::value::{Failure, Value};

pub(super) static HAS: Function = Function {
    name: "has",
    group: Group::Presence,
    signature: "has(x: any) -> bool",
    parameters: &[sees_absent("x", Accepts::Any)],
    result: BOOL,
    summary: "Whether the source has the attribute at all: true also when it is null or empty.",
    examples: &[example(r#"has("")"#, "true"), example("has(absent)", "false")],
    body: Body::Compiled(Intrinsic::Has),
    ..PLAIN
};

pub(super) static PRESENT: Function = Function {
    name: "present",
    group: Group::Presence,
    signature: "present(x: any) -> bool",
    parameters: &[sees_absent("x", Accepts::Any)],
    result: BOOL,
    summary: "Whether there is a value: not missing, not null, not empty text and not an empty list.",
    examples: &[example(r#"present("x")"#, "true"), example("present(absent)", "false"), example("present([])", "false")],
    body: Body::Compiled(Intrinsic::Present),
    ..PLAIN
};

pub(super) static BLANK: Function = Function {
    name: "blank",
    group: Group::Presence,
    signature: "blank(x: any) -> bool",
    parameters: &[sees_absent("x", Accepts::Any)],
    result: BOOL,
    summary: "Whether there is nothing to show: not present, or white space alone.",
    examples: &[example(r#"blank(" ")"#, "true"), example("blank(absent)", "true"), example("blank(0)", "false")],
    body: Body::Native(|_, arguments| {
        let x = arguments.first().unwrap_or(&Value::Absent);
        Ok(Value::Bool(match x {
            Value::String(text) => text.trim().is_empty(),
            _ => !x.is_present(),
        }))
    }),
    ..PLAIN
};

pub(super) static IS_NULL: Function = Function {
    name: "is_null",
    group: Group::Presence,
    signature: "is_null(x: any) -> bool",
    parameters: &[sees_absent("x", Accepts::Any)],
    result: BOOL,
    summary: "Whether the source says JSON null; missing is not null.",
    examples: &[example(r#"is_null(path(json_parse("[null]"), "[0]"))"#, "true"), example("is_null(absent)", "false")],
    body: Body::Compiled(Intrinsic::IsNull),
    ..PLAIN
};

pub(super) static IS_STRING: Function = Function {
    name: "is_string",
    group: Group::Presence,
    signature: "is_string(x: any) -> bool",
    parameters: &[sees_absent("x", Accepts::Any)],
    result: BOOL,
    summary: "Whether the value is text; a number, a list and nothing are not.",
    examples: &[example(r#"is_string("1")"#, "true"), example("is_string(1)", "false"), example("is_string(absent)", "false")],
    body: Body::Native(|_, arguments| Ok(Value::Bool(matches!(arguments.first(), Some(Value::String(_)))))),
    ..PLAIN
};

pub(super) static DEFAULT: Function = Function {
    name: "default",
    group: Group::Presence,
    signature: "default(x: any, y: any) -> any",
    parameters: &[sees_absent("x", Accepts::Any), sees_absent("y", Accepts::Any)],
    result: |types| types.first().cloned().unwrap_or(crate::types::Type::Json),
    may_be_absent: true,
    summary: "The first if it is present, else the second: `x ?? y` as a function.",
    examples: &[example(r#"default("a", "b")"#, r#""a""#), example(r#"default(absent, "b")"#, r#""b""#)],
    body: Body::Compiled(Intrinsic::Default),
    ..PLAIN
};

pub(super) static ONLY: Function = Function {
    name: "only",
    group: Group::Presence,
    signature: "only(list: list<T>) -> T",
    parameters: &[required("list", Accepts::List)],
    result: ITEM,
    may_be_absent: true,
    fallible: true,
    summary: "The one value of a list; absent when it is empty, and a failure when it has several.",
    examples: &[
        example(r#"only(["a"])"#, r#""a""#),
        example("only([])", "absent"),
        example(r#"only(["a", "b"])"#, "error"),
        example(r#"only?(["a", "b"])"#, "absent"),
    ],
    body: Body::Native(|call, arguments| match call.list(arguments, 0)? {
        [] => Ok(Value::Absent),
        [one] => Ok(*one),
        several => {
            let failure = call.fail(format_args!("{} values where one is wanted", several.len()));
            Err(Failure { code: Code::M113, ..failure })
        }
    }),
    ..PLAIN
};

pub(super) static FIRST: Function = Function {
    name: "first",
    group: Group::Presence,
    signature: "first(list: list<T>) -> T",
    parameters: &[required("list", Accepts::List)],
    result: ITEM,
    may_be_absent: true,
    summary: "The first value of a list; absent when it is empty. `list[0]` is the same, `list[n]` any other.",
    examples: &[example(r#"first(["a", "b"])"#, r#""a""#), example("first([])", "absent")],
    body: Body::Native(|call, arguments| Ok(call.list(arguments, 0)?.first().copied().unwrap_or(Value::Absent))),
    ..PLAIN
};

pub(super) static LAST: Function = Function {
    name: "last",
    group: Group::Presence,
    signature: "last(list: list<T>) -> T",
    parameters: &[required("list", Accepts::List)],
    result: ITEM,
    may_be_absent: true,
    summary: "The last value of a list; absent when it is empty.",
    examples: &[example(r#"last(["a", "b"])"#, r#""b""#), example("last([])", "absent")],
    body: Body::Native(|call, arguments| Ok(call.list(arguments, 0)?.last().copied().unwrap_or(Value::Absent))),
    ..PLAIN
};
