//! When an event that was not taken is tried again, and when that ends. Pure: time and chance are arguments.

use crate::clock::{Micros, SECOND};

/// Longest that a receiver may ask to be left alone.
const RETRY_AFTER_MAX: Micros = 24 * 3_600 * SECOND;
/// Longest rest of a receiver that seems to be away: it is looked for often, since nothing else is sent meanwhile.
const REST_MAX: Micros = 300 * SECOND;
/// Failures in a row, each of another person or group, after which a receiver seems to be away.
pub const AWAY_AFTER: i64 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// After the first try.
    pub first: Micros,
    /// Between two tries at most.
    pub most: Micros,
    /// From the first try to the last.
    pub total: Micros,
}

impl Schedule {
    /// When to try again after `attempts` tries, the first of them at `first_at`; `None`: that was the last. `chance` is any byte.
    pub fn next(&self, attempts: i64, first_at: Micros, now: Micros, retry_after: Option<Micros>, chance: u8) -> Option<Micros> {
        let times = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        let wait = 4_i64.checked_pow(times).and_then(|factor| self.first.checked_mul(factor)).unwrap_or(self.most).min(self.most);
        let wait = jittered(wait, chance).max(asked(retry_after));
        let next = now.saturating_add(wait);
        (next <= first_at.saturating_add(self.total)).then_some(next)
    }

    /// Until when a receiver is left alone after so many failures in a row; `None`: it is not.
    pub fn rest(&self, failures: i64, now: Micros, retry_after: Option<Micros>, chance: u8) -> Option<Micros> {
        let away = failures >= AWAY_AFTER;
        let times = u32::try_from((failures - AWAY_AFTER).max(0)).unwrap_or(u32::MAX);
        let wait = 2_i64.checked_pow(times).and_then(|factor| self.first.checked_mul(factor)).unwrap_or(REST_MAX).min(REST_MAX);
        let wait = if away { jittered(wait, chance) } else { 0 }.max(asked(retry_after));
        (wait > 0).then(|| now.saturating_add(wait))
    }
}

fn asked(retry_after: Option<Micros>) -> Micros {
    retry_after.unwrap_or(0).clamp(0, RETRY_AFTER_MAX)
}

/// A fifth less to a fifth more, so that what failed together does not come again together.
fn jittered(wait: Micros, chance: u8) -> Micros {
    wait.saturating_mul(4) / 5 + wait.saturating_mul(2) / 5 * i64::from(chance) / 255
}

/// `Retry-After` in seconds or as an instant (RFC 9110 §10.2.3).
pub fn retry_after(text: &str, now: Micros) -> Option<Micros> {
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return Some(i64::from(seconds) * SECOND);
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some((at.timestamp().as_microsecond() - now).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Schedule = Schedule { first: 5 * SECOND, most: 8 * 3_600 * SECOND, total: 86_400 * SECOND };

    #[test]
    fn waits_grow_fourfold_to_their_most_and_end_after_the_whole_time() {
        let (mut now, mut waits) = (0, Vec::new());
        for attempts in 1.. {
            let Some(next) = USUAL.next(attempts, 0, now, None, 127) else { break };
            waits.push((next - now) / SECOND);
            now = next;
        }
        assert_eq!(waits, [4, 19, 79, 319, 1_278, 5_115, 20_463, 28_777, 28_777], "in seconds");
        assert!(USUAL.next(1_000, 0, 0, None, 0).is_some(), "no number of tries overflows");
        assert_eq!(USUAL.next(i64::MAX, 0, i64::MAX, None, 255), None);
    }

    #[test]
    fn chance_moves_a_wait_by_a_fifth_at_most() {
        assert_eq!(USUAL.next(1, 0, 0, None, 0), Some(4 * SECOND));
        assert_eq!(USUAL.next(1, 0, 0, None, 255), Some(6 * SECOND));
    }

    #[test]
    fn a_receiver_that_names_a_time_is_not_asked_before() {
        assert_eq!(USUAL.next(1, 0, 0, Some(60 * SECOND), 0), Some(60 * SECOND));
        assert_eq!(USUAL.rest(1, 0, Some(60 * SECOND), 0), Some(60 * SECOND));
        assert_eq!(USUAL.rest(0, 0, Some(i64::MAX), 0), Some(RETRY_AFTER_MAX), "and no longer than a day");
        assert_eq!(retry_after("120", 0), Some(120 * SECOND));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:02:00 GMT", 60 * SECOND), Some(60 * SECOND));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:00 GMT", 60 * SECOND), Some(0));
        for none in ["", "soon", "-1", "99999999999999999999"] {
            assert_eq!(retry_after(none, 0), None, "{none}");
        }
    }

    #[test]
    fn a_receiver_rests_after_failures_in_a_row_and_never_long() {
        assert_eq!(USUAL.rest(AWAY_AFTER - 1, 0, None, 0), None);
        assert_eq!(USUAL.rest(AWAY_AFTER, 0, None, 0), Some(4 * SECOND));
        assert_eq!(USUAL.rest(AWAY_AFTER + 1, 0, None, 0), Some(8 * SECOND));
        assert_eq!(USUAL.rest(i64::MAX, 0, None, 0), Some(REST_MAX * 4 / 5));
    }
}
