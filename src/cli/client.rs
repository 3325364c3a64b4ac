//! `rosterd client …`: the words of the command line for what `registration` decides.

use super::context::{Context, PAGE, TenantArg};
use super::span::Expiry;
use super::{Global, output};
use crate::clock::rfc3339;
use crate::mapping_files;
use crate::model::client::{Client, ClientKind};
use crate::model::ids::ClientId;
use crate::model::provider_key::SigningAlg;
use crate::model::tenant::Tenant;
use crate::registration::decide::{Field, Wanted};
use crate::registration::{self, OVERLAP_SECONDS_MAX, Planned, Registrar, Step, shown};
use crate::secret::Secret;
use crate::store::clients::{self, StoredClient};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register an application; prints its id and, once, its secret
    Create(CreateArgs),
    /// List all applications of a tenant
    List(ListArgs),
    /// Show one, by name or client id
    Show(ShowArgs),
    /// Change its name, its addresses, its claims or its secret
    Update(UpdateArgs),
    /// Remove one; what it was let have ends with it
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd client create shop --redirect-uri https://shop.example/callback --json
  rosterd client create app --native --redirect-uri com.example.app:/callback
  rosterd client create shop --redirect-uri https://shop.example/cb --claims-mapping shop-claims
  rosterd client create robot --machine --scopes read:clients,create:clients")]
