//! The binary and textual forms directories use for identifiers and instants, to and from plain values. Owns the
//! formats (MS-DTYP §2.3.4 GUID, §2.4.2 SID, §2.3.3 FILETIME; RFC 4517 §3.3.13 GeneralizedTime); knows no [`Value`].
//!
//! [`Value`]: crate::value::Value

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bumpalo::Bump;
use jiff::{SignedDuration, Timestamp, civil, tz};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Base64 text (standard alphabet, padded or not) to bytes.
pub fn base64_bytes<'a>(arena: &'a Bump, text: &str) -> Option<&'a [u8]> {
    let text = text.trim_end_matches('=');
    let out = arena.alloc_slice_fill_copy(text.len() / 4 * 3 + 3, 0u8);
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    let length = engine.decode_slice(text, out).ok()?;
    Some(&out[..length])
}

pub fn base64_text<'a>(arena: &'a Bump, bytes: &[u8]) -> &'a str {
    let out = arena.alloc_slice_fill_copy(bytes.len().div_ceil(3) * 4, 0u8);
    match STANDARD.encode_slice(bytes, out) {
        Ok(length) => std::str::from_utf8(&out[..length]).unwrap_or_default(),
        Err(_) => "",
    }
}

/// Active Directory's 16 bytes, the first three groups little-endian, as dashed lower-case text.
pub fn guid_text<'a>(arena: &'a Bump, bytes: &[u8]) -> Option<&'a str> {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let bytes: &[u8; 16] = bytes.try_into().ok()?;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, &from) in ORDER.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(bytes[from] >> 4)];
        text[at + 1] = HEX[usize::from(bytes[from] & 15)];
        at += 2;
    }
    std::str::from_utf8(arena.alloc_slice_copy(&text)).ok()
}

/// Dashed text in any case (braces allowed) to the bytes of [`guid_text`].
pub fn guid_bytes(text: &str) -> Option<[u8; 16]> {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let dashes = text.bytes().enumerate().all(|(at, byte)| (byte == b'-') == matches!(at, 8 | 13 | 18 | 23));
    if text.len() != 36 || !dashes {
        return None;
    }
    let mut digits = text.bytes().filter(|byte| *byte != b'-').map(|byte| char::from(byte).to_digit(16));
    let mut bytes = [0; 16];
    for to in ORDER {
        let (high, low) = (digits.next()??, digits.next()??);
        bytes[to] = u8::try_from(high << 4 | low).ok()?;
    }
    Some(bytes)
}

/// A binary security identifier as `S-1-…`.
pub fn sid_text<'a>(arena: &'a Bump, bytes: &[u8]) -> Option<&'a str> {
    let [1, count, authority @ ..] = bytes else { return None };
    let (authority, parts) = authority.split_at_checked(6)?;
    if parts.len() != usize::from(*count) * 4 || *count > 15 {
        return None;
    }
    let authority = authority.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut out = bumpalo::collections::String::with_capacity_in(64, arena);
    use std::fmt::Write as _;
    // MS-DTYP §2.4.2.1: an authority of 2^32 and above is written in hexadecimal.
    if authority < 1 << 32 { write!(out, "S-1-{authority}") } else { write!(out, "S-1-0x{authority:012x}") }.ok()?;
    for part in parts.chunks_exact(4) {
        write!(out, "-{}", u32::from_le_bytes(part.try_into().ok()?)).ok()?;
    }
    Some(out.into_bump_str())
}

/// `S-1-…` as bytes.
pub fn sid_bytes<'a>(arena: &'a Bump, text: &str) -> Option<&'a [u8]> {
    let mut parts = text.strip_prefix("S-1-").or_else(|| text.strip_prefix("s-1-"))?.split('-');
    let authority = parts.next()?;
    let authority: u64 = match authority.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => authority.parse().ok()?,
    };
    let mut out = bumpalo::vec![in arena; 1u8, 0];
    out.extend_from_slice(authority.to_be_bytes().strip_prefix(&[0, 0])?);
    for part in parts {
        out.extend_from_slice(&part.parse::<u32>().ok()?.to_le_bytes());
    }
    out[1] = u8::try_from((out.len() - 8) / 4).ok().filter(|count| *count <= 15)?;
    Some(out.into_bump_slice())
}

/// What an Active Directory time says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FileTime {
    At(Timestamp),
    /// 0 and 2^63-1.
    Never,
}

/// 100 ns ticks since 1601; `None` = outside of what can be an instant.
pub fn filetime(ticks: i64) -> Option<FileTime> {
    const TO_UNIX_SECONDS: i64 = 11_644_473_600;
    if ticks == 0 || ticks == i64::MAX {
        return Some(FileTime::Never);
    }
    let seconds = ticks.div_euclid(10_000_000) - TO_UNIX_SECONDS;
    let nanoseconds = i32::try_from(ticks.rem_euclid(10_000_000) * 100).ok()?;
    Timestamp::new(seconds, nanoseconds).ok().map(FileTime::At)
}

