//! The one form two spellings are compared in. The application folds, never the database: `lower()` differs
//! between SQLite and PostgreSQL.

use icu_casemap::CaseMapper;
use unicode_normalization::UnicodeNormalization;

/// Longest value key in bytes; what is longer is cut and ends in its SHA-256, so an index entry stays small.
pub const KEY_BYTES_MAX: usize = 512;

/// Case-folded (full Unicode folding) and composed (NFC): `Straße` = `STRASSE`, `É` = `e` + U+0301 folded.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let composed: String = text.nfc().collect();
    CaseMapper::new().fold_string(&composed).nfc().collect()
}

/// The form a searchable value is stored and looked up in.
pub fn value_key(text: &str, case_exact: bool) -> String {
    if case_exact { text.into() } else { fold(text) }
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn pairs_that_differ_only_in_case_fold_alike() {
        for (a, b) in
            [("BJensen", "bjensen"), ("STRASSE", "straße"), ("ÄRGER", "ärger"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("e\u{301}A", "ÉA")]
        {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
    }
}
