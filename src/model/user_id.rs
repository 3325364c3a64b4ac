//! The public `user_id` (design §3): made once, from the identity that creates the profile. Owns its form; whether it is taken comes
//! from outside.

use super::connection::ConnectionKind;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Longest part after the connection's, in characters.
const PART_MAX: usize = 128;

/// `{strategy}|{connection}|{external_id}`, or `{strategy}|{external_id}` for databases and for a social connection that is named
/// like its strategy. Without an external id the identity's own id stands in. What is too long or holds other characters becomes
/// `~` and 32 hex of its SHA-256.
pub fn wanted(kind: ConnectionKind, connection: &str, external_id: Option<&str>, identity_id: &str) -> String {
    let part = match external_id {
        None => identity_id.to_owned(),
        Some(text) if text.len() <= PART_MAX && !text.is_empty() && text.bytes().all(is_plain) => text.to_owned(),
        Some(text) => format!("~{}", &hex(&Sha256::digest(text))[..32]),
    };
    match kind {
        ConnectionKind::Database => format!("{}|{part}", kind.strategy()),
        // No other connection's: an external id with a `|` is hashed.
        kind if kind.is_social() && connection == kind.strategy() => format!("{}|{part}", kind.strategy()),
        _ => format!("{}|{connection}|{part}", kind.strategy()),
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'+' | b':' | b'~' | b'-')
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
