//! `rosterd bootstrap`, and the part of it that `serve --bootstrap` does.

use super::connection::{new_connection, scim_base_url};
use super::context::Context;
use super::token::NewToken;
use super::{Global, output};
use crate::clock::{Micros, SECOND};
use crate::model::access::CONSOLE_SCOPE;
use crate::model::connection::ConnectionKind;
use crate::model::ids::TenantId;
use crate::model::tenant::{DEFAULT_TENANT, Tenant};
use crate::secret::TokenKind;
use crate::store::{self, Batch, connections, mapping_versions, tenants, tokens};
use anyhow::bail;
use clap::Args;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::process::ExitCode;

/// Name of the connection that bootstrap makes.
const CONNECTION: &str = "scim";
/// Name of the token that each later `serve --bootstrap` replaces.
const RUN_TOKEN: &str = "make-run";
/// How long the console code can be used.
const CODE_TIME: Micros = 24 * 3_600 * SECOND;

#[derive(Debug, Args)]
pub struct BootstrapArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is printed once. On a database that was set up before, only the SCIM token is new.
pub struct Bootstrapped {
    connection_id: String,
    scim_base_url: String,
    scim_token: String,
    admin_token: Option<String>,
    console_code: Option<String>,
}

impl Bootstrapped {
    fn as_json(&self) -> Value {
        json!({
            "tenant": DEFAULT_TENANT,
            "connection": CONNECTION,
            "connection_id": self.connection_id,
            "scim_base_url": self.scim_base_url,
            "scim_token": self.scim_token,
            "admin_token": self.admin_token,
            "console_code": self.console_code,
        })
    }

    pub fn print(&self, json: bool) -> std::io::Result<()> {
        if json {
            return output::json(&self.as_json());
        }
        let mut fields = vec![
            ("tenant", String::from(DEFAULT_TENANT)),
            ("connection", format!("{CONNECTION} ({})", self.connection_id)),
            ("SCIM base URL", self.scim_base_url.clone()),
            ("SCIM token", self.scim_token.clone()),
        ];
        fields.extend(self.admin_token.clone().map(|token| ("admin token", token)));
        fields.extend(self.console_code.clone().map(|code| ("console code", code)));
        output::fields(&fields)
    }

    /// For a person who just started the gateway: where to look, and a request that provisions a user.
    pub fn print_next_steps(&self, public_url: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nReady when this answers: {public_url}/readyz")?;
        writeln!(out, "Provision a user:\n\n{}\n", curl(&self.scim_base_url, &self.scim_token))?;
        // The command line reads the same configuration, and a relative database is where this process stands.
        let here = std::env::current_dir()?.display().to_string();
        let program = std::env::current_exe()?.display().to_string();
        writeln!(out, "See it, from another terminal:\n\ncd {here} && {program} users show ann@example.com")?;
        writeln!(out, "cd {here} && {program} users why ann@example.com email\n")
    }
}

/// One line for a shell.
fn curl(base: &str, token: &str) -> String {
    format!(
        "curl -sS {base}/Users -H 'Authorization: Bearer {token}' -H 'Content-Type: application/scim+json' \
         -d '{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"ann@example.com\",\
         \"displayName\":\"Ann Example\",\"name\":{{\"givenName\":\"Ann\",\"familyName\":\"Example\"}},\
         \"emails\":[{{\"value\":\"ann@example.com\",\"type\":\"work\",\"primary\":true}}]}}'"
    )
}

/// Sets up an empty database; one that is not empty is left as it is, with exit code 1.
pub async fn run(global: &Global, args: &BootstrapArgs) -> anyhow::Result<ExitCode> {
    let context = Context::open(global).await?;
    let Some(made) = first_time(&context, &context.public_url()).await? else {
        bail!(
            "the database is not empty, nothing was changed. `rosterd token create --connection {CONNECTION}` makes another \
             SCIM token, `rosterd token create --admin` another one for administrators"
        );
    };
    context.store.close().await;
    made.print(args.json)?;
    if !args.json {
        eprintln!("This is the only time the tokens are shown.");
    }
    Ok(ExitCode::SUCCESS)
}

