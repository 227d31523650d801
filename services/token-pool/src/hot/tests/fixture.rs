//! The hot state with a clock of its own, accounts by number, and calls that block.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use grok2api_kit::{clock::Clock, lifecycle::Tasks};
use grok2api_proto::{Error, pool::Outcome};
use grok2api_storage::accounts::{Status, StoredAccount, StoredWindow, Tier, Token, WindowSource};
use grok2api_testkit::RedisServer;
use parking_lot::Mutex;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    account::Account,
    classes::ClassId,
    hot::{Hot, Memory, Redis},
    reading::{ReadEnd, ReadJob},
    roster::{Limits, Roster},
    wanted::{Settlement, Wanted},
    window::Window,
};

pub(super) const NOW: i64 = 1_000_000_000;
const CONCURRENCY: u32 = 2;

/// Where the state lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Memory,
    Redis,
}

/// One replica, and what it stands on.
pub(super) struct Fixture {
    pub(super) hot: Arc<dyn Hot>,
    pub(super) now: i64,
    clock: Clock,
    runtime: Arc<Runtime>,
    server: Option<Arc<Server>>,
    /// There is a store, and it lags.
    written_behind: bool,
}

/// A server that fixtures share; each has keys of its own.
pub(super) struct Server(Mutex<RedisServer>);

#[derive(Clone, Debug)]
pub(super) struct Leased {
    pub(super) id: Uuid,
    pub(super) account: u128,
}

pub(super) fn window(remaining: u32) -> StoredWindow {
    StoredWindow {
        total: Some(80),
        remaining: Some(remaining),
        length_ms: 3_600_000,
        source: WindowSource::Upstream,
        observed_at: NOW,
        ..StoredWindow::default()
    }
}

pub(super) fn stored(number: u128, tier: Tier, normal: Option<StoredWindow>) -> StoredAccount {
    let token = Token::new(format!("token-{number:08}"));
    let windows: BTreeMap<_, _> = normal.into_iter().map(|window| ("normal".to_owned(), window)).collect();
    let heavy = StoredWindow { total: Some(20), ..window(20) };
    let windows = windows.into_iter().chain([("heavy".to_owned(), heavy)]).collect();
    StoredAccount { windows, version: 1, ..StoredAccount::new(id(number), token, tier, NOW) }
}

pub(super) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(super) fn wanted(cost: u32) -> Wanted {
    Wanted {
        request_id: "request-1".into(),
        owner: "replica-1".into(),
        class: "normal".into(),
        rate_limit_name: "grok-3".into(),
        cost,
        minimum_tier: Tier::Basic,
        tags: Vec::new(),
        exclude: Vec::new(),
        account: None,
        affinity: None,
        begins: false,
    }
}

pub(super) fn failed(outcome: Outcome) -> Settlement {
    Settlement { outcome, charged: false, units: None, retry_after_ms: None, cause: "because".into() }
}

pub(super) fn ended(charged: bool) -> Settlement {
    Settlement { charged, ..failed(Outcome::Success) }
}

impl Server {
    pub(super) fn start() -> Arc<Self> {
        Self::of(RedisServer::start())
    }

    fn of(server: RedisServer) -> Arc<Self> {
        Arc::new(Self(Mutex::new(server)))
    }
}

impl Fixture {
    pub(super) fn on(on: On, accounts: impl IntoIterator<Item = StoredAccount>) -> Self {
        let server = (on == On::Redis).then(Server::start);
        Self::at(server, "{test}:", accounts)
    }

    /// On a server that has every acknowledged write on disk.
    pub(super) fn on_durable(accounts: impl IntoIterator<Item = StoredAccount>) -> Self {
        Self::at(Some(Server::of(RedisServer::durable())), "{test}:", accounts)
    }

