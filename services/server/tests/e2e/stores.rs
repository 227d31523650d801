//! The product on each durable store, whole and split, with its command line beside it; and while the store is away.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use grok2api_kit::settings::Mode;
use grok2api_proto::{
    Kind,
    config::{GetRequest, UpdateRequest},
    pool::{Account, ChangeAccountsRequest, ListAccountsRequest, TokenPool},
};
use grok2api_testkit::Backing;
use rstest::rstest;
use serde_json::json;

use crate::{
    cli::{grok2api, output},
    support::{Product, Shape},
};

/// The longest a call may take while the store is away.
const SOON: Duration = Duration::from_secs(6);

/// The command line on the product's store.
async fn run(product: &Product, arguments: &[&str]) -> (i32, String, String) {
    let mut command = grok2api(product.data.path());
    output(command.envs(product.backing.environment()).args(arguments)).await
}

#[rstest]
#[tokio::test]
async fn every_store_serves_is_managed_and_keeps(
    #[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode,
    #[values(Shape::Whole, Shape::Split)] shape: Shape,
) {
    let product = Product::on_store(shape, &["sim-basic-1"], Backing::start(mode)).await;
    let answer = product.ask("grok-3-fast", "[[sim:say=hello]]").await;
    assert_eq!(answer.content(), "hello", "{}", answer.text);
    product.settled().await;

    let (code, out, err) =
        run(&product, &["accounts", "add", "sim-super-2", "--tier", "super", "--tag", "late"]).await;
    assert_eq!((code, out.trim()), (0, "1 added, 0 known already, 0 refused"), "{err}");
    while product.accounts().await.len() < 2 {
        tokio::task::yield_now().await;
    }
    let (code, out, err) = run(&product, &["parameters", "set", "filtered_tags", ""]).await;
    assert_eq!((code, out.trim()), (0, "filtered_tags is set (revision 1)"), "{err}");
    let mut runtime = product.gateway().services.runtime.clone();
    while runtime.current().number < 1 {
        runtime.changed().await;
    }
    product.set(&[("image_mode", json!("base64"))]).await;
    let image = product.ask("grok-3-fast", "draw a moon").await;
    assert!(image.content().contains("data:image/"), "{}", image.text);

    let before = product.settled().await;
    let product = product.restart().await;
    let ids = |accounts: &[grok2api_proto::pool::Account]| {
        let mut ids: Vec<_> = accounts.iter().map(|account| account.id.clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&product.accounts().await), ids(&before));
    let (code, out, _) = run(&product, &["accounts", "list", "--tag", "late"]).await;
    assert!(code == 0 && out.contains("super") && !out.contains("sim-super-2"), "{out}");
    assert_eq!(product.gateway().services.runtime.current().config.image_mode, "base64");
    product.stop().await;
}

