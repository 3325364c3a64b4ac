//! One event to one receiver: signed, posted, and the answer read as taken or not.

use super::books::Failure;
use super::{schedule, signature};
use crate::clock::{Clock, Micros};
use crate::outbound::{Delivery, Outbound};
use crate::secret::{KeyRing, OpenError, Secret};
use crate::store::webhooks::StoredWebhook;
use serde_json::Value;
use std::time::Duration;

/// What is kept of a receiver's words.
const WORDS_CHARS_MAX: usize = 120;

/// Sends to one receiver.
#[derive(Clone)]
pub struct Sender {
    outbound: Outbound,
    clock: Clock,
    url: String,
    allow_plaintext: bool,
    keys: Vec<Secret<Vec<u8>>>,
    timeout: Duration,
}

impl Sender {
    /// # Errors
    /// The secrets can't be opened with the keys of this installation.
    pub fn of(
        stored: &StoredWebhook,
        outbound: &Outbound,
        clock: &Clock,
        ring: &KeyRing,
        timeout: Duration,
    ) -> Result<Self, OpenError> {
        let (webhook, now) = (&stored.webhook, clock.now());
        let former = stored.former.iter().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
        let keys = std::iter::once(&stored.secret).chain(former);
        let keys = keys.map(|sealed| signature::open(sealed, &webhook.tenant_id, &webhook.id, ring)).collect::<Result<_, _>>()?;
        let (outbound, clock, url) = (outbound.clone(), clock.clone(), webhook.url.clone());
        Ok(Self { outbound, clock, url, allow_plaintext: webhook.allow_plaintext, keys, timeout })
    }

    /// Posts the event with this id. The status of who took it.
    ///
    /// # Errors
    /// It was not taken.
    pub async fn send(&self, id: &str, event: &Value) -> Result<u16, Failure> {
        let (body, now) = (event.to_string().into_bytes(), self.clock.now());
        let headers = signature::headers(&self.keys, id, now, &body);
        let delivery = Delivery {
            url: self.url.clone(),
            allow_plaintext: self.allow_plaintext,
            content_type: "application/cloudevents+json; charset=utf-8",
            headers,
            body: body.into(),
        };
        match self.outbound.deliver(&delivery, self.timeout).await {
            Err(error) => Err(Failure { status: None, error: error.to_string(), retry_after: None }),
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer.status),
            Ok(answer) => Err(refusal(answer.status, answer.retry_after.as_deref(), &answer.words, self.clock.now())),
        }
    }
}

fn refusal(status: u16, retry_after: Option<&str>, words: &[u8], now: Micros) -> Failure {
    let said = String::from_utf8_lossy(words);
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_CHARS_MAX).collect();
    let mut error = match status {
        300..400 => format!("the answer is {status}, and nobody is followed elsewhere"),
        _ => format!("the answer is {status}"),
    };
    if !said.trim().is_empty() {
        error = format!("{error}: {}", said.trim());
    }
    Failure { status: Some(status), error, retry_after: retry_after.and_then(|text| schedule::retry_after(text, now)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_few_words_that_print() {
        let failure = refusal(500, None, "oh\r\n\u{1b}[31mno".as_bytes(), 0);
        assert_eq!(failure.error, "the answer is 500: oh   [31mno");
        assert_eq!(refusal(302, None, b"", 0).error, "the answer is 302, and nobody is followed elsewhere");
        assert!(refusal(500, None, "é".repeat(10_000).as_bytes(), 0).error.chars().count() < 150);
        assert_eq!(refusal(500, None, &[0xff, 0xfe], 0).error, "the answer is 500: \u{fffd}\u{fffd}");
    }
}
