//! Identifiers that Active Directory keeps as bytes: objectGUID (16 bytes, the first three fields little-endian) and
//! objectSid (MS-DTYP §2.4.2).

use super::Call;
use super::short::Short;
use super::write::{BINARY, INT, PLAIN, STRING, example, required};
use super::{Accepts, Body, Function, Group};
use crate::value::{Failure, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bumpalo::Bump;
use std::io::Write as _;

pub(super) static GUID: Function = Function {
    name: "guid",
    group: Group::Binary,
    signature: "guid(bytes: guid | string) -> string",
    parameters: &[required("bytes", Accepts::Any)],
    result: STRING,
    fallible: true,
    summary: "The dashed lower-case text of a GUID: from 16 bytes in Active Directory's order, or from any usual text of \
              one.",
    examples: &[
        example(r#"guid(hex"33221100554477668899aabbccddeeff")"#, r#""00112233-4455-6677-8899-aabbccddeeff""#),
        example(r#"guid(r"{00112233-4455-6677-8899-AABBCCDDEEFF}")"#, r#""00112233-4455-6677-8899-aabbccddeeff""#),
        example(r#"guid(hex"00")"#, "error"),
        example(r#"guid?(hex"00")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| {
        let bytes = match arguments.first() {
            Some(Value::Binary(bytes)) => <[u8; 16]>::try_from(*bytes).ok(),
            Some(Value::String(text)) => guid_bytes(text),
            other => return Err(call.wrong_kind("16 bytes or text", other)),
        };
        guid_text(call, bytes.ok_or_else(|| call.fail(format_args!("not a GUID")))?)
    }),
    ..PLAIN
};

/// The first three fields turned round; the same both ways.
const fn turned(b: [u8; 16]) -> [u8; 16] {
    [b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]]
}

pub(crate) fn guid_text<'a>(call: &Call<'a>, bytes: [u8; 16]) -> Result<Value<'a>, Failure<'a>> {
    Ok(call.text(turned_text(&mut Short::new(), bytes)))
}

/// The text of 16 bytes in Active Directory's order.
pub(crate) fn turned_text(text: &mut Short<48>, bytes: [u8; 16]) -> &str {
    uuid_text(text, turned(bytes))
}

/// Dashed text of bytes in the order of the text.
pub(super) fn uuid_text(text: &mut Short<48>, bytes: [u8; 16]) -> &str {
    const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let written = text.bytes();
    written[..36].fill(b'-');
    for (byte, at) in bytes.into_iter().zip(PLACES) {
        written[at..at + 2].copy_from_slice(&HEX[usize::from(byte)]);
    }
    text.text(36)
}

/// The two digits of each byte.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// Dashed or plain, braces or none, either case; or base64 of the bytes, their form in JSON.
pub(crate) fn guid_bytes(text: &str) -> Option<[u8; 16]> {
    let text = text.trim();
    if text.len() == 24 && text.ends_with("==") {
        let mut bytes = [0; 18];
        let length = STANDARD.decode_slice(text, &mut bytes).ok()?;
        return bytes[..length].try_into().ok();
    }
    let text = text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(text);
    let dashes_fit = text.len() == 32 || (text.len() == 36 && [8, 13, 18, 23].iter().all(|at| text.as_bytes()[*at] == b'-'));
    let mut bytes = [0; 16];
    let mut count = 0;
    for byte in text.bytes().filter(|byte| *byte != b'-') {
        let digit = u8::try_from(char::from(byte).to_digit(16)?).ok()?;
        let place: &mut u8 = bytes.get_mut(count / 2)?;
        *place = *place << 4 | digit;
        count += 1;
    }
    (dashes_fit && count == 32).then(|| turned(bytes))
}

pub(super) static GUID_BYTES: Function = Function {
    name: "guid_bytes",
    group: Group::Binary,
    signature: "guid_bytes(text: string) -> binary",
    parameters: &[required("text", Accepts::Text)],
    result: BINARY,
    fallible: true,
    summary: "The 16 bytes of a GUID's text in Active Directory's order (base64 of them is Entra's immutable id).",
    examples: &[
        example(r#"hex(guid_bytes("00112233-4455-6677-8899-aabbccddeeff"))"#, r#""33221100554477668899aabbccddeeff""#),
        example(r#"guid_bytes("0011")"#, "error"),
    ],
    body: Body::Native(|call, arguments| {
        let bytes = guid_bytes(call.string(arguments, 0)?).ok_or_else(|| call.fail(format_args!("not a GUID")))?;
        Ok(Value::Binary(call.arena.alloc_slice_copy(&bytes)))
    }),
    ..PLAIN
};

pub(super) static SID: Function = Function {
    name: "sid",
    group: Group::Binary,
    signature: "sid(bytes: sid) -> string",
    parameters: &[required("bytes", Accepts::Any)],
    result: STRING,
    fallible: true,
    summary: "The text `S-1-…` of a security identifier's bytes; text of one stays.",
    examples: &[
        example(r#"sid(hex"01020000000000052000000020020000")"#, r#""S-1-5-32-544""#),
        example(r#"sid("S-1-5-32-544")"#, r#""S-1-5-32-544""#),
        example(r#"sid(hex"0102")"#, "error"),
        example(r#"sid?(hex"0102")"#, "absent"),
    ],
    body: Body::Native(|call, arguments| match arguments.first() {
        Some(Value::String(text)) if text_parts(text).is_some() => Ok(Value::String(text)),
        Some(Value::Binary(bytes)) => sid_text(call, bytes),
        Some(Value::String(_)) => Err(call.fail(format_args!("not a SID"))),
        other => Err(call.wrong_kind("binary", other)),
    }),
    ..PLAIN
};

pub(crate) fn sid_text<'a>(call: &Call<'a>, bytes: &[u8]) -> Result<Value<'a>, Failure<'a>> {
    sid_written(call.arena, bytes).map(Value::String).ok_or_else(|| call.fail(format_args!("not the bytes of a SID")))
}

/// `None` for what are not the bytes of one.
pub(crate) fn sid_written<'a>(arena: &'a Bump, bytes: &[u8]) -> Option<&'a str> {
    // Those of people and groups have five parts.
    if bytes.len() <= 8 + 5 * 4 {
        sid_in(&mut Short::<96>::new(), arena, bytes)
    } else {
        sid_in(&mut Short::<192>::new(), arena, bytes)
    }
}

/// With room for `S-1-0x` and twelve digits, a dash and ten digits for each part, and what [`put_decimal`] writes beyond.
fn sid_in<'a, const N: usize>(short: &mut Short<N>, arena: &'a Bump, bytes: &[u8]) -> Option<&'a str> {
    let (authority, parts) = binary_parts(bytes)?;
    let text = short.bytes();
    let mut length = match u32::try_from(authority) {
        Ok(authority) => put_decimal(text, 0, b"S-1-", authority),
        Err(_) => {
            let mut free = &mut text[..];
            // It fits.
            let _ = write!(free, "S-1-0x{authority:012x}");
            "S-1-0x".len() + 12
        }
    };
    for part in parts {
        length = put_decimal(text, length, b"-", part);
    }
    Some(arena.alloc_str(short.text(length)))
}

/// The authority and the sub-authorities, of which there are 1 to 15.
fn binary_parts(bytes: &[u8]) -> Option<(u64, impl Iterator<Item = u32>)> {
    let (header, rest) = bytes.split_at_checked(8)?;
    let count = usize::from(header[1]);
    if header[0] != 1 || !(1..=15).contains(&count) || rest.len() != count * 4 {
        return None;
    }
    let authority = header[2..].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some((authority, rest.chunks_exact(4).map(|part| u32::from_le_bytes([part[0], part[1], part[2], part[3]]))))
}

/// A mark and a number from this place on, without the machinery of a formatter; the place after them. How many digits a
/// number has can't be foreseen, so it is written as ten, moved to where the first one belongs; zeros follow, up to sixteen.
fn put_decimal(text: &mut [u8], at: usize, mark: &[u8], number: u32) -> usize {
    let start = at + mark.len();
    text[at..start].copy_from_slice(mark);
    // The first two of every SID, always in the same place.
    if number < 100 {
        let [tens, ones] = PAIRS[number as usize];
        let is_two = usize::from(number >= 10);
        text[start] = if number >= 10 { tens } else { ones };
        text[start + 1] = if number >= 10 { ones } else { 0 };
        return start + 1 + is_two;
    }
    let mut digits = [0; 16];
    let mut rest = number;
    for pair in digits[..10].rchunks_exact_mut(2) {
        pair.copy_from_slice(&PAIRS[rest as usize % 100]);
        rest /= 100;
    }
    let count = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    let moved = u128::from_le_bytes(digits) >> (8 * (10 - count));
    text[start..start + 16].copy_from_slice(&moved.to_le_bytes());
    start + count
}

/// The two digits of each number below a hundred.
const PAIRS: [[u8; 2]; 100] = {
    let digits = b"0123456789";
    let mut pairs = [[0; 2]; 100];
    let mut at = 0;
    while at < 100 {
        pairs[at] = [digits[at / 10], digits[at % 10]];
        at += 1;
    }
    pairs
};

/// The last part of `S-1-…`.
fn text_parts(text: &str) -> Option<u32> {
    let mut parts = text.trim().strip_prefix("S-1-")?.split('-');
    parts.next()?;
    let mut last = None;
    for part in parts {
        last = Some(part.parse().ok()?);
    }
    last
}

pub(super) static SID_RID: Function = Function {
    name: "sid_rid",
    group: Group::Binary,
    signature: "sid_rid(sid: sid | string) -> int",
    parameters: &[required("sid", Accepts::Any)],
    result: INT,
    fallible: true,
    summary: "The last number of a security identifier: the account within its domain (513: Domain Users).",
    examples: &[
        example(r#"sid_rid("S-1-5-21-1-2-3-513")"#, "513"),
        example(r#"sid_rid(hex"01020000000000052000000020020000")"#, "544"),
        example(r#"sid_rid("x")"#, "error"),
    ],
    body: Body::Native(|call, arguments| {
        let last = match arguments.first() {
            Some(Value::Binary(bytes)) => binary_parts(bytes).and_then(|(_, parts)| parts.last()),
            Some(Value::String(text)) => text_parts(text),
            other => return Err(call.wrong_kind("binary or text", other)),
        };
        last.map(|last| Value::Int(i64::from(last))).ok_or_else(|| call.fail(format_args!("not a SID")))
    }),
    ..PLAIN
};
