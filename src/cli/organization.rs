//! `rosterd organization …`

use super::context::{Context, PAGE, TenantArg};
use super::{Global, output};
use crate::clock::rfc3339;
use crate::model::ids::new_organization_id;
use crate::model::look::{Color, Logo, Look};
use crate::model::tenant::{Organization, Tenant, domain_key, is_slug};
use crate::store::{Batch, organizations};
use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum OrganizationCommand {
    /// Make an organization
    Create(CreateArgs),
    /// List all organizations of a tenant
    List(ListArgs),
    /// Show one, by name or id
    Show(ShowArgs),
    /// Change its display name, its look or its domains
    Update(UpdateArgs),
    /// Remove one that no connection belongs to
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// 1 to 63 of a-z, 0-9 and hyphen
    name: String,
    /// What people see
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    #[command(flatten)]
    look: LookArgs,
    /// A mail domain it has proven; repeatable
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

/// How pages look to its people.
#[derive(Debug, Args)]
struct LookArgs {
    /// The colour of buttons on pages its people see, as #rrggbb; an empty text takes it away
    #[arg(long, value_name = "COLOR")]
    color: Option<String>,
    /// An https address of a picture on these pages; browsers fetch it from there. An empty text takes it away
    #[arg(long, value_name = "URL")]
    logo_url: Option<String>,
}

impl LookArgs {
    fn change(&self, look: &mut Look) -> anyhow::Result<()> {
        match self.color.as_deref() {
            None => {}
            Some("") => look.color = None,
            Some(text) => match Color::parse(text) {
                Some(color) => look.color = Some(color),
                None => bail!("`{text}` is no colour: wanted #rrggbb"),
            },
        }
        match self.logo_url.as_deref() {
            None => {}
            Some("") => look.logo = None,
            Some(text) => match Logo::parse(text) {
                Ok(logo) => look.logo = Some(logo),
                Err(wanted) => bail!("--logo-url {text}: {wanted}"),
            },
        }
        Ok(())
    }
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
    /// Name or id
    name: String,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Name or id
    name: String,
    /// What people see; an empty text takes it away
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    #[command(flatten)]
    look: LookArgs,
    /// A domain to add; repeatable
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    /// A domain to take away; repeatable
    #[arg(long = "remove-domain", value_name = "DOMAIN")]
    removed: Vec<String>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Name or id
    name: String,
    #[command(flatten)]
    tenant: TenantArg,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

pub async fn run(global: &Global, command: OrganizationCommand) -> anyhow::Result<ExitCode> {
    let context = Context::open(global).await?;
    let outcome = answer(&context, command).await;
    context.store.close().await;
    outcome
}

async fn answer(context: &Context, command: OrganizationCommand) -> anyhow::Result<ExitCode> {
    match command {
        OrganizationCommand::Create(args) => create(context, args).await?,
        OrganizationCommand::List(args) => list(context, args).await?,
        OrganizationCommand::Show(args) => {
            let tenant = context.tenant(&args.tenant).await?;
            print(&context.find_organization(&tenant, &args.name).await?, args.json)?;
        }
        OrganizationCommand::Update(args) => update(context, args).await?,
        OrganizationCommand::Delete(args) => return delete(context, args).await,
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(organization: &Organization) -> Value {
    json!({
        "id": organization.id,
        "name": organization.name,
        "display_name": organization.display_name,
        "color": organization.look.color.map(|color| color.to_string()),
        "logo_url": organization.look.logo.as_ref().map(Logo::as_str),
        "domains": organization.domains,
        "created_at": rfc3339(organization.created_at),
        "updated_at": rfc3339(organization.updated_at),
    })
}

fn print(organization: &Organization, json: bool) -> anyhow::Result<()> {
    if json {
        output::json(&as_json(organization))?;
    } else {
        output::fields(&[
            ("id", organization.id.to_string()),
            ("name", organization.name.clone()),
            ("display name", output::or_dash(organization.display_name.as_deref())),
            ("color", output::or_dash(organization.look.color.map(|color| color.to_string()).as_deref())),
            ("logo", output::or_dash(organization.look.logo.as_ref().map(Logo::as_str))),
            ("domains", organization.domains.join(", ")),
            ("created", rfc3339(organization.created_at)),
            ("updated", rfc3339(organization.updated_at)),
        ])?;
    }
    Ok(())
}

/// Domains as they are compared, each once, none of them another organization's.
async fn free_domains(context: &Context, tenant: &Tenant, texts: &[String]) -> anyhow::Result<Vec<String>> {
    let mut domains = Vec::new();
    for text in texts {
        let Some(domain) = domain_key(text) else { bail!("`{text}` is no domain like acme.example") };
        if let Some(owner) = organizations::find_domain_owner(&context.store, &tenant.id, &domain).await? {
            let name = organizations::find(&context.store, &tenant.id, &owner).await?.map(|owner| owner.name);
            bail!("the domain {domain} already belongs to organization {}", name.unwrap_or_else(|| owner.to_string()));
        }
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    Ok(domains)
}

async fn create(context: &Context, args: CreateArgs) -> anyhow::Result<()> {
    if !is_slug(&args.name) {
        bail!("`{}` can't name an organization: wanted 1 to 63 of a-z, 0-9 and hyphen, no hyphen at the ends", args.name);
    }
    let tenant = context.tenant(&args.tenant).await?;
    let domains = free_domains(context, &tenant, &args.domains).await?;
    if domains.len() > organizations::DOMAINS_MAX {
        bail!("an organization has at most {} domains", organizations::DOMAINS_MAX);
    }
    let mut look = Look::default();
    args.look.change(&mut look)?;
    let audit = context.audit();
    let organization = Organization {
        id: new_organization_id(&context.entropy, audit.at),
        tenant_id: tenant.id.clone(),
        name: args.name,
        display_name: args.display_name.filter(|name| !name.is_empty()),
        look,
        domains,
        version: 1,
        created_at: audit.at,
        updated_at: audit.at,
    };
    let mut batch = Batch::default();
    organizations::create(&mut batch, &organization, &audit);
    context.apply(batch, || format!("there is an organization {} already", organization.name)).await?;
    print(&organization, args.json)
}

async fn list(context: &Context, args: ListArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let mut all: Vec<Organization> = Vec::new();
    loop {
        let after = all.last().map(|organization| organization.name.clone()).unwrap_or_default();
        let page = organizations::list(&context.store, &tenant.id, &after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if args.json {
        output::json(&all.iter().map(as_json).collect())?;
    } else {
        let row = |found: &Organization| {
            vec![
                found.name.clone(),
                output::or_dash(found.display_name.as_deref()),
                found.domains.join(", "),
                found.id.to_string(),
            ]
        };
        output::table(&["NAME", "DISPLAY NAME", "DOMAINS", "ID"], &all.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(())
}

async fn update(context: &Context, args: UpdateArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let mut organization = context.find_organization(&tenant, &args.name).await?;
    if let Some(name) = args.display_name {
        organization.display_name = Some(name).filter(|name| !name.is_empty());
    }
    args.look.change(&mut organization.look)?;
    let mut removed = Vec::new();
    for text in &args.removed {
        match domain_key(text).filter(|domain| organization.domains.contains(domain)) {
            Some(domain) => removed.push(domain),
            None => bail!("organization {} has no domain {text}", organization.name),
        }
    }
    let own = |text: &String| domain_key(text).is_some_and(|domain| organization.domains.contains(&domain));
    let new: Vec<String> = args.domains.into_iter().filter(|text| !own(text)).collect();
    let added = free_domains(context, &tenant, &new).await?;
    organization.domains.retain(|domain| !removed.contains(domain));
    organization.domains.extend(added.iter().cloned());
    organization.domains.sort();
    if organization.domains.len() > organizations::DOMAINS_MAX {
        bail!("an organization has at most {} domains", organizations::DOMAINS_MAX);
    }
    let (audit, mut batch) = (context.audit(), Batch::default());
    organizations::update(&mut batch, &organization, &added, &removed, &audit);
    context.apply(batch, || String::from("a domain was taken meanwhile")).await?;
    organization.updated_at = audit.at;
    print(&organization, args.json)
}

async fn delete(context: &Context, args: DeleteArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let organization = context.find_organization(&tenant, &args.name).await?;
    let connections = organizations::connections(&context.store, &tenant.id, &organization.id).await?;
    if !connections.is_empty() {
        bail!("these connections belong to organization {}: {}", organization.name, connections.join(", "));
    }
    if !output::confirmed(&format!("Delete organization {}", organization.name), args.yes)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut batch = Batch::default();
    organizations::delete(&mut batch, &organization, &context.audit());
    context.apply(batch, || String::from("something still refers to the organization")).await?;
    Ok(ExitCode::SUCCESS)
}
