//! Numbers, booleans and the bits that directories pack into integers.

use super::build::TextBuilder;
use super::write::{BOOL, INT, PLAIN, STRING, example, required};
use super::{Accepts, Body, Call, Function, Group};
use crate::value::{Failure, Value};
use std::fmt::Write as _;

pub(super) static WHOLE: Function = Function {
    name: "int",
    group: Group::Number,
    signature: "int(x: string | number) -> int",
    parameters: &[required("x", Accepts::Any)],
    result: INT,
    fallible: true,
    summary: "The integer that a text or a number is; a fraction and anything else fails (see `round`).",
    examples: &[
        example(r#"int("514")"#, "514"),
        example(r#"int("5.5")"#, "error"),
        example(r#"int?("many")"#, "absent"),
        example("int(absent)", "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let number = match arguments.first() {
            Some(Value::Int(number)) => Some(*number),
            Some(Value::Float(number)) => whole(*number),
            Some(Value::String(text)) => text.trim().parse().ok(),
            other => return Err(call.wrong_kind("text or a number", other)),
        };
        number.map(Value::Int).ok_or_else(|| call.fail(format_args!("not a whole number of 64 bits")))
    }),
    ..PLAIN
};

/// A number without a fraction, if it fits.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole(number: f64) -> Option<i64> {
    // 2^63 is the first number past the range, and exact.
    (number.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number))
        .then_some(number as i64)
}

