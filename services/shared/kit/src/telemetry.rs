//! Logs; and what is exported of logs, traces and metrics, where the standard variables ask for it.
//!
//! The level follows the runtime parameter `log_level`; `RUST_LOG`, when set, wins. Spans are recorded whatever the level
//! of the logs is, but only where traces are exported: without that they cost nothing.

mod export;
mod lines;

use std::{io::IsTerminal as _, time::Duration};

use opentelemetry_sdk::{logs::SdkLoggerProvider, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tokio::sync::oneshot;
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Registry,
    filter::{FilterExt as _, filter_fn},
    layer::{Layer, SubscriberExt as _},
    reload,
    util::SubscriberInitExt as _,
};

use crate::{settings::LogFormat, trace};

/// How long what was recorded last may take to be sent, altogether.
const LAST_EXPORTS: Duration = Duration::from_secs(5);

type Layers = Vec<Box<dyn Layer<Registry> + Send + Sync>>;

/// Changes the level of a running process.
#[derive(Clone)]
pub struct LogLevel(Vec<reload::Handle<EnvFilter, Registry>>);

/// What is exported by this process.
#[must_use = "what was recorded last is sent by `finish`"]
#[derive(Default)]
pub struct Exports {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    logs: Option<SdkLoggerProvider>,
}

/// Log lines at a fixed level and nothing else, as commands want it.
pub fn lines(format: LogFormat, level: &str) {
    drop(install(format, level, &Exports::default()));
}

/// Installs the process-wide subscriber; log lines go to standard error. `roles` are told with what is exported.
pub fn init(format: LogFormat, level: &str, roles: &str) -> (LogLevel, Exports) {
    let (exports, mistakes) = export::begin(roles);
    let log_level = install(format, level, &exports);
    for mistake in mistakes {
        tracing::error!("telemetry: {mistake}");
    }
    (log_level, exports)
}

fn install(format: LogFormat, level: &str, exports: &Exports) -> LogLevel {
    let from_environment = EnvFilter::try_from_default_env().ok();
    let fixed = from_environment.is_some();
    let wanted = || from_environment.clone().unwrap_or_else(|| filter(level));
    let (lines, handle) = reload::Layer::new(wanted());
    let (mut layers, mut handles): (Layers, _) = (Vec::new(), vec![handle]);
    layers.push(
        lines::layer(format, std::io::stderr().is_terminal())
            .with_filter(lines.and(filter_fn(is_event)))
            .boxed(),
    );
    if let Some(provider) = &exports.traces {
        layers.push(export::spans(provider).with_filter(filter_fn(is_our_span)).boxed());
    }
    if let Some(provider) = &exports.logs {
        let (filter, handle) = reload::Layer::new(wanted());
        handles.push(handle);
        let ours = filter_fn(|about| about.is_event() && is_ours(about));
        layers.push(export::records(provider).with_filter(filter.and(ours)).boxed());
    }
    if exports.traces.is_some() || exports.logs.is_some() {
        trace::tell();
    }
    let installed = tracing_subscriber::registry().with(layers).try_init().is_ok();
    LogLevel(if installed && !fixed { handles } else { Vec::new() })
}

impl LogLevel {
    /// Sets the level: `DEBUG`, `INFO`, `WARNING`, `ERROR`.
    pub fn set(&self, level: &str) {
        for handle in &self.0 {
            if let Err(error) = handle.reload(filter(level)) {
                tracing::warn!(%error, "log level not changed: {error}");
            }
        }
    }
}

impl Exports {
    /// Sends what was recorded last; gives up after a few seconds.
    pub async fn finish(self) {
        if self.traces.is_none() && self.metrics.is_none() && self.logs.is_none() {
            return;
        }
        let (done, ended) = oneshot::channel();
        // A thread of its own: the runtime would wait for one of its own for ever.
        std::thread::spawn(move || {
            let third = LAST_EXPORTS / 3;
            let traces = self.traces.map(|traces| traces.shutdown_with_timeout(third));
            let metrics = self.metrics.map(|metrics| metrics.shutdown_with_timeout(third));
            let logs = self.logs.map(|logs| logs.shutdown_with_timeout(third));
            // Nobody waits any more when it took too long.
            let _ = done.send([traces, metrics, logs].into_iter().flatten().all(|sent| sent.is_ok()));
        });
        let sent = tokio::time::timeout(LAST_EXPORTS, ended).await;
        if !matches!(sent, Ok(Ok(true))) {
            tracing::warn!("telemetry: what was recorded last could not all be sent");
        }
    }
}

fn is_event(about: &Metadata<'_>) -> bool {
    about.is_event()
}

/// Libraries have spans of their own, down to single frames.
fn is_our_span(about: &Metadata<'_>) -> bool {
    about.is_span() && is_ours(about) && *about.level() <= Level::INFO
}

fn is_ours(about: &Metadata<'_>) -> bool {
    about.target().starts_with("grok2api")
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
