//! Cursors (RFC 9865): where the next page begins, sealed, so that the server keeps nothing and nobody can make one.
//!
//! Owns: what a cursor is bound to. It opens only for the same tenant, connection and token and the same question (kinds,
//! filter, order, attributes), by what is sealed beside it; it holds the size of its pages, the last key and id, and
//! when it was given out. Refuses: telling why one does not open.

use crate::clock::{Entropy, Micros, SECOND};
use crate::model::query::order::Key;
use crate::scim::error::{ScimError, ScimType};
use crate::secret::KeyRing;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest cursor that is looked at. A key of 3 KiB, sealed and as base64, is not much over 4 KiB.
const TEXT_MAX: usize = 8 * 1024;

/// Where a page begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Begin {
    /// Which part of the list: several kinds without an order are one after the other.
    pub stage: usize,
    /// After this key and id; `None`: at the first of the part.
    pub position: Option<Position>,
}

impl Begin {
    pub(super) const FIRST: Self = Self { stage: 0, position: None };
}

/// After the resource with this key and id, whether or not it still is there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Position {
    pub key: Key,
    pub id: String,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    issued_at: Micros,
    count: i64,
    stage: usize,
    after: Option<(String, String)>,
}

/// Seals and opens the cursors of one list.
pub(super) struct Cursors<'a> {
    pub keys: &'a KeyRing,
    /// What they are bound to: [`bound_to`].
    pub bound_to: String,
    pub count: i64,
    pub now: Micros,
    pub lives_s: u32,
}

/// Names the asker and the question; the texts are taken apart by their lengths.
pub(super) fn bound_to(asker: &[&str], question: &[&str]) -> String {
    let digest = |texts: &[&str]| {
        let mut hash = Sha256::new();
        for text in texts {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    };
    format!("scim cursor {} {}", digest(asker), digest(question))
}

impl Cursors<'_> {
    pub(super) fn seal(&self, begin: &Begin, entropy: &Entropy) -> String {
        let after = begin.position.as_ref().map(|position| (position.key.encode(), position.id.clone()));
        let sealed = Sealed { issued_at: self.now, count: self.count, stage: begin.stage, after };
        let plain = serde_json::to_vec(&sealed).unwrap_or_default();
        self.keys.seal_text(&plain, &self.bound_to, entropy)
    }

    /// Reads a cursor; the empty one begins.
    ///
    /// Errors: `invalidCursor` for what was not sealed for this list, `expiredCursor`, `invalidCount` if the pages are to be
    /// of another size.
    pub(super) fn open(&self, text: &str) -> Result<Begin, ScimError> {
        if text.is_empty() {
            return Ok(Begin::FIRST);
        }
        let sealed = self.opened(text).ok_or_else(not_of_this_list)?;
        if self.now.saturating_sub(sealed.issued_at) > i64::from(self.lives_s) * SECOND {
            let detail = format!("the cursor is older than {} seconds: begin with an empty one", self.lives_s);
            return Err(ScimError::of(ScimType::ExpiredCursor, detail));
        }
        if sealed.count != self.count {
            let detail = format!("count was {} at first and must stay so while a cursor is followed", sealed.count);
            return Err(ScimError::of(ScimType::InvalidCount, detail));
        }
        let read = |(key, id): (String, String)| Key::decode(&key).map(|key| Position { key, id }).ok_or_else(not_of_this_list);
        Ok(Begin { stage: sealed.stage, position: sealed.after.map(read).transpose()? })
    }

    fn opened(&self, text: &str) -> Option<Sealed> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let plain = self.keys.open_text(text, &self.bound_to).ok()?;
        serde_json::from_slice(plain.expose()).ok()
    }
}

fn not_of_this_list() -> ScimError {
    let detail = "the cursor is not one of this list: repeat all other parameters as they were, or begin with an empty cursor";
    ScimError::of(ScimType::InvalidCursor, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn ring(byte: u8, old: Option<u8>) -> KeyRing {
        KeyRing::new(Secret::new([byte; 32]), old.map(|old| Secret::new([old; 32])))
    }

    fn cursors<'a>(keys: &'a KeyRing, bound_to: &str, now: Micros) -> Cursors<'a> {
        Cursors { keys, bound_to: bound_to.into(), count: 10, now, lives_s: 600 }
    }

    fn begin() -> Begin {
        Begin { stage: 1, position: Some(Position { key: Key::Text("ünï".into()), id: "0190".into() }) }
    }

    fn kind(result: Result<Begin, ScimError>) -> ScimType {
        result.expect_err("refused").scim_type.expect("a scimType")
    }

    #[test]
    fn a_cursor_opens_where_it_was_made_and_nowhere_else() {
        let keys = ring(1, None);
        let here = cursors(&keys, "here", 5);
        let text = here.seal(&begin(), &Entropy::system());
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)));
        assert_eq!(here.open(&text), Ok(begin()));
        assert_eq!(here.open(""), Ok(Begin::FIRST));
        assert_eq!(kind(cursors(&keys, "there", 5).open(&text)), ScimType::InvalidCursor);
        for (at, _) in text.char_indices() {
            let mut forged = text.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).expect("ASCII");
            assert_eq!(kind(here.open(&forged)), ScimType::InvalidCursor, "character {at}");
        }
        assert_eq!(kind(here.open(&"A".repeat(100_000))), ScimType::InvalidCursor);
    }

    #[test]
    fn a_cursor_expires_and_not_before() {
        let keys = ring(1, None);
        let text = cursors(&keys, "here", 0).seal(&begin(), &Entropy::system());
        assert!(cursors(&keys, "here", 600 * SECOND).open(&text).is_ok());
        assert_eq!(kind(cursors(&keys, "here", 600 * SECOND + 1).open(&text)), ScimType::ExpiredCursor);
    }

    #[test]
    fn another_size_of_pages_is_an_invalid_count() {
        let keys = ring(1, None);
        let text = cursors(&keys, "here", 0).seal(&begin(), &Entropy::system());
        let other = Cursors { count: 11, ..cursors(&keys, "here", 0) };
        assert_eq!(kind(other.open(&text)), ScimType::InvalidCount);
    }

    #[test]
    fn while_keys_rotate_cursors_go_on() {
        let text = cursors(&ring(1, None), "here", 0).seal(&begin(), &Entropy::system());
        assert!(cursors(&ring(2, Some(1)), "here", 0).open(&text).is_ok());
        assert_eq!(kind(cursors(&ring(2, None), "here", 0).open(&text)), ScimType::InvalidCursor);
    }

    #[test]
    fn texts_can_not_be_moved_between_parameters() {
        assert_ne!(bound_to(&["ab", "c"], &[]), bound_to(&["a", "bc"], &[]));
        assert_ne!(bound_to(&["a"], &["b"]), bound_to(&["b"], &["a"]));
    }
}
