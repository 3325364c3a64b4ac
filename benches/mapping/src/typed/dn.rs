//! What the mapping asks of a distinguished name (RFC 4514). Multi-valued RDNs don't occur in the entries.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use memchr::{memchr, memchr2};

/// Whether the name lies below the base. The case of either doesn't count.
pub fn under(dn: &str, base: &[u8]) -> bool {
    let Some(above) = dn.len().checked_sub(base.len() + 1) else { return false };
    let (head, tail) = dn.as_bytes().split_at(above);
    // A comma that is escaped separates nothing.
    tail[0] == b',' && (tail[1..] == *base || tail[1..].eq_ignore_ascii_case(base)) && !ends_escaped(head)
}

fn ends_escaped(head: &[u8]) -> bool {
    head.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The value of the first RDN of that type, unescaped.
pub fn first_value<'e>(dn: &'e str, kind: &[u8; 2], arena: &'e Bump) -> Option<&'e str> {
    let mut rest = dn;
    while !rest.is_empty() {
        let (rdn, escaped) = next_rdn(&mut rest);
        if let Some(value) = value_of(rdn, kind) {
            return Some(if escaped { unescape(value, arena) } else { value });
        }
    }
    None
}

/// The values of all RDNs of that type, unescaped, in the order of the name.
pub fn values<'e>(dn: &'e str, kind: &[u8; 2], arena: &'e Bump) -> &'e [&'e str] {
    let mut values = BumpVec::with_capacity_in(4, arena);
    let mut rest = dn;
    while !rest.is_empty() {
        let (rdn, escaped) = next_rdn(&mut rest);
        if let Some(value) = value_of(rdn, kind) {
            values.push(if escaped { unescape(value, arena) } else { value });
        }
    }
    values.into_bump_slice()
}

/// Takes the next RDN off the name; whether it has escapes.
fn next_rdn<'e>(rest: &mut &'e str) -> (&'e str, bool) {
    let dn = *rest;
    let bytes = dn.as_bytes();
    let (mut at, mut escaped) = (0, false);
    let end = loop {
        match memchr2(b',', b'\\', &bytes[at..]) {
            None => break bytes.len(),
            Some(offset) if bytes[at + offset] == b',' => break at + offset,
            Some(offset) => {
                escaped = true;
                // What follows a backslash is one character or a hex pair; neither half of a pair is special.
                at = (at + offset + 2).min(bytes.len());
            }
        }
    };
    *rest = dn.get(end + 1..).unwrap_or("");
    (&dn[..end], escaped)
}

fn value_of<'e>(rdn: &'e str, kind: &[u8; 2]) -> Option<&'e str> {
    match rdn.as_bytes() {
        [a, b, b'=', ..] if a.eq_ignore_ascii_case(&kind[0]) && b.eq_ignore_ascii_case(&kind[1]) => Some(&rdn[3..]),
        _ => None,
    }
}

/// `\,` is a comma, `\C3\A9` is é. A pair that makes no UTF-8 becomes U+FFFD.
fn unescape<'e>(value: &'e str, arena: &'e Bump) -> &'e str {
    let mut bytes = BumpVec::with_capacity_in(value.len(), arena);
    let mut rest = value.as_bytes();
    while let Some(at) = memchr(b'\\', rest) {
        bytes.extend_from_slice(&rest[..at]);
        rest = match rest[at + 1..] {
            [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex_digit(high) << 4 | hex_digit(low));
                &rest[at + 3..]
            }
            [byte, ..] => {
                bytes.push(byte);
                &rest[at + 2..]
            }
            [] => &[],
        };
    }
    bytes.extend_from_slice(rest);
    match str::from_utf8(bytes.into_bump_slice()) {
        Ok(text) => text,
        Err(_) => "\u{fffd}",
    }
}

fn hex_digit(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { (digit | 0x20) - b'a' + 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_under_a_base_whatever_the_case() {
        assert!(under("CN=a,OU=Apps,DC=x", b"OU=Apps,DC=x"));
        assert!(under("CN=a,ou=APPS,dc=X", b"OU=Apps,DC=x"));
        assert!(!under("CN=a,OU=Other,DC=x", b"OU=Apps,DC=x"));
        assert!(!under("OU=Apps,DC=x", b"OU=Apps,DC=x"));
        assert!(!under(r"CN=a\,OU=Apps,DC=x", b"OU=Apps,DC=x"));
    }

    #[test]
    fn values_are_unescaped() {
        let arena = Bump::new();
        assert_eq!(first_value(r"CN=Lee\, Ann,OU=A", b"CN", &arena), Some("Lee, Ann"));
        assert_eq!(first_value(r"CN=Ren\C3\A9,OU=A", b"CN", &arena), Some("René"));
        assert_eq!(values(r"CN=x,OU=A\\,ou=B,DC=c", b"OU", &arena), [r"A\", "B"]);
        assert_eq!(first_value("OU=A", b"CN", &arena), None);
    }
}
