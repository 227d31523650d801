//! Programs that people use read a file with a tool and say what is in it: `tests/agents/package.json`.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    sdk::{KEY, run, workspace},
    support::{Product, Shape},
};

/// Far above what they need.
const DEADLINE: Duration = Duration::from_secs(240);
const NOTE: &str = "the moon is full tonight";

/// The product, and a directory with a note that is the program's home.
async fn desk() -> (Product, TempDir) {
    let tokens: Vec<String> = (0..10).map(|n| format!("sim-basic-{n}")).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let product = Product::with(Shape::Whole, &tokens).await;
    product.patience(60).await;
    product.set(&[("api_key", json!(KEY))]).await;
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("note.txt"), NOTE).unwrap();
    (product, home)
}

/// A program in its home, cut off from the world.
fn program(name: &str, home: &Path) -> Command {
    let path = workspace().join("tests/agents/node_modules/.bin").join(name);
    assert!(path.exists(), "this test needs {}: run 'make test', which installs it", path.display());
    let mut command = Command::new(path);
    command.current_dir(home).stdin(Stdio::null()).env("HOME", home).env("NO_PROXY", "127.0.0.1");
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"] {
        command.env(name, home.join(name));
    }
    command.kill_on_drop(true);
    command
}

fn task(tool: &str, argument: &str, home: &Path) -> String {
    let path = home.join("note.txt");
    format!("[[sim:call={tool} {}]] What does the note say?", json!({ argument: path }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_code_reads_a_note() {
    let (product, home) = desk().await;
    let mut command = program("claude", home.path());
    command
        .args([
            "-p",
            &task("Read", "file_path", home.path()),
            "--allowedTools",
            "Read",
            "--model",
            "grok-3-fast",
        ])
        .env("ANTHROPIC_BASE_URL", &product.base)
        .env("ANTHROPIC_AUTH_TOKEN", KEY)
        .env("ANTHROPIC_SMALL_FAST_MODEL", "grok-3-fast")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    let said = run(command, DEADLINE).await;
    assert!(said.contains("The tool said:") && said.contains(NOTE), "{said}");
    product.stop().await;
}
