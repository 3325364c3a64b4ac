//! `--secret OPTION=SOURCE`: secrets of a connection come from a file, the environment or standard input, never as an
//! argument.

use crate::cli::context::{Context, did_you_mean};
use crate::model::connection::{Connection, ConnectionKind};
use crate::model::connection_secrets::{ConnectionSecrets, SECRET_BYTES_MAX, of_kind};
use crate::model::options::secret_ways;
use crate::secret::Secret;
use crate::store::connections;
use anyhow::{Context as _, anyhow, bail};
use std::io::{IsTerminal, Read};

/// What a connection keeps sealed.
pub async fn of(context: &Context, connection: &Connection) -> anyhow::Result<ConnectionSecrets> {
    let sealed = connections::secrets(&context.store, &connection.tenant_id, &connection.id).await?;
    ConnectionSecrets::open(sealed.as_deref(), &connection.id, &context.keys)
        .with_context(|| format!("the secrets of connection {} can't be read", connection.name))
}

/// [`of`] for showing: a key that is not the one they were sealed with hides secrets, not the connection.
pub async fn readable(context: &Context, connection: &Connection) -> Option<ConnectionSecrets> {
    let opened = of(context, connection).await;
    opened.inspect_err(|error| eprintln!("{error:#}. --secret sets them anew")).ok()
}

/// Puts what the arguments name in place; an empty source takes a secret away.
///
/// # Errors
/// No such secret; a source that is none, can't be read, or holds nothing, too much or no text.
pub fn change(secrets: &mut ConnectionSecrets, kind: ConnectionKind, arguments: &[String]) -> anyhow::Result<()> {
    for argument in arguments {
        // The argument itself is not repeated: somebody may have put the secret there.
        let (name, source) = argument.split_once('=').context("--secret wants OPTION=SOURCE")?;
        let Some(spec) = of_kind(kind).find(|spec| spec.name == name) else {
            let near = did_you_mean(name, of_kind(kind).map(|spec| spec.name));
            bail!("{name}: kind {} has no such secret{near}", kind.as_str());
        };
        let secret = match source {
            "" => None,
            source => Some(read(spec.name, source).with_context(|| format!("{name}: the secret can't be read"))?),
        };
        secrets.set(spec.name, secret);
    }
    Ok(())
}

fn read(name: &str, source: &str) -> anyhow::Result<Secret<String>> {
    let bytes = if source == "stdin" {
        if std::io::stdin().is_terminal() {
            bail!("standard input is a terminal, which would show it: pipe it in, or use file: or env:");
        }
        bounded(std::io::stdin().lock())?
    } else if let Some(path) = source.strip_prefix("file:") {
        bounded(std::fs::File::open(path).with_context(|| path.to_owned())?).with_context(|| path.to_owned())?
    } else if let Some(variable) = source.strip_prefix("env:") {
        std::env::var(variable).map_err(|_| anyhow!("the environment has no text variable {variable}"))?.into_bytes()
    } else {
        bail!("that is no source: {}", secret_ways(name));
    };
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("it is not UTF-8"))?;
    // The end of a line is the editor's, not the secret's; more than one of them may be meant.
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    match text.len() {
        0 => bail!("it is empty"),
        1..=SECRET_BYTES_MAX => Ok(Secret::new(text.to_owned())),
        _ => bail!("it is longer than {SECRET_BYTES_MAX} bytes"),
    }
}

fn bounded(from: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Two more for the end of the line, and one to see that there is more.
    from.take(SECRET_BYTES_MAX as u64 + 3).read_to_end(&mut bytes)?;
    Ok(bytes)
}
