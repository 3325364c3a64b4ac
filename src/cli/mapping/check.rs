//! `rosterd mapping check`

use super::files::{self, Checked};
use super::render::{self, ColourArg, number};
use crate::cli::{Global, output};
use clap::Args;
use rosterd_mapping::diagnostic::Severity;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Mappings, or folders of them; without any those in mappings.dir
    #[arg(value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Fail on lints too
    #[arg(long)]
    deny_warnings: bool,
    #[command(flatten)]
    colour: ColourArg,
    #[arg(long, help = "Print JSON")]
    json: bool,
}

/// What was found in one file.
#[derive(Default)]
struct Findings {
    errors: usize,
    warnings: usize,
    /// For people.
    text: String,
    /// For programs.
    reports: Vec<Value>,
}

pub fn run(global: &Global, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let paths = files::meant(global, &args.paths)?;
    let (mut errors, mut warnings, mut listed) = (0, 0, Vec::new());
    for path in &paths {
        let found = look(path, args.colour.wanted())?;
        errors += found.errors;
        warnings += found.warnings;
        if args.json {
            listed.push(json!({
                "file": path.display().to_string(),
                "errors": found.errors,
                "warnings": found.warnings,
                "diagnostics": found.reports,
            }));
        } else if !found.text.is_empty() {
            output::line(format_args!("{}", found.text))?;
        }
    }
    if args.json {
        output::json(&Value::Array(listed))?;
    } else {
        let files = number(paths.len(), "mapping");
        output::line(format_args!("checked {files}: {}, {}", number(errors, "error"), number(warnings, "warning")))?;
    }
    let fails = errors > 0 || args.deny_warnings && warnings > 0;
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn look(path: &Path, colour: bool) -> anyhow::Result<Findings> {
    let shown = path.display().to_string();
    let text = match files::read(path) {
        Ok(text) => text,
        // One file that can't be read does not hide what is wrong with the others.
        Err(reason) => return Ok(refused(&shown, &format!("{reason:#}"))),
    };
    Ok(match text.check() {
        Checked::Script(Ok(_)) => Findings::default(),
        Checked::Script(Err(reason)) => refused(&shown, &format!("{shown}: {reason}")),
        Checked::Language(compiled) => {
            let mut text = render::terminal(&compiled.diagnostics, &compiled, colour);
            if compiled.uncounted > 0 {
                text.push_str(&format!("and {} more in {shown}\n", compiled.uncounted));
            }
            let errors = render::count(&compiled.diagnostics, Severity::Error);
            let warnings = render::count(&compiled.diagnostics, Severity::Warning);
            // What was only counted may be either: it never makes a broken mapping look sound.
            Findings {
                errors: errors.max(usize::from(compiled.plan.is_none())),
                warnings,
                text,
                reports: render::reports(&compiled.diagnostics, &compiled)?,
            }
        }
    })
}

fn refused(file: &str, reason: &str) -> Findings {
    Findings {
        errors: 1,
        text: format!("error: {reason}\n"),
        reports: vec![render::report_of_text(file, reason)],
        ..Findings::default()
    }
}
