//! `rosterd tenant …`

use super::context::{Context, PAGE};
use super::{Global, output};
use crate::clock::rfc3339;
use crate::model::ids::TenantId;
use crate::model::tenant::{DEFAULT_TENANT, Tenant, host_key, is_slug};
use crate::store::tenants::TenantOptions;
use crate::store::{Batch, mapping_versions, tenants};
use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Make a tenant
    Create(CreateArgs),
    /// List all tenants
    List(JsonArg),
    /// Show one
    Show(ShowArgs),
    /// Change its host, or for how long its log is kept
    Update(UpdateArgs),
    /// Remove an empty tenant and its log
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub struct JsonArg {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// 1 to 63 of a-z, 0-9 and hyphen; it stays for good
    name: String,
    /// The host name it answers; the tenant `default` answers all others
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    name: String,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct UpdateArgs {
    name: String,
    /// The host name it answers; an empty text takes it away
    #[arg(long, value_name = "HOST", required_unless_present = "log_days", conflicts_with = "log_days")]
    host: Option<String>,
    /// For how many days its log is kept, 1 to 3650; 0: as `retention.log_days` says for all
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(0..=3_650))]
    log_days: Option<i64>,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    name: String,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

pub async fn run(global: &Global, command: TenantCommand) -> anyhow::Result<ExitCode> {
    let context = Context::open(global).await?;
    let outcome = answer(&context, command).await;
    context.store.close().await;
    outcome
}

async fn answer(context: &Context, command: TenantCommand) -> anyhow::Result<ExitCode> {
    match command {
        TenantCommand::Create(args) => create(context, args).await?,
        TenantCommand::List(args) => list(context, args.json).await?,
        TenantCommand::Show(args) => print(context, &context.find_tenant(&args.name).await?, args.json).await?,
        TenantCommand::Update(args) => update(context, args).await?,
        TenantCommand::Delete(args) => return delete(context, args).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// The tenant as JSON.
fn as_json(tenant: &Tenant, options: TenantOptions) -> Value {
    json!({
        "id": tenant.id,
        "name": tenant.name,
        "host": tenant.host,
        "log_days": options.log_days,
        "created_at": rfc3339(tenant.created_at),
        "updated_at": rfc3339(tenant.updated_at),
    })
}

async fn print(context: &Context, tenant: &Tenant, json: bool) -> anyhow::Result<()> {
    let options = tenants::options(&context.store, &tenant.id).await?;
    if json {
        output::json(&as_json(tenant, options))?;
    } else {
        output::fields(&[
            ("name", tenant.name.clone()),
            ("host", output::or_dash(tenant.host.as_deref())),
            ("log kept", format!("{} days", options.log_days.unwrap_or(context.config.retention.log_days))),
            ("created", rfc3339(tenant.created_at)),
            ("updated", rfc3339(tenant.updated_at)),
        ])?;
    }
    Ok(())
}

/// A host nobody else answers; `None` for an empty text.
async fn free_host(context: &Context, text: &str, owner: &TenantId) -> anyhow::Result<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    let Some(host) = host_key(text) else { bail!("`{text}` is no host name") };
    match tenants::find_by_host(&context.store, &host).await? {
        Some(other) if other.host.as_deref() == Some(&host) && other.id != *owner => {
            bail!("the host {host} already belongs to tenant {}", other.name)
        }
        _ => Ok(Some(host)),
    }
}

async fn create(context: &Context, args: CreateArgs) -> anyhow::Result<()> {
    if !is_slug(&args.name) {
        bail!("`{}` can't name a tenant: wanted 1 to 63 of a-z, 0-9 and hyphen, no hyphen at the ends", args.name);
    }
    let (id, audit) = (TenantId::new(&args.name), context.audit());
    let host = free_host(context, args.host.as_deref().unwrap_or_default(), &id).await?;
    let tenant = Tenant { id, name: args.name, host, version: 1, created_at: audit.at, updated_at: audit.at };
    let mut batch = Batch::default();
    tenants::create(&mut batch, &tenant, &audit);
    mapping_versions::insert(&mut batch, &tenant.id, &context.shipped_mapping(&audit)?);
    context.apply(batch, || format!("there is a tenant {} already", tenant.name)).await?;
    print(context, &tenant, args.json).await
}

async fn list(context: &Context, json: bool) -> anyhow::Result<()> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map(|tenant: &Tenant| tenant.id.to_string()).unwrap_or_default();
        let page = tenants::list(&context.store, &after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if json {
        let mut objects = Vec::new();
        for tenant in &all {
            objects.push(as_json(tenant, tenants::options(&context.store, &tenant.id).await?));
        }
        output::json(&Value::Array(objects))?;
    } else {
        let row =
            |tenant: &Tenant| vec![tenant.name.clone(), output::or_dash(tenant.host.as_deref()), rfc3339(tenant.created_at)];
        output::table(&["NAME", "HOST", "CREATED"], &all.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(())
}

async fn update(context: &Context, args: UpdateArgs) -> anyhow::Result<()> {
    let mut tenant = context.find_tenant(&args.name).await?;
    let (audit, mut batch) = (context.audit(), Batch::default());
    if let Some(host) = &args.host {
        tenant.host = free_host(context, host, &tenant.id).await?;
        tenants::update(&mut batch, &tenant, &audit);
    }
    if let Some(days) = args.log_days {
        tenants::set_options(&mut batch, &tenant, TenantOptions { log_days: (days > 0).then_some(days) }, &audit);
    }
    context.apply(batch, || String::from("the host is taken")).await?;
    tenant.updated_at = audit.at;
    print(context, &tenant, args.json).await
}

async fn delete(context: &Context, args: DeleteArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.find_tenant(&args.name).await?;
    if tenant.name == DEFAULT_TENANT {
        bail!("the tenant {DEFAULT_TENANT} answers every host no other has; it stays");
    }
    if !tenants::is_empty(&context.store, &tenant.id).await? {
        bail!("tenant {} still has users or connections; delete those first", tenant.name);
    }
    if !output::confirmed(&format!("Delete tenant {} with its tokens, organizations and log", tenant.name), args.yes)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut batch = Batch::default();
    tenants::delete(&mut batch, &tenant.id);
    context.apply(batch, || String::from("something still refers to the tenant")).await?;
    Ok(ExitCode::SUCCESS)
}
