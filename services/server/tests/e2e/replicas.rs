//! Token-pool processes on one Redis, under a crowd, when one of them is killed.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use grok2api_kit::{grpc::Peers, lifecycle::Tasks, settings::Settings};
use grok2api_proto::pool::{
    self, LeaseGrant, LeaseRequest, ListAccountsRequest, Outcome, SettleRequest, Tier as WireTier, TokenPool,
};
use grok2api_storage::{
    Store,
    accounts::{StoredAccount, StoredWindow, Tier, Token, WindowSource},
};
use grok2api_testkit::RedisServer;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use uuid::Uuid;

use crate::cli::{address, grok2api, ready};

pub(super) const SECRET: &str = "the-secret-of-the-tests";
const PROCESSES: usize = 4;
pub(super) const CALLERS: usize = 64;
const ACCOUNTS: usize = 200;
/// When that many turns have ended, one process is killed.
const KILL_AFTER: usize = 150;
/// Leases that are held when it is, and never settled.
const STRANDED: usize = 5;
/// Leases live 30 s and are looked after once a second.
const FREE_WITHIN: Duration = Duration::from_secs(35);

/// What a caller knows of one account.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) spent: u32,
    /// Used as well, but whether that was noted is not known.
    stranded: u32,
}

pub(super) type Books = BTreeMap<String, Known>;

/// The token-pool processes, and what they stand on.
struct Cluster {
    redis: RedisServer,
    data: TempDir,
    processes: Vec<Child>,
    pools: Vec<Arc<dyn TokenPool>>,
    tasks: Tasks,
}

impl Cluster {
    async fn start(granted: &[u32]) -> Self {
        let (redis, data) = (RedisServer::start(), tempfile::tempdir().unwrap());
        let rows: Vec<StoredAccount> = granted.iter().enumerate().map(row).collect();
        let store = Store::open(&settings(&redis, data.path())).await.unwrap();
        store.accounts().insert(&rows).await.unwrap();
        let tasks = Tasks::new();
        let mut cluster = Self { redis, data, processes: Vec::new(), pools: Vec::new(), tasks };
        for _ in 0..PROCESSES {
            let (child, pool) = start(&mut cluster.command(), &cluster.tasks).await;
            cluster.pools.push(pool);
            cluster.processes.push(child);
        }
        cluster
    }

    /// Its upstream is nobody, so that no reading puts the numbers right.
    fn command(&self) -> Command {
        let mut command = grok2api(self.data.path());
        command.args(["serve", "--run", "token-pool,config"]);
        for (name, value) in variables(&self.redis, self.data.path()) {
            command.env(name, value);
        }
        command
    }

