//! The pool under real requests: blame, exact ledgers, conversations; and its command line.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use grok2api_proto::pool::{Account, RefreshAccountsRequest, RefreshResult, Status, WindowSource};
use grok2api_upstream_sim::{AccountPatch, Pool, WindowPatch};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    cli::{address, grok2api, output, ready},
    support::{Product, Shape},
};

fn tokens(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("sim-basic-{number:02}")).collect()
}

async fn product(shape: Shape, count: usize) -> Product {
    let tokens = tokens(count);
    let product = Product::with(shape, &[]).await;
    // Every account is read, and asked whose it is.
    product.set(&[("quota_readings_per_minute", json!(600))]).await;
    product.add(&tokens.iter().map(String::as_str).collect::<Vec<_>>()).await;
    while product.accounts().await.iter().any(|account| account.windows[0].total.is_none()) {
        tokio::task::yield_now().await;
    }
    product
}

fn usable(accounts: &[Account]) -> usize {
    let usable = |account: &&Account| {
        account.status() == Status::Active && account.windows.iter().all(|window| window.remaining != Some(0))
    };
    accounts.iter().filter(usable).count()
}

/// The client tries its poisoned request again and again, as clients do.
#[rstest]
#[case::unknown("403-unknown", 10, 26)]
#[case::once("500", 1, 24)]
#[case::again("500", 20, 13)]
#[tokio::test]
async fn a_poisoned_request_does_not_take_the_pool_down(
    #[case] fault: &str,
    #[case] times: usize,
    #[case] at_least: usize,
) {
    let product = product(Shape::Whole, 26).await;
    product.set(&[("max_attempts", json!(10))]).await;
    for _ in 0..times {
        let answer = product.ask("grok-3-fast", &format!("[[sim:fault={fault}]]")).await;
        assert_eq!(answer.status, 502, "{}", answer.text);
    }
    let accounts = product.settled().await;
    assert!(usable(&accounts) >= at_least, "{} of 26", usable(&accounts));
    let blamed = accounts.iter().filter(|account| !account.failures.is_empty()).count();
    assert!(blamed >= 10, "every failure is remembered: {blamed}");
    assert_eq!(product.ask("grok-3-fast", "[[sim:say=fine]]").await.content(), "fine");
    product.stop().await;
}

const ACCOUNTS: usize = 8;
const WAVE: usize = 2_500;

/// What each account has left: by the pool's ledger, and by the simulator's own count.
async fn both(product: &Product) -> (BTreeMap<String, u32>, BTreeMap<String, u32>) {
    let accounts = product.settled().await;
    let ours = accounts.iter().map(|account| {
        let window = &account.windows[0];
        assert_eq!(window.reserved, 0);
        (account.user_id.clone(), window.remaining.unwrap())
    });
    let theirs = tokens(ACCOUNTS).into_iter().map(|token| {
        let account = product.sim.account(&token).unwrap();
        (account.user_id.to_string(), account.windows[&Pool::Credits].remaining)
    });
    (ours.collect(), theirs.collect())
}

async fn shrink_to(product: &Product, total: u32) {
    let patch = WindowPatch { total: Some(total), ..WindowPatch::default() };
    let patch = AccountPatch { windows: [(Pool::Credits, patch)].into(), ..AccountPatch::default() };
    for token in tokens(ACCOUNTS) {
        assert!(product.sim.set_account(&token, &patch));
    }
    let pool = &product.gateway().services.pool;
    let steps = pool.refresh_accounts(RefreshAccountsRequest::default()).await.unwrap();
    let steps: Vec<_> = steps.try_collect().await.unwrap();
    let reports: Vec<_> = steps.into_iter().flat_map(|step| step.reports).collect();
    assert!(reports.iter().all(|report| report.result() == RefreshResult::Read), "{reports:?}");
}

