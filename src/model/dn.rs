//! Distinguished names as keys: two spellings of one name (RFC 4514 §2.4, §3) come to the same key. Pure. Owns what counts
//! as the same name here: attribute types and values without case, runs of spaces as one, escapes as what they stand for,
//! the parts of a multi-valued RDN in any order. Refuses nothing: what is no DN has a key too, of its text.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The key of a DN: 32 hex, however long it is.
pub fn dn_key(dn: &str) -> String {
    let digest = Sha256::digest(canonical(dn));
    digest[..16].iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// RDN after RDN, each its sorted `type=value` parts; separated by bytes that can't occur in a part.
fn canonical(dn: &str) -> String {
    let rdns = split(dn, |c| c == ',' || c == ';').into_iter().map(|rdn| {
        let mut parts: Vec<String> = split(&rdn, |c| c == '+').iter().map(|part| pair(part)).collect();
        parts.sort_unstable();
        parts.join("\u{1}")
    });
    rdns.collect::<Vec<_>>().join("\u{2}")
}

/// `type=value` with both in one form.
fn pair(part: &str) -> String {
    let (kind, value) = part.split_once('=').unwrap_or(("", part));
    let kind = kind.trim().to_lowercase();
    let kind = kind.strip_prefix("oid.").unwrap_or(&kind);
    format!("{kind}={}", plain(value))
}

/// A value without escapes and quotes, folded, its spaces as one.
fn plain(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = trimmed(value).bytes().peekable();
    let quoted = rest.peek() == Some(&b'"');
    if quoted {
        rest.next();
    }
    while let Some(byte) = rest.next() {
        match byte {
            b'"' if quoted => break,
            b'\\' => {
                let Some(first) = rest.next() else { break };
                let second = rest.peek().copied();
                match (hex(first), second.and_then(hex)) {
                    (Some(high), Some(low)) => {
                        rest.next();
                        bytes.push(high * 16 + low);
                    }
                    _ => bytes.push(first),
                }
            }
            other => bytes.push(other),
        }
    }
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without the spaces around it; one that is escaped stays.
fn trimmed(value: &str) -> &str {
    let value = value.trim_start();
    let end = value.trim_end();
    let escapes = end.bytes().rev().take_while(|byte| *byte == b'\\').count();
    // An odd number of them: the last one escapes the space after it.
    if escapes % 2 == 1 && end.len() < value.len() { &value[..=end.len()] } else { end }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Splits at separators that are neither escaped nor in quotes.
fn split(text: &str, is_separator: impl Fn(char) -> bool) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut escaped, mut quoted) = (false, false);
    for character in text.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if !quoted && is_separator(character) => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(character);
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_have_one_key() {
        for (one, other) in [
            ("uid=ann,ou=people,dc=x", "UID=Ann, OU=People , DC=X"),
            (r"cn=Lee\, Ann,dc=x", r"cn=Lee\2c Ann,dc=x"),
            (r"cn=Lee\, Ann,dc=x", r#"CN="Lee, Ann",DC=x"#),
            (r"cn=M\c3\bcller,dc=x", "cn=müller,dc=x"),
            ("cn=a  b,dc=x", "cn=A B,dc=x"),
            ("uid=1+cn=a,dc=x", "cn=A + uid=1,dc=x"),
            ("2.5.4.3=a", "OID.2.5.4.3=a"),
        ] {
            assert_eq!(dn_key(one), dn_key(other), "{one} {other}");
        }
    }

    #[test]
    fn other_names_have_other_keys() {
        for (one, other) in [
            ("uid=ann,dc=x", "uid=ann,dc=y"),
            ("uid=ann,dc=x", "cn=ann,dc=x"),
            ("uid=a,ou=b,dc=x", r"uid=a\,ou=b,dc=x"),
            ("uid=a+cn=b", r"uid=a\+cn=b"),
            (r"cn=a\ ,dc=x", r"cn=a\\,dc=x"),
        ] {
            assert_ne!(dn_key(one), dn_key(other), "{one} {other}");
        }
        for odd in ["", ",", "=", "\\", "\"", "a=\\4", "a=\"b"] {
            assert_eq!(dn_key(odd).len(), 32, "{odd}");
        }
    }
}
