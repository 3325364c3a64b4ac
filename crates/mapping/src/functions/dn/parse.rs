//! Distinguished names as RFC 4514 text: cut into RDNs and their parts without copying, unescaped and compared on the
//! way. Types compare without case and by their OID or long name, values by caseIgnoreMatch (case folded, runs of
//! spaces one space). Text that is no distinguished name gives `None`. The quoted values of RFC 1779 are not read.

use super::super::Call;
use super::super::build::TextBuilder;
use super::super::case::fold;
use crate::value::Failure;
use bumpalo::collections::Vec as ArenaVec;

/// Of one RDN; more is no directory's but an attempt to make comparing slow.
const PARTS_MAX: usize = 16;

/// Type and value of an RDN's part, the value still escaped.
#[derive(Clone, Copy)]
pub(in super::super) struct Part<'a> {
    pub(super) kind: &'a str,
    pub(super) value: &'a str,
}

/// The text up to the first of these characters that no backslash escapes, and what follows it.
fn cut(text: &str, at: u8) -> (&str, Option<&str>) {
    let mut from = 0;
    while let Some(found) = memchr::memchr2(at, b'\\', &text.as_bytes()[from..]) {
        let place = from + found;
        if text.as_bytes()[place] == at {
            return (&text[..place], Some(&text[place + 1..]));
        }
        // The escaped byte may begin a longer character; none of the following ones looks like a mark.
        from = (place + 2).min(text.len());
    }
    (text, None)
}

/// The RDNs from the leaf up, as written. Gives nothing for the empty name.
#[derive(Clone)]
pub(super) struct Rdns<'a>(Option<&'a str>);

pub(super) fn rdns(name: &str) -> Rdns<'_> {
    Rdns((!name.trim().is_empty()).then_some(name))
}

impl<'a> Rdns<'a> {
    /// What has not been taken yet.
    pub(super) const fn rest(&self) -> Option<&'a str> {
        self.0
    }
}

impl<'a> Iterator for Rdns<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (rdn, rest) = cut(self.0?, b',');
        self.0 = rest;
        Some(rdn)
    }
}

/// Whether every RDN reads, and how many there are. The empty name (the root) has none.
pub(super) fn depth(name: &str) -> Option<usize> {
    let mut count = 0;
    for rdn in rdns(name) {
        parts(rdn).try_for_each(|part| part.map(|_| ()))?;
        count += 1;
    }
    Some(count)
}

/// The parts of an RDN; `None` for one that does not read.
pub(super) fn parts(rdn: &str) -> impl Iterator<Item = Option<Part<'_>>> {
    let mut rest = Some(rdn);
    let mut count = 0;
    std::iter::from_fn(move || {
        let (part, after) = cut(rest?, b'+');
        rest = after;
        count += 1;
        Some(if count > PARTS_MAX { None } else { read(part) })
    })
}

fn read(part: &str) -> Option<Part<'_>> {
    let (kind, value) = part.split_once('=')?;
    let kind = kind.trim();
    let is_name = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    let value = trim(value);
    (is_name && escapes_read(value)).then_some(Part { kind, value })
}

/// Without the spaces around; one that is escaped belongs to the value.
fn trim(value: &str) -> &str {
    let value = value.trim_start_matches(' ');
    let trimmed = value.trim_end_matches(' ');
    let backslashes = trimmed.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if backslashes % 2 == 1 && trimmed.len() < value.len() { &value[..=trimmed.len()] } else { trimmed }
}

fn escapes_read(value: &str) -> bool {
    let mut rest = value.as_bytes();
    while let Some(at) = memchr::memchr(b'\\', rest) {
        rest = match &rest[at + 1..] {
            [a, b, after @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => after,
            [first, after @ ..] if !first.is_ascii_alphanumeric() => after,
            _ => return false,
        };
    }
    true
}

impl<'a> Part<'a> {
    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) || {
            let short = |name| short_name(name).unwrap_or(name);
            short(self.kind).eq_ignore_ascii_case(short(kind))
        }
    }

    /// As `is`, and the name to write in a canonical form.
    pub(super) fn short_kind(&self) -> &'a str {
        short_name(self.kind).unwrap_or(self.kind)
    }

    /// The value without escapes: borrowed where it has none. Hexadecimal BER of a string type is read; of any other,
    /// and bytes that are no UTF-8, it stays as written.
    pub(super) fn text(&self, call: &Call<'a>) -> Result<&'a str, Failure<'a>> {
        let value = self.value;
        if let Some(hex) = value.strip_prefix('#') {
            return Ok(ber_text(call, hex).unwrap_or(value));
        }
        if !value.contains('\\') {
            return Ok(value);
        }
        let mut bytes = ArenaVec::with_capacity_in(value.len(), call.arena);
        let mut rest = value.as_bytes();
        while let Some(at) = memchr::memchr(b'\\', rest) {
            bytes.extend_from_slice(&rest[..at]);
            rest = match &rest[at + 1..] {
                [a, b, after @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                    bytes.push(digit(*a) << 4 | digit(*b));
                    after
                }
                [first, after @ ..] => {
                    bytes.push(*first);
                    after
                }
                [] => &[],
            };
        }
        bytes.extend_from_slice(rest);
        Ok(std::str::from_utf8(bytes.into_bump_slice()).unwrap_or(value))
    }

    fn equals(&self, other: &Part<'a>, call: &Call<'a>) -> Result<bool, Failure<'a>> {
        Ok(self.is(other.kind) && comparable(self.text(call)?).eq(comparable(other.text(call)?)))
    }
}

