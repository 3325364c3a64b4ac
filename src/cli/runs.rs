//! `rosterd runs …`

mod undo;

use super::context::{Context, PAGE, TenantArg};
use super::{Global, output};
use crate::clock::rfc3339;
use crate::model::tenant::Tenant;
use crate::replay::shown;
use crate::store::runs::{Run, RunItem};
use crate::store::{Batch, connections, runs};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List runs, the oldest first
    List(ListArgs),
    /// Show one with all it holds
    Show(ShowArgs),
    /// Let through what a run holds: the client's next attempt passes, or the directory's next run does it
    Confirm(ConfirmArgs),
    /// Put back what a sync or a replay changed, where nothing newer changed the same; a directory is paused then
    Undo(undo::UndoArgs),
}

#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Id
    run: String,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ConfirmArgs {
    /// Id
    run: String,
    /// Of the list you have seen, as `rosterd runs show` prints it
    #[arg(long, value_name = "HASH")]
    hash: Option<String>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub async fn run(global: &Global, command: RunsCommand) -> anyhow::Result<ExitCode> {
    let context = Context::open(global).await?;
    let outcome = match command {
        RunsCommand::List(args) => list(&context, args).await,
        RunsCommand::Show(args) => show(&context, args).await,
        RunsCommand::Confirm(args) => confirm(&context, args).await,
        RunsCommand::Undo(args) => undo::undo(&context, args).await,
    };
    context.store.close().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn find(context: &Context, tenant: &Tenant, id: &str) -> anyhow::Result<Run> {
    let found = runs::find(&context.store, &tenant.id, id).await?;
    found.with_context(|| format!("there is no run {id}; `rosterd runs list` names those there are"))
}

async fn list(context: &Context, args: ListArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let mut all: Vec<Run> = Vec::new();
    loop {
        let after = all.last().map(|run| run.id.clone()).unwrap_or_default();
        let page = runs::list(&context.store, &tenant.id, &after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if args.json {
        output::json(&all.iter().map(shown::run).collect())?;
        return Ok(());
    }
    let mut rows = Vec::new();
    for run in &all {
        let connection = connection_name(context, &tenant, run).await?;
        rows.push(vec![run.id.clone(), connection, kind(run), run.state.clone(), rfc3339(run.updated_at)]);
    }
    output::table(&["ID", "CONNECTION", "KIND", "STATE", "CHANGED"], &rows)?;
    Ok(())
}

/// With what a sync read.
fn kind(run: &Run) -> String {
    let summary: Value = serde_json::from_str(&run.summary).unwrap_or_default();
    match summary["kind"].as_str() {
        Some(read) => format!("{}, {read}", run.kind),
        None => run.kind.clone(),
    }
}

async fn connection_name(context: &Context, tenant: &Tenant, run: &Run) -> anyhow::Result<String> {
    let found = connections::find(&context.store, &tenant.id, &run.connection_id).await?;
    Ok(found.map_or_else(|| run.connection_id.to_string(), |found| found.connection.name))
}

async fn show(context: &Context, args: ShowArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let run = find(context, &tenant, &args.run).await?;
    let mut items: Vec<RunItem> = Vec::new();
    loop {
        let after = items.last().map(|item| item.id.clone()).unwrap_or_default();
        let page = runs::list_items(&context.store, &tenant.id, &run.id, &after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        items.extend(page);
    }
    if args.json {
        let mut object = shown::run(&run);
        object["items"] = items.iter().map(shown::item).collect();
        output::json(&object)?;
        return Ok(());
    }
    let connection = connection_name(context, &tenant, &run).await?;
    print(&run, connection)?;
    println!();
    let row = |item: &RunItem| vec![item.action.clone(), item.subject.clone(), item.state.clone(), rfc3339(item.created_at)];
    output::table(&["ACTION", "SUBJECT", "STATE", "SINCE"], &items.iter().map(row).collect::<Vec<_>>())?;
    Ok(())
}

fn print(run: &Run, connection: String) -> anyhow::Result<()> {
    output::fields(&[
        ("id", run.id.clone()),
        ("connection", connection),
        ("kind", kind(run)),
        ("state", run.state.clone()),
        ("summary", run.summary.clone()),
        ("hash", output::or_dash(run.list_hash.as_deref())),
        ("created", rfc3339(run.created_at)),
        ("changed", rfc3339(run.updated_at)),
        ("finished", output::time(run.finished_at)),
    ])?;
    Ok(())
}

async fn confirm(context: &Context, args: ConfirmArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let run = find(context, &tenant, &args.run).await?;
    if run.state != "held" {
        bail!("run {} is {} and holds nothing", run.id, run.state);
    }
    let id = &run.id;
    let way =
        format!("look at `rosterd runs show {id}` and confirm with the hash it prints: `rosterd runs confirm {id} --hash HASH`");
    let Some(hash) = args.hash else { bail!("what is confirmed has to be seen first: {way}") };
    if run.list_hash.as_ref() != Some(&hash) {
        bail!("the hash is not that of the list as it is now: {way}");
    }
    let mut batch = Batch::default();
    runs::confirm(&mut batch, &tenant.id, &run, &hash, &context.audit());
    context.apply(batch, || String::from("the log row's id is taken; try again")).await?;
    let run = find(context, &tenant, &args.run).await?;
    if args.json {
        return Ok(output::json(&shown::run(&run))?);
    }
    let connection = connection_name(context, &tenant, &run).await?;
    print(&run, connection.clone())?;
    if run.kind == "replay" {
        output::line(format_args!("\nGo on with it: `rosterd mapping replay {connection} --continue {}`", run.id))?;
    }
    if run.kind == "sync" {
        output::line(format_args!("\nThe next run of {connection} does it: `rosterd sync {connection}`"))?;
    }
    Ok(())
}
