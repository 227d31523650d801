//! Changing the sealing key by the command line, beside a running product and by hand.

use std::path::Path;

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::cli::{address, grok2api, output, ready};

/// 32 bytes 7, and 32 bytes 8.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const OTHER_KEY: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";

fn with(data: &Path, key: &str, old: &str) -> Command {
    let mut command = grok2api(data);
    command.env("G2A_MASTER_KEY", key).env("G2A_OLD_MASTER_KEYS", old);
    command
}

#[tokio::test]
async fn the_key_of_the_data_directory_is_changed_beside_a_running_product() {
    let data = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| output(grok2api(data.path()).args(arguments)).await;
    run(&["accounts", "add", "sim-basic-0001", "sim-basic-0002"]).await;
    run(&["parameters", "set", "api_key", "hunter2-hunter2"]).await;
    let (sim, _sim, sim_said) = ready(grok2api(data.path()).args(["sim", "--listen", "127.0.0.1:0"])).await;
    let upstream = format!("http://{}", address(&sim_said, "sim"));
    let mut serve = grok2api(data.path());
    serve.arg("serve").env("G2A_UPSTREAM_URL", &upstream).env("G2A_ASSETS_URL", &upstream);
    let (_product, _lines, said) = ready(&mut serve).await;

    let (code, out, err) = run(&["keys", "rotate"]).await;
    assert_eq!(code, 0, "{out} {err}");
    // Two accounts, the parameters, the check.
    assert!(out.contains("4 values are sealed with key") && out.contains("seals nothing any more"), "{out}");
    let (code, out, _) = run(&["keys", "status"]).await;
    assert_eq!(code, 0);
    let current: Vec<_> = out.lines().filter(|line| line.contains("current ")).collect();
    assert!(current.last().unwrap().contains("2 accounts") && out.contains("opens only    nothing"), "{out}");

    // The running product follows: it opens what is added under the new key, and seals under it.
    run(&["accounts", "add", "sim-basic-0003"]).await;
    run(&["parameters", "set", "api_key", "sk-after-the-change"]).await;
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let chat = format!("http://{}/v1/chat/completions", address(&said, "http"));
    let body = r#"{"model":"grok-3-fast","messages":[{"role":"user","content":"[[sim:say=hello]]"}]}"#;
    let ask = || client.post(&chat).bearer_auth("sk-after-the-change").body(body).send();
    while ask().await.unwrap().status() != 200 {
        tokio::task::yield_now().await;
    }
    let (_, out, _) = run(&["keys", "status"]).await;
    assert!(
        out.contains("3 accounts, 2 settings_revisions") && out.contains("opens only    nothing"),
        "{out}"
    );

    let file = data.path().join("master.key");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 2);
    std::fs::write(&file, text.lines().next().unwrap()).unwrap();
    let (code, out, err) = run(&["accounts", "list"]).await;
    assert!(code == 0 && out.contains("sim-…0003"), "{err}");
    // The other way round nothing opens, and it is said.
    std::fs::write(&file, text.lines().next_back().unwrap()).unwrap();
    let (code, _, err) = run(&["accounts", "list"]).await;
    assert!(code == 78 && err.contains("sealed with key") && err.contains("seal.old_keys"), "{err}");
    drop(sim);
}

/// Killed once the key is made, which is when the work begins.
#[tokio::test]
async fn a_change_that_is_killed_is_finished_by_the_next() {
    let data = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| output(grok2api(data.path()).args(arguments)).await;
    let tokens: String = (0..4_000).map(|number| format!("sim-basic-{number:04}\n")).collect();
    let file = data.path().join("tokens.txt");
    std::fs::write(&file, tokens).unwrap();
    assert_eq!(run(&["accounts", "import", file.to_str().unwrap()]).await.0, 0);
    let mut rotating = grok2api(data.path()).args(["keys", "rotate"]).spawn().unwrap();
    let mut lines = BufReader::new(rotating.stdout.take().unwrap()).lines();
    assert!(lines.next_line().await.unwrap().unwrap().contains("is made"));
    rotating.kill().await.unwrap();
    let (_, status, _) = run(&["keys", "status"]).await;
    println!("{status}");
    let (code, out, err) = run(&["keys", "rotate"]).await;
    assert_eq!(code, 0, "{out} {err}");
    let (_, status, _) = run(&["keys", "status"]).await;
    assert!(status.contains("1 seal_check, 4000 accounts"), "{status}");
    let (code, out, err) = run(&["accounts", "list"]).await;
    assert!(code == 0 && out.lines().count() == 4_001, "{err}");
}

