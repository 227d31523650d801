//! The binary itself: start-up text, ready line, exit codes, accounts while it runs, signals.

use std::{path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
};

pub(super) fn grok2api(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grok2api"));
    command
        .env_clear()
        .env("G2A_DATA_DIR", data)
        .env("G2A_LISTEN", "127.0.0.1:0")
        .env("G2A_OPS_LISTEN", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(super) async fn output(command: &mut Command) -> (i32, String, String) {
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// A started process, its lines, and what it said up to its `ready` line.
pub(super) async fn ready(command: &mut Command) -> (Child, Lines<BufReader<ChildStdout>>, String) {
    // Nobody reads its log here, and a full pipe would stop it.
    started(command.stderr(Stdio::null())).await
}

/// The same; its log goes where the command says.
pub(super) async fn started(command: &mut Command) -> (Child, Lines<BufReader<ChildStdout>>, String) {
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        said.push_str(&line);
        said.push('\n');
        if line.starts_with("ready ") {
            return (child, lines, said);
        }
    }
    panic!("not ready: {said}");
}

pub(super) fn address<'a>(said: &'a str, name: &str) -> &'a str {
    let start = said.rfind(&format!("{name}=")).unwrap() + name.len() + 1;
    said[start..].split_whitespace().next().unwrap()
}

pub(super) fn signal(child: &Child, name: &str) {
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

#[tokio::test]
async fn the_start_up_text_says_what_to_do_next_and_accounts_are_taken_in_while_it_runs() {
    let data = tempfile::tempdir().unwrap();
    let (sim, _sim_lines, sim_said) =
        ready(grok2api(data.path()).args(["sim", "--listen", "127.0.0.1:0"])).await;
    let upstream = format!("http://{}", address(&sim_said, "sim"));
    let mut serve = grok2api(data.path());
    serve.arg("serve").env("G2A_UPSTREAM_URL", &upstream).env("G2A_ASSETS_URL", &upstream);
    let (mut product, _lines, said) = ready(&mut serve).await;
    assert!(said.contains("There are no accounts yet") && said.contains("accounts add"), "{said}");
    assert!(said.contains("no api_key is set"), "{said}");
    let (code, out, _) = output(grok2api(data.path()).args([
        "accounts",
        "add",
        "sso=sim-basic-0001; sso-rw=sim-basic-0001",
        "sim-basic-0001",
    ]))
    .await;
    assert_eq!((code, out.trim()), (0, "1 added, 1 known already, 0 refused"));
    let base = format!("http://{}", address(&said, "http"));
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let client = reqwest::Client::new();
    let body = r#"{"model":"grok-3-fast","messages":[{"role":"user","content":"[[sim:say=hello]]"}]}"#;
    let answer = loop {
        let answer = client.post(format!("{base}/v1/chat/completions")).body(body).send().await.unwrap();
        if answer.status() == 200 {
            break answer.text().await.unwrap();
        }
        assert_eq!(answer.status(), 503);
        tokio::task::yield_now().await;
    };
    assert!(answer.contains("hello"));
    let ops = address(&said, "ops").rsplit(':').next().unwrap().to_owned();
    let (code, out, _) = output(grok2api(data.path()).args(["healthcheck", "--port", &ops])).await;
    assert_eq!((code, out.trim()), (0, "ready"));
    signal(&product, "TERM");
    assert_eq!(product.wait().await.unwrap().code(), Some(0));
    let (code, out, _) = output(grok2api(data.path()).args(["accounts", "list"])).await;
    assert!(code == 0 && out.contains("sim-…0001") && !out.contains("sim-basic"), "{out}");
    let (code, out, _) = output(grok2api(data.path()).args(["accounts", "remove", "sim-basic-0001"])).await;
    assert_eq!((code, out.trim()), (0, "1 removed"));
    drop(sim);
}

/// A simulator and the product on it, with one account.
async fn product(data: &Path) -> (Child, Child, String) {
    product_with(data, |command| _ = command.stderr(Stdio::null())).await
}

async fn product_with(data: &Path, change: impl FnOnce(&mut Command)) -> (Child, Child, String) {
    let (sim, _, sim_said) = ready(grok2api(data).args(["sim", "--listen", "127.0.0.1:0"])).await;
    assert_eq!(output(grok2api(data).args(["accounts", "add", "sim-basic-0001"])).await.0, 0);
    let upstream = format!("http://{}", address(&sim_said, "sim"));
    let mut serve = grok2api(data);
    serve.arg("serve").env("G2A_UPSTREAM_URL", &upstream).env("G2A_ASSETS_URL", &upstream);
    change(&mut serve);
    let (product, _, said) = started(&mut serve).await;
    // The first reading must not fall into the test's own turns, or it counts them twice until the next.
    while !output(grok2api(data).args(["accounts", "list"])).await.1.contains("80/80") {}
    (sim, product, said)
}

#[tokio::test]
async fn a_stream_that_is_open_when_the_process_is_told_to_stop_ends_whole() {
    let data = tempfile::tempdir().unwrap();
    let (_sim, mut product, said) = product(data.path()).await;
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let client = reqwest::Client::new();
    let body = r#"{"model":"grok-3-fast","stream":true,"messages":[{"role":"user","content":"[[sim:tokens=60]][[sim:delay_ms=20]]"}]}"#;
    let chat = format!("http://{}/v1/chat/completions", address(&said, "http"));
    let mut stream = client.post(&chat).body(body).send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    signal(&product, "TERM");
    let ready = format!("http://{}/readyz", address(&said, "ops"));
    while client.get(&ready).send().await.unwrap().status() != 503 {}
    // Soon after, nothing new is accepted.
    while TcpStream::connect(address(&said, "http")).await.is_ok() {}
    let mut rest = Vec::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        rest.extend_from_slice(&chunk);
    }
    assert!(String::from_utf8(rest).unwrap().ends_with("data: [DONE]\n\n"));
    assert_eq!(product.wait().await.unwrap().code(), Some(0));
    let (_, out, _) = output(grok2api(data.path()).args(["accounts", "list"])).await;
    assert!(out.contains("79/80"), "the turn was settled: {out}");
}

