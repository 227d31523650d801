//! `grok2api serve`.

use grok2api_kit::{
    settings::{Reading, Settings},
    telemetry::{self, LogLevel},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, say};
use crate::{EXIT_CRASHED, Instance, Roles, StartError, ground, start_text};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What runs in this process: all, or a list of gateway, chat, token-pool, media-cache, config.
    #[arg(long, default_value = "all", value_name = "ROLES")]
    run: Roles,
}

pub(crate) async fn run(reading: Reading, args: &Args) -> Result<(), Failure> {
    let settings = match reading {
        Reading { settings: Some(settings), mistakes } if mistakes.is_empty() => settings,
        reading => return Err(ground::all_wrong(reading, &args.run).await.into()),
    };
    let (log_level, exports) = telemetry::init(settings.log.format, "INFO", &args.run.to_string());
    let served = serve(&settings, args, log_level).await;
    exports.finish().await;
    served
}

async fn serve(settings: &Settings, args: &Args, log_level: LogLevel) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| StartError::one("signals", error))?;
    let instance = tokio::select! {
        started = Instance::start(settings, &args.run, Some(log_level)) => started?,
        () = signals.next() => {
            tracing::info!("stopped before the start was complete");
            return Ok(());
        }
    };
    say(&start_text::text(&instance, settings, &args.run).await);
    let crashed = tokio::select! {
        () = signals.next() => None,
        name = instance.crashed() => Some(name),
    };
    if crashed.is_none() {
        tracing::info!("stopping: open requests may finish; a second signal ends them");
    }
    tokio::select! {
        drained = instance.drain() => tracing::info!(drained, "stopped"),
        () = signals.next() => instance.stop().await,
    }
    match crashed {
        None => Ok(()),
        Some(name) => Err(Failure::Code(EXIT_CRASHED, format!("the task {name} crashed; the log says why"))),
    }
}

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
