//! `rosterd connection …`

mod check;
mod check_oidc;
mod check_saml;
mod followed;
mod keys;
mod metadata;
mod options;
mod report;
pub mod secrets;
mod servers;

use super::context::{Context, PAGE, TenantArg};
use super::traffic::TrafficArgs;
use super::{Global, output, traffic};
use crate::clock::rfc3339;
use crate::model::connection::{Connection, ConnectionKind, Options, check_name};
use crate::model::connection_secrets::{self, ConnectionSecrets};
use crate::model::ids::new_connection_id;
use crate::model::nearest::nearest;
use crate::model::oidc::OidcOptions;
use crate::model::options::assignments;
use crate::model::tenant::Tenant;
use crate::registration;
pub use crate::registration::connections_shown::{connection as as_json, scim_base_url};
use crate::saml::addresses::{Addresses, base_url};
use crate::store::connections::{self, StoredConnection};
use crate::store::{Batch, organizations};
use crate::traffic::{shown, source::Source};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum ConnectionCommand {
    /// Make a connection
    Create(CreateArgs),
    /// List all connections of a tenant
    List(ListArgs),
    /// Show one, by name or id, with every option in force
    Show(ShowArgs),
    /// Set options of a connection
    Update(UpdateArgs),
    /// Remove a connection nobody came in through, with its tokens
    Delete(DeleteArgs),
    /// Show what the connection's client asked and was answered, and what to change where it was refused
    Traffic(TrafficArgs),
    /// Try out the set-up of a connection to a directory (reach, encryption, sign-in, people, groups, mapping) or to a SAML
    /// identity provider (metadata, certificates, endpoints, keys, mapping, joining), or to a provider by OAuth (its document, keys, mapping, our callback
    /// address). Writes nothing; exit code 1 if something has
    /// to be changed first
    Check(check::CheckArgs),
    /// Show our keys towards the identity provider of a SAML connection, and renew them step by step
    Keys(keys::KeysArgs),
    /// Show what a SAML connection knows of its identity provider: certificates, addresses, what waits for your word. Exit code 3
    /// if what was read now waits
    Metadata(metadata::MetadataArgs),
    /// List the options of a kind: what they take, their default, what they mean
    Options(options::OptionsArgs),
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// 1 to 128 letters, digits and single hyphens; it stays for good
    name: String,
    /// Where users come from: scim, ldap, samlp, database, or a kind that people sign in through by OAuth or OpenID Connect: oidc,
    /// oauth2, google-oauth2, waad, windowslive, github, gitlab, facebook, linkedin, apple, twitter, slack, discord, amazon, salesforce
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: ConnectionKind,
    /// The mapping it uses; short for --set mapping=NAME
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Set an option; repeatable. `rosterd connection options KIND` lists them
    #[arg(long = "set", value_name = "OPTION=VALUE")]
    set: Vec<String>,
    /// Set a secret from file:PATH, env:VARIABLE or stdin; repeatable
    #[arg(long = "secret", value_name = "OPTION=SOURCE")]
    secret: Vec<String>,
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
    /// The mapping it uses; short for --set mapping=NAME
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Set an option; an empty value sets it back to its default. Repeatable
    #[arg(long = "set", value_name = "OPTION=VALUE")]
    set: Vec<String>,
    /// Set a secret from file:PATH, env:VARIABLE or stdin; an empty source takes it away. Repeatable
    #[arg(long = "secret", value_name = "OPTION=SOURCE")]
    secret: Vec<String>,
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

fn kind(text: &str) -> Result<ConnectionKind, String> {
    let words = ConnectionKind::OFFERED.map(ConnectionKind::as_str);
    ConnectionKind::parse(text).filter(|kind| ConnectionKind::OFFERED.contains(kind)).ok_or_else(|| {
        let hint = nearest(text, words.into_iter()).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        format!("there is no kind {text}{hint} The kinds are: {}", words.join(", "))
    })
}

pub async fn run(global: &Global, command: ConnectionCommand) -> anyhow::Result<ExitCode> {
    if let ConnectionCommand::Options(args) = &command {
        options::print(args)?;
        return Ok(ExitCode::SUCCESS);
    }
    let context = Context::open(global).await?;
    let outcome = answer(&context, command).await;
    context.store.close().await;
    outcome
}

async fn answer(context: &Context, command: ConnectionCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConnectionCommand::Create(args) => create(context, args).await?,
        ConnectionCommand::List(args) => list(context, args).await?,
        ConnectionCommand::Show(args) => {
            let tenant = context.tenant(&args.tenant).await?;
            let stored = context.find_connection(&tenant, &args.name).await?;
            let source = match stored.connection.kind {
                ConnectionKind::Database | ConnectionKind::Ldap => None,
                // A login connection may have a SCIM side.
                _ => match traffic::is_pushed_to(context, &stored.connection).await? {
                    true => Some(traffic::recognised(context, &stored.connection).await?),
                    false => None,
                },
            };
            let secrets = secrets::readable(context, &stored.connection).await;
            let followed = match stored.connection.kind {
                ConnectionKind::Ldap => Some(followed::of(context, &stored.connection).await?),
                _ => None,
            };
            let known = match stored.connection.kind {
                ConnectionKind::Samlp => Some(metadata::View::of(context, &stored.connection).await?),
                _ => None,
            };
            let seen = Seen { source: source.as_ref(), followed: followed.as_ref(), metadata: known.as_ref() };
            print_with(context, &stored, secrets.as_ref(), seen, args.json)?;
        }
        ConnectionCommand::Traffic(args) => traffic::run(context, args).await?,
        ConnectionCommand::Check(args) => return check::run(context, &args).await,
        ConnectionCommand::Keys(args) => keys::run(context, &args).await?,
        ConnectionCommand::Metadata(args) => return metadata::run(context, &args).await,
        ConnectionCommand::Update(args) => update(context, args).await?,
        ConnectionCommand::Delete(args) => return delete(context, args).await,
        ConnectionCommand::Options(_) => unreachable!("answered above"),
    }
    Ok(ExitCode::SUCCESS)
}

