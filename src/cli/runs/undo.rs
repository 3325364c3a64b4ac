//! `rosterd runs undo RUN`: puts back what a run over a directory changed, or says what it would put back.

use super::super::context::{Context, TenantArg};
use super::super::mapping::progress::Progress;
use super::super::output;
use crate::model::connection::{Connection, ConnectionKind};
use crate::provisioning::undo::Told;
use crate::replay::shown;
use crate::store::connections;
use crate::store::runs::Run;
use crate::sync::undo::{Report, Undoer};
use anyhow::Context as _;
use clap::Args;
use std::sync::{Mutex, PoisonError};

/// Rows a table lists; the rest is counted.
const LISTED_MAX: usize = 1_000;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Put back are: values of profiles with why they were so, blocks, people who left (with their groups) or came back, people the run \
brought (they go as if they had never been), members of groups, and groups the run made.\n\n\
Stays, and is told: whatever anything newer wrote, people who signed in or were linked since, people removed for good \
(deprovision=delete or a grace that is over), names and attributes of groups, and groups that went.\n\n\
After that a directory is paused: it still says what it said. Mend it or the mapping, look with `rosterd sync \
--dry-run`, and go on with `rosterd sync`. Runs are kept for 30 days, what they changed as long as the log.")]
pub struct UndoArgs {
    /// Id of a sync or a replay
    run: String,
    /// Say what would be put back and what would stay, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub async fn undo(context: &Context, args: UndoArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let run = super::find(context, &tenant, &args.run).await?;
    let found = connections::find(&context.store, &tenant.id, &run.connection_id).await?;
    let connection = found.context("the connection of the run is gone, and everybody with it")?.connection;
    let provisioner = context.provisioner();
    let progress = Mutex::new(Progress::new());
    let tell = |changes: u64| progress.lock().unwrap_or_else(PoisonError::into_inner).at(changes, 0, None);
    let undoer = Undoer {
        store: &context.store,
        provisioner: &provisioner,
        clock: &context.clock,
        entropy: &context.entropy,
        connection: &connection,
        actor: "cli",
        owner: format!("`rosterd runs undo` (process {})", std::process::id()),
        progress: &tell,
    };
    let report = if args.dry_run { Box::pin(undoer.look(&run)).await } else { Box::pin(undoer.undo(&run)).await };
    progress.lock().unwrap_or_else(PoisonError::into_inner).end();
    let report = report?;
    if args.json { print_json(&run, &connection, &report) } else { print(&run, &connection, (&report, args.dry_run)) }
}

fn print_json(run: &Run, connection: &Connection, report: &Report) -> anyhow::Result<()> {
    let mut object = shown::undone(run, report);
    object["connection"] = connection.name.as_str().into();
    output::json(&object)?;
    Ok(())
}

fn print(run: &Run, connection: &Connection, (report, dry_run): (&Report, bool)) -> anyhow::Result<()> {
    if run.state == "undone" && !dry_run {
        output::line(format_args!("Run {} was undone before. Nothing was written.", run.id))?;
        return Ok(());
    }
    let row = |told: &Told| {
        let kept: Vec<String> = told.kept.iter().map(|(what, why)| format!("{what}: {why}")).collect();
        let restored = if told.restored.is_empty() { String::from("-") } else { told.restored.join(", ") };
        vec![told.subject.clone(), restored, kept.join("; ")]
    };
    if !report.told.is_empty() {
        output::table(&["WHO", "PUT BACK", "STAYS, AND WHY"], &report.told.iter().take(LISTED_MAX).map(row).collect::<Vec<_>>())?;
        output::line("")?;
    }
    let more = report.restored + report.kept;
    let listed = report.told.len().min(LISTED_MAX) as u64;
    if report.changes - report.as_before > listed && more > listed {
        output::line(format_args!("{} more are not listed", report.changes - report.as_before - listed))?;
    }
    let Report { changes, restored, kept, as_before, .. } = report;
    output::line(format_args!(
        "{changes} changes of run {}: something put back of {restored}, something stays of {kept}, {as_before} are as before",
        run.id
    ))?;
    match &report.run_id {
        Some(id) => {
            output::line(format_args!("Done: {id}"))?;
            let name = &connection.name;
            if run.kind == "replay" {
                output::line(
                    "People take the newest version of the mapping again at their next write: publish the one before it.",
                )?;
            }
            if connection.kind != ConnectionKind::Ldap {
                return Ok(());
            }
            output::line(format_args!(
                "{name} is paused. Mend what was wrong, look with `rosterd sync {name} --dry-run`, and go on with `rosterd sync {name}`."
            ))?;
        }
        None => output::line("Nothing was written.")?,
    }
    Ok(())
}
