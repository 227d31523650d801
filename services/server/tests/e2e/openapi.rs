//! schemathesis asks the product what its own `/openapi.json` says can be asked, and more that cannot: nothing may fail
//! inside, and no answer may be one that the document does not know.

use std::time::Duration;

use crate::{
    sdk::{driver, program},
    support::{Product, Shape},
};

/// It stops by itself well before.
const DEADLINE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_outside_of_the_document() {
    let tokens: Vec<String> = (0..40).map(|n| format!("sim-basic-{n}")).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let product = Product::with(Shape::Whole, &tokens).await;
    product.patience(60).await;
    let mut command = driver(&product, &program("schemathesis"));
    command
        .args(["run", &format!("{}/openapi.json", product.base)])
        // A schema cannot say what makes a text the base64 of an image, nor that a conversation must say something.
        .args(["--exclude-checks", "positive_data_acceptance"])
        // Those of the admin API ask for a session, and are asked in `admin`.
        .args(["--exclude-path-regex", "^/api/"])
        .args(["--max-examples", "15", "--seed", "1", "--max-time", "75", "--no-shrink"])
        .args(["--suppress-health-check", "all", "--warnings", "off"])
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", "tests/openapi");
    let said = crate::sdk::run(command, DEADLINE).await;
    assert!(said.contains("Tested: 22"), "{said}");
    product.stop().await;
}
