//! Writers of the same row wait for each other around read → decide → write, within this process. Between replicas
//! the version in the batch decides, and the loser goes round again.

use std::hash::{BuildHasher, Hash, RandomState};
use tokio::sync::{Mutex, MutexGuard};

/// Striped: two rows may share a stripe and then wait needlessly, which costs less than a map that has to be cleaned.
const STRIPES: usize = 1_024;

pub struct Turns {
    stripes: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }
}

impl Turns {
    /// Waits for this row's turn; it ends when the guard is dropped.
    pub async fn take(&self, key: impl Hash) -> MutexGuard<'_, ()> {
        let stripe = self.hasher.hash_one(key) as usize % STRIPES;
        self.stripes[stripe].lock().await
    }
}
