//! The product as one process or as one for each role, with logs that can be read.

use std::{fs::File, time::Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Child;

use crate::{
    cli::{address, grok2api, output, ready, signal, started},
    support::Shape,
};

/// In the order of their dependence.
pub const ROLES: [&str; 5] = ["config", "token-pool", "media-cache", "chat", "gateway"];
pub const SECRET: &str = "internal-secret-of-the-tests";
const PASSWORD: &str = "password-of-the-first-admin";
const ACCOUNTS: [&str; 4] =
    ["sim-heavy-secret-0001", "sim-heavy-secret-0002", "sim-heavy-secret-0003", "sim-heavy-secret-0004"];

/// Running processes.
pub struct Fleet {
    pub began: Instant,
    data: TempDir,
    key: String,
    http: String,
    ops: Vec<String>,
    roles: Vec<(&'static str, Child)>,
    client: reqwest::Client,
    _sim: Child,
}

impl Fleet {
    /// With these variables in every process, four accounts and one client key.
    pub async fn start(shape: Shape, environment: &[(&str, String)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (sim, _, said) = ready(grok2api(data.path()).args(["sim", "--listen", "127.0.0.1:0"])).await;
        let upstream = format!("http://{}", address(&said, "sim"));
        let mut add = grok2api(data.path());
        let add = output(add.args(["accounts", "add", "--tier", "heavy"]).args(ACCOUNTS)).await;
        assert_eq!(add.0, 0, "{add:?}");
        let (code, key, err) = output(grok2api(data.path()).args(["client-keys", "create", "a-test"])).await;
        assert_eq!(code, 0, "{err}");
        let key = key.split_whitespace().find(|word| word.starts_with("sk-")).unwrap().to_owned();
        let groups: &[&'static str] = if shape == Shape::Whole { &["all"] } else { &ROLES };
        let (mut roles, mut ops, mut http) = (Vec::new(), Vec::new(), String::new());
        let mut peers: Vec<(String, String)> = Vec::new();
        for role in groups.iter().copied() {
            let mut serve = grok2api(data.path());
            serve.args(["serve", "--run", role]).env("G2A_LOG__FORMAT", "json");
            serve.env("G2A_UPSTREAM_URL", &upstream).env("G2A_ASSETS_URL", &upstream);
            serve.env("G2A_INTERNAL_SECRET", SECRET).env("G2A_ADMIN_PASSWORD", PASSWORD);
            for role in ["CHAT", "TOKEN_POOL", "MEDIA_CACHE", "CONFIG"] {
                serve.env(format!("G2A_GRPC__{role}"), "127.0.0.1:0");
            }
            serve.envs(peers.iter().cloned()).envs(environment.iter().cloned());
            let log = File::create(data.path().join(format!("{role}.log"))).unwrap();
            let (child, _, said) = started(serve.stderr(log)).await;
            roles.push((role, child));
            ops.push(format!("http://{}/metrics", address(&said, "ops")));
            if ["all", "gateway"].contains(&role) {
                http = format!("http://{}", address(&said, "http"));
            } else {
                let name = format!("G2A_{}_ADDR", role.to_uppercase().replace('-', "_"));
                peers.push((name, format!("http://{}", address(&said, role))));
            }
        }
        #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { began: Instant::now(), data, key, http, ops, roles, client, _sim: sim }
    }

    /// A chat of the client whose trace and id are known; status and body.
    pub async fn chat(&self, text: &str, stream: bool) -> (u16, String) {
        let body = json!({"model": "grok-3-fast", "stream": stream,
            "messages": [{"role": "user", "content": text}]});
        let request = self.client.post(format!("{}/v1/chat/completions", self.http)).bearer_auth(&self.key);
        let parent = format!("00-{}-{}-01", super::TRACE, super::CLIENT);
        let request = request.header("traceparent", parent).header("x-request-id", "mine");
        let answer = request.body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Asks for the first image that an answer links to.
    pub async fn image(&self, answer: &str) -> u16 {
        let (_, rest) = answer.split_once("/images/").unwrap();
        let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').next().unwrap();
        self.client.get(format!("{}/images/{name}", self.http)).send().await.unwrap().status().as_u16()
    }

    pub async fn without_key(&self) -> u16 {
        self.client.get(format!("{}/v1/models", self.http)).send().await.unwrap().status().as_u16()
    }

    /// What all processes tell, one behind the other.
    pub async fn metrics(&self) -> String {
        let mut all = Vec::new();
        for ops in &self.ops {
            let answer = self.client.get(ops).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert!(
                answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4")
            );
            all.push(answer.text().await.unwrap());
        }
        all.join("# of a process\n")
    }

    /// Sets a parameter and waits until every process works with it.
    pub async fn parameter(&self, name: &str, value: &str) {
        let set = output(grok2api(self.data.path()).args(["parameters", "set", name, value])).await;
        assert_eq!(set.0, 0, "{set:?}");
        let followed = |text: &str| {
            let revisions = text.lines().filter_map(|line| line.strip_prefix("grok2api_config_revision "));
            revisions.filter(|number| number.parse::<f64>().unwrap() >= 1.0).count() == self.roles.len()
        };
        while !followed(&self.metrics().await) {
            tokio::task::yield_now().await;
        }
    }

    /// Ends all processes as an orchestrator does, callers first.
    pub async fn stop(mut self) {
        for (role, child) in self.roles.iter_mut().rev() {
            signal(child, "TERM");
            assert_eq!(child.wait().await.unwrap().code(), Some(0), "{role}");
        }
    }

    /// The logs by role, once they are as they should be.
    pub async fn logs_once(&self, done: impl Fn(&str, &[Value]) -> bool) -> Vec<(&'static str, String)> {
        loop {
            let read = |(role, _): &(&'static str, Child)| {
                let text = std::fs::read_to_string(self.data.path().join(format!("{role}.log"))).unwrap();
                // The last line may be half written.
                let whole = text.rfind('\n').map_or(0, |end| end + 1);
                (*role, text[..whole].to_owned())
            };
            let logs: Vec<(&'static str, String)> = self.roles.iter().map(read).collect();
            let complete = logs.iter().all(|(role, text)| {
                let lines: Vec<Value> =
                    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
                done(role, &lines)
            });
            if complete {
                return logs;
            }
            assert!(self.began.elapsed().as_secs() < 120, "{logs:#?}");
            tokio::task::yield_now().await;
        }
    }

    /// What no log may hold.
    pub fn secrets(&self) -> Vec<String> {
        let master = std::fs::read_to_string(self.data.path().join("master.key")).unwrap();
        let mut secrets = vec![self.key.clone(), SECRET.to_owned(), PASSWORD.to_owned()];
        secrets.extend(ACCOUNTS.map(str::to_owned));
        secrets.extend(master.split_whitespace().filter(|word| word.len() > 20).map(str::to_owned));
        secrets
    }
}
