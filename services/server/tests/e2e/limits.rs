//! Limits and budgets of client keys through the whole product, and over processes that share a Redis.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use grok2api_kit::{lifecycle::Tasks, settings::Settings};
use grok2api_proto::keys::{Budget, CreateRequest, Limits, Spec};
use grok2api_storage::{
    Store,
    accounts::{StoredAccount, Tier, Token},
};
use grok2api_testkit::RedisServer;
use grok2api_upstream_sim::{Sim, SimConfig};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Child};
use uuid::Uuid;

use crate::{
    cli::{address, grok2api, output, ready},
    support::{Product, Shape},
};

/// 32 bytes 7.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const PROCESSES: usize = 4;
const CALLERS: usize = 64;
const PER_MINUTE: usize = 600;
const BUDGET: usize = 1_000;
const MINUTE: Duration = Duration::from_secs(60);
/// Slots are held for 30 s without a sign of life.
const FREE_WITHIN: Duration = Duration::from_secs(35);

async fn key(product: &Product, limits: Limits, budgets: Vec<Budget>) -> String {
    let spec = Spec { name: "test".into(), limits: Some(limits), budgets, ..Spec::default() };
    let request = CreateRequest { spec: Some(spec), author: "test".into() };
    product.gateway().services.keys.create(request).await.unwrap().secret
}

fn budget(amount: u64, unit: &str, period: &str) -> Budget {
    Budget { unit: unit.into(), period: period.into(), amount }
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn a_key_is_held_to_its_limits_and_told_of_them(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1", "sim-basic-2"]).await;
    let limits =
        Limits { requests_per_minute: Some(3), tokens_per_minute: Some(5_000), concurrency: Some(2) };
    let secret = key(&product, limits, vec![budget(50, "requests", "month")]).await;
    let mut remaining = Vec::new();
    for _ in 0..3 {
        let answer = product.ask_with(&secret, "grok-3-fast", "[[sim:say=hi]]").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        remaining.push(answer.header("x-ratelimit-remaining-requests").to_owned());
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), "5000");
    }
    assert_eq!(remaining, ["2", "1", "0"]);
    let refused = product.ask_with(&secret, "grok-3-fast", "x").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limit_exceeded"));
    let wait: u64 = refused.header("retry-after-ms").parse().unwrap();
    assert!((1..=60_000).contains(&wait) && refused.header("x-should-retry") == "true");
    assert!(product.get("/v1/models").await.status == 401, "a key is needed");
    let usage = usage_of(&product, &secret, |usage| usage["today"]["requests"] == 4).await;
    assert_eq!(usage["budgets"][0]["spent"], 3, "{usage}");
    assert_eq!(usage["limits"]["concurrency"], json!({"limit": 2, "in_use": 0}));
    let units: u64 = usage["models"]["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["units"].as_u64().unwrap())
        .sum();
    assert_eq!(usage["last_31_days"]["units"], units, "{usage}");
    product.stop().await;
}

/// Settlements and entries are sent behind the answers.
async fn usage_of(product: &Product, secret: &str, until: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let usage = product.send_with(secret, Method::GET, "/v1/usage", None).await.json();
        if until(&usage) && usage["limits"]["concurrency"]["in_use"] == 0 {
            return usage;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{usage}");
    }
}

