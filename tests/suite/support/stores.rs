//! A store of each kind for a test, and [`on_both`] to run one body on both.

use super::postgres::cluster;
use rosterd::clock::Clock;
use rosterd::secret::Secret;
use rosterd::store::{Store, StoreOptions};
use tempfile::TempDir;

/// A migrated, empty store of one's own.
pub struct TestStore {
    pub store: Store,
    /// What it was opened with: open the same database once more with it.
    pub options: StoreOptions,
    /// Where the SQLite file is. Goes with this value.
    pub folder: TempDir,
}

impl TestStore {
    /// Options for an empty SQLite file in a folder of its own.
    pub fn sqlite_options() -> (StoreOptions, TempDir) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("roster.db").display());
        (options(url), folder)
    }

    pub async fn sqlite() -> Self {
        let (options, folder) = Self::sqlite_options();
        Self::migrated(options, folder).await
    }

    /// Options for an empty PostgreSQL database.
    pub async fn postgres_options() -> (StoreOptions, TempDir) {
        (options(cluster().fresh_database().await), tempfile::tempdir().expect("a temporary folder"))
    }

    pub async fn postgres() -> Self {
        let (options, folder) = Self::postgres_options().await;
        Self::migrated(options, folder).await
    }

    async fn migrated(options: StoreOptions, folder: TempDir) -> Self {
        let store = Store::open(&options).await.expect("the store opens");
        store.migrate().await.expect("the schema applies");
        Self { store, options, folder }
    }
}

/// A store of each kind, for tests that compare their answers.
pub async fn both_stores() -> [TestStore; 2] {
    [TestStore::sqlite().await, TestStore::postgres().await]
}

fn options(url: String) -> StoreOptions {
    let (clock, _) = Clock::manual(1_764_000_000_000_000);
    // Many stores share one test server.
    StoreOptions { pool_size: 8, pool_wait_ms: 10_000, clock, ..StoreOptions::new(Secret::new(url)) }
}

/// One test body, two tests: `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($test:ident) $body:block)+) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports, reason = "not every body needs what its module has")]
            use super::*;

            async fn body($test: $crate::support::stores::TestStore) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                body($crate::support::stores::TestStore::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                body($crate::support::stores::TestStore::postgres().await).await;
            }
        }
    )+};
}
pub(crate) use on_both;
