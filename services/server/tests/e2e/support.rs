//! Starts the product and the simulator inside a test, and asks like a client.

use std::sync::Arc;

use futures_util::StreamExt as _;
use grok2api_kit::{lifecycle::Tasks, settings::Settings};
use grok2api_proto::{
    config::UpdateRequest,
    pool::{Account, AddAccountsRequest, ListAccountsRequest, NewAccount, Tier},
};
use grok2api_server::{Instance, Roles};
use grok2api_testkit::Backing;
use grok2api_upstream_sim::{Sim, SimConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// How the product is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Everything in one process.
    Whole,
    /// A process for each role, over TCP.
    Split,
}

/// A running product with its upstream.
pub struct Product {
    pub sim: Sim,
    pub base: String,
    pub http: reqwest::Client,
    pub data: Arc<TempDir>,
    pub backing: Backing,
    /// The instance that runs (or reaches) everything.
    instances: Vec<Instance>,
    sim_tasks: Tasks,
}

/// One answer, whole.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

/// What a stream brought.
#[derive(Debug, Default)]
pub struct Streamed {
    pub content: String,
    pub reasoning: String,
    pub finish: Vec<String>,
    pub error: Option<Value>,
    pub usage: Option<Value>,
    pub done: bool,
    pub chunks: Vec<Value>,
}

impl Product {
    /// One process, with two Basic accounts.
    pub async fn start() -> Self {
        Self::with(Shape::Whole, &["sim-basic-1", "sim-basic-2"]).await
    }

    pub async fn with(shape: Shape, tokens: &[&str]) -> Self {
        Self::on_store(shape, tokens, Backing::File).await
    }

    pub async fn on_store(shape: Shape, tokens: &[&str], backing: Backing) -> Self {
        Self::equipped(shape, tokens, backing, &[]).await
    }

