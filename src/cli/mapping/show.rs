//! `rosterd mapping show`

use crate::cli::context::{Context, TenantArg, did_you_mean};
use crate::cli::output;
use crate::clock::rfc3339;
use crate::store::mapping_versions::{self, MappingVersion};
use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Of the mapping
    name: String,
    /// Which version; without it the newest, which is the one that runs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    version: Option<i64>,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON: the text with everything it includes")]
    json: bool,
}

/// The text goes to stdout, so that it can be kept; what is known about it to stderr.
pub async fn run(context: &Context, args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let Some(newest) = mapping_versions::latest(&context.store, &tenant.id, &args.name).await? else {
        let known = mapping_versions::list(&context.store, &tenant.id, "", crate::cli::context::PAGE).await?;
        let hint = did_you_mean(&args.name, known.iter().map(|version| version.name.as_str()));
        bail!("no mapping {} is published in tenant {}{hint}", args.name, tenant.name);
    };
    let shown = match args.version {
        Some(number) if number != newest.version => {
            let found = mapping_versions::find(&context.store, &tenant.id, &args.name, number).await?;
            found.with_context(|| format!("{} has no version {number}: the newest is {}", args.name, newest.version))?
        }
        _ => newest,
    };
    let includes: Value = serde_json::from_str(&shown.includes).context("mapping_versions.includes is no JSON")?;
    if args.json {
        output::json(&as_json(&shown, &includes))?;
        return Ok(ExitCode::SUCCESS);
    }
    let included = includes.as_object().map_or(0, serde_json::Map::len);
    let also = if included > 0 { format!(", with {included} included files (--json has them)") } else { String::new() };
    eprintln!(
        "{} version {}, published {} by {}{also}",
        shown.name,
        shown.version,
        rfc3339(shown.published_at),
        shown.published_by
    );
    std::io::stdout().lock().write_all(shown.text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn as_json(version: &MappingVersion, includes: &Value) -> Value {
    json!({
        "name": version.name,
        "version": version.version,
        "language": version.language,
        "checksum": version.checksum,
        "published_at": rfc3339(version.published_at),
        "published_by": version.published_by,
        "text": version.text,
        "includes": includes,
    })
}
