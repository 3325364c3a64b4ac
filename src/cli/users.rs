//! `rosterd users …`

use super::context::{Context, PAGE, TenantArg};
use super::{Global, erase, output, why};
use crate::api::shown_user as shown;
use crate::clock::rfc3339;
use crate::model::ids::TenantId;
use crate::store::groups;
use crate::store::users_read::{self, BlockRecord, IdentityRecord, UserRecord};
use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Profiles shown when a name means several.
const CANDIDATES: i64 = 10;

#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// List profiles
    List(ListArgs),
    /// Show one profile with its identities and blocks
    Show(ShowArgs),
    /// Why a profile's values are what they are: connection, event, mapping line, and what they were before
    Why(why::WhyArgs),
    /// Erase somebody who asked for it, with a proof
    Erase(erase::EraseArgs),
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Most profiles to print
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// user_id, e-mail address, user name, or SCIM id
    user: String,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub async fn run(global: &Global, command: UsersCommand) -> anyhow::Result<ExitCode> {
    let context = Context::open(global).await?;
    let outcome = answer(&context, command).await;
    context.store.close().await;
    outcome
}

async fn answer(context: &Context, command: UsersCommand) -> anyhow::Result<ExitCode> {
    match command {
        UsersCommand::List(args) => list(context, &args).await?,
        UsersCommand::Show(args) => {
            let tenant = context.tenant(&args.tenant).await?;
            let user = find_user(context, &tenant.id, &args.user).await?;
            show(context, &tenant.id, &user, args.json).await?;
        }
        UsersCommand::Why(args) => why::run(context, &args).await?,
        UsersCommand::Erase(args) => erase::run(context, &args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The one profile that `name` means.
pub async fn find_user(context: &Context, tenant: &TenantId, name: &str) -> anyhow::Result<UserRecord> {
    let mut found = users_read::find(&context.store, tenant, name, CANDIDATES).await?;
    match found.len() {
        0 => bail!("there is no user {name} in tenant {tenant}: wanted a user_id, an e-mail address, a user name or a SCIM id"),
        1 => Ok(found.remove(0)),
        _ => {
            let ids: Vec<&str> = found.iter().map(|user| user.user_id.as_str()).collect();
            bail!("{name} means several users, name one by its user_id:\n{}", ids.join("\n"))
        }
    }
}

/// The user as the management API shows it, and of each identity where it stands.
fn as_json(user: &UserRecord, identities: &[IdentityRecord]) -> Value {
    let mut object = shown::user(user, identities);
    for (shown, identity) in object["identities"].as_array_mut().into_iter().flatten().zip(identities) {
        shown["id"] = json!(identity.id);
        shown["connection_id"] = json!(identity.connection_id);
        shown["state"] = json!(identity.state);
        shown["active"] = json!(identity.active);
        shown["last_source"] = json!(identity.last_source);
    }
    object
}

async fn list(context: &Context, args: &ListArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let limit = usize::try_from(args.limit)?;
    let mut all: Vec<UserRecord> = Vec::new();
    while all.len() < limit {
        let after = all.last().map(|user| user.id.to_string()).unwrap_or_default();
        let wanted = i64::try_from(limit - all.len())?.min(PAGE);
        let page = users_read::list(&context.store, &tenant.id, &after, wanted).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if args.json {
        let mut objects = Vec::with_capacity(all.len());
        for user in &all {
            objects.push(as_json(user, &users_read::identities(&context.store, &tenant.id, &user.id).await?));
        }
        output::json(&Value::Array(objects))?;
        return Ok(());
    }
    let text = |user: &UserRecord, name: &str| output::or_dash(user.doc.get(name).and_then(Value::as_str));
    let row = |user: &UserRecord| {
        let blocked = if user.blocked { "blocked" } else { "" };
        vec![user.user_id.clone(), text(user, "email"), text(user, "name"), blocked.to_owned(), rfc3339(user.updated_at)]
    };
    output::table(&["USER ID", "EMAIL", "NAME", "", "UPDATED"], &all.iter().map(row).collect::<Vec<_>>())?;
    if all.len() == limit {
        eprintln!("the first {limit}; --limit shows more");
    }
    Ok(())
}

async fn show(context: &Context, tenant: &TenantId, user: &UserRecord, json: bool) -> anyhow::Result<()> {
    let identities = users_read::identities(&context.store, tenant, &user.id).await?;
    let blocks = users_read::blocks(&context.store, tenant, &user.id).await?;
    // Who is blocked is in no group.
    let groups = if user.blocked { Vec::new() } else { groups::of_profile(&context.store, tenant, &user.id).await? };
    if json {
        let mut object = as_json(user, &identities);
        object["blocks"] = blocks.iter().map(block_json).collect();
        object["groups"] = groups.into();
        output::json(&object)?;
        return Ok(());
    }
    let mut fields = vec![("user_id", user.user_id.clone())];
    if let Value::Object(doc) = &user.doc {
        fields.extend(doc.iter().filter(|(name, _)| *name != "user_id").map(|(name, value)| (name.as_str(), plain(value))));
    }
    if !groups.is_empty() {
        fields.push(("groups", groups.join(", ")));
    }
    fields.push(("created_at", rfc3339(user.created_at)));
    fields.push(("updated_at", rfc3339(user.updated_at)));
    output::fields(&fields)?;
    println!();
    let row = |identity: &IdentityRecord| {
        vec![
            identity.connection.clone(),
            identity.state.clone(),
            output::or_dash(identity.user_name.as_deref()),
            output::or_dash(identity.external_id.as_deref()),
            rfc3339(identity.last_seen),
            identity.id.to_string(),
        ]
    };
    let heading = ["CONNECTION", "STATE", "USER NAME", "EXTERNAL ID", "LAST SEEN", "ID"];
    output::table(&heading, &identities.iter().map(row).collect::<Vec<_>>())?;
    if !blocks.is_empty() {
        println!();
        let row = |block: &BlockRecord| vec![block.kind.clone(), rfc3339(block.since), block.actor.clone(), block.reason.clone()];
        output::table(&["BLOCK", "SINCE", "BY", "REASON"], &blocks.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(())
}

fn block_json(block: &BlockRecord) -> Value {
    json!({
        "kind": block.kind,
        "origin": block.origin,
        "since": rfc3339(block.since),
        "by": block.actor,
        "reason": block.reason,
        "expires_at": output::time_json(block.expires_at),
    })
}

/// A value on one line: text as it is, anything else as JSON.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
