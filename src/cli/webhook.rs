//! `rosterd webhook …`: the words of the command line for what `events::webhooks` decides.

use super::context::{Context, PAGE, TenantArg};
use super::span::Expiry;
use super::{Global, output};
use crate::api::shown_user;
use crate::clock::{Micros, SECOND};
use crate::events::reader::Reader;
use crate::events::webhooks::decide::{OVERLAP_SECONDS_MAX, Wanted};
use crate::events::webhooks::desk::{Again, Desk, Done, Error};
use crate::events::webhooks::shown;
use crate::model::ids::WebhookId;
use crate::model::tenant::Tenant;
use crate::outbound::Outbound;
use crate::secret::Secret;
use crate::store;
use crate::store::webhook_deliveries;
use crate::store::webhooks::{self, StoredWebhook};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::process::ExitCode;

/// Rows of `deliveries` unless more are asked for.
const ROWS: usize = 100;

#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Have events sent to an address; prints its id and, once, its secret
    Create(CreateArgs),
    /// List all webhooks of a tenant
    List(ListArgs),
    /// Show one, how it fares and how much it has before it
    Show(ShowArgs),
    /// Change its address, its types or its secret, switch it on or off
    Update(UpdateArgs),
    /// Remove one, with what waits for it
    Delete(DeleteArgs),
    /// Send it an event of type webhook.test, now and once
    Test(ShowArgs),
    /// Events that it did not take at once: waiting, behind one that waits, or dead
    Deliveries(DeliveriesArgs),
    /// Send events again: one, those that are dead, or everything from a place or a time on
    Redeliver(RedeliverArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd webhook create --url https://app.example.com/hooks/rosterd --json
  rosterd webhook create --url https://app.example.com/hooks/people --type user.created --type user.deleted
  rosterd webhook create --url http://127.0.0.1:9000/hook --allow-plaintext")]
pub struct CreateArgs {
    /// Where events are posted: https://, or http:// with --allow-plaintext
    #[arg(long, value_name = "URL")]
    url: String,
    /// A type of event to send, for instance user.updated; repeatable. Without one all are sent
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// For people who read the list
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Send nothing yet
    #[arg(long)]
    disabled: bool,
    /// Take http:// and call a receiver on this machine (loopback). Only the command line can say this
    #[arg(long)]
    allow_plaintext: bool,
    #[command(flatten)]
    tenant: TenantArg,
    /// Say what would be made, and make nothing
    #[arg(long)]
    dry_run: bool,
    #[arg(long, help = "Print JSON")]
    json: bool,
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
    /// Its id: wh_…
    id: String,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct DeliveriesArgs {
    /// Its id: wh_…
    id: String,
    /// All of them, and not the first 100
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd webhook update wh_0198… --url https://new.example.com/hook
  rosterd webhook update wh_0198… --type user.created --type user.deleted
  rosterd webhook update wh_0198… --rotate-secret --overlap 7d --json
  rosterd webhook update wh_0198… --enable")]
pub struct UpdateArgs {
    /// Its id: wh_…
    id: String,
    #[arg(long, value_name = "URL", help = "Where events are posted from now on")]
    url: Option<String>,
    /// Its types from now on, all of them; repeatable
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "all_types")]
    types: Vec<String>,
    /// Send all types from now on
    #[arg(long)]
    all_types: bool,
    #[arg(long, value_name = "TEXT", help = "For people who read the list")]
    description: Option<String>,
    /// Send, also what came meanwhile; a receiver that was away is looked for at once
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Send nothing until it is switched on again
    #[arg(long)]
    disable: bool,
    /// Whether http:// and a receiver on this machine are taken
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    allow_plaintext: Option<bool>,
    /// Make a new secret and print it; the one until now signs too for --overlap. Nothing else changes with it
    #[arg(long, conflicts_with_all = ["url", "types", "all_types", "description", "enable", "disable", "allow_plaintext"])]
    rotate_secret: bool,
    /// How long the secret until now signs too, for instance 24h or 7d; at most 30d
    #[arg(long, value_name = "DURATION", default_value = "24h", requires = "rotate_secret")]
    overlap: Expiry,
    #[command(flatten)]
    tenant: TenantArg,
    /// Say what it would be, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Its id: wh_…
    id: String,
    #[command(flatten)]
    tenant: TenantArg,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd webhook redeliver wh_0198… --dead
  rosterd webhook redeliver wh_0198… --event 0198c2d1-…
  rosterd webhook redeliver wh_0198… --since 2026-11-28T00:00:00Z --dry-run")]
pub struct RedeliverArgs {
    /// Its id: wh_…
    id: String,
    /// Everything that was given up
    #[arg(long, group = "what")]
    dead: bool,
    /// One event, by its id
    #[arg(long, value_name = "EVENT", group = "what")]
    event: Option<String>,
    /// Everything after a place of the feed (the `next` of a part), or from an event on, by its id
    #[arg(long, value_name = "CURSOR", group = "what")]
    from: Option<String>,
    /// Everything from an instant on, for instance 2026-11-28T00:00:00Z
    #[arg(long, value_name = "TIME", group = "what", value_parser = instant)]
    since: Option<Micros>,
    #[command(flatten)]
    tenant: TenantArg,
    /// Say how many that would be, and send none
    #[arg(long)]
    dry_run: bool,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

fn instant(text: &str) -> Result<Micros, String> {
    let wanted = |_| String::from("wanted an instant like 2026-11-28T00:00:00Z");
    text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_microsecond).map_err(wanted)
}

pub async fn run(global: &Global, command: WebhookCommand) -> anyhow::Result<ExitCode> {
    let context = Context::open(global).await?;
    let outcome = answer(&context, command).await;
    context.store.close().await;
    outcome
}

async fn answer(context: &Context, command: WebhookCommand) -> anyhow::Result<ExitCode> {
    match command {
        WebhookCommand::Create(args) => create(context, args).await?,
        WebhookCommand::List(args) => list(context, args).await?,
        WebhookCommand::Show(args) => show(context, &args).await?,
        WebhookCommand::Update(args) => update(context, args).await?,
        WebhookCommand::Delete(args) => return delete(context, args).await,
        WebhookCommand::Test(args) => return test(context, &args).await,
        WebhookCommand::Deliveries(args) => deliveries(context, &args).await?,
        WebhookCommand::Redeliver(args) => redeliver(context, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn desk(context: &Context) -> Desk {
    Desk {
        reader: Reader { store: context.store.clone(), show_user: shown_user::user },
        outbound: Outbound::new(&context.config.outbound.allow),
        keys: context.keys.clone(),
        clock: context.clock.clone(),
        entropy: context.entropy.clone(),
        timeout: context.config.webhooks.timeout,
    }
}

async fn find(context: &Context, tenant: &Tenant, id: &str) -> anyhow::Result<StoredWebhook> {
    let found = webhooks::find(&context.store, &tenant.id, &WebhookId::new(id)).await?;
    found.with_context(|| format!("there is no webhook {id} in tenant {} (`rosterd webhook list`)", tenant.name))
}

/// A refusal, with the flag it is about.
fn said(error: Error) -> anyhow::Error {
    match error {
        Error::Wrong(wrong) => {
            let flag = match wrong.field {
                "types" => "--type",
                "url" => "--url",
                "description" => "--description",
                "event_id" => "--event",
                _ => "--from",
            };
            anyhow::anyhow!("{flag}: {}", wrong.says)
        }
        Error::Store(store::Error::Stale) => anyhow::anyhow!("somebody else changed it meanwhile; look again and repeat"),
        error => error.into(),
    }
}

fn print(mut shown: Value, secret: Option<&Secret<String>>, json: bool) -> anyhow::Result<()> {
    if let Some(secret) = secret {
        shown["secret"] = secret.expose().as_str().into();
    }
    if json {
        output::json(&shown)?;
        return Ok(());
    }
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(all) if all.is_empty() => String::from("all"),
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    let said = |(_, value): &(&String, &Value)| !value.is_null() && *value != "";
    let members = shown.as_object().into_iter().flatten().filter(said);
    output::fields(&members.map(|(name, value)| (name.as_str(), text(value))).collect::<Vec<_>>())?;
    Ok(())
}

/// Prints what was done, or would be.
fn printed(done: &Done, step: &str, dry_run: bool, json: bool) -> anyhow::Result<()> {
    if dry_run && json {
        output::json(&shown::plan(step, done.before.as_ref(), done.after.as_ref()))?;
        return Ok(());
    }
    if dry_run {
        output::line("It would be like this; nothing was stored.")?;
    }
    match done.after.as_ref().or(done.before.as_ref()) {
        Some(stored) => print(shown::webhook(stored, None), done.secret.as_ref().filter(|_| !dry_run), json),
        None => Ok(()),
    }
}

async fn create(context: &Context, args: CreateArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let wanted = Wanted {
        url: Some(args.url),
        description: args.description,
        types: Some(args.types),
        enabled: Some(!args.disabled),
        allow_plaintext: Some(args.allow_plaintext),
    };
    let done = desk(context).create(&tenant.id, wanted, &context.audit(), args.dry_run).await.map_err(said)?;
    printed(&done, "create", args.dry_run, args.json)
}

async fn list(context: &Context, args: ListArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let mut all: Vec<StoredWebhook> = Vec::new();
    loop {
        let after = all.last().map(|stored| stored.webhook.id.to_string()).unwrap_or_default();
        let page = webhooks::list(&context.store, &tenant.id, &after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if args.json {
        output::json(&all.iter().map(|stored| shown::webhook(stored, None)).collect())?;
        return Ok(());
    }
    let row = |stored: &StoredWebhook| {
        let webhook = &stored.webhook;
        let types = if webhook.types.is_empty() { String::from("all") } else { webhook.types.join(",") };
        let state = match (webhook.enabled, stored.fares.failures) {
            (false, _) => "off",
            (true, 0) => "on",
            (true, _) => "failing",
        };
        vec![webhook.id.to_string(), state.to_owned(), webhook.url.clone(), types, webhook.description.clone()]
    };
    output::table(&["ID", "STATE", "URL", "TYPES", "DESCRIPTION"], &all.iter().map(row).collect::<Vec<_>>())?;
    Ok(())
}

async fn show(context: &Context, args: &ShowArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let stored = find(context, &tenant, &args.id).await?;
    print(desk(context).shown(&stored).await.map_err(said)?, None, args.json)
}

async fn update(context: &Context, args: UpdateArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let stored = find(context, &tenant, &args.id).await?;
    let (desk, audit) = (desk(context), context.audit());
    if args.rotate_secret {
        let until = args.overlap.instant(audit.at).context("wanted how long the secret until now signs too, for instance 24h")?;
        let seconds = (until - audit.at) / SECOND;
        if !(0..=OVERLAP_SECONDS_MAX).contains(&seconds) {
            bail!("--overlap: at most {}d", OVERLAP_SECONDS_MAX / 86_400);
        }
        let done = desk.rotate(stored, seconds, &audit, args.dry_run).await.map_err(said)?;
        return printed(&done, "rotate_secret", args.dry_run, args.json);
    }
    // The operator says it, whatever it was.
    let allow_plaintext = Some(args.allow_plaintext.unwrap_or(stored.webhook.allow_plaintext));
    let wanted = Wanted {
        url: args.url,
        description: args.description,
        types: (args.all_types || !args.types.is_empty()).then_some(args.types),
        enabled: if args.enable { Some(true) } else { args.disable.then_some(false) },
        allow_plaintext,
    };
    let done = desk.update(stored, wanted, &audit, args.dry_run).await.map_err(said)?;
    printed(&done, "update", args.dry_run, args.json)
}

async fn delete(context: &Context, args: DeleteArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let stored = find(context, &tenant, &args.id).await?;
    if !args.dry_run && !output::confirmed(&format!("Delete webhook {} ({})", stored.webhook.id, stored.webhook.url), args.yes)? {
        return Ok(ExitCode::FAILURE);
    }
    let done = desk(context).delete(stored, &context.audit(), args.dry_run).await.map_err(said)?;
    if args.dry_run || args.json {
        printed(&done, "delete", args.dry_run, args.json)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Exit code 1 where it was not taken.
async fn test(context: &Context, args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let stored = find(context, &tenant, &args.id).await?;
    let tried = desk(context).test(&stored).await.map_err(said)?;
    let taken = tried["delivered"] == true;
    print(tried, None, args.json)?;
    Ok(if taken { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn deliveries(context: &Context, args: &DeliveriesArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let stored = find(context, &tenant, &args.id).await?;
    let (mut all, mut after) = (Vec::new(), i64::MIN);
    while args.all || all.len() < ROWS {
        let page = webhook_deliveries::list(&context.store, &stored.webhook, after, i64::try_from(ROWS)?).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        all.extend(page);
    }
    let all: Vec<Value> = all.iter().map(shown::delivery).collect();
    if args.json {
        output::json(&Value::Array(all))?;
        return Ok(());
    }
    let text = |row: &Value, name: &str| match &row[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let names = ["event_id", "state", "attempts", "next_at", "error"];
    let rows: Vec<Vec<String>> = all.iter().map(|row| names.iter().map(|name| text(row, name)).collect()).collect();
    output::table(&["EVENT", "STATE", "TRIES", "NEXT", "WHY"], &rows)?;
    Ok(())
}

async fn redeliver(context: &Context, args: RedeliverArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let what = match (args.dead, args.event, args.from, args.since) {
        (true, ..) => Again::Dead,
        (_, Some(event), ..) => Again::Event(event),
        (_, _, Some(from), _) => Again::From(from),
        (.., Some(since)) => Again::Since(since),
        _ => bail!("say what to send again: --dead, --event EVENT, --from CURSOR or --since TIME"),
    };
    let stored = find(context, &tenant, &args.id).await?;
    let (desk, audit) = (desk(context), context.audit());
    let done = desk.again(&tenant.id, &stored.webhook.id, &what, &audit, args.dry_run).await.map_err(said)?;
    if args.json {
        output::json(&done)?;
    } else if args.dry_run {
        output::line(format_args!("{} events of the feed would be gone through again; nothing was stored.", done["events"]))?;
    } else {
        output::line(format_args!("{} events of the feed are gone through again.", done["events"]))?;
    }
    Ok(())
}
