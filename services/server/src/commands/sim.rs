//! `grok2api sim`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use grok2api_kit::{lifecycle::Tasks, settings::LogFormat, telemetry};
use grok2api_upstream_sim::{Scenario, SimConfig};
use tokio::net::TcpListener;

use super::{Failure, say, serve::Signals};
use crate::StartError;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address of the API and of the assets host.
    #[arg(long, default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
    /// Faults, windows and pacing to begin with (TOML).
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Source of every random choice.
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    telemetry::lines(LogFormat::Text, "INFO");
    let scenario = args.scenario.as_deref().map(read).transpose()?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| StartError::one(format_args!("listen {}", args.listen), error))?;
    let mut signals = Signals::new().map_err(|error| StartError::one("signals", error))?;
    let tasks = Tasks::new();
    let config = SimConfig { seed: args.seed, scenario, ..SimConfig::default() };
    let sim = grok2api_upstream_sim::start(listener, config, &tasks)
        .await
        .map_err(|error| StartError::one("simulator", error))?;
    say(&format!(
        "simulated upstream; accounts are sim-basic-*, sim-super-*, sim-heavy-*\nready sim={}",
        sim.addr()
    ));
    signals.next().await;
    tasks.shutdown().drain();
    tasks.finish(Duration::from_secs(2)).await;
    Ok(())
}

fn read(path: &std::path::Path) -> Result<Scenario, Failure> {
    let place = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| StartError::one(&place, error))?;
    text.parse().map_err(|error| StartError::one(place, error).into())
}
