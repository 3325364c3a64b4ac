//! The order that readers of log and outbox follow: positions given after the commit, through the released binary.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::caller::{Caller, on_both_gateways, replicas, user};
use crate::support::rows::Database;

/// How long the sequencer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

on_both_gateways! {
    async fn every_row_gets_one_place_and_a_users_versions_keep_their_order(store) {
        let gateways = replicas(store).await;
        let callers: Vec<Caller> = gateways.iter().map(Caller::new).collect();
        let mut ids = Vec::new();
        for name in 0..6 {
            ids.push(callers[0].create("Users", &user(&format!("user-{name}"))).await);
        }
        let writes = ids.iter().enumerate().flat_map(|(at, id)| (0..5).map(move |turn| (at, id, turn))).map(|(at, id, turn)| {
            let caller = &callers[(at + turn) % callers.len()];
            let title = json!([{"op": "replace", "path": "title", "value": format!("title {turn} of {at}")}]);
            async move { caller.patch(&format!("/Users/{id}"), title).await.status }
        });
        for status in futures(writes).await {
            assert_eq!(status, 200);
        }
        let mut database = Database::open(gateways[0].database_url()).await;
        let since = Instant::now();
        let outbox = loop {
            let waiting = database.rows("SELECT id FROM outbox WHERE position IS NULL UNION ALL SELECT id FROM log WHERE position IS NULL").await;
            if waiting.is_empty() {
                break database.rows("SELECT position, profile_id, version FROM outbox ORDER BY position").await;
            }
            assert!(since.elapsed() < PATIENCE, "{} rows still wait", waiting.len());
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(outbox.len(), 6 + 30, "one announcement for each effective write");
        let positions: Vec<i64> = outbox.iter().filter_map(|row| row["position"].as_i64()).collect();
        assert!(positions.windows(2).all(|pair| pair[0] < pair[1]), "no place twice: {positions:?}");
        let mut versions: HashMap<String, i64> = HashMap::new();
        for row in &outbox {
            let version = row["version"].as_i64().expect("a number");
            let before = versions.insert(row["profile_id"].to_string(), version).unwrap_or(0);
            assert!(before < version, "a user's versions in the order they were made: {outbox:?}");
        }
        let log = database.rows("SELECT position FROM log ORDER BY position").await;
        assert!(log.windows(2).all(|pair| pair[0]["position"] != pair[1]["position"]));
    }
}

/// All at once; the results in order.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = all.map(Box::pin).collect();
    let mut results: Vec<Option<F::Output>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, result) in pending.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *result = Some(output);
            }
        }
        if results.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}
