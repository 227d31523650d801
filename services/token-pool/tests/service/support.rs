//! A token pool over a database in a temporary directory.

use std::{any::Any, path::Path, sync::Arc, time::Duration};

use grok2api_kit::{clock::Clock, egress::Gateway, lifecycle::Tasks, readiness::Readiness, runtime::Runtime};
use grok2api_proto::{
    config::RuntimeConfig,
    pool::{
        self, Account, AddAccountsRequest, AddReport, LeaseGrant, LeaseRequest, ListAccountsRequest,
        NewAccount, Outcome, SettleRequest, Tier, TokenPool,
    },
};
use grok2api_storage::{
    Store,
    accounts::{Accounts, StoredAccount},
    seal::Sealer,
    sqlite::Sqlite,
};
use grok2api_testkit::{Ground, Reach, RedisServer, reach, runtime_config};
use grok2api_token_pool::{Deps, start};
use tempfile::TempDir;

pub(crate) const NOW: i64 = 1_700_000_000_000;

/// A running pool, and what it stands on.
pub(crate) struct Started {
    pub(crate) pool: Arc<dyn TokenPool>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    pub(crate) dir: Arc<TempDir>,
    /// The servers it needs; they end with the last replica.
    _under: Vec<Arc<dyn Any + Send + Sync>>,
}

pub(crate) async fn open(directory: &Path) -> Arc<dyn Accounts> {
    Sqlite::open(directory).await.unwrap().accounts(Sealer::new([7; 32])).await.unwrap()
}

impl Started {
    pub(crate) async fn new() -> Self {
        Self::with(Arc::new(tempfile::tempdir().unwrap()), runtime_config(), None).await
    }

    pub(crate) async fn reached(ground: Ground, shared: bool) -> Self {
        let standing = ground.store();
        let accounts = Store::open(&standing.settings).await.unwrap().accounts();
        let redis = (shared && standing.settings.storage.hot_url().is_none()).then(RedisServer::start);
        let hot = redis.as_ref().map(RedisServer::url);
        let hot = hot.or_else(|| standing.settings.storage.hot_url().map(str::to_owned));
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let mut started = Self::begin(accounts, hot, dir, runtime_config(), None, true).await;
        started._under = vec![Arc::new((standing, redis))];
        started.by(ground.reach()).await
    }

    /// As [`Started::reached`], over rows that stand in the store before it starts.
    pub(crate) async fn reached_with(how: Reach, shared: bool, rows: Vec<StoredAccount>) -> Self {
        let redis = shared.then(|| Arc::new(RedisServer::start()));
        let dir = Arc::new(tempfile::tempdir().unwrap());
        open(dir.path()).await.insert(&rows).await.unwrap();
        Self::over(dir, redis, runtime_config(), None).await.by(how).await
    }

    pub(crate) async fn by(mut self, how: Reach) -> Self {
        self.pool = reach(how, self.pool, pool::server, pool::client, &self.tasks).await;
        self
    }

    pub(crate) async fn with(dir: Arc<TempDir>, config: RuntimeConfig, egress: Option<Gateway>) -> Self {
        Self::over(dir, None, config, egress).await
    }

    /// At another time.
    pub(crate) async fn at(now: i64, dir: Arc<TempDir>) -> Self {
        let accounts = open(dir.path()).await;
        Self::begin_at(now, accounts, None, dir, runtime_config(), None, true).await
    }

    /// On what a process has left that was killed.
    pub(crate) async fn after_a_crash(dir: Arc<TempDir>, egress: Option<Gateway>) -> Self {
        let accounts = open(dir.path()).await;
        Self::begin(accounts, None, dir, runtime_config(), egress, false).await
    }

    /// A replica whose hot state is in this Redis.
    pub(crate) async fn over(
        dir: Arc<TempDir>,
        redis: Option<Arc<RedisServer>>,
        config: RuntimeConfig,
        egress: Option<Gateway>,
    ) -> Self {
        let (accounts, hot) = (open(dir.path()).await, redis.as_ref().map(|server| server.url()));
        let mut started = Self::begin(accounts, hot, dir, config, egress, true).await;
        started._under.extend(redis.map(|redis| redis as Arc<dyn Any + Send + Sync>));
        started
    }

