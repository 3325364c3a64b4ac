//! `rosterd mapping …`: one file per verb. `check`, `test`, `try`, `diff`, `fmt`, `explain` and `functions` look at
//! files alone; `list`, `show`, `preview`, `publish` and `replay` at the database. Both languages go through [`crate::mapping::Mapping`];
//! what only the mapping language has (tests, a trace, a canonical form) is said to be missing of a script.

mod change;
mod check;
mod diff;
mod drafts;
mod explain;
mod files;
mod fmt;
mod functions;
mod import;
pub mod input;
mod list;
mod preview;
pub mod progress;
mod publish;
pub(super) mod render;
mod replay;
mod show;
mod test;
pub mod try_entry;
pub mod value;

pub use drafts::report_drafts;

use super::Global;
use super::context::Context;
use clap::Subcommand;
use std::process::ExitCode;

/// What `diff` answers when more entries change than `--max-change` allows.
const OVER_THE_LIMIT: u8 = 3;

#[derive(Debug, Subcommand)]
pub enum MappingCommand {
    /// Compile mappings and say what is wrong with them; exit code 1 if anything is
    Check(check::CheckArgs),
    /// Run the tests that stand in mappings; exit code 1 if one fails
    Test(test::TestArgs),
    /// Run a mapping over captured entries and tell how each value came about
    Try(try_entry::TryArgs),
    /// Run two mappings over captured entries and tell what differs; exit code 3 over --max-change
    Diff(diff::DiffArgs),
    /// Bring mappings into their canonical form
    Fmt(fmt::FmtArgs),
    /// Tell what a mapping does rule by rule, or what a diagnostic like M003 means
    Explain(explain::ExplainArgs),
    /// Turn another product's mapping into one of ours; exit code 3 if a part of it is not translated
    Import(import::ImportArgs),
    /// List the functions of the mapping language
    Functions(functions::FunctionsArgs),
    /// List published mappings, and drafts that differ from them
    List(list::ListArgs),
    /// Print the text of a published version
    Show(show::ShowArgs),
    /// Tell what a new text would change of everybody who is stored; nothing is written
    Preview(preview::PreviewArgs),
    /// Publish a draft as the next version: what runs within two seconds, everywhere. Names the preview of it
    Publish(publish::PublishArgs),
    /// Map anew what is stored of a connection's people, as one run that can be undone; exit code 3 if it is held
    Replay(replay::ReplayArgs),
}

pub async fn run(global: &Global, command: MappingCommand) -> anyhow::Result<ExitCode> {
    match command {
        MappingCommand::Check(args) => check::run(global, &args),
        MappingCommand::Test(args) => test::run(global, &args),
        MappingCommand::Try(args) => try_entry::run(&args),
        MappingCommand::Diff(args) => diff::run(&args),
        MappingCommand::Fmt(args) => fmt::run(global, &args),
        MappingCommand::Explain(args) => explain::run(&args),
        MappingCommand::Import(args) => import::run(&args),
        MappingCommand::Functions(args) => functions::run(&args),
        MappingCommand::List(args) => {
            let context = Context::open(global).await?;
            let outcome = list::run(&context, &args).await;
            context.store.close().await;
            outcome
        }
        MappingCommand::Show(args) => {
            let context = Context::open(global).await?;
            let outcome = show::run(&context, &args).await;
            context.store.close().await;
            outcome
        }
        MappingCommand::Preview(args) => {
            let context = Context::open(global).await?;
            let outcome = Box::pin(preview::run(&context, &args)).await;
            context.store.close().await;
            outcome
        }
        MappingCommand::Replay(args) => {
            let context = Context::open(global).await?;
            let outcome = Box::pin(replay::run(&context, &args)).await;
            context.store.close().await;
            outcome
        }
        MappingCommand::Publish(args) => {
            let context = Context::open(global).await?;
            let outcome = publish::run(&context, &args).await;
            context.store.close().await;
            outcome
        }
    }
}
