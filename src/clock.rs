//! Time and randomness as values that are handed in. Nothing else may ask the operating system for either:
//! tests pass a fixed [`Clock`] and a seeded [`Entropy`] and get exact rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Unix time in microseconds, UTC. What every `*_at` column holds.
pub type Micros = i64;

/// Microseconds in one second.
pub const SECOND: Micros = 1_000_000;

/// Where "now" comes from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Micros + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    pub fn system() -> Self {
        Self(Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
        }))
    }

    /// A clock that stands at `start` until the returned handle moves it.
    pub fn manual(start: Micros) -> (Self, Arc<AtomicI64>) {
        let hand = Arc::new(AtomicI64::new(start));
        let read = Arc::clone(&hand);
        (Self(Arc::new(move || read.load(Ordering::SeqCst))), hand)
    }

    pub fn now(&self) -> Micros {
        (self.0)()
    }
}

/// Where elapsed time comes from. It measures how long something takes and never reaches a row.
#[derive(Clone)]
pub struct Monotonic(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Monotonic {
    /// The machine's monotonic clock, from zero.
    pub fn system() -> Self {
        let start = Instant::now();
        Self(Arc::new(move || start.elapsed()))
    }

    /// Readings from `source`, for tests; they must not go back.
    pub fn from_fn(source: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    pub fn elapsed(&self) -> Duration {
        (self.0)()
    }
}

/// Where random bytes come from.
#[derive(Clone)]
pub struct Entropy(Arc<dyn Fn(&mut [u8]) + Send + Sync>);

impl Entropy {
    /// The operating system's generator, by way of the thread's seeded one.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for randomness")]
    pub fn system() -> Self {
        Self(Arc::new(|bytes| rand::Rng::fill_bytes(&mut rand::rng(), bytes)))
    }

    /// Bytes from `source`, for tests.
    pub fn from_fn(source: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    pub fn fill(&self, bytes: &mut [u8]) {
        (self.0)(bytes);
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A UUIDv7 for the instant `now`: ids made later sort later, to the microsecond (RFC 9562 §6.2, method 3: the
    /// fraction of the millisecond stands before the random bits). Lists are in the order of ids, and two requests
    /// one after the other often fall into one millisecond.
    pub fn uuid(&self, now: Micros) -> String {
        let micros = u64::try_from(now).unwrap_or_default();
        let mut bytes: [u8; 10] = self.bytes();
        // 12 bits for 0..1000: the version takes the upper half of the first byte.
        let [high, low] = u16::try_from((micros % 1_000) * 4_096 / 1_000).unwrap_or_default().to_be_bytes();
        (bytes[0], bytes[1]) = (high, low);
        uuid::Builder::from_unix_timestamp_millis(micros / 1_000, &bytes).into_uuid().to_string()
    }
}

/// RFC 3339 text in UTC with milliseconds: `2026-11-20T23:50:00.000Z`, the one form we print.
pub fn rfc3339(at: Micros) -> String {
    match jiff::Timestamp::from_microsecond(at) {
        Ok(instant) => format!("{instant:.3}"),
        Err(_) => String::from("9999-12-31T23:59:59.999Z"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_with_milliseconds_and_z() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_700_000_000_123_456), "2023-11-14T22:13:20.123Z");
    }

    #[test]
    fn ids_made_later_sort_later() {
        let entropy = Entropy::system();
        let ids: Vec<String> = (1_700_000_000_000_000..1_700_000_000_003_000).map(|now| entropy.uuid(now)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