    async fn begin(
        accounts: Arc<dyn Accounts>,
        hot: Option<String>,
        dir: Arc<TempDir>,
        config: RuntimeConfig,
        egress: Option<Gateway>,
        intact: bool,
    ) -> Self {
        Self::begin_at(NOW, accounts, hot, dir, config, egress, intact).await
    }

    async fn begin_at(
        now: i64,
        accounts: Arc<dyn Accounts>,
        hot: Option<String>,
        dir: Arc<TempDir>,
        config: RuntimeConfig,
        egress: Option<Gateway>,
        intact: bool,
    ) -> Self {
        let (clock, tasks) = (Clock::manual(now), Tasks::new());
        let deps = Deps {
            accounts: accounts.clone(),
            runtime: Runtime::fixed(config),
            egress,
            redis: hot,
            intact,
            readiness: Readiness::new(tasks.shutdown().clone()),
            clock: clock.clone(),
            tasks: tasks.clone(),
        };
        Self { pool: start(deps).await.unwrap(), accounts, clock, tasks, dir, _under: Vec::new() }
    }

    /// Adds basic accounts by token.
    pub(crate) async fn add(&self, tokens: &[&str]) -> Vec<AddReport> {
        let accounts = tokens.iter().map(|token| new_account(token, Tier::Basic)).collect();
        self.pool.add_accounts(AddAccountsRequest { accounts }).await.unwrap().reports
    }

    pub(crate) async fn list(&self) -> Vec<Account> {
        self.pool.list_accounts(ListAccountsRequest::default()).await.unwrap().accounts
    }

    /// A lease of so many units, however long the store takes to be told of the ones before.
    pub(crate) async fn leased(&self, cost: u32) -> LeaseGrant {
        loop {
            match self.pool.lease(lease(cost)).await {
                Ok(grant) => return grant,
                Err(error) => assert_eq!(error.code, "pool_saturated", "{error}"),
            }
        }
    }

    /// The accounts, once they are as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&[Account]) -> bool) -> Vec<Account> {
        let found = async {
            loop {
                let accounts = self.list().await;
                if wanted(&accounts) {
                    return accounts;
                }
                tokio::task::yield_now().await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(10), found).await {
            Ok(accounts) => accounts,
            Err(_) => panic!("it never came so far: {:#?}", self.list().await),
        }
    }

    /// Ends all work where it stands.
    pub(crate) async fn kill(&self) {
        self.tasks.shutdown().stop();
        self.tasks.finish(Duration::ZERO).await;
    }

    /// Waits until the store has the rows as wanted.
    pub(crate) async fn until_written(&self, wanted: impl Fn(&[StoredAccount]) -> bool) {
        let written = async {
            while !wanted(&self.accounts.load_all().await.unwrap()) {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(20), written).await.is_err() {
            panic!("it was never written: {:#?}", self.accounts.load_all().await.unwrap());
        }
    }

    /// Drains, and waits until everything is written.
    pub(crate) async fn stop(&self) {
        self.tasks.shutdown().drain();
        assert!(self.tasks.finish(Duration::from_secs(10)).await);
        assert_eq!(self.tasks.crashed(), None);
    }
}

pub(crate) fn new_account(token: &str, tier: Tier) -> NewAccount {
    NewAccount { token: token.into(), tier: tier.into(), note: String::new() }
}

pub(crate) fn lease(cost: u32) -> LeaseRequest {
    LeaseRequest {
        request_id: "request-1".into(),
        owner: "replica-1".into(),
        class: "normal".into(),
        rate_limit_name: "grok-3".into(),
        cost,
        minimum_tier: Tier::Basic.into(),
        ..LeaseRequest::default()
    }
}

pub(crate) fn settle(lease_id: &str, outcome: Outcome, charged: bool) -> SettleRequest {
    SettleRequest {
        lease_id: lease_id.into(),
        outcome: outcome.into(),
        charged,
        retry_after_ms: None,
        cause: "as the test says".into(),
        units: None,
    }
}
