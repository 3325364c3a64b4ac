//! `rosterd client …`

use super::context::{Context, PAGE, TenantArg};
use super::span::Expiry;
use super::{Global, output};
use crate::clock::rfc3339;
use crate::model::access::CONSOLE_SCOPE;
use crate::model::client::{Client, ClientKind, ClientOptions, URIS_MAX, check_uri};
use crate::model::ids::{ClientId, new_client_id};
use crate::model::provider_key::SigningAlg;
use crate::model::tenant::Tenant;
use crate::secret::{Secret, TokenKind};
use crate::store::Batch;
use crate::store::clients::{self, StoredClient};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register an application; prints its id and, once, its secret
    Create(CreateArgs),
    /// List all applications of a tenant
    List(ListArgs),
    /// Show one, by name or client id
    Show(ShowArgs),
    /// Change its addresses, its algorithm or its secret
    Update(UpdateArgs),
    /// Remove one; what it was let have ends with it
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
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
    /// It logs nobody in and calls the management API by itself
    #[arg(long, requires = "scopes", conflicts_with_all = ["redirect_uris", "post_logout_redirect_uris", "connections", "alg"])]
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
    /// Claims of the scopes at /userinfo alone, and not in the ID token
    #[arg(long)]
    claims_by_userinfo: bool,
    /// Ask its people what it may know of them: for an application of somebody else's
    #[arg(long, conflicts_with = "machine")]
    ask_consent: bool,
    #[command(flatten)]
    tenant: TenantArg,
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
pub struct UpdateArgs {
    /// Name or client id
    name: String,
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
    /// What ID tokens are signed with from now on
    #[arg(long, value_name = "ALG", value_parser = alg)]
    alg: Option<SigningAlg>,
    /// A machine's scopes, all of them
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// Make a new secret and print it; the one until now works on for --overlap
    #[arg(long)]
    rotate_secret: bool,
    /// How long the secret until now works on, for instance 24h or 7d
    #[arg(long, value_name = "DURATION", default_value = "24h", requires = "rotate_secret")]
    overlap: Expiry,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Name or client id
    name: String,
    #[command(flatten)]
    tenant: TenantArg,
    /// Don't ask
    #[arg(long)]
    yes: bool,
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

fn as_json(stored: &StoredClient, secret: Option<&Secret<String>>) -> Value {
    let Client { id, name, options, created_at, updated_at, .. } = &stored.client;
    let mut shown = json!({ "client_id": id });
    if let Some(secret) = secret {
        shown["client_secret"] = secret.expose().as_str().into();
    }
    shown["name"] = name.as_str().into();
    let options = serde_json::to_value(options).unwrap_or_default();
    for (name, value) in options.as_object().into_iter().flatten() {
        shown[name] = value.clone();
    }
    shown["former_secret_until"] = output::time_json(stored.former.as_ref().map(|(_, until)| *until));
    shown["created_at"] = rfc3339(*created_at).into();
    shown["updated_at"] = rfc3339(*updated_at).into();
    shown
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
        output::json(&as_json(stored, secret))?;
        return Ok(());
    }
    let Client { id, name, options, created_at, .. } = &stored.client;
    let mut fields = vec![("client id", id.to_string())];
    if let Some(secret) = secret {
        fields.push(("client secret", secret.expose().clone()));
    }
    fields.push(("name", name.clone()));
    fields.push(("kind", kind(options.kind).to_owned()));
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
    }
    if let Some((_, until)) = &stored.former {
        fields.push(("former secret", format!("until {}", rfc3339(*until))));
    }
    fields.push(("created", rfc3339(*created_at)));
    output::fields(&fields)?;
    Ok(())
}

/// `known` with those that are new, each once and fit to be one.
fn with_uris(mut known: Vec<String>, new: Vec<String>) -> anyhow::Result<Vec<String>> {
    for uri in new {
        if let Err(wanted) = check_uri(&uri) {
            bail!("{uri}: {wanted}");
        }
        if !known.contains(&uri) {
            known.push(uri);
        }
    }
    if known.len() > URIS_MAX {
        bail!("an application has at most {URIS_MAX} addresses of a kind");
    }
    Ok(known)
}

fn without(mut known: Vec<String>, gone: &[String]) -> anyhow::Result<Vec<String>> {
    for uri in gone {
        let at = known.iter().position(|known| known == uri).with_context(|| format!("it has no address {uri}"))?;
        known.remove(at);
    }
    Ok(known)
}

fn checked_scopes(given: Vec<String>) -> anyhow::Result<Vec<String>> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in given {
        let plain = !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
        if !plain || scope == CONSOLE_SCOPE {
            bail!("`{scope}` can't be a scope: wanted a name like read:users");
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        bail!("a machine has at least one scope");
    }
    Ok(scopes)
}