/// What caseIgnoreMatch compares: folded, spaces at the ends gone, runs of them one.
pub(super) fn comparable(value: &str) -> impl Iterator<Item = char> {
    let value = value.trim_matches(' ');
    let mut after_space = false;
    value.chars().map(fold).filter(move |letter| {
        let drops = *letter == ' ' && after_space;
        after_space = *letter == ' ';
        !drops
    })
}

/// Two RDNs are equal when they have the same parts, in any order.
pub(super) fn rdn_equal<'a>(call: &Call<'a>, a: &'a str, b: &'a str) -> Result<bool, Failure<'a>> {
    if a == b {
        return Ok(true);
    }
    if parts(a).count() != parts(b).count() {
        return Ok(false);
    }
    for one in parts(a) {
        let Some(one) = one else { return Ok(false) };
        let mut found = false;
        for other in parts(b).flatten() {
            found = found || one.equals(&other, call)?;
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The string types of BER, whose value is UTF-8 or ASCII.
fn ber_text<'a>(call: &Call<'a>, hex: &str) -> Option<&'a str> {
    let digits = hex.as_bytes();
    if digits.len() % 2 == 1 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let bytes = digits.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1]));
    let bytes = ArenaVec::from_iter_in(bytes, call.arena).into_bump_slice();
    let (tag, value, rest) = super::super::certificate::tlv(bytes)?;
    (rest.is_empty() && matches!(tag, 0x04 | 0x0c | 0x12 | 0x13 | 0x14 | 0x16 | 0x1a))
        .then(|| std::str::from_utf8(value).ok())
        .flatten()
}

const fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20).wrapping_sub(b'a') + 10,
    }
}

/// The names of RFC 4519 and their OIDs, for directories and certificates that write the long form.
fn short_name(kind: &str) -> Option<&'static str> {
    let oid = kind.strip_prefix("OID.").or_else(|| kind.strip_prefix("oid.")).unwrap_or(kind);
    let long = kind.len() > 4 && !kind.contains('.');
    NAMES.iter().find(|(_, name, number)| oid == *number || (long && kind.eq_ignore_ascii_case(name))).map(|(short, _, _)| *short)
}

/// Short name, long name, OID.
#[rustfmt::skip]
pub(in super::super) static NAMES: &[(&str, &str, &str)] = &[
    ("CN", "commonName", "2.5.4.3"), ("SN", "surname", "2.5.4.4"), ("serialNumber", "serialNumber", "2.5.4.5"),
    ("C", "countryName", "2.5.4.6"), ("L", "localityName", "2.5.4.7"), ("ST", "stateOrProvinceName", "2.5.4.8"),
    ("STREET", "streetAddress", "2.5.4.9"), ("O", "organizationName", "2.5.4.10"),
    ("OU", "organizationalUnitName", "2.5.4.11"), ("title", "title", "2.5.4.12"), ("GN", "givenName", "2.5.4.42"),
    ("DC", "domainComponent", "0.9.2342.19200300.100.1.25"), ("UID", "userid", "0.9.2342.19200300.100.1.1"),
    ("emailAddress", "emailAddress", "1.2.840.113549.1.9.1"),
];

/// A value as RFC 4514 §2.4 writes it.
pub(in super::super) fn push_escaped(out: &mut TextBuilder<'_, '_>, value: &str) {
    let last = value.len().saturating_sub(1);
    for (at, letter) in value.char_indices() {
        match letter {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.push('\\'),
            '#' | ' ' if at == 0 => out.push('\\'),
            ' ' if at == last => out.push('\\'),
            '\0' => {
                out.push_str("\\00");
                continue;
            }
            _ => {}
        }
        out.push(letter);
    }
}
