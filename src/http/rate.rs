//! A token bucket per bearer token. The map of buckets is bounded: full ones, which say nothing, are dropped first.

use crate::clock::{Clock, Micros, SECOND};
use crate::model::ids::TokenId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Most buckets kept at a time.
const BUCKETS_MAX: usize = 10_000;

/// What a caller has left (the `x-ratelimit-*` headers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub limit: u32,
    pub remaining: u32,
}

/// Nothing is left; ask again after so many seconds (at least 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    pub retry_after_seconds: u64,
}

pub struct RateLimit {
    per_second: u32,
    burst: u32,
    clock: Clock,
    buckets: Mutex<HashMap<TokenId, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    /// Millionths of a request.
    left: i64,
    at: Micros,
}

impl RateLimit {
    pub fn new(per_second: u32, burst: u32, clock: Clock) -> Self {
        Self { per_second, burst, clock, buckets: Mutex::default() }
    }

    /// Takes one request from the bucket of `token`.
    pub fn take(&self, token: &TokenId) -> Result<Allowance, Exhausted> {
        let now = self.clock.now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(token) {
            buckets.retain(|_, bucket| self.refilled(*bucket, now).left < self.full());
            if buckets.len() >= BUCKETS_MAX {
                buckets.clear();
            }
        }
        let full = Bucket { left: self.full(), at: now };
        let known = buckets.get_mut(token);
        let mut bucket = known.as_deref().map_or(full, |bucket| self.refilled(*bucket, now));
        let taken = bucket.left >= SECOND;
        if taken {
            bucket.left -= SECOND;
        }
        match known {
            Some(place) => *place = bucket,
            None => {
                buckets.insert(token.clone(), bucket);
            }
        }
        if taken {
            return Ok(Allowance { limit: self.burst, remaining: u32::try_from(bucket.left / SECOND).unwrap_or(0) });
        }
        let missing = (SECOND - bucket.left).unsigned_abs();
        let retry_after_seconds = missing.div_ceil(u64::from(self.per_second.max(1)) * SECOND.unsigned_abs());
        Err(Exhausted { retry_after_seconds: retry_after_seconds.max(1) })
    }

    /// Most requests of one token at once.
    pub fn burst(&self) -> u32 {
        self.burst
    }

    fn full(&self) -> i64 {
        i64::from(self.burst) * SECOND
    }

    fn refilled(&self, bucket: Bucket, now: Micros) -> Bucket {
        let gained = now.saturating_sub(bucket.at).max(0).saturating_mul(i64::from(self.per_second));
        Bucket { left: bucket.left.saturating_add(gained).min(self.full()), at: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn a_burst_is_allowed_then_the_rate_counts() {
        let (clock, hand) = Clock::manual(0);
        let limit = RateLimit::new(2, 3, clock);
        let token = TokenId::new("t");
        for remaining in [2, 1, 0] {
            assert_eq!(limit.take(&token), Ok(Allowance { limit: 3, remaining }));
        }
        assert_eq!(limit.take(&token), Err(Exhausted { retry_after_seconds: 1 }));
        hand.fetch_add(SECOND / 2, Ordering::SeqCst);
        assert!(limit.take(&token).is_ok());
        assert!(limit.take(&token).is_err());
        assert!(limit.take(&TokenId::new("another")).is_ok());
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let (clock, hand) = Clock::manual(10 * SECOND);
        let limit = RateLimit::new(1, 1, clock);
        let token = TokenId::new("t");
        assert!(limit.take(&token).is_ok());
        hand.store(0, Ordering::SeqCst);
        assert!(limit.take(&token).is_err());
    }

    #[test]
    fn the_map_stays_bounded() {
        let limit = RateLimit::new(1, 10, Clock::manual(0).0);
        for number in 0..BUCKETS_MAX + 5 {
            assert!(limit.take(&TokenId::new(number.to_string())).is_ok());
        }
        assert!(limit.buckets.lock().expect("not poisoned").len() <= BUCKETS_MAX);
    }
}