/// Sends a wave; gives how many requests were served.
async fn wave(product: &Product) -> usize {
    let statuses = stream::iter(0..WAVE).map(async |number| {
        let model = if number % 4 == 0 { "grok-4-expert" } else { "grok-3-fast" };
        product.ask(model, "[[sim:say=ok]]").await.status
    });
    let statuses: Vec<u16> = statuses.buffer_unordered(48).collect().await;
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 200).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_ten_thousand_requests_the_ledger_is_the_simulators_own_count() {
    let product = product(Shape::Whole, ACCOUNTS).await;
    let patient = json!(120);
    product
        .set(&[
            ("stream_first_response_timeout", patient.clone()),
            ("stream_chunk_timeout", patient.clone()),
            ("stream_total_timeout", json!(300)),
        ])
        .await;
    for (total, served) in [(900, WAVE), (750, WAVE), (600, WAVE), (250, 0)] {
        shrink_to(&product, total).await;
        let answered = wave(&product).await;
        let (ours, theirs) = both(&product).await;
        assert_eq!(ours, theirs, "windows of {total} units");
        if served > 0 {
            assert_eq!(answered, served);
        } else {
            assert!(theirs.values().all(|left| *left == 0), "the last unit was sold: {theirs:?}");
        }
    }
    let state = product.accounts().await;
    assert!(state.iter().all(|account| account.windows[0].source() != WindowSource::Unknown));
    let refused = state.iter().flat_map(|account| &account.failures).count();
    assert_eq!(refused, 0, "the upstream never had to say that a window is empty");
    product.stop().await;
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn the_turns_of_a_conversation_are_served_by_one_account(#[case] shape: Shape) {
    let product = product(shape, 3).await;
    let mut messages = vec![json!({"role": "user", "content": "[[sim:say=one]]"})];
    for _ in 0..4 {
        let answer = product.chat(&json!({"model": "grok-3-fast", "messages": messages})).await;
        assert_eq!(answer.content(), "one");
        messages.push(json!({"role": "assistant", "content": "one"}));
        messages.push(json!({"role": "user", "content": "[[sim:say=one]]"}));
        product.settled().await;
    }
    let mut left: Vec<_> =
        product.settled().await.iter().map(|account| account.windows[0].remaining).collect();
    left.sort_unstable();
    assert_eq!(left, [Some(76), Some(80), Some(80)]);
    product.stop().await;
}

#[tokio::test]
async fn the_command_line_imports_lists_changes_explains_and_exports() {
    let data = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| output(grok2api(data.path()).arg("accounts").args(arguments)).await;
    let file = data.path().join("tokens.txt");
    std::fs::write(&file, "# mine\nsim-basic-0001\nsim-super-0001,super,bought\nabc\n").unwrap();
    let (code, out, err) = run(&["import", file.to_str().unwrap(), "--tag", "spring"]).await;
    assert_eq!((code, err.trim()), (1, "2 added, 0 known already, 1 refused"));
    assert_eq!(out.trim(), "entry 4: …: refused: the token is too short");
    let (code, out, _) = run(&["add", "sim-basic-0001", "--tag", "more"]).await;
    assert_eq!((code, out.trim()), (0, "0 added, 1 known already, 0 refused"));

    let (_, out, _) = run(&["list", "--tier", "super"]).await;
    assert!(out.contains("[spring] bought") && !out.contains("basic"), "{out}");
    let (code, out, _) =
        run(&["set", "sim-basic-0001", "--disable", "--priority", "-2", "--note", "off"]).await;
    assert_eq!((code, out.trim()), (0, "1 changed"));
    let (_, out, _) = run(&["list", "--status", "disabled", "--tag", "more", "--json"]).await;
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!((&listed[0]["priority"], &listed[0]["tags"]), (&json!(-2), &json!(["more", "spring"])));
    assert!(!out.contains("sim-basic"), "tokens are masked: {out}");

    let (code, out, _) = run(&["explain", "--model", "grok-4-fast", "--tag", "spring"]).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("1 of 2 accounts may serve") && out.contains("switched off"), "{out}");
    let (code, _, err) = run(&["explain", "--model", "gpt-4"]).await;
    assert!(code == 1 && err.contains("gpt-4"), "{err}");

    let (code, out, err) = run(&["export"]).await;
    assert!(code == 0 && err.contains("2 accounts exported"), "{err}");
    let other = tempfile::tempdir().unwrap();
    let dump = data.path().join("dump.jsonl");
    std::fs::write(&dump, &out).unwrap();
    let mut import = grok2api(other.path());
    let (code, said, _) = output(import.args(["accounts", "import", dump.to_str().unwrap()])).await;
    assert_eq!((code, said.trim()), (0, "2 added, 0 known already, 0 refused"));
    let again = output(grok2api(other.path()).args(["accounts", "export"])).await.1;
    assert_eq!(again, out, "an export is imported as it was");
}

#[tokio::test]
async fn the_command_line_refreshes_from_the_upstream() {
    let data = tempfile::tempdir().unwrap();
    let (_sim, _, said) = ready(grok2api(data.path()).args(["sim", "--listen", "127.0.0.1:0"])).await;
    let upstream = format!("http://{}", address(&said, "sim"));
    let run = async |arguments: &[&str]| {
        let mut command = grok2api(data.path());
        command.env("G2A_UPSTREAM_URL", &upstream).env("G2A_ASSETS_URL", &upstream);
        output(command.arg("accounts").args(arguments)).await
    };
    run(&["add", "sim-basic-0001", "eyJ-nobody-knows-it"]).await;
    let (code, out, err) = run(&["refresh"]).await;
    assert!(code == 1 && err.trim() == "1 of 2 accounts read", "{out} {err}");
    assert!(out.contains("1/2 ") && out.contains("2/2 ") && out.contains("failed"), "{out}");
    let (code, out, _) = run(&["refresh", "sim-basic-0001"]).await;
    assert!(code == 0 && out.ends_with("1 of 1 accounts read\n"), "{out}");
    let (_, out, _) = run(&["list"]).await;
    assert!(out.contains("normal 80/80"), "{out}");
}

#[rstest]
#[tokio::test]
async fn what_is_blocked_is_cleared_on_the_command_line(#[values(Shape::Whole, Shape::Split)] shape: Shape) {
    let product = product(shape, 1).await;
    let blocked = product.ask("grok-3-fast", "[[sim:fault=403-blocked]]x").await;
    assert_eq!(blocked.code(), "upstream_account_blocked", "{}", blocked.text);
    assert_eq!(product.settled().await[0].status(), Status::Banned);
    assert_eq!(product.ask("grok-3-fast", "x").await.code(), "no_accounts");
    let clear = async |name: &str| {
        let mut command = grok2api(product.data.path());
        output(command.envs(product.backing.environment()).args(["accounts", "clear", name])).await
    };
    // The command works on what the product last wrote.
    let (code, out, err) = loop {
        let told = clear("sim-basic-01").await;
        if told.1.trim() != "0 cleared" {
            break told;
        }
    };
    assert_eq!((code, out.trim()), (0, "1 cleared"), "{err}");
    while product.accounts().await[0].status() != Status::Active {
        tokio::task::yield_now().await;
    }
    assert_eq!(product.ask("grok-3-fast", "[[sim:say=fine]]").await.content(), "fine");
    product.stop().await;
}
