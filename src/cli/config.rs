//! `rosterd config check`

use super::{Global, output};
use crate::config;
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

/// Opens nothing but the file: safe to run beside a running gateway. Exit code 1 if something is wrong.
pub fn run(global: &Global, command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    let ConfigCommand::Check(args) = command;
    match config::load(global.config.as_deref(), std::env::vars()) {
        Ok(loaded) => {
            if args.json {
                let setting = |setting: &config::Setting| json!({ "key": setting.path, "value": setting.shown, "origin": setting.origin.to_string() });
                let settings: Vec<Value> = loaded.settings.iter().map(setting).collect();
                output::json(&json!({ "file": loaded.file, "settings": settings, "problems": [] }))?;
            } else {
                let row =
                    |setting: &config::Setting| vec![setting.path.clone(), setting.shown.clone(), setting.origin.to_string()];
                output::table(&["KEY", "VALUE", "SET BY"], &loaded.settings.iter().map(row).collect::<Vec<_>>())?;
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
