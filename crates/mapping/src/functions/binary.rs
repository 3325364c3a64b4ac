//! Bytes and their text forms, hashes. Where bytes are wanted, text stands for its UTF-8 bytes.

use super::Call;
use super::build::TextBuilder;
use super::rewrite::{push_base64, push_text};
use super::write::{BINARY, PLAIN, STRING, example, required};
use super::{Accepts, Body, Function, Group};
use crate::limits::STRING_BYTES_MAX;
use crate::value::{Failure, Value};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bumpalo::collections::Vec as ArenaVec;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// Bytes as they are, text as UTF-8, anything else as the UTF-8 of its text.
fn bytes_of<'a>(call: &Call<'a>, arguments: &[Value<'a>], place: usize) -> Result<&'a [u8], Failure<'a>> {
    match arguments.get(place) {
        Some(Value::Binary(bytes)) => Ok(bytes),
        Some(Value::String(text)) => Ok(text.as_bytes()),
        Some(other) => {
            let mut out = TextBuilder::new(call);
            push_text(&mut out, other);
            Ok(out.finish_str()?.as_bytes())
        }
        None => Ok(&[]),
    }
}

pub(super) static BASE64: Function = Function {
    name: "base64",
    group: Group::Binary,
    signature: "base64(x: binary | string) -> string",
    parameters: &[required("x", Accepts::Any)],
    result: STRING,
    summary: "Base64 with padding.",
    examples: &[
        example(r#"base64("hi?")"#, r#""aGk/""#),
        example(r#"base64(utf16le("hi"))"#, r#""aABpAA==""#),
        example("base64(absent)", "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let bytes = bytes_of(call, arguments, 0)?;
        let mut out = TextBuilder::with_capacity(call, bytes.len().div_ceil(3) * 4);
        // A breach of the bound is reported by finish.
        let _ = push_base64(&mut out, bytes);
        out.finish()
    }),
    ..PLAIN
};

pub(super) static BASE64URL: Function = Function {
    name: "base64url",
    group: Group::Binary,
    signature: "base64url(x: binary | string) -> string",
    parameters: &[required("x", Accepts::Any)],
    result: STRING,
    summary: "Base64 in the alphabet for addresses (`-` and `_`), without padding.",
    examples: &[example(r#"base64url("hi?")"#, r#""aGk_""#), example(r#"base64url("a")"#, r#""YQ""#)],
    body: Body::Native(|call, arguments| {
        let bytes = bytes_of(call, arguments, 0)?;
        let mut plain = TextBuilder::with_capacity(call, bytes.len().div_ceil(3) * 4);
        let _ = push_base64(&mut plain, bytes);
        let plain = plain.finish_str()?;
        let mut out = TextBuilder::with_capacity(call, plain.len());
        for letter in plain.trim_end_matches('=').chars() {
            out.push(match letter {
                '+' => '-',
                '/' => '_',
                other => other,
            });
        }
        out.finish()
    }),
    ..PLAIN
};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
const EITHER: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

pub(super) static UNBASE64: Function = Function {
    name: "unbase64",
    group: Group::Binary,
    signature: "unbase64(text: string) -> binary",
    parameters: &[required("text", Accepts::Text)],
    result: BINARY,
    fallible: true,
    summary: "The bytes of base64 text of either alphabet, with or without padding and line ends.",
    examples: &[
        example(r#"utf8(unbase64("aGk_"))"#, r#""hi?""#),
        example(r#"unbase64("&")"#, "error"),
        example(r#"unbase64?("&")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let text = call.string(arguments, 0)?;
        let mut plain = ArenaVec::with_capacity_in(text.len(), call.arena);
        plain.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        }));
        if text.len() > STRING_BYTES_MAX * 4 / 3 + 4 {
            return Err(call.text_too_long());
        }
        let mut bytes = ArenaVec::new_in(call.arena);
        bytes.resize(base64::decoded_len_estimate(plain.len()), 0);
        let length = EITHER.decode_slice(&plain, &mut bytes).map_err(|_| call.fail(format_args!("not base64")))?;
        bytes.truncate(length);
        Ok(Value::Binary(bytes.into_bump_slice()))
    }),
    ..PLAIN
};

pub(super) static HEX: Function = Function {
    name: "hex",
    group: Group::Binary,
    signature: "hex(x: binary | string) -> string",
    parameters: &[required("x", Accepts::Any)],
    result: STRING,
    summary: "Two lower-case hexadecimal digits for each byte.",
    examples: &[
        example(r#"hex("Zoë")"#, r#""5a6fc3ab""#),
        example(r#"upper(hex(hex"00ff"))"#, r#""00FF""#),
        example(r#"hex("")"#, r#""""#),
    ],
    body: Body::Native(|call, arguments| {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let bytes = bytes_of(call, arguments, 0)?;
        if bytes.len() > STRING_BYTES_MAX / 2 {
            return Err(call.text_too_long());
        }
        let mut out = TextBuilder::with_capacity(call, bytes.len() * 2);
        for byte in bytes {
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        out.finish()
    }),
    ..PLAIN
};

pub(super) static UNHEX: Function = Function {
    name: "unhex",
    group: Group::Binary,
    signature: "unhex(text: string) -> binary",
    parameters: &[required("text", Accepts::Text)],
    result: BINARY,
    fallible: true,
    summary: "The bytes that pairs of hexadecimal digits spell, in either case.",
    examples: &[
        example(r#"utf8(unhex("5A6fc3AB"))"#, r#""Zoë""#),
        example(r#"unhex("abc")"#, "error"),
        example(r#"unhex?("xx")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let digits = call.string(arguments, 0)?.as_bytes();
        let failure = || call.fail(format_args!("not pairs of hexadecimal digits"));
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut bytes = ArenaVec::with_capacity_in(digits.len() / 2, call.arena);
        for pair in digits.chunks(2) {
            let [high, low] = pair else { return Err(failure()) };
            let (high, low) = (digit(*high).ok_or_else(failure)?, digit(*low).ok_or_else(failure)?);
            bytes.push(high << 4 | low);
        }
        Ok(Value::Binary(bytes.into_bump_slice()))
    }),
    ..PLAIN
};

pub(super) static UTF8: Function = Function {
    name: "utf8",
    group: Group::Binary,
    signature: "utf8(bytes: binary) -> string",
    parameters: &[required("bytes", Accepts::Binary)],
    result: STRING,
    fallible: true,
    summary: "The text that bytes are in UTF-8; bytes that are none fail.",
    examples: &[
        example(r#"utf8(hex"5a6fc3ab")"#, r#""Zoë""#),
        example(r#"utf8(hex"ff")"#, "error"),
        example(r#"utf8?(hex"ff")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let text = std::str::from_utf8(call.bytes(arguments, 0)?);
        text.map(Value::String).map_err(|error| call.fail(format_args!("not UTF-8 from byte {} on", error.valid_up_to())))
    }),
    ..PLAIN
};

pub(super) static UTF16LE: Function = Function {
    name: "utf16le",
    group: Group::Binary,
    signature: "utf16le(text: string) -> binary",
    parameters: &[required("text", Accepts::Text)],
    result: BINARY,
    summary: "The bytes of a text in UTF-16, low byte first, as Windows keeps text.",
    examples: &[example(r#"hex(utf16le("Zë"))"#, r#""5a00eb00""#), example(r#"hex(utf16le(""))"#, r#""""#)],
    body: Body::Native(|call, arguments| {
        let text = call.string(arguments, 0)?;
        if text.len() > STRING_BYTES_MAX {
            return Err(call.text_too_long());
        }
        let mut bytes = ArenaVec::with_capacity_in(text.len() * 2, call.arena);
        text.encode_utf16().for_each(|unit| bytes.extend_from_slice(&unit.to_le_bytes()));
        Ok(Value::Binary(bytes.into_bump_slice()))
    }),
    ..PLAIN
};

pub(super) static DATA_URI: Function = Function {
    name: "data_uri",
    group: Group::Binary,
    signature: "data_uri(bytes: binary, type: string) -> string",
    parameters: &[required("bytes", Accepts::Binary), required("type", Accepts::Text)],
    result: STRING,
    may_be_absent: true,
    summary: "A `data:` address that holds the bytes, for pictures; absent for no bytes.",
    examples: &[
        example(r#"data_uri(hex"ffd8ff", "image/jpeg")"#, r#""data:image/jpeg;base64,/9j/""#),
        example(r#"data_uri(hex"", "image/jpeg")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let (bytes, kind) = (call.bytes(arguments, 0)?, call.string(arguments, 1)?);
        if bytes.is_empty() {
            return Ok(Value::Absent);
        }
        let mut out = TextBuilder::with_capacity(call, bytes.len().div_ceil(3) * 4 + kind.len() + 13);
        out.push_str("data:");
        out.push_str(kind);
        out.push_str(";base64,");
        let _ = push_base64(&mut out, bytes);
        out.finish()
    }),
    ..PLAIN
};

pub(super) static SHA256: Function = Function {
    name: "sha256",
    group: Group::Binary,
    signature: "sha256(x: binary | string) -> binary",
    parameters: &[required("x", Accepts::Any)],
    result: BINARY,
    summary: "The SHA-256 hash; `hex` or `base64url` make text of it.",
    examples: &[
        example(r#"hex(sha256("abc"))"#, r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#),
        example("sha256(absent)", "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let hash = Sha256::digest(bytes_of(call, arguments, 0)?);
        Ok(Value::Binary(call.arena.alloc_slice_copy(&hash)))
    }),
    ..PLAIN
};

pub(super) static HMAC: Function = Function {
    name: "hmac",
    group: Group::Binary,
    signature: "hmac(key: string, x: binary | string) -> binary",
    parameters: &[required("key", Accepts::Text), required("x", Accepts::Any)],
    result: BINARY,
    fallible: true,
    summary: "HMAC-SHA-256 under a configured key, which is named here and never in the mapping; an unknown name fails.",
    examples: &[example(r#"hmac("no such key", "x")"#, "error"), example(r#"hmac?("no such key", "x")"#, "absent")],
    body: Body::Native(|call, arguments| {
        let key = (call.key)(call.string(arguments, 0)?);
        let key = key.ok_or_else(|| call.fail(format_args!("no key of this name is configured")))?;
        // Keys of any length are taken; the error is of other algorithms.
        let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| call.fail(format_args!("the key can't be used")))?;
        mac.update(bytes_of(call, arguments, 1)?);
        Ok(Value::Binary(call.arena.alloc_slice_copy(&mac.finalize().into_bytes())))
    }),
    ..PLAIN
};
