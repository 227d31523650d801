//! True quotas, read from the simulated upstream.

use std::{sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use grok2api_kit::{
    egress::{Endpoints, Gateway},
    lifecycle::Tasks,
    runtime::Runtime,
    settings::Settings,
};
use grok2api_proto::pool::{
    Account, AddAccountsRequest, NewAccount, Outcome, RefreshAccountsRequest, RefreshReport, RefreshResult,
    Status, Tier, Window, WindowSource,
};
use grok2api_testkit::{Reach, runtime_config};
use grok2api_upstream_sim::{AccountPatch, Pool, Sim, SimConfig, WindowPatch};
use tokio::net::TcpListener;

use crate::support::{NOW, Started, lease, new_account, settle};

async fn upstream() -> (Sim, Started) {
    upstream_by(Reach::Direct).await
}

async fn upstream_by(how: Reach) -> (Sim, Started) {
    let (sim, egress) = simulated().await;
    let started = Started::with(Arc::new(tempfile::tempdir().unwrap()), runtime_config(), Some(egress)).await;
    (sim, started.by(how).await)
}

/// A simulated upstream, and the way to it.
pub(crate) async fn simulated() -> (Sim, Gateway) {
    let tasks = Tasks::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sim = grok2api_upstream_sim::start(listener, SimConfig::default(), &tasks).await.unwrap();
    let environment = ["G2A_UPSTREAM_URL", "G2A_ASSETS_URL"].map(|name| (name.to_owned(), sim.url()));
    let Ok(settings) = Settings::load(None, environment) else {
        panic!("the simulator's address is refused")
    };
    (sim, Gateway::new(Endpoints::from(&settings.upstream), Runtime::fixed(runtime_config())))
}

fn has(window: &Window, total: u32, remaining: u32) -> bool {
    (window.total, window.remaining, window.source())
        == (Some(total), Some(remaining), WindowSource::Upstream)
}

fn left(pool: Pool, remaining: u32) -> AccountPatch {
    let patch = WindowPatch { remaining: Some(remaining), ..WindowPatch::default() };
    AccountPatch { windows: [(pool, patch)].into(), ..AccountPatch::default() }
}

fn faulty(fault: &str) -> AccountPatch {
    let rule = serde_json::from_value(serde_json::json!({ "name": fault })).unwrap();
    AccountPatch { faults: Some(vec![rule]), ..AccountPatch::default() }
}

#[tokio::test]
async fn a_new_account_is_read_with_all_its_windows() {
    let (sim, started) = upstream().await;
    sim.set_account("sim-super-0001", &left(Pool::Heavy, 7));
    let accounts =
        vec![new_account("sim-basic-0001", Tier::Basic), new_account("sim-super-0001", Tier::Super)];
    started.pool.add_accounts(AddAccountsRequest { accounts }).await.unwrap();
    let listed = started
        .until(|all| all.iter().all(|account| account.windows.iter().all(|window| window.total.is_some())))
        .await;
    assert_eq!((listed[0].windows.len(), listed[1].windows.len()), (1, 2), "basic has no heavy window");
    assert!(has(&listed[0].windows[0], 80, 80), "{:?}", listed[0]);
    assert!(has(&listed[1].windows[0], 140, 140), "{:?}", listed[1]);
    assert!(has(&listed[1].windows[1], 20, 7), "{:?}", listed[1]);
    assert_eq!(listed[1].windows[1].reset_at, NOW + 7_200_000);
    let body = sim.requests()[0].body.as_ref().map(|body| body.get().to_owned());
    let expected = r#"{"requestKind":"DEFAULT","modelName":"grok-4-mini-thinking-tahoe"}"#;
    assert_eq!(body.as_deref(), Some(expected));
}

#[tokio::test]
async fn a_429_is_looked_into() {
    let (sim, started) = upstream().await;
    started.add(&["sim-basic-0001"]).await;
    started.until(|all| has(&all[0].windows[0], 80, 80)).await;
    sim.set_account("sim-basic-0001", &left(Pool::Credits, 0));
    let grant = started.pool.lease(lease(1)).await.unwrap();
    started.pool.settle(settle(&grant.lease_id, Outcome::RateLimited, false)).await.unwrap();
    started.clock.advance(Duration::from_secs(16 * 60));
    let listed = started.until(|all| has(&all[0].windows[0], 80, 0)).await;
    assert!(listed[0].windows[0].reset_at > NOW + 71_000_000, "the ledger knows it is empty: {listed:?}");
    assert_eq!(started.pool.lease(lease(1)).await.unwrap_err().code, "pool_exhausted");
}

#[tokio::test]
async fn a_dead_credential_is_found_out_by_the_probe() {
    let (sim, started) = upstream().await;
    started.add(&["sim-basic-0001"]).await;
    started.until(|all| has(&all[0].windows[0], 80, 80)).await;
    sim.set_account("sim-basic-0001", &faulty("401-json"));
    let grant = started.pool.lease(lease(1)).await.unwrap();
    started.pool.settle(settle(&grant.lease_id, Outcome::Unauthenticated, false)).await.unwrap();
    started.until(|all| all[0].status() == Status::Invalid).await;
}

#[tokio::test]
async fn trouble_on_the_way_blames_nobody_and_is_tried_again_later() {
    for fault in ["401-html", "403-html", "403-antibot-json", "500", "502-html"] {
        let (sim, started) = upstream().await;
        sim.set_account("sim-basic-0001", &faulty(fault));
        started.add(&["sim-basic-0001"]).await;
        sim.wait(|counters| counters.faulted == 1).await;
        sim.set_account(
            "sim-basic-0001",
            &AccountPatch { faults: Some(Vec::new()), ..AccountPatch::default() },
        );
        let account = started.list().await.remove(0);
        assert_eq!((account.status(), account.windows[0].total), (Status::Active, None), "{fault}");
        let passes = |all: &[Account]| {
            started.clock.advance(Duration::from_secs(1));
            has(&all[0].windows[0], 80, 80)
        };
        assert_eq!(started.until(passes).await[0].status(), Status::Active, "{fault}");
    }
}

async fn refresh(started: &Started, accounts: &[&str]) -> Vec<RefreshReport> {
    let accounts = accounts.iter().map(|name| (*name).to_owned()).collect();
    let steps = started.pool.refresh_accounts(RefreshAccountsRequest { accounts }).await.unwrap();
    let steps: Vec<_> = steps.try_collect().await.unwrap();
    let last = steps.last().unwrap();
    assert_eq!((steps[0].done, last.done), (steps[0].reports.len() as u32, last.total));
    steps.into_iter().flat_map(|step| step.reports).collect()
}

#[rstest::rstest]
#[tokio::test]
async fn one_some_or_all_are_refreshed_with_progress(
    #[values(Reach::Direct, Reach::Wired, Reach::Tcp)] how: Reach,
) {
    let (sim, started) = upstream_by(how).await;
    let added = started.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    started.until(|all| all.iter().all(|account| has(&account.windows[0], 80, 80))).await;
    sim.set_account("sim-basic-0001", &left(Pool::Credits, 7));
    sim.set_account("sim-basic-0002", &faulty("500"));
    let reports = refresh(&started, &["sso=sim-basic-0001", "sim-basic-0009"]).await;
    assert_eq!(reports[0].reason, "no such account: sim-…0009");
    assert_eq!((reports[1].result(), &reports[1].account_id), (RefreshResult::Read, &added[0].account_id));
    assert!(has(&started.list().await[0].windows[0], 80, 7));
    let reports = refresh(&started, &[]).await;
    let failed = reports.iter().find(|report| report.account_id == added[1].account_id).unwrap();
    assert_eq!((reports.len(), failed.result()), (2, RefreshResult::Failed));
    assert!(failed.reason.contains("500"), "{failed:?}");
    let window = started.list().await.remove(1).windows.remove(0);
    assert!(has(&window, 80, 80) && window.read_error.contains("500"), "what was known stays: {window:?}");
}

#[tokio::test]
async fn who_signs_in_again_keeps_one_account_with_the_newer_token() {
    let (sim, started) = upstream().await;
    let first = NewAccount { note: "mine".into(), ..new_account("sim-super-0001", Tier::Super) };
    started.pool.add_accounts(AddAccountsRequest { accounts: vec![first] }).await.unwrap();
    started.until(|all| all.iter().all(|account| !account.user_id.is_empty())).await;
    started.clock.advance(Duration::from_secs(1));
    let again = started.add(&["sim-super-0001.again"]).await[0].account_id.clone();
    let listed = started.until(|all| all.len() == 1).await;
    assert_eq!((&listed[0].id, listed[0].note.as_str(), listed[0].tier()), (&again, "mine", Tier::Super));
    assert_eq!(listed[0].user_id, sim.account("sim-super-0001").unwrap().user_id.to_string());
    let kept = started.accounts.load_all().await.unwrap();
    assert_eq!((kept.len(), kept[0].token.expose()), (1, "sim-super-0001.again"));
}

#[tokio::test]
async fn two_tokens_of_one_user_become_one_account() {
    let (sim, started) = upstream().await;
    let added = started.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    let users = |all: &[Account]| all.iter().all(|account| !account.user_id.is_empty());
    let listed = started.until(users).await;
    assert_ne!(listed[0].user_id, listed[1].user_id);
    let user = sim.account("sim-basic-0001").unwrap().user_id.to_string();
    assert_eq!(listed[0].user_id, user);
    // The simulator gives every token a user of its own: the other account is told to be the first one's.
    let mut row = started
        .accounts
        .load_all()
        .await
        .unwrap()
        .into_iter()
        .find(|row| row.user_id.as_ref() != Some(&user));
    let row = row.as_mut().unwrap();
    (row.user_id, row.created_at) = (None, NOW);
    row.tags.insert("kept".into());
    let other = grok2api_storage::accounts::StoredAccount { user_id: Some(user.clone()), ..row.clone() };
    started.accounts.update(&other).await.unwrap();
    started.until(|all| all.iter().all(|account| account.user_id == user)).await;
    let mut first = started.accounts.get(added[0].account_id.parse().unwrap()).await.unwrap().unwrap();
    first.user_id = None;
    started.accounts.update(&first).await.unwrap();
    started.until(|all| all[0].user_id.is_empty()).await;
    let reports = refresh(&started, &[]).await;
    let gone: Vec<_> = reports.iter().filter(|report| report.result() == RefreshResult::Gone).collect();
    assert_eq!(gone.len(), 1, "{reports:?}");
    assert!(gone[0].reason.contains("same upstream user as"), "{gone:?}");
    let listed = started.list().await;
    assert_eq!((listed.len(), listed[0].user_id.as_str()), (1, user.as_str()));
    assert_eq!(listed[0].tags, ["kept"], "what was said of either is said of the one that is kept");
}

#[tokio::test]
async fn a_429_to_a_reading_is_waited_for_by_all() {
    let (sim, started) = upstream().await;
    started.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    started.until(|all| all.iter().all(|account| !account.user_id.is_empty())).await;
    sim.set_account("sim-basic-0001", &faulty("429+Retry-After=240"));
    let reports = refresh(&started, &["sim-basic-0001"]).await;
    assert_eq!(reports[0].result(), RefreshResult::Failed);
    assert!(reports[0].reason.contains("429"), "{reports:?}");
    assert_eq!(started.list().await[0].status(), Status::Active, "no account is to blame");
    let before = started.clock.now_ms();
    let passing = async {
        loop {
            started.clock.advance(Duration::from_secs(10));
            // Whatever is due is begun before more time passes.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            started.list().await;
        }
    };
    let reports = tokio::select! {
        reports = refresh(&started, &["sim-basic-0002"]) => reports,
        () = passing => unreachable!("time never ends"),
    };
    assert_eq!(reports[0].result(), RefreshResult::Read);
    let waited = started.clock.now_ms() - before;
    assert!(waited >= 240_000, "the other account was read after {waited} ms");
}
