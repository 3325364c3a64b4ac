//! `rosterd config check`

use super::{Global, output};
use crate::config;
use crate::mapping_files;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print what is in force and where it was set, or everything that is wrong
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Opens no database, only files: safe to run beside a running gateway. So it tells of drafts that can't be read, not of
/// those that differ from what is published; `serve` does that at its start, and `rosterd mapping list` at any time.
/// Exit code 1 if something is wrong.
pub fn run(global: &Global, command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    let ConfigCommand::Check(args) = command;
    match config::load(global.config.as_deref(), std::env::vars()) {
        Ok(loaded) => {
            let dir = &loaded.config.mappings.dir;
            let drafts = mapping_files::names(dir).map(|names| names.len());
            if args.json {
                let setting = |setting: &config::Setting| json!({ "key": setting.path, "value": setting.shown, "origin": setting.origin.to_string() });
                let settings: Vec<Value> = loaded.settings.iter().map(setting).collect();
                output::json(
                    &json!({ "file": loaded.file, "settings": settings, "problems": [], "drafts": drafts.as_ref().ok() }),
                )?;
            } else {
                let row =
                    |setting: &config::Setting| vec![setting.path.clone(), setting.shown.clone(), setting.origin.to_string()];
                output::table(&["KEY", "VALUE", "SET BY"], &loaded.settings.iter().map(row).collect::<Vec<_>>())?;
            }
            match drafts {
                Ok(count) => eprintln!("{count} mapping drafts; whether they are what runs: `rosterd mapping list`"),
                Err(reason) => {
                    eprintln!("error: mappings.dir: {reason}");
                    return Ok(ExitCode::FAILURE);
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(config::Problems(problems)) => {
            if args.json {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                output::json(&json!({ "problems": problems }))?;
            } else {
                for problem in &problems {
                    eprintln!("error: {problem}");
                }
            }
            Ok(ExitCode::FAILURE)
        }
    }
}
