//! What an X.509 certificate says of its holder. Reads DER (or PEM) far enough to find the wanted field and verifies
//! nothing: whoever accepted the certificate did. Every length is checked against what is there; nothing recurses.

use super::Call;
use super::build::TextBuilder;
use super::dn::parse::{NAMES, push_escaped};
use super::write::{PLAIN, STRING, example, required};
use super::{Accepts, Body, Function, Group};
use crate::value::{Failure, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bumpalo::collections::Vec as ArenaVec;
use jiff::civil::DateTime;
use std::fmt::Write as _;

pub(super) static CERT_FIELD: Function = Function {
    name: "cert_field",
    group: Group::Binary,
    signature: "cert_field(certificate: binary, field: string) -> string",
    parameters: &[required("certificate", Accepts::Binary), required("field", Accepts::Text)],
    result: STRING,
    may_be_absent: true,
    fallible: true,
    summary: "A field of an X.509 certificate: `subject`, `issuer` (RFC 4514), `subject.CN` and any other attribute, \
              `serial` (hexadecimal), `not_before`, `not_after` (RFC 3339), `san.email`, `san.dns`, `san.uri` (the first). \
              Absent when the certificate has none. Nothing is verified.",
    examples: &[
        example(r#"cert_field(hex"3000", "subject.CN")"#, "error"),
        example(r#"cert_field?(hex"3000", "subject.CN")"#, "absent"),
    ],
    body: Body::Native(cert_field),
    ..PLAIN
};

const SEQUENCE: u8 = 0x30;

/// Tag, contents and what follows. Lengths in the definite form of up to 4 bytes.
pub(super) fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    // Tags of several bytes are in no certificate.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (value, rest) = rest.split_at_checked(length)?;
    Some((*tag, value, rest))
}

/// The elements of a constructed value; stops at the first that does not read.
fn elements(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, value, rest) = tlv(bytes)?;
        bytes = rest;
        Some((tag, value))
    })
}

/// The parts of a TBSCertificate (RFC 5280 §4.1).
struct Certificate<'b> {
    serial: &'b [u8],
    issuer: &'b [u8],
    validity: &'b [u8],
    subject: &'b [u8],
    extensions: Option<&'b [u8]>,
}

fn certificate(bytes: &[u8]) -> Option<Certificate<'_>> {
    let (SEQUENCE, outer, _) = tlv(bytes)? else { return None };
    let (SEQUENCE, inner, _) = tlv(outer)? else { return None };
    let mut parts = elements(inner).skip_while(|(tag, _)| *tag == 0xa0);
    let mut next = |wanted| parts.next().filter(|(tag, _)| *tag == wanted).map(|(_, value)| value);
    let serial = next(0x02)?;
    let _algorithm = next(SEQUENCE)?;
    let (issuer, validity, subject) = (next(SEQUENCE)?, next(SEQUENCE)?, next(SEQUENCE)?);
    let extensions = parts.find(|(tag, _)| *tag == 0xa3).and_then(|(_, value)| tlv(value)).map(|(_, value, _)| value);
    Some(Certificate { serial, issuer, validity, subject, extensions })
}

fn cert_field<'a>(call: &Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Failure<'a>> {
    let (bytes, field) = (call.bytes(arguments, 0)?, call.string(arguments, 1)?);
    let not_one = || call.fail(format_args!("not an X.509 certificate"));
    let bytes = if bytes.starts_with(b"-----BEGIN") { pem(call, bytes).ok_or_else(not_one)? } else { bytes };
    let certificate = certificate(bytes).ok_or_else(not_one)?;
    let (part, attribute) = field.split_once('.').map_or((field, None), |(part, rest)| (part, Some(rest)));
    let found = match (part, attribute) {
        ("subject", None) => return whole_name(call, certificate.subject),
        ("issuer", None) => return whole_name(call, certificate.issuer),
        ("subject", Some(attribute)) => attribute_of(call, certificate.subject, attribute),
        ("issuer", Some(attribute)) => attribute_of(call, certificate.issuer, attribute),
        ("serial", None) => Some(serial(call, certificate.serial)?),
        ("not_before", None) => Some(time(call, certificate.validity, 0).ok_or_else(not_one)?),
        ("not_after", None) => Some(time(call, certificate.validity, 1).ok_or_else(not_one)?),
        ("san", Some("email")) => alternative_name(call, certificate.extensions, 0x81),
        ("san", Some("dns")) => alternative_name(call, certificate.extensions, 0x82),
        ("san", Some("uri")) => alternative_name(call, certificate.extensions, 0x86),
        _ => return Err(call.fail(format_args!("no such field: one like `subject.CN`, `serial`, `not_after` is wanted"))),
    };
    Ok(found.map_or(Value::Absent, Value::String))
}

fn pem<'a>(call: &Call<'a>, bytes: &[u8]) -> Option<&'a [u8]> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, body) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = body.split_once("-----END CERTIFICATE-----")?;
    let body = ArenaVec::from_iter_in(body.bytes().filter(|byte| !byte.is_ascii_whitespace()), call.arena);
    let mut out = ArenaVec::new_in(call.arena);
    out.resize(base64::decoded_len_estimate(body.len()), 0);
    let length = STANDARD.decode_slice(&body, &mut out).ok()?;
    out.truncate(length);
    Some(out.into_bump_slice())
}

