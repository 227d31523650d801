//! The product as processes of their own, so that their memory can be told from that of their clients.

use std::{net::SocketAddr, path::Path};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    cli::{address, grok2api, output, ready},
    support::Shape,
};

/// A simulator, and the product on it.
pub struct Processes {
    pub http: SocketAddr,
    data: TempDir,
    sim: SocketAddr,
    /// The gateway's is the last.
    product: Vec<Child>,
    _sim: Child,
}

/// What a process uses now.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    pub resident_kib: u64,
    pub files: usize,
}

impl Processes {
    /// With settings of the public port such as `MAX_CONNECTIONS`, and that many Heavy accounts.
    pub async fn start(shape: Shape, accounts: usize, settings: &[(&str, u64)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (sim, _, said) = ready(grok2api(data.path()).args(["sim", "--listen", "127.0.0.1:0"])).await;
        let sim_at = address(&said, "sim").to_owned();
        let tokens: Vec<String> = (0..accounts).map(|number| format!("sim-heavy-{number:04}")).collect();
        let add =
            output(grok2api(data.path()).args(["accounts", "add", "--tier", "heavy"]).args(&tokens)).await;
        assert_eq!(add.0, 0, "{add:?}");
        let serve = |roles: &str, more: &[(&str, String)]| {
            let mut command = command(data.path(), &sim_at, roles);
            command
                .envs(settings.iter().map(|(name, value)| (format!("G2A_HTTP__{name}"), value.to_string())));
            command.envs(more.iter().cloned());
            command
        };
        let mut product = Vec::new();
        let said = match shape {
            Shape::Whole => {
                let (child, _, said) = ready(&mut serve("all", &[])).await;
                product.push(child);
                said
            }
            Shape::Split => {
                let (child, _, said) = ready(&mut serve("config,token-pool,media-cache,chat", &[])).await;
                product.push(child);
                let peers = ["config", "token-pool", "media-cache", "chat"].map(|role| {
                    let name = format!("G2A_{}_ADDR", role.to_uppercase().replace('-', "_"));
                    (name, format!("http://{}", address(&said, role)))
                });
                let peers: Vec<_> = peers.iter().map(|(name, at)| (name.as_str(), at.clone())).collect();
                let (child, _, said) = ready(&mut serve("gateway", &peers)).await;
                product.push(child);
                said
            }
        };
        let http = address(&said, "http").parse().unwrap();
        Self { http, sim: sim_at.parse().unwrap(), data, product, _sim: sim }
    }

    /// What the gateway's process uses.
    pub fn used(&self) -> Used {
        let pid = self.product.last().unwrap().id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        Used { resident_kib: line.split_whitespace().nth(1).unwrap().parse().unwrap(), files }
    }

    /// What the simulator counted: its counters, and the turns that were begun.
    pub async fn upstream(&self) -> (Value, usize) {
        #[expect(clippy::disallowed_methods, reason = "a client of the simulator, not a part of the product")]
        let state =
            reqwest::Client::new().get(format!("http://{}/__sim/state", self.sim)).send().await.unwrap();
        let state: Value = state.json().await.unwrap();
        let turns = state["requests"].as_array().unwrap().iter();
        let turns = turns.filter(|one| one["path"].as_str().unwrap().ends_with("/conversations/new")).count();
        (state["counters"].clone(), turns)
    }

    /// The accounts as the operator sees them.
    pub async fn accounts(&self) -> Vec<Value> {
        let (code, out, err) = output(grok2api(self.data.path()).args(["accounts", "list", "--json"])).await;
        assert_eq!(code, 0, "{err}");
        serde_json::from_str(&out).unwrap()
    }
}

fn command(data: &Path, sim: &str, roles: &str) -> Command {
    let mut command = grok2api(data);
    command.args(["serve", "--run", roles]);
    for name in ["G2A_UPSTREAM_URL", "G2A_ASSETS_URL"] {
        command.env(name, format!("http://{sim}"));
    }
    for role in ["CHAT", "TOKEN_POOL", "MEDIA_CACHE", "CONFIG"] {
        command.env(format!("G2A_GRPC__{role}"), "127.0.0.1:0");
    }
    command.env("G2A_INTERNAL_SECRET", "the-secret-of-the-tests");
    command
}
