//! Reads the metadata of SAML connections again when it is due, and files of it when they change, a few beside each other. Every
//! replica looks; whoever moves a row's `next_at` first reads, and the others find that it is not due any more. Files are
//! watched by each replica for itself, since each has its own.

use super::App;
use crate::clock::{Micros, SECOND};
use crate::model::connection::Connection;
use crate::model::ids::ConnectionId;
use crate::saml::metadata::place::{Place, asked, stamp};
use crate::saml::metadata::refresh::{Outcome, Refresher};
use crate::store::saml_metadata::{self, Listed};
use crate::store::{self, tenants};
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::JoinSet;

/// Who reads, in the log.
const ACTOR: &str = "schedule";
/// Between two looks at what is due; a part of it is drawn, so that replicas look at different times.
const EVERY_MS: u64 = 10_000;
/// Reads beside each other in one process.
const READS_MAX: usize = 8;
/// Tenants and connections looked at at a time.
const PAGE: i64 = 100;
/// If whoever took a read never ends it, it is due again after this.
const CLAIM_TIME: Micros = 120 * SECOND;

/// What the files looked like when they were last read, by connection.
type Stamps = HashMap<ConnectionId, Option<String>>;

/// Runs until it is dropped.
pub async fn run(app: App) {
    let (refresher, mut stamps) = (app.refresher(), Stamps::new());
    loop {
        let [drawn] = app.entropy.bytes();
        tokio::time::sleep(Duration::from_millis(EVERY_MS * 3 / 4 + EVERY_MS * u64::from(drawn) / 512)).await;
        if let Err(error) = pass(&app, &refresher, &mut stamps).await {
            tracing::warn!(%error, "which metadata is due can't be read; looked at again soon");
        }
    }
}

/// One pass over all SAML connections.
async fn pass(app: &App, refresher: &Refresher, stamps: &mut Stamps) -> Result<(), store::Error> {
    let (mut reading, mut after_tenant) = (JoinSet::new(), String::new());
    loop {
        let page = tenants::list(&app.store, &after_tenant, PAGE).await?;
        let Some(last) = page.last() else { break };
        after_tenant = last.id.as_str().to_owned();
        for tenant in &page {
            let mut after = String::new();
            loop {
                let page = saml_metadata::list(&app.store, &tenant.id, &after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after.clone_from(&last.stored.connection.name);
                for listed in page {
                    if !is_due(&listed, app.clock.now()) && !has_changed(&listed, stamps) {
                        continue;
                    }
                    if reading.len() >= READS_MAX {
                        reading.join_next().await;
                    }
                    let (refresher, connection) = (refresher.clone(), listed.stored.connection);
                    reading.spawn(async move {
                        if let Err(error) = of_connection(&refresher, &connection, listed.next_at).await {
                            tracing::warn!(connection = %connection.id, %error, "metadata was not read; looked at again soon");
                        }
                    });
                }
            }
        }
    }
    while reading.join_next().await.is_some() {}
    Ok(())
}

/// In its turn; or the place was set anew, and that was not tried yet.
fn is_due(listed: &Listed, now: Micros) -> bool {
    let connection = &listed.stored.connection;
    // Whoever pastes has not done so yet.
    if Place::of(connection) == Place::Paste && listed.asked.is_none() {
        return false;
    }
    let Some(next_at) = listed.next_at else { return true };
    let is_other = listed.asked.as_ref().is_some_and(|known| *known != asked(connection));
    next_at <= now || (is_other && listed.failed_at.is_none_or(|failed| failed < connection.updated_at))
}

/// Whether a file is another one than when this process last looked; at first, than when it was last read.
fn has_changed(listed: &Listed, stamps: &mut Stamps) -> bool {
    let connection = &listed.stored.connection;
    let Place::File(path) = Place::of(connection) else { return false };
    let now = stamp(path);
    match stamps.insert(connection.id.clone(), now.clone()) {
        Some(before) => before != now,
        None => listed.last_modified != now,
    }
}

async fn of_connection(refresher: &Refresher, connection: &Connection, due: Option<Micros>) -> Result<(), store::Error> {
    saml_metadata::ensure(&refresher.store, connection).await?;
    let until = refresher.clock.now() + CLAIM_TIME;
    if !saml_metadata::claim(&refresher.store, connection, due.unwrap_or(0), until).await? {
        return Ok(());
    }
    if let Outcome::Failed(failure) = refresher.refresh(connection, ACTOR).await? {
        tracing::warn!(connection = %connection.id, %failure, "metadata of an identity provider could not be read");
    }
    Ok(())
}