/// The attributes of a Name from the most general down: OID in dotted form, text.
fn attributes<'a>(call: &Call<'a>, name: &'a [u8]) -> impl DoubleEndedIterator<Item = (&'a str, &'a str)> {
    let sets = elements(name).flat_map(|(_, set)| elements(set));
    let all = sets.filter_map(|(_, pair)| {
        let (0x06, oid, rest) = tlv(pair)? else { return None };
        let (tag, value, _) = tlv(rest)?;
        Some((dotted(call, oid)?, text(call, tag, value)?))
    });
    ArenaVec::from_iter_in(all, call.arena).into_bump_slice().iter().copied()
}

fn text<'a>(call: &Call<'a>, tag: u8, value: &'a [u8]) -> Option<&'a str> {
    match tag {
        // UTF8String, NumericString, PrintableString, IA5String, VisibleString
        0x0c | 0x12 | 0x13 | 0x16 | 0x1a => std::str::from_utf8(value).ok(),
        // TeletexString, in practice Latin-1
        0x14 => collected(call, value.iter().map(|byte| char::from(*byte))),
        // BMPString
        0x1e => {
            let units = value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            collected(call, char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)))
        }
        _ => None,
    }
}

fn collected<'a>(call: &Call<'a>, letters: impl Iterator<Item = char>) -> Option<&'a str> {
    let mut out = TextBuilder::new(call);
    letters.for_each(|letter| out.push(letter));
    out.finish_str().ok()
}

fn dotted<'a>(call: &Call<'a>, oid: &[u8]) -> Option<&'a str> {
    let mut out = TextBuilder::new(call);
    let mut number = 0_u64;
    for byte in oid {
        number = number.checked_mul(128)?.checked_add(u64::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            let _ = if out.as_str().is_empty() {
                let first = (number / 40).min(2);
                write!(out, "{first}.{}", number - first * 40)
            } else {
                write!(out, ".{number}")
            };
            number = 0;
        }
    }
    out.finish_str().ok()
}

/// The most specific value, by short name, long name or OID.
fn attribute_of<'a>(call: &Call<'a>, name: &'a [u8], wanted: &str) -> Option<&'a str> {
    let named = NAMES.iter().find(|(short, long, _)| wanted.eq_ignore_ascii_case(short) || wanted.eq_ignore_ascii_case(long));
    let wanted = named.map_or(wanted, |(_, _, oid)| oid);
    attributes(call, name).rev().find(|(oid, _)| *oid == wanted).map(|(_, value)| value)
}

/// RFC 4514: the most specific part first. Several parts of one RDN are written as RDNs of their own.
fn whole_name<'a>(call: &Call<'a>, name: &'a [u8]) -> Result<Value<'a>, Failure<'a>> {
    let mut out = TextBuilder::new(call);
    for (oid, value) in attributes(call, name).rev() {
        if !out.as_str().is_empty() {
            out.push(',');
        }
        out.push_str(NAMES.iter().find(|(_, _, number)| *number == oid).map_or(oid, |(short, _, _)| short));
        out.push('=');
        push_escaped(&mut out, value);
    }
    if out.as_str().is_empty() && !out.is_over() { Ok(Value::Absent) } else { out.finish() }
}

fn serial<'a>(call: &Call<'a>, bytes: &[u8]) -> Result<&'a str, Failure<'a>> {
    let bytes = if let [0, rest @ ..] = bytes
        && !rest.is_empty()
    {
        rest
    } else {
        bytes
    };
    let mut out = TextBuilder::new(call);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out.finish_str()
}

/// UTCTime or GeneralizedTime, which RFC 5280 wants in UTC with seconds.
fn time<'a>(call: &Call<'a>, validity: &[u8], place: usize) -> Option<&'a str> {
    let (tag, value) = elements(validity).nth(place)?;
    let digits = std::str::from_utf8(value).ok()?.strip_suffix('Z')?;
    let (year, rest) = match (tag, digits.len()) {
        (0x17, 12) => {
            let year: i16 = digits.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, digits.get(2..)?)
        }
        (0x18, 14) => (digits.get(..4)?.parse().ok()?, digits.get(4..)?),
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let civil = DateTime::new(year, two(0)?, two(2)?, two(4)?, two(6)?, two(8)?, 0).ok()?;
    let mut out = TextBuilder::new(call);
    let _ = write!(out, "{civil}Z");
    out.finish_str().ok()
}

/// The first subjectAltName (2.5.29.17) of this kind.
fn alternative_name<'a>(call: &Call<'a>, extensions: Option<&'a [u8]>, kind: u8) -> Option<&'a str> {
    for (_, extension) in elements(extensions?) {
        let (0x06, oid, _) = tlv(extension)? else { continue };
        if oid == [0x55, 0x1d, 0x11] {
            let (_, value) = elements(extension).find(|(tag, _)| *tag == 0x04)?;
            let (SEQUENCE, names, _) = tlv(value)? else { return None };
            let (_, name) = elements(names).find(|(tag, _)| *tag == kind)?;
            return text(call, 0x16, name);
        }
    }
    None
}