/// For `serve --bootstrap`: sets up an empty database, or makes a SCIM token that replaces the one of the last run.
/// `None` if somebody took the connection away: that is no reason not to serve.
pub async fn ensure(context: &Context, public_url: &str) -> anyhow::Result<Option<Bootstrapped>> {
    match first_time(context, public_url).await? {
        Some(made) => Ok(Some(made)),
        None => again(context, public_url).await,
    }
}

/// Everything in one batch: a database is set up whole or not at all. `None` if it is not empty.
async fn first_time(context: &Context, public_url: &str) -> anyhow::Result<Option<Bootstrapped>> {
    if !tenants::none_exists(&context.store).await? {
        return Ok(None);
    }
    let audit = context.audit();
    let at = audit.at;
    let id = TenantId::new(DEFAULT_TENANT);
    let name = String::from(DEFAULT_TENANT);
    let tenant = Tenant { id, name, host: None, version: 1, created_at: at, updated_at: at };
    let stored = new_connection(context, &tenant, CONNECTION, ConnectionKind::Scim, Map::new(), at)?;
    let connection = &stored.connection;
    let scim = NewToken::new(context, &tenant.id, Some(&connection.id), "bootstrap", at);
    let admin = NewToken::new(context, &tenant.id, None, "bootstrap", at);
    let scopes = vec![CONSOLE_SCOPE.to_owned()];
    let mut code = NewToken::of_kind(context, TokenKind::ConsoleCode, &tenant.id, None, "console-code", scopes, at);
    code.token.expires_at = Some(at + CODE_TIME);

    let mut batch = Batch::default();
    tenants::create(&mut batch, &tenant, &audit);
    mapping_versions::insert(&mut batch, &tenant.id, &context.shipped_mapping(&audit)?);
    connections::insert(&mut batch, &stored, None);
    for new in [&scim, &admin, &code] {
        tokens::insert(&mut batch, &new.token, &new.hash);
    }
    match context.store.apply(batch).await {
        Ok(()) => {}
        // Another process was faster.
        Err(store::Error::Conflict) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    Ok(Some(Bootstrapped {
        connection_id: connection.id.to_string(),
        scim_base_url: scim_base_url(public_url, connection).unwrap_or_default(),
        scim_token: scim.text.expose().clone(),
        admin_token: Some(admin.text.expose().clone()),
        console_code: Some(code.text.expose().clone()),
    }))
}

async fn again(context: &Context, public_url: &str) -> anyhow::Result<Option<Bootstrapped>> {
    let tenant = TenantId::new(DEFAULT_TENANT);
    let Some(found) = connections::find_by_name(&context.store, &tenant, CONNECTION).await? else {
        eprintln!("there is no connection {CONNECTION} in tenant {DEFAULT_TENANT} any more: no token was made");
        return Ok(None);
    };
    let connection = found.connection;
    let audit = context.audit();
    let mut old = tokens::find_by_name(&context.store, &tenant, RUN_TOKEN).await?;
    old.retain(|token| token.connection_id.as_ref() == Some(&connection.id));
    let new = NewToken::new(context, &tenant, Some(&connection.id), RUN_TOKEN, audit.at);
    let mut batch = Batch::default();
    tokens::replace(&mut batch, &new.token, &new.hash, &old, &audit);
    context.apply(batch, || String::from("the token's id is taken; try again")).await?;
    Ok(Some(Bootstrapped {
        scim_base_url: scim_base_url(public_url, &connection).unwrap_or_default(),
        connection_id: connection.id.to_string(),
        scim_token: new.text.expose().clone(),
        admin_token: None,
        console_code: None,
    }))
}