#[tokio::test]
async fn a_stop_tells_what_it_waits_for_and_a_second_signal_ends_it() {
    let data = tempfile::tempdir().unwrap();
    let log = data.path().join("log");
    let file = std::fs::File::create(&log).unwrap();
    // It would wait for an hour.
    let patient = |command: &mut Command| _ = command.env("G2A_GRACE_SECONDS", "3600").stderr(file);
    let (_sim, mut product, said) = product_with(data.path(), patient).await;
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let client = reqwest::Client::new();
    let body = r#"{"model":"grok-3-fast","stream":true,"messages":[{"role":"user","content":"[[sim:tokens=100000]][[sim:delay_ms=20]]"}]}"#;
    let chat = format!("http://{}/v1/chat/completions", address(&said, "http"));
    let mut stream = client.post(&chat).body(body).send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    signal(&product, "TERM");
    let told = || std::fs::read_to_string(&log).unwrap();
    // Twice: it goes on telling.
    while told().matches("still open: 1 /v1/chat/completions, 1 turn").count() < 2 {
        assert!(stream.chunk().await.unwrap().is_some(), "the stream goes on");
    }
    signal(&product, "TERM");
    assert_eq!(product.wait().await.unwrap().code(), Some(0));
    let mut rest = Vec::new();
    while let Ok(Some(chunk)) = stream.chunk().await {
        rest.extend_from_slice(&chunk);
    }
    assert!(
        !String::from_utf8_lossy(&rest).contains("\"finish_reason\":\"stop\""),
        "it was not the answer that ended"
    );
    let (_, out, _) = output(grok2api(data.path()).args(["accounts", "list"])).await;
    assert!(out.contains("79/80"), "the turn was settled: {out}");
}

#[tokio::test]
async fn all_mistakes_of_the_settings_are_listed_and_the_exit_code_is_78() {
    let data = tempfile::tempdir().unwrap();
    let mut command = grok2api(data.path());
    command.arg("serve").env("G2A_LISTEN", "nowhere").env("STORAGE_MODE", "disk").env("G2A_HTP__X", "1");
    let (code, _, err) = output(&mut command).await;
    assert_eq!(code, 78, "{err}");
    assert!(["G2A_LISTEN", "storage.mode", "G2A_HTP__X"].iter().all(|part| err.contains(part)), "{err}");
}

#[tokio::test]
async fn a_taken_port_and_an_unusable_data_directory_exit_with_78() {
    let data = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, _, err) =
        output(grok2api(data.path()).arg("serve").env("G2A_LISTEN", taken.local_addr().unwrap().to_string()))
            .await;
    assert!(code == 78 && err.contains("http.listen"), "{code} {err}");
    let file = data.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let (code, _, err) = output(grok2api(&file).arg("serve")).await;
    assert!(code == 78 && err.contains("data directory"), "{code} {err}");
}