/// A fresh connection of `kind` with the options `set`.
pub fn new_connection(
    context: &Context,
    tenant: &Tenant,
    name: &str,
    kind: ConnectionKind,
    set: Map<String, Value>,
    at: i64,
) -> anyhow::Result<StoredConnection> {
    let connection = Connection {
        tenant_id: tenant.id.clone(),
        id: new_connection_id(&context.entropy, at),
        name: name.to_owned(),
        kind,
        organization_id: None,
        options: parse_options(kind, &set)?,
        version: 1,
        created_at: at,
        updated_at: at,
    };
    Ok(StoredConnection { connection, set })
}

fn parse_options(kind: ConnectionKind, set: &Map<String, Value>) -> anyhow::Result<Options> {
    Options::parse(kind, set).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}\n`rosterd connection options {}` lists what there is", lines.join("\n"), kind.as_str())
    })
}

/// What a connection of its kind needs beyond well-formed options, before anything is stored.
fn check_whole(connection: &Connection, secrets: &ConnectionSecrets) -> anyhow::Result<()> {
    let contradictions = registration::connections::contradictions(connection, secrets);
    match (connection.kind, contradictions.as_slice()) {
        (_, []) => Ok(()),
        (ConnectionKind::Ldap, all) => {
            bail!("{}\n`rosterd connection options {}` lists what there is", all.join("\n"), connection.kind.as_str())
        }
        (_, [first, ..]) => bail!("{first}"),
    }
}

/// Prints a connection that was written; of a SAML one whose metadata comes from elsewhere now, with what that says.
async fn print_learned(
    context: &Context,
    stored: &StoredConnection,
    secrets: &ConnectionSecrets,
    moves_metadata: bool,
    json: bool,
) -> anyhow::Result<()> {
    let learned = if moves_metadata { metadata::learn(context, &stored.connection).await? } else { None };
    let seen = Seen { metadata: learned.as_ref(), ..Seen::default() };
    print_with(context, stored, Some(secrets), seen, json)?;
    if let (Some(learned), false) = (&learned, json) {
        println!();
        learned.print()?;
    }
    Ok(())
}

/// What was looked at beside the connection itself.
#[derive(Clone, Copy, Default)]
struct Seen<'a> {
    /// Who its newest requests came from.
    source: Option<&'a Source>,
    /// How its directory is followed.
    followed: Option<&'a followed::Followed>,
    /// What is known of its identity provider.
    metadata: Option<&'a metadata::View>,
}

/// [`as_json`], with the names of its secrets for a kind that has any; null if they can't be read.
fn with_secrets(stored: &StoredConnection, secrets: Option<&ConnectionSecrets>, public_url: &str) -> Value {
    let mut object = as_json(stored, public_url);
    if connection_secrets::of_kind(stored.connection.kind).next().is_some() {
        object["secrets"] = secrets.map_or(Value::Null, |secrets| secrets.names().collect());
    }
    object
}

