//! `rosterd conflicts …`: the inbox, as `/api/v2/conflicts` has it.

use super::context::{Context, PAGE, TenantArg};
use super::{Global, output};
use crate::clock::rfc3339;
use crate::model::conflict::{ConflictKind, ConflictState, Resolution};
use crate::model::tenant::Tenant;
use crate::provisioning::inbox::{self, Item};
use crate::store::{Batch, conflicts};
use anyhow::{Context as _, bail};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum ConflictsCommand {
    /// List what waits for somebody's decision
    List(ListArgs),
    /// Show one, with what each decision would come to
    Show(ShowArgs),
    /// Decide
    Resolve(ResolveArgs),
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which of them
    #[arg(long, default_value = "open", value_parser = PossibleValuesParser::new(ConflictState::WORDS))]
    state: String,
    /// Only of this kind
    #[arg(long, value_parser = PossibleValuesParser::new(ConflictKind::WORDS))]
    kind: Option<String>,
    /// Only of this connection, by name or id
    #[arg(long)]
    connection: Option<String>,
    /// Most to print
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Id
    conflict: String,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = "\
create_new: they are two people; the source's next attempt makes a profile beside the other.\n\
link: they are one person; the source's next attempt joins the profile as a secondary identity.\n\
retry: the reason is mended; the next run over the directory begins as soon as one may.\n\
dismiss: nothing is to be done, and the same is not told again while it says the same.\n\n\
A run that is held is confirmed by its hash: `rosterd runs confirm`.")]
pub struct ResolveArgs {
    /// Id
    conflict: String,
    /// What is decided; `rosterd conflicts show` says what may be
    #[arg(long, value_parser = PossibleValuesParser::new(Resolution::WORDS))]
    action: String,
    /// Say what the decision comes to, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub async fn run(global: &Global, command: ConflictsCommand) -> anyhow::Result<ExitCode> {
    let context = Context::open(global).await?;
    let outcome = match command {
        ConflictsCommand::List(args) => list(&context, args).await,
        ConflictsCommand::Show(args) => show(&context, args).await,
        ConflictsCommand::Resolve(args) => resolve(&context, args).await,
    };
    context.store.close().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn list(context: &Context, args: ListArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let connection = match &args.connection {
        Some(name) => Some(context.find_connection(&tenant, name).await?.connection.id),
        None => None,
    };
    let state = ConflictState::parse(&args.state).context("clap lets nothing else through")?;
    let kind = args.kind.as_deref().and_then(ConflictKind::parse);
    let limit = usize::try_from(args.limit)?;
    let (mut all, mut after) = (Vec::new(), String::new());
    while all.len() < limit {
        let rows = conflicts::list(&context.store, &tenant.id, connection.as_ref(), state, &after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after.clone_from(&last.id);
        for row in rows.into_iter().filter(|row| kind.is_none_or(|kind| kind == row.kind)) {
            all.extend(inbox::load(&context.store, row, &tenant.id).await?);
        }
    }
    let is_cut = all.len() > limit;
    all.truncate(limit);
    if args.json {
        output::json(&all.iter().map(inbox::as_json).collect())?;
        return Ok(());
    }
    let row = |item: &Item| {
        let row = &item.row;
        vec![
            row.id.clone(),
            item.connection.name.clone(),
            row.kind.as_str().to_owned(),
            row.subject.clone(),
            row.occurrences.to_string(),
            rfc3339(row.updated_at),
        ]
    };
    output::table(&["ID", "CONNECTION", "KIND", "ABOUT", "TIMES", "LAST"], &all.iter().map(row).collect::<Vec<_>>())?;
    if is_cut {
        eprintln!("the first {limit}; --limit shows more");
    }
    Ok(())
}

async fn find(context: &Context, tenant: &Tenant, id: &str) -> anyhow::Result<Item> {
    let row = conflicts::find(&context.store, &tenant.id, id).await?;
    let row = row.with_context(|| format!("there is no conflict {id}; `rosterd conflicts list` names those there are"))?;
    inbox::load(&context.store, row, &tenant.id).await?.context("its connection is gone, and everybody with it")
}

async fn show(context: &Context, args: ShowArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let item = find(context, &tenant, &args.conflict).await?;
    if args.json {
        return Ok(output::json(&inbox::with_preview(&item))?);
    }
    print(&item)?;
    for resolution in inbox::offers(&item) {
        if let Ok(plan) = inbox::decide(&item, resolution) {
            output::line(format_args!("\n--action {}", resolution.as_str()))?;
            plan.effects.iter().try_for_each(|effect| output::line(format_args!("  {}", output::printable(effect))))?;
        }
    }
    Ok(())
}

fn print(item: &Item) -> anyhow::Result<()> {
    let row = &item.row;
    let mut fields = vec![
        ("id", row.id.clone()),
        ("connection", item.connection.name.clone()),
        ("kind", row.kind.as_str().to_owned()),
        ("state", row.state.as_str().to_owned()),
        ("about", row.subject.clone()),
        ("reason", row.kind.reason().to_owned()),
        ("proposal", inbox::proposal(item)),
    ];
    fields.extend(item.other.as_ref().map(|other| ("other user", other.user_id.clone())));
    fields.extend(item.own.as_ref().map(|own| ("own user", own.user_id.clone())));
    fields.extend([
        ("detail", Value::Object(row.detail.clone()).to_string()),
        ("times", row.occurrences.to_string()),
        ("first", rfc3339(row.created_at)),
        ("last", rfc3339(row.updated_at)),
    ]);
    if let Some(by) = &row.resolved_by {
        let action = row.resolution.map_or("its reason went", Resolution::as_str);
        fields.push(("resolved", format!("{action}, by {by}, {}", output::time(row.resolved_at))));
    }
    output::fields(&fields)?;
    Ok(())
}

async fn resolve(context: &Context, args: ResolveArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let item = find(context, &tenant, &args.conflict).await?;
    let action = Resolution::parse(&args.action).context("clap lets nothing else through")?;
    let plan = match inbox::decide(&item, action) {
        Ok(plan) => plan,
        Err(not) => bail!("{not}"),
    };
    if !args.dry_run {
        let mut batch = Batch::default();
        conflicts::decide(&mut batch, &tenant.id, &item.row, action, &context.audit());
        context.apply(batch, || String::from("the log row's id is taken; try again")).await?;
    }
    if args.json {
        let item = if args.dry_run { item } else { find(context, &tenant, &args.conflict).await? };
        let mut shown = inbox::as_json(&item);
        shown["plan"] = plan.as_json();
        return Ok(output::json(&shown)?);
    }
    plan.effects.iter().try_for_each(|effect| output::line(output::printable(effect)))?;
    output::line(if args.dry_run { "Nothing was written." } else { "Decided." })?;
    Ok(())
}
