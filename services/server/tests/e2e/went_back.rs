//! A store that comes back with less than it had acknowledged: what it has counts, and nothing of it is overlooked.

use std::{process::Command, time::Duration};

use grok2api_proto::keys::{CreateRequest, Spec};
use grok2api_testkit::{Backing, RedisServer};
use serde_json::json;

use crate::{
    cli::{grok2api, output},
    support::{Product, Shape},
};

const SOON: Duration = Duration::from_secs(20);

/// A Redis that writes nothing down but what `save` does.
fn forgetful() -> Backing {
    Backing::Redis(RedisServer::with(&["--appendonly", "no"]))
}

fn save(backing: &Backing) {
    let Backing::Redis(server) = backing else { panic!("a Redis") };
    let status = Command::new("redis-cli").args(["-u", &server.url(), "SAVE"]).status().unwrap();
    assert!(status.success());
}

async fn key(product: &Product, name: &str) -> String {
    let spec = Some(Spec { name: name.into(), ..Spec::default() });
    let request = CreateRequest { spec, author: "test".into() };
    product.gateway().services.keys.create(request).await.unwrap().secret
}

async fn run(product: &Product, arguments: &[&str]) -> String {
    let mut command = grok2api(product.data.path());
    let (code, out, err) = output(command.envs(product.backing.environment()).args(arguments)).await;
    assert_eq!(code, 0, "{out}{err}");
    out
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(SOON, waiting).await.is_ok(), "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_store_has_after_it_went_back_is_what_counts() {
    let mut product = Product::on_store(Shape::Whole, &["sim-basic-1", "sim-basic-2"], forgetful()).await;
    let kept = key(&product, "kept").await;
    tokio::task::block_in_place(|| save(&product.backing));

    let lost = key(&product, "lost").await;
    product.set(&[("max_attempts", json!(5))]).await;
    run(&product, &["accounts", "set", "sim-basic-1", "--priority", "3"]).await;
    product.add(&["sim-basic-3"]).await;
    assert_eq!(product.ask_with(&lost, "grok-3-fast", "x").await.status, 200);
    assert_eq!(product.accounts().await.len(), 3);

    tokio::task::block_in_place(|| {
        product.backing.kill();
        product.backing.start_again();
    });
    // Before anybody has looked: a revision of the same number, and a row that was changed as often as before.
    run(&product, &["parameters", "set", "max_attempts", "6"]).await;
    run(&product, &["accounts", "set", "sim-basic-1", "--disable"]).await;

    let runtime = product.gateway().services.runtime.clone();
    eventually("the parameters follow", async || runtime.current().config.max_attempts == 6).await;
    eventually("the lost key is refused", async || {
        product.ask_with(&lost, "grok-3-fast", "x").await.status == 401
    })
    .await;
    eventually("the accounts follow", async || {
        let accounts = product.accounts().await;
        let disabled = accounts.iter().filter(|account| account.disabled).count();
        (accounts.len(), disabled) == (2, 1)
    })
    .await;
    assert_eq!(product.ask_with(&kept, "grok-3-fast", "[[sim:say=on]]").await.content(), "on");
    product.settled().await;
    let listed = run(&product, &["accounts", "list"]).await;
    assert!(listed.contains("disabled"), "what the operator said stays: {listed}");
    product.stop().await;
}
