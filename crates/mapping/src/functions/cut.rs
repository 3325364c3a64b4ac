//! Taking text apart. Positions count Unicode scalar values from 0; a position past the end is the end, so cutting
//! never fails. A mark that is missing gives absent, and empty text is never found as a mark.

use super::build::ListBuilder;
use super::write::{BOOL, INT, PLAIN, STRING, STRINGS, example, optional, required};
use super::{Accepts, Body, Call, Function, Group};
use crate::value::{Failure, Value};

pub(super) static TRIM: Function = Function {
    name: "trim",
    group: Group::String,
    signature: "trim(text: string) -> string",
    parameters: &[required("text", Accepts::Text)],
    result: STRING,
    summary: "Without white space at both ends.",
    examples: &[example(r#"trim("  a b ")"#, r#""a b""#), example("trim(absent)", "absent")],
    body: Body::Text(|_, text, _| Ok(Value::String(text.trim()))),
    ..PLAIN
};

pub(super) static LEN: Function = Function {
    name: "len",
    group: Group::String,
    signature: "len(text: string) -> int",
    parameters: &[required("text", Accepts::Text)],
    result: INT,
    summary: "How many characters (Unicode scalar values) a text has; for lists see `count`.",
    examples: &[example(r#"len("Zoë")"#, "3"), example(r#"len("")"#, "0"), example("len(absent)", "absent")],
    body: Body::Native(|call, arguments| Ok(Value::Int(to_int(length(call.string(arguments, 0)?))))),
    ..PLAIN
};

pub(super) static SLICE: Function = Function {
    name: "slice",
    group: Group::String,
    signature: "slice(text: string, from: int, to?: int) -> string",
    parameters: &[required("text", Accepts::Text), required("from", Accepts::Int), optional("to", Accepts::Int)],
    result: STRING,
    summary: "The characters from one position up to, not including, another; negative positions count from the end.",
    examples: &[
        example(r#"slice("abcdef", 1, 3)"#, r#""bc""#),
        example(r#"slice("abcdef", -2)"#, r#""ef""#),
        example(r#"slice("abc", 5, 9)"#, r#""""#),
    ],
    body: Body::Native(|call, arguments| {
        let (text, from) = (call.string(arguments, 0)?, call.int(arguments, 1)?);
        let to = call.optional_int(arguments, 2)?.unwrap_or(i64::MAX);
        let total = if from < 0 || to < 0 { to_int(length(text)) } else { 0 };
        let position = |at: i64| if at < 0 { at.saturating_add(total).max(0) } else { at };
        let (from, to) = (byte_at(text, position(from)), byte_at(text, position(to)));
        Ok(Value::String(text.get(from..to).unwrap_or_default()))
    }),
    ..PLAIN
};

pub(super) static LEFT: Function = Function {
    name: "left",
    group: Group::String,
    signature: "left(text: string, count: int) -> string",
    parameters: &[required("text", Accepts::Text), required("count", Accepts::Int)],
    result: STRING,
    summary: "The first characters; all of them when there are fewer.",
    examples: &[
        example(r#"left("Zoë Lee", 3)"#, r#""Zoë""#),
        example(r#"left("ab", 9)"#, r#""ab""#),
        example(r#"left("ab", -1)"#, r#""""#),
    ],
    body: Body::Native(|call, arguments| {
        let text = call.string(arguments, 0)?;
        Ok(Value::String(&text[..byte_at(text, call.int(arguments, 1)?)]))
    }),
    ..PLAIN
};

pub(super) static RIGHT: Function = Function {
    name: "right",
    group: Group::String,
    signature: "right(text: string, count: int) -> string",
    parameters: &[required("text", Accepts::Text), required("count", Accepts::Int)],
    result: STRING,
    summary: "The last characters; all of them when there are fewer.",
    examples: &[
        example(r#"right("abcdef", 2)"#, r#""ef""#),
        example(r#"right("ab", 9)"#, r#""ab""#),
        example(r#"right("ab", 0)"#, r#""""#),
    ],
    body: Body::Native(|call, arguments| {
        let (text, count) = (call.string(arguments, 0)?, call.int(arguments, 1)?.max(0));
        Ok(Value::String(&text[byte_at(text, to_int(length(text)).saturating_sub(count))..]))
    }),
    ..PLAIN
};

macro_rules! around {
    ($(#[$doc:meta])* $static:ident $name:literal $find:ident $side:tt $summary:literal $($call:literal $gives:literal),+) => {
        pub(super) static $static: Function = Function {
            name: $name,
            group: Group::String,
            signature: concat!($name, "(text: string, mark: string) -> string"),
            parameters: &[required("text", Accepts::Text), required("mark", Accepts::Text)],
            result: STRING,
            may_be_absent: true,
            summary: $summary,
            examples: &[$(example($call, $gives)),+],
            body: Body::Text(|_, text, mark| {
                let mark = mark.unwrap_or_default();
                let parts = if mark.is_empty() { None } else { text.$find(mark) };
                Ok(parts.map_or(Value::Absent, |parts| Value::String(parts.$side)))
            }),
            ..PLAIN
        };
    };
}

around! { BEFORE "before" split_once 0 "What stands before the first mark; absent when there is none."
r#"before("ann@x.example", "@")"# r#""ann""#, r#"before("ann", "@")"# "absent" }
around! { AFTER "after" split_once 1 "What stands after the first mark; absent when there is none."
r#"after("CORP/ann", "/")"# r#""ann""#, r#"after("ann", "/")"# "absent" }
around! { BEFORE_LAST "before_last" rsplit_once 0 "What stands before the last mark; absent when there is none."
r#"before_last("Ann Marie Lee", " ")"# r#""Ann Marie""#, r#"before_last("Ann", " ")"# "absent" }
around! { AFTER_LAST "after_last" rsplit_once 1 "What stands after the last mark; absent when there is none."
r#"after_last("Ann Marie Lee", " ")"# r#""Lee""#, r#"after_last("Ann", " ")"# "absent" }

pub(super) static DROP_PREFIX: Function = Function {
    name: "drop_prefix",
    group: Group::String,
    signature: "drop_prefix(text: string, prefix: string) -> string",
    parameters: &[required("text", Accepts::Text), required("prefix", Accepts::Text)],
    result: STRING,
    summary: "The text without this beginning, once; unchanged when it begins otherwise. Case counts.",
    examples: &[
        example(r#"drop_prefix("smtp:a@x.example", "smtp:")"#, r#""a@x.example""#),
        example(r#"drop_prefix("SMTP:a@x.example", "smtp:")"#, r#""SMTP:a@x.example""#),
    ],
    body: Body::Text(|_, text, prefix| Ok(Value::String(text.strip_prefix(prefix.unwrap_or_default()).unwrap_or(text)))),
    ..PLAIN
};

pub(super) static DROP_SUFFIX: Function = Function {
    name: "drop_suffix",
    group: Group::String,
    signature: "drop_suffix(text: string, suffix: string) -> string",
    parameters: &[required("text", Accepts::Text), required("suffix", Accepts::Text)],
    result: STRING,
    summary: "The text without this end, once; unchanged when it ends otherwise. Case counts.",
    examples: &[example(r#"drop_suffix("pc1$", "$")"#, r#""pc1""#), example(r#"drop_suffix("pc1", "$")"#, r#""pc1""#)],
    body: Body::Text(|_, text, suffix| Ok(Value::String(text.strip_suffix(suffix.unwrap_or_default()).unwrap_or(text)))),
    ..PLAIN
};

macro_rules! question {
    ($static:ident $name:literal $method:ident $summary:literal $($call:literal $gives:literal),+) => {
        pub(super) static $static: Function = Function {
            name: $name,
            group: Group::String,
            signature: concat!($name, "(text: string, part: string) -> bool"),
            parameters: &[required("text", Accepts::Text), required("part", Accepts::Text)],
            result: BOOL,
            summary: $summary,
            examples: &[$(example($call, $gives)),+],
            body: Body::Test(|_, text, part| text.$method(part)),
            ..PLAIN
        };
    };
}

question! { STARTS_WITH "starts_with" starts_with "Whether a text begins like this. Case counts."
r#"starts_with("APP-Wiki", "APP-")"# "true", r#"starts_with("app-wiki", "APP-")"# "false" }
question! { ENDS_WITH "ends_with" ends_with "Whether a text ends like this. Case counts."
r#"ends_with("a@x.example", "@x.example")"# "true", r#"ends_with(absent, "x")"# "absent" }
question! { CONTAINS "contains" contains "Whether a text has this in it. Case counts; for lists write `x in list`."
r#"contains("Domain Users", "Users")"# "true", r#"contains("a", "")"# "true" }

pub(super) static INDEX_OF: Function = Function {
    name: "index_of",
    group: Group::String,
    signature: "index_of(text: string, part: string, from?: int) -> int",
    parameters: &[required("text", Accepts::Text), required("part", Accepts::Text), optional("from", Accepts::Int)],
    result: INT,
    may_be_absent: true,
    summary: "Where the first such part begins, from 0 and at `from` or later; absent when there is none.",
    examples: &[
        example(r#"index_of("Zoë, Lee", ",")"#, "3"),
        example(r#"index_of("a.b.c", ".", 2)"#, "3"),
        example(r#"index_of("abc", "x")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let (text, part) = (call.string(arguments, 0)?, call.string(arguments, 1)?);
        let start = byte_at(text, call.optional_int(arguments, 2)?.unwrap_or(0));
        if part.is_empty() {
            return Ok(Value::Absent);
        }
        let found = text[start..].find(part);
        Ok(found.map_or(Value::Absent, |at| Value::Int(to_int(length(&text[..start + at])))))
    }),
    ..PLAIN
};

pub(super) static WORD: Function = Function {
    name: "word",
    group: Group::String,
    signature: "word(text: string, number: int, delimiters?: string) -> string",
    parameters: &[required("text", Accepts::Text), required("number", Accepts::Int), optional("delimiters", Accepts::Text)],
    result: STRING,
    may_be_absent: true,
    summary: "The word of this number, the first being 1, between any of the delimiters (white space unless given); \
              absent when there are fewer.",
    examples: &[
        example(r#"word("The quick brown fox", 3)"#, r#""brown""#),
        example(r##"word("This,string!has&many separators", 3, ",!&#")"##, r#""has""#),
        example(r#"word("one", 2)"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let (text, number) = (call.string(arguments, 0)?, call.int(arguments, 1)?);
        let delimiters = call.optional_marks(arguments, 2)?;
        let Some(skipped) = number.checked_sub(1).and_then(|skipped| usize::try_from(skipped).ok()) else {
            return Ok(Value::Absent);
        };
        let ends_word = |letter: char| delimiters.map_or_else(|| letter.is_whitespace(), |all| all.contains(letter));
        let word = text.split(ends_word).filter(|word| !word.is_empty()).nth(skipped);
        Ok(word.map_or(Value::Absent, Value::String))
    }),
    ..PLAIN
};

pub(super) static SPLIT: Function = Function {
    name: "split",
    group: Group::String,
    signature: "split(text: string, separator: string | regex) -> list<string>",
    parameters: &[required("text", Accepts::Text), required("separator", Accepts::TextOrRegex)],
    result: STRINGS,
    summary: "The parts between separators, empty ones too; empty text has no parts, an empty separator splits nothing.",
    examples: &[
        example(r#"split("a,,b", ",")"#, r#"["a", "", "b"]"#),
        example(r#"split("a; b ;c", / *; */)"#, r#"["a", "b", "c"]"#),
        example(r#"split("", ",")"#, "[]"),
    ],
    body: Body::Native(|call, arguments| {
        let text = call.string(arguments, 0)?;
        if text.is_empty() {
            return Ok(Value::List(&[]));
        }
        match arguments.get(1) {
            Some(Value::Regex(regex)) => list_of(call, regex.0.split(text)),
            _ => match call.string(arguments, 1)? {
                "" => list_of(call, std::iter::once(text)),
                separator => list_of(call, text.split(separator)),
            },
        }
    }),
    ..PLAIN
};

/// A list of these texts, given up at the bound.
fn list_of<'a>(call: &Call<'a>, parts: impl Iterator<Item = &'a str>) -> Result<Value<'a>, Failure<'a>> {
    let mut list = ListBuilder::new(call);
    for part in parts {
        list.push(Value::String(part));
        if list.is_over() {
            break;
        }
    }
    list.finish()
}

fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// Where the character of this number begins; the start for less than 0, the end for more than there are.
fn byte_at(text: &str, characters: i64) -> usize {
    let wanted = usize::try_from(characters.max(0)).unwrap_or(usize::MAX);
    if wanted >= text.len() {
        text.len()
    } else if text.is_ascii() {
        wanted
    } else {
        text.char_indices().nth(wanted).map_or(text.len(), |(at, _)| at)
    }
}

pub(super) fn to_int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
