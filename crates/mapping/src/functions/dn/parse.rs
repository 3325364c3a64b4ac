//! Distinguished names as RFC 4514 text: cut into RDNs and their parts without copying, unescaped and compared on the
//! way. Types compare without case and by their OID or long name, values by caseIgnoreMatch (case folded, runs of
//! spaces one space). Text that is no distinguished name gives `None`. The quoted values of RFC 1779 are not read.

use super::super::Call;
use super::super::build::TextBuilder;
use super::super::case::fold;
use bumpalo::collections::{String as ArenaString, Vec as ArenaVec};
use wide::u8x16;

/// Of one RDN; more is no directory's but an attempt to make comparing slow.
const PARTS_MAX: usize = 16;

/// Type and value of an RDN's part, the value still escaped.
#[derive(Clone, Copy)]
pub(in super::super) struct Part<'a> {
    pub(super) kind: &'a str,
    pub(super) value: &'a str,
    has_escapes: bool,
    /// Nothing of its RDN follows.
    is_last: bool,
}

/// The text up to the first comma that no backslash escapes, and what follows it.
fn cut(text: &str) -> (&str, Option<&str>) {
    let mut from = 0;
    while let Some(found) = memchr::memchr2(b',', b'\\', &text.as_bytes()[from..]) {
        let place = from + found;
        if text.as_bytes()[place] == b',' {
            return (&text[..place], Some(&text[place + 1..]));
        }
        // The escaped byte may begin a longer character; none of the following ones looks like a comma.
        from = (place + 2).min(text.len());
    }
    (text, None)
}

/// The RDNs from the leaf up, as written. Gives nothing for the empty name.
#[derive(Clone)]
pub(super) struct Rdns<'a>(Option<&'a str>);

pub(super) fn rdns(name: &str) -> Rdns<'_> {
    let has_text = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) || !name.trim_start().is_empty();
    Rdns(has_text.then_some(name))
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
        let (rdn, rest) = cut(self.0?);
        self.0 = rest;
        Some(rdn)
    }
}

/// Whether every RDN reads, and how many there are. The empty name (the root) has none.
pub(super) fn depth(name: &str) -> Option<usize> {
    let mut count = 0;
    for part in all_parts(name) {
        count += usize::from(part?.is_last);
    }
    Some(count)
}

/// Where the next comma, plus or backslash is.
#[inline]
fn next_mark(bytes: &[u8]) -> Option<usize> {
    // Whether a value is shorter than sixteen bytes can't be foreseen; that it is shorter than thirty-two mostly holds.
    if let Some((first, second)) = bytes.first_chunk::<16>().zip(bytes.get(16..).and_then(<[u8]>::first_chunk::<16>)) {
        let found = marks(*first) | marks(*second) << 16;
        if found != 0 {
            return Some(found.trailing_zeros() as usize);
        }
    }
    let (chunks, rest) = bytes.as_chunks::<16>();
    for (at, chunk) in chunks.iter().enumerate() {
        let found = marks(*chunk);
        if found != 0 {
            return Some(at * 16 + found.trailing_zeros() as usize);
        }
    }
    if let Some(last) = bytes.last_chunk::<16>() {
        // Once more over some that are none.
        let found = marks(*last);
        return (found != 0).then(|| bytes.len() - 16 + found.trailing_zeros() as usize);
    }
    rest.iter().position(|byte| matches!(byte, b',' | b'+' | b'\\'))
}

/// A bit for each byte that is one, the lowest for the first.
#[inline]
fn marks(chunk: [u8; 16]) -> u32 {
    let chunk = u8x16::new(chunk);
    let is = |mark| chunk.simd_eq(u8x16::splat(mark));
    (is(b',') | is(b'+') | is(b'\\')).to_bitmask()
}

/// How many bytes of a type come first. Two, mostly.
#[inline]
fn kind_length(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [a, b, b'=', ..] if is_of_kind(*a) && is_of_kind(*b) => Some(2),
        _ => bytes.iter().position(|byte| !is_of_kind(*byte)),
    }
}

