//! Follows the directories that are due, a few beside each other, so that a slow one keeps nobody else's leavers in. Every
//! replica looks; whoever gets the connection's lease runs, and the others find that it is not due any more. A run that fails
//! waits longer each time; what is wrong stands in `connection show` and in the run's own row.

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
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Who runs, in the log.
const ACTOR: &str = "schedule";
/// Between two looks at what is due; a part of it is drawn, so that replicas look at different times.
const EVERY_MS: u64 = 15_000;
/// Runs beside each other in one process.
const RUNS_MAX: usize = 4;
/// Tenants and connections read at a time.
const PAGE: i64 = 100;

/// Runs until it is dropped.
pub async fn run(app: App) {
    let (provisioner, mut running) = (Arc::new(app.provisioner()), Running::default());
    loop {
        let [drawn] = app.entropy.bytes();
        tokio::time::sleep(Duration::from_millis(EVERY_MS * 3 / 4 + EVERY_MS * u64::from(drawn) / 512)).await;
        running.forget_ended();
        if let Err(error) = pass(&app, &provisioner, &mut running).await {
            tracing::warn!(%error, "which directories are due can't be read; looked at again soon");
        }
    }
}

/// The runs under way, by connection. Dropped, they end.
#[derive(Default)]
struct Running {
    tasks: JoinSet<String>,
    connections: HashSet<String>,
}

impl Running {
    fn forget_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            match ended {
                Ok(connection) => drop(self.connections.remove(&connection)),
                Err(error) => tracing::error!(%error, "a run broke"),
            }
        }
        if self.tasks.is_empty() {
            self.connections.clear();
        }
    }
}

/// One pass over all connections: begins what is due, as far as there is room.
async fn pass(app: &App, provisioner: &Arc<Provisioner>, running: &mut Running) -> Result<(), store::Error> {
    let mut after_tenant = String::new();
    loop {
        let page = tenants::list(&app.store, &after_tenant, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after_tenant = last.id.as_str().to_owned();
        for tenant in &page {
            let mut after = String::new();
            loop {
                let page = connections::list(&app.store, &tenant.id, &after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after.clone_from(&last.connection.name);
                for connection in page.into_iter().map(|stored| stored.connection) {
                    if connection.kind != ConnectionKind::Ldap || running.connections.contains(connection.id.as_str()) {
                        continue;
                    }
                    let state = sync_state::find(&app.store, &connection).await?;
                    if !is_due(&connection, &state, app.clock.now()) {
                        continue;
                    }
                    if running.tasks.len() >= RUNS_MAX {
                        return Ok(());
                    }
                    running.connections.insert(connection.id.to_string());
                    let (app, provisioner) = (app.clone(), Arc::clone(provisioner));
                    running.tasks.spawn(async move {
                        if let Err(error) = Box::pin(of_connection(&app, &provisioner, &connection)).await {
                            tracing::warn!(connection = %connection.id, %error, "a directory was not followed; looked at again soon");
                        }
                        connection.id.to_string()
                    });
                }
            }
        }
    }
}

fn is_due(connection: &Connection, state: &sync_state::SyncState, now: Micros) -> bool {
    matches!(standing(connection, state, now), Standing::Due(at) if at <= now)
}

async fn of_connection(app: &App, provisioner: &Provisioner, connection: &Connection) -> Result<(), store::Error> {
    let settings = match settings(app, connection).await? {
        Ok(settings) => settings,
        Err(why) => {
            tracing::warn!(connection = %connection.id, why, "a directory can't be followed as it is set up");
            return note_failure(&app.store, connection, app.clock.now(), &why).await;
        }
    };
    let runner = Runner {
        store: &app.store,
        provisioner,
        clock: &app.clock,
        entropy: &app.entropy,
        connection,
        settings: &settings,
        keys: &app.keys,
        full: false,
        actor: ACTOR,
        owner: format!("the schedule of process {}", std::process::id()),
        progress: &|_| {},
    };
    match Box::pin(runner.run_if(|state| is_due(connection, state, app.clock.now()))).await {
        Ok(None) => {}
        Ok(Some(report)) if report.held.is_none() => {
            tracing::info!(connection = %connection.id, run = report.run_id, "followed a directory");
        }
        Ok(Some(report)) => {
            let why: Vec<&str> = report.held.reasons().iter().map(|why| why.code()).collect();
            tracing::warn!(connection = %connection.id, run = report.run_id, why = why.join(","), "a run waits for somebody's word");
        }
        // Another replica, or somebody by hand.
        Err(sync::Error::Busy { .. }) => {}
        Err(error) => tracing::warn!(connection = %connection.id, %error, "a run failed"),
    }
    Ok(())
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
