//! A process that is killed in the middle of its videos: another one on the same store takes them up, or ends them.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use grok2api_kit::{lifecycle::Tasks, settings::Mode};
use grok2api_testkit::Backing;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

use crate::{
    cli::{address, grok2api, ready},
    support::{Product, Shape},
};

/// A dead process is missed after half a minute, and looked for every ten seconds.
const LONG: Duration = Duration::from_secs(120);
const KEY: &str = "{g2a}:videos:job:video_";
const DIGITS: usize = 32;

/// Stands between a process and its Redis. Once it is armed, nothing passes from the second write on that is about a video
/// it has not seen before: the video is kept, and not begun.
#[derive(Clone)]
struct Gate {
    seen: Arc<Mutex<HashMap<String, u32>>>,
    tasks: Tasks,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Armed,
    Closed,
}

impl Gate {
    async fn before(redis: SocketAddr) -> (Self, SocketAddr) {
        let (seen, state, tasks) = (Arc::default(), watch::channel(State::Open).0, Tasks::new());
        let gate = Self { seen, state, tasks: tasks.clone() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, passes) = (listener.local_addr().unwrap(), gate.clone());
        tasks.spawn_background("gate", async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(redis).await else { continue };
                let ((from, mut back), (mut answers, to)) = (client.into_split(), server.into_split());
                passes.tasks.spawn_background("asked", passes.clone().pass(from, to));
                passes.tasks.spawn_background("answered", async move {
                    copy(&mut answers, &mut back).await.ok();
                });
            }
        });
        (gate, address)
    }

    async fn pass(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(read) = from.read(&mut buffer).await
            && read > 0
        {
            self.look(&String::from_utf8_lossy(&buffer[..read]));
            if *self.state.borrow() == State::Closed {
                // Held open, so that its process goes on waiting.
                std::future::pending::<()>().await;
            }
            if to.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    }

    fn look(&self, text: &str) {
        let armed = *self.state.borrow() != State::Open;
        let mut seen = self.seen.lock().unwrap();
        for rest in text.split(KEY).skip(1) {
            let count = seen.entry(rest.chars().take(DIGITS).collect()).or_insert(if armed { 0 } else { 2 });
            *count += 1;
            if armed && *count == 2 {
                self.state.send_replace(State::Closed);
            }
        }
    }

    async fn closed(&self) {
        self.state.subscribe().wait_for(|state| *state == State::Closed).await.unwrap();
    }
}

/// Another process on the product's store, which it reaches through a gate.
async fn process(product: &Product) -> (Child, String, Gate) {
    let url = product.backing.environment().remove(1).1;
    let (_, rest) = url.split_once("://").unwrap();
    let (redis, database) = rest.split_once('/').unwrap_or((rest, "0"));
    let (gate, through) = Gate::before(redis.parse().unwrap()).await;
    let data = tempfile::tempdir_in(product.data.path()).unwrap();
    let mut command: Command = grok2api(data.path());
    command
        .args(["serve", "--run", "all"])
        .env("STORAGE_MODE", "redis")
        .env("DATABASE_URL", format!("redis://{through}/{database}"))
        .env("G2A_MASTER_KEY_FILE", product.data.path().join("master.key"))
        .env("G2A_UPSTREAM_URL", product.sim.url())
        .env("G2A_ASSETS_URL", product.sim.url());
    let (child, _, said) = ready(&mut command).await;
    // The directory goes with that of the product.
    let _ = data.keep();
    (child, format!("http://{}", address(&said, "http")), gate)
}

async fn film(product: &Product, base: &str, prompt: &str) -> String {
    let body = json!({"prompt": prompt}).to_string();
    let answer = product.http.post(format!("{base}/v1/videos")).body(body).send().await.unwrap();
    let video: Value = answer.json().await.unwrap();
    video["id"].as_str().unwrap_or_else(|| panic!("{video}")).to_owned()
}

/// The video once its status is another than these.
async fn beyond(product: &Product, id: &str, statuses: &[&str]) -> Value {
    let waiting = async {
        loop {
            let video = product.get(&format!("/v1/videos/{id}")).await.json();
            if !statuses.contains(&video["status"].as_str().unwrap()) {
                return video;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("the video {id} is still one of {statuses:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_leaves_what_waits_to_another_and_what_was_begun_fails() {
    let tokens = ["sim-basic-1", "sim-basic-2", "sim-basic-3"];
    let product = Product::on_store(Shape::Whole, &tokens, Backing::start(Mode::Redis)).await;
    let (mut killed, base, gate) = process(&product).await;
    let begun = film(&product, &base, "[[sim:first_delay_ms=600000]] the sun rises").await;
    assert_eq!(beyond(&product, &begun, &["queued"]).await["status"], "in_progress");
    product.sim.wait(|counters| counters.in_flight == 1).await;
    gate.state.send_replace(State::Armed);
    let queued = film(&product, &base, "the moon rises").await;
    timeout(LONG, gate.closed()).await.unwrap();
    assert_eq!(product.get(&format!("/v1/videos/{queued}")).await.json()["status"], "queued");
    killed.kill().await.unwrap();

    let failed = beyond(&product, &begun, &["in_progress"]).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("video_interrupted"))
    );
    let made = beyond(&product, &queued, &["queued", "in_progress"]).await;
    assert_eq!((&made["status"], &made["error"]), (&json!("completed"), &Value::Null), "{made}");
    assert_eq!(product.get(&format!("/v1/videos/{queued}/content")).await.status, 200);
    let asked = product.sim.requests();
    let turns = asked.iter().filter(|request| request.path.ends_with("/conversations/new")).count();
    assert_eq!(turns, 2, "neither was begun twice");
    gate.tasks.shutdown().stop();
    product.stop().await;
}
