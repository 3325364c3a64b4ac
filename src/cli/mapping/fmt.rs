//! `rosterd mapping fmt`

use super::files;
use super::render::{ColourArg, number};
use crate::cli::{Global, output};
use crate::mapping::Language;
use anyhow::{Context as _, bail};
use clap::Args;
use rosterd_mapping::diagnostic::render::{self, Source};
use rosterd_mapping::limits::FILE_BYTES_MAX;
use rosterd_mapping::span::FileId;
use rosterd_mapping::syntax;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub struct FmtArgs {
    /// Mappings, or folders of them; - reads one from standard input and prints it; without any those in mappings.dir
    #[arg(value_name = "FILE|DIR|-")]
    paths: Vec<PathBuf>,
    /// Change nothing; exit code 1 and the names if a file is not in canonical form
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    colour: ColourArg,
}

pub fn run(global: &Global, args: &FmtArgs) -> anyhow::Result<ExitCode> {
    if args.paths.iter().any(|path| path.as_os_str() == "-") {
        if args.paths.len() > 1 {
            bail!("- stands alone: standard input is one mapping");
        }
        return standard_input(args);
    }
    let (mut changed, mut broken, mut looked_at) = (0, 0, 0);
    for path in files::meant(global, &args.paths)? {
        let text = files::read(&path)?;
        // A script has no form of ours.
        if text.language == Language::JavaScript {
            continue;
        }
        looked_at += 1;
        match formatted(&text.shown, &text.text, args.colour.wanted()) {
            Err(said) => {
                broken += 1;
                output::text(format_args!("{said}"))?;
            }
            Ok(canonical) if canonical == text.text => {}
            Ok(canonical) => {
                changed += 1;
                output::line(format_args!("{}", text.shown))?;
                if !args.check {
                    replace(&path, &canonical)?;
                }
            }
        }
    }
    let verb = if args.check { "not in canonical form" } else { "formatted" };
    eprintln!("{changed} of {} {verb}", number(looked_at, "mapping"));
    let fails = broken > 0 || args.check && changed > 0;
    Ok(if fails { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn standard_input(args: &FmtArgs) -> anyhow::Result<ExitCode> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    let text = syntax::text_of(&bytes, FileId(0)).map_err(|diagnostic| anyhow::anyhow!(diagnostic.message))?;
    let canonical = match formatted("standard input", text, args.colour.wanted()) {
        Ok(canonical) => canonical,
        Err(said) => {
            // Not to stdout: an editor would take it for the mapping.
            eprint!("{said}");
            return Ok(ExitCode::FAILURE);
        }
    };
    if args.check {
        return Ok(if canonical == text { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    std::io::stdout().lock().write_all(canonical.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn formatted(name: &str, text: &str, colour: bool) -> Result<String, String> {
    syntax::format(text).map_err(|diagnostics| render::terminal(&diagnostics, &[Source { name, text }], colour))
}

/// All of the new text or all of the old one, whatever happens; links stay links, and who may read it stays.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let said = || format!("{} can't be written", path.display());
    let real = path.canonicalize().with_context(said)?;
    let new = real.with_extension(format!("mapping.{}", std::process::id()));
    let written = std::fs::write(&new, text)
        .and_then(|()| std::fs::set_permissions(&new, std::fs::metadata(&real)?.permissions()))
        .and_then(|()| std::fs::rename(&new, &real));
    if written.is_err() {
        let _gone = std::fs::remove_file(&new);
    }
    written.with_context(said)
}
