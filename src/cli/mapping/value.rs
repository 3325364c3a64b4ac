//! Values on one line, cut and safe for a terminal; instants, seeds and shares as arguments.

use crate::clock::Micros;
use serde_json::Value;

/// Characters of a value that are shown.
const SHOWN_MAX: usize = 80;

/// A value as short JSON text.
pub fn short(value: &Value) -> String {
    cut(&value.to_string())
}

/// Text of one line; what can't be printed is left out.
pub fn cut(text: &str) -> String {
    let text = crate::cli::output::printable(text);
    match text.char_indices().nth(SHOWN_MAX) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

pub fn instant(text: &str) -> Result<Micros, String> {
    let wanted = |_| format!("`{text}` is no instant like 2026-11-20T23:50:00Z");
    text.parse::<jiff::Timestamp>().map(|at| at.as_microsecond()).map_err(wanted)
}

/// The seed of `uuid()` and `random_string()`, as a test's `seed` sets it.
pub fn seed(number: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    seed
}

/// `20` entries, or `5%` of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Share {
    Count(u64),
    Percent(f64),
}

impl Share {
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = || format!("`{text}` is neither a number of entries like 20 nor a share like 5%");
        match text.strip_suffix('%') {
            Some(number) => {
                let percent: f64 = number.parse().map_err(|_| wanted())?;
                if (0.0..=100.0).contains(&percent) { Ok(Self::Percent(percent)) } else { Err(wanted()) }
            }
            None => text.parse().map(Self::Count).map_err(|_| wanted()),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a share of more than 2^53 entries is near enough")]
    pub fn is_exceeded(self, changed: u64, all: u64) -> bool {
        match self {
            Self::Count(limit) => changed > limit,
            Self::Percent(limit) => changed as f64 * 100.0 > limit * all as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_exceeded_by_more_than_it_and_by_nothing_of_nothing() {
        let five = Share::parse("5%").unwrap();
        assert!(!five.is_exceeded(5, 100) && five.is_exceeded(6, 100) && !five.is_exceeded(0, 0));
        let two = Share::parse("2").unwrap();
        assert!(!two.is_exceeded(2, 2) && two.is_exceeded(3, 1_000));
        for wrong in ["", "%", "-1", "101%", "NaN%", "five"] {
            assert!(Share::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn long_and_unprintable_text_is_cut() {
        assert_eq!(cut("a\u{1b}[2J"), "a\u{fffd}[2J");
        assert_eq!(cut(&"x".repeat(81)), format!("{}…", "x".repeat(80)));
    }
}
