//! How often a write goes round: read, decide, apply, and again when the row moved meanwhile. Up to two seconds with
//! jitter, then the caller is told to come back; a unique conflict goes round once, because the second read names
//! the key.

use super::Error;
use crate::clock::Entropy;
use crate::store;
use std::time::{Duration, Instant};

/// Why somebody who waited in vain for their turn at a row is busy.
const WRITTEN_BY_MANY: &str = "the row is written by many at once";

/// Is it about what was to be written, so that a run has no reason to keep all the others?
pub fn is_of_one_write(error: &store::Error) -> bool {
    use store::Error as Store;
    matches!(error, Store::Statement { .. } | Store::Corrupt { .. } | Store::Conflict | Store::Busy { what: WRITTEN_BY_MANY })
}

/// Longest time one write keeps trying.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Rounds<'a> {
    entropy: &'a Entropy,
    since: Instant,
    round: u32,
    conflicts: u32,
}

impl<'a> Rounds<'a> {
    pub fn new(entropy: &'a Entropy) -> Self {
        Self { entropy, since: Instant::now(), round: 0, conflicts: 0 }
    }

    /// Waits a little before the next round, or gives the reason back.
    pub async fn again(&mut self, reason: store::Error) -> Result<(), Error> {
        match reason {
            store::Error::Stale => {}
            store::Error::Conflict if self.conflicts < 3 => self.conflicts += 1,
            other => return Err(Error::Store(other)),
        }
        if self.since.elapsed() > PATIENCE {
            return Err(Error::Store(store::Error::Busy { what: WRITTEN_BY_MANY }));
        }
        self.round = (self.round + 1).min(6);
        let most = 1_u64 << self.round;
        let jitter = u64::from(self.entropy.bytes::<1>()[0]) % most + 1;
        tokio::time::sleep(Duration::from_millis(jitter)).await;
        Ok(())
    }
}
