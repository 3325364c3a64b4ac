//! Records: members by name, in the order they were made. No name stands twice.

use super::build::ListBuilder;
use super::order::firsts;
use super::write::{JSON, PLAIN, RECORD, STRINGS, example, repeated, required};
use super::{Accepts, Body, Call, Function, Group};
use crate::limits::LIST_VALUES_MAX;
use crate::types::Type;
use crate::value::{Failure, Value};
use bumpalo::collections::Vec as ArenaVec;

type Member<'a> = (&'a str, Value<'a>);

/// The members with each name once: where it last stood.
pub(super) fn distinct<'a>(call: &Call<'a>, members: &'a [Member<'a>]) -> &'a [Member<'a>] {
    let keeps = firsts(call, members, |a, b| a.0.cmp(b.0), true);
    if keeps.iter().all(|keep| *keep) {
        return members;
    }
    let kept = members.iter().zip(keeps).filter(|(_, keep)| *keep).map(|(member, _)| *member);
    ArenaVec::from_iter_in(kept, call.arena).into_bump_slice()
}

fn record<'a>(call: &Call<'a>, members: ArenaVec<'a, Member<'a>>) -> Result<Value<'a>, Failure<'a>> {
    if members.len() > LIST_VALUES_MAX {
        return Err(call.list_too_long());
    }
    Ok(Value::Record(distinct(call, members.into_bump_slice())))
}

