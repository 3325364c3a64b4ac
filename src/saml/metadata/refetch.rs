//! A fetch out of turn, after a signature that no certificate verified: the identity provider may have rolled over since its
//! metadata was last read. And one because what was read last can't be read any more. Anybody can send a wrong signature, so that each costs one small read, one fetch per ten minutes and
//! connection is made of all of them over all replicas, and only while that one is under way others wait for it, not for long.

use super::decide::Word;
use super::place::Place;
use super::refresh::{By, Outcome, Refresher};
use crate::clock::{Micros, SECOND};
use crate::model::connection::Connection;
use crate::store;
use crate::store::saml_metadata::{self, Standing};
use std::time::Duration;

/// Between two fetches out of turn, over all replicas.
const SPAN: Micros = 600 * SECOND;
/// A fetch that has taken longer is nobody's to wait for.
const UNDER_WAY_MAX: Micros = 10 * SECOND;
const LOOKS_MAX: u32 = 13;
/// With [`LOOKS_MAX`] somewhat less than two seconds.
const BETWEEN_LOOKS: Duration = Duration::from_millis(150);

impl Refresher {
    /// Reads metadata out of turn because what is stored of it can't be read; as seldom as after a failed signature.
    pub async fn refetch_unreadable(&self, connection: &Connection) -> Result<(), store::Error> {
        if let Some(standing) = saml_metadata::standing(&self.store, connection).await? {
            self.refetch_after_failed_signature(connection, standing.version).await?;
        }
        Ok(())
    }

    /// Whether a document waits for an administrator.
    pub async fn has_waiting(&self, connection: &Connection) -> Result<bool, store::Error> {
        let standing = saml_metadata::standing(&self.store, connection).await?;
        Ok(standing.is_some_and(|standing| standing.waiting_since.is_some()))
    }

    /// Whether there is anything else to check a signature with than `used`, the version of what it was checked with.
    pub async fn refetch_after_failed_signature(&self, connection: &Connection, used: i64) -> Result<bool, store::Error> {
        let Some(standing) = saml_metadata::standing(&self.store, connection).await? else { return Ok(false) };
        if standing.version != used {
            return Ok(true);
        }
        if Place::of(connection) == Place::Paste {
            return Ok(false);
        }
        let now = self.clock.now();
        // The write that claims is tried only where it may succeed: whoever sends wrong signatures has nothing written by each.
        if is_due(standing, now) && saml_metadata::claim_refetch(&self.store, connection, now, SPAN).await? {
            let outcome = self.read(connection, By { actor: "login", word: Word::Place, anew: true }).await?;
            if let Outcome::Failed(failure) = &outcome {
                tracing::warn!(connection = %connection.id, %failure, "metadata could not be read again after a signature nobody verifies");
            }
        }
        self.has_moved(connection, used).await
    }

    /// Whether another version than `used` is in force, once no fetch is under way any more: one's own found what it found, or
    /// another replica has taken it first.
    async fn has_moved(&self, connection: &Connection, used: i64) -> Result<bool, store::Error> {
        for _ in 0..LOOKS_MAX {
            let Some(standing) = saml_metadata::standing(&self.store, connection).await? else { return Ok(false) };
            if standing.version != used {
                return Ok(true);
            }
            if !is_under_way(standing, self.clock.now()) {
                return Ok(false);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok(false)
    }
}

/// As the statement that claims has it.
fn is_due(standing: Standing, now: Micros) -> bool {
    standing.refetched_at.is_none_or(|at| at <= now.saturating_sub(SPAN))
}

/// One was begun lately, and nothing was read or has failed since.
fn is_under_way(standing: Standing, now: Micros) -> bool {
    let Some(begun) = standing.refetched_at else { return false };
    let has_ended = [standing.fetched_at, standing.failed_at].into_iter().flatten().any(|at| at >= begun);
    !has_ended && now < begun.saturating_add(UNDER_WAY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = 1_795_000_000_000_000;

    fn standing(refetched_at: Option<Micros>, fetched_at: Option<Micros>, failed_at: Option<Micros>) -> Standing {
        Standing { version: 1, refetched_at, fetched_at, failed_at, waiting_since: None }
    }

    #[test]
    fn a_fetch_out_of_turn_is_due_every_ten_minutes() {
        let due = |refetched_at| is_due(standing(refetched_at, None, None), NOW);
        assert_eq!([due(None), due(Some(NOW - SPAN)), due(Some(NOW - SPAN + 1)), due(Some(NOW))], [true, true, false, false]);
    }

    #[test]
    fn a_fetch_is_under_way_until_something_was_read_or_failed_and_for_ten_seconds_at_most() {
        for (refetched, fetched, failed, is) in [
            (None, None, None, false),
            (Some(NOW), None, None, true),
            (Some(NOW - SECOND), Some(NOW - 2 * SECOND), None, true),
            (Some(NOW - 2 * SECOND), Some(NOW - SECOND), None, false),
            (Some(NOW - 2 * SECOND), Some(NOW - 3 * SECOND), Some(NOW - SECOND), false),
            (Some(NOW - UNDER_WAY_MAX + 1), None, None, true),
            (Some(NOW - UNDER_WAY_MAX), None, None, false),
        ] {
            assert_eq!(is_under_way(standing(refetched, fetched, failed), NOW), is, "{refetched:?} {fetched:?} {failed:?}");
        }
    }
}
