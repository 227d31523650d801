//! True quotas, read from the simulated upstream.

use std::{sync::Arc, time::Duration};

use grok2api_kit::{
    egress::{Endpoints, Gateway},
    lifecycle::Tasks,
    runtime::Runtime,
    settings::Settings,
};
use grok2api_proto::pool::{Account, AddAccountsRequest, Outcome, Status, Tier, Window, WindowSource};
use grok2api_testkit::runtime_config;
use grok2api_upstream_sim::{AccountPatch, Pool, Sim, SimConfig, WindowPatch};
use tokio::net::TcpListener;

use crate::support::{NOW, Started, lease, new_account, settle};

async fn upstream() -> (Sim, Started) {
    let tasks = Tasks::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sim = grok2api_upstream_sim::start(listener, SimConfig::default(), &tasks).await.unwrap();
    let environment = ["G2A_UPSTREAM_URL", "G2A_ASSETS_URL"].map(|name| (name.to_owned(), sim.url()));
    let Ok(settings) = Settings::load(None, environment) else {
        panic!("the simulator's address is refused")
    };
    let config = runtime_config();
    let egress = Gateway::new(Endpoints::from(&settings.upstream), Runtime::fixed(config.clone()));
    let started = Started::with(Arc::new(tempfile::tempdir().unwrap()), config, Some(egress)).await;
    (sim, started)
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
