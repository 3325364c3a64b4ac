//! Follows the directories that are due, one after the other. Every replica looks; whoever gets the connection's lease runs,
//! and the others find that it is not due any more. A run that fails waits longer each time; what is wrong stands in
//! `connection show` and in the run's own row.

use super::App;
use crate::clock::Micros;
use crate::ldap::settings::Settings;
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::connection_secrets::ConnectionSecrets;
use crate::provisioning::Provisioner;
use crate::store::{self, connections, sync_state, tenants};
use crate::sync::run::{Runner, note_failure};
use crate::sync::schedule::{Standing, standing};
use crate::sync::{self};
use std::time::Duration;

/// Who runs, in the log.
const ACTOR: &str = "schedule";
/// Between two looks at what is due; a part of it is drawn, so that replicas look at different times.
const EVERY_MS: u64 = 15_000;
/// Tenants and connections read at a time.
const PAGE: i64 = 100;

/// Runs until it is dropped.
pub async fn run(app: App) {
    let provisioner = app.provisioner();
    loop {
        let [drawn] = app.entropy.bytes();
        tokio::time::sleep(Duration::from_millis(EVERY_MS * 3 / 4 + EVERY_MS * u64::from(drawn) / 512)).await;
        if let Err(error) = pass(&app, &provisioner).await {
            tracing::warn!(%error, "which directories are due can't be read; looked at again soon");
        }
    }
}

/// One pass over all connections. Returns how many runs there were.
///
/// # Errors
/// The store's; a run that fails is no error of the pass.
pub async fn pass(app: &App, provisioner: &Provisioner) -> Result<u64, store::Error> {
    let (mut runs, mut after_tenant) = (0, String::new());
    loop {
        let page = tenants::list(&app.store, &after_tenant, PAGE).await?;
        let Some(last) = page.last() else { return Ok(runs) };
        after_tenant = last.id.as_str().to_owned();
        for tenant in &page {
            let mut after = String::new();
            loop {
                let page = connections::list(&app.store, &tenant.id, &after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after.clone_from(&last.connection.name);
                for stored in page.iter().filter(|stored| stored.connection.kind == ConnectionKind::Ldap) {
                    runs += u64::from(of_connection(app, provisioner, &stored.connection).await?);
                }
            }
        }
    }
}

fn is_due(connection: &Connection, state: &sync_state::SyncState, now: Micros) -> bool {
    matches!(standing(connection, state), Standing::Due(at) if at <= now)
}

async fn of_connection(app: &App, provisioner: &Provisioner, connection: &Connection) -> Result<bool, store::Error> {
    let state = sync_state::find(&app.store, connection).await?;
    if !is_due(connection, &state, app.clock.now()) {
        return Ok(false);
    }
    let settings = match settings(app, connection).await? {
        Ok(settings) => settings,
        Err(why) => {
            tracing::warn!(connection = %connection.id, why, "a directory can't be followed as it is set up");
            note_failure(&app.store, connection, app.clock.now(), &why).await?;
            return Ok(false);
        }
    };
    let runner = Runner {
        store: &app.store,
        provisioner,
        clock: &app.clock,
        entropy: &app.entropy,
        connection,
        settings: &settings,
        actor: ACTOR,
        owner: format!("the schedule of process {}", std::process::id()),
        progress: &|_| {},
    };
    match Box::pin(runner.run_if(|state| is_due(connection, state, app.clock.now()))).await {
        Ok(None) => Ok(false),
        Ok(Some(report)) if report.held.is_none() => {
            tracing::info!(connection = %connection.id, run = report.run_id, "followed a directory");
            Ok(true)
        }
        Ok(Some(report)) => {
            let why: Vec<&str> = report.held.reasons().iter().map(|why| why.code()).collect();
            tracing::warn!(connection = %connection.id, run = report.run_id, why = why.join(","), "a run waits for somebody's word");
            Ok(true)
        }
        // Another replica, or somebody by hand.
        Err(sync::Error::Busy { .. }) => Ok(false),
        Err(error) => {
            tracing::warn!(connection = %connection.id, %error, "a run failed");
            Ok(true)
        }
    }
}

/// What is connected with, or why it can't be.
async fn settings(app: &App, connection: &Connection) -> Result<Result<Settings, String>, store::Error> {
    let sealed = connections::secrets(&app.store, &connection.tenant_id, &connection.id).await?;
    let secrets = match ConnectionSecrets::open(sealed.as_deref(), &connection.id, &app.keys) {
        Ok(secrets) => secrets,
        Err(error) => return Ok(Err(format!("the secrets can't be read: {error}"))),
    };
    let settings = Settings::of(&connection.options.directory, &secrets);
    Ok(settings.map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}
