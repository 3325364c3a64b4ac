//! Upper and lower case by the Unicode tables, and what makes texts comparable: folding, ASCII, normal forms.

use super::build::TextBuilder;
use super::write::{BOOL, PLAIN, STRING, example, optional, required};
use super::{Accepts, Body, Call, Function, Group};
use crate::value::{Failure, Value};
use bumpalo::Bump;
use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_locale_core::{LanguageIdentifier, langid};
use unicode_normalization::{UnicodeNormalization, is_nfc_quick, is_nfkc_quick};
use writeable::Writeable;

const CASE: CaseMapperBorrowed<'static> = CaseMapper::new();

/// The languages whose case rules differ from everyone's: dotted i, and dots kept over accents.
const CULTURES: &[&str] = &["tr", "az", "lt"];

pub(super) static LOWER: Function = Function {
    name: "lower",
    group: Group::String,
    signature: "lower(text: string, culture?: tr | az | lt) -> string",
    parameters: &[required("text", Accepts::Text), optional("culture", Accepts::Word(CULTURES))],
    result: STRING,
    summary: "Lower case by the Unicode rules, those of a language with its own if named.",
    examples: &[
        example(r#"lower("Ann@Corp.Example")"#, r#""ann@corp.example""#),
        example(r#"lower("Iğdır", tr)"#, r#""ığdır""#),
        example("lower(absent)", "absent"),
    ],
    body: Body::Text(|call, text, culture| {
        match culture {
            None => lower_ascii(call.arena, text).map(|text| Ok(Value::String(text))),
            Some(_) => None,
        }
        .unwrap_or_else(|| written(call, text.len(), &CASE.lowercase(text, &language(culture))))
    }),
    ..PLAIN
};

/// ASCII text in lower case, borrowed where it is; `None` = there are other letters.
pub(crate) fn lower_ascii<'a>(arena: &'a Bump, text: &'a str) -> Option<&'a str> {
    // Both in one pass without a branch, so that it is done 16 bytes at a time.
    let (any, upper) = text.bytes().fold((0u8, false), |(any, upper), byte| (any | byte, upper | byte.is_ascii_uppercase()));
    if !any.is_ascii() {
        return None;
    }
    if !upper {
        return Some(text);
    }
    let copy = arena.alloc_str(text);
    copy.make_ascii_lowercase();
    Some(copy)
}

pub(super) static UPPER: Function = Function {
    name: "upper",
    group: Group::String,
    signature: "upper(text: string, culture?: tr | az | lt) -> string",
    parameters: &[required("text", Accepts::Text), optional("culture", Accepts::Word(CULTURES))],
    result: STRING,
    summary: "Upper case by the Unicode rules (`ß` becomes `SS`), those of a language with its own if named.",
    examples: &[
        example(r#"upper("straße")"#, r#""STRASSE""#),
        example(r#"upper("izmir", tr)"#, r#""İZMİR""#),
        example("upper(absent)", "absent"),
    ],
    body: Body::Text(|call, text, culture| {
        if culture.is_some() || !text.is_ascii() {
            written(call, text.len(), &CASE.uppercase(text, &language(culture)))
        } else if text.bytes().fold(false, |any, byte| any | byte.is_ascii_lowercase()) {
            let copy = call.arena.alloc_str(text);
            copy.make_ascii_uppercase();
            Ok(Value::String(copy))
        } else {
            Ok(Value::String(text))
        }
    }),
    ..PLAIN
};

pub(super) static TITLE: Function = Function {
    name: "title",
    group: Group::String,
    signature: "title(text: string, separators?: string) -> string",
    parameters: &[required("text", Accepts::Text), optional("separators", Accepts::Text)],
    result: STRING,
    summary: "Each word with a capital, the rest in lower case. Words end at the given characters; without them, at \
              everything but letters, digits, marks and apostrophes.",
    examples: &[
        example(r#"title("pablo gonçalves (second)")"#, r#""Pablo Gonçalves (Second)""#),
        example(r#"title("JEAN-LUC o'neil", " -'")"#, r#""Jean-Luc O'Neil""#),
        example(r#"title("")"#, r#""""#),
    ],
    body: Body::Native(title),
    ..PLAIN
};

fn title<'a>(call: &Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    let text = call.string(arguments, 0)?;
    let separators = call.optional_marks(arguments, 1)?;
    let Value::String(lower) = written(call, text.len(), &CASE.lowercase(text, &LanguageIdentifier::UNKNOWN))? else {
        return Ok(Value::Absent);
    };
    let mut out = TextBuilder::with_capacity(call, lower.len());
    let mut starts = true;
    for letter in lower.chars() {
        let separates = separators.map_or_else(|| !is_part_of_word(letter), |characters| characters.contains(letter));
        out.push(if starts && !separates { CASE.simple_titlecase(letter) } else { letter });
        starts = separates;
    }
    out.finish()
}

fn is_part_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '\'' | '’') || unicode_normalization::char::is_combining_mark(letter)
}

pub(super) static SAME: Function = Function {
    name: "same",
    group: Group::String,
    signature: "same(a: string, b: string) -> bool",
    parameters: &[required("a", Accepts::Text), required("b", Accepts::Text)],
    result: BOOL,
    summary: "Whether two texts are equal but for case (full Unicode folding: `ß` is `SS`). Accents count.",
    examples: &[
        example(r#"same("Uni.Example", "uni.example")"#, "true"),
        example(r#"same("STRASSE", "straße")"#, "true"),
        example(r#"same("a", absent)"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let (a, b) = (call.string(arguments, 0)?, call.string(arguments, 1)?);
        if a.is_ascii() && b.is_ascii() {
            return Ok(Value::Bool(a.eq_ignore_ascii_case(b)));
        }
        let (a, b) = (written(call, a.len(), &CASE.fold(a))?, written(call, b.len(), &CASE.fold(b))?);
        Ok(Value::Bool(a == b))
    }),
    ..PLAIN
};

pub(super) static ASCII: Function = Function {
    name: "ascii",
    group: Group::String,
    signature: "ascii(text: string) -> string",
    parameters: &[required("text", Accepts::Text)],
    result: STRING,
    summary: "ASCII alone: accents go, ligatures and letters such as `ß æ ø ł` are spelled out, what has no Latin form \
              (Greek, Cyrillic, Chinese) is left out.",
    examples: &[
        example(r#"ascii("Łukasz Müller-Weiß")"#, r#""Lukasz Muller-Weiss""#),
        example(r#"ascii("Ægir ﬁn 日本")"#, r#""AEgir fin ""#),
        example("ascii(absent)", "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let text = call.string(arguments, 0)?;
        if text.is_ascii() { Ok(Value::String(text)) } else { ascii(call, text).map(Value::String) }
    }),
    ..PLAIN
};

fn ascii<'a>(call: &Call<'a>, text: &str) -> Result<&'a str, Failure<'a>> {
    let mut out = TextBuilder::with_capacity(call, text.len());
    for letter in text.nfkd() {
        if letter.is_ascii() { out.push(letter) } else { out.push_str(spelled_out(letter)) }
    }
    out.finish_str()
}

/// Letters that no decomposition takes apart; "" for what has no Latin form.
#[rustfmt::skip]
const fn spelled_out(letter: char) -> &'static str {
    match letter {
        'ß' => "ss", 'ẞ' => "SS", 'æ' => "ae", 'Æ' => "AE", 'œ' => "oe", 'Œ' => "OE", 'ø' => "o", 'Ø' => "O",
        'ł' => "l", 'Ł' => "L", 'đ' | 'ð' | 'ɖ' => "d", 'Đ' | 'Ð' | 'Ɖ' => "D", 'þ' => "th", 'Þ' => "TH",
        'ħ' => "h", 'Ħ' => "H", 'ı' => "i", 'ŋ' => "n", 'Ŋ' => "N", 'ŧ' => "t", 'Ŧ' => "T", 'ĸ' => "k",
        'ƒ' => "f", 'Ƒ' => "F", 'ɨ' => "i", 'Ɨ' => "I", 'ƀ' => "b", 'Ƀ' => "B", 'ǥ' => "g", 'Ǥ' => "G",
        'ƶ' => "z", 'Ƶ' => "Z", 'ə' => "e", 'Ə' => "E", 'ɔ' => "o", 'Ɔ' => "O", 'ɛ' => "e", 'Ɛ' => "E",
        '‘' | '’' | '‚' | '‛' | 'ʼ' | 'ʻ' | 'ʹ' | '′' => "'", '“' | '”' | '„' | '«' | '»' | '″' => "\"",
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => "-", '⁄' | '∕' => "/", '×' => "x", '·' | '•' => ".",
        _ => "",
    }
}

pub(super) static SLUG: Function = Function {
    name: "slug",
    group: Group::String,
    signature: "slug(text: string) -> string",
    parameters: &[required("text", Accepts::Text)],
    result: STRING,
    may_be_absent: true,
    summary: "A name for addresses: ASCII in lower case, everything but letters and digits one hyphen; absent when \
              nothing is left.",
    examples: &[example(r#"slug("  Müller & Söhne (GmbH) ")"#, r#""muller-sohne-gmbh""#), example(r#"slug("日本")"#, "absent")],
    body: Body::Native(|call, arguments| {
        let text = ascii(call, call.string(arguments, 0)?)?;
        let mut out = TextBuilder::with_capacity(call, text.len());
        for letter in text.chars() {
            if letter.is_ascii_alphanumeric() {
                out.push(letter.to_ascii_lowercase());
            } else if !out.as_str().is_empty() && !out.as_str().ends_with('-') {
                out.push('-');
            }
        }
        let text = out.finish_str()?.trim_end_matches('-');
        Ok(if text.is_empty() { Value::Absent } else { Value::String(text) })
    }),
    ..PLAIN
};

pub(super) static NFC: Function = Function {
    name: "nfc",
    group: Group::String,
    signature: "nfc(text: string) -> string",
    parameters: &[required("text", Accepts::Text)],
    result: STRING,
    summary: "Unicode normal form C: letter and accent in one character where there is one.",
    examples: &[example(r#"len(nfc("e\u{301}"))"#, "1"), example("nfc(absent)", "absent")],
    body: Body::Native(|call, arguments| {
        let text = call.string(arguments, 0)?;
        let is_normal = is_nfc_quick(text.chars()) == unicode_normalization::IsNormalized::Yes;
        if is_normal { Ok(Value::String(text)) } else { collected(call, text.len(), text.nfc()) }
    }),
    ..PLAIN
};

pub(super) static NFKC: Function = Function {
    name: "nfkc",
    group: Group::String,
    signature: "nfkc(text: string) -> string",
    parameters: &[required("text", Accepts::Text)],
    result: STRING,
    summary: "Unicode normal form KC: like `nfc`, and wide, superscript and ligature forms become plain ones.",
    examples: &[example(r#"nfkc("ﬁ２")"#, r#""fi2""#), example("nfkc(absent)", "absent")],
    body: Body::Native(|call, arguments| {
        let text = call.string(arguments, 0)?;
        let is_normal = is_nfkc_quick(text.chars()) == unicode_normalization::IsNormalized::Yes;
        if is_normal { Ok(Value::String(text)) } else { collected(call, text.len(), text.nfkc()) }
    }),
    ..PLAIN
};

/// One letter for comparing; one to one, so nothing is allocated.
pub(super) fn fold(letter: char) -> char {
    if letter.is_ascii() { letter.to_ascii_lowercase() } else { CASE.simple_fold(letter) }
}

fn language(culture: Option<&str>) -> LanguageIdentifier {
    match culture {
        Some("tr") => langid!("tr"),
        Some("az") => langid!("az"),
        Some("lt") => langid!("lt"),
        _ => LanguageIdentifier::UNKNOWN,
    }
}

fn written<'a>(call: &Call<'a>, bytes: usize, text: &impl Writeable) -> Result<Value<'a>, Failure<'a>> {
    let mut out = TextBuilder::with_capacity(call, bytes);
    // The only error there can be is the bound, which finish reports.
    let _ = text.write_to(&mut out);
    out.finish()
}

fn collected<'a>(call: &Call<'a>, bytes: usize, letters: impl Iterator<Item = char>) -> Result<Value<'a>, Failure<'a>> {
    let mut out = TextBuilder::with_capacity(call, bytes);
    letters.for_each(|letter| out.push(letter));
    out.finish()
}