/// The value of the first part, if that is of this type and both are written plainly. `None` = look closely.
pub(super) fn plain_first<'a>(name: &'a str, kind: &str) -> Option<&'a str> {
    let (written, value) = name.as_bytes().split_at_checked(kind.len())?;
    let value = value.strip_prefix(b"=")?;
    if kind.is_empty() || !written.eq_ignore_ascii_case(kind.as_bytes()) || !kind.bytes().all(is_of_kind) {
        return None;
    }
    let length = next_mark(value).unwrap_or(value.len());
    let is_plain = value.get(length) != Some(&b'\\') && !matches!(value.first(), Some(b' ' | b'#'));
    let start = kind.len() + 1;
    (is_plain && length > 0 && value[length - 1] != b' ').then(|| &name[start..start + length])
}

/// Whether the RDNs read that stand before the comma at this place.
pub(super) fn reads_up_to(name: &str, comma: usize) -> bool {
    plainly_reads_up_to(name.as_bytes(), comma) || depth(&name[..comma]).is_some_and(|depth| depth > 0)
}

/// The same for RDNs of one part without escapes and without spaces around their types. `false` = look closely.
fn plainly_reads_up_to(name: &[u8], comma: usize) -> bool {
    let mut at = 0;
    while at < comma {
        let kind = name[at..].iter().take_while(|byte| is_of_kind(**byte)).count();
        if kind == 0 || name.get(at + kind) != Some(&b'=') {
            return false;
        }
        at += kind + 1;
        at += next_mark(&name[at..]).unwrap_or(name.len() - at);
        if name.get(at) != Some(&b',') {
            return false;
        }
        at += 1;
    }
    // Beyond it only if the name began with it.
    at == comma + 1
}

/// Where the commas, pluses and backslashes of a name are.
struct Marks<'a> {
    name: &'a [u8],
    /// A bit for each, of a name of 16 to 64 bytes.
    bits: Option<u64>,
}

impl<'a> Marks<'a> {
    #[inline]
    fn of(name: &'a [u8]) -> Self {
        // Four looks at sixteen bytes, which may overlap: no branch on how long the name is.
        let bits = (16..=64).contains(&name.len()).then(|| {
            [0, 16, 32, 48].into_iter().fold(0, |bits, from| {
                let from = from.min(name.len() - 16);
                name[from..].first_chunk::<16>().map_or(bits, |chunk| bits | u64::from(marks(*chunk)) << from)
            })
        });
        Self { name, bits }
    }

    /// The first one from this place on, or where the name ends.
    #[inline]
    fn next(&self, from: usize) -> usize {
        let found = match self.bits {
            Some(bits) => {
                let rest = if from < 64 { bits >> from } else { 0 };
                (rest != 0).then(|| rest.trailing_zeros() as usize)
            }
            None => next_mark(&self.name[from..]),
        };
        found.map_or(self.name.len(), |found| from + found)
    }

    /// The end of the value that begins here, if its RDN is this one part, and whether there are escapes in it. `None` = look
    /// closely.
    #[inline(always)]
    fn value_end(&self, start: usize) -> Option<(usize, bool)> {
        let mut end = start;
        let mut has_escapes = false;
        loop {
            end = self.next(end);
            match self.name.get(end) {
                None | Some(b',') => break,
                Some(b'\\') => end += escape_length(&self.name[end + 1..])?,
                Some(_) => return None,
            }
            has_escapes = true;
        }
        let has_hash_or_spaces = matches!(self.name[start..end], [b' ' | b'#', ..] | [.., b' ']);
        (!has_hash_or_spaces).then_some((end, has_escapes))
    }
}

/// Gives the parts of this type in a name of which every RDN is one part without spaces around; whether it is such a name,
/// and such a type. `false` = look closely, and forget what was given.
#[inline]
pub(super) fn plain_parts<'a>(name: &'a str, kind: &'a str, mut give: impl FnMut(Part<'a>)) -> bool {
    let Some(wanted) = PlainKind::new(kind) else { return false };
    let bytes = name.as_bytes();
    let marks = Marks::of(bytes);
    let mut at = 0;
    loop {
        let is_wanted = wanted.begins(&bytes[at..]);
        let length = if is_wanted { Some(kind.len()) } else { kind_length(&bytes[at..]) };
        // A longer type may be another spelling of this one.
        let Some(length @ 1..=4) = length else { return false };
        let start = at + length + 1;
        if bytes[at + length] != b'=' {
            return false;
        }
        let Some((end, has_escapes)) = marks.value_end(start) else { return false };
        if is_wanted {
            give(Part { kind, value: &name[start..end], has_escapes, is_last: true });
        }
        if end == bytes.len() {
            return true;
        }
        at = end + 1;
    }
}

