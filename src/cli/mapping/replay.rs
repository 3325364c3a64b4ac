//! `rosterd mapping replay`: what is stored of a connection's people is mapped anew by the newest published versions.

use super::preview::{print_tally, stopped_by_hand};
use super::progress::Progress;
use crate::cli::context::{Context, TenantArg};
use crate::cli::output;
use crate::model::connection::Connection;
use crate::model::tenant::Tenant;
use crate::replay::run::{Replayer, Report};
use crate::replay::walk::Whom;
use crate::store::users_read;
use anyhow::bail;
use clap::{ArgGroup, Args};
use serde_json::Value;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// Profiles that one name may mean, and a little more to tell that there are several.
const MEANT_MAX: i64 = 2;

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whom").required(true).args(["all", "user", "go_on"])))]
#[command(after_long_help = "\
Nothing is asked of the source: mapped is what it said last. Rules `with create` rest, for whoever has a profile. Where the budget of the \
connection would not let so many people be locked out at once, nothing is written and the run is held with its list: `rosterd runs show \
RUN`, `rosterd runs confirm RUN --hash HASH`, then `--continue RUN`.\n\n\
Stopped or killed, the same command goes on where it was. `rosterd runs undo RUN` puts back what it changed.")]
pub struct ReplayArgs {
    /// Name or id of the connection
    connection: String,
    /// Everybody of the connection
    #[arg(long)]
    all: bool,
    /// Only these: a user_id, an id, an e-mail address or a user name; repeatable
    #[arg(long, value_name = "USER")]
    user: Vec<String>,
    /// Go on with a run that was let through, or that was killed
    #[arg(long = "continue", value_name = "RUN")]
    go_on: Option<String>,
    /// Say what would change, and write nothing
    #[arg(long, conflicts_with = "go_on")]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub async fn run(context: &Context, args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let connection = context.find_connection(&tenant, &args.connection).await?.connection;
    let whom = whom(context, &tenant, &connection, args).await?;
    let provisioner = context.provisioner();
    let progress = Mutex::new(Progress::new());
    let tell = |done: u64, all: u64| progress.lock().unwrap_or_else(PoisonError::into_inner).of_people(done, all);
    let replayer = Replayer {
        store: &context.store,
        provisioner: &provisioner,
        clock: &context.clock,
        entropy: &context.entropy,
        connection: &connection,
        actor: "cli",
        owner: format!("`rosterd mapping replay` (process {})", std::process::id()),
        progress: &tell,
        stop: stopped_by_hand(),
    };
    let report = if args.dry_run {
        Box::pin(replayer.look(&whom)).await
    } else {
        let run = match &args.go_on {
            Some(run) => run.clone(),
            None => replayer.begin(whom).await?,
        };
        Box::pin(replayer.carry_on(&run)).await
    };
    progress.lock().unwrap_or_else(PoisonError::into_inner).end();
    let report = report?;
    if args.json {
        output::json(&as_json(&report, &connection))?;
    } else {
        print(&report, &connection)?;
    }
    Ok(if report.held > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

async fn whom(context: &Context, tenant: &Tenant, connection: &Connection, args: &ReplayArgs) -> anyhow::Result<Whom> {
    if args.user.is_empty() {
        return Ok(Whom::All);
    }
    let mut ids = Vec::new();
    for name in &args.user {
        let mut found = users_read::find(&context.store, &tenant.id, name, MEANT_MAX).await?;
        let (Some(user), true) = (found.pop(), found.is_empty()) else {
            bail!("{name} is nobody, or several: name a user_id (`rosterd users list`)");
        };
        let all = users_read::identities(&context.store, &tenant.id, &user.id).await?;
        let before = ids.len();
        ids.extend(all.into_iter().filter(|one| one.connection_id == connection.id).map(|one| one.id.to_string()));
        if ids.len() == before {
            bail!("{name} has no identity at {}", connection.name);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(Whom::These(ids))
}

fn as_json(report: &Report, connection: &Connection) -> Value {
    let mut object = report.summary.clone();
    object["run_id"] = report.run_id.as_deref().into();
    object["connection"] = connection.name.as_str().into();
    object["state"] = report.state().into();
    object["list_hash"] = report.list_hash.as_deref().into();
    object["held"] = report.held.into();
    object
}

fn print(report: &Report, connection: &Connection) -> anyhow::Result<()> {
    print_tally(&report.tally, if report.state() == "done" { "came to" } else { "would" })?;
    output::line("")?;
    let name = &connection.name;
    match (&report.run_id, &report.list_hash) {
        (Some(run), Some(hash)) => {
            output::line(format_args!(
                "Held: {} people would be locked out, more than the budget of {name} allows.",
                report.held
            ))?;
            output::line(format_args!(
                "Look at `rosterd runs show {run}`, let it through with `rosterd runs confirm {run} --hash {hash}`, and go on with \
                 `rosterd mapping replay {name} --continue {run}`."
            ))?;
        }
        (Some(run), None) => output::line(format_args!("Done: {run}. `rosterd runs undo {run}` puts it back."))?,
        (None, _) if report.held > 0 => {
            output::line(format_args!("It would be held: {} people would be locked out. Nothing was written.", report.held))?;
        }
        (None, _) => output::line("Nothing was written.")?,
    }
    Ok(())
}
