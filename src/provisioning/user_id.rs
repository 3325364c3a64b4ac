//! The public `user_id` (design §3): made once, from the identity that creates the profile. Owns its form and
//! nothing else; whether it is taken comes from outside.

use crate::model::connection::{Connection, ConnectionKind};
use crate::model::ids::ConnectionId;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Longest part after the connection's, in characters.
const PART_MAX: usize = 128;

/// `{strategy}|{connection}|{external_id}`, or `{strategy}|{external_id}` for databases and for a social connection that is named
/// like its strategy. Without an external id the
/// identity's own id stands in. What is too long or holds other characters becomes `~` and 32 hex of its SHA-256.
pub fn wanted(connection: &Connection, external_id: Option<&str>, identity_id: &str) -> String {
    let part = match external_id {
        None => identity_id.to_owned(),
        Some(text) if text.len() <= PART_MAX && !text.is_empty() && text.bytes().all(is_plain) => text.to_owned(),
        Some(text) => format!("~{}", &hex(&Sha256::digest(text))[..32]),
    };
    match connection.kind {
        ConnectionKind::Database => format!("{}|{part}", connection.kind.strategy()),
        // No other connection's: an external id with a `|` is hashed.
        kind if kind.is_social() && connection.name == kind.strategy() => format!("{}|{part}", kind.strategy()),
        _ => format!("{}|{}|{part}", connection.kind.strategy(), connection.name),
    }
}

/// `wanted`, or the first of `wanted~2`, `wanted~3`, … that nobody bears or bore: another person never gets it.
pub fn free(wanted: &str, taken: &[String]) -> String {
    if !taken.iter().any(|id| id == wanted) {
        return wanted.to_owned();
    }
    (2_u32..)
        .map(|n| format!("{wanted}~{n}"))
        .find(|candidate| !taken.contains(candidate))
        .expect("a finite list leaves a number free")
}

/// What stays of an identity that was removed: enough to know it again, not to read it.
pub fn tombstone(connection: &ConnectionId, external_id: &str) -> String {
    format!("{connection}|{}", hex(&Sha256::digest(external_id)))
}

/// The same of the name that was pushed of it, folded: where people are known by that, they log in with it.
pub fn name_tombstone(connection: &ConnectionId, user_name_key: &str) -> String {
    format!("{connection}|name|{}", hex(&Sha256::digest(user_name_key)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_borne_id_is_never_given_twice() {
        let taken = ["scim|a|1".to_owned(), "scim|a|1~2".to_owned()];
        assert_eq!(free("scim|a|1", &taken), "scim|a|1~3");
        assert_eq!(free("scim|a|2", &taken), "scim|a|2");
    }
}
