//! `rosterd mapping list`

use super::drafts::{Draft, Drafts, compare};
use crate::cli::context::{Context, TenantArg};
use crate::cli::output;
use crate::store::mapping_versions::MappingVersion;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub async fn run(context: &Context, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let tenant = context.tenant(&args.tenant).await?;
    let drafts = Drafts::read(&context.config.mappings.dir).map_err(anyhow::Error::msg)?;
    let all = compare(&context.store, &tenant.id, &drafts).await?;
    if args.json {
        output::json(&all.iter().map(|(name, (version, draft))| as_json(name, version.as_ref(), draft)).collect())?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |(name, (version, draft)): (&String, &(Option<MappingVersion>, Draft))| {
        let version = version.as_ref();
        vec![
            name.clone(),
            version.map_or_else(|| "-".into(), |version| version.version.to_string()),
            output::or_dash(language(version, draft)),
            output::time(version.map(|version| version.published_at)),
            output::or_dash(version.map(|version| version.published_by.as_str())),
            draft.word().into(),
        ]
    };
    output::table(&["NAME", "VERSION", "LANGUAGE", "PUBLISHED", "BY", "DRAFT"], &all.iter().map(row).collect::<Vec<_>>())?;
    for (name, (_, draft)) in &all {
        match draft {
            Draft::Differs => {
                eprintln!("{name}: the file differs from what runs; `rosterd mapping publish {name}` puts it in force");
            }
            Draft::Unreadable(reason) => eprintln!("{name}: {}", output::printable(reason)),
            Draft::Missing | Draft::Same | Draft::Unpublished(_) => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn language<'v>(version: Option<&'v MappingVersion>, draft: &'v Draft) -> Option<&'v str> {
    match (version, draft) {
        (Some(version), _) => Some(&version.language),
        (None, Draft::Unpublished(language)) => Some(language.as_str()),
        (None, _) => None,
    }
}

fn as_json(name: &str, version: Option<&MappingVersion>, draft: &Draft) -> Value {
    json!({
        "name": name,
        "version": version.map(|version| version.version),
        "language": language(version, draft),
        "checksum": version.map(|version| version.checksum.as_str()),
        "published_at": output::time_json(version.map(|version| version.published_at)),
        "published_by": version.map(|version| version.published_by.as_str()),
        "draft": draft.word(),
    })
}