    /// Waits until nobody holds anything; the accounts then.
    async fn at_rest(&self, at: usize) -> Vec<pool::Account> {
        loop {
            let accounts =
                self.pools[at].list_accounts(ListAccountsRequest::default()).await.unwrap().accounts;
            let held = |account: &pool::Account| account.in_flight > 0 || account.windows[0].reserved > 0;
            if !accounts.iter().any(held) {
                return accounts;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// A process that serves accounts, and its pool.
pub(super) async fn start(command: &mut Command, tasks: &Tasks) -> (Child, Arc<dyn TokenPool>) {
    let (child, _, said) = ready(command).await;
    let at = format!("http://{}", address(&said, "token-pool"));
    let peers = Peers::start(&at, SECRET, None, tasks).unwrap();
    (child, pool::client(peers.transport(Duration::from_secs(10))))
}

fn variables(redis: &RedisServer, data: &Path) -> Vec<(String, String)> {
    let given = [
        ("STORAGE_MODE", "redis".to_owned()),
        ("DATABASE_URL", redis.url()),
        ("G2A_DATA_DIR", data.display().to_string()),
        ("G2A_GRPC__TOKEN_POOL", "127.0.0.1:0".to_owned()),
        ("G2A_GRPC__CONFIG", "127.0.0.1:0".to_owned()),
        ("G2A_UPSTREAM_URL", "http://127.0.0.1:9".to_owned()),
        ("G2A_INTERNAL_SECRET", SECRET.to_owned()),
    ];
    given.map(|(name, value)| (name.to_owned(), value)).into()
}

fn settings(redis: &RedisServer, data: &Path) -> Settings {
    Settings::load(None, variables(redis, data)).unwrap()
}

pub(super) fn row((number, units): (usize, &u32)) -> StoredAccount {
    let window = StoredWindow {
        total: Some(80),
        remaining: Some(*units),
        length_ms: 72_000_000,
        source: WindowSource::Upstream,
        observed_at: 1,
        ..StoredWindow::default()
    };
    StoredAccount {
        windows: BTreeMap::from([("normal".to_owned(), window)]),
        ..StoredAccount::new(
            Uuid::now_v7(),
            Token::new(format!("sim-basic-{number:04}")),
            Tier::Basic,
            // Long unused, so that nobody wants to read it before it is used.
            1,
        )
    }
}

pub(super) fn lease(cost: u32) -> LeaseRequest {
    LeaseRequest {
        request_id: Uuid::now_v7().to_string(),
        owner: "caller".into(),
        class: "normal".into(),
        cost,
        minimum_tier: WireTier::Basic.into(),
        ..LeaseRequest::default()
    }
}

/// Takes units until none is left for it. Every third turn is not charged. A caller whose process dies goes to the
/// next one, as behind a load balancer; what it held is stranded in every second case, and settled there else.
async fn use_up(pools: Vec<Arc<dyn TokenPool>>, caller: usize, ended: Arc<AtomicUsize>) -> Books {
    let mut books = Books::new();
    let mut at = caller % pools.len();
    for turn in caller.. {
        let cost = u32::try_from(1 + turn % 4).unwrap();
        match pools[at].lease(lease(cost)).await {
            Ok(grant) => {
                let known = books.entry(grant.account_id.clone()).or_default();
                let charged = turn % 3 != 0;
                let settled = end(&pools, &mut at, &grant, charged, turn % 2 == 0).await;
                // What was not charged was not used: it may be sold again if the word of it came through.
                let used = if charged { cost } else { 0 };
                *(if settled { &mut known.spent } else { &mut known.stranded }) += used;
                ended.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if error.code == "pool_exhausted" && cost == 1 => return books,
            Err(error) if ["pool_saturated", "pool_exhausted"].contains(&error.code.as_ref()) => {}
            // Its process is dead; the next one may be as well.
            Err(_) => at = (at + 1) % pools.len(),
        }
    }
    books
}

/// Whether the lease was settled by this caller.
async fn end(
    pools: &[Arc<dyn TokenPool>],
    at: &mut usize,
    grant: &LeaseGrant,
    charged: bool,
    gives_up: bool,
) -> bool {
    let settlement = SettleRequest {
        lease_id: grant.lease_id.clone(),
        outcome: Outcome::Success.into(),
        charged,
        ..SettleRequest::default()
    };
    loop {
        match pools[*at].settle(settlement.clone()).await {
            // Not settled: by its first try, whose answer was lost.
            Ok(_) => return true,
            Err(_) if gives_up => return false,
            Err(_) => *at = (*at + 1) % pools.len(),
        }
    }
}

/// Takes a few units that nobody will ever settle; the accounts that hold them.
async fn stranded(pool: &Arc<dyn TokenPool>) -> Vec<String> {
    let mut held = Vec::new();
    while held.len() < STRANDED {
        match pool.lease(lease(1)).await {
            Ok(grant) => held.push(grant.account_id),
            Err(error) => assert_eq!(error.code, "pool_saturated", "{error}"),
        }
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_on_four_processes_oversells_nothing_though_one_is_killed() {
    let granted: Vec<u32> = (0..ACCOUNTS).map(|number| 1 + u32::try_from(number % 7).unwrap()).collect();
    let mut cluster = Cluster::start(&granted).await;
    let ended = Arc::new(AtomicUsize::new(0));
    let callers = (0..CALLERS).map(|caller| use_up(cluster.pools.clone(), caller, ended.clone()));
    let kill = {
        let (mut victim, ended) = (cluster.processes.remove(0), ended.clone());
        let (doomed, other) = (cluster.pools[0].clone(), cluster.pools[1].clone());
        async move {
            while ended.load(Ordering::Relaxed) < KILL_AFTER {
                tokio::task::yield_now().await;
            }
            // Held by somebody who dies with it.
            let held = stranded(&doomed).await;
            victim.kill().await.unwrap();
            let killed_at = Instant::now();
            let accounts = other.list_accounts(ListAccountsRequest::default()).await.unwrap().accounts;
            let stranded = accounts.iter().filter(|account| account.in_flight > 0);
            let stranded = stranded.filter(|account| held.contains(&account.id)).count();
            assert!(stranded > 0, "of the units of {held:?} none is held");
            (killed_at, held)
        }
    };
    let (books, (killed_at, held)) = tokio::join!(join_all(callers), kill);
    let accounts = tokio::time::timeout(FREE_WITHIN.saturating_sub(killed_at.elapsed()), cluster.at_rest(1));
    let accounts = accounts.await.expect("stranded leases free within 35 s");
    let mut known = Books::new();
    for (id, one) in books.into_iter().flatten() {
        let of_all = known.entry(id).or_default();
        (of_all.spent, of_all.stranded) = (of_all.spent + one.spent, of_all.stranded + one.stranded);
    }
    for id in held {
        known.entry(id).or_default().stranded += 1;
    }
    assert_eq!(accounts.len(), ACCOUNTS);
    let mut left = 0;
    for account in &accounts {
        let number: usize = account.masked_token.rsplit('…').next().unwrap().parse().unwrap();
        let (granted, known) = (granted[number], known.get(&account.id).copied().unwrap_or_default());
        let remaining = account.windows[0].remaining.unwrap();
        assert!(known.spent + known.stranded <= granted, "{known:?} of {granted} units of {}", account.id);
        assert!(
            known.spent + known.stranded + remaining <= granted,
            "{known:?} and {remaining} left of {granted} units of {}",
            account.id
        );
        left += remaining;
    }
    assert_eq!(left, 0, "every caller of one unit went on until none was left");
    let others = cluster.at_rest(2).await;
    assert_eq!(accounts.len(), others.len(), "the other processes see the same");
    assert!(others.iter().all(|account| account.windows[0].remaining == Some(0)));
}
