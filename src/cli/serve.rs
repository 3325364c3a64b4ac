//! `rosterd serve`

use super::context::{Context, read_config};
use super::{Global, bootstrap, mapping};
use crate::app::{App, directories, retention, saml_metadata, server, walks, webhooks};
use crate::events::sequencer;
use crate::store::SchemaState;
use crate::telemetry;
use anyhow::{Context as _, bail};
use clap::Args;
use std::io::Write;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Set up an empty database first; on one that is not empty make a new SCIM token, which replaces the one of the
    /// last such start
    #[arg(long)]
    bootstrap: bool,
    /// Print what --bootstrap made as JSON
    #[arg(long, requires = "bootstrap")]
    json: bool,
}

/// Runs until SIGTERM or SIGINT. Prints `listening on http://ADDRESS` on stdout when requests are answered.
pub async fn run(global: &Global, args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let config = read_config(global)?;
    telemetry::log_to_stderr(&config.log);
    // Before anything is announced, so that a signal at any time stops in order.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listen = config.server.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("can't listen on {listen}"))?;
    let address = listener.local_addr()?;

    let context = Context::with_config(config).await?;
    if context.store.schema_state().await? != SchemaState::Current {
        bail!("the schema is not up to date and database.migrate is false: run `rosterd migrate`");
    }
    let public_url = context.config.server.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    if args.bootstrap
        && let Some(made) = bootstrap::ensure(&context, &public_url).await?
    {
        made.print(args.json)?;
        if !args.json {
            made.print_next_steps(&public_url)?;
        }
    }

    mapping::report_drafts(&context).await?;

    let Context { config, store, keys, clock, entropy } = context;
    let app = App::build(config, store.clone(), keys, clock, entropy, &public_url);
    let router = app.router(app.edges());
    let background = [
        tokio::spawn(retention::run(app.clone())),
        tokio::spawn(directories::run(app.clone())),
        tokio::spawn(saml_metadata::run(app.clone())),
        tokio::spawn(webhooks::run(app.clone())),
        tokio::spawn(walks::run(app.clone(), app.background_worker())),
        tokio::spawn(sequencer::run(store.clone(), app.clock.clone(), app.entropy.clone())),
    ];
    let recording = tokio::spawn(app.recorder.clone().run());
    {
        let mut out = std::io::stdout().lock();
        writeln!(out, "listening on http://{address}")?;
        out.flush()?;
    }
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "ready");

    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: no longer ready");
    };
    let cut = server::serve(listener, router, &app.config.server, stop, || app.stop_being_ready()).await;
    if cut > 0 {
        tracing::warn!(connections = cut, "requests were cut: they took longer than server.shutdown_seconds");
    }
    background.iter().for_each(tokio::task::JoinHandle::abort);
    app.recorder.finish().await;
    recording.abort();
    store.close().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}