async fn create(context: &Context, args: CreateArgs) -> anyhow::Result<()> {
    let is_name = (1..=128).contains(&args.name.chars().count()) && !args.name.chars().any(char::is_control);
    if !is_name || args.name.starts_with("app_") {
        bail!("wanted a name of 1 to 128 characters that does not begin like a client id (app_)");
    }
    let kind = match (args.public, args.machine) {
        (_, true) => ClientKind::Machine,
        (true, _) => ClientKind::Public,
        _ => ClientKind::Confidential,
    };
    if kind != ClientKind::Machine && args.redirect_uris.is_empty() {
        bail!("an application that logs people in has at least one --redirect-uri; one that does not is a --machine");
    }
    let tenant = context.tenant(&args.tenant).await?;
    let mut connections = Vec::new();
    for name in &args.connections {
        connections.push(context.find_connection(&tenant, name).await?.connection.name);
    }
    let options = ClientOptions {
        kind,
        redirect_uris: with_uris(vec![], args.redirect_uris)?,
        post_logout_redirect_uris: with_uris(vec![], args.post_logout_redirect_uris)?,
        connections,
        scopes: if args.machine { checked_scopes(args.scopes)? } else { vec![] },
        alg: args.alg.unwrap_or(SigningAlg::Rs256),
        id_token_claims: !args.claims_by_userinfo,
        asks_consent: args.ask_consent,
    };
    let audit = context.audit();
    let secret = (kind != ClientKind::Public).then(|| TokenKind::ClientSecret.generate(&context.entropy));
    let stored = StoredClient {
        client: Client {
            tenant_id: tenant.id.clone(),
            id: new_client_id(&context.entropy, audit.at),
            name: args.name,
            options,
            version: 1,
            created_at: audit.at,
            updated_at: audit.at,
        },
        hash: secret.as_ref().map(|secret| context.keys.hash_token(secret.expose())),
        former: None,
    };
    let mut batch = Batch::default();
    clients::create(&mut batch, &stored, &audit);
    context.apply(batch, || format!("there is a client {} already", stored.client.name)).await?;
    print(&stored, secret.as_ref(), args.json)
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
        output::json(&all.iter().map(|stored| as_json(stored, None)).collect())?;
    } else {
        let row = |stored: &StoredClient| {
            let Client { id, name, options, .. } = &stored.client;
            vec![name.clone(), kind(options.kind).to_owned(), options.alg.as_str().to_owned(), id.to_string()]
        };
        output::table(&["NAME", "KIND", "ALGORITHM", "CLIENT ID"], &all.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(())
}

async fn update(context: &Context, args: UpdateArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let mut stored = find(context, &tenant, &args.name).await?;
    let audit = context.audit();
    let options = &mut stored.client.options;
    let is_machine = options.kind == ClientKind::Machine;
    let addresses = [&args.redirect_uris, &args.post_logout_redirect_uris];
    if is_machine && (addresses.iter().any(|uris| !uris.is_empty()) || args.alg.is_some()) {
        bail!("a machine logs nobody in: it has neither addresses nor an algorithm");
    }
    if let Some(scopes) = args.scopes {
        if !is_machine {
            bail!("only a machine has scopes of its own; an application asks for openid, profile, email and the like");
        }
        options.scopes = checked_scopes(scopes)?;
    }
    options.redirect_uris = with_uris(without(options.redirect_uris.clone(), &args.removed_redirect_uris)?, args.redirect_uris)?;
    options.post_logout_redirect_uris = with_uris(
        without(options.post_logout_redirect_uris.clone(), &args.removed_post_logout_redirect_uris)?,
        args.post_logout_redirect_uris,
    )?;
    if !is_machine && options.redirect_uris.is_empty() {
        bail!("an application that logs people in keeps at least one redirect URI");
    }
    options.alg = args.alg.unwrap_or(options.alg);
    let mut secret = None;
    if args.rotate_secret {
        if options.kind == ClientKind::Public {
            bail!("a public application has no secret");
        }
        let new = TokenKind::ClientSecret.generate(&context.entropy);
        let until = args.overlap.instant(audit.at).context("wanted how long the secret until now works on, for instance 24h")?;
        stored.former = stored.hash.zip(Some(until));
        stored.hash = Some(context.keys.hash_token(new.expose()));
        secret = Some(new);
    }
    let mut batch = Batch::default();
    clients::update(&mut batch, &stored, &audit);
    context.apply(batch, || String::from("it was changed meanwhile")).await?;
    stored.client.updated_at = audit.at;
    print(&stored, secret.as_ref(), args.json)
}

async fn delete(context: &Context, args: DeleteArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let stored = find(context, &tenant, &args.name).await?;
    if !output::confirmed(&format!("Delete client {}", stored.client.name), args.yes)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut batch = Batch::default();
    clients::delete(&mut batch, &stored.client, &context.audit());
    context.apply(batch, || String::from("something still refers to the client")).await?;
    Ok(ExitCode::SUCCESS)
}
