//! `grok2api config check|dump`: by the time they run, the settings have been read without a mistake.

use grok2api_kit::settings::Settings;

use super::{Failure, say};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Say whether the settings are valid; all mistakes are listed.
    Check,
    /// Show the settings in force, secrets masked.
    Dump,
}

#[expect(clippy::unnecessary_wraps, reason = "every command ends the same way")]
pub(crate) fn run(settings: &Settings, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check => say("the settings are valid"),
        Command::Dump => say(settings.dump().trim_end()),
    }
    Ok(())
}
