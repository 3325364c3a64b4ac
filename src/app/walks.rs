//! Goes on with previews and replays whose process ended: a server that was killed, or a command somebody closed. Whoever has the
//! lease is at it; the others look again.

use super::App;
use crate::replay::worker::Worker;
use std::time::Duration;

/// Between two looks; a part of it is drawn, so that replicas look at different times.
const EVERY_MS: u64 = 20_000;
/// Looks from one time that old previews go to the next: about an hour.
const FORGOTTEN_EVERY: u64 = 180;

/// Runs until it is dropped.
pub async fn run(app: App, worker: Worker) {
    let mut looks = 0_u64;
    loop {
        let [drawn] = app.entropy.bytes();
        tokio::time::sleep(Duration::from_millis(EVERY_MS * 3 / 4 + EVERY_MS * u64::from(drawn) / 512)).await;
        if let Err(error) = worker.pass().await {
            tracing::warn!(%error, "which runs wait can't be read; looked at again soon");
        }
        if looks.is_multiple_of(FORGOTTEN_EVERY)
            && let Err(error) = worker.forget_previews().await
        {
            tracing::warn!(%error, "old previews are not forgotten; tried again later");
        }
        looks += 1;
    }
}