pub(super) static TRUTH: Function = Function {
    name: "bool",
    group: Group::Number,
    signature: "bool(x: string | int | bool) -> bool",
    parameters: &[required("x", Accepts::Any)],
    result: BOOL,
    fallible: true,
    summary: "True for `true`, `yes`, `1`, false for `false`, `no`, `0`, in any case; everything else fails.",
    examples: &[
        example(r#"bool("TRUE")"#, "true"),
        example("bool(0)", "false"),
        example(r#"bool("perhaps")"#, "error"),
        example(r#"bool?("perhaps")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let is = |text: &str, words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        let answer = match arguments.first() {
            Some(Value::Bool(answer)) => Some(*answer),
            Some(Value::Int(number @ (0 | 1))) => Some(*number == 1),
            Some(Value::String(text)) if is(text.trim(), ["true", "yes", "1"]) => Some(true),
            Some(Value::String(text)) if is(text.trim(), ["false", "no", "0"]) => Some(false),
            Some(Value::Int(_) | Value::String(_)) => None,
            other => return Err(call.wrong_kind("text, 0, 1 or a boolean", other)),
        };
        answer.map(Value::Bool).ok_or_else(|| call.fail(format_args!("none of true, false, yes, no, 1, 0")))
    }),
    ..PLAIN
};

pub(super) static ROUND: Function = Function {
    name: "round",
    group: Group::Number,
    signature: "round(x: string | number) -> int",
    parameters: &[required("x", Accepts::Any)],
    result: INT,
    fallible: true,
    summary: "The nearest integer; a half goes up, also below zero: -2.5 becomes -2 (what Okta's Convert.toInt does).",
    examples: &[
        example(r#"round("2.5")"#, "3"),
        example(r#"round("-2.5")"#, "-2"),
        example(r#"round("x")"#, "error"),
        example(r#"round?("x")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let number = match arguments.first() {
            Some(Value::Int(number)) => Some(*number),
            Some(Value::Float(number)) => round_float(*number),
            Some(Value::String(text)) => round_text(text.trim()),
            other => return Err(call.wrong_kind("text or a number", other)),
        };
        number.map(Value::Int).ok_or_else(|| call.fail(format_args!("not a number of 64 bits")))
    }),
    ..PLAIN
};

/// `floor(x + 0.5)` without the sum's own rounding.
fn round_float(number: f64) -> Option<i64> {
    let floor = number.floor();
    whole(if number - floor >= 0.5 { floor + 1.0 } else { floor })
}

/// Decimal text is rounded digit by digit, so that 64 bits stay exact; with an exponent, as a float.
fn round_text(text: &str) -> Option<i64> {
    let Some((whole, fraction)) = text.split_once('.') else {
        return text.parse().ok().or_else(|| finite(text).and_then(round_float));
    };
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return finite(text).and_then(round_float);
    }
    let below_zero = whole.starts_with('-');
    let toward_zero = if matches!(whole, "-" | "+" | "") { 0 } else { whole.parse::<i64>().ok()? };
    let is_half_or_more = fraction.as_bytes()[0] >= b'5';
    let is_half = fraction.trim_end_matches('0') == "5";
    if below_zero {
        toward_zero.checked_sub(i64::from(is_half_or_more && !is_half))
    } else {
        toward_zero.checked_add(i64::from(is_half_or_more))
    }
}

/// A decimal number; not `inf`, not `nan`.
fn finite(text: &str) -> Option<f64> {
    let looks_like_one = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    if looks_like_one { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

pub(super) static NUMBER_TEXT: Function = Function {
    name: "number_text",
    group: Group::Number,
    signature: "number_text(x: string | number) -> string",
    parameters: &[required("x", Accepts::Any)],
    result: STRING,
    fallible: true,
    summary: "A number's shortest decimal text: no leading or trailing zeros. Past 64-bit integers it has the precision \
              of a double.",
    examples: &[
        example(r#"number_text("007.50")"#, r#""7.5""#),
        example("number_text(12)", r#""12""#),
        example(r#"number_text("a")"#, "error"),
    ],
    body: Body::Native(|call, arguments| {
        let mut out = TextBuilder::new(call);
        // Short by construction: the bound cannot be met.
        let _ = match arguments.first() {
            Some(Value::Int(number)) => write!(out, "{number}"),
            Some(Value::Float(number)) => write!(out, "{number}"),
            Some(Value::String(text)) => match (text.trim().parse::<i64>(), finite(text.trim())) {
                (Ok(number), _) => write!(out, "{number}"),
                (Err(_), Some(number)) => write!(out, "{number}"),
                (Err(_), None) => return Err(call.fail(format_args!("not a number"))),
            },
            other => return Err(call.wrong_kind("text or a number", other)),
        };
        out.finish()
    }),
    ..PLAIN
};

pub(super) static BAND: Function = Function {
    name: "band",
    group: Group::Number,
    signature: "band(a: int, b: int) -> int",
    parameters: &[required("a", Accepts::Int), required("b", Accepts::Int)],
    result: INT,
    summary: "The bits set in both.",
    examples: &[example("band(514, 2)", "2"), example("band(512, 2)", "0"), example("band(absent, 2)", "absent")],
    body: Body::Native(|call, arguments| Ok(Value::Int(call.int(arguments, 0)? & call.int(arguments, 1)?))),
    ..PLAIN
};

pub(super) static BIT: Function = Function {
    name: "bit",
    group: Group::Number,
    signature: "bit(number: int, mask: int) -> bool",
    parameters: &[required("number", Accepts::Int), required("mask", Accepts::Int)],
    result: BOOL,
    summary: "Whether any bit of the mask is set.",
    examples: &[example("bit(514, 2)", "true"), example("bit(512, 2)", "false"), example("bit(absent, 2)", "absent")],
    body: Body::Native(|call, arguments| Ok(Value::Bool(call.int(arguments, 0)? & call.int(arguments, 1)? != 0))),
    ..PLAIN
};

/// userAccountControl, and the computed bits of msDS-User-Account-Control-Computed (MS-ADTS §2.2.16).
#[rustfmt::skip]
static UAC_FLAGS: &[(&str, i64)] = &[
    ("SCRIPT", 0x1), ("ACCOUNTDISABLE", 0x2), ("HOMEDIR_REQUIRED", 0x8), ("LOCKOUT", 0x10), ("PASSWD_NOTREQD", 0x20),
    ("PASSWD_CANT_CHANGE", 0x40), ("ENCRYPTED_TEXT_PWD_ALLOWED", 0x80), ("TEMP_DUPLICATE_ACCOUNT", 0x100),
    ("NORMAL_ACCOUNT", 0x200), ("INTERDOMAIN_TRUST_ACCOUNT", 0x800), ("WORKSTATION_TRUST_ACCOUNT", 0x1000),
    ("SERVER_TRUST_ACCOUNT", 0x2000), ("DONT_EXPIRE_PASSWORD", 0x1_0000), ("MNS_LOGON_ACCOUNT", 0x2_0000),
    ("SMARTCARD_REQUIRED", 0x4_0000), ("TRUSTED_FOR_DELEGATION", 0x8_0000), ("NOT_DELEGATED", 0x10_0000),
    ("USE_DES_KEY_ONLY", 0x20_0000), ("DONT_REQ_PREAUTH", 0x40_0000), ("PASSWORD_EXPIRED", 0x80_0000),
    ("TRUSTED_TO_AUTH_FOR_DELEGATION", 0x100_0000), ("PARTIAL_SECRETS_ACCOUNT", 0x400_0000),
];

#[rustfmt::skip]
const UAC_WORDS: &[&str] = &[
    "SCRIPT", "ACCOUNTDISABLE", "HOMEDIR_REQUIRED", "LOCKOUT", "PASSWD_NOTREQD", "PASSWD_CANT_CHANGE",
    "ENCRYPTED_TEXT_PWD_ALLOWED", "TEMP_DUPLICATE_ACCOUNT", "NORMAL_ACCOUNT", "INTERDOMAIN_TRUST_ACCOUNT",
    "WORKSTATION_TRUST_ACCOUNT", "SERVER_TRUST_ACCOUNT", "DONT_EXPIRE_PASSWORD", "MNS_LOGON_ACCOUNT",
    "SMARTCARD_REQUIRED", "TRUSTED_FOR_DELEGATION", "NOT_DELEGATED", "USE_DES_KEY_ONLY", "DONT_REQ_PREAUTH",
    "PASSWORD_EXPIRED", "TRUSTED_TO_AUTH_FOR_DELEGATION", "PARTIAL_SECRETS_ACCOUNT",
];

pub(super) static UAC: Function = Function {
    name: "uac",
    group: Group::Number,
    signature: "uac(number: int, flag: ACCOUNTDISABLE | LOCKOUT | NORMAL_ACCOUNT | …) -> bool",
    parameters: &[required("number", Accepts::Int), required("flag", Accepts::Word(UAC_WORDS))],
    result: BOOL,
    summary: "Whether Active Directory's userAccountControl has this flag. LOCKOUT and PASSWORD_EXPIRED are only set in \
              msDS-User-Account-Control-Computed.",
    examples: &[
        example("uac(514, ACCOUNTDISABLE)", "true"),
        example("uac(512, ACCOUNTDISABLE)", "false"),
        example("uac(absent, ACCOUNTDISABLE)", "absent"),
    ],
    body: Body::Native(uac),
    ..PLAIN
};

fn uac<'a>(call: &Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    let (number, flag) = (call.int(arguments, 0)?, call.string(arguments, 1)?);
    let mask = UAC_FLAGS.iter().find(|(name, _)| *name == flag).map(|(_, mask)| *mask);
    mask.map(|mask| Value::Bool(number & mask != 0)).ok_or_else(|| call.fail(format_args!("no such flag of userAccountControl")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_the_checker_accepts_is_a_flag() {
        assert_eq!(UAC_FLAGS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), UAC_WORDS);
    }

    #[test]
    fn decimal_text_rounds_exactly_to_the_ends_of_the_range() {
        for (text, expected) in [
            ("9223372036854775807.4", Some(i64::MAX)),
            ("9223372036854775807.5", None),
            ("-9223372036854775808.5", Some(i64::MIN)),
            ("-9223372036854775808.51", None),
            ("-0.5", Some(0)),
            ("-0.51", Some(-1)),
            ("0.49999", Some(0)),
            (".5", Some(1)),
            ("1e3", Some(1000)),
            ("1e400", None),
            ("nan", None),
            ("", None),
        ] {
            assert_eq!(round_text(text), expected, "{text}");
        }
    }
}
