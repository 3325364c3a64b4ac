//! `rosterd migrate`

use super::Global;
use super::context::{Context, read_config};
use anyhow::Context as _;
use std::process::ExitCode;

/// Brings the schema up to date, also where `database.migrate` forbids it at start.
pub async fn run(global: &Global) -> anyhow::Result<ExitCode> {
    let mut config = read_config(global)?;
    config.database.migrate = false;
    let context = Context::with_config(config).await?;
    context.store.migrate().await.context("the schema can't be brought up to date")?;
    context.store.close().await;
    println!("the schema is up to date");
    Ok(ExitCode::SUCCESS)
}
