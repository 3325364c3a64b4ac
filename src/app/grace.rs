//! Hourly: people whose source deleted them longer ago than their connection's `deprovision = grace:DAYS` are removed
//! for good, as `deprovision = delete` would have done at once. Two replicas doing it at once remove each of them once.
//! What the hours before this one used of a connection's budget goes as well.

use super::App;
use crate::clock::SECOND;
use crate::model::connection::{Budget, Connection, Deprovision};
use crate::provisioning::{Error, Provisioner, Request, budget};
use crate::store::{Batch, connections, identities, runs, tenants};
use std::time::Duration;

/// Who does it, in the log.
const ACTOR: &str = "retention";
/// After each batch of people, so that writers never wait long.
const PAUSE: Duration = Duration::from_millis(20);
/// Tenants and connections read at a time.
const PAGE: i64 = 100;

/// One pass over all connections. Returns how many people went.
pub async fn pass(app: &App) -> Result<u64, Error> {
    let provisioner = app.provisioner();
    let mut removed = 0;
    let mut after_tenant = String::new();
    loop {
        let page = tenants::list(&app.store, &after_tenant, PAGE).await?;
        let Some(last) = page.last() else { return Ok(removed) };
        after_tenant = last.id.as_str().to_owned();
        for tenant in &page {
            let mut after = String::new();
            loop {
                let page = connections::list(&app.store, &tenant.id, &after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after.clone_from(&last.connection.name);
                for stored in &page {
                    removed += of_connection(app, &provisioner, &stored.connection).await?;
                }
            }
        }
    }
}

async fn of_connection(app: &App, provisioner: &Provisioner, connection: &Connection) -> Result<u64, Error> {
    let now = app.clock.now();
    if connection.options.budget != Budget::Off {
        let mut batch = Batch::default();
        runs::forget_spent(&mut batch, connection, &budget::counter(now));
        app.store.apply(batch).await?;
    }
    let Deprovision::Grace { days } = connection.options.deprovision else { return Ok(0) };
    let before = now - i64::from(days) * 86_400 * SECOND;
    let request_id = app.entropy.uuid(now);
    let request = Request { connection, actor: ACTOR, request_id: &request_id };
    let mut removed = 0;
    loop {
        let over = identities::find_grace_over(&app.store, connection, before).await?;
        let mut went = 0;
        for id in &over {
            match provisioner.end_grace(&request, id, before).await {
                Ok(gone) => went += u64::from(gone),
                // One person is no reason to keep all the others.
                Err(Error::Refused(reason)) => tracing::warn!(identity = %id, %reason, "not removed, though the grace is over"),
                Err(error) => return Err(error),
            }
        }
        removed += went;
        // Nobody of these went: they are back, or another replica was faster.
        if went == 0 {
            return Ok(removed);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
