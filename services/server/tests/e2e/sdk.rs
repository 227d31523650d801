//! Real SDKs drive the product: `tests/sdk`. What they are answered is held against OpenAI's document and our own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rstest::rstest;
use serde_json::json;
use tokio::{process::Command, time::timeout};

use crate::support::{Product, Shape};

pub const KEY: &str = "sk-sdk-tests";
/// Far above what the tests need; every request has a deadline of its own.
const DEADLINE: Duration = Duration::from_secs(300);

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdks_work(#[case] shape: Shape) {
    // Enough that those which a fault takes out are not missed.
    let tokens: Vec<String> = (0..40).map(|n| format!("sim-basic-{n}")).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let product = Product::with(shape, &tokens).await;
    product
        .set(&[
            ("api_key", json!(KEY)),
            ("stream_first_response_timeout", json!(60)),
            ("stream_chunk_timeout", json!(60)),
            ("stream_total_timeout", json!(120)),
        ])
        .await;
    let record = product.data.path().join("answers.ndjson");
    let python: [&[&str]; 2] =
        [&["-m", "pytest", "-q", "tests/sdk"], &["tests/sdk/record.py", record.to_str().unwrap()]];
    let node = ["openai", "ai", "langchain"].map(|name| format!("tests/sdk/node/{name}.test.js"));
    let node = ["--test", "--test-timeout=60000"].into_iter().chain(node.iter().map(String::as_str));
    for (name, arguments) in
        [("python", python[0].to_vec()), ("node", node.collect()), ("python", python[1].to_vec())]
    {
        let mut command = driver(&product, &program(name));
        command.args(arguments).env("G2A_RECORD", &record);
        run(command, DEADLINE).await;
    }
    product.stop().await;
}

/// Runs a program to its end, which must be a success; what it said.
pub async fn run(mut command: Command, deadline: Duration) -> String {
    let output = timeout(deadline, command.output()).await.expect("it hangs").unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    said
}

/// A program that drives the product, in the workspace.
pub fn driver(product: &Product, program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(workspace())
        .env("G2A_BASE_URL", format!("{}/v1", product.base))
        .env("G2A_SIM_URL", product.sim.url())
        .env("G2A_API_KEY", KEY)
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .kill_on_drop(true);
    command
}

/// A program of the environment that `scripts/setup test` makes.
pub fn program(name: &str) -> PathBuf {
    let given = std::env::var_os("G2A_TEST_PYTHON").unwrap_or_else(|| "target/sdk-venv/bin/python".into());
    let program = workspace().join(given).with_file_name(name);
    assert!(program.exists(), "this test needs {}: run 'make test', which installs it", program.display());
    program
}

/// The programs of another environment that `scripts/setup test` makes.
pub fn environment(name: &str) -> PathBuf {
    let programs = workspace().join("target").join(name).join("bin");
    assert!(programs.exists(), "this test needs {}: run 'make test', which installs it", programs.display());
    programs
}

/// The root of the repository.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}
