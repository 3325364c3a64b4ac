//! What the log says of a run: when it began, and how it ended. Of a delta that found nothing it says nothing: there may be one a
//! minute. The rows carry the run in their detail and not as their request: what carries it there is a change the run made.

use super::{HOUR, Runner};
use crate::clock::Micros;
use crate::model::event::LogEntry;
use serde_json::{Value, json};

/// Bytes of an error that are kept.
const ERROR_BYTES_MAX: usize = 2_000;

/// How a run ended.
pub(super) enum Ended<'a> {
    /// With its summary.
    Completed(&'a Value),
    /// It holds a list for somebody's word.
    Held(&'a Value),
    Failed(&'a str),
}

impl Runner<'_> {
    pub(super) fn logged(&self, run_id: &str, ended: &Ended<'_>, now: Micros) -> Vec<LogEntry> {
        let (kind, outcome, mut detail) = match ended {
            Ended::Completed(summary) => ("run.completed", "ok", (*summary).clone()),
            Ended::Held(summary) => ("run.held", "refused", (*summary).clone()),
            Ended::Failed(error) => ("run.failed", "refused", json!({ "error": bounded(error) })),
        };
        detail["subject"] = run_id.into();
        let entry = |kind, outcome, detail: &Value, at: Micros| LogEntry {
            id: self.entropy.uuid(at),
            kind,
            outcome,
            connection_id: Some(self.connection.id.clone()),
            actor: self.actor.to_owned(),
            detail: Some(detail.to_string()),
            at: at - at.rem_euclid(1_000),
            ..LogEntry::default()
        };
        let began = began(run_id).unwrap_or(now);
        vec![entry("run.started", "ok", &json!({ "subject": run_id }), began), entry(kind, outcome, &detail, now)]
    }
}

/// When a run began, as its id says.
fn began(run_id: &str) -> Option<Micros> {
    let (hour, rest) = run_id.strip_prefix("run_")?.split_once('_')?;
    Some(hour.parse::<Micros>().ok()? * HOUR + rest.get(..10)?.parse::<Micros>().ok()?)
}

fn bounded(error: &str) -> &str {
    let mut end = error.len().min(ERROR_BYTES_MAX);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    &error[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Entropy};

    #[test]
    fn an_id_says_when_its_run_began() {
        let now = 490_000 * HOUR + 12_345_678;
        let (clock, _) = Clock::manual(now);
        assert_eq!(began(&super::super::run_id(&clock, &Entropy::system())), Some(now));
        assert_eq!(began("run_x"), None);
    }

    #[test]
    fn a_long_error_is_cut_between_characters() {
        assert_eq!(bounded("short"), "short");
        assert!(bounded(&"ä".repeat(2_000)).len() <= ERROR_BYTES_MAX);
    }
}
