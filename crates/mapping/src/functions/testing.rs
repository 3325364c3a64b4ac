//! Calling a body in a test.

use super::{Body, Call, Function, Presence, find};
use crate::value::{Failure, Value};
use bumpalo::Bump;
use jiff::Timestamp;

pub(super) const SECRET: &[u8] = b"pairwise secret";

/// As an evaluator would: absence is dealt with before the body runs. The clock stands at 2026-01-31T09:00:00Z, random
/// bytes count up from 0, and there is one key, `pairwise`.
pub(super) fn run<'a>(arena: &'a Bump, function: &Function, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    for (place, parameter) in function.parameters.iter().enumerate() {
        let is_absent = matches!(arguments.get(place), None | Some(Value::Absent | Value::Null));
        if parameter.presence == Presence::Required && is_absent {
            return Ok(Value::Absent);
        }
    }
    let call = context(arena);
    match function.body {
        Body::Native(body) => body(&call, arguments),
        Body::Text(body) => body(&call, call.string(arguments, 0)?, call.optional_string(arguments, 1)?),
        Body::Test(body) => Ok(Value::Bool(body(&call, call.string(arguments, 0)?, call.string(arguments, 1)?))),
        Body::Compiled(_) => panic!("{} is an instruction", function.name),
    }
}

pub(super) fn context(arena: &Bump) -> Call<'_> {
    Call {
        arena,
        now: Timestamp::from_second(1_769_850_000).unwrap(),
        random: &random,
        key: &key,
        read_name: std::cell::Cell::new(""),
    }
}

pub(super) fn call<'a>(arena: &'a Bump, name: &str, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    run(arena, find(name).expect(name), arguments)
}

/// Text in, text out.
pub(super) fn text_of<'a>(arena: &'a Bump, name: &str, arguments: &[&'a str]) -> &'a str {
    let arguments: Vec<Value<'a>> = arguments.iter().map(|text| Value::String(text)).collect();
    match call(arena, name, &arguments) {
        Ok(Value::String(text)) => text,
        other => panic!("{name}: {other:?}"),
    }
}

fn random(bytes: &mut [u8]) {
    (0_u8..=255).cycle().zip(bytes).for_each(|(value, byte)| *byte = value.wrapping_mul(151));
}

fn key<'a>(name: &str) -> Option<&'a [u8]> {
    (name == "pairwise").then_some(SECRET)
}