fn print_with(
    context: &Context,
    stored: &StoredConnection,
    secrets: Option<&ConnectionSecrets>,
    Seen { source, followed, metadata }: Seen<'_>,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        let mut object = with_secrets(stored, secrets, &context.public_url());
        if let Some(source) = source {
            object["source"] = shown::source(source);
        }
        if let Some(followed) = followed {
            object["sync"] = followed.to_json();
        }
        if let Some(metadata) = metadata {
            object["metadata"] = metadata.to_json();
        }
        output::json(&object)?;
        return Ok(());
    }
    let connection = &stored.connection;
    let mut fields = vec![
        ("id", connection.id.to_string()),
        ("name", connection.name.clone()),
        ("kind", connection.kind.as_str().to_owned()),
        ("organization", output::or_dash(connection.organization_id.as_ref().map(|id| id.as_str()))),
        ("created", rfc3339(connection.created_at)),
        ("updated", rfc3339(connection.updated_at)),
    ];
    fields.extend(scim_base_url(&context.public_url(), connection).map(|url| ("SCIM base URL", url)));
    fields.extend(source.map(|source| ("source", source.line())));
    fields.extend(followed.map(|followed| ("sync", followed.line())));
    fields.extend(metadata.map(|metadata| ("metadata", metadata.line())));
    output::fields(&fields)?;
    println!();
    let options = connection.options.to_json(connection.kind);
    let row = |(name, value): (&String, &Value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            other => other.to_string(),
        };
        let origin = if stored.set.contains_key(name) { "set" } else { "default" };
        vec![name.clone(), text, origin.to_owned()]
    };
    let mut rows: Vec<Vec<String>> = options.iter().map(row).collect();
    rows.extend(
        secrets
            .into_iter()
            .flat_map(ConnectionSecrets::names)
            .map(|name| vec![name.to_owned(), String::from("‹secret›"), String::from("set")]),
    );
    output::table(&["OPTION", "VALUE", ""], &rows)?;
    Ok(())
}

/// `--set` and `--mapping` as one map; `organization` is taken out, it is a column of its own.
fn changes(set: &[String], mapping: Option<String>) -> anyhow::Result<(Map<String, Value>, Option<Value>)> {
    let mut map = assignments(set.iter().map(String::as_str))?;
    if let Some(name) = mapping {
        map.insert(String::from("mapping"), Value::String(name));
    }
    let organization = map.remove("organization");
    Ok((map, organization))
}

/// Sets or takes away the organization; checks that the connection to join exists and is not a cycle of one.
async fn resolve(
    context: &Context,
    tenant: &Tenant,
    stored: &mut StoredConnection,
    organization: Option<Value>,
) -> anyhow::Result<()> {
    match organization {
        None => {}
        Some(Value::String(name)) => {
            stored.connection.organization_id = Some(context.find_organization(tenant, &name).await?.id);
        }
        Some(Value::Null) => stored.connection.organization_id = None,
        Some(_) => bail!("organization: wanted the name of one organization, it is set several times"),
    }
    if let Some(join) = &stored.connection.options.join {
        if *join == stored.connection.name {
            bail!("join: a connection can't join itself");
        }
        context.find_connection(tenant, join).await.context("join")?;
    }
    let options = &stored.connection.options;
    for (option, name) in [("mapping", Some(&options.mapping)), ("group_mapping", options.group_mapping.as_ref())] {
        if let (Some(name), true) = (name, stored.set.contains_key(option)) {
            context.find_mapping(tenant, name).await.context(option)?;
        }
    }
    Ok(())
}

async fn create(context: &Context, args: CreateArgs) -> anyhow::Result<()> {
    if let Err(error) = check_name(&args.name) {
        bail!("`{}` can't name a connection: {error}", args.name);
    }
    let tenant = context.tenant(&args.tenant).await?;
    let audit = context.audit();
    let (mut set, organization) = changes(&args.set, args.mapping)?;
    set.retain(|_, value| !value.is_null());
    let mut stored = new_connection(context, &tenant, &args.name, args.kind, set, audit.at)?;
    resolve(context, &tenant, &mut stored, organization).await?;
    let mut secrets = ConnectionSecrets::default();
    secrets::change(&mut secrets, args.kind, &args.secret)?;
    check_whole(&stored.connection, &secrets)?;
    let mut batch = Batch::default();
    let sealed = secrets.seal(&stored.connection.id, &context.keys, &context.entropy);
    connections::create(&mut batch, &stored, sealed, &audit);
    context.apply(batch, || format!("there is a connection {} already", args.name)).await?;
    print_learned(context, &stored, &secrets, true, args.json).await?;
    if args.kind == ConnectionKind::Samlp && !args.json {
        print_addresses(context, &tenant, &stored.connection)?;
    }
    Ok(())
}

/// What to enter at the identity provider of a new SAML connection, and what comes after that.
fn print_addresses(context: &Context, tenant: &Tenant, connection: &Connection) -> anyhow::Result<()> {
    let Addresses { entity_id, metadata, acs, slo: _ } = Addresses::of(&base_url(&context.public_url(), tenant), connection);
    println!("\nAt the identity provider:");
    output::fields(&[("ACS URL", acs), ("entity id", entity_id), ("metadata", metadata)])?;
    output::line(format!("\nnext: rosterd connection check {}", connection.name))?;
    Ok(())
}

