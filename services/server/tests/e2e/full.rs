//! Disks that are full, cannot be written, or fail: what must be written is refused with words, what need not be is served,
//! and afterwards everything that was acknowledged is there.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use grok2api_kit::settings::Settings;
use grok2api_storage::{
    Store,
    ledger::{Filter, Outcome},
    sqlite::snapshot,
};
use grok2api_testkit::{Backing, RedisServer, SmallDisk};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::process::Child;

use crate::{
    cli::{address, grok2api, output, ready, signal, started},
    support::{Answer, Product, Shape},
};

const ACCOUNTS: usize = 20;
/// Turns that are tried until one is served, or none is.
const MOST: usize = 3_000;
/// Writes that are tried while the disk is full: the log of SQLite has some room left.
const FEW: usize = 300;
const SOON: Duration = Duration::from_secs(90);

/// The product on a disk, and the simulator beside it.
struct OnDisk {
    disk: SmallDisk,
    upstream: String,
    _sim: Child,
    /// One that is counted before it is served, and one that is not.
    budgeted: String,
    plain: String,
    /// Turns of the first that were served.
    served: usize,
    client: reqwest::Client,
}

/// A running process of it.
struct Running {
    process: Child,
    base: String,
}

impl OnDisk {
    async fn new() -> Self {
        let disk = SmallDisk::mount(24);
        let data = disk.path().join("data");
        let (sim, _, said) = ready(grok2api(&data).args(["sim", "--listen", "127.0.0.1:0"])).await;
        let tokens: Vec<String> = (0..ACCOUNTS).map(|number| format!("sim-heavy-{number:04}")).collect();
        let mut add = grok2api(&data);
        let (code, _, err) = output(add.args(["accounts", "add", "--tier", "heavy"]).args(&tokens)).await;
        assert_eq!(code, 0, "{err}");
        let secret = async |name: &str, options: &[&str]| {
            let mut create = grok2api(&data);
            let (code, out, err) = output(create.args(["client-keys", "create", name]).args(options)).await;
            assert_eq!(code, 0, "{err}");
            out.split_whitespace().find(|word| word.starts_with("sk-g2a-")).unwrap().to_owned()
        };
        let budgeted = secret("budgeted", &["--budget", "100000:requests/lifetime"]).await;
        let plain = secret("plain", &[]).await;
        let upstream = format!("http://{}", address(&said, "sim"));
        #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
        let client = reqwest::Client::new();
        Self { disk, upstream, _sim: sim, budgeted, plain, served: 0, client }
    }

    fn data(&self) -> PathBuf {
        self.disk.path().join("data")
    }

    fn command(&self) -> tokio::process::Command {
        let mut command = grok2api(&self.data());
        command.arg("serve").env("G2A_UPSTREAM_URL", &self.upstream).env("G2A_ASSETS_URL", &self.upstream);
        command
    }

    async fn serve(&self, log: &Path) -> Running {
        let (process, _, said) = started(self.command().stderr(File::create(log).unwrap())).await;
        Running { process, base: format!("http://{}", address(&said, "http")) }
    }

    async fn ask(&self, running: &Running, key: &str) -> Answer {
        let body =
            json!({"model": "grok-3-fast", "messages": [{"role": "user", "content": "[[sim:say=hi]]"}]});
        let request = self.client.request(Method::POST, format!("{}/v1/chat/completions", running.base));
        Answer::of(request.bearer_auth(key).body(body.to_string()).send().await.unwrap()).await
    }

    /// Asks with the key that is counted until it is served, or not any more.
    async fn until(&mut self, running: &Running, served: bool) -> Answer {
        let began = Instant::now();
        for number in 0.. {
            let answer = self.ask(running, &self.budgeted.clone()).await;
            self.served += usize::from(answer.status == 200);
            if (answer.status == 200) == served {
                return answer;
            }
            assert!(!served || began.elapsed() < SOON, "it does not recover: {}", answer.text);
            assert!(served || number < MOST, "nothing is refused: {}", answer.text);
        }
        unreachable!("the loop has no end of its own")
    }