    /// With settings of its own.
    pub async fn equipped(
        shape: Shape,
        tokens: &[&str],
        backing: Backing,
        more: &[(&'static str, String)],
    ) -> Self {
        let sim_tasks = Tasks::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sim = grok2api_upstream_sim::start(listener, SimConfig::default(), &sim_tasks).await.unwrap();
        let data = Arc::new(tempfile::tempdir().unwrap());
        let product = Self::on(shape, sim, sim_tasks, data, backing, more).await;
        product.add(tokens).await;
        product
    }

    async fn on(
        shape: Shape,
        sim: Sim,
        sim_tasks: Tasks,
        data: Arc<TempDir>,
        backing: Backing,
        more: &[(&'static str, String)],
    ) -> Self {
        let settings = settings(&sim, &data, &backing, more);
        let instances = match shape {
            Shape::Whole => vec![Instance::start(&settings, &Roles::all(), None).await.unwrap()],
            Shape::Split => split(&settings).await,
        };
        let http = instances.last().unwrap().addresses.http.unwrap();
        #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { sim, base: format!("http://{http}"), http: client, data, backing, instances, sim_tasks }
    }

    /// Another whole process on the same store, with a data directory of its own.
    pub async fn replica(&self, more: &[(&'static str, String)]) -> Instance {
        let key = self.data.path().join("master.key").display().to_string();
        let data = tempfile::tempdir_in(self.data.path()).unwrap();
        let more = [more, &[("G2A_MASTER_KEY_FILE", key)]].concat();
        let settings = settings(&self.sim, &data, &self.backing, &more);
        // The directory goes with that of the product.
        let _ = data.keep();
        Instance::start(&settings, &Roles::all(), None).await.unwrap()
    }

    /// The gateway's instance: it runs or reaches every service a client needs.
    pub fn gateway(&self) -> &Instance {
        self.instances.last().unwrap()
    }

    /// The instance that runs (or reaches) the pool.
    pub fn pool(&self) -> &Instance {
        let index = usize::from(self.instances.len() > 1);
        &self.instances[index]
    }

    pub async fn add(&self, tokens: &[&str]) {
        let accounts = tokens.iter().map(|token| {
            let tier = match token.split('-').nth(1) {
                Some("super") => Tier::Super,
                Some("heavy") => Tier::Heavy,
                _ => Tier::Basic,
            };
            NewAccount { token: (*token).to_owned(), tier: tier.into(), note: String::new() }
        });
        let request = AddAccountsRequest { accounts: accounts.collect() };
        self.pool().services.pool.add_accounts(request).await.unwrap();
    }

    /// Changes runtime parameters and waits until the gateway and chat follow.
    pub async fn set(&self, changes: &[(&str, Value)]) {
        let changes = changes.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect();
        let update = UpdateRequest { changes, expected_revision: None, author: "test".into() };
        let number = self.gateway().services.config.update(update).await.unwrap().number;
        for instance in &self.instances {
            let mut runtime = instance.services.runtime.clone();
            while runtime.current().number < number {
                runtime.changed().await;
            }
        }
    }

    /// Lets the upstream be silent for so long; a loaded machine is slower than any sensible default of a test.
    pub async fn patience(&self, seconds: u32) {
        let total = json!(seconds * 10);
        let patience =
            [("stream_first_response_timeout", json!(seconds)), ("stream_chunk_timeout", json!(seconds))];
        self.set(&[patience[0].clone(), patience[1].clone(), ("stream_total_timeout", total)]).await;
    }

    pub async fn accounts(&self) -> Vec<Account> {
        self.pool().services.pool.list_accounts(ListAccountsRequest::default()).await.unwrap().accounts
    }

    /// Waits until no account is in flight: every lease is settled.
    pub async fn settled(&self) -> Vec<Account> {
        loop {
            let accounts = self.accounts().await;
            if accounts.iter().all(|account| account.in_flight == 0) {
                return accounts;
            }
            tokio::task::yield_now().await;
        }
    }

    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request =
            self.http.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        Answer::of(request.body(body).send().await.unwrap()).await
    }

    /// A chat with this key.
    pub async fn ask_with(&self, key: &str, model: &str, text: &str) -> Answer {
        let body = json!({"model": model, "messages": [{"role": "user", "content": text}]});
        let request = self.http.post(format!("{}/v1/chat/completions", self.base)).bearer_auth(key);
        Answer::of(request.body(body.to_string()).send().await.unwrap()).await
    }

    /// A request with this key.
    pub async fn send_with(
        &self,
        key: &str,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(key);
        let body = body.map(Value::to_string).unwrap_or_default();
        Answer::of(request.body(body).send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.http.get(format!("{}{path}", self.base)).send().await.unwrap()).await
    }

    /// Whether the gateway's process is ready, and what it waits for.
    pub async fn readyz(&self) -> (u16, Value) {
        let ops = self.gateway().addresses.ops;
        let answer = Answer::of(self.http.get(format!("http://{ops}/readyz")).send().await.unwrap()).await;
        (answer.status, answer.json())
    }

    pub async fn chat(&self, body: &Value) -> Answer {
        self.post("/v1/chat/completions", body.to_string()).await
    }

    /// A chat on `model` with one user message, not streamed.
    pub async fn ask(&self, model: &str, text: &str) -> Answer {
        self.chat(&json!({"model": model, "messages": [{"role": "user", "content": text}]})).await
    }

    /// The response of a streamed chat, unread.
    pub async fn open(&self, body: &Value) -> reqwest::Response {
        let request = self.http.post(format!("{}/v1/chat/completions", self.base));
        request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap()
    }

    /// A streamed chat, read to its end.
    pub async fn stream(&self, model: &str, text: &str) -> Result<Streamed, Answer> {
        let body = json!({"model": model, "stream": true, "stream_options": {"include_usage": true},
            "messages": [{"role": "user", "content": text}]});
        let response = self.open(&body).await;
        if response.status() != 200 {
            return Err(Answer::of(response).await);
        }
        Ok(Streamed::read(response).await)
    }

    /// Stops the product (not the simulator) and starts it again on the same data.
    pub async fn restart(self) -> Self {
        for instance in self.instances.iter().rev() {
            instance.drain().await;
        }
        // They have the data directory for themselves.
        drop(self.instances);
        Self::on(Shape::Whole, self.sim, self.sim_tasks, self.data, self.backing, &[]).await
    }

    pub async fn stop(self) {
        for instance in self.instances.iter().rev() {
            instance.stop().await;
        }
        self.sim_tasks.shutdown().stop();
    }
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }

    pub fn content(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Streamed {
    pub async fn read(response: reqwest::Response) -> Self {
        let mut text = Vec::new();
        let mut body = response.bytes_stream();
        while let Some(Ok(chunk)) = body.next().await {
            text.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(text).expect("UTF-8");
        let mut streamed = Self::default();
        for line in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
            streamed.line(line);
        }
        streamed
    }

    fn line(&mut self, line: &str) {
        assert!(!self.done, "data after [DONE]: {line}");
        if line == "[DONE]" {
            self.done = true;
            return;
        }
        let chunk: Value = serde_json::from_str(line).unwrap();
        if chunk.get("error").is_some() {
            self.error = Some(chunk["error"].clone());
            return;
        }
        if let Some(choice) = chunk["choices"].get(0) {
            assert_eq!(choice["index"], 0);
            self.content.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
            self.reasoning.push_str(choice["delta"]["reasoning_content"].as_str().unwrap_or_default());
            self.finish.extend(choice["finish_reason"].as_str().map(str::to_owned));
        }
        if chunk["usage"].is_object() {
            self.usage = Some(chunk["usage"].clone());
        }
        self.chunks.push(chunk);
    }

    /// A whole answer, as if it had been streamed.
    pub fn whole(answer: &Value) -> Self {
        let choice = &answer["choices"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            content: text(&choice["message"]["content"]),
            reasoning: text(&choice["message"]["reasoning_content"]),
            finish: vec![text(&choice["finish_reason"])],
            usage: Some(answer["usage"].clone()),
            done: true,
            ..Self::default()
        }
    }

    pub fn error_code(&self) -> &str {
        self.error.as_ref().and_then(|error| error["code"].as_str()).unwrap_or_default()
    }
}

fn settings(sim: &Sim, data: &TempDir, backing: &Backing, more: &[(&'static str, String)]) -> Settings {
    let any = "127.0.0.1:0".to_owned();
    let given = [
        ("G2A_LISTEN", any.clone()),
        ("G2A_OPS_LISTEN", any.clone()),
        ("G2A_GRPC__CHAT", any.clone()),
        ("G2A_GRPC__TOKEN_POOL", any.clone()),
        ("G2A_GRPC__MEDIA_CACHE", any.clone()),
        ("G2A_GRPC__CONFIG", any),
        ("G2A_DATA_DIR", data.path().display().to_string()),
        ("G2A_UPSTREAM_URL", sim.url()),
        ("G2A_ASSETS_URL", sim.url()),
        ("G2A_INTERNAL_SECRET", "the-secret-of-the-tests".to_owned()),
        ("G2A_GRACE_SECONDS", "5".to_owned()),
    ];
    let given = given.into_iter().chain(backing.environment()).chain(more.iter().cloned());
    Settings::load(None, given.map(|(name, value)| (name.to_owned(), value))).unwrap()
}

/// Config, token-pool, media-cache, chat and gateway, each in an instance of its own.
async fn split(settings: &Settings) -> Vec<Instance> {
    let mut settings = settings.clone();
    let mut instances = Vec::new();
    for role in ["config", "token-pool", "media-cache", "chat", "gateway"] {
        let instance = Instance::start(&settings, &role.parse().unwrap(), None).await.unwrap();
        let at = |address: Option<std::net::SocketAddr>| {
            address.map(|at| format!("http://{at}")).unwrap_or_default()
        };
        let addresses = instance.addresses;
        match role {
            "config" => settings.peers.config = at(addresses.config),
            "token-pool" => settings.peers.token_pool = at(addresses.token_pool),
            "media-cache" => settings.peers.media_cache = at(addresses.media_cache),
            "chat" => settings.peers.chat = at(addresses.chat),
            _ => {}
        }
        instances.push(instance);
    }
    instances
}
