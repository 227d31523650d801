//! Logs. The level follows the runtime parameter `log_level`; `RUST_LOG`, when set, wins.

use std::io::IsTerminal as _;

use tracing_subscriber::{
    EnvFilter, Registry,
    layer::{Layer as _, SubscriberExt as _},
    reload,
    util::SubscriberInitExt as _,
};

use crate::settings::LogFormat;

/// Changes the level of a running process.
#[derive(Clone)]
pub struct LogLevel(Option<reload::Handle<EnvFilter, Registry>>);

/// Installs the process-wide subscriber; log lines go to standard error.
pub fn init(format: LogFormat, level: &str) -> LogLevel {
    let from_environment = EnvFilter::try_from_default_env().ok();
    let fixed = from_environment.is_some();
    let (filter, handle) = reload::Layer::new(from_environment.unwrap_or_else(|| filter(level)));
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines = match format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let installed = tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok();
    LogLevel((installed && !fixed).then_some(handle))
}

impl LogLevel {
    /// Sets the level: `DEBUG`, `INFO`, `WARNING`, `ERROR`.
    pub fn set(&self, level: &str) {
        if let Some(handle) = &self.0
            && let Err(error) = handle.reload(filter(level))
        {
            tracing::warn!(%error, "log level not changed: {error}");
        }
    }
}

/// The product at the given level, the libraries below it only when they warn.
fn filter(level: &str) -> EnvFilter {
    let level = match level.to_ascii_uppercase().as_str() {
        "DEBUG" => "debug",
        "WARNING" | "WARN" => "warn",
        "ERROR" | "CRITICAL" => "error",
        _ => "info",
    };
    let others = if level == "error" { "error" } else { "warn" };
    let ours = [
        "grok2api",
        "grok2api_kit",
        "grok2api_storage",
        "grok2api_config",
        "grok2api_token_pool",
        "grok2api_media_cache",
        "grok2api_chat",
        "grok2api_gateway",
        "grok2api_upstream_sim",
    ];
    let directives: Vec<String> = ours.iter().map(|name| format!("{name}={level}")).collect();
    EnvFilter::new(format!("{others},{}", directives.join(",")))
}