#[tokio::test]
async fn a_wrong_key_is_noticed_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    let add = |data: &Path| {
        let mut command = grok2api(data);
        command.args(["accounts", "add", "sim-basic-1"]);
        command
    };
    assert_eq!(output(&mut add(data.path())).await.0, 0);
    std::fs::remove_file(data.path().join("master.key")).unwrap();
    let (code, _, err) = output(grok2api(data.path()).arg("serve")).await;
    assert!(code == 78 && err.contains("there is no key in"), "{code} {err}");
    assert!(!data.path().join("master.key").exists(), "a new key would be of no use");
}

#[tokio::test]
async fn one_process_serves_a_data_directory_and_commands_work_beside_it() {
    let data = tempfile::tempdir().unwrap();
    let (mut first, _lines, _) = ready(grok2api(data.path()).arg("serve")).await;
    let (code, _, err) = output(grok2api(data.path()).arg("serve")).await;
    let holder = format!("the process {} serves config", first.id().unwrap());
    assert!(code == 78 && err.contains(&holder) && err.contains("STORAGE_MODE"), "{code} {err}");
    assert_eq!(output(grok2api(data.path()).args(["accounts", "add", "sim-basic-1"])).await.0, 0);
    first.kill().await.unwrap();
    let (_second, _lines, _) = ready(grok2api(data.path()).arg("serve")).await;
}

#[tokio::test]
async fn wrong_usage_exits_with_64_and_roles_that_run_apart_need_their_peers() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(output(grok2api(data.path()).arg("srve")).await.0, 64);
    assert_eq!(output(grok2api(data.path()).args(["serve", "--run", "chat,cache"])).await.0, 64);
    let (code, _, err) = output(grok2api(data.path()).args(["serve", "--run", "chat"])).await;
    assert_eq!(code, 78);
    assert!(
        ["peers.token_pool", "peers.media_cache", "peers.config", "internal.secret"]
            .iter()
            .all(|part| err.contains(part)),
        "{err}"
    );
}

#[tokio::test]
async fn parameters_are_listed_set_and_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    let (code, out, _) =
        output(grok2api(data.path()).args(["parameters", "set", "api_key", "sk-a-very-secret-key"])).await;
    assert_eq!(code, 0, "{out}");
    let (_, out, _) = output(grok2api(data.path()).args(["parameters", "list"])).await;
    assert!(out.contains("sk-a…-key") && !out.contains("very-secret"), "{out}");
    let (code, _, err) =
        output(grok2api(data.path()).args(["parameters", "set", "stream_total_timeout", "soon"])).await;
    assert!(code == 1 && err.contains("stream_total_timeout"), "{err}");
    let (code, out, _) = output(grok2api(data.path()).args(["config", "dump"])).await;
    assert!(code == 0 && out.contains("[http]"), "{out}");
}

#[tokio::test]
async fn a_parameter_is_read_from_standard_input_so_that_no_shell_keeps_it() {
    let data = tempfile::tempdir().unwrap();
    let given = data.path().join("given");
    let set = || {
        let mut command = grok2api(data.path());
        command.args(["parameters", "set", "api_key", "-"]).stdin(std::fs::File::open(&given).unwrap());
        command
    };
    std::fs::write(&given, "sk-a-very-secret-key\n").unwrap();
    let (code, out, err) = output(&mut set()).await;
    assert_eq!(code, 0, "{out} {err}");
    std::fs::write(&given, b"sk-\xff").unwrap();
    let (code, _, err) = output(&mut set()).await;
    assert!(code == 1 && err.contains("standard input"), "{code} {err}");
    let (_, out, _) = output(grok2api(data.path()).args(["parameters", "list"])).await;
    assert!(out.contains("sk-a…-key") && !out.contains("very-secret"), "{out}");
}

#[tokio::test]
async fn a_bad_scenario_names_its_line() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("scenario.toml");
    std::fs::write(&file, "seed = 1\n[[fault]]\nname = \"nonsense\"\n").unwrap();
    let (code, _, err) =
        output(grok2api(data.path()).args(["sim", "--scenario", file.to_str().unwrap()])).await;
    assert!(code == 78 && err.contains("scenario.toml") && err.contains("nonsense"), "{code} {err}");
}
