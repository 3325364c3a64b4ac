//! Writers of the same row wait for each other around read → decide → write, within this process. Writers that touch
//! rows of their own only (members of a group) share a turn: they needn't wait for each other, but for those that
//! write the row itself. Between replicas the version in the batch decides, and the loser goes round again.

use std::hash::{BuildHasher, Hash, RandomState};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Striped: two rows may share a stripe and then wait needlessly, which costs less than a map that has to be cleaned.
const STRIPES: usize = 1_024;

pub struct Turns {
    stripes: Vec<RwLock<()>>,
    hasher: RandomState,
}

/// A turn that was taken; it ends when this is dropped.
pub enum Turn<'a> {
    Alone { _guard: RwLockWriteGuard<'a, ()> },
    Shared { _guard: RwLockReadGuard<'a, ()> },
}

impl Turn<'_> {
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Shared { .. })
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self { stripes: (0..STRIPES).map(|_| RwLock::new(())).collect(), hasher: RandomState::new() }
    }
}

impl Turns {
    /// Waits for this row's turn.
    pub async fn take(&self, key: impl Hash) -> Turn<'_> {
        Turn::Alone { _guard: self.stripe(key).write().await }
    }

    /// Waits for a turn of this row that others may share.
    pub async fn share(&self, key: impl Hash) -> Turn<'_> {
        Turn::Shared { _guard: self.stripe(key).read().await }
    }

    fn stripe(&self, key: impl Hash) -> &RwLock<()> {
        &self.stripes[self.hasher.hash_one(key) as usize % STRIPES]
    }
}
