//! What is made up when a profile is created, from the random bytes of the run: seeded, so tests repeat it.

use super::Call;
use super::identifier::uuid_text;
use super::short::Short;
use super::write::{PLAIN, STRING, example, named, required};
use super::{Accepts, Body, Function, Group};
use crate::value::{Failure, Value};
use bumpalo::collections::Vec as ArenaVec;

pub(super) static UUID: Function = Function {
    name: "uuid",
    group: Group::CreateOnly,
    signature: "uuid() -> string",
    result: STRING,
    create_only: true,
    summary: "A random UUID (version 4). Only under `create`.",
    examples: &[example("len(uuid())", "36"), example("slice(uuid(), 14, 15)", r#""4""#)],
    body: Body::Native(|call, _| {
        let mut bytes = [0; 16];
        (call.random)(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Ok(call.text(uuid_text(&mut Short::new(), bytes)))
    }),
    ..PLAIN
};

/// Of random text: passwords and suffixes are short, and each character costs eight random bytes.
const LENGTH_MAX: usize = 4096;

const DIGITS: &str = "0123456789";
const SPECIAL: &str = "!#$%&()*+,-./:;<=>?@[]^_{|}~";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const CLASSES: [&str; 4] = [DIGITS, SPECIAL, UPPER, LOWER];

pub(super) static RANDOM_STRING: Function = Function {
    name: "random_string",
    group: Group::CreateOnly,
    signature: "random_string(length: int, digits: int, special: int, upper: int, lower: int, avoid: string) -> string",
    parameters: &[
        required("length", Accepts::Int),
        named("digits", Accepts::Int),
        named("special", Accepts::Int),
        named("upper", Accepts::Int),
        named("lower", Accepts::Int),
        named("avoid", Accepts::Text),
    ],
    result: STRING,
    fallible: true,
    create_only: true,
    summary: "Random ASCII characters, at least so many of each kind, none of those to avoid. Kinds given as 0 or not at \
              all may still come; avoid them to leave them out. Only under `create`.",
    examples: &[
        example("len(random_string(12, digits: 2, special: 1))", "12"),
        example(r#"random_string(4, digits: 4, avoid: "012345678")"#, r#""9999""#),
        example("random_string(2, digits: 2, upper: 1)", "error"),
    ],
    body: Body::Native(random_string),
    ..PLAIN
};

fn random_string<'a>(call: &Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    let length = usize::try_from(call.int(arguments, 0)?).map_err(|_| call.fail(format_args!("length below 0")))?;
    if length > LENGTH_MAX {
        return Err(call.over(format_args!("random text longer than {LENGTH_MAX} characters")));
    }
    let avoid = call.optional_string(arguments, 5)?.unwrap_or_default();
    let allowed = |letter: &u8| !avoid.as_bytes().contains(letter);
    let everything = ArenaVec::from_iter_in(CLASSES.iter().flat_map(|class| class.bytes()).filter(allowed), call.arena);
    if everything.is_empty() && length > 0 {
        return Err(call.fail(format_args!("no characters left: all are to be avoided")));
    }
    // Eight bytes for each character: four choose it, four its place.
    let mut random = ArenaVec::new_in(call.arena);
    random.resize(length * 8, 0);
    (call.random)(&mut random);
    let mut numbers = random.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    let mut letters = ArenaVec::with_capacity_in(length, call.arena);
    for (class, place) in CLASSES.iter().zip(1..) {
        let least = usize::try_from(call.optional_int(arguments, place)?.unwrap_or(0)).unwrap_or(0);
        let class = ArenaVec::from_iter_in(class.bytes().filter(allowed), call.arena);
        if least > length - letters.len() || (least > 0 && class.is_empty()) {
            return Err(call.fail(format_args!("the least numbers of characters can't be met")));
        }
        letters.extend((&mut numbers).take(least).map(|number| class[below(number, class.len())]));
    }
    let missing = length - letters.len();
    letters.extend((&mut numbers).take(missing).map(|number| everything[below(number, everything.len())]));
    for (last, number) in (0..letters.len()).rev().zip(numbers) {
        letters.swap(last, below(number, last + 1));
    }
    Ok(call.text(std::str::from_utf8(&letters).unwrap_or_default()))
}

/// A number below `end`, each but for a bias of `end` in 2^32 as likely.
fn below(random: u32, end: usize) -> usize {
    let end = u64::try_from(end).unwrap_or(u64::MAX);
    usize::try_from((u64::from(random) * end) >> 32).unwrap_or(0)
}
