//! Countries by the codes of ISO 3166-1 and by name.

use super::Call;
use super::case::fold;
use super::country_table::{COUNTRIES, Country};
use super::write::{PLAIN, STRING, example, required};
use super::{Accepts, Body, Function, Group};
use crate::value::{Failure, Value};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

const FORMS: &[&str] = &["alpha2", "alpha3", "numeric", "name"];

/// No country's name is longer; what is needn't be looked at.
const NAME_BYTES_MAX: usize = 128;

pub(super) static COUNTRY: Function = Function {
    name: "country",
    group: Group::PhoneAndLocale,
    signature: "country(country: string, form: alpha2 | alpha3 | numeric | name) -> string",
    parameters: &[required("country", Accepts::Text), required("form", Accepts::Word(FORMS))],
    result: STRING,
    fallible: true,
    summary: "A country as its ISO 3166-1 code of two or three letters or three digits, or its English name, from any of \
              these. Names compare without case, accents and punctuation.",
    examples: &[
        example(r#"country("DE", alpha3)"#, r#""DEU""#),
        example(r#"country("276", name)"#, r#""Germany""#),
        example(r#"country("korea, republic of", alpha2)"#, r#""KR""#),
        example(r#"country("Atlantis", alpha2)"#, "error"),
        example(r#"country?("Atlantis", alpha2)"#, "absent"),
    ],
    body: Body::Native(country),
    ..PLAIN
};

fn country<'a>(call: &Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    let (text, form) = (call.string(arguments, 0)?.trim(), call.string(arguments, 1)?);
    let country = find(text).ok_or_else(|| call.fail(format_args!("no country of ISO 3166-1")))?;
    Ok(Value::String(match form {
        "alpha2" => country.alpha2,
        "alpha3" => country.alpha3,
        "numeric" => country.numeric,
        _ => country.name,
    }))
}

fn find(text: &str) -> Option<&'static Country> {
    let by_code = COUNTRIES.iter().find(|country| match text.len() {
        2 => country.alpha2.eq_ignore_ascii_case(text),
        3 => country.alpha3.eq_ignore_ascii_case(text) || country.numeric == text,
        _ => false,
    });
    if by_code.is_some() || text.len() > NAME_BYTES_MAX {
        return by_code;
    }
    if let Some((_, code)) = EVERYDAY.iter().find(|(name, _)| letters(name).eq(letters(text))) {
        return COUNTRIES.iter().find(|country| country.alpha2 == *code);
    }
    let is_named = |name: &str| letters(name).eq(letters(text));
    COUNTRIES.iter().find(|country| is_named(country.name) || country.also.iter().any(|name| is_named(name)))
}

/// Names people write that no list of ISO has.
const EVERYDAY: &[(&str, &str)] = &[
    ("UK", "GB"),
    ("Great Britain", "GB"),
    ("England", "GB"),
    ("USA", "US"),
    ("United States of America", "US"),
    ("Holland", "NL"),
    ("Czech Republic", "CZ"),
    ("Turkey", "TR"),
    ("South Korea", "KR"),
    ("North Korea", "KP"),
    ("Russia", "RU"),
    ("Ivory Coast", "CI"),
    ("Macedonia", "MK"),
    ("Swaziland", "SZ"),
    ("Burma", "MM"),
    ("Cape Verde", "CV"),
];

/// What two spellings of a name have in common. `&` is `and`.
fn letters(name: &str) -> impl Iterator<Item = char> {
    let spelled = name.chars().flat_map(|letter| {
        let (and, own) = if letter == '&' { ("and", None) } else { ("", Some(letter)) };
        and.chars().chain(own)
    });
    spelled.nfd().filter(|letter| letter.is_alphanumeric() && !is_combining_mark(*letter)).map(fold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_is_found_by_each_of_its_codes_and_names() {
        for country in COUNTRIES {
            let names = [country.alpha2, country.alpha3, country.numeric, country.name];
            for name in names.iter().chain(country.also) {
                assert_eq!(find(name).map(|found| found.alpha2), Some(country.alpha2), "{name}");
            }
        }
        assert_eq!(COUNTRIES.len(), 249);
    }

    #[test]
    fn everyday_names_lead_to_a_country() {
        for (name, code) in EVERYDAY {
            assert_eq!(find(name).map(|found| found.alpha2), Some(*code), "{name}");
        }
    }
}
