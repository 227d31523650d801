//! Frameworks for agents drive the product: `tests/agents`.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::{
    sdk::{driver, environment, run},
    support::{Product, Shape},
};

/// Far above what the tests need; every request has a deadline of its own.
const DEADLINE: Duration = Duration::from_secs(300);

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_complete_their_tasks(#[case] shape: Shape) {
    let tokens: Vec<String> = (0..20).map(|n| format!("sim-basic-{n}")).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let product = Product::with(shape, &tokens).await;
    product.patience(60).await;
    product.set(&[("api_key", json!(crate::sdk::KEY))]).await;
    let mut command = driver(&product, &environment("agents-venv").join("python"));
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/agents"]);
    run(command, DEADLINE).await;
    product.stop().await;
}