async fn list(context: &Context, args: ListArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let mut all: Vec<StoredConnection> = Vec::new();
    loop {
        let after = all.last().map(|stored| stored.connection.name.clone()).unwrap_or_default();
        let page = connections::list(&context.store, &tenant.id, &after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if args.json {
        let url = context.public_url();
        let mut objects = Vec::with_capacity(all.len());
        for stored in &all {
            let secrets = secrets::readable(context, &stored.connection).await;
            objects.push(with_secrets(stored, secrets.as_ref(), &url));
        }
        output::json(&Value::Array(objects))?;
        return Ok(());
    }
    let mut rows = Vec::with_capacity(all.len());
    for StoredConnection { connection, .. } in &all {
        let organization = match &connection.organization_id {
            Some(id) => organizations::find(&context.store, &tenant.id, id).await?.map(|found| found.name),
            None => None,
        };
        rows.push(vec![
            connection.name.clone(),
            connection.kind.as_str().to_owned(),
            connection.options.mapping.clone(),
            output::or_dash(organization.as_deref()),
            connection.id.to_string(),
        ]);
    }
    output::table(&["NAME", "KIND", "MAPPING", "ORGANIZATION", "ID"], &rows)?;
    Ok(())
}

async fn update(context: &Context, args: UpdateArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let mut stored = context.find_connection(&tenant, &args.name).await?;
    let (set, organization) = changes(&args.set, args.mapping)?;
    if set.is_empty() && organization.is_none() && args.secret.is_empty() {
        bail!("nothing to change: give --set OPTION=VALUE, --secret OPTION=SOURCE or --mapping NAME");
    }
    // Checked first, so that taking back an option that doesn't exist is a mistake and not silence.
    parse_options(stored.connection.kind, &set)?;
    let whom_before = whom(&stored.connection);
    let moves_metadata = set.keys().any(|name| metadata::MOVED_BY.contains(&name.as_str()));
    for (name, value) in set {
        if value.is_null() {
            stored.set.remove(&name);
        } else {
            stored.set.insert(name, value);
        }
    }
    stored.connection.options = parse_options(stored.connection.kind, &stored.set)?;
    resolve(context, &tenant, &mut stored, organization).await?;
    // Set anew, secrets that can't be read any more are gone: that is the way out of a lost key.
    let mut secrets = match args.secret.is_empty() {
        true => secrets::of(context, &stored.connection).await?,
        false => secrets::readable(context, &stored.connection).await.unwrap_or_default(),
    };
    secrets::change(&mut secrets, stored.connection.kind, &args.secret)?;
    check_whole(&stored.connection, &secrets)?;
    let (audit, mut batch) = (context.audit(), Batch::default());
    if args.secret.is_empty() {
        connections::update(&mut batch, &stored, &audit);
    } else {
        let sealed = secrets.seal(&stored.connection.id, &context.keys, &context.entropy);
        connections::update_with_secrets(&mut batch, &stored, sealed, &audit);
    }
    context.apply(batch, || String::from("the organization is gone")).await?;
    stored.connection.updated_at = audit.at;
    if whom(&stored.connection) != whom_before
        && connections::has_identities(&context.store, &tenant.id, &stored.connection.id).await?
    {
        eprintln!(
            "warning: people came in through connection {} already, and are known by ids that the provider gave then. Whoever has the \
             same id under the new setting signs in as them; whoever has another is somebody new. If that is not meant, set it back, and \
             make a connection of its own for the other provider.",
            stored.connection.name
        );
    }
    print_learned(context, &stored, &secrets, moves_metadata, args.json).await
}

/// What people of a connection by OAuth are known by: whose ids, and which.
fn whom(connection: &Connection) -> [Option<String>; 4] {
    let OidcOptions { issuer, tenant, profile_url, user_id_path, .. } = &connection.options.oidc;
    [issuer, tenant, profile_url, user_id_path].map(Clone::clone)
}

async fn delete(context: &Context, args: DeleteArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let connection = context.find_connection(&tenant, &args.name).await?.connection;
    if connections::has_identities(&context.store, &tenant.id, &connection.id).await? {
        bail!("users came in through connection {}; delete them first", connection.name);
    }
    if !output::confirmed(&format!("Delete connection {} with its tokens and groups", connection.name), args.yes)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut batch = Batch::default();
    connections::delete(&mut batch, &connection, &context.audit());
    context.apply(batch, || String::from("something still refers to the connection")).await?;
    Ok(ExitCode::SUCCESS)
}