#[tokio::test]
async fn a_key_of_the_environment_is_changed_by_hand_and_the_command_says_how() {
    let data = tempfile::tempdir().unwrap();
    let run = async |key: &str, old: &str, arguments: &[&str]| {
        output(with(data.path(), key, old).args(arguments)).await
    };
    run(KEY, "", &["accounts", "add", "sim-basic-0001"]).await;
    let (code, _, err) = run(KEY, "", &["keys", "rotate"]).await;
    assert!(
        code == 1 && err.contains("openssl rand -base64 32") && err.contains("G2A_OLD_MASTER_KEYS"),
        "{err}"
    );
    assert!(!data.path().join("master.key").exists(), "no key is made behind the operator's back");
    let (code, _, err) = run(OTHER_KEY, "", &["keys", "rotate"]).await;
    assert!(code == 78 && err.contains("sealed with key") && !err.contains(KEY), "{err}");
    let (code, out, err) = run(OTHER_KEY, KEY, &["keys", "rotate"]).await;
    assert!(code == 0 && out.contains("2 values are sealed"), "{out} {err}");
    let (code, out, err) = run(OTHER_KEY, "", &["accounts", "list"]).await;
    assert!(code == 0 && out.contains("sim-…0001"), "{err}");
    let (code, _, err) = run(KEY, "", &["accounts", "list"]).await;
    assert_eq!(code, 78, "{err}");
}

/// Changes one byte of the sealed token of the only account of the tier super.
fn damage(data: &Path, key: &str) {
    let file = data.join("grok2api.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let id = u32::from_str_radix(key, 16).unwrap().to_be_bytes();
    // Format, key, nonce, a token of 14 bytes and its tag; behind it stands the tier.
    let (begin, length) = ([&[1], &id[..]].concat(), 1 + 4 + 24 + 14 + 16);
    let tokens: Vec<usize> = (0..bytes.len() - length - 5)
        .filter(|at| bytes[*at..].starts_with(&begin) && bytes[at + length..].starts_with(b"super"))
        .collect();
    assert!(!tokens.is_empty());
    tokens.into_iter().for_each(|at| bytes[at + 40] ^= 1);
    std::fs::write(&file, bytes).unwrap();
}

#[tokio::test]
async fn one_damaged_account_is_told_and_stops_nothing() {
    let data = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| output(grok2api(data.path()).args(arguments)).await;
    run(&["accounts", "add", "sim-basic-0001"]).await;
    run(&["accounts", "add", "sim-super-0001", "--tier", "super"]).await;
    let (_, status, _) = run(&["keys", "status"]).await;
    let key = status.lines().find(|line| line.contains("  current ")).unwrap();
    let key = key.split_whitespace().next().unwrap();
    damage(data.path(), key);

    let (code, listed, err) = run(&["accounts", "list"]).await;
    assert!(code == 0 && err.contains("grok2api accounts remove"), "{code} {err}");
    let hurt = listed.lines().find(|line| line.contains("unreadable")).unwrap();
    assert!(hurt.contains("damaged") && listed.contains("sim-…0001"), "{listed}");
    let id = hurt.split_whitespace().next().unwrap();

    let (sim, _sim, sim_said) = ready(grok2api(data.path()).args(["sim", "--listen", "127.0.0.1:0"])).await;
    let upstream = format!("http://{}", address(&sim_said, "sim"));
    let mut serve = grok2api(data.path());
    serve.arg("serve").env("G2A_UPSTREAM_URL", &upstream).env("G2A_ASSETS_URL", &upstream);
    let (mut product, _lines, said) = ready(&mut serve).await;
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = r#"{"model":"grok-3-fast","messages":[{"role":"user","content":"[[sim:say=hello]]"}]}"#;
    let chat = client.post(format!("http://{}/v1/chat/completions", address(&said, "http"))).body(body);
    assert_eq!(chat.send().await.unwrap().status(), 200, "the other one serves");
    product.kill().await.unwrap();
    drop(sim);

    let (code, out, err) = run(&["keys", "rotate"]).await;
    assert!(code == 1 && out.contains("2 values are sealed with key"), "{code} {out}");
    let told = format!("1 values are damaged and were left as they are: accounts {id} (key {key})");
    assert!(err.contains(&told) && !out.contains("seals nothing any more"), "{err} {out}");
    let (code, out, err) = run(&["accounts", "remove", id]).await;
    assert!(code == 0 && out.contains("1 removed"), "{out} {err}");
    let (code, listed, err) = run(&["accounts", "list"]).await;
    assert!(code == 0 && !listed.contains("unreadable") && err.is_empty(), "{listed} {err}");
    let (code, out, err) = run(&["accounts", "add", "sim-super-0001", "--tier", "super"]).await;
    assert_eq!(code, 0, "{out} {err}");
    let (_, listed, _) = run(&["accounts", "list"]).await;
    assert!(listed.contains(id) && listed.contains("super"), "it is back under its id: {listed}");
    let (code, out, err) = run(&["keys", "rotate"]).await;
    assert!(code == 0 && out.contains("seals nothing any more"), "{out} {err}");
}
