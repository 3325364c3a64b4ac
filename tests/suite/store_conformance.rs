//! One suite for both databases: whatever a caller may rely on.

use crate::support::stores::{TestStore, on_both};
use rosterd::args;
use rosterd::store::{SchemaState, Store};

on_both! {
    async fn a_migrated_store_is_current_and_answers(test) {
        assert_eq!(test.store.schema_state().await.unwrap(), SchemaState::Current);
        test.store.ping().await.unwrap();
        assert!(test.store.is_ready());
        let rows = test.store.read("SELECT count(*) FROM tenants WHERE tenant_id = $1", args!["t"]).await.unwrap();
        assert_eq!(rows[0].int(0).unwrap(), 0);
    }
}

async fn open_and_migrate_at_once(options: &rosterd::store::StoreOptions) {
    let starters = (0..4).map(|_| {
        let options = options.clone();
        tokio::spawn(async move {
            let store = Store::open(&options).await.unwrap();
            store.migrate().await.unwrap();
            assert_eq!(store.schema_state().await.unwrap(), SchemaState::Current);
            store.close().await;
        })
    });
    for starter in starters.collect::<Vec<_>>() {
        starter.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_starters_at_once_migrate_sqlite() {
    for _ in 0..5 {
        let (options, _folder) = TestStore::sqlite_options();
        open_and_migrate_at_once(&options).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_starters_at_once_migrate_postgres() {
    for _ in 0..5 {
        let (options, _folder) = TestStore::postgres_options().await;
        open_and_migrate_at_once(&options).await;
    }
}
