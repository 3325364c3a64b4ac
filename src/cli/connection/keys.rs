//! `rosterd connection keys`: our keys towards the identity provider of a SAML connection, and their renewal in steps that
//! leave no moment in which the other side does not know the key that signs.

use crate::cli::context::{Context, TenantArg};
use crate::cli::output;
use crate::clock::rfc3339;
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::saml::KeyState;
use crate::saml::keys::{self, Keys};
use crate::store::Batch;
use crate::store::saml_keys::{self, StoredKey};
use anyhow::bail;
use clap::Args;
use rosterd_saml::verify::Certificate;
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub struct KeysArgs {
    /// Name or id
    name: String,
    /// Make the key that will sign next. Our metadata publishes it from now on: let the identity provider read it again
    #[arg(long, group = "change")]
    add_next: bool,
    /// Sign with the next key from now on. The one until now still opens what is encrypted to it
    #[arg(long, group = "change")]
    use_next: bool,
    /// Delete the key that signed before the current one
    #[arg(long, group = "change")]
    drop_former: bool,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub async fn run(context: &Context, args: &KeysArgs) -> anyhow::Result<()> {
    let tenant = context.tenant(&args.tenant).await?;
    let connection = context.find_connection(&tenant, &args.name).await?.connection;
    if connection.kind != ConnectionKind::Samlp {
        bail!("connection {} is of kind {}; only samlp has keys", connection.name, connection.kind.as_str());
    }
    // Makes the first.
    let now = context.clock.now();
    Keys::default().of(&context.store, &context.keys, &context.entropy, &connection, now).await?;
    let stored = saml_keys::find(&context.store, &connection).await?;
    let of = |state| stored.iter().find(|key| key.state == state).map(|key| key.number);
    let (audit, mut batch) = (context.audit(), Batch::default());
    if args.add_next {
        if of(KeyState::Next).is_some() {
            bail!("there is a next key already; `--use-next` makes it the current one");
        }
        let number = stored.iter().map(|key| key.number).max().unwrap_or_default() + 1;
        let made = keys::make(&context.keys, &context.entropy, &connection, (number, KeyState::Next), now).await?;
        saml_keys::insert_next(&mut batch, &connection, &made, &audit);
    }
    if args.use_next {
        let (Some(current), Some(next)) = (of(KeyState::Current), of(KeyState::Next)) else {
            bail!("there is no next key; make one with `--add-next`, and let the identity provider read our metadata first");
        };
        saml_keys::promote(&mut batch, &connection, current, next, &audit);
    }
    if args.drop_former {
        if of(KeyState::Former).is_none() {
            bail!("there is no former key");
        }
        saml_keys::delete_former(&mut batch, &connection, &audit);
    }
    if !batch.is_empty() {
        context.apply(batch, || String::from("somebody else changed the keys meanwhile; look again and repeat")).await?;
    }
    print(&connection, &saml_keys::find(&context.store, &connection).await?, args.json)
}

fn print(connection: &Connection, stored: &[StoredKey], as_json: bool) -> anyhow::Result<()> {
    let mut shown = Vec::new();
    for state in KeyState::ALL {
        let Some(key) = stored.iter().find(|key| key.state == state) else { continue };
        let certificate = Certificate::from_der(&key.certificate);
        let Ok(certificate) = certificate else { bail!("the certificate of the {} key can't be read", state.as_str()) };
        let until = certificate.not_after().map(|until| until.to_string());
        shown.push((state, certificate.fingerprint().to_owned(), rfc3339(key.created_at), until));
    }
    if as_json {
        let keys = shown.iter().map(|(state, fingerprint, made, until)| {
            json!({ "state": state.as_str(), "sha256": fingerprint, "created_at": made, "not_after": until })
        });
        let keys: Vec<Value> = keys.collect();
        output::json(&json!({ "connection": connection.name, "keys": keys }))?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = shown
        .into_iter()
        .map(|(state, fingerprint, made, until)| {
            vec![state.as_str().to_owned(), made, output::or_dash(until.as_deref()), fingerprint]
        })
        .collect();
    output::table(&["KEY", "MADE", "UNTIL", "SHA-256"], &rows)?;
    Ok(())
}
