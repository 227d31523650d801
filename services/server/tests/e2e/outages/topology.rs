//! Two processes of every role on MariaDB and Redis, in front of the simulator.

use std::{
    collections::BTreeSet,
    fs::File,
    net::SocketAddr,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use grok2api_kit::{grpc::Peers, lifecycle::Tasks};
use grok2api_proto::{
    config::{self, UpdateRequest},
    ledger::{self, Ledger, QueryRequest},
    pool::{self, AddAccountsRequest, ListAccountsRequest, NewAccount, Tier, TokenPool},
};
use grok2api_testkit::{Backing, MariaDb, RedisServer};
use grok2api_upstream_sim::{Pool, Sim, SimConfig};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdout},
    time::timeout,
};

use super::proxy::Proxy;
use crate::cli::{address, grok2api};

pub(super) const ROLES: [&str; 5] = ["config", "token-pool", "media-cache", "chat", "gateway"];
const SECRET: &str = "the-secret-of-the-tests";
/// Of the largest tier: however much a fast machine serves meanwhile, nobody runs out.
const ACCOUNTS: usize = 32;
/// All of them are read at once, so that both sides begin with the same numbers.
const READINGS: &str = "600";
/// Whatever is waited for is there long before, or never.
const LONG: Duration = Duration::from_secs(60);
/// How long leases that are given back take at most, and rows that had to wait.
const REST: Duration = Duration::from_secs(3);
const ROWS: Duration = Duration::from_secs(15);
/// Its port may be somebody else's for a moment.
const STARTS: usize = 10;

/// One replica, which starts again where it was.
struct Replica {
    role: &'static str,
    index: usize,
    at: SocketAddr,
    ops: SocketAddr,
    child: Option<(Child, Lines<BufReader<ChildStdout>>)>,
}

pub(super) struct Topology {
    replicas: Vec<Replica>,
    pub(super) backing: Backing,
    pub(super) sim: Sim,
    /// Between the first gateway and the first config.
    pub(super) proxy: Proxy,
    pub(super) pool: Arc<dyn TokenPool>,
    ledger: Arc<dyn Ledger>,
    data: TempDir,
    tasks: Tasks,
}

/// What the pool and the upstream count, over all accounts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Books {
    /// Units that the pool takes for spent and the upstream does not.
    pub(super) careful: i64,
    /// Units that the upstream takes for spent and the pool does not: they could be sold twice.
    pub(super) oversold: i64,
    pub(super) leased: u32,
}

