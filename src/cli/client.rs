//! `rosterd client …`: the words of the command line for what `registration` decides.

mod args;

pub use args::ClientCommand;

use super::context::{Context, PAGE};
use super::{Global, output};
use crate::clock::rfc3339;
use crate::mapping_files;
use crate::model::client::{Client, ClientKeys, ClientKind};
use crate::model::ids::ClientId;
use crate::model::tenant::Tenant;
use crate::registration::decide::{Field, Wanted};
use crate::registration::{self, OVERLAP_SECONDS_MAX, Planned, Registrar, Step, shown};
use crate::secret::Secret;
use crate::store::clients::{self, StoredClient};
use crate::store::grants;
use anyhow::{Context as _, bail};
use args::{CreateArgs, DeleteArgs, ListArgs, RevokeArgs, UpdateArgs};
use serde_json::json;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

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
        ClientCommand::Revoke(args) => return revoke(context, args).await,
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
        if options.without_pkce {
            fields.push(("PKCE", String::from("not needed, then a nonce")));
        }
    }
    match &options.keys {
        None => {}
        Some(ClientKeys::Set(set)) => fields.push(("keys", names_of_keys(set))),
        Some(ClientKeys::At { uri, allow_plaintext }) => {
            let plaintext = if *allow_plaintext { " (http on this machine is taken)" } else { "" };
            fields.push(("keys at", format!("{uri}{plaintext}")));
        }
    }
    if let Some((_, until)) = &stored.former {
        fields.push(("former secret", format!("until {}", rfc3339(*until))));
    }
    fields.push(("created", rfc3339(*created_at)));
    output::fields(&fields)?;
    Ok(())
}

/// What the keys of a set are called.
fn names_of_keys(set: &serde_json::Value) -> String {
    let keys = set["keys"].as_array().into_iter().flatten();
    let name = |key: &serde_json::Value| {
        let text = |name: &str| key[name].as_str().map(str::to_owned);
        let sort = text("crv").or_else(|| text("kty")).unwrap_or_default();
        text("kid").map_or(sort.clone(), |kid| format!("{kid} ({sort})"))
    };
    keys.map(name).collect::<Vec<_>>().join(", ")
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
        Field::Keys => Some("--jwks"),
        Field::KeysUri => Some("--jwks-uri"),
        Field::Pkce => Some("--without-pkce"),
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
            Step::Revoke => "All it was given would end; nothing was stored.",
            Step::Delete => "It would be removed, with all it was given; nothing was stored.",
        })?;
    } else {
        registrar.carry_out_telling(&mut planned, &going).await.map_err(said)?;
        if planned.step == Step::Delete {
            gone();
        }
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
        keys: args.keys.read()?.map(Some),
        without_pkce: Some(args.without_pkce),
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
            keys: if args.no_jwks { Some(None) } else { args.keys.read()?.map(Some) },
            without_pkce: args.without_pkce,
        };
        registrar.update(stored, wanted, &audit).await.map_err(said)?
    };
    carry_out(&registrar, planned, args.dry_run, args.json).await
}

/// Counted on a terminal, since there may be one for each person.
fn going(gone: usize) {
    if std::io::stderr().is_terminal() {
        eprint!("\r{gone} ended …");
    }
}

fn gone() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

async fn revoke(context: &Context, args: RevokeArgs) -> anyhow::Result<ExitCode> {
    /// What is counted of what people let it have, before somebody is asked.
    const COUNTED_MAX: i64 = 10_000;
    let tenant = context.tenant(&args.tenant).await?;
    let stored = find(context, &tenant, &args.name).await?;
    let audit = context.audit();
    let Client { id, tenant_id, .. } = &stored.client;
    let grants = grants::count_of_client(&context.store, tenant_id, id, COUNTED_MAX).await?;
    let tokens = clients::count_tokens(&context.store, &stored.client, audit.at).await?;
    let many = if grants == COUNTED_MAX { format!("{grants} or more") } else { grants.to_string() };
    let what = format!("End {many} grants of people and {tokens} tokens of its own, of client {}", stored.client.name);
    if !args.dry_run && !output::confirmed(&what, args.yes)? {
        return Ok(ExitCode::FAILURE);
    }
    let name = stored.client.name.clone();
    let registrar = registrar(context);
    let mut planned = registrar.revoke(stored, &audit);
    if !args.dry_run {
        registrar.carry_out_telling(&mut planned, &going).await.map_err(said)?;
        gone();
    }
    if args.json {
        let shown =
            json!({ "dry_run": args.dry_run, "step": planned.step.as_str(), "client": name, "grants": grants, "tokens": tokens });
        output::json(&shown)?;
    } else if args.dry_run {
        output::line(format_args!("{many} grants of people and {tokens} tokens of its own would end; nothing was stored."))?;
    } else {
        output::line(format_args!("{many} grants of people and {tokens} tokens of its own ended."))?;
    }
    Ok(ExitCode::SUCCESS)
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
