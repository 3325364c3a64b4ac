//! The command line: one file per subcommand. Each reads its arguments, asks the store or lets it write, and prints.
//!
//! Exit codes: 0 done, 1 refused or failed, 2 the command line itself makes no sense, 3 done but over a limit the
//! caller set. Results go to stdout, everything
//! else to stderr. `--json` prints the management API's objects; a list is one JSON array.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a command line is for")]

mod bootstrap;
mod client;
mod config;
mod conflicts;
mod connection;
mod context;
mod erase;
mod mapping;
mod migrate;
mod organization;
mod output;
mod runs;
mod schema;
mod serve;
mod span;
mod sync;
mod tenant;
mod token;
mod traffic;
mod users;
mod webhook;
mod why;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// One roster from every directory.
///
/// Identity providers push users and groups over SCIM 2.0; a mapping turns what they send into one user store, with a
/// reason kept for every value.
#[derive(Debug, Parser)]
#[command(name = "rosterd", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Configuration file; without it ./rosterd.toml is read if it exists.
    ///
    /// Each key can also be set by an environment variable ROSTERD__SECTION__KEY, for instance
    /// ROSTERD__SERVER__LISTEN.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway
    Serve(serve::ServeArgs),
    /// Set up an empty database: a tenant, a SCIM connection with a token, an administrator's token
    Bootstrap(bootstrap::BootstrapArgs),
    /// Bring the database's schema up to date
    Migrate,
    /// Look at the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Hard walls: nothing of one tenant is visible from another
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Customers inside a tenant, with the domains they have proven
    #[command(subcommand, visible_alias = "org")]
    Organization(organization::OrganizationCommand),
    /// Sources of users
    #[command(subcommand)]
    Connection(connection::ConnectionCommand),
    /// Applications that log people in, or call the management API
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// SCIM schema extensions of a tenant: attributes of its own, beside the standard's
    #[command(subcommand)]
    Schema(schema::SchemaCommand),
    /// From what a source says to profile attributes: check, test and try mappings, publish them
    #[command(subcommand)]
    Mapping(mapping::MappingCommand),
    /// Bearer tokens for SCIM clients and administrators
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// One run over a directory
    Sync(sync::SyncArgs),
    /// What was held for a person's word: lists of removals over a connection's budget
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// The inbox: collisions, rejected entries and held runs that wait for somebody's decision
    #[command(subcommand)]
    Conflicts(conflicts::ConflictsCommand),
    /// Profiles, and why each value is what it is
    #[command(subcommand)]
    Users(users::UsersCommand),
    /// Where events are sent as they happen, signed
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
}

/// Runs one command.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { global, command } = cli;
    match command {
        Command::Serve(args) => serve::run(&global, &args).await,
        Command::Bootstrap(args) => bootstrap::run(&global, &args).await,
        Command::Migrate => migrate::run(&global).await,
        Command::Config(command) => config::run(&global, &command),
        Command::Tenant(command) => tenant::run(&global, command).await,
        Command::Organization(command) => organization::run(&global, command).await,
        Command::Connection(command) => connection::run(&global, command).await,
        Command::Client(command) => client::run(&global, command).await,
        Command::Schema(command) => schema::run(&global, command).await,
        Command::Mapping(command) => mapping::run(&global, command).await,
        Command::Token(command) => token::run(&global, command).await,
        Command::Sync(args) => sync::run(&global, args).await,
        Command::Runs(command) => runs::run(&global, command).await,
        Command::Conflicts(command) => conflicts::run(&global, command).await,
        Command::Users(command) => users::run(&global, command).await,
        Command::Webhook(command) => webhook::run(&global, command).await,
    }
}