/// How long the escape is whose backslash stands before this, with it; `None` for what is none.
#[inline]
fn escape_length(after: &[u8]) -> Option<usize> {
    match after {
        [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => Some(3),
        // It may begin a longer character; none of the following bytes looks like a mark.
        [first, ..] if !first.is_ascii_alphanumeric() => Some(2),
        _ => None,
    }
}

/// A type of at most four letters, so that it has no other spelling than in other case, with the `=` after it: found by one
/// comparison.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlainKind {
    length: usize,
    /// In lower case, the first byte the lowest.
    wanted: u64,
    /// The bits that count.
    mask: u64,
    /// The bits that make a letter of it lower case.
    case: u64,
}

impl PlainKind {
    pub(super) fn new(kind: &str) -> Option<Self> {
        let mut text = [0; 8];
        text.get_mut(..kind.len())?.copy_from_slice(kind.as_bytes());
        *text.get_mut(kind.len())? = b'=';
        let word = u64::from_le_bytes(text);
        // Of the bytes of a type only letters have this bit.
        let case = (word & 0x4040_4040_4040_4040) >> 1;
        let mask = u64::MAX >> (56 - 8 * kind.len());
        is_plain_kind(kind).then_some(Self { length: kind.len(), wanted: word | case, mask, case })
    }

    /// Whether a name, or the rest of one, begins with an RDN of this type.
    #[inline]
    fn begins(&self, name: &[u8]) -> bool {
        let mut padded = [0; 8];
        let first = name.first_chunk().unwrap_or_else(|| {
            padded[..name.len()].copy_from_slice(name);
            &padded
        });
        self.begins_with(*first)
    }

    #[inline]
    const fn begins_with(&self, first: [u8; 8]) -> bool {
        (u64::from_le_bytes(first) | self.case) & self.mask == self.wanted
    }
}

/// The value of the RDN before the comma at this place, if it is the only one, of this type, one part, and written plainly:
/// nearly every group. `None` = look closely.
#[inline(always)]
pub(super) fn plain_leaf(name: &str, comma: usize, wanted: PlainKind) -> Option<&str> {
    let bytes = name.as_bytes();
    let start = wanted.length + 1;
    if !wanted.begins_with(*bytes.first_chunk()?) || next_mark(bytes.get(start..)?)? + start != comma {
        return None;
    }
    let value = name.get(start..comma)?;
    (!matches!(value.as_bytes(), [b' ' | b'#', ..] | [.., b' '] | [])).then_some(value)
}

/// The first part of this type in a name of which every RDN before the comma at this place is one part without spaces
/// around. `None` = look closely.
#[inline(never)]
pub(super) fn plain_first_up_to<'a>(name: &'a str, comma: usize, kind: &'a str, wanted: PlainKind) -> Option<Part<'a>> {
    let bytes = name.as_bytes();
    let marks = Marks::of(bytes);
    let mut found = None;
    let mut at = 0;
    while at <= comma {
        let is_wanted = found.is_none() && wanted.begins(&bytes[at..]);
        let length = if is_wanted { wanted.length } else { kind_length(&bytes[at..]).filter(|length| *length > 0)? };
        // A longer type may be another spelling of this one.
        if bytes[at + length] != b'=' || (found.is_none() && length > 4) {
            return None;
        }
        let start = at + length + 1;
        let (end, has_escapes) = marks.value_end(start).filter(|(end, _)| *end > start)?;
        if is_wanted {
            found = Some(Part { kind, value: &name[start..end], has_escapes, is_last: true });
        }
        at = end + 1;
    }
    // Beyond it only if that comma ends an RDN.
    found.filter(|_| at == comma + 1)
}

/// Of at most four letters, so that it has no other spelling than in other case.
fn is_plain_kind(kind: &str) -> bool {
    (1..=4).contains(&kind.len()) && kind.bytes().all(is_of_kind)
}

/// The parts of an RDN or of a name, in one pass; after a `None` for one that does not read, nothing.
pub(super) struct Parts<'a> {
    rest: Option<&'a str>,
    /// Of the RDN so far.
    count: usize,
}

/// The parts of all RDNs of a name. Gives nothing for the empty name.
pub(super) fn all_parts(name: &str) -> Parts<'_> {
    Parts { rest: rdns(name).rest(), count: 0 }
}