impl Topology {
    pub(super) async fn start() -> Self {
        let (tasks, data) = (Tasks::new(), tempfile::tempdir().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sim = grok2api_upstream_sim::start(listener, SimConfig::default(), &tasks).await.unwrap();
        std::fs::write(data.path().join("master.key"), "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
            .unwrap();
        let backing =
            tokio::task::block_in_place(|| Backing::MariaDb(MariaDb::start(), RedisServer::durable()));
        let proxy = Proxy::start(&tasks).await;
        let nobody = peers_at(&[], &tasks);
        let mut topology = Self {
            replicas: Vec::new(),
            backing,
            sim,
            proxy,
            pool: pool::client(nobody.transport(LONG)),
            ledger: ledger::client(nobody.transport(LONG)),
            data,
            tasks,
        };
        for role in ROLES {
            let any = "127.0.0.1:0".parse().unwrap();
            let mut both: Vec<Replica> =
                (0..2).map(|index| Replica { role, index, at: any, ops: any, child: None }).collect();
            join_all(both.iter_mut().map(|replica| replica.start(&topology))).await;
            topology.replicas.extend(both);
            match role {
                "config" => topology.proxy.to(topology.at(role, 0)),
                "token-pool" => topology.add_accounts().await,
                _ => {}
            }
        }
        topology
    }

    async fn add_accounts(&mut self) {
        let peers = |role| peers_at(&[self.at(role, 0), self.at(role, 1)], &self.tasks);
        let (config, token_pool) = (peers("config"), peers("token-pool"));
        let settings = config::client(config.transport(LONG));
        let changes = [("quota_readings_per_minute".to_owned(), READINGS.to_owned())].into();
        let update = UpdateRequest { changes, expected_revision: None, author: "test".into() };
        settings.update(update).await.unwrap();
        self.ledger = ledger::client(config.transport(LONG));
        self.pool = pool::client(token_pool.transport(LONG));
        let accounts = (0..ACCOUNTS).map(|number| NewAccount {
            token: token(number),
            tier: Tier::Heavy.into(),
            note: String::new(),
        });
        self.pool.add_accounts(AddAccountsRequest { accounts: accounts.collect() }).await.unwrap();
        // The first readings must not fall among the turns.
        let known = async {
            loop {
                let list = self.pool.list_accounts(ListAccountsRequest::default()).await.unwrap().accounts;
                if list.iter().all(|account| account.windows.iter().any(|window| window.remaining.is_some()))
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(LONG, known).await.unwrap();
    }

    fn at(&self, role: &str, index: usize) -> SocketAddr {
        self.replicas.iter().find(|one| one.role == role && one.index == index).unwrap().at
    }

    /// Public and operations addresses of the gateways.
    pub(super) fn gateways(&self) -> [(SocketAddr, SocketAddr); 2] {
        [0, 1].map(|index| {
            let gateway =
                self.replicas.iter().find(|one| one.role == "gateway" && one.index == index).unwrap();
            (gateway.at, gateway.ops)
        })
    }

    fn take(&mut self, role: &str, index: usize) -> Replica {
        let at = self.replicas.iter().position(|one| one.role == role && one.index == index).unwrap();
        self.replicas.swap_remove(at)
    }

    /// A signal by its name.
    pub(super) fn signal(&self, role: &str, index: usize, name: &str) {
        let replica = self.replicas.iter().find(|one| one.role == role && one.index == index).unwrap();
        let pid = replica.child.as_ref().unwrap().0.id().unwrap();
        signal(pid, name);
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&mut self, role: &str, index: usize) -> ExitStatus {
        let mut replica = self.take(role, index);
        let (mut child, _) = replica.child.take().unwrap();
        let status = timeout(LONG, child.wait()).await.expect("it ends").unwrap();
        self.replicas.push(replica);
        status
    }

    /// Starts it where it was.
    pub(super) async fn start_again(&mut self, role: &str, index: usize) {
        let mut replica = self.take(role, index);
        replica.start(self).await;
        self.replicas.push(replica);
    }

    /// What is counted on both sides, once nobody holds anything, or after a while in which that does not change.
    pub(super) async fn at_rest(&self) -> Books {
        let began = Instant::now();
        loop {
            let books = self.books().await;
            if self.sim.in_flight() == 0 && books.leased == 0 || began.elapsed() > REST {
                return books;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn books(&self) -> Books {
        let mut books = Books::default();
        for account in self.pool.list_accounts(ListAccountsRequest::default()).await.unwrap().accounts {
            let number: usize = account.masked_token.rsplit('…').next().unwrap().parse().unwrap();
            let window = account.windows.iter().find(|window| window.class == "normal").unwrap();
            let pool = i64::from(window.remaining.unwrap());
            let upstream = self.sim.account(&token(number)).unwrap().windows[&Pool::Credits].remaining;
            let more = i64::from(upstream) - pool;
            books.careful += more.max(0);
            books.oversold += (-more).max(0);
            books.leased += account.in_flight;
        }
        books
    }

    /// The client's names of the requests that the ledger knows, once those are among them or after a while.
    pub(super) async fn recorded(&self, wanted: &BTreeSet<String>) -> BTreeSet<String> {
        let began = Instant::now();
        loop {
            let names = self.rows().await;
            if names.is_superset(wanted) || began.elapsed() > ROWS {
                return names;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn rows(&self) -> BTreeSet<String> {
        let (mut names, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let page = QueryRequest { cursor, limit: 500, ..QueryRequest::default() };
            let answer = self.ledger.query(page).await.unwrap();
            names.extend(answer.entries.into_iter().map(|entry| entry.request_id));
            cursor = answer.next_cursor;
            if cursor.is_empty() {
                return names;
            }
        }
    }

    fn peers(&self, role: &str, from: &Replica) -> String {
        let at = |index| match (role, index, from.role, from.index) {
            ("config", 0, "gateway", 0) => self.proxy.at,
            _ => self.at(role, index),
        };
        [0, 1].map(|index| format!("http://{}", at(index))).join(",")
    }
}

impl Replica {
    async fn start(&mut self, topology: &Topology) {
        for _ in 0..STARTS {
            let mut command = grok2api(topology.data.path());
            command.args(["serve", "--run", self.role]);
            command.envs(self.environment(topology));
            let log = log(topology.data.path(), self.role, self.index);
            let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.starts_with("ready ") {
                    let listens = if self.role == "gateway" { "http" } else { self.role };
                    self.at = address(&line, listens).parse().unwrap();
                    self.ops = address(&line, "ops").parse().unwrap();
                    self.child = Some((child, lines));
                    return;
                }
            }
            child.wait().await.unwrap();
        }
        panic!("{}-{} does not start: {}", self.role, self.index, read_log(topology.data.path(), self));
    }

    fn environment(&self, topology: &Topology) -> Vec<(String, String)> {
        let data = topology.data.path();
        let name = |role: &str| role.to_uppercase().replace('-', "_");
        let listen = match self.role {
            "gateway" => "G2A_LISTEN".to_owned(),
            role => format!("G2A_GRPC__{}", name(role)),
        };
        let mine = data.join(format!("{}-{}", self.role, self.index));
        let mut given: Vec<(String, String)> = [
            ("G2A_DATA_DIR", mine.display().to_string()),
            ("G2A_MEDIA_URL", format!("file://{}", data.join("media").display())),
            ("G2A_MASTER_KEY_FILE", data.join("master.key").display().to_string()),
            ("G2A_INTERNAL_SECRET", SECRET.to_owned()),
            ("G2A_UPSTREAM_URL", topology.sim.url()),
            ("G2A_ASSETS_URL", topology.sim.url()),
            ("G2A_OPS_LISTEN", self.ops.to_string()),
            // As long as a load balancer needs to notice.
            ("G2A_LIFECYCLE__DRAIN_DELAY_MS", "700".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        given.push((listen, self.at.to_string()));
        given
            .extend(topology.backing.environment().into_iter().map(|(name, value)| (name.to_owned(), value)));
        let calls: &[&str] = match self.role {
            "gateway" => &["config", "token-pool", "media-cache", "chat"],
            "chat" => &["config", "token-pool", "media-cache"],
            "config" => &[],
            _ => &["config"],
        };
        given.extend(
            calls.iter().map(|role| (format!("G2A_{}_ADDR", name(role)), topology.peers(role, self))),
        );
        given
    }
}

pub(super) fn signal(pid: u32, name: &str) {
    assert!(
        std::process::Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap().success()
    );
}

fn token(number: usize) -> String {
    format!("sim-heavy-{number:04}")
}

fn peers_at(addresses: &[SocketAddr], tasks: &Tasks) -> Peers {
    let addresses: Vec<String> = addresses.iter().map(|at| format!("http://{at}")).collect();
    if addresses.is_empty() {
        return Peers::none();
    }
    Peers::start(&addresses.join(","), SECRET, None, tasks).unwrap()
}

fn log(data: &Path, role: &str, index: usize) -> File {
    File::options().create(true).append(true).open(data.join(format!("{role}-{index}.log"))).unwrap()
}

fn read_log(data: &Path, replica: &Replica) -> String {
    std::fs::read_to_string(data.join(format!("{}-{}.log", replica.role, replica.index))).unwrap_or_default()
}