    /// On a cluster of one node.
    pub(super) fn on_cluster(accounts: impl IntoIterator<Item = StoredAccount>) -> Self {
        let server = RedisServer::with(&["--appendonly", "no", "--cluster-enabled", "yes"]);
        let mut connection = redis::Client::open(server.url()).and_then(|client| client.get_connection());
        let connection = connection.as_mut().expect("a server that answers");
        let slots = redis::cmd("CLUSTER").arg(&["ADDSLOTSRANGE", "0", "16383"]).exec(connection);
        slots.expect("all slots");
        let up = |connection: &mut redis::Connection| {
            let info: String =
                redis::cmd("CLUSTER").arg("INFO").query(connection).expect("the cluster's state");
            info.contains("cluster_state:ok")
        };
        while !up(connection) {
            std::thread::yield_now();
        }
        Self::at(Some(Server::of(server)), "{test}:", accounts)
    }

    /// On a server that is there already, under a prefix.
    pub(super) fn at(
        server: Option<Arc<Server>>,
        prefix: &str,
        accounts: impl IntoIterator<Item = StoredAccount>,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let beginning = Self::bare(Arc::new(runtime), server, prefix, Clock::manual(NOW), NOW);
        beginning.filled(accounts, false, false)
    }

    /// As [`Fixture::at`], beside a store that lags.
    pub(super) fn beside_a_store(
        server: Option<Arc<Server>>,
        prefix: &str,
        accounts: impl IntoIterator<Item = StoredAccount>,
    ) -> Self {
        let empty = Self::at(server, prefix, []);
        empty.filled(accounts, true, false)
    }

    /// Another replica of the same state, or the process started again after a crash where there is only one.
    pub(super) fn another(&self, prefix: &str, accounts: impl IntoIterator<Item = StoredAccount>) -> Self {
        let clock = if self.server.is_some() { self.clock.clone() } else { Clock::manual(self.now) };
        let again = Self::bare(self.runtime.clone(), self.server.clone(), prefix, clock, self.now);
        again.filled(accounts, self.written_behind, self.server.is_none())
    }

    fn bare(
        runtime: Arc<Runtime>,
        server: Option<Arc<Server>>,
        prefix: &str,
        clock: Clock,
        now: i64,
    ) -> Self {
        let hot: Arc<dyn Hot> = match &server {
            None => Arc::new(Memory::new(clock.clone())),
            Some(server) => {
                let url = server.0.lock().url();
                let connecting = Redis::connect(&url, prefix, clock.clone(), Tasks::new());
                Arc::new(runtime.block_on(connecting).expect("a server that answers"))
            }
        };
        Self { hot, now, clock, runtime, server, written_behind: false }
    }

    fn filled(
        mut self,
        accounts: impl IntoIterator<Item = StoredAccount>,
        written_behind: bool,
        crashed: bool,
    ) -> Self {
        // Redis knows what is not written.
        let written_behind = written_behind && self.server.is_none();
        self.written_behind = written_behind;
        let limits = Limits { concurrency: CONCURRENCY, written_behind, ..Limits::default() };
        self.hot.roster().set_limits(limits, self.now);
        self.hot.roster().doubt_rows(crashed);
        self.call(self.hot.merge(accounts.into_iter().collect(), false));
        self.hot.roster().doubt_rows(false);
        self
    }

    /// Blocks on a call at the fixture's time.
    pub(super) fn call<T>(&self, call: impl Future<Output = grok2api_proto::Result<T>>) -> T {
        let behind = u64::try_from(self.now - self.clock.now_ms()).expect("a clock that goes forward");
        self.clock.advance(Duration::from_millis(behind));
        self.runtime.block_on(call).expect("the state answers")
    }

    /// Blocks on a call that must fail.
    pub(super) fn failing<T>(&self, call: impl Future<Output = grok2api_proto::Result<T>>) -> Error {
        self.runtime.block_on(call).err().expect("it cannot succeed")
    }

    pub(super) fn url(&self) -> String {
        self.server.as_ref().expect("a server").0.lock().url()
    }

