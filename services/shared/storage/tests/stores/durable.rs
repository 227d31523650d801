//! What was acknowledged is there, whoever is killed in the middle; and calls fail soon while a store is away.

mod writes;

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use grok2api_kit::settings::{Mode, Settings};
use grok2api_storage::{Store, accounts::Accounts};

use crate::support::{Stand, account};
use writes::{Kind, Written, all_there};

/// Of each kind.
const WRITES: u32 = 1_000;
/// After how many of them the store is killed.
const KILLS: [u32; 3] = [250, 500, 750];
const SOON: Duration = Duration::from_secs(6);

/// One write of each kind, at the same time; what was acknowledged of them.
async fn write(store: &Store, number: u32) -> Vec<grok2api_storage::Result<Written>> {
    join_all(Kind::ALL.map(|kind| kind.write(store, number))).await
}

#[rstest::rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_store_is_killed(
    #[values(Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let mut stand = Stand::start(mode);
    let settings = stand.settings().await;
    let store = Store::open(&settings).await.unwrap();
    let mut acknowledged = Vec::new();
    for number in 0..WRITES {
        if KILLS.contains(&number) {
            let racing = write(&store, WRITES + number);
            let (outcomes, ()) =
                tokio::join!(racing, async { tokio::task::block_in_place(|| stand.server.kill()) });
            acknowledged.extend(outcomes.into_iter().flatten());
            let began = Instant::now();
            let refused = store.accounts().version().await;
            assert!(refused.is_err() && began.elapsed() < SOON, "{refused:?} after {:?}", began.elapsed());
            tokio::task::block_in_place(|| stand.server.start_again());
            recovered(&*store.accounts()).await;
        }
        for outcome in write(&store, number).await {
            acknowledged.push(outcome.unwrap());
        }
    }
    assert!(acknowledged.len() >= Kind::ALL.len() * WRITES as usize);
    all_there(&Store::open(&settings).await.unwrap(), &acknowledged).await;
}

/// Waits until the store answers by itself again.
async fn recovered(store: &dyn Accounts) {
    let began = Instant::now();
    while store.version().await.is_err() {
        assert!(began.elapsed() < SOON, "it does not come back");
    }
}

/// A store that hangs is given up as fast as one that is gone, and is used again when it goes on.
#[rstest::rstest]
#[tokio::test]
async fn calls_on_a_store_that_hangs_fail_soon(#[values(Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    let store = stand.fresh().await;
    let accounts = store.accounts();
    accounts.insert(&[account(1)]).await.unwrap();
    signal(stand.server.pid(), "STOP");
    // Its threads stop one by one.
    while store.ping().await.is_ok() {}
    for _ in 0..2 {
        let began = Instant::now();
        assert!(store.ping().await.is_err() && began.elapsed() < SOON);
    }
    signal(stand.server.pid(), "CONT");
    recovered(&*accounts).await;
    assert_eq!(accounts.load_all().await.unwrap().len(), 1);
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap().success());
}

/// SQLite lives in the process, so it is the process that is killed.
#[tokio::test]
async fn nothing_acknowledged_is_lost_when_a_process_with_sqlite_is_killed() {
    let data = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for kill in KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "durable::a_process_that_writes", "--nocapture"])
            .env("G2A_DATA_DIR", data.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let said = lines.filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned));
        let (before, wanted) = (acknowledged.len(), Kind::ALL.len() * (WRITES / 3 + kill / 10) as usize);
        for written in said.filter(|line| line.ends_with('.')) {
            acknowledged.push(written.trim_end_matches('.').parse::<Written>().unwrap());
            if acknowledged.len() == before + wanted {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        all_there(&Store::open(&here(data.path())).await.unwrap(), &acknowledged).await;
    }
    assert!(acknowledged.len() >= Kind::ALL.len() * WRITES as usize, "{}", acknowledged.len());
}

fn here(data: &std::path::Path) -> Settings {
    Settings::load(None, [("G2A_DATA_DIR".to_owned(), data.display().to_string())]).unwrap()
}

#[tokio::test]
#[ignore = "run by the test above, as a process of its own"]
async fn a_process_that_writes() {
    let data = std::env::var("G2A_DATA_DIR").unwrap();
    let store = Store::open(&here(data.as_ref())).await.unwrap();
    let begin = u32::try_from(store.accounts().load_all().await.unwrap().len()).unwrap();
    for number in begin..begin + 100_000 {
        let store = &store;
        join_all(Kind::ALL.map(|kind| async move {
            // The full stop tells a whole line.
            println!("acknowledged {}.", kind.write(store, number).await.unwrap());
        }))
        .await;
    }
}
