//! Language tags.

use super::Call;
use super::build::TextBuilder;
use super::write::{PLAIN, STRING, example, required};
use super::{Accepts, Body, Function, Group};
use crate::value::{Failure, Value};

/// Of one tag, and of how many in a list of preferences are looked at.
const TAG_BYTES_MAX: usize = 64;
const PREFERENCES_MAX: usize = 32;

pub(super) static LOCALE_TAG: Function = Function {
    name: "locale_tag",
    group: Group::PhoneAndLocale,
    signature: "locale_tag(text: string) -> string",
    parameters: &[required("text", Accepts::Text)],
    result: STRING,
    may_be_absent: true,
    summary: "A language tag as BCP 47 writes it, from a tag, a POSIX locale (`de_DE.UTF-8`) or a list of preferences, of \
              which the dearest is taken; absent when there is none. Form and case are looked after, not the registry.",
    examples: &[
        example(r#"locale_tag("de_DE.UTF-8")"#, r#""de-DE""#),
        example(r#"locale_tag("en-us,en;q=0.8")"#, r#""en-US""#),
        example(r#"locale_tag("zh-hant-tw")"#, r#""zh-Hant-TW""#),
        example(r#"locale_tag("C")"#, "absent"),
    ],
    body: Body::Native(locale_tag),
    ..PLAIN
};

fn locale_tag<'a>(call: &Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    let text = call.string(arguments, 0)?;
    let mut best: Option<(u16, &str)> = None;
    for preference in text.split(',').take(PREFERENCES_MAX) {
        let (tag, parameters) = preference.split_once(';').unwrap_or((preference, ""));
        let weight = weight(parameters);
        // POSIX: the character set and the modifier are no part of the language.
        let tag = tag.split(['.', '@']).next().unwrap_or_default().trim();
        if weight > 0 && is_tag(tag) && best.is_none_or(|(other, _)| weight > other) {
            best = Some((weight, tag));
        }
    }
    let Some((_, tag)) = best else { return Ok(Value::Absent) };
    let mut out = TextBuilder::with_capacity(call, tag.len());
    let mut after_single = false;
    for (place, part) in tag.split(['-', '_']).enumerate() {
        if place > 0 {
            out.push('-');
        }
        // RFC 5646 §2.1.1: regions in capitals, scripts with one, the rest and all after a single letter small.
        let is_alphabetic = part.bytes().all(|byte| byte.is_ascii_alphabetic());
        let cases = match part.len() {
            2 if place > 0 && !after_single => (true, true),
            4 if place > 0 && !after_single && is_alphabetic => (true, false),
            _ => (false, false),
        };
        for (at, letter) in part.chars().enumerate() {
            let is_capital = if at == 0 { cases.0 } else { cases.1 };
            out.push(if is_capital { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() });
        }
        after_single |= part.len() == 1;
    }
    out.finish()
}

/// `q=0.8` in thousandths; 1 without one, 0 for one that does not read.
fn weight(parameters: &str) -> u16 {
    let Some(quality) = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q=")) else { return 1000 };
    let (whole, fraction) = quality.trim().split_once('.').unwrap_or((quality.trim(), ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let thousandths = fraction.bytes().zip([100, 10, 1]).map(|(digit, scale)| u16::from(digit - b'0') * scale).sum::<u16>();
    match whole {
        "0" => thousandths,
        "1" => 1000,
        _ => 0,
    }
}

/// A language of 2 to 8 letters (4 are reserved) and subtags of up to 8 letters and digits; none ends in a single one.
fn is_tag(tag: &str) -> bool {
    let mut parts = tag.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    tag.len() <= TAG_BYTES_MAX
        && matches!(language.len(), 2 | 3 | 5..=8)
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !language.eq_ignore_ascii_case("posix")
        && parts.clone().all(|part| matches!(part.len(), 1..=8) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        && parts.next_back().is_none_or(|part| part.len() > 1)
}