#[tokio::test]
async fn a_budget_is_spent_to_the_last_over_a_restart() {
    let product = Product::start().await;
    let secret = key(&product, Limits::default(), vec![budget(5, "requests", "lifetime")]).await;
    let ask = async |product: &Product| {
        let answers =
            join_all((0..4).map(|_| product.ask_with(&secret, "grok-3-fast", "[[sim:say=hi]]"))).await;
        answers.into_iter().map(|answer| (answer.status, answer)).collect::<Vec<_>>()
    };
    assert!(ask(&product).await.iter().all(|(status, _)| *status == 200));
    let product = product.restart().await;
    let answers = ask(&product).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 1);
    let (_, refused) = answers.iter().find(|(status, _)| *status != 200).unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (429, "insufficient_quota"));
    assert_eq!((refused.header("x-should-retry"), refused.header("retry-after")), ("false", "60"));
    assert_eq!(refused.json()["error"]["type"], "insufficient_quota");
    product.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place() {
    let product = Product::start().await;
    let secret = key(&product, Limits { concurrency: Some(1), ..Limits::default() }, vec![]).await;
    let body = json!({"model": "grok-3-fast", "stream": true,
        "messages": [{"role": "user", "content": "[[sim:tokens=500]][[sim:delay_ms=50]]"}]});
    let request = product.http.post(format!("{}/v1/chat/completions", product.base)).bearer_auth(&secret);
    let mut open = request.body(body.to_string()).send().await.unwrap();
    open.chunk().await.unwrap();
    let refused = product.ask_with(&secret, "grok-3-fast", "x").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "concurrency_limit_exceeded"));
    drop(open);
    let left = Instant::now();
    while product.ask_with(&secret, "grok-3-fast", "[[sim:say=hi]]").await.status != 200 {
        assert!(left.elapsed() < Duration::from_secs(10));
    }
    product.stop().await;
}

/// Whole products, each a process of its own, on one Redis.
struct Cluster {
    redis: RedisServer,
    sim: Sim,
    sim_tasks: Tasks,
    data: TempDir,
    processes: Vec<(Child, String)>,
    http: reqwest::Client,
}