fn update(expected_revision: Option<u64>, attempts: u32) -> UpdateRequest {
    let changes = [("max_attempts".to_owned(), attempts.to_string())].into();
    UpdateRequest { changes, expected_revision, author: "test".into() }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_the_process_is_not_ready_and_calls_fail_soon(
    #[values(Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let mut product = Product::on_store(Shape::Whole, &["sim-basic-1"], Backing::start(mode)).await;
    let config = product.gateway().services.config.clone();
    config.update(update(None, 4)).await.unwrap();
    assert_eq!(product.readyz().await.0, 200);

    tokio::task::block_in_place(|| product.backing.kill());
    let began = Instant::now();
    let error = config.update(update(None, 5)).await.unwrap_err();
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert_eq!((error.kind, error.code.as_ref()), (Kind::Unavailable, "storage_unavailable"));
    assert!(error.retry_after.is_some());
    while product.readyz().await != (503, json!({"status": "waiting", "waiting_for": ["storage"]})) {
        assert!(began.elapsed() < 2 * SOON, "it stays ready");
    }

    tokio::task::block_in_place(|| product.backing.start_again());
    let began = Instant::now();
    while product.readyz().await.0 != 200 {
        assert!(began.elapsed() < SOON, "it does not come back");
    }
    assert_eq!(config.get(GetRequest {}).await.unwrap().config.unwrap().max_attempts, 4);
    config.update(update(Some(1), 6)).await.unwrap();
    assert_eq!(product.ask("grok-3-fast", "[[sim:say=back]]").await.content(), "back");
    product.stop().await;
}

#[rstest]
#[tokio::test]
async fn of_two_replicas_one_edit_wins_and_the_other_follows_within_a_second(
    #[values(Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let product = Product::on_store(Shape::Whole, &[], Backing::start(mode)).await;
    let replica = product.replica(&[]).await;
    let (mine, theirs) = (&product.gateway().services, &replica.services);
    for round in 0..4 {
        // Every edit changes something.
        let attempts = if round % 2 == 0 { [4, 5] } else { [6, 7] };
        let [edit, other_edit] = attempts.map(|attempts| update(Some(round), attempts));
        let (one, other) = tokio::join!(mine.config.update(edit), theirs.config.update(other_edit));
        let (won, told) = if one.is_ok() { (one, other) } else { (other, one) };
        let (won, told) = (won.unwrap(), told.unwrap_err());
        assert_eq!(won.number, round + 1);
        assert_eq!((told.kind, told.code.as_ref()), (Kind::Conflict, "revision_conflict"), "{told}");
        let began = Instant::now();
        for services in [mine, theirs] {
            let mut runtime = services.runtime.clone();
            while runtime.current().number < won.number {
                runtime.changed().await;
            }
            assert_eq!(runtime.current().config.max_attempts, won.config.as_ref().unwrap().max_attempts);
        }
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
    replica.stop().await;
    product.stop().await;
}

/// The accounts, once each is as wanted.
async fn until(pool: &dyn TokenPool, wanted: impl Fn(&Account) -> bool) -> Vec<Account> {
    loop {
        let accounts = pool.list_accounts(ListAccountsRequest::default()).await.unwrap().accounts;
        if !accounts.is_empty() && accounts.iter().all(&wanted) {
            return accounts;
        }
        tokio::task::yield_now().await;
    }
}

/// Two replicas serve and are managed at the same time: nothing that is said of an account is lost, no unit is
/// counted twice.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_replicas_lose_no_edit_and_no_unit(#[values(Mode::Mysql, Mode::Redis)] mode: Mode) {
    const ROUNDS: usize = 20;
    let product =
        Product::on_store(Shape::Whole, &["sim-basic-1", "sim-basic-2"], Backing::start(mode)).await;
    let replica = product.replica(&[]).await;
    let pools = [product.gateway().services.pool.clone(), replica.services.pool.clone()];
    let replica_base = format!("http://{}", replica.addresses.http.unwrap());
    let known = until(pools[1].as_ref(), |account| account.windows[0].total.is_some()).await;
    let ids: Vec<String> = known.into_iter().map(|account| account.id).collect();
    assert_eq!(ids.len(), 2);
    let edits = (0..ROUNDS).map(|round| {
        let (pool, accounts) = (pools[round % 2].clone(), ids.clone());
        let add_tags = vec![format!("tag-{round}")];
        async move {
            let edit = ChangeAccountsRequest { accounts, add_tags, ..Default::default() };
            pool.change_accounts(edit).await.unwrap();
        }
    });
    let asks = (0..ROUNDS).map(|round| {
        let base = if round % 2 == 0 { product.base.clone() } else { replica_base.clone() };
        let text = json!([{"role": "user", "content": "[[sim:say=hello]]"}]);
        let body = json!({"model": "grok-3-fast", "messages": text}).to_string();
        let request = product.http.post(format!("{base}/v1/chat/completions")).body(body);
        async move { request.send().await.unwrap().status().as_u16() }
    });
    let (_, statuses) = tokio::join!(join_all(edits), join_all(asks));
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    for pool in &pools {
        let accounts = until(pool.as_ref(), |account| account.tags.len() == ROUNDS && account.in_flight == 0);
        let left = accounts.await.iter().map(|account| account.windows[0].remaining.unwrap()).sum::<u32>();
        assert_eq!(left as usize, 2 * 80 - ROUNDS, "a turn is a unit");
    }
    replica.stop().await;
    product.stop().await;
}

#[rstest]
#[case("mysql", "mysql://user:hunter2@127.0.0.1:9/grok2api")]
#[case("redis", "redis://:hunter2@127.0.0.1:9")]
#[tokio::test]
async fn a_store_that_cannot_be_reached_ends_every_command_with_78(#[case] mode: &str, #[case] url: &str) {
    let data = tempfile::tempdir().unwrap();
    for arguments in [&["serve"][..], &["accounts", "list"], &["parameters", "list"], &["migrate"]] {
        let mut command = grok2api(data.path());
        command.env("STORAGE_MODE", mode).env("DATABASE_URL", url).args(arguments);
        let began = Instant::now();
        let (code, _, err) = output(&mut command).await;
        assert!(code == 78 && began.elapsed() < SOON, "{code} after {:?}", began.elapsed());
        assert!(err.contains("127.0.0.1:9") && !err.contains("hunter2"), "{err}");
        assert!(!data.path().join("grok2api.db").exists(), "nothing else is used in its place");
    }
}

#[rstest]
#[tokio::test]
async fn migrate_says_what_it_did(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let (data, backing) = (tempfile::tempdir().unwrap(), Backing::start(mode));
    let mut said = Vec::new();
    for _ in 0..2 {
        let mut command = grok2api(data.path());
        let (code, out, err) = output(command.envs(backing.environment()).arg("migrate")).await;
        assert_eq!(code, 0, "{err}");
        said.push(out.trim().to_owned());
    }
    let (_, newest) = said[0].split_once(": migrated from 0 to ").unwrap();
    assert!(newest.parse::<u32>().unwrap() > 0, "{}", said[0]);
    assert!(said[1].ends_with(&format!(": up to date at {newest}")), "{}", said[1]);
}

#[tokio::test]
async fn addresses_that_do_not_fit_are_listed_with_the_other_mistakes() {
    let data = tempfile::tempdir().unwrap();
    let mut command = grok2api(data.path());
    command.arg("serve").env("STORAGE_MODE", "mysql").env("DATABASE_URL", "redis://:hunter2@cache");
    let (code, _, err) = output(command.env("REDIS_URL", "cache:hunter2").env("G2A_LISTEN", "nowhere")).await;
    assert_eq!(code, 78, "{err}");
    assert!(["DATABASE_URL", "REDIS_URL", "G2A_LISTEN"].iter().all(|part| err.contains(part)), "{err}");
    assert!(!err.contains("hunter2"), "{err}");
}

/// What is wrong is told in one report, each thing once, and nobody's password with it.
#[rstest]
#[case("mysql", "mysql://user:hunter2@127.0.0.1:9/grok2api")]
#[case("redis", "redis://:hunter2@127.0.0.1:9")]
#[tokio::test]
async fn everything_that_is_wrong_at_the_start_is_in_one_report(
    #[case] mode: &str,
    #[case] url: &str,
    #[values(false, true)] mistaken: bool,
) {
    let data = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = grok2api(data.path());
    command.args(["serve", "--run", "config,token-pool,chat"]).env("STORAGE_MODE", mode);
    command.env("DATABASE_URL", url).env("REDIS_URL", "redis://:hunter2@127.0.0.1:7");
    for role in ["CONFIG", "TOKEN_POOL"] {
        command.env(format!("G2A_GRPC__{role}"), taken.local_addr().unwrap().to_string());
    }
    command.env("G2A_GRPC__CHAT", "127.0.0.1:0");
    if mistaken {
        command.env("G2A_GRACE_SECONDS", "soon").env("G2A_MEDIA_CACHE_ADDR", "nowhere");
    }
    let (code, _, err) = output(&mut command).await;
    assert_eq!(code, 78, "{err}");
    let mistakes = if mistaken { &["lifecycle.grace_seconds"][..] } else { &[] };
    let wrong = ["peers.media_cache", "internal.secret", "grpc.config", "grpc.token_pool", "REDIS_URL"];
    for part in wrong.iter().chain(mistakes).chain(&["127.0.0.1:9", "127.0.0.1:7"]) {
        assert_eq!(err.matches(part).count(), 1, "{part} in {err}");
    }
    assert_eq!(err.lines().count(), 1 + 6 + mistakes.len(), "{err}");
    assert!(!err.contains("hunter2"), "{err}");
}

/// A start that fails for another reason looks at the store, and leaves it as it is.
#[rstest]
#[tokio::test]
async fn a_start_that_fails_anyway_tells_of_another_key_and_migrates_nothing(
    #[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let (data, backing) = (tempfile::tempdir().unwrap(), Backing::start(mode));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = |arguments: &[&str]| {
        let mut command = grok2api(data.path());
        command.envs(backing.environment()).args(arguments);
        command
    };
    let start = || {
        let mut command = at(&["serve"]);
        command.env("G2A_LISTEN", taken.local_addr().unwrap().to_string());
        command
    };
    let (code, _, err) = output(&mut start()).await;
    assert!(code == 78 && err.contains("http.listen") && err.lines().count() == 2, "{code} {err}");
    let (code, out, err) = output(&mut at(&["migrate"])).await;
    assert!(code == 0 && out.contains("migrated from 0 to"), "the failed start left it alone: {out} {err}");
    let other_key = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";
    let (code, _, err) = output(start().env("G2A_MASTER_KEY", other_key)).await;
    assert!(code == 78 && err.contains("http.listen") && err.contains("sealed with key"), "{code} {err}");
    assert_eq!(err.lines().count(), 3, "{err}");
}
