//! `rosterd sync`: one run over a directory, or a look at what one would do.

use super::connection::secrets;
use super::context::{Context, TenantArg};
use super::mapping::progress::Progress;
use super::{Global, output};
use crate::ldap::settings::Settings;
use crate::mapping::{self, Mapping};
use crate::mapping_files;
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::tenant::Tenant;
use crate::provisioning::Provisioner;
use crate::scim;
use crate::store::{Batch, runs, sync_state};
use crate::sync::guard::Held;
use crate::sync::kind::Kind;
use crate::sync::run::{Found, Mappings, Report, Runner};
use crate::sync::survey::Placed;
use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// Entries a plan lists; the rest is counted.
const LISTED_MAX: usize = 1_000;

#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Name or id of the connection
    connection: String,
    /// Read and compare everything, print what a run would do, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Read everything, and not what changed since the last run alone
    #[arg(long)]
    full: bool,
    /// Let through what this run holds, and do it. `rosterd runs show RUN` prints what that is
    #[arg(long, value_name = "RUN", conflicts_with = "dry_run")]
    confirm: Option<String>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

/// What would become of one entry.
struct Line {
    change: &'static str,
    external_id: String,
    name: String,
    reason: Option<String>,
}

pub async fn run(global: &Global, args: SyncArgs) -> anyhow::Result<ExitCode> {
    let context = Context::open(global).await?;
    let outcome = answer(&context, &args).await;
    context.store.close().await;
    outcome
}

