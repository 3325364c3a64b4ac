//! Hourly: what is older than the configuration keeps it, in small batches with pauses, so that writers never wait long.
//! Two replicas doing it at once delete the same rows, which is harmless.

use super::{App, grace};
use crate::clock::SECOND;
use crate::config::Config;
use crate::store::{Error, outbox, retention::Kept, retention::delete_some, tenants};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(3_600);
/// Not at the very start: a restart under load has other work.
const FIRST_AFTER: Duration = Duration::from_secs(60);
/// Rows in one batch, and the pause after it.
const ROWS: usize = 500;
const ROWS_COUNTED: i64 = 500;
const PAUSE: Duration = Duration::from_millis(20);
/// Tenants read at a time.
const TENANTS: i64 = 100;

/// Runs until it is dropped.
pub async fn run(app: App) {
    tokio::time::sleep(FIRST_AFTER).await;
    loop {
        match pass(&app).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "retention removed old rows"),
            Err(error) => tracing::warn!(%error, "retention stopped early and goes on in an hour"),
        }
        match grace::pass(&app).await {
            Ok(0) => {}
            Ok(people) => tracing::info!(people, "removed whose grace was over"),
            Err(error) => tracing::warn!(%error, "not all whose grace is over were removed; goes on in an hour"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// One pass over all tenants. Returns the number of rows that went.
pub async fn pass(app: &App) -> Result<u64, Error> {
    let now = app.clock.now();
    let mut removed = 0;
    let mut after = String::new();
    loop {
        let page = tenants::list(&app.store, &after, TENANTS).await?;
        for tenant in &page {
            let own = tenants::options(&app.store, &tenant.id).await?;
            for kept in Kept::ALL {
                let days = own.log_days.filter(|_| kept == Kept::Log);
                let before = now - days.map_or_else(|| seconds(&app.config, kept), |days| days * 86_400) * SECOND;
                loop {
                    if kept == Kept::Events {
                        let unsent = outbox::count_unsent(&app.store, &tenant.id, before, ROWS_COUNTED).await?;
                        app.metrics.events_unsent(unsent.unsigned_abs());
                    }
                    let rows = delete_some(&app.store, &tenant.id, kept, before, ROWS).await?;
                    app.metrics.retention_deleted(kept.as_str(), rows as u64);
                    removed += rows as u64;
                    if rows < ROWS {
                        break;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        match page.last() {
            Some(last) => after = last.id.as_str().to_owned(),
            None => return Ok(removed),
        }
    }
}

/// For how long a row is kept.
fn seconds(config: &Config, kept: Kept) -> i64 {
    let days = |days: i64| days * 86_400;
    match kept {
        Kept::Log | Kept::Links => days(config.retention.log_days),
        Kept::Events | Kept::WebhookDeliveries => days(config.retention.events_days),
        Kept::Traffic => days(config.retention.traffic),
        // By when they end.
        Kept::Sessions | Kept::LoginUsed | Kept::AccessTokens | Kept::Grants | Kept::RefreshTokens => 0,
        // A code that is used again ends what it began.
        Kept::Codes => days(1),
        Kept::LoginFailures => i64::try_from(config.login.window.as_secs()).unwrap_or(i64::MAX),
    }
}
