//! Times as they are typed: `90d`, `12h`, `30m`, `never`, or an RFC 3339 instant.

use crate::clock::{Micros, SECOND};

/// When something ends. Kept as typed until "now" is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    Never,
    After(Micros),
    At(Micros),
}

/// Longest span: ten years.
const DAYS_MAX: i64 = 3_650;

impl Expiry {
    /// The instant it names, counted from `now`; `None` for never.
    pub fn instant(self, now: Micros) -> Option<Micros> {
        match self {
            Self::Never => None,
            Self::After(span) => Some(now.saturating_add(span)),
            Self::At(at) => Some(at),
        }
    }
}

impl std::str::FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || {
            format!(
                "`{text}` is no time: wanted a span like 90d, 12h, 30m or 45s, an instant like 2027-01-31T00:00:00Z, or never"
            )
        };
        if text == "never" {
            return Ok(Self::Never);
        }
        if text.contains('T') {
            return text.parse::<jiff::Timestamp>().map(|at| Self::At(at.as_microsecond())).map_err(|_| wanted());
        }
        let unit = match text.as_bytes().last() {
            Some(b'd') => 86_400,
            Some(b'h') => 3_600,
            Some(b'm') => 60,
            Some(b's') => 1,
            _ => return Err(wanted()),
        };
        let number: i64 = text[..text.len() - 1].parse().map_err(|_| wanted())?;
        let seconds = number.checked_mul(unit).filter(|seconds| (1..=DAYS_MAX * 86_400).contains(seconds));
        seconds.map(|seconds| Self::After(seconds * SECOND)).ok_or_else(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_from_now_and_instants_stand_for_themselves() {
        assert_eq!("90d".parse::<Expiry>().expect("valid").instant(0), Some(90 * 86_400 * SECOND));
        assert_eq!("30m".parse::<Expiry>().expect("valid").instant(5), Some(1_800 * SECOND + 5));
        assert_eq!("1970-01-01T00:00:01Z".parse::<Expiry>().expect("valid").instant(99), Some(SECOND));
        assert_eq!("never".parse::<Expiry>().expect("valid").instant(0), None);
    }

    #[test]
    fn anything_else_is_refused_with_examples() {
        for bad in ["", "90", "d", "-1d", "0d", "1y", "99999d", "é", "2027-13-01T00:00:00Z"] {
            assert!(bad.parse::<Expiry>().unwrap_err().contains("90d"), "{bad}");
        }
    }
}
