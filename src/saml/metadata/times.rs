//! When metadata is looked at again. Pure.

use super::certificates::DAY;
use crate::clock::{Micros, SECOND};

const MINUTE: Micros = 60 * SECOND;
/// However often the identity provider wants to be asked.
const EVERY_MIN: Micros = 5 * MINUTE;
/// However seldom.
const EVERY_MAX: Micros = DAY;
/// After the first failure; each further one doubles it.
const RETRY_MIN: Micros = 2 * MINUTE;
const RETRY_MAX: Micros = 6 * 60 * MINUTE;

/// After it was read: by its own word, once a day at the least, and twice before it may no longer be believed. Up to a quarter
/// earlier, by what was `drawn`, so that not everything is fetched at once.
pub fn next_at(now: Micros, cache: Option<Micros>, valid_until: Option<Micros>, drawn: u8) -> Micros {
    let left = valid_until.map(|until| (until - now) / 2);
    let every = [cache, left].into_iter().flatten().fold(EVERY_MAX, Micros::min);
    now + earlier(every, drawn).max(EVERY_MIN)
}

/// After `failures` in a row.
pub fn retry_at(now: Micros, failures: i64, drawn: u8) -> Micros {
    let doubled = u32::try_from(failures.saturating_sub(1).clamp(0, 16)).unwrap_or(16);
    now + earlier((RETRY_MIN << doubled).min(RETRY_MAX), drawn)
}

fn earlier(span: Micros, drawn: u8) -> Micros {
    span - span / 4 * i64::from(drawn) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = 1_764_000_000_000_000;
    const HOUR: Micros = 60 * MINUTE;

    #[test]
    fn metadata_is_read_again_by_its_own_word_within_bounds() {
        assert_eq!(next_at(NOW, None, None, 0) - NOW, 24 * HOUR);
        assert_eq!(next_at(NOW, Some(6 * HOUR), None, 0) - NOW, 6 * HOUR);
        assert_eq!(next_at(NOW, Some(30 * DAY), None, 0) - NOW, 24 * HOUR);
        assert_eq!(next_at(NOW, Some(SECOND), None, 255) - NOW, 5 * MINUTE);
        assert_eq!(next_at(NOW, Some(-SECOND), None, 0) - NOW, 5 * MINUTE);
    }

    #[test]
    fn metadata_is_read_again_before_it_may_no_longer_be_believed() {
        assert_eq!(next_at(NOW, None, Some(NOW + 4 * HOUR), 0) - NOW, 2 * HOUR);
        assert_eq!(next_at(NOW, Some(HOUR), Some(NOW + 4 * HOUR), 0) - NOW, HOUR);
        assert_eq!(next_at(NOW, None, Some(NOW - HOUR), 0) - NOW, 5 * MINUTE);
    }

    #[test]
    fn what_is_drawn_moves_it_up_to_a_quarter_earlier() {
        assert_eq!(next_at(NOW, None, None, 255) - NOW, 18 * HOUR);
        let drawn: Vec<Micros> = (0..=255).map(|drawn| next_at(NOW, None, None, drawn)).collect();
        assert!(drawn.windows(2).all(|pair| pair[0] > pair[1]), "each another instant");
    }

    #[test]
    fn each_failure_waits_twice_as_long_up_to_six_hours() {
        let waits: Vec<Micros> = (1..=10).map(|failures| (retry_at(NOW, failures, 0) - NOW) / MINUTE).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 360, 360]);
        assert_eq!(retry_at(NOW, i64::MAX, 0) - NOW, 6 * HOUR);
    }
}