    /// Asks with the key that is counted for a while; what refuses it, if anything does.
    async fn refused(&mut self, running: &Running) -> Option<Answer> {
        for _ in 0..FEW {
            let answer = self.ask(running, &self.budgeted.clone()).await;
            if answer.status != 200 {
                return Some(answer);
            }
            self.served += 1;
        }
        None
    }

    /// Writes new revisions of the parameters until there is no room for one; what the command line says then.
    async fn change_until_refused(&self) -> String {
        for number in 0..MOST {
            let long = format!("tag{number},{}", "x".repeat(8_000));
            let (code, _, err) =
                output(grok2api(&self.data()).args(["parameters", "set", "filtered_tags", &long])).await;
            if code != 0 {
                return err;
            }
        }
        panic!("{MOST} revisions have found room on a full disk");
    }

    /// What is in the store when nobody uses it any more.
    async fn is_sound(&self) {
        snapshot::check(&self.data().join(snapshot::FILE)).await.unwrap();
        let given = [("G2A_DATA_DIR".to_owned(), self.data().display().to_string())];
        let store = Store::open(&Settings::load(None, given).unwrap()).await.unwrap();
        assert_eq!(store.accounts().load_all().await.unwrap().len(), ACCOUNTS);
        let entries = store.ledger().page(&Filter::default(), None, 100_000).await.unwrap();
        let served = entries.iter().filter(|entry| entry.outcome == Outcome::Success).count();
        assert!(served >= self.served, "{served} of {} turns are in the ledger", self.served);
        store.close().await;
        let mut list = grok2api(&self.data());
        let (_, out, _) = output(list.args(["client-keys", "list", "--json"])).await;
        let keys: Value = serde_json::from_str(&out).unwrap();
        let key = keys.as_array().unwrap().iter().find(|key| key["name"] == "budgeted").unwrap();
        assert_eq!(
            key["budgets"][0]["spent"], self.served as u64,
            "what was served is counted, and nothing else"
        );
    }
}

/// 503 in OpenAI's shape, with the time to wait.
pub(super) fn is_refused_for_now(answer: &Answer, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (503, code), "{}", answer.text);
    assert_eq!(answer.json()["error"]["type"], "server_error", "{}", answer.text);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
}