/// The parts of one RDN.
pub(super) const fn parts(rdn: &str) -> Parts<'_> {
    Parts { rest: Some(rdn), count: 0 }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Option<Part<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?;
        let Some((part, rest)) = read(text).filter(|_| self.count < PARTS_MAX) else { return Some(None) };
        self.count = if part.is_last { 0 } else { self.count + 1 };
        self.rest = rest;
        Some(Some(part))
    }
}

/// The first part, and what follows it.
fn read(text: &str) -> Option<(Part<'_>, Option<&str>)> {
    let bytes = text.as_bytes();
    let length = bytes.iter().position(|byte| !is_of_kind(*byte))?;
    let (kind, start) = if length > 0 && bytes[length] == b'=' { (&text[..length], length + 1) } else { spaced_kind(text)? };
    let mut at = start;
    let mut has_escapes = false;
    let end = loop {
        let Some(found) = next_mark(&bytes[at..]) else {
            at = bytes.len();
            break None;
        };
        at += found;
        if bytes[at] != b'\\' {
            break Some(bytes[at]);
        }
        has_escapes = true;
        at += escape_length(&bytes[at + 1..])?;
    };
    let value = trim(&text[start..at]);
    let part = Part { kind, value, has_escapes, is_last: end != Some(b'+') };
    Some((part, end.map(|_| &text[at + 1..])))
}

/// Asked of every byte of every type: looked up rather than compared.
const OF_KIND: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        byte += 1;
    }
    table
};

#[inline]
const fn is_of_kind(byte: u8) -> bool {
    OF_KIND[byte as usize]
}

/// A type with white space around it, and where its value begins.
fn spaced_kind(text: &str) -> Option<(&str, usize)> {
    let (kind, _) = text.split_once('=')?;
    let name = kind.trim();
    (!name.is_empty() && name.bytes().all(is_of_kind)).then_some((name, kind.len() + 1))
}

/// Without the spaces around; one that is escaped belongs to the value.
fn trim(value: &str) -> &str {
    if !value.starts_with(' ') && !value.ends_with(' ') {
        return value;
    }
    let value = value.trim_start_matches(' ');
    let trimmed = value.trim_end_matches(' ');
    let backslashes = trimmed.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if backslashes % 2 == 1 && trimmed.len() < value.len() { &value[..=trimmed.len()] } else { trimmed }
}