async fn answer(context: &Context, args: &SyncArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let connection = context.find_connection(&tenant, &args.connection).await?.connection;
    if connection.kind != ConnectionKind::Ldap {
        bail!("connection {} is of kind {}; only a directory (ldap) is synced", connection.name, connection.kind.as_str());
    }
    let settings = Settings::of(&connection.options.directory, &secrets::of(context, &connection).await?);
    let settings = settings.map_err(|all| anyhow!(all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    let dir = context.config.mappings.dir.clone();
    let drafts = Arc::new(move |name: &str| mapping_files::find(&dir, name));
    let (store, clock, entropy) = (context.store.clone(), context.clock.clone(), context.entropy.clone());
    let provisioner = Provisioner::new(store, clock, entropy, drafts, scim::http::record::values);
    let progress = Mutex::new(Progress::new());
    let tell = |step| progress.lock().unwrap_or_else(PoisonError::into_inner).of_a_sync(step);
    let runner = Runner {
        store: &context.store,
        provisioner: &provisioner,
        clock: &context.clock,
        entropy: &context.entropy,
        connection: &connection,
        settings: &settings,
        keys: &context.keys,
        full: args.full,
        actor: "cli",
        owner: format!("`rosterd sync` (process {})", std::process::id()),
        progress: &tell,
    };
    if args.dry_run {
        return Box::pin(look(context, &runner, (&connection, args.json), &progress)).await;
    }
    if let Some(run) = &args.confirm {
        confirm(context, &tenant, &connection, run).await?;
    }
    let report = Box::pin(runner.run()).await;
    drop(progress);
    print_report(&report?, &connection, args.json)
}

/// Marks what a run holds as let through.
async fn confirm(context: &Context, tenant: &Tenant, connection: &Connection, id: &str) -> anyhow::Result<()> {
    let Some(run) = runs::find(&context.store, &tenant.id, id).await? else {
        bail!("there is no run {id}; `rosterd runs list` names those there are");
    };
    if run.kind != "sync" || run.connection_id != connection.id {
        bail!("run {id} is not one of {}", connection.name);
    }
    // Confirmed before, and not done yet.
    if run.state == "confirmed" {
        return Ok(());
    }
    let Some(hash) = run.list_hash.as_ref().filter(|_| run.state == "held") else {
        bail!("run {id} is {} and holds nothing; `rosterd runs list` shows what waits", run.state);
    };
    let mut batch = Batch::default();
    runs::confirm(&mut batch, &tenant.id, &run, hash, &context.audit());
    context.apply(batch, || String::from("the log row's id is taken; try again")).await
}

async fn look(
    context: &Context,
    runner: &Runner<'_>,
    (connection, as_json): (&Connection, bool),
    progress: &Mutex<Progress>,
) -> anyhow::Result<ExitCode> {
    let people = in_force(context, connection, &connection.options.mapping).await?;
    let groups = match &connection.options.group_mapping {
        Some(name) => Some(in_force(context, connection, name).await?),
        None => None,
    };
    let mut lines: Vec<Line> = Vec::new();
    let (mut plan, mut changes) = (std::collections::BTreeMap::<&str, u64>::new(), 0);
    let mappings = Mappings { people, groups };
    let next = runner.due(&mappings, &sync_state::find(&context.store, connection).await?).await?;
    let found = runner
        .look(&mappings, |placed: &Placed<'_>| {
            *plan.entry(placed.change).or_default() += 1;
            changes += usize::from(placed.change != "unchanged");
            if placed.change != "unchanged" && lines.len() < LISTED_MAX {
                lines.push(Line {
                    change: placed.change,
                    external_id: placed.external_id.to_owned(),
                    name: placed.dn.to_owned(),
                    reason: placed.reason.clone(),
                });
            }
        })
        .await;
    progress.lock().unwrap_or_else(PoisonError::into_inner).end();
    let found = found?;
    let missing = found.missing.unconfirmed.iter().map(|(id, _)| id).chain(&found.missing.confirmed);
    for id in missing {
        *plan.entry("missing").or_default() += 1;
        changes += 1;
        if lines.len() < LISTED_MAX {
            lines.push(Line { change: "missing", external_id: id.clone(), name: String::from("-"), reason: None });
        }
    }
    if as_json {
        print_json(connection, &plan, &lines, (&found, &next))?;
    } else {
        print(&plan, (&lines, changes), (&found, &next))?;
    }
    Ok(if found.held.is_none() { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

/// The mapping a run would use; nothing is published.
async fn in_force(context: &Context, connection: &Connection, name: &str) -> anyhow::Result<Arc<dyn Mapping>> {
    let Some((published, _)) = context.mapping_in_force(&connection.tenant_id, name).await? else {
        bail!("there is no mapping {name}")
    };
    mapping::compile(&published).map_err(|reason| anyhow!("mapping {name} can't run: {reason}"))
}

fn in_words(held: &Held) -> Option<String> {
    let words: Vec<String> = held.reasons().iter().map(|why| why.words()).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

fn counts(counts: &std::collections::BTreeMap<&str, u64>) -> String {
    let told: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    if told.is_empty() { String::from("none") } else { told.join(", ") }
}

fn print(
    plan: &std::collections::BTreeMap<&str, u64>,
    (lines, changes): (&[Line], usize),
    (found, next): (&Found, &Kind),
) -> anyhow::Result<()> {
    if !lines.is_empty() {
        let row = |line: &Line| {
            let reason = line.reason.clone().unwrap_or_default();
            vec![line.change.to_owned(), line.name.clone(), line.external_id.clone(), reason]
        };
        output::table(&["CHANGE", "NAME", "ID", "WHY"], &lines.iter().map(row).collect::<Vec<_>>())?;
        output::line("")?;
    }
    if changes > lines.len() {
        output::line(format_args!("{} more are not listed", changes - lines.len()))?;
    }
    output::line(format_args!("people: {}", counts(plan)))?;
    if let Some(groups) = &found.groups {
        output::line(format_args!("groups: {} with {} members", groups.groups, groups.named))?;
        let (leaving, gone) = (groups.leaving.len(), groups.gone.len());
        if leaving + gone > 0 {
            output::line(format_args!("{leaving} members leave groups, {gone} groups go"))?;
        }
    }
    if let Some(why) = in_words(&found.held) {
        output::line(format_args!("The run would be held: {why}."))?;
    }
    match next {
        Kind::Delta => output::line("A run would read what changed since the last one, and no more.")?,
        Kind::Full(why) => output::line(format_args!("A run would read everything: {}.", why.words()))?,
    }
    output::line("Nothing was written.")?;
    Ok(())
}

fn print_json(
    connection: &Connection,
    plan: &std::collections::BTreeMap<&str, u64>,
    lines: &[Line],
    (found, next): (&Found, &Kind),
) -> anyhow::Result<()> {
    let line =
        |line: &Line| json!({ "change": line.change, "dn": line.name, "external_id": line.external_id, "reason": line.reason });
    let groups = found.groups.as_ref().map(|groups| {
        json!({ "count": groups.groups, "members": groups.named, "leaving": groups.leaving.len(), "gone": groups.gone.len() })
    });
    output::json(&json!({
        "connection": connection.name,
        "complete": true,
        "run": match next {
            Kind::Delta => json!({ "kind": "delta" }),
            Kind::Full(why) => json!({ "kind": "full", "why_full": why.words() }),
        },
        "people": plan,
        "groups": groups,
        "held": in_words(&found.held),
        "entries": lines.iter().map(line).collect::<Vec<Value>>(),
    }))?;
    Ok(())
}

fn print_report(report: &Report, connection: &Connection, as_json: bool) -> anyhow::Result<ExitCode> {
    let is_held = !report.held.is_none();
    if as_json {
        output::json(&json!({
            "connection": connection.name,
            "run_id": report.run_id,
            "state": if is_held { "held" } else { "done" },
            "list_hash": report.list_hash,
            "summary": report.summary,
        }))?;
    } else {
        let told = |part: &str| {
            let counts = report.summary[part].as_object().cloned().unwrap_or_default();
            let told: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {}", what.replace('_', " "))).collect();
            if told.is_empty() { String::from("none") } else { told.join(", ") }
        };
        let text = |part: &str| report.summary[part].as_str().unwrap_or_default();
        output::line(match text("kind") {
            "delta" => format!("changes alone, by {}", text("by")),
            _ => format!("everything: {}", text("why_full")),
        })?;
        output::line(format_args!("people: {}", told("people")))?;
        output::line(format_args!("groups: {}", told("groups")))?;
        let refused = report.summary["not_taken"].as_u64().unwrap_or(0);
        if refused > 0 {
            output::line(format_args!("{refused} entries could not be taken in; the inbox says why"))?;
        }
        let (run, name) = (&report.run_id, &connection.name);
        if let Some(why) = in_words(&report.held) {
            output::line(format_args!("Held: {why}."))?;
            output::line(format_args!(
                "Look at `rosterd runs show {run}`; `rosterd sync {name} --confirm {run}` lets it through."
            ))?;
        } else {
            output::line(format_args!("Done: {run}"))?;
        }
    }
    Ok(if is_held { ExitCode::from(3) } else { ExitCode::SUCCESS })
}
