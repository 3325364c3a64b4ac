//! Telephone numbers in the form of ITU-T E.164.
//!
//! What is verified: the country code exists, the national number has a length that country uses, the whole at most 15
//! digits. What is not: whether the number range is assigned, and the rules of a few countries that go beyond a trunk
//! prefix (Argentina's 15 and 9, carrier codes of Brazil and Colombia, local numbers without an area code).

use super::Call;
use super::build::TextBuilder;
use super::phone_table::{REGIONS, Region};
use super::write::{PLAIN, STRING, example, optional, required};
use super::{Accepts, Body, Function, Group};
use crate::value::{Failure, Value};

/// Longer text is no telephone number.
const NUMBER_BYTES_MAX: usize = 128;
const DIGITS_MAX: usize = 15;

pub(super) static E164: Function = Function {
    name: "e164",
    group: Group::PhoneAndLocale,
    signature: "e164(number: string, country?: string) -> string",
    parameters: &[required("number", Accepts::Text), optional("country", Accepts::Text)],
    result: STRING,
    fallible: true,
    summary: "A telephone number as `+` and digits. One without an international prefix is taken as dialled in the country \
              (two letters). An extension is cut off. Country code and length are checked, not whether it is in use.",
    examples: &[
        example(r#"e164("+49 (0)89 / 1234-567")"#, r#""+49891234567""#),
        example(r#"e164("089 1234567", "DE")"#, r#""+49891234567""#),
        example(r#"e164("06 698 12345", "IT")"#, r#""+390669812345""#),
        example(r#"e164("(212) 555-0123 ext. 9", "US")"#, r#""+12125550123""#),
        example(r#"e164("089 1234567")"#, "error"),
        example(r#"e164?("ext. 12", "DE")"#, "absent"),
    ],
    body: Body::Native(e164),
    ..PLAIN
};

fn e164<'a>(call: &Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    let text = call.string(arguments, 0)?;
    let region = match call.optional_string(arguments, 1)? {
        None => None,
        Some(code) => Some(region(code).ok_or_else(|| call.fail(format_args!("no such country: two letters are wanted")))?),
    };
    let mut digits = [0; NUMBER_BYTES_MAX];
    let (is_international, digits) = dialled(text, &mut digits)
        .ok_or_else(|| call.fail(format_args!("not a telephone number: something else than digits and separators")))?;
    let from_abroad = |region: &&Region| !region.international.is_empty() && digits.starts_with(region.international);
    let number = match region {
        _ if is_international => international(digits),
        Some(region) if from_abroad(&region) => international(&digits[region.international.len()..]),
        Some(region) => national(region, digits).map(|number| (region.calling, number)),
        None => return Err(call.fail(format_args!("no country: the number does not begin with `+`"))),
    };
    let (calling, number) = number
        .filter(|(calling, number)| calling.len() + number.len() <= DIGITS_MAX)
        .ok_or_else(|| call.fail(format_args!("no such country code, or too few or too many digits for its country")))?;
    let mut out = TextBuilder::with_capacity(call, DIGITS_MAX + 1);
    out.push('+');
    out.push_str(calling);
    out.push_str(number);
    out.finish()
}

fn region(code: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.code.eq_ignore_ascii_case(code))
}

/// Whether a number begins with `+`, and its digits, without `tel:`, `(0)` after a country code, and an extension.
fn dialled<'b>(text: &str, digits: &'b mut [u8; NUMBER_BYTES_MAX]) -> Option<(bool, &'b str)> {
    let text = text.trim();
    let text = text.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("tel:")).map_or(text, |_| &text[4..]).trim();
    let text = &text[..extension(text).unwrap_or(text.len())];
    let (is_international, text) = text.strip_prefix(['+', '＋']).map_or((false, text), |rest| (true, rest));
    if text.len() > NUMBER_BYTES_MAX {
        return None;
    }
    let (before, after) = match text.split_once("(0)") {
        Some(around) if is_international => around,
        _ => (text, ""),
    };
    // A country without a trunk prefix keeps its zero: Italy.
    let keeps_zero = is_international && before.len() != text.len() && before.trim() == "39";
    let zero = if keeps_zero { "0" } else { "" };
    let mut count = 0;
    for letter in before.chars().chain(zero.chars()).chain(after.chars()) {
        if letter.is_ascii_digit() {
            *digits.get_mut(count)? = u8::try_from(letter).ok()?;
            count += 1;
        } else if !letter.is_whitespace()
            && !matches!(letter, '-' | '.' | '/' | '(' | ')' | '[' | ']' | '‐'..='―' | '\u{200e}' | '\u{202a}' | '\u{202c}')
        {
            return None;
        }
    }
    let digits = std::str::from_utf8(&digits[..count]).ok()?;
    (!digits.is_empty()).then_some((is_international, digits))
}

/// Where an extension begins: `ext`, `x`, `#`, `;`, after a digit.
fn extension(text: &str) -> Option<usize> {
    let mark = text.char_indices().find(|(_, letter)| matches!(letter, 'e' | 'E' | 'x' | 'X' | '#' | ';'))?;
    let (at, rest) = (mark.0, &text[mark.0..]);
    let starts = |word: &str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let is_extension = starts("ext") || starts("x") || starts("#") || starts(";");
    (is_extension && text[..at].bytes().any(|byte| byte.is_ascii_digit())).then_some(at)
}

/// Country code and national number; a trunk prefix after the code is no part of either, but is not guessed at.
fn international(digits: &str) -> Option<(&'static str, &str)> {
    // No country code is the beginning of another.
    let calling = REGIONS.iter().find(|region| digits.starts_with(region.calling))?.calling;
    let number = &digits[calling.len()..];
    let mut regions = REGIONS.iter().filter(|region| region.calling == calling);
    regions.any(|region| fits(region, number)).then_some((calling, number))
}

/// The national number without the trunk prefix. Where both readings have a fitting length, the prefix is one.
fn national<'d>(region: &Region, digits: &'d str) -> Option<&'d str> {
    let without = digits.strip_prefix(region.trunk).filter(|_| !region.trunk.is_empty());
    let number = without.filter(|number| fits(region, number)).unwrap_or(digits);
    let is_dialled_plain = number.len() == digits.len() && region.trunk == "0" && digits.starts_with('0');
    (fits(region, number) && !is_dialled_plain).then_some(number)
}

fn fits(region: &Region, number: &str) -> bool {
    (usize::from(region.digits_min)..=usize::from(region.digits_max)).contains(&number.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_country_code_begins_another() {
        for one in REGIONS {
            for other in REGIONS {
                assert!(one.calling == other.calling || !other.calling.starts_with(one.calling), "{}", other.code);
            }
        }
    }
}
