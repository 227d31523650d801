//! Programs that people use do a task with a file: they read it with a tool and say what is in it, and aider, which
//! knows no tools, changes it. They come with `tests/agents/package.json` and `tests/agents/aider.txt`.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    sdk::{self, KEY, environment, run, workspace},
    support::{Product, Shape},
};

/// Far above what they need.
const DEADLINE: Duration = Duration::from_secs(240);
const MODEL: &str = "grok-3-fast";
const NOTE: &str = "the moon is full tonight";

/// The product, and a directory with a note that is the program's home.
async fn desk(shape: Shape) -> (Product, TempDir) {
    let tokens: Vec<String> = (0..10).map(|n| format!("sim-basic-{n}")).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let product = Product::with(shape, &tokens).await;
    product.patience(60).await;
    product.set(&[("api_key", json!(KEY))]).await;
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("note.txt"), NOTE).unwrap();
    (product, home)
}

/// A program of npm's in its home.
fn program(name: &str, home: &Path) -> Command {
    at_home(&workspace().join("tests/agents/node_modules/.bin").join(name), home)
}

/// A program in its home, cut off from the world.
fn at_home(path: &Path, home: &Path) -> Command {
    assert!(path.exists(), "this test needs {}: run 'make test', which installs it", path.display());
    let mut command = Command::new(path);
    command.current_dir(home).env("PWD", home).env("HOME", home);
    command.stdin(Stdio::null()).env("NO_PROXY", "127.0.0.1");
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"] {
        command.env(name, home.join(name));
    }
    // Some are scripts of Node's.
    let node = sdk::program("node");
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let paths = node.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&paths));
    command.env("PATH", std::env::join_paths(paths).unwrap());
    command.kill_on_drop(true);
    command
}

fn task(tool: &str, arguments: &Value) -> String {
    format!("[[sim:call={tool} {arguments}]] What does the note say?")
}

/// The program has said what the tool brought, which was the note.
fn has_read(said: &str) {
    assert!(said.contains("The tool said:") && said.contains(NOTE), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claude_code_reads_a_note() {
    let (product, home) = desk(Shape::Whole).await;
    let mut command = program("claude", home.path());
    let task = task("Read", &json!({ "file_path": home.path().join("note.txt") }));
    command
        .args(["-p", &task, "--allowedTools", "Read", "--model", MODEL])
        .env("ANTHROPIC_BASE_URL", &product.base)
        .env("ANTHROPIC_AUTH_TOKEN", KEY)
        .env("ANTHROPIC_SMALL_FAST_MODEL", MODEL)
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    has_read(&run(command, DEADLINE).await);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codex_reads_a_note() {
    let (product, home) = desk(Shape::Split).await;
    let configured = home.path().join("codex");
    std::fs::create_dir(&configured).unwrap();
    let config = format!(
        "model = \"{MODEL}\"\nmodel_provider = \"here\"\n[model_providers.here]\nname = \"here\"\n\
         base_url = \"{}/v1\"\nenv_key = \"G2A_API_KEY\"\nwire_api = \"responses\"\n",
        product.base
    );
    std::fs::write(configured.join("config.toml"), config).unwrap();
    let mut command = program("codex", home.path());
    // Its sandbox needs what a container often has not.
    command
        .args(["exec", "--skip-git-repo-check", "--sandbox", "danger-full-access"])
        .arg(task("exec_command", &json!({"cmd": "cat note.txt"})))
        .env("CODEX_HOME", &configured)
        .env("G2A_API_KEY", KEY);
    has_read(&run(command, DEADLINE).await);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opencode_reads_a_note() {
    let (product, home) = desk(Shape::Split).await;
    let model = format!("here/{MODEL}");
    let config = json!({
        "model": model, "small_model": model, "autoupdate": false, "share": "disabled",
        "provider": {"here": {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": format!("{}/v1", product.base), "apiKey": KEY},
            "models": {MODEL: {}},
        }},
    });
    std::fs::write(home.path().join("opencode.json"), config.to_string()).unwrap();
    // What stands on the command line it puts in quotes, with a backslash before each quote in it; so the task is read.
    let asked = home.path().join("task.txt");
    std::fs::write(&asked, task("read", &json!({ "filePath": home.path().join("note.txt") }))).unwrap();
    let mut command = program("opencode", home.path());
    command.arg("run").stdin(std::fs::File::open(&asked).unwrap());
    for name in ["MODELS_FETCH", "AUTOUPDATE", "LSP_DOWNLOAD", "DEFAULT_PLUGINS"] {
        command.env(format!("OPENCODE_DISABLE_{name}"), "1");
    }
    has_read(&run(command, DEADLINE).await);
    product.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aider_changes_a_note() {
    let (product, home) = desk(Shape::Whole).await;
    let mut command = at_home(&environment("aider-venv").join("aider"), home.path());
    let edit = format!("note.txt\n<<<<<<< SEARCH\n{NOTE}\n=======\nthe sun is up\n>>>>>>> REPLACE\n");
    command
        .args(["--model", &format!("openai/{MODEL}"), "--edit-format", "diff", "--no-git", "--yes-always"])
        .args([
            "--no-check-update",
            "--no-show-release-notes",
            "--no-show-model-warnings",
            "--analytics-disable",
        ])
        .args([
            "--message",
            &format!("[[sim:say=So be it.\n\n{edit}]] Write that the sun is up."),
            "note.txt",
        ])
        .env("OPENAI_API_BASE", format!("{}/v1", product.base))
        .env("OPENAI_API_KEY", KEY);
    let said = run(command, DEADLINE).await;
    let note = std::fs::read_to_string(home.path().join("note.txt")).unwrap();
    assert_eq!(note.trim_end(), "the sun is up", "{said}");
    product.stop().await;
}
