//! A steady load of streams, behind a balancer that asks the gateways whether they are ready, and what became of each request.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Answer, Streamed};

/// Clients at the same time: of texts, and of pictures.
const TEXTS: usize = 10;
const PICTURES: usize = 2;
const TEXT: &str = "[[sim:tokens=20]][[sim:delay_ms=50]]";
const PICTURE: &str = "draw a moon";
const ASK_READY: Duration = Duration::from_millis(100);

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// An answer that is no success: its status, its code, whether it may be asked again.
    Refused(u16, String, bool),
    /// An error in the stream.
    Told(String),
    /// The connection ended before the answer did.
    Broken,
}

#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) gateway: usize,
    pub(super) picture: bool,
    pub(super) began: Instant,
    pub(super) end: End,
}

/// What clients do and see.
pub(super) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

struct Shared {
    gateways: [(SocketAddr, SocketAddr); 2],
    ready: [AtomicBool; 2],
    stop: AtomicBool,
    pause: AtomicBool,
    open: AtomicUsize,
    asked: Mutex<Vec<Asked>>,
    count: AtomicUsize,
    http: reqwest::Client,
}

impl Load {
    pub(super) fn start(gateways: [(SocketAddr, SocketAddr); 2]) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let shared = Arc::new(Shared {
            gateways,
            ready: [AtomicBool::new(true), AtomicBool::new(true)],
            stop: AtomicBool::new(false),
            pause: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            asked: Mutex::default(),
            count: AtomicUsize::new(0),
            http,
        });
        let mut clients = JoinSet::new();
        for client in 0..TEXTS + PICTURES {
            let text = if client < TEXTS { TEXT } else { PICTURE };
            clients.spawn(ask_on(shared.clone(), client, text));
        }
        for gateway in 0..2 {
            clients.spawn(watch(shared.clone(), gateway));
        }
        Self { shared, clients }
    }

    /// Lets the clients end what they are at, and begin nothing until `resume`.
    pub(super) async fn pause(&self) {
        self.shared.pause.store(true, Ordering::SeqCst);
        while self.shared.open.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) fn resume(&self) {
        self.shared.pause.store(false, Ordering::SeqCst);
    }

    /// Lets the clients end what they are at; everything they asked.
    pub(super) async fn stop(mut self) -> Vec<Asked> {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        self.asked()
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Waits until that many more requests have been answered whole.
    pub(super) async fn served(&self, more: usize) {
        let whole =
            || self.shared.asked.lock().unwrap().iter().filter(|asked| asked.end == End::Whole).count();
        let wanted = whole() + more;
        let began = Instant::now();
        while whole() < wanted {
            assert!(began.elapsed() < Duration::from_secs(90), "nobody is served any more");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// As a balancer does: who is not ready gets nothing new.
async fn watch(shared: Arc<Shared>, gateway: usize) {
    let url = format!("http://{}/readyz", shared.gateways[gateway].1);
    while !shared.stop.load(Ordering::Relaxed) {
        let answer = shared.http.get(&url).timeout(Duration::from_secs(1)).send().await;
        let ready = answer.is_ok_and(|answer| answer.status() == 200);
        shared.ready[gateway].store(ready, Ordering::Relaxed);
        tokio::time::sleep(ASK_READY).await;
    }
}

async fn ask_on(shared: Arc<Shared>, client: usize, text: &str) {
    let mut turn = client;
    while !shared.stop.load(Ordering::Relaxed) {
        shared.open.fetch_add(1, Ordering::SeqCst);
        if shared.pause.load(Ordering::SeqCst) {
            shared.open.fetch_sub(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        turn += 1;
        let wanted = turn % 2;
        let gateway = if shared.ready[wanted].load(Ordering::Relaxed) { wanted } else { 1 - wanted };
        let name = format!("outage-{}", shared.count.fetch_add(1, Ordering::Relaxed));
        let began = Instant::now();
        // A connection that cannot be made is the balancer's to mend.
        let end = ask(&shared, gateway, &name, text).await;
        let connected = end.is_some();
        if let Some(end) = end {
            let picture = text == PICTURE;
            let asked = Asked { name, gateway, picture, began, end };
            shared.asked.lock().unwrap().push(asked);
        }
        shared.open.fetch_sub(1, Ordering::SeqCst);
        if !connected {
            tokio::time::sleep(ASK_READY).await;
        }
    }
}

async fn ask(shared: &Shared, gateway: usize, name: &str, text: &str) -> Option<End> {
    let body =
        json!({"model": "grok-3-fast", "stream": true, "messages": [{"role": "user", "content": text}]});
    let request = shared.http.post(format!("http://{}/v1/chat/completions", shared.gateways[gateway].0));
    let response = match request.header("x-request-id", name).body(body.to_string()).send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() => return None,
        Err(_) => return Some(End::Broken),
    };
    if response.status() != 200 {
        let answer = Answer::of(response).await;
        let again = answer.header("x-should-retry") != "false";
        return Some(End::Refused(answer.status, answer.code(), again));
    }
    let streamed = Streamed::read(response).await;
    Some(match streamed {
        Streamed { error: Some(_), .. } => End::Told(streamed.error_code().to_owned()),
        Streamed { done: true, .. } => End::Whole,
        _ => End::Broken,
    })
}
