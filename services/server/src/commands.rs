//! The command line.

mod accounts;
mod admins;
mod backup;
mod client_keys;
mod config;
mod healthcheck;
mod import_seed;
mod keys;
mod migrate;
mod parameters;
mod restore;
mod serve;
mod sim;
mod usage;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use grok2api_kit::{
    lifecycle::{Shutdown, Tasks},
    settings::{Reading, Settings},
    telemetry,
};

use crate::{EXIT_CONFIGURATION, EXIT_USAGE, StartError};

/// An OpenAI-compatible API over Grok's web chat, with a pool of accounts behind it.
#[derive(Parser)]
#[command(name = "grok2api", version, max_term_width = 110)]
struct Cli {
    /// Settings file (TOML); the environment wins over it. `grok2api config dump` shows all settings.
    #[arg(long, global = true, env = "G2A_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the product, whole or some of its roles.
    Serve(serve::Args),
    /// Run the simulated Grok upstream.
    Sim(sim::Args),
    /// Manage the accounts in the store, also while the product runs.
    #[command(subcommand)]
    Accounts(accounts::Command),
    /// Read and change the runtime parameters, also while the product runs.
    #[command(subcommand)]
    Parameters(parameters::Command),
    /// Show what was asked of the product lately, also while it runs.
    Usage(usage::Args),
    /// Manage the keys of the API's clients, also while the product runs.
    #[command(subcommand)]
    ClientKeys(client_keys::Command),
    /// Manage those who may use the console, also while the product runs.
    #[command(subcommand)]
    Admins(admins::Command),
    /// Show and change the key that seals secrets in the store, also while the product runs.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Bring the store up to date and say what that took; `serve` does it as well.
    Migrate,
    /// Take over settings, accounts and media of the Python project; can be run again.
    ImportSeed(import_seed::Args),
    /// Write the data directory's state into one archive, also while the product runs (storage.mode "file").
    Backup(backup::Args),
    /// Make the data directory what it was when an archive was written; the product must not run.
    Restore(restore::Args),
    /// Check or show the settings.
    #[command(subcommand)]
    Config(config::Command),
    /// Ask a running product whether it is ready; exit code 0 says yes.
    Healthcheck(healthcheck::Args),
}

/// How a command ends when it does not succeed.
pub(crate) enum Failure {
    /// Settings or store: exit code 78.
    Configuration(StartError),
    /// Anything else, already in words: this exit code.
    Code(u8, String),
}

/// Runs the command line and gives the exit code.
pub async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            return if error.print().is_ok() { ExitCode::from(code) } else { ExitCode::FAILURE };
        }
    };
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Configuration(error)) => {
            complain(&format!("grok2api cannot start:\n{}", indented(&error)));
            ExitCode::from(EXIT_CONFIGURATION)
        }
        Err(Failure::Code(code, text)) => {
            complain(&text);
            ExitCode::from(code)
        }
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let settings = || settings(cli.config.as_deref());
    // Callers are told that a store failed, and only the log why.
    let logged = || settings().inspect(|settings| telemetry::lines(settings.log.format, "ERROR"));
    match cli.command {
        Command::Serve(args) => serve::run(reading(cli.config.as_deref()), &args).await,
        Command::Sim(args) => sim::run(args).await,
        Command::Accounts(command) => accounts::run(&logged()?, command).await,
        Command::Parameters(command) => parameters::run(&logged()?, command).await,
        Command::Usage(args) => usage::run(&logged()?, &args).await,
        Command::ClientKeys(command) => client_keys::run(&logged()?, command).await,
        Command::Admins(command) => admins::run(&logged()?, command).await,
        Command::Keys(command) => keys::run(&logged()?, &command).await,
        Command::Migrate => migrate::run(&logged()?).await,
        Command::ImportSeed(args) => import_seed::run(&logged()?, args).await,
        Command::Backup(args) => backup::run(&logged()?, args).await,
        Command::Restore(args) => restore::run(&logged()?, args).await,
        Command::Config(command) => config::run(&settings()?, &command),
        Command::Healthcheck(args) => healthcheck::run(&settings()?, args).await,
    }
}

fn settings(file: Option<&Path>) -> Result<Settings, Failure> {
    Settings::load(file, variables()).map_err(|mistakes| Failure::Configuration(mistakes.into()))
}

fn reading(file: Option<&Path>) -> Reading {
    Settings::read(file, variables())
}

/// Other programs' variables may be any bytes; ours are text.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn indented(error: &StartError) -> String {
    error.0.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Lets the services of a short command write down what they hold.
pub(crate) async fn finish(tasks: &Tasks) {
    tasks.shutdown().drain();
    tasks.finish(Duration::from_secs(5)).await;
}

/// The first SIGTERM or SIGINT is told to whoever looks, and ends nothing by itself; for as long as the tasks are kept.
pub(crate) fn stop_by_signal() -> Result<(Tasks, Shutdown), Failure> {
    let mut signals = serve::Signals::new().map_err(|error| StartError::one("signals", error))?;
    let tasks = Tasks::new();
    let (stop, told) = (tasks.shutdown().clone(), tasks.shutdown().clone());
    tasks.spawn_background("signals", async move {
        signals.next().await;
        told.drain();
    });
    Ok((tasks, stop))
}

/// A name of the contract in small letters.
pub(crate) fn small(name: &impl std::fmt::Debug) -> String {
    format!("{name:?}").to_lowercase()
}

/// Writes a line to standard output; a closed pipe is no reason to fail.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Configuration(error)
    }
}

impl From<grok2api_proto::Error> for Failure {
    fn from(error: grok2api_proto::Error) -> Self {
        let unnamed = error.param.filter(|param| !error.message.contains(param.as_str()));
        let param = unnamed.map(|param| format!("{param}: ")).unwrap_or_default();
        Self::Code(1, format!("{param}{}", error.message))
    }
}
