//! `rosterd token …`

use super::context::{Context, PAGE, TenantArg};
use super::span::Expiry;
use super::{Global, output};
use crate::clock::rfc3339;
use crate::model::access::{API_SCOPES, CONSOLE_SCOPE, EVERY_SCOPE, SCIM_SCOPES, Token};
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::ids::{ConnectionId, TenantId, TokenId};
use crate::model::nearest::nearest;
use crate::model::tenant::Tenant;
use crate::secret::{Secret, TokenHash, TokenKind};
use crate::store::{Batch, tokens};
use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; its text is printed once and never again
    Create(CreateArgs),
    /// List tokens, without their texts
    List(ListArgs),
    /// Show one, by id or name
    Show(ShowArgs),
    /// Change name, scopes or expiry
    Update(UpdateArgs),
    /// Make a token that takes over from another; the old one works on for a while
    Rotate(RotateArgs),
    /// Revoke a token for good
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
#[group(skip)]
pub struct CreateArgs {
    /// For the SCIM endpoint of this connection (name or id)
    #[arg(long, value_name = "NAME", required_unless_present = "admin", conflicts_with = "admin")]
    connection: Option<String>,
    /// For the management API of the tenant
    #[arg(long)]
    admin: bool,
    /// What the list calls it
    #[arg(long, value_name = "TEXT", default_value = "token")]
    name: String,
    /// What it may do, separated by commas: for SCIM get, post, put, patch or delete, each :users or :groups; for the management
    /// API read:connections, read:raw, and read, create, update or delete, each :clients. Without: everything
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    scopes: Vec<String>,
    /// When it ends: 90d, 12h, 30m, an instant like 2027-01-31T00:00:00Z, or never
    #[arg(long, value_name = "TIME", default_value = "never")]
    expires: Expiry,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those of this connection (name or id)
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Id or name
    token: String,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Id or name
    token: String,
    #[arg(long, value_name = "TEXT", help = "What the list calls it")]
    name: Option<String>,
    /// What it may do, separated by commas
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// When it ends: 90d from now, an instant, or never
    #[arg(long, value_name = "TIME")]
    expires: Option<Expiry>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Id or name
    token: String,
    /// How long the old token works on: 24h, 7d, an instant, or never (until it is revoked)
    #[arg(long, value_name = "TIME", default_value = "24h")]
    overlap: Expiry,
    /// When the new token ends: 90d, an instant, or never. Without: after as long as the old one was given
    #[arg(long, value_name = "TIME")]
    expires: Option<Expiry>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Id or name
    token: String,
    #[command(flatten)]
    tenant: TenantArg,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

pub async fn run(global: &Global, command: TokenCommand) -> anyhow::Result<ExitCode> {
    let context = Context::open(global).await?;
    let outcome = answer(&context, command).await;
    context.store.close().await;
    outcome
}

async fn answer(context: &Context, command: TokenCommand) -> anyhow::Result<ExitCode> {
    match command {
        TokenCommand::Create(args) => create(context, args).await?,
        TokenCommand::List(args) => list(context, args).await?,
        TokenCommand::Show(args) => {
            let tenant = context.tenant(&args.tenant).await?;
            print(&context.find_token(&tenant, &args.token).await?, args.json)?;
        }
        TokenCommand::Update(args) => update(context, args).await?,
        TokenCommand::Rotate(args) => rotate(context, args).await?,
        TokenCommand::Delete(args) => return delete(context, args).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// A token that was just made: what is stored, and the text that is shown once.
pub struct NewToken {
    pub token: Token,
    pub hash: TokenHash,
    pub text: Secret<String>,
}

impl NewToken {
    /// For the SCIM endpoint of `connection`, or for the management API without one.
    pub fn new(context: &Context, tenant: &TenantId, connection: Option<&ConnectionId>, name: &str, at: i64) -> Self {
        let (kind, scopes) = match connection {
            Some(_) => (TokenKind::Scim, SCIM_SCOPES.map(str::to_owned).to_vec()),
            None => (TokenKind::Management, vec![EVERY_SCOPE.to_owned()]),
        };
        Self::of_kind(context, kind, tenant, connection, name, scopes, at)
    }

    pub fn of_kind(
        context: &Context,
        kind: TokenKind,
        tenant: &TenantId,
        connection: Option<&ConnectionId>,
        name: &str,
        scopes: Vec<String>,
        at: i64,
    ) -> Self {
        let text = kind.generate(&context.entropy);
        let token = Token {
            tenant_id: tenant.clone(),
            id: TokenId::new(context.entropy.uuid(at)),
            connection_id: connection.cloned(),
            name: name.to_owned(),
            scopes,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            created_at: at,
        };
        Self { hash: context.keys.hash_token(text.expose()), token, text }
    }
}

/// The token as the management API shows it: never its text.
fn as_json(token: &Token) -> Value {
    json!({
        "token_id": token.id,
        "name": token.name,
        "connection_id": token.connection_id,
        "scopes": token.scopes,
        "created_at": rfc3339(token.created_at),
        "valid_until": output::time_json(token.expires_at),
        "last_used_at": output::time_json(token.last_used_at),
        "revoked_at": output::time_json(token.revoked_at),
    })
}

fn print(token: &Token, json: bool) -> anyhow::Result<()> {
    if json {
        output::json(&as_json(token))?;
    } else {
        output::fields(&[
            ("id", token.id.to_string()),
            ("name", token.name.clone()),
            ("opens", opens(token)),
            ("scopes", token.scopes.join(", ")),
            ("created", rfc3339(token.created_at)),
            ("valid until", output::time(token.expires_at)),
            ("last used", output::time(token.last_used_at)),
            ("revoked", output::time(token.revoked_at)),
        ])?;
    }
    Ok(())
}

fn opens(token: &Token) -> String {
    match &token.connection_id {
        Some(id) => format!("SCIM of {id}"),
        None if token.scopes.iter().any(|scope| scope == CONSOLE_SCOPE) => String::from("console, once"),
        None => String::from("management API"),
    }
}

/// The scopes given, each once and known. Management scopes are names of the API, `read:users`.
fn checked_scopes(given: &[String], scim: bool) -> anyhow::Result<Vec<String>> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in given.iter().map(|scope| scope.trim()) {
        let words = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let named = scope == EVERY_SCOPE || scope.split_once(':').is_some_and(|(verb, noun)| words(verb) && words(noun));
        if scim && !SCIM_SCOPES.contains(&scope) {
            let hint = nearest(scope, SCIM_SCOPES.into_iter()).map(|near| format!("; did you mean {near}?"));
            bail!("there is no SCIM scope `{scope}`{}", hint.unwrap_or_default());
        }
        if !scim && !named {
            bail!("`{scope}` is no scope: wanted a name like read:users, or *");
        }
        // Not refused: it may be one of another version.
        if !scim && scope != EVERY_SCOPE && !API_SCOPES.contains(&scope) {
            let near = nearest(scope, API_SCOPES.into_iter()).map(|near| format!("; did you mean {near}?"));
            eprintln!("No call of this version asks for the scope {scope}{}", near.unwrap_or_default());
        }
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(scopes)
}

/// A name fit for a list.
fn checked_name(name: &str) -> anyhow::Result<()> {
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        bail!("a token's name has 1 to 100 characters and no control characters");
    }
    Ok(())
}

/// The id of a connection that is pushed to. A directory is read: who was pushed there would be missing from every read
/// of it (docs/decisions/0032).
fn pushed_to(connection: Connection) -> anyhow::Result<ConnectionId> {
    if connection.kind == ConnectionKind::Ldap {
        let name = &connection.name;
        bail!(
            "connection {name} follows a directory (ldap), which `rosterd sync {name}` reads; nothing is pushed to it. For a \
             client that pushes make a connection of its own: `rosterd connection create NAME --kind scim`"
        );
    }
    Ok(connection.id)
}

async fn create(context: &Context, args: CreateArgs) -> anyhow::Result<()> {
    checked_name(&args.name)?;
    let tenant = context.tenant(&args.tenant).await?;
    let connection = match &args.connection {
        Some(name) => Some(pushed_to(context.find_connection(&tenant, name).await?.connection)?),
        None => None,
    };
    let scopes = checked_scopes(&args.scopes, connection.is_some())?;
    let audit = context.audit();
    let mut new = NewToken::new(context, &tenant.id, connection.as_ref(), &args.name, audit.at);
    if !scopes.is_empty() {
        new.token.scopes = scopes;
    }
    new.token.expires_at = future(args.expires, audit.at)?;
    let mut batch = Batch::default();
    tokens::create(&mut batch, &new.token, &new.hash, &audit);
    context.apply(batch, || String::from("the token's id is taken; try again")).await?;
    print_once(&new, args.json)
}

/// The text of a new token, never to be seen again.
fn print_once(new: &NewToken, json: bool) -> anyhow::Result<()> {
    if json {
        let mut object = as_json(&new.token);
        object["token"] = Value::String(new.text.expose().clone());
        output::json(&object)?;
    } else {
        println!("{}", new.text.expose());
        eprintln!("This is the only time the token is shown. Its id is {}.", new.token.id);
    }
    Ok(())
}

/// What the old token is called from now on: its name is the new one's.
fn rotated_name(name: &str) -> String {
    const MARK: &str = " (rotated)";
    let kept = name.strip_suffix(MARK).unwrap_or(name);
    kept.chars().take(100 - MARK.len()).chain(MARK.chars()).collect()
}

async fn rotate(context: &Context, args: RotateArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let mut old = context.find_token(&tenant, &args.token).await?;
    let audit = context.audit();
    if !old.is_live(audit.at) {
        bail!("token {} opens nothing any more; make a new one", old.name);
    }
    if old.scopes.iter().any(|scope| scope == CONSOLE_SCOPE) {
        bail!("token {} is for one sign-in; make a new one", old.name);
    }
    let mut new = NewToken::new(context, &tenant.id, old.connection_id.as_ref(), &old.name, audit.at);
    new.token.scopes.clone_from(&old.scopes);
    new.token.expires_at = match args.expires {
        Some(expires) => future(expires, audit.at)?,
        None => old.expires_at.map(|at| audit.at.saturating_add(at - old.created_at)),
    };
    old.name = rotated_name(&old.name);
    // Never longer than it had.
    let until = future(args.overlap, audit.at)?;
    old.expires_at = until.into_iter().chain(old.expires_at).min();
    let mut batch = Batch::default();
    tokens::rotate(&mut batch, &new.token, &new.hash, &old, &audit);
    context.apply(batch, || String::from("the token was changed meanwhile; try again")).await?;
    print_once(&new, args.json)?;
    if !args.json {
        eprintln!("The old one, {} ({}), works until {}.", old.name, old.id, output::time(old.expires_at));
    }
    Ok(())
}

fn future(expires: Expiry, now: i64) -> anyhow::Result<Option<i64>> {
    match expires.instant(now) {
        Some(at) if at <= now => bail!("the token would have expired already"),
        at => Ok(at),
    }
}

async fn list(context: &Context, args: ListArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let connection = match &args.connection {
        Some(name) => Some(context.find_connection(&tenant, name).await?.connection.id),
        None => None,
    };
    let all = all(context, &tenant, connection.as_ref()).await?;
    if args.json {
        output::json(&all.iter().map(as_json).collect())?;
        return Ok(());
    }
    let now = context.clock.now();
    let row = |token: &Token| {
        let state = match (token.revoked_at, token.is_live(now)) {
            (Some(_), _) => "revoked",
            (None, true) => "live",
            (None, false) => "expired",
        };
        let last_used = output::time(token.last_used_at);
        vec![token.name.clone(), state.to_owned(), opens(token), output::time(token.expires_at), last_used, token.id.to_string()]
    };
    let heading = ["NAME", "STATE", "OPENS", "VALID UNTIL", "LAST USED", "ID"];
    output::table(&heading, &all.iter().map(row).collect::<Vec<_>>())?;
    Ok(())
}

async fn all(context: &Context, tenant: &Tenant, connection: Option<&ConnectionId>) -> anyhow::Result<Vec<Token>> {
    let mut all: Vec<Token> = Vec::new();
    loop {
        let after = all.last().map(|token| token.id.to_string()).unwrap_or_default();
        let page = tokens::list(&context.store, &tenant.id, connection, &after, PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn update(context: &Context, args: UpdateArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let mut token = context.find_token(&tenant, &args.token).await?;
    if token.revoked_at.is_some() {
        bail!("token {} was revoked; make a new one", token.name);
    }
    if let Some(name) = args.name {
        checked_name(&name)?;
        token.name = name;
    }
    if let Some(scopes) = args.scopes {
        token.scopes = checked_scopes(&scopes, token.connection_id.is_some())?;
    }
    let audit = context.audit();
    if let Some(expires) = args.expires {
        token.expires_at = future(expires, audit.at)?;
    }
    let mut batch = Batch::default();
    tokens::update(&mut batch, &token, &audit);
    context.apply(batch, || String::from("the name is taken")).await?;
    print(&token, args.json)
}

async fn delete(context: &Context, args: DeleteArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let token = context.find_token(&tenant, &args.token).await?;
    if token.revoked_at.is_some() {
        println!("token {} was revoked already", token.name);
        return Ok(ExitCode::SUCCESS);
    }
    if !output::confirmed(&format!("Revoke token {} ({})", token.name, opens(&token)), args.yes)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut batch = Batch::default();
    tokens::revoke(&mut batch, &token, &context.audit());
    context.apply(batch, || String::from("the token is in use")).await?;
    Ok(ExitCode::SUCCESS)
}