pub(super) static MERGE: Function = Function {
    name: "merge",
    group: Group::Structure,
    signature: "merge(records: record…) -> record",
    parameters: &[repeated("records", Accepts::Record)],
    result: RECORD,
    summary: "The members of all records; of a name that several have, the last one's. What is absent is left out.",
    examples: &[example("merge({a: 1, b: 1}, {b: 2})", r#"{"a": 1, "b": 2}"#), example("merge({a: 1}, absent)", r#"{"a": 1}"#)],
    body: Body::Native(|call, arguments| {
        let mut members = ArenaVec::new_in(call.arena);
        for (place, argument) in arguments.iter().enumerate() {
            if !matches!(argument, Value::Absent | Value::Null) {
                members.extend_from_slice(call.record(arguments, place)?);
            }
        }
        record(call, members)
    }),
    ..PLAIN
};

pub(super) static PICK: Function = Function {
    name: "pick",
    group: Group::Structure,
    signature: "pick(record: record, names: string…) -> record",
    parameters: &[required("record", Accepts::Record), repeated("names", Accepts::Text)],
    result: RECORD,
    summary: "The members of these names alone, in the record's order; names it does not have are passed over.",
    examples: &[
        example(r#"pick({a: 1, b: 2, c: 3}, "c", "a", "x")"#, r#"{"a": 1, "c": 3}"#),
        example(r#"pick({a: 1}, "b")"#, "{}"),
    ],
    body: Body::Native(|call, arguments| chosen(call, arguments, true)),
    ..PLAIN
};

pub(super) static OMIT: Function = Function {
    name: "omit",
    group: Group::Structure,
    signature: "omit(record: record, names: string…) -> record",
    parameters: &[required("record", Accepts::Record), repeated("names", Accepts::Text)],
    result: RECORD,
    summary: "The members but those of these names.",
    examples: &[example(r#"omit({a: 1, b: 2}, "a")"#, r#"{"b": 2}"#), example(r#"omit({a: 1}, "x")"#, r#"{"a": 1}"#)],
    body: Body::Native(|call, arguments| chosen(call, arguments, false)),
    ..PLAIN
};

fn chosen<'a>(call: &Call<'a>, arguments: &[Value<'a>], named: bool) -> Result<Value<'a>, Failure<'a>> {
    let members = call.record(arguments, 0)?;
    let names = arguments.get(1..).unwrap_or_default();
    let is_named = |name: &str| names.iter().any(|other| matches!(other, Value::String(other) if *other == name));
    let kept = members.iter().filter(|(name, _)| is_named(name) == named).copied();
    record(call, ArenaVec::from_iter_in(kept, call.arena))
}

pub(super) static KEYS: Function = Function {
    name: "keys",
    group: Group::Structure,
    signature: "keys(record: record) -> list<string>",
    parameters: &[required("record", Accepts::Record)],
    result: STRINGS,
    summary: "The names of a record's members, in its order.",
    examples: &[example("keys({b: 1, a: 2})", r#"["b", "a"]"#), example("keys({})", "[]")],
    body: Body::Native(|call, arguments| {
        let mut list = ListBuilder::new(call);
        call.record(arguments, 0)?.iter().for_each(|(name, _)| list.push(Value::String(name)));
        list.finish()
    }),
    ..PLAIN
};

pub(super) static VALUES: Function = Function {
    name: "values",
    group: Group::Structure,
    signature: "values(record: record) -> list<json>",
    parameters: &[required("record", Accepts::Record)],
    result: |_| Type::Json.list(),
    summary: "The values of a record's members, in its order; null is left out.",
    examples: &[example("values({b: 1, a: 2})", "[1, 2]"), example("values({})", "[]")],
    body: Body::Native(|call, arguments| {
        let mut list = ListBuilder::new(call);
        call.record(arguments, 0)?.iter().for_each(|(_, value)| list.push(*value));
        list.finish()
    }),
    ..PLAIN
};

pub(super) static ZIP_RECORD: Function = Function {
    name: "zip_record",
    group: Group::Structure,
    signature: "zip_record(names: list<string>, values: list<any>) -> record",
    parameters: &[required("names", Accepts::TextList), required("values", Accepts::List)],
    result: RECORD,
    summary: "A record of names and values that stand at the same place; what one list has more is left out, of a name \
              given twice the last counts.",
    examples: &[
        example(r#"zip_record(["a", "b"], [1, 2])"#, r#"{"a": 1, "b": 2}"#),
        example(r#"zip_record(["a", "b"], [1])"#, r#"{"a": 1}"#),
    ],
    body: Body::Native(|call, arguments| {
        let (names, values) = (call.list(arguments, 0)?, call.list(arguments, 1)?);
        let mut members = ArenaVec::new_in(call.arena);
        for (place, value) in (0..names.len()).zip(values) {
            members.push((call.string(names, place)?, *value));
        }
        record(call, members)
    }),
    ..PLAIN
};

pub(super) static PATH: Function = Function {
    name: "path",
    group: Group::Structure,
    signature: "path(x: json, path: string) -> json",
    parameters: &[required("x", Accepts::Any), required("path", Accepts::Text)],
    result: JSON,
    may_be_absent: true,
    summary: "What a path leads to: names between dots, places in brackets (`a.b[0]`, `[-1]` the last, `[\"a.b\"]` a name \
              with dots); absent when there is nothing there.",
    examples: &[
        example(r#"path({a: {b: ["x", "y"]}}, "a.b[1]")"#, r#""y""#),
        example(r#"path({a: ["x"]}, "a[-1]")"#, r#""x""#),
        example(r#"path({a: 1}, "b.c")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let mut value = *arguments.first().unwrap_or(&Value::Absent);
        let mut rest = call.string(arguments, 1)?;
        while !rest.is_empty() {
            match step(value, rest) {
                Some((inner, after)) => (value, rest) = (inner, after),
                None => return Ok(Value::Absent),
            }
        }
        Ok(value)
    }),
    ..PLAIN
};

/// Follows the first step of a path. `None` when it leads nowhere or is none.
fn step<'a, 'p>(value: Value<'a>, path: &'p str) -> Option<(Value<'a>, &'p str)> {
    let Some(bracket) = path.strip_prefix('[') else {
        let path = path.strip_prefix('.').unwrap_or(path);
        let (name, after) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
        return Some((member(value, name)?, after));
    };
    if let Some(quoted) = bracket.strip_prefix('"') {
        let (name, after) = quoted.split_once("\"]")?;
        return Some((member(value, name)?, after));
    }
    let (place, after) = bracket.split_once(']')?;
    let (place, Value::List(items)) = (place.trim().parse::<i64>().ok()?, value) else { return None };
    let place = if place < 0 {
        items.len().checked_sub(usize::try_from(place.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(place).ok()?
    };
    Some((*items.get(place)?, after))
}

fn member<'a>(value: Value<'a>, name: &str) -> Option<Value<'a>> {
    let Value::Record(members) = value else { return None };
    members.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
}