pub struct CreateArgs {
    /// 1 to 128 characters
    name: String,
    /// An address people are sent back to with a code, compared to the byte; repeatable
    #[arg(long = "redirect-uri", value_name = "URL")]
    redirect_uris: Vec<String>,
    /// An address people may be sent to after they signed out; repeatable
    #[arg(long = "post-logout-redirect-uri", value_name = "URL")]
    post_logout_redirect_uris: Vec<String>,
    /// It can't keep a secret: a page's script, or a program on somebody's machine
    #[arg(long, conflicts_with = "machine")]
    public: bool,
    /// Public, and a program on somebody's machine
    #[arg(long, conflicts_with = "machine")]
    native: bool,
    /// It logs nobody in and calls the management API by itself
    #[arg(long, requires = "scopes", conflicts_with_all = ["redirect_uris", "post_logout_redirect_uris", "connections", "alg", "claims_mapping", "claims_by_userinfo"])]
    machine: bool,
    /// With --machine: what its tokens may be given, for instance read:users
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', requires = "machine")]
    scopes: Vec<String>,
    /// What ID tokens are signed with: RS256 (the default), ES256 or EdDSA
    #[arg(long, value_name = "ALG", value_parser = alg)]
    alg: Option<SigningAlg>,
    /// A connection its people may come by; repeatable. Without one they may come by any
    #[arg(long = "connection", value_name = "NAME")]
    connections: Vec<String>,
    /// Claims at /userinfo alone, and not in the ID token
    #[arg(long)]
    claims_by_userinfo: bool,
    /// Ask its people what it may know of them: for an application of somebody else's
    #[arg(long, conflicts_with = "machine")]
    ask_consent: bool,
    /// A mapping from profile to oidc, for claims of its own
    #[arg(long, value_name = "NAME")]
    claims_mapping: Option<String>,
    #[command(flatten)]
    tenant: TenantArg,
    /// Say what would be registered, and register nothing
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
    /// Name or client id
    name: String,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rosterd client update shop --redirect-uri https://new.example/cb --remove-redirect-uri https://shop.example/cb
  rosterd client update shop --claims-mapping shop-claims --dry-run
  rosterd client update shop --rotate-secret --overlap 7d --json")]
pub struct UpdateArgs {
    /// Name or client id
    name: String,
    /// What it is called from now on
    #[arg(long = "name", value_name = "TEXT")]
    new_name: Option<String>,
    /// An address to add; repeatable
    #[arg(long = "redirect-uri", value_name = "URL")]
    redirect_uris: Vec<String>,
    /// An address to take away; repeatable
    #[arg(long = "remove-redirect-uri", value_name = "URL")]
    removed_redirect_uris: Vec<String>,
    /// An address to add; repeatable
    #[arg(long = "post-logout-redirect-uri", value_name = "URL")]
    post_logout_redirect_uris: Vec<String>,
    /// An address to take away; repeatable
    #[arg(long = "remove-post-logout-redirect-uri", value_name = "URL")]
    removed_post_logout_redirect_uris: Vec<String>,
    /// A connection to add to those its people may come by; repeatable
    #[arg(long = "connection", value_name = "NAME")]
    connections: Vec<String>,
    /// A connection to take away; without one left they may come by any
    #[arg(long = "remove-connection", value_name = "NAME")]
    removed_connections: Vec<String>,
    /// What ID tokens are signed with from now on
    #[arg(long, value_name = "ALG", value_parser = alg)]
    alg: Option<SigningAlg>,
    /// A machine's scopes, all of them
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// Claims at /userinfo alone (true), or in the ID token too (false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    claims_by_userinfo: Option<bool>,
    /// Ask its people what it may know of them (true), or not (false)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    ask_consent: Option<bool>,
    /// A mapping from profile to oidc, for claims of its own
    #[arg(long, value_name = "NAME", conflicts_with = "no_claims_mapping")]
    claims_mapping: Option<String>,
    /// No claims of its own any more
    #[arg(long)]
    no_claims_mapping: bool,
    /// Make a new secret and print it; the one until now works on for --overlap. Nothing else changes with it
    #[arg(long, conflicts_with_all = ["new_name", "redirect_uris", "removed_redirect_uris", "post_logout_redirect_uris", "removed_post_logout_redirect_uris", "connections", "removed_connections", "alg", "scopes", "claims_by_userinfo", "ask_consent", "claims_mapping", "no_claims_mapping"])]
    rotate_secret: bool,
    /// How long the secret until now works on, for instance 24h or 7d; at most 90d
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
    /// Name or client id
    name: String,
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

fn alg(text: &str) -> Result<SigningAlg, String> {
    SigningAlg::parse(text).ok_or_else(|| String::from("wanted RS256, ES256 or EdDSA"))
}

pub async fn run(global: &Global, command: ClientCommand) -> anyhow::Result<ExitCode> {
    let context = Context::open(global).await?;
    let outcome = answer(&context, command).await;
    context.store.close().await;
    outcome
}

async fn answer(context: &Context, command: ClientCommand) -> anyhow::Result<ExitCode> {
    match command {
        ClientCommand::Create(args) => create(context, args).await?,
        ClientCommand::List(args) => list(context, args).await?,
        ClientCommand::Show(args) => {
            let tenant = context.tenant(&args.tenant).await?;
            print(&find(context, &tenant, &args.name).await?, None, args.json)?;
        }
        ClientCommand::Update(args) => update(context, args).await?,
        ClientCommand::Delete(args) => return delete(context, args).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(context: &Context, tenant: &Tenant, name: &str) -> anyhow::Result<StoredClient> {
    let mut found = clients::find(&context.store, &tenant.id, &ClientId::new(name)).await?;
    if found.is_none() {
        found = clients::find_by_name(&context.store, &tenant.id, name).await?;
    }
    found.with_context(|| format!("there is no client {name} in tenant {}", tenant.name))
}

fn kind(kind: ClientKind) -> &'static str {
    match kind {
        ClientKind::Confidential => "confidential",
        ClientKind::Public => "public",
        ClientKind::Machine => "machine",
    }
}

fn print(stored: &StoredClient, secret: Option<&Secret<String>>, json: bool) -> anyhow::Result<()> {
    if json {
        output::json(&shown::client(stored, secret))?;
        return Ok(());
    }
    let Client { id, name, options, created_at, .. } = &stored.client;
    let mut fields = vec![("client id", id.to_string())];
    if let Some(secret) = secret {
        fields.push(("client secret", secret.expose().clone()));
    }
    fields.push(("name", name.clone()));
    let native = if options.native { ", native" } else { "" };
    fields.push(("kind", format!("{}{native}", kind(options.kind))));
    if options.kind == ClientKind::Machine {
        fields.push(("scopes", options.scopes.join(", ")));
    } else {
        fields.push(("redirect URIs", options.redirect_uris.join(", ")));
        fields.push(("after logout", options.post_logout_redirect_uris.join(", ")));
        fields.push((
            "connections",
            if options.connections.is_empty() { String::from("any") } else { options.connections.join(", ") },
        ));
        fields.push(("algorithm", options.alg.as_str().to_owned()));
        let told = if options.id_token_claims { "in the ID token and at /userinfo" } else { "at /userinfo" };
        fields.push(("claims", told.to_owned()));
        if options.asks_consent {
            fields.push(("people", String::from("are asked what it may know of them")));
        }
        if let Some(mapping) = &options.claims_mapping {
            fields.push(("claims mapping", mapping.clone()));
        }
    }
    if let Some((_, until)) = &stored.former {
        fields.push(("former secret", format!("until {}", rfc3339(*until))));
    }
    fields.push(("created", rfc3339(*created_at)));
    output::fields(&fields)?;
    Ok(())
}

fn registrar(context: &Context) -> Registrar {
    let dir = context.config.mappings.dir.clone();
    Registrar {
        store: context.store.clone(),
        keys: context.keys.clone(),
        entropy: context.entropy.clone(),
        drafts: Arc::new(move |name: &str| mapping_files::find(&dir, name)),
    }
}

/// A refusal, with the flag it is about.
fn said(error: registration::Error) -> anyhow::Error {
    match error {
        registration::Error::Wrong(wrong) => match flag(wrong.field) {
            Some(flag) => anyhow::anyhow!("{flag}: {}", wrong.says),
            None => anyhow::anyhow!(wrong.says),
        },
        registration::Error::Stale => anyhow::anyhow!("somebody else changed it meanwhile; look again and repeat"),
        registration::Error::Taken { .. } => anyhow::anyhow!(error.to_string()),
        registration::Error::Store(error) => error.into(),
    }
}

const fn flag(field: Field) -> Option<&'static str> {
    match field {
        Field::Name | Field::Secret => None,
        Field::Kind => Some("--native"),
        Field::Callbacks => Some("--redirect-uri"),
        Field::LogoutUrls => Some("--post-logout-redirect-uri"),
        Field::Connections => Some("--connection"),
        Field::Scopes => Some("--scopes"),
        Field::Alg => Some("--alg"),
        Field::IdTokenClaims => Some("--claims-by-userinfo"),
        Field::AsksConsent => Some("--ask-consent"),
        Field::ClaimsMapping => Some("--claims-mapping"),
    }
}

/// Takes the step, or says what it would be, and prints what comes of it.
async fn carry_out(registrar: &Registrar, mut planned: Planned, dry_run: bool, json: bool) -> anyhow::Result<()> {
    if dry_run && json {
        output::json(&shown::plan(&planned))?;
        return Ok(());
    }
    if dry_run {
        output::line(match planned.step {
            Step::Create => "It would be registered like this; nothing was stored.",
            Step::Update => "It would be changed to this; nothing was stored.",
            Step::RotateSecret => "It would get a new secret; nothing was stored.",
            Step::Delete => "It would be removed, with all it was given; nothing was stored.",
        })?;
    } else {
        registrar.carry_out(&mut planned).await.map_err(said)?;
    }
    let secret = planned.secret.as_ref().filter(|_| !dry_run);
    match (&planned.after, &planned.before) {
        (Some(after), _) => print(after, secret, json),
        (None, Some(before)) if dry_run => print(before, None, json),
        (None, _) => Ok(()),
    }
}

async fn create(context: &Context, args: CreateArgs) -> anyhow::Result<()> {
    let kind = match (args.public || args.native, args.machine) {
        (_, true) => ClientKind::Machine,
        (true, _) => ClientKind::Public,
        _ => ClientKind::Confidential,
    };
    if kind != ClientKind::Machine && args.redirect_uris.is_empty() {
        bail!("an application that logs people in has at least one --redirect-uri; one that does not is a --machine");
    }
    let tenant = context.tenant(&args.tenant).await?;
    let wanted = Wanted {
        name: Some(args.name),
        native: Some(args.native),
        redirect_uris: Some(args.redirect_uris),
        post_logout_redirect_uris: Some(args.post_logout_redirect_uris),
        connections: Some(args.connections),
        scopes: Some(args.scopes),
        alg: args.alg,
        id_token_claims: Some(!args.claims_by_userinfo),
        claims_mapping: Some(args.claims_mapping),
        asks_consent: Some(args.ask_consent),
    };
    let registrar = registrar(context);
    let planned = registrar.create(&tenant.id, kind, wanted, &context.audit()).await.map_err(said)?;
    carry_out(&registrar, planned, args.dry_run, args.json).await
}

async fn list(context: &Context, args: ListArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let mut all: Vec<StoredClient> = Vec::new();
    loop {
        let after = all.last().map(|stored| stored.client.name.clone()).unwrap_or_default();
        let page = clients::list(&context.store, &tenant.id, &after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if args.json {
        output::json(&all.iter().map(|stored| shown::client(stored, None)).collect())?;
    } else {
        let row = |stored: &StoredClient| {
            let Client { id, name, options, .. } = &stored.client;
            vec![name.clone(), kind(options.kind).to_owned(), options.alg.as_str().to_owned(), id.to_string()]
        };
        output::table(&["NAME", "KIND", "ALGORITHM", "CLIENT ID"], &all.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// `known` without what is `removed` and with what is `added`; `None` if nothing is said.
fn edited(what: &str, known: &[String], removed: &[String], added: Vec<String>) -> anyhow::Result<Option<Vec<String>>> {
    if removed.is_empty() && added.is_empty() {
        return Ok(None);
    }
    let mut edited = known.to_vec();
    for gone in removed {
        let at = edited.iter().position(|one| one == gone).with_context(|| format!("it has no {what} {gone}"))?;
        edited.remove(at);
    }
    edited.extend(added);
    Ok(Some(edited))
}

async fn update(context: &Context, args: UpdateArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let stored = find(context, &tenant, &args.name).await?;
    let (registrar, audit) = (registrar(context), context.audit());
    let planned = if args.rotate_secret {
        let until = args.overlap.instant(audit.at).context("wanted how long the secret until now works on, for instance 24h")?;
        if until > audit.at.saturating_add(OVERLAP_SECONDS_MAX * crate::clock::SECOND) {
            bail!("--overlap: at most {}d", OVERLAP_SECONDS_MAX / 86_400);
        }
        registrar.rotate(stored, until, &audit).map_err(said)?
    } else {
        let options = &stored.client.options;
        let wanted = Wanted {
            name: args.new_name,
            native: None,
            redirect_uris: edited("address", &options.redirect_uris, &args.removed_redirect_uris, args.redirect_uris)?,
            post_logout_redirect_uris: edited(
                "address",
                &options.post_logout_redirect_uris,
                &args.removed_post_logout_redirect_uris,
                args.post_logout_redirect_uris,
            )?,
            connections: edited("connection", &options.connections, &args.removed_connections, args.connections)?,
            scopes: args.scopes,
            alg: args.alg,
            id_token_claims: args.claims_by_userinfo.map(|by_userinfo| !by_userinfo),
            asks_consent: args.ask_consent,
            claims_mapping: if args.no_claims_mapping { Some(None) } else { args.claims_mapping.map(Some) },
        };
        registrar.update(stored, wanted, &audit).await.map_err(said)?
    };
    carry_out(&registrar, planned, args.dry_run, args.json).await
}

async fn delete(context: &Context, args: DeleteArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let stored = find(context, &tenant, &args.name).await?;
    if !args.dry_run && !output::confirmed(&format!("Delete client {}", stored.client.name), args.yes)? {
        return Ok(ExitCode::FAILURE);
    }
    let registrar = registrar(context);
    let shown = args.json.then(|| shown::client(&stored, None));
    let planned = registrar.delete(stored, &context.audit());
    carry_out(&registrar, planned, args.dry_run, args.json).await?;
    if let Some(shown) = shown.filter(|_| !args.dry_run) {
        output::json(&shown)?;
    }
    Ok(ExitCode::SUCCESS)
}
