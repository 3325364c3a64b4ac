//! The one form two spellings are compared in. The application folds, never the database: `lower()` differs
//! between SQLite and PostgreSQL.

use icu_casemap::CaseMapper;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// Longest value key in bytes; what is longer is cut and ends in its SHA-256, so an index entry stays small.
pub const KEY_BYTES_MAX: usize = 512;

/// Stands before the SHA-256 of a key that was cut. A value that holds it is hashed too, so no value looks like
/// another one's cut key.
pub const CUT: char = '\u{1f}';
/// Bytes kept of a value that is cut: what the mark and 64 hex digits leave.
pub const KEPT_MAX: usize = KEY_BYTES_MAX - 65;

/// Case-folded (full Unicode folding) and composed (NFC): `Straße` = `STRASSE`, `É` = `e` + U+0301 folded.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let composed: String = text.nfc().collect();
    CaseMapper::new().fold_string(&composed).nfc().collect()
}

/// The form in which a searchable value is stored and compared: folded unless case counts, at most
/// [`KEY_BYTES_MAX`] bytes. Writers leave out empty values.
pub fn value_key(text: &str, case_exact: bool) -> String {
    let folded = if case_exact { text.to_owned() } else { fold(text) };
    if folded.len() <= KEY_BYTES_MAX && !folded.contains(CUT) {
        return folded;
    }
    let mut end = folded.len().min(KEPT_MAX);
    while !folded.is_char_boundary(end) {
        end -= 1;
    }
    let digest = Sha256::digest(&folded);
    digest.iter().fold(format!("{}{CUT}", &folded[..end]), |key, byte| format!("{key}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_differ_only_in_case_fold_alike() {
        for (a, b) in
            [("BJensen", "bjensen"), ("STRASSE", "straße"), ("ÄRGER", "ärger"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("e\u{301}A", "ÉA")]
        {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
    }

    #[test]
    fn keys_are_bounded_and_no_value_looks_like_anothers_cut_key() {
        let long = "É".repeat(400);
        let key = value_key(&long, true);
        assert!(key.len() <= KEY_BYTES_MAX && key.len() > KEY_BYTES_MAX - 4, "{}", key.len());
        assert_ne!(value_key(&key, true), key);
        assert_eq!(value_key("BJensen", false), "bjensen");
        assert_eq!(value_key("BJensen", true), "BJensen");
        assert_ne!(value_key(&format!("{long}a"), true), value_key(&format!("{long}b"), true));
    }
}
