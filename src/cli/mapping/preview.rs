//! `rosterd mapping preview`: what a new text would change of everybody who is stored, with the hash that `publish` wants. Stopped or
//! killed, the same command goes on where it was.

use super::files;
use super::progress::Progress;
use crate::cli::context::{Context, TenantArg, did_you_mean};
use crate::cli::output::{self, printable};
use crate::mapping::Published;
use crate::mapping_files;
use crate::model::connection::Connection;
use crate::provisioning::mappings::sides;
use crate::replay::preview::{Previewer, Report};
use crate::replay::tally::{Counted, Sample, Tally};
use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Args)]
#[command(after_long_help = "\
Looked at is everything that is stored of every connection that uses the mapping's name, through the same decisions that a replay \
makes. Nothing of anybody is written. What it prints is bound to a hash: `rosterd mapping publish NAME --preview HASH` publishes the text \
that was looked at, as long as no other version was published, no connection that uses it changed, and no more than 20 profiles, or one \
in a hundred, changed since. A preview counts for a day.")]
pub struct PreviewArgs {
    /// Name or id of a connection that uses the mapping
    connection: String,
    /// The new text: a .mapping file or a profileMapper.js
    file: PathBuf,
    /// Name of the mapping it is to be; without it that of the file
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub async fn run(context: &Context, args: &PreviewArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let connection = context.find_connection(&tenant, &args.connection).await?.connection;
    let text = draft(args, &connection)?;
    let provisioner = context.provisioner();
    let progress = Mutex::new(Progress::new());
    let tell = |done: u64, all: u64| progress.lock().unwrap_or_else(PoisonError::into_inner).of_people(done, all);
    let previewer = Previewer {
        store: &context.store,
        provisioner: &provisioner,
        clock: &context.clock,
        entropy: &context.entropy,
        tenant: &tenant.id,
        actor: "cli",
        owner: format!("`rosterd mapping preview` (process {})", std::process::id()),
        progress: &tell,
        stop: stopped_by_hand(),
    };
    let run = previewer.begin(&connection, &text).await?;
    let report = Box::pin(previewer.carry_on(&run)).await;
    progress.lock().unwrap_or_else(PoisonError::into_inner).end();
    let report = report?;
    if args.json {
        output::json(&report.as_json())?;
    } else {
        print(&report)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Becomes true when somebody presses Ctrl-C: what is under way ends in good order.
pub(super) fn stopped_by_hand() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            told.store(true, Ordering::Relaxed);
        }
    });
    stop
}

/// The text under the name it is to have, which the connection has to use.
fn draft(args: &PreviewArgs, connection: &Connection) -> anyhow::Result<Published> {
    let text = files::read(&args.file)?;
    let name = args.name.clone().unwrap_or_else(|| text.stem());
    let used: Vec<&str> = sides(connection).into_iter().map(|(_, name)| name).collect();
    if !used.contains(&name.as_str()) {
        let near = did_you_mean(&name, used.iter().copied());
        bail!(
            "connection {} does not use a mapping {name} but {}: say which one the text is to be with --as NAME{near}",
            connection.name,
            used.join(" and ")
        );
    }
    let folder = args.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    mapping_files::draft(folder, &name, text.language, text.text).map_err(|reason| anyhow!("{}: {reason}", text.shown))
}

fn print(report: &Report) -> anyhow::Result<()> {
    let asked = &report.asked;
    output::line(format_args!(
        "{}: this text after version {}, over {}",
        asked.name,
        asked.base,
        if report.connections.is_empty() { String::from("no connection") } else { report.connections.join(", ") }
    ))?;
    print_tally(&report.tally, "would")?;
    if !report.not_stored.is_empty() {
        output::line(format_args!(
            "\nNot stored: {}. No version so far asked the directory for it, so that this is counted as absent; the next sync after the \
             publication reads it.",
            printable(&report.not_stored.join(", "))
        ))?;
    }
    output::line(format_args!("\nhash: {}", report.hash))?;
    output::line(format_args!("`rosterd mapping publish {} --preview {}` puts it in force.", asked.name, report.hash))?;
    Ok(())
}

/// What was counted, in tables; `would`: nothing of it is so yet.
pub(super) fn print_tally(tally: &Tally, would: &str) -> anyhow::Result<()> {
    let one = |count: u64, what: &str| format!("{count} {what}");
    let told = [
        one(tally.changed, "change"),
        one(tally.let_in.count, "get a profile"),
        one(tally.derived, "stay as they are under the new version"),
        one(tally.unchanged, "are of it already"),
        one(tally.skipped.count, "are skipped"),
        one(tally.rejected.count, "are rejected"),
        one(tally.would_not_enter.count, "could not sign in any more"),
    ];
    let told: Vec<String> = told.into_iter().filter(|told| !told.starts_with("0 ")).collect();
    output::line(format_args!(
        "{} payloads: {}",
        tally.people,
        if told.is_empty() { "nothing".into() } else { told.join(", ") }
    ))?;
    if !tally.attributes.is_empty() {
        output::line("")?;
        let row = |(path, of): (&String, &crate::replay::tally::Attribute)| {
            vec![path.clone(), of.added.to_string(), of.changed.to_string(), of.removed.to_string()]
        };
        output::table(&["ATTRIBUTE", "ADDED", "CHANGED", "REMOVED"], &tally.attributes.iter().map(row).collect::<Vec<_>>())?;
        for (path, of) in &tally.attributes {
            output::line(format_args!("\n{}", printable(path)))?;
            for sample in &of.samples {
                output::line(format_args!(
                    "  {}: {} → {}",
                    printable(&sample.user),
                    value(&sample.before),
                    value(&sample.after)
                ))?;
            }
        }
    }
    let lists = [
        (format!("{would} be blocked"), &tally.blocks),
        (format!("{would} be unblocked"), &tally.unblocks),
        (String::from("skipped: who has a profile keeps it as it is"), &tally.skipped),
        (String::from("rejected: nothing of the payload is taken"), &tally.rejected),
        (String::from("could not sign in any more"), &tally.would_not_enter),
        (String::from("get a profile"), &tally.let_in),
        (String::from("would be called something else, were they new (a user_id stays)"), &tally.user_ids),
        (String::from("left out: they were not counted before, and would have been locked out"), &tally.held_back),
        (String::from("left out: they could not be stored"), &tally.failed),
    ];
    for (what, of) in &lists {
        list(what, of)?;
    }
    for (attribute, of) in &tally.errors {
        list(&format!("errors of {attribute}"), of)?;
    }
    Ok(())
}

fn list(what: &str, of: &Counted) -> anyhow::Result<()> {
    if of.count == 0 {
        return Ok(());
    }
    output::line(format_args!("\n{}: {}", printable(what), of.count))?;
    for Sample { user, before, after, why, .. } in &of.samples {
        let user = printable(user);
        match (why, before, after) {
            (Some(why), ..) => output::line(format_args!("  {user}: {}", printable(why)))?,
            (None, None, None) => output::line(format_args!("  {user}"))?,
            (None, before, after) => output::line(format_args!("  {user}: {} → {}", value(before), value(after)))?,
        }
    }
    Ok(())
}

fn value(value: &Option<Value>) -> String {
    value.as_ref().map_or_else(|| String::from("-"), |value| printable(&value.to_string()))
}