impl<'a> Part<'a> {
    pub(super) fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
            || (self.kind.len() > 4 || kind.len() > 4) && {
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
    #[inline]
    pub(super) fn text(&self, call: &Call<'a>) -> &'a str {
        if self.has_escapes || self.value.starts_with('#') { self.read_text(call) } else { self.value }
    }

    fn read_text(&self, call: &Call<'a>) -> &'a str {
        let value = self.value;
        if let Some(hex) = value.strip_prefix('#') {
            return ber_text(call, hex).unwrap_or(value);
        }
        unescaped_letters(value, call).unwrap_or_else(|| self.read_bytes(call))
    }

    /// The general way: pairs of hexadecimal digits may be parts of a character.
    pub(super) fn read_bytes(&self, call: &Call<'a>) -> &'a str {
        let value = self.value;
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
        std::str::from_utf8(bytes.into_bump_slice()).unwrap_or(value)
    }

    fn equals(&self, other: &Part<'a>, call: &Call<'a>) -> bool {
        self.is(other.kind) && comparable(self.text(call)).eq(comparable(other.text(call)))
    }
}

/// A value in which what is escaped are characters, mostly a comma: pieces of text, which need not be checked to be some.
/// `None` = there is hexadecimal in it.
pub(super) fn unescaped_letters<'a>(value: &str, call: &Call<'a>) -> Option<&'a str> {
    let mut out = ArenaString::with_capacity_in(value.len(), call.arena);
    let (mut from, mut at) = (0, 0);
    while let Some(found) = memchr::memchr(b'\\', &value.as_bytes()[at..]) {
        let mark = at + found;
        if escape_length(&value.as_bytes()[mark + 1..]) != Some(2) {
            return None;
        }
        out.push_str(&value[from..mark]);
        from = mark + 1;
        // The escaped one may be a backslash, or begin a longer character.
        at = mark + 2;
    }
    out.push_str(&value[from..]);
    Some(out.into_bump_str())
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
pub(super) fn rdn_equal<'a>(call: &Call<'a>, a: &'a str, b: &'a str) -> bool {
    let has = |one: Part<'a>| parts(b).flatten().any(|other| one.equals(&other, call));
    a == b || (parts(a).count() == parts(b).count() && parts(a).all(|one| one.is_some_and(has)))
}

/// How many bytes at the end are the same but for ASCII case.
#[inline]
pub(super) fn common_tail(a: &[u8], b: &[u8]) -> usize {
    let (words_a, words_b) = (a.as_rchunks::<8>().1, b.as_rchunks::<8>().1);
    let mut same = 0;
    for (a, b) in words_a.iter().rev().zip(words_b.iter().rev()) {
        if a != b {
            let differ = in_lower_case(*a) ^ in_lower_case(*b);
            if differ != 0 {
                return same + differ.leading_zeros() as usize / 8;
            }
        }
        same += 8;
    }
    let (a, b) = (&a[..a.len() - same], &b[..b.len() - same]);
    same + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
}

/// ASCII letters in lower case, the last byte the highest.
#[inline]
const fn in_lower_case(bytes: [u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = ONES << 7;
    let word = u64::from_le_bytes(bytes);
    let low = word & !TOPS;
    // The top bit of a byte says whether it is at least that letter.
    let from_a = low + ONES * (0x80 - b'A' as u64);
    let beyond_z = low + ONES * (0x7f - b'Z' as u64);
    let upper = (from_a ^ beyond_z) & !word & TOPS;
    word | upper >> 2
}

/// Whether names that have this much of their tail in common end in RDNs that differ, as far as their text shows it at
/// once: the last bytes that differ are letters or digits in values that are written plainly. Gives the comma from which
/// on `a` has shown it, so that whatever has that comma and ends alike is apart as well. `None` = look closely. `plain_b` has a
/// bit for each of the first places of `b` up to which it has been found to be written plainly.
pub(super) fn ends_apart(a: &[u8], b: &[u8], common: usize, plain_b: &mut u64) -> Option<usize> {
    let (in_a, in_b) = (a.len().checked_sub(common + 1)?, b.len().checked_sub(common + 1)?);
    // What follows is the same in both.
    let end = next_mark(&a[in_a + 1..]).map_or(b',', |found| a[in_a + 1 + found]);
    let place = if in_b < 64 { 1 << in_b } else { 0 };
    if *plain_b & place == 0 {
        plainly_written_from(b, in_b)?;
        *plain_b |= place;
    }
    plainly_written_from(a, in_a).filter(|_| end == b',')
}

/// Whether the byte is a letter or digit in the value of an RDN that is, up to there, one part without escapes or
/// hexadecimal; if so, where the comma before that RDN is, or the end of the name where there is none.
fn plainly_written_from(name: &[u8], at: usize) -> Option<usize> {
    let before = name.get(..at)?;
    let (start, has_value) = match before.last_chunk::<16>().map(|last| u8x16::new(*last)) {
        Some(last) if stops(last) != 0 => {
            let stop = 31 - stops(last).leading_zeros();
            (Some(at - 16 + stop as usize), last.simd_eq(u8x16::splat(b'=')).to_bitmask() >> stop != 0)
        }
        // An RDN that is longer than most, or the first.
        _ => {
            let stop = before.iter().rposition(|byte| matches!(byte, b',' | b'\\' | b'+' | b'#'));
            (stop, before[stop.unwrap_or(0)..].contains(&b'='))
        }
    };
    let start = match start {
        // Nothing is known of what comes before the same text in another name.
        None => name.len(),
        Some(0) if name[0] == b',' => name.len(),
        Some(comma) if name[comma] == b',' && comma > 0 && name[comma - 1] != b'\\' => comma,
        Some(_) => return None,
    };
    (name[at].is_ascii_alphanumeric() && has_value).then_some(start)
}

/// A bit for each byte that ends what is written plainly.
#[inline]
fn stops(chunk: u8x16) -> u32 {
    let is = |mark| chunk.simd_eq(u8x16::splat(mark));
    (is(b',') | is(b'\\') | is(b'+') | is(b'#')).to_bitmask()
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
    if kind.len() <= 4 {
        return None;
    }
    let oid = kind.strip_prefix("OID.").or_else(|| kind.strip_prefix("oid.")).unwrap_or(kind);
    let long = !kind.contains('.');
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
