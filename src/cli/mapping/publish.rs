//! `rosterd mapping publish`: a draft becomes the version that runs. Nothing is stored of one that does not compile or
//! fails its own tests. Publishing changes no stored value: identities take the new version at their next write.

use super::render;
use super::test::{failures, run_tests};
use crate::cli::context::{Context, TenantArg, did_you_mean};
use crate::cli::output;
use crate::mapping::{self, Language, Published};
use crate::mapping_files::{self, Folder};
use crate::provisioning::mappings;
use crate::replay::publish::may_publish;
use crate::store::{Batch, mapping_versions};
use anyhow::{anyhow, bail};
use clap::Args;
use rosterd_mapping::check;
use rosterd_mapping::diagnostic::Severity;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct PublishArgs {
    /// Of the mapping: NAME.mapping or NAME.js in mappings.dir
    name: String,
    /// Hash of the preview of this text (`rosterd mapping preview`): needed once people are stored whom it concerns
    #[arg(long, value_name = "HASH")]
    preview: Option<String>,
    /// Do everything but publish
    #[arg(long)]
    dry_run: bool,
    /// Publish though its own tests fail
    #[arg(long)]
    no_tests: bool,
    #[command(flatten)]
    tenant: TenantArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

pub async fn run(context: &Context, args: &PublishArgs) -> anyhow::Result<ExitCode> {
    let dir = &context.config.mappings.dir;
    let tenant = context.tenant(&args.tenant).await?;
    let draft = draft(dir, &args.name)?;
    let tests = sound(dir, &draft, args.no_tests)?;
    let newest = mapping_versions::latest(&context.store, &tenant.id, &args.name).await?;
    let next = newest.as_ref().map_or(1, |newest| newest.version + 1);
    let unchanged = newest.as_ref().is_some_and(|newest| newest.checksum == mappings::checksum(&draft));
    if !unchanged {
        let checksum = mappings::checksum(&draft);
        let what = (args.name.as_str(), checksum.as_str(), next - 1);
        let seen = (makes_profiles(&draft), args.preview.as_deref());
        let verdict = may_publish(&context.store, &tenant.id, what, seen, context.clock.now()).await?;
        if let Err(why) = verdict {
            bail!(
                "{} is not published: {why}\n`rosterd mapping preview CONNECTION FILE` shows what it would change, and prints the hash for \
                 `rosterd mapping publish {} --preview HASH`",
                args.name,
                args.name
            );
        }
    }
    let (status, version) = match (unchanged, args.dry_run) {
        (true, _) => ("unchanged", next - 1),
        (false, true) => ("would be published", next),
        (false, false) => {
            let audit = context.audit();
            let row = mappings::version(&Published { version: next, ..draft.clone() }, &audit);
            let mut batch = Batch::default();
            mapping_versions::publish(&mut batch, &tenant.id, &row, &audit);
            let taken = || format!("somebody else published version {next} of {} meanwhile; look again and repeat", args.name);
            context.apply(batch, taken).await?;
            ("published", next)
        }
    };
    if args.json {
        output::json(&json!({
            "name": args.name,
            "version": version,
            "status": status.replace(' ', "_"),
            "checksum": mappings::checksum(&draft),
            "tests": tests,
        }))?;
    } else {
        let passed = tests.map(|count| format!(", {} passed", render::number(count, "test"))).unwrap_or_default();
        output::line(format_args!("{} version {version}: {status}{passed}", args.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Scripts do, and what is written `to profile`.
fn makes_profiles(draft: &Published) -> bool {
    mapping::compile(draft).is_ok_and(|compiled| compiled.direction().is_none_or(|(_, to)| to == "profile"))
}

fn draft(dir: &Path, name: &str) -> anyhow::Result<Published> {
    if let Some(draft) = mapping_files::find(dir, name).map_err(anyhow::Error::msg)? {
        return Ok(draft);
    }
    let known = mapping_files::names(dir).map_err(anyhow::Error::msg)?;
    let hint = did_you_mean(name, known.iter().map(String::as_str));
    bail!("there is neither {name}.mapping nor {name}.js in {}{hint}", dir.display())
}

/// How many tests passed; a script has none. What the gateway would compile is compiled: the text as published.
fn sound(dir: &Path, draft: &Published, no_tests: bool) -> anyhow::Result<Option<usize>> {
    if draft.language == Language::JavaScript {
        mapping::compile(draft).map_err(|reason| anyhow!("{}.js is not published: {reason}", draft.name))?;
        return Ok(None);
    }
    let shown = format!("{}.mapping", draft.name);
    let compiled = check::compile(&shown, &draft.text, &Folder::new(dir));
    if compiled.plan.is_none() {
        let errors: Vec<_> =
            compiled.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).cloned().collect();
        eprint!("{}", render::terminal(&errors, &compiled, false));
        bail!("{shown} is not published: {}", render::number(errors.len(), "error"));
    }
    mapping::compile(draft).map_err(|reason| anyhow!("{shown} is not published: {reason}"))?;
    let run = run_tests(&compiled).ok_or_else(|| anyhow!("{shown} does not compile"))?;
    let failed = run.tests.iter().filter(|test| !test.mismatches.is_empty()).count();
    if failed > 0 {
        eprint!("{}", failures(&compiled, &run));
        if !no_tests {
            bail!(
                "{shown} is not published: {failed} of {} failed (--no-tests publishes it all the same)",
                render::number(run.tests.len(), "test")
            );
        }
    }
    Ok(Some(run.tests.len() - failed))
}
