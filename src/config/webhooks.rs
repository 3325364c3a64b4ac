//! `[webhooks]`: how long a receiver may take, and how long what it did not take is tried again.

use super::reader::Reader;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhooksConfig {
    /// For an answer of a receiver.
    pub timeout: Duration,
    /// From the first try of an event to the second; each wait after that is four times the one before.
    pub retry_first: Duration,
    /// Between two tries at most.
    pub retry_max: Duration,
    /// From the first try to the last; then the event is dead until somebody has it sent again.
    pub retry_for: Duration,
}

impl WebhooksConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            timeout: Duration::from_secs(reader.integer("webhooks.timeout_seconds", 15, 1, 60)),
            retry_first: Duration::from_millis(reader.integer("webhooks.retry_first_milliseconds", 5_000, 10, 3_600_000)),
            retry_max: Duration::from_secs(reader.integer("webhooks.retry_max_seconds", 28_800, 1, 86_400)),
            retry_for: Duration::from_secs(reader.integer("webhooks.retry_for_seconds", 86_400, 1, 604_800)),
        }
    }
}
