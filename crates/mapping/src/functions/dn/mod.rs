//! Distinguished names. Text that is none gives absent (or `false` where the answer is a boolean), never a failure: a
//! directory's `memberOf` of 10 000 values must not fail as a whole for one. `rdn` reads no further than to its answer.

mod below;
pub(super) mod parse;

pub use below::Below;

use super::build::{ListBuilder, TextBuilder};
use super::write::{BOOL, PLAIN, STRING, STRINGS, example, optional, required};
use super::{Accepts, Body, Call, Function, Group};
use crate::types::Type;
use crate::value::{Failure, Value};
use bumpalo::collections::Vec as ArenaVec;
use parse::{
    Part, all_parts, common_tail, comparable, depth, ends_apart, parts, plain_first, plain_parts, push_escaped, rdn_equal, rdns,
    reads_up_to,
};

pub(super) static RDN: Function = Function {
    name: "rdn",
    group: Group::DistinguishedName,
    signature: "rdn(name: dn, type?: string) -> string",
    parameters: &[required("name", Accepts::Dn), optional("type", Accepts::Text)],
    result: STRING,
    may_be_absent: true,
    summary: "The value of the leftmost RDN, or of the leftmost part of this type, without its escapes.",
    examples: &[
        example(r#"rdn(r"CN=Lee\, Ann,OU=Users,DC=x", "cn")"#, r#""Lee, Ann""#),
        example(r#"rdn("CN=Ann,OU=Users,DC=x", "OU")"#, r#""Users""#),
        example(r#"rdn("uid=ann,dc=x")"#, r#""ann""#),
        example(r#"rdn("Ann Lee", "CN")"#, "absent"),
    ],
    body: Body::Text(|call, name, kind| {
        let value = kind.and_then(|kind| plain_first(name, kind)).or_else(|| first(call, name, kind));
        Ok(value.map_or(Value::Absent, Value::String))
    }),
    ..PLAIN
};

/// The value of the first part, of this type if one is given.
fn first<'a>(call: &Call<'a>, name: &'a str, kind: Option<&str>) -> Option<&'a str> {
    for part in all_parts(name) {
        let part = part?;
        if kind.is_none_or(|kind| part.is(kind)) {
            return Some(part.text(call));
        }
    }
    None
}

/// Values there is room for at first, and the length up to which there can't be too many.
const PLAIN_DEPTH: usize = 4;
const PLAIN_BYTES_MAX: usize = 16 * 1024;

pub(super) static RDNS: Function = Function {
    name: "rdns",
    group: Group::DistinguishedName,
    signature: "rdns(name: dn, type: string) -> list<string>",
    parameters: &[required("name", Accepts::Dn), required("type", Accepts::Text)],
    result: STRINGS,
    summary: "The values of all parts of this type, from the leaf up; the empty list for text that is no name.",
    examples: &[
        example(r#"rdns("CN=Ann,OU=Berlin,OU=Users,DC=x", "ou")"#, r#"["Berlin", "Users"]"#),
        example(r#"rdns("Ann Lee", "OU")"#, "[]"),
    ],
    body: Body::Text(|call, name, kind| {
        let kind = kind.unwrap_or_default();
        let mut plain = ArenaVec::with_capacity_in(PLAIN_DEPTH, call.arena);
        if name.len() < PLAIN_BYTES_MAX && plain_parts(name, kind, |part| plain.push(Value::String(part.text(call)))) {
            return Ok(Value::List(plain.into_bump_slice()));
        }
        let mut list = ListBuilder::new(call);
        for part in all_parts(name) {
            let Some(part) = part else { return Ok(Value::List(&[])) };
            if part.is(kind) {
                list.push(Value::String(part.text(call)));
            }
        }
        list.finish()
    }),
    ..PLAIN
};

pub(super) static PARENT: Function = Function {
    name: "parent",
    group: Group::DistinguishedName,
    signature: "parent(name: dn) -> dn",
    parameters: &[required("name", Accepts::Dn)],
    result: |_| Type::Dn,
    may_be_absent: true,
    summary: "The name without its leftmost RDN, as written; absent at the top.",
    examples: &[
        example(r#"parent(r"CN=Lee\, Ann,OU=Users,DC=x")"#, r#""OU=Users,DC=x""#),
        example(r#"parent("DC=x")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let name = call.string(arguments, 0)?;
        let mut all = rdns(name);
        all.next();
        let rest = all.rest().filter(|_| depth(name).is_some());
        Ok(rest.map_or(Value::Absent, |rest| Value::String(rest.trim_start_matches(' '))))
    }),
    ..PLAIN
};

pub(super) static UNDER: Function = Function {
    name: "under",
    group: Group::DistinguishedName,
    signature: "under(name: dn, base: dn) -> bool",
    parameters: &[required("name", Accepts::Dn), required("base", Accepts::Dn)],
    result: BOOL,
    summary: "Whether a name lies below another, at any depth; nothing lies below itself.",
    examples: &[
        example(r#"under("CN=Wiki,OU=Apps,DC=corp,DC=example", "ou=apps, dc=corp, dc=example")"#, "true"),
        example(r#"under("OU=Apps,DC=x", "OU=Apps,DC=x")"#, "false"),
        example(r#"under("CN=a,OU=MyApps,DC=x", "OU=Apps,DC=x")"#, "false"),
        example(r#"under("Ann Lee", "DC=x")"#, "false"),
    ],
    body: Body::Test(|call, name, base| under_as_written(call, name, base).unwrap_or_else(|| under_by_rdns(call, name, base))),
    ..PLAIN
};

/// Whether text is a name, and not the root's.
fn reads(name: &str) -> bool {
    depth(name).is_some_and(|depth| depth > 0)
}

fn under_by_rdns<'a>(call: &Call<'a>, name: &'a str, base: &'a str) -> bool {
    match (depth(name), depth(base)) {
        (Some(depth), Some(above)) if depth > above => all_equal(call, rdns(name).skip(depth - above), rdns(base)),
        _ => false,
    }
}

/// The answer for names that spell the base alike but for ASCII case, or plainly end otherwise: nearly all there are.
/// `None` = look closely.
fn under_as_written<'a>(call: &Call<'a>, name: &'a str, base: &'a str) -> Option<bool> {
    let (written, spelt) = (name.as_bytes(), base.as_bytes());
    let common = common_tail(written, spelt);
    if common < spelt.len() {
        return ends_apart(written, spelt, common, &mut 0).map(|_| false);
    }
    let comma = written.len().checked_sub(spelt.len() + 1)?;
    let is_below = written[comma] == b',' && (comma == 0 || written[comma - 1] != b'\\');
    is_below.then(|| reads_once(call, base) && reads_up_to(name, comma))
}

/// Whether a name reads and is not the root; asked again of the same text, as a loop does with its base, it is not read
/// again.
fn reads_once<'a>(call: &Call<'a>, name: &'a str) -> bool {
    if !name.is_empty() && std::ptr::eq(call.read_name.get(), name) {
        return true;
    }
    let reads = depth(name).is_some_and(|depth| depth > 0);
    if reads {
        call.read_name.set(name);
    }
    reads
}

pub(super) static DN_EQUAL: Function = Function {
    name: "dn_equal",
    group: Group::DistinguishedName,
    signature: "dn_equal(a: dn, b: dn) -> bool",
    parameters: &[required("a", Accepts::Dn), required("b", Accepts::Dn)],
    result: BOOL,
    summary: "Whether two names are the same entry's: case, spaces, escapes and the order within an RDN do not count. \
              False for text that is no name.",
    examples: &[
        example(r#"dn_equal("CN=Ann  Lee, DC=X", "cn=ann lee,dc=x")"#, "true"),
        example(r#"dn_equal("OU=a+CN=b,DC=x", "CN=b+OU=a,DC=x")"#, "true"),
        example(r#"dn_equal("CN=a", "CN=b")"#, "false"),
    ],
    body: Body::Test(|call, a, b| match (depth(a), depth(b)) {
        (Some(one), Some(other)) if one == other => all_equal(call, rdns(a), rdns(b)),
        _ => false,
    }),
    ..PLAIN
};

fn all_equal<'a>(call: &Call<'a>, a: impl Iterator<Item = &'a str>, b: impl Iterator<Item = &'a str>) -> bool {
    a.zip(b).all(|(a, b)| rdn_equal(call, a, b))
}

pub(super) static DN_CANONICAL: Function = Function {
    name: "dn_canonical",
    group: Group::DistinguishedName,
    signature: "dn_canonical(name: dn) -> dn",
    parameters: &[required("name", Accepts::Dn)],
    result: |_| Type::Dn,
    may_be_absent: true,
    summary: "One spelling for all spellings of a name: types short and in lower case, values folded, spaces squeezed, \
              escapes the least there can be. For keys, not for showing.",
    examples: &[
        example(r#"dn_canonical("CN=Ann  Lee , OU=Users,DC=X")"#, r#""cn=ann lee,ou=users,dc=x""#),
        example(r#"dn_canonical("OU=b+CN=a,DC=x")"#, r#""cn=a+ou=b,dc=x""#),
        example(r#"dn_canonical("Ann")"#, "absent"),
    ],
    body: Body::Native(dn_canonical),
    ..PLAIN
};

fn dn_canonical<'a>(call: &Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    let name = call.string(arguments, 0)?;
    if depth(name).is_none_or(|depth| depth == 0) {
        return Ok(Value::Absent);
    }
    let mut out = TextBuilder::with_capacity(call, name.len());
    for (at, rdn) in rdns(name).enumerate() {
        let mut written = ArenaVec::new_in(call.arena);
        for part in parts(rdn).flatten() {
            written.push(canonical_part(call, &part)?);
        }
        written.sort_unstable();
        written.dedup();
        for (number, part) in written.iter().enumerate() {
            match (at, number) {
                (0, 0) => {}
                (_, 0) => out.push(','),
                _ => out.push('+'),
            }
            out.push_str(part);
        }
    }
    out.finish()
}

fn canonical_part<'a>(call: &Call<'a>, part: &Part<'a>) -> Result<&'a str, Failure<'a>> {
    let mut value = TextBuilder::with_capacity(call, part.value.len());
    comparable(part.text(call)).for_each(|letter| value.push(letter));
    let mut out = TextBuilder::with_capacity(call, part.kind.len() + part.value.len() + 1);
    part.short_kind().chars().for_each(|letter| out.push(letter.to_ascii_lowercase()));
    out.push('=');
    push_escaped(&mut out, value.finish_str()?);
    out.finish_str()
}

pub(super) static DOMAIN: Function = Function {
    name: "domain",
    group: Group::DistinguishedName,
    signature: "domain(name: dn) -> string",
    parameters: &[required("name", Accepts::Dn)],
    result: STRING,
    may_be_absent: true,
    summary: "The DNS name that the DC parts spell, as written; absent where there are none.",
    examples: &[
        example(r#"domain("CN=Ann,OU=Users,DC=corp,DC=example")"#, r#""corp.example""#),
        example(r#"domain("cn=ann,o=x")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let name = call.string(arguments, 0)?;
        let mut out = TextBuilder::new(call);
        if depth(name).is_some() {
            for part in all_parts(name).flatten().filter(|part| part.is("DC")) {
                if !out.as_str().is_empty() {
                    out.push('.');
                }
                out.push_str(part.text(call));
            }
        }
        if out.as_str().is_empty() && !out.is_over() { Ok(Value::Absent) } else { out.finish() }
    }),
    ..PLAIN
};

#[cfg(test)]
mod tests {
    use super::parse::unescaped_letters;
    use super::*;
    use crate::functions::testing::context;
    use bumpalo::Bump;
    use proptest::prelude::*;

    /// Names, and what nearly is one, out of what names are made of.
    fn names() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "CN=",
            "cn=",
            "OU=",
            "ou =",
            "commonName=",
            "2.5.4.11=",
            "=",
            "Apps",
            "apps",
            "MyApps",
            "Ap\\70s",
            "K",
            "\u{212a}",
            "ſ",
            "s",
            "a b",
            "a  b",
            " ",
            "#0c0141",
            "#",
            "\\,",
            "\\+",
            "\\",
            "+",
            ",",
            ",",
            ", ",
            ",DC=corp",
            ",DC=Corp",
            ",dc=x",
        ]);
        prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn the_short_ways_say_what_reading_every_part_says(head in names(), base in names(), other in names()) {
            let arena = Bump::new();
            let below = format!("{head},{base}");
            for name in [&below, &below.to_ascii_uppercase(), &other, &format!("{head}{base}")] {
                let call = context(&arena);
                if let Some(answer) = under_as_written(&call, name, &base) {
                    prop_assert_eq!(answer, under_by_rdns(&call, name, &base), "{} under {}", name, base);
                }
                for kind in ["CN", "ou", "commonName", "a b", ""] {
                    if let Some(value) = plain_first(name, kind) {
                        prop_assert_eq!(Some(value), first(&call, name, Some(kind)), "{} of {}", kind, name);
                    }
                    let mut values = Vec::new();
                    if plain_parts(name, kind, |part| values.push(part.text(&call))) {
                        let all: Vec<_> = all_parts(name).flatten().filter(|part| part.is(kind)).map(|part| part.text(&call)).collect();
                        prop_assert!(depth(name).is_some());
                        prop_assert_eq!(values, all, "{} of {}", kind, name);
                    }
                }
            }
        }

        #[test]
        fn escaped_characters_come_back_by_pieces_as_they_do_by_bytes(value in r"([a-cé ]|\\[,+é\\ ;]|\\[0-9a-f]{2}){0,6}") {
            let arena = Bump::new();
            let call = context(&arena);
            let name = format!("CN={value}");
            for part in all_parts(&name).flatten() {
                let by_pieces = unescaped_letters(part.value, &call);
                prop_assert!(by_pieces.is_none_or(|text| text == part.read_bytes(&call)), "{} gives {:?}", value, by_pieces);
            }
        }

        #[test]
        fn one_pass_over_the_names_of_a_loop_says_what_under_and_rdn_say_of_each(
            heads in prop::collection::vec((names(), any::<bool>()), 1..12),
            base in names().prop_filter("a base reads", |base| reads(base)),
            other in names(),
        ) {
            let arena = Bump::new();
            let call = context(&arena);
            let below = arena.alloc(Below::new(&base, "CN").unwrap());
            for (head, is_below) in &heads {
                let name = format!("{head},{}", if *is_below { &base } else { &other });
                let name = &*arena.alloc_str(&name);
                let base = &*arena.alloc_str(&base);
                if let Some(found) = below.value(&call, name) {
                    let expected = under_by_rdns(&call, name, base).then(|| first(&call, name, Some("CN"))).flatten();
                    prop_assert_eq!(found, expected, "{} below {}", name, base);
                }
            }
        }
    }
}
