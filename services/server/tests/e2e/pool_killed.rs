//! One token-pool process on files, killed with SIGKILL under a crowd, and started again.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::join_all;
use grok2api_kit::{lifecycle::Tasks, settings::Settings};
use grok2api_proto::pool::{self, ListAccountsRequest, Outcome, SettleRequest, TokenPool};
use grok2api_storage::{Store, accounts::StoredAccount};
use tokio::process::Child;

use crate::{
    cli::{grok2api, output},
    replicas::{self, Books, CALLERS, SECRET, lease, row},
};

const ACCOUNTS: usize = 60;
/// When that many turns have ended, the process is killed.
const KILL_AFTER: [usize; 2] = [60, 150];
/// Units of a window that a crash may cost, for they may have been taken; every one of them is sold elsewhere or lost.
const FORGOTTEN: u32 = 20;

/// Its upstream is nobody, so that no reading puts the numbers right.
fn variables(data: &Path) -> Vec<(String, String)> {
    let given = [
        ("G2A_DATA_DIR", data.display().to_string()),
        ("G2A_GRPC__TOKEN_POOL", "127.0.0.1:0".to_owned()),
        ("G2A_GRPC__CONFIG", "127.0.0.1:0".to_owned()),
        ("G2A_UPSTREAM_URL", "http://127.0.0.1:9".to_owned()),
        ("G2A_INTERNAL_SECRET", SECRET.to_owned()),
    ];
    given.map(|(name, value)| (name.to_owned(), value)).into()
}

async fn start(data: &Path, tasks: &Tasks) -> (Child, Arc<dyn TokenPool>) {
    let mut command = grok2api(data);
    command.args(["serve", "--run", "token-pool,config"]).envs(variables(data));
    replicas::start(&mut command, tasks).await
}

async fn remaining(pool: &Arc<dyn TokenPool>) -> Vec<pool::Account> {
    pool.list_accounts(ListAccountsRequest::default()).await.unwrap().accounts
}

/// Takes units until none is left for it, or the process is dead. Every third turn is not charged. A charged one was
/// used, whether that was noted or not.
async fn take(pool: Arc<dyn TokenPool>, caller: usize, ended: Arc<AtomicUsize>) -> Books {
    let mut books = Books::new();
    for turn in caller.. {
        let cost = u32::try_from(1 + turn % 4).unwrap();
        let grant = match pool.lease(lease(cost)).await {
            Ok(grant) => grant,
            Err(error) if error.code == "pool_saturated" => continue,
            Err(error) if error.code == "pool_exhausted" && cost > 1 => continue,
            Err(_) => return books,
        };
        let charged = turn % 3 != 0;
        let used = if charged { cost } else { 0 };
        books.entry(grant.account_id).or_default().spent += used;
        let settlement = SettleRequest {
            lease_id: grant.lease_id,
            outcome: Outcome::Success.into(),
            charged,
            ..SettleRequest::default()
        };
        if pool.settle(settlement).await.is_err() {
            return books;
        }
        ended.fetch_add(1, Ordering::Relaxed);
    }
    books
}

/// What a crowd takes until so many turns have ended and the process is killed under it.
async fn crowd(mut victim: Child, pool: Arc<dyn TokenPool>, kill_after: usize) -> Vec<Books> {
    let ended = Arc::new(AtomicUsize::new(0));
    let callers = (0..CALLERS).map(|caller| take(pool.clone(), caller, ended.clone()));
    let kill = async {
        while ended.load(Ordering::Relaxed) < kill_after {
            tokio::task::yield_now().await;
        }
        victim.kill().await.unwrap();
    };
    let (books, ()) = tokio::join!(join_all(callers), kill);
    books
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_process_took_that_is_killed_is_never_sold_again() {
    let (data, tasks) = (tempfile::tempdir().unwrap(), Tasks::new());
    // Windows that are full and windows that are not, of few units and of many.
    let granted: Vec<u32> = (0..ACCOUNTS).map(|number| [3, 12, 40, 80][number % 4]).collect();
    let rows: Vec<StoredAccount> = granted.iter().enumerate().map(row).collect();
    let store = Store::open(&Settings::load(None, variables(data.path())).unwrap()).await.unwrap();
    store.accounts().insert(&rows).await.unwrap();
    store.close().await;
    let mut known = Books::new();
    let mut add = |books: Vec<Books>| {
        for (id, one) in books.into_iter().flatten() {
            known.entry(id).or_default().spent += one.spent;
        }
        known.clone()
    };
    for kill_after in KILL_AFTER {
        let (child, pool) = start(data.path(), &tasks).await;
        add(crowd(child, pool, kill_after).await);
    }
    let (mut child, pool) = start(data.path(), &tasks).await;
    let ended = Arc::new(AtomicUsize::new(0));
    let callers = (0..CALLERS).map(|caller| take(pool.clone(), caller, ended.clone()));
    let known = add(join_all(callers).await);
    assert!(ended.load(Ordering::Relaxed) > 0, "the careful start leaves something to sell");
    let (mut left, mut lost) = (0, 0);
    for account in remaining(&pool).await {
        let number: usize = account.masked_token.rsplit('…').next().unwrap().parse().unwrap();
        let (granted, known) = (granted[number], known.get(&account.id).copied().unwrap_or_default());
        let remaining = account.windows[0].remaining.unwrap();
        let sold = known.spent;
        assert!(
            sold + remaining <= granted,
            "{sold} sold and {remaining} left of {granted} of {}",
            account.id
        );
        lost += granted - sold - remaining;
        left += remaining;
    }
    assert_eq!(left, 0, "every caller of one unit went on until none was left");
    // A careful start each, and what the callers held who were under way.
    let crashes = u32::try_from(KILL_AFTER.len()).unwrap();
    let most = u32::try_from(ACCOUNTS).unwrap() * crashes * FORGOTTEN
        + crashes * u32::try_from(CALLERS * 4).unwrap();
    assert!(lost <= most, "{lost} units were lost, {most} may be");
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_regular_end_costs_no_unit_and_a_kill_costs_some_until_they_are_read() {
    let (data, tasks) = (tempfile::tempdir().unwrap(), Tasks::new());
    let store = Store::open(&Settings::load(None, variables(data.path())).unwrap()).await.unwrap();
    store.accounts().insert(&[row((0, &80))]).await.unwrap();
    store.close().await;
    let (mut child, pool) = start(data.path(), &tasks).await;
    let first = remaining(&pool).await[0].windows[0].remaining;
    assert_eq!(first, Some(80), "nobody had these files before");
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let mut failing = grok2api(data.path());
    failing.args(["serve", "--run", "token-pool,config"]).envs(variables(data.path()));
    let (code, _, said) = output(failing.env("G2A_MASTER_KEY", "another key than the one that sealed")).await;
    assert_ne!(code, 0, "{said}");
    let (mut child, pool) = start(data.path(), &tasks).await;
    assert_eq!(remaining(&pool).await[0].windows[0].remaining, first, "nor does a start that fails");
    child.kill().await.unwrap();
    let (_, out, _) = output(grok2api(data.path()).args(["accounts", "list"])).await;
    assert!(out.contains("80/80"), "a command is no start: {out}");
    let (_child, pool) = start(data.path(), &tasks).await;
    assert_eq!(remaining(&pool).await[0].windows[0].remaining, Some(80 - FORGOTTEN));
}