async fn ended(running: &mut Running) {
    signal(&running.process, "TERM");
    assert_eq!(running.process.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_full_disk_refuses_what_must_be_written_and_recovers_by_itself() {
    let (mut product, logs) = (OnDisk::new().await, tempfile::tempdir().unwrap());
    let log = logs.path().join("log");
    let mut running = product.serve(&log).await;
    product.until(&running, true).await;

    product.disk.fill();
    // Small writes go on in the room that SQLite's log has already; those of a new revision with a long value do not.
    let told = product.change_until_refused().await;
    assert!(told.contains("the disk is full"), "{told}");
    if let Some(refused) = product.refused(&running).await {
        is_refused_for_now(&refused, "limits_unavailable");
        let said = std::fs::read_to_string(&log).unwrap();
        assert!(said.contains("the disk is full"), "{said}");
    }
    let answer = product.ask(&running, &product.plain).await;
    assert_eq!(answer.status, 200, "what need not be written is served: {}", answer.text);

    product.disk.make_room();
    product.until(&running, true).await;
    ended(&mut running).await;
    product.is_sound().await;
}

#[tokio::test]
async fn a_disk_that_is_full_or_read_only_at_the_start_ends_it_with_a_line_and_78() {
    let (mut product, logs) = (OnDisk::new().await, tempfile::tempdir().unwrap());
    product.disk.fill();
    let (code, _, err) = output(&mut product.command()).await;
    assert_eq!(code, 78, "{err}");
    let wrong = err.lines().find(|line| line.contains("data directory")).unwrap();
    assert!(wrong.contains("the disk is full") || wrong.contains("No space left"), "{err}");
    product.disk.make_room();

    product.disk.mount_again(false);
    let (code, _, err) = output(&mut product.command()).await;
    assert_eq!((code, err.lines().count()), (78, 2), "{err}");
    assert!(err.contains("data directory") && err.contains("Read-only file system"), "{err}");

    product.disk.mount_again(true);
    let mut running = product.serve(&logs.path().join("log")).await;
    product.until(&running, true).await;
    ended(&mut running).await;
    product.is_sound().await;
}

/// The kernel makes a disk with a fault read-only while it is used.
#[tokio::test]
async fn a_disk_that_fails_refuses_what_must_be_written_and_loses_nothing() {
    let (mut product, logs) = (OnDisk::new().await, tempfile::tempdir().unwrap());
    let log = logs.path().join("log");
    let mut running = product.serve(&log).await;
    product.until(&running, true).await;

    product.disk.fail();
    let refused = product.until(&running, false).await;
    is_refused_for_now(&refused, "limits_unavailable");
    assert_eq!(product.ask(&running, &product.plain).await.status, 200);
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("the store failed") && said.contains("disk"), "{said}");

    // It is mended by people, with nobody on it.
    running.process.kill().await.unwrap();
    product.disk.mount_again(true);
    let mut running = product.serve(&log).await;
    product.until(&running, true).await;
    ended(&mut running).await;
    // The ledger's last entries went with the process: they had not been acknowledged.
    snapshot::check(&product.data().join(snapshot::FILE)).await.unwrap();
}

/// What makes Redis refuse to write, and what lets it write again.
#[derive(Clone, Copy, Debug)]
enum Refusing {
    Memory,
    Disk,
}

#[rstest]
#[case(Refusing::Memory)]
#[case(Refusing::Disk)]
#[tokio::test]
async fn a_redis_that_refuses_to_write_is_told_and_recovers(#[case] why: Refusing) {
    let disk = SmallDisk::mount(24);
    // With `always` it ends when its disk is full, which is another case.
    let options = ["--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"];
    let server = RedisServer::on(&disk.path(), &options);
    let url = server.url();
    let product =
        Product::on_store(Shape::Whole, &["sim-heavy-1", "sim-heavy-2"], Backing::Redis(server)).await;
    assert_eq!(product.ask("grok-3-fast", "x").await.status, 200);
    product.settled().await;

    match why {
        Refusing::Memory => configure(&url, "maxmemory", "1mb").await,
        Refusing::Disk => disk.fill(),
    }
    let began = Instant::now();
    let refused = loop {
        let answer = product.ask("grok-3-fast", "x").await;
        if answer.status != 200 {
            break answer;
        }
        assert!(began.elapsed() < SOON, "nothing is refused");
    };
    is_refused_for_now(&refused, "storage_unavailable");
    while product.readyz().await.0 != 503 {
        assert!(began.elapsed() < SOON, "it stays ready");
    }

    match why {
        Refusing::Memory => configure(&url, "maxmemory", "0").await,
        Refusing::Disk => disk.make_room(),
    }
    let began = Instant::now();
    while product.readyz().await.0 != 200 || product.ask("grok-3-fast", "x").await.status != 200 {
        assert!(began.elapsed() < SOON, "it does not recover");
    }
    assert_eq!(product.accounts().await.len(), 2);
    product.stop().await;
}

async fn configure(url: &str, name: &str, value: &str) {
    let mut command = tokio::process::Command::new("redis-cli");
    let said = command.args(["-u", url, "CONFIG", "SET", name, value]).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "OK");
}

#[tokio::test]
async fn a_start_writes_nowhere_but_into_the_data_directory() {
    let disk = SmallDisk::mount(24);
    let program = env!("CARGO_BIN_EXE_grok2api");
    let migrate = format!("env -i G2A_DATA_DIR={} {program} migrate", disk.path().display());
    let (code, out, err) = output(&mut disk.alone(&migrate).into()).await;
    assert!(code == 0 && out.contains("migrated from 0"), "{code} {out} {err}");
}
