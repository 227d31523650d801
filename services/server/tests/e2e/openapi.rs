//! schemathesis asks the product what its own `/openapi.json` says can be asked, and more that cannot: nothing may fail
//! inside, and no answer may be one that the document does not know.

use std::time::Duration;

use grok2api_proto::{
    keys::{CreateRequest, Limits, Spec},
    ledger::{Outcome, QueryRequest},
};
use serde_json::json;

use crate::{
    admin,
    sdk::{KEY, driver, program},
    support::{Product, Shape},
};

/// It stops by itself well before.
const DEADLINE: Duration = Duration::from_secs(600);

async fn start() -> Product {
    let tokens: Vec<String> = (0..40).map(|n| format!("sim-basic-{n}")).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let product = Product::with(Shape::Whole, &tokens).await;
    product.patience(60).await;
    product
}

/// Asks as whoever has that key or session, if any; what schemathesis said.
async fn ask(product: &Product, bearer: Option<&str>, arguments: &[&str]) -> String {
    let mut command = driver(product, &program("schemathesis"));
    command
        .args(["run", &format!("{}/openapi.json", product.base)])
        // A schema cannot say what makes a text the base64 of an image, nor that a conversation must say something.
        .args(["--exclude-checks", "positive_data_acceptance"])
        // Beside other tests it may have to wait.
        .args(["--request-timeout", "60"])
        .args(["--seed", "1", "--no-shrink", "--suppress-health-check", "all", "--warnings", "off"])
        .args(arguments)
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", "tests/openapi");
    if let Some(bearer) = bearer {
        command.args(["--header", &format!("Authorization: Bearer {bearer}")]);
    }
    crate::sdk::run(command, DEADLINE).await
}

/// The API of clients; that of admins has a test of its own. Without `--max-time`: what is asked must not depend on how busy
/// the machine is.
const CLIENTS: [&str; 4] = ["--exclude-path-regex", "^/api/", "--max-examples", "25"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_outside_of_the_document() {
    let product = start().await;
    let said = ask(&product, None, &CLIENTS).await;
    assert!(said.contains("Tested: 22"), "{said}");
    product.stop().await;
}

/// A key that may do little meets refusals: 401 without it, 403 for the model of videos, 429 when it asks too often.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_to_a_key_with_limits_is_outside_of_the_document() {
    let product = start().await;
    // The hooks draw their picture with this one.
    product.set(&[("api_key", json!(KEY))]).await;
    let spec = Spec {
        name: "limited".into(),
        models: vec!["grok-3-fast".into()],
        limits: Some(Limits { requests_per_minute: Some(5), ..Limits::default() }),
        ..Spec::default()
    };
    let request = CreateRequest { spec: Some(spec), author: "test".into() };
    let secret = product.gateway().services.keys.create(request).await.unwrap().secret;
    let said = ask(&product, Some(&secret), &CLIENTS).await;
    assert!(said.contains("Tested: 22"), "{said}");
    for outcome in [Outcome::Refused, Outcome::RateLimited] {
        let query = QueryRequest { outcome: outcome.into(), limit: 1, ..QueryRequest::default() };
        let met = product.gateway().services.ledger.query(query).await.unwrap().entries;
        assert_eq!(met.len(), 1, "{outcome:?}: {said}");
    }
    product.stop().await;
}

/// Only what is read is asked here: a change made of any words at all would end the session that asks. What is changed is held
/// against the document in the tests of the admin API. The live view has no end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_to_an_admin_who_reads_is_outside_of_the_document() {
    let (product, owner) = admin::start(Shape::Whole, &["sim-basic-1"]).await;
    product.ask("grok-3-fast", "draw a moon").await;
    let clients = "^/(v1|images|videos|health|api/live$)";
    let only = ["--include-method", "GET", "--exclude-path-regex", clients];
    let said = ask(&product, Some(&owner.token), &[&only[..], &["--max-examples", "25"]].concat()).await;
    assert!(said.contains("Tested: "), "{said}");
    product.stop().await;
}