impl Cluster {
    async fn start(processes: usize) -> Self {
        let redis = RedisServer::with(&["--appendonly", "yes"]);
        let (sim_tasks, data) = (Tasks::new(), tempfile::tempdir().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sim = grok2api_upstream_sim::start(listener, SimConfig::default(), &sim_tasks).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut cluster = Self { redis, sim, sim_tasks, data, processes: Vec::new(), http };
        cluster.add_accounts().await;
        for number in 0..processes {
            let mut command = cluster.command(number);
            let (child, _, said) = ready(command.arg("serve")).await;
            cluster.processes.push((child, format!("http://{}", address(&said, "http"))));
        }
        cluster
    }

    fn variables(&self) -> Vec<(String, String)> {
        let given = [
            ("STORAGE_MODE", "redis".to_owned()),
            ("DATABASE_URL", self.redis.url()),
            ("G2A_MASTER_KEY", KEY.to_owned()),
            ("G2A_UPSTREAM_URL", self.sim.url()),
            ("G2A_ASSETS_URL", self.sim.url()),
        ];
        given.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn command(&self, number: usize) -> tokio::process::Command {
        let mut command = grok2api(&self.data.path().join(number.to_string()));
        command.envs(self.variables());
        command
    }

    async fn add_accounts(&self) {
        let data = ("G2A_DATA_DIR".to_owned(), self.data.path().join("test").display().to_string());
        let settings = Settings::load(None, self.variables().into_iter().chain([data])).unwrap();
        let store = Store::open(&settings).await.unwrap();
        let row = |number| {
            StoredAccount::new(Uuid::now_v7(), Token::new(format!("sim-heavy-{number}")), Tier::Heavy, 1)
        };
        store.accounts().insert(&(0..60).map(row).collect::<Vec<_>>()).await.unwrap();
        store.close().await;
    }

    async fn key(&self, options: &[&str]) -> String {
        let mut command = self.command(0);
        let (code, secret, err) =
            output(command.args(["client-keys", "create", "crowd"]).args(options)).await;
        assert_eq!(code, 0, "{err}");
        // Until a process has heard of the first key, it is open to everybody.
        for (_, base) in &self.processes {
            while self.http.get(format!("{base}/v1/models")).send().await.unwrap().status() == 200 {
                tokio::task::yield_now().await;
            }
        }
        secret.trim().to_owned()
    }

    async fn post(&self, at: usize, secret: &str, body: &Value) -> reqwest::Response {
        let request = self.http.post(format!("{}/v1/chat/completions", self.processes[at].1));
        request.bearer_auth(secret).body(body.to_string()).send().await.unwrap()
    }
}

fn saying(text: &str, stream: bool) -> Value {
    json!({"model": "grok-3-fast", "stream": stream, "messages": [{"role": "user", "content": text}]})
}

/// When a request was sent that was served, and when its headers were there: it was admitted in between.
type Served = (Instant, Instant);

/// Asks the processes in turn until the budget is used up, and does what the refusals say.
async fn spend(cluster: &Cluster, secret: &str, caller: usize) -> Vec<Served> {
    let mut served = Vec::new();
    for turn in caller.. {
        let sent = Instant::now();
        let response = cluster.post(turn % PROCESSES, secret, &saying("[[sim:say=hi]]", turn % 2 == 0)).await;
        let (status, headers, answered) = (response.status(), response.headers().clone(), Instant::now());
        let text = response.text().await.unwrap();
        if status == 200 {
            served.push((sent, answered));
            continue;
        }
        assert_eq!(status, 429, "{text}");
        let body: Value = serde_json::from_str(&text).unwrap();
        match body["error"]["code"].as_str().unwrap() {
            "insufficient_quota" => return served,
            "rate_limit_exceeded" => {
                let wait: u64 = headers["retry-after-ms"].to_str().unwrap().parse().unwrap();
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            other => panic!("{other}: {text}"),
        }
    }
    served
}

/// 4 processes, one key with 600 requests per minute and a budget of 1,000, 64 callers: never one admitted too many, and
/// exactly 1,000 spent. It takes a minute, because 1,000 requests do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_on_four_processes_gets_its_rate_and_its_budget_exactly() {
    let cluster = Cluster::start(PROCESSES).await;
    let secret = cluster.key(&["--rpm", "600", "--budget", "1000:requests/lifetime"]).await;
    let began = Instant::now();
    let callers = (0..CALLERS).map(|caller| spend(&cluster, &secret, caller));
    let mut served: Vec<Served> = join_all(callers).await.into_iter().flatten().collect();
    served.sort();
    assert_eq!(served.len(), BUDGET, "after {:?}", began.elapsed());
    for (from, _) in &served {
        let surely = served.iter().filter(|(sent, answered)| sent >= from && *answered < *from + MINUTE);
        assert!(surely.count() <= PER_MINUTE, "in the minute from {:?}", from.duration_since(began));
    }
    // The minute's allowance is had at once, and the rest as soon as the first of it are a minute old.
    assert!(served[PER_MINUTE..].iter().all(|(_, answered)| *answered >= served[0].0 + MINUTE));
    let listed: Value = {
        let (_, out, _) = output(cluster.command(1).args(["client-keys", "list", "--json"])).await;
        serde_json::from_str(&out).unwrap()
    };
    assert_eq!(listed[0]["budgets"][0]["spent"], BUDGET as u64);
    cluster.sim_tasks.shutdown().stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_places_of_a_killed_process_come_free() {
    let mut cluster = Cluster::start(2).await;
    let secret = cluster.key(&["--concurrency", "2"]).await;
    let endless = saying("[[sim:tokens=2000]][[sim:delay_ms=100]]", true);
    let (one, other) = tokio::join!(cluster.post(0, &secret, &endless), cluster.post(0, &secret, &endless));
    assert_eq!((one.status().as_u16(), other.status().as_u16()), (200, 200));
    let ask =
        async |cluster: &Cluster| cluster.post(1, &secret, &saying("[[sim:say=hi]]", false)).await.status();
    // Held beyond the time of a slot: the signs of life work over processes.
    let held = Instant::now();
    while held.elapsed() < Duration::from_secs(31) {
        assert_eq!(ask(&cluster).await, 429);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    cluster.processes[0].0.kill().await.unwrap();
    let killed = Instant::now();
    while ask(&cluster).await != 200 {
        assert!(killed.elapsed() < FREE_WITHIN);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    cluster.sim_tasks.shutdown().stop();
}
