//! `[limits]`: how much callers may ask at a time.

use super::reader::Reader;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Requests worked on at a time; more get 503 with `Retry-After`.
    pub requests_in_flight: usize,
    /// Requests per second that one token may make in the long run; more get 429 with `Retry-After`.
    pub token_requests_per_second: u32,
    /// Requests that one token may make at once before the rate counts.
    pub token_burst: u32,
}

impl LimitsConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            requests_in_flight: reader.integer("limits.requests_in_flight", 256, 1, 1_000_000),
            // Above what one machine can answer: a limit for those who want one, not a surprise.
            token_requests_per_second: reader.integer("limits.token_requests_per_second", 50_000, 1, 10_000_000),
            token_burst: reader.integer("limits.token_burst", 100_000, 1, 10_000_000),
        }
    }
}