    pub(super) fn stop_server(&mut self) {
        self.server.as_ref().expect("a server").0.lock().kill();
    }

    /// Kills it, if it is there, and starts it again.
    pub(super) fn restart_server(&mut self) {
        self.stop_server();
        self.server.as_ref().expect("a server").0.lock().start_again();
    }

    /// The first calls after a loss find out that the connection has ended.
    pub(super) fn until_it_answers(&self) {
        while self.runtime.block_on(self.hot.advance()).is_err() {
            std::thread::yield_now();
        }
    }

    /// The lease, or the code of the refusal.
    pub(super) fn lease(&self, wanted: &Wanted) -> Result<Leased, String> {
        self.lease_with(wanted, false)
    }

    pub(super) fn lease_with(&self, wanted: &Wanted, patient: bool) -> Result<Leased, String> {
        match self.call(self.hot.lease(wanted, patient)) {
            Ok(granted) => Ok(Leased { id: granted.lease, account: granted.account.as_u128() }),
            Err(refused) => Err(refused.error.code.into_owned()),
        }
    }

    /// So many callers at once; all of them get something.
    pub(super) fn crowd(&self, wanted: &Wanted, callers: usize) -> Vec<Leased> {
        let leases = (0..callers).map(|_| self.hot.lease(wanted, false));
        let granted = self.call(futures_util::future::try_join_all(leases));
        let leased = granted.into_iter().map(|granted| granted.expect("there is enough for all"));
        leased.map(|granted| Leased { id: granted.lease, account: granted.account.as_u128() }).collect()
    }

    pub(super) fn settle(&self, lease: &Leased, settlement: &Settlement) -> bool {
        self.call(self.hot.settle(lease.id, settlement)).is_some()
    }

    pub(super) fn renew(&self, owner: &str, leases: &[Uuid]) -> Vec<Uuid> {
        self.call(self.hot.renew(owner, leases))
    }

    pub(super) fn clear(&self, number: u128) -> bool {
        self.call(self.hot.clear(id(number)))
    }

    pub(super) fn merge(&self, row: StoredAccount) {
        self.call(self.hot.merge(vec![row], false));
    }

    pub(super) fn remove(&self, number: u128) {
        self.call(self.hot.remove(id(number)));
    }

    pub(super) fn next_read(&self) -> Option<ReadJob> {
        self.advance();
        self.call(self.hot.next_read())
    }

    pub(super) fn read_done(&self, job: &ReadJob, end: &ReadEnd) {
        self.call(self.hot.read_done(job, end));
    }

    /// Ends the next reading this way; the account it was made for.
    pub(super) fn read(&self, end: &ReadEnd) -> u128 {
        let job = self.next_read().expect("a reading is due");
        self.read_done(&job, end);
        job.target.0.as_u128()
    }

    pub(super) fn advance(&self) {
        self.call(self.hot.advance());
    }

    pub(super) fn look<R>(&self, look: impl FnOnce(&mut Roster) -> R) -> R {
        self.advance();
        look(&mut self.hot.roster())
    }

    pub(super) fn account(&self, number: u128) -> Account {
        self.look(|roster| roster.get(id(number)).cloned()).expect("an account")
    }

    pub(super) fn window(&self, number: u128) -> Window {
        self.account(number).window(ClassId::new(0)).clone()
    }

    /// What keeps an account from serving `normal`, in words.
    pub(super) fn state(&self, number: u128) -> String {
        let account = self.account(number);
        let closed = account.window(ClassId::new(0)).closed_until;
        match account.status {
            Status::Cooling { until, .. } => format!("cooling {} s", (until - self.now) / 1000),
            Status::Invalid { .. } => "invalid".into(),
            Status::Banned { .. } => "banned".into(),
            Status::Active if closed > 0 => format!("closed {} s", (closed - self.now) / 1000),
            Status::Active => "active".into(),
        }
    }
}
