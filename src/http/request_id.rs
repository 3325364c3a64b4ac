//! The id that one request has in logs, in log rows and in its answer (`x-request-id`).

use crate::clock::{Clock, Entropy};
use axum::http::{HeaderMap, HeaderName};

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken from a client.
const CHARS_MAX: usize = 64;

/// Extension of every request; what log rows carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    /// The client's id if it is sane (1 to 64 of `[A-Za-z0-9._:-]`), else a fresh one: a log line can't be forged by it.
    pub fn of(headers: &HeaderMap, clock: &Clock, entropy: &Entropy) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|text| is_sane(text));
        Self(given.map_or_else(|| entropy.uuid(clock.now()), str::to_owned))
    }
}

fn is_sane(text: &str) -> bool {
    (1..=CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, given.parse().expect("a header value"));
        RequestId::of(&headers, &Clock::system(), &Entropy::system()).0
    }

    #[test]
    fn a_sane_id_is_kept_and_any_other_replaced() {
        assert_eq!(of("okta-1.2:3"), "okta-1.2:3");
        for bad in ["", "a b", "a\"b", "{}", &"x".repeat(65)] {
            assert_ne!(of(bad), bad);
            assert_eq!(of(bad).len(), 36);
        }
    }
}