/// GeneralizedTime: `20260131120000Z`, `202601311200+0100`, `20260131120000.5Z`; minutes and seconds may be missing.
/// Without a zone it would be local time of an unknown place, and is refused.
pub fn gentime(text: &str) -> Option<Timestamp> {
    let zone_at = text.find(['Z', '+', '-'])?;
    let (local, zone) = text.split_at(zone_at);
    let (whole, fraction) = local.split_once(['.', ',']).unwrap_or((local, ""));
    if !matches!(whole.len(), 10 | 12 | 14) || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if fraction.len() > 9 || (local.len() > whole.len() && fraction.is_empty()) {
        return None;
    }
    let number = |from: usize, to: usize| whole.get(from..to).map_or(Some(0), |digits| digits.parse::<i8>().ok());
    let year: i16 = whole[..4].parse().ok()?;
    let seconds = number(12, 14)?.min(59);
    let date = civil::DateTime::new(year, number(4, 6)?, number(6, 8)?, number(8, 10)?, number(10, 12)?, seconds, 0).ok()?;
    let unit: i64 = match whole.len() {
        14 => 1_000_000_000,
        12 => 60 * 1_000_000_000,
        _ => 3600 * 1_000_000_000,
    };
    let fraction: i64 = match fraction.len() {
        0 => 0,
        length => fraction.parse::<i64>().ok()? * (unit / 10i64.pow(u32::try_from(length).ok()?)),
    };
    let offset = match zone.split_at(1) {
        ("Z", "") => 0,
        (sign, digits) if matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let hours: i32 = digits[..2].parse().ok()?;
            let minutes: i32 = digits.get(2..).filter(|rest| !rest.is_empty()).map_or(Some(0), |rest| rest.parse().ok())?;
            let seconds = (hours * 60 + minutes) * 60;
            if hours > 23 || minutes > 59 || sign == "Z" {
                return None;
            }
            if sign == "-" { -seconds } else { seconds }
        }
        _ => return None,
    };
    let zone = tz::Offset::from_seconds(offset).ok()?;
    zone.to_timestamp(date).ok()?.checked_add(SignedDuration::from_nanos(fraction)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_its_first_three_groups_turned_round() {
        let arena = Bump::new();
        let bytes = [0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
        let text = "00112233-4455-6677-8899-aabbccddeeff";
        assert_eq!(guid_text(&arena, &bytes), Some(text));
        assert_eq!(guid_bytes(text), Some(bytes));
        assert_eq!(guid_bytes("{00112233-4455-6677-8899-AABBCCDDEEFF}"), Some(bytes));
        assert_eq!(guid_text(&arena, &bytes[1..]), None);
        assert_eq!(guid_bytes("00112233-4455-6677-8899-aabbccddeef\u{fc}"), None);
    }

    #[test]
    fn a_sid_goes_both_ways() {
        let arena = Bump::new();
        let text = "S-1-5-21-1004336348-1177238915-682003330-512";
        let bytes = sid_bytes(&arena, text).unwrap();
        assert_eq!(sid_text(&arena, bytes), Some(text));
        assert_eq!(sid_text(&arena, &bytes[..9]), None, "cut off");
        assert_eq!(sid_bytes(&arena, "S-1-x"), None);
    }

    #[test]
    fn filetime_knows_never_and_the_day_of_unix() {
        assert_eq!(filetime(0), Some(FileTime::Never));
        assert_eq!(filetime(i64::MAX), Some(FileTime::Never));
        assert_eq!(filetime(116_444_736_000_000_000), Some(FileTime::At(Timestamp::UNIX_EPOCH)));
    }

    #[test]
    fn generalized_time_takes_fractions_and_zones_but_needs_one() {
        let at = |text: &str| text.parse::<Timestamp>().ok();
        assert_eq!(gentime("20260131120000Z"), at("2026-01-31T12:00:00Z"));
        assert_eq!(gentime("20260131120000.5Z"), at("2026-01-31T12:00:00.5Z"));
        assert_eq!(gentime("202601311200+0130"), at("2026-01-31T10:30:00Z"));
        assert_eq!(gentime("2026013112.5Z"), at("2026-01-31T12:30:00Z"));
        assert_eq!(gentime("20260131120000"), None, "no zone");
        assert_eq!(gentime("20261331120000Z"), None);
        assert_eq!(gentime("20260131120000Zx"), None);
    }

    #[test]
    fn base64_takes_missing_padding() {
        let arena = Bump::new();
        assert_eq!(base64_bytes(&arena, "AQI="), Some(&[1, 2][..]));
        assert_eq!(base64_bytes(&arena, "AQI"), Some(&[1, 2][..]));
        assert_eq!(base64_bytes(&arena, "A*"), None);
        assert_eq!(base64_text(&arena, &[1, 2]), "AQI=");
    }
}
