//! Backup and restore by the command line; and what happens when the disk is full.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rstest::rstest;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::cli::{address, grok2api, output, ready};

/// A product that runs, with an account, a parameter and a drawn image.
struct Running {
    data: TempDir,
    image: String,
    base: String,
    product: Child,
    _sim: Child,
}

impl Running {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let (sim, _, said) = ready(grok2api(data.path()).args(["sim", "--listen", "127.0.0.1:0"])).await;
        let upstream = format!("http://{}", address(&said, "sim"));
        assert_eq!(output(grok2api(data.path()).args(["accounts", "add", "sim-basic-0001"])).await.0, 0);
        let set = ["parameters", "set", "stream_total_timeout", "77"];
        assert_eq!(output(grok2api(data.path()).args(set)).await.0, 0);
        let mut serve = grok2api(data.path());
        // A write beyond a limit is to fail, and not to end the process.
        let shell = format!("trap '' XFSZ; exec {} serve", env!("CARGO_BIN_EXE_grok2api"));
        let mut command = Command::new("sh");
        command.args(["-c", &shell]).env_clear().stdout(std::process::Stdio::piped()).kill_on_drop(true);
        for (name, value) in serve.arg("serve").as_std().get_envs() {
            command.env(name, value.unwrap());
        }
        command.env("G2A_UPSTREAM_URL", &upstream).env("G2A_ASSETS_URL", &upstream);
        let (product, _, said) = ready(&mut command).await;
        let base = format!("http://{}", address(&said, "http"));
        let mut running = Self { data, image: String::new(), base, product, _sim: sim };
        let (status, answer) = running.ask("draw a moon").await;
        assert_eq!(status, 200, "{answer}");
        answer.split("/images/").nth(1).unwrap().split(')').next().unwrap().clone_into(&mut running.image);
        running
    }

    async fn ask(&self, text: &str) -> (u16, String) {
        let body = format!(r#"{{"model":"grok-3-fast","messages":[{{"role":"user","content":"{text}"}}]}}"#);
        let answer = client().post(format!("{}/v1/chat/completions", self.base)).body(body);
        let answer = answer.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Lets every write of the product to a file fail, or succeed again.
    fn disk(&self, full: bool) {
        let limit = if full { "--fsize=1:unlimited" } else { "--fsize=unlimited:unlimited" };
        let pid = self.product.id().unwrap().to_string();
        let done = std::process::Command::new("prlimit").args(["--pid", &pid, limit]).status().unwrap();
        assert!(done.success());
    }
}

fn client() -> reqwest::Client {
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// All files below, with their sizes.
fn files(directory: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let (path, metadata) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        if metadata.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path, metadata.len()));
        }
    }
    found.sort();
    found
}

/// The command in a process that can write only so many blocks of 512 bytes to a file.
fn limited(data: &Path, blocks: u32, arguments: &str) -> Command {
    let binary = env!("CARGO_BIN_EXE_grok2api");
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec {binary} {arguments}")])
        .env_clear()
        .env("G2A_DATA_DIR", data);
    command
}

#[tokio::test]
async fn what_was_backed_up_while_it_ran_is_served_after_a_restore() {
    let running = Running::start().await;
    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("a backup.tar");
    let (code, said, err) =
        output(grok2api(running.data.path()).args(["backup", text(&archive), "--media"])).await;
    assert_eq!(code, 0, "{said}{err}");
    assert!(said.contains("verified: database, sealing key, 2 media"), "{said}");
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(files(out.path()).len(), 1, "nothing else is left");
    let (code, _, err) = output(grok2api(running.data.path()).args(["backup", text(&archive)])).await;
    assert!(code == 1 && err.contains("exists; --force replaces it"), "{err}");

    let data = out.path().join("new/data");
    let (code, said, err) = output(grok2api(&data).args(["restore", text(&archive)])).await;
    assert_eq!(code, 0, "{said}{err}");
    let (_, listed, _) = output(grok2api(&data).args(["accounts", "list"])).await;
    assert!(listed.contains("sim-…0001"), "{listed}");
    let (_, listed, _) = output(grok2api(&data).args(["parameters", "list"])).await;
    assert!(
        listed.lines().any(|line| line.starts_with("stream_total_timeout") && line.ends_with("77")),
        "{listed}"
    );
    let (_product, _lines, said) = ready(grok2api(&data).arg("serve")).await;
    let url = format!("http://{}/images/{}", address(&said, "http"), running.image);
    let image = client().get(url).send().await.unwrap();
    assert_eq!(image.status(), 200);
    assert!(image.bytes().await.unwrap().starts_with(b"\xff\xd8\xff"));
}

#[tokio::test]
async fn a_directory_in_use_is_never_replaced_and_another_one_only_by_force() {
    let mut running = Running::start().await;
    let data = running.data.path().to_owned();
    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("backup.tar");
    assert_eq!(output(grok2api(&data).args(["backup", text(&archive)])).await.0, 0);
    let (code, _, err) = output(grok2api(&data).args(["restore", text(&archive)])).await;
    assert!(code == 1 && err.contains("is not empty; --force"), "{err}");
    let (code, _, err) = output(grok2api(&data).args(["restore", text(&archive), "--force"])).await;
    assert!(code == 1 && err.contains("is in use: stop the product"), "{err}");
    assert_eq!(running.ask("x").await.0, 200, "it goes on");
    running.product.kill().await.unwrap();
    assert_eq!(output(grok2api(&data).args(["accounts", "add", "sim-basic-0002"])).await.0, 0);
    let (code, said, err) = output(grok2api(&data).args(["restore", text(&archive), "--force"])).await;
    assert_eq!(code, 0, "{said}{err}");
    let (_, listed, _) = output(grok2api(&data).args(["accounts", "list"])).await;
    assert!(listed.contains("sim-…0001") && !listed.contains("sim-…0002"), "{listed}");
    let kept = said.split("what was there before is in ").nth(1).unwrap().split(';').next().unwrap();
    let (_, listed, _) = output(grok2api(Path::new(kept)).args(["accounts", "list"])).await;
    assert!(listed.contains("sim-…0002"), "the old state is whole: {listed}");
    assert!(data.join("media/images").join(&running.image).exists(), "media that are in no archive stay");
}

#[rstest]
#[case::text("text", "is no backup of grok2api")]
#[case::empty("empty", "is no backup of grok2api")]
#[case::cut("cut", "is damaged")]
#[case::end("end", "its end is missing")]
#[case::changed("changed", "is damaged: its sums do not match")]
#[case::newer("newer", "is newer than this one")]
#[case::missing("missing", "No such file")]
#[tokio::test]
async fn what_is_no_whole_backup_changes_nothing(#[case] how: &str, #[case] told: &str) {
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(output(grok2api(data.path()).args(["accounts", "add", "sim-basic-0001"])).await.0, 0);
    let archive = out.path().join("backup.tar");
    assert_eq!(output(grok2api(data.path()).args(["backup", text(&archive)])).await.0, 0);
    let mut bytes = fs::read(&archive).unwrap();
    let at = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|window| window == part).unwrap();
    match how {
        "text" => bytes = b"not an archive at all\n".repeat(100),
        "empty" => bytes.clear(),
        "cut" => bytes.truncate(bytes.len() / 2),
        "end" => bytes.truncate(at(&bytes, b"SHA256SUMS\0")),
        "changed" => {
            let end = at(&bytes, b"master.key\0");
            bytes[end - 600] ^= 1;
        }
        "newer" => {
            let number = at(&bytes, b"\"migration\": ") + 13;
            // The blank before it makes room for a number that is greater for ever.
            bytes[number - 1..=number].copy_from_slice(b"99");
        }
        _ => fs::remove_file(&archive).unwrap(),
    }
    if how != "missing" {
        fs::write(&archive, bytes).unwrap();
    }
    let before = files(data.path());
    let (code, _, err) = output(grok2api(data.path()).args(["restore", text(&archive), "--force"])).await;
    assert!(code == 1 && err.contains(told) && err.contains("backup.tar"), "{code} {err}");
    assert_eq!(files(data.path()), before);
    let fresh = out.path().join("fresh");
    assert_eq!(output(grok2api(&fresh).args(["restore", text(&archive)])).await.0, 1);
    assert!(!fresh.exists(), "nothing is left of the attempt");
}

#[tokio::test]
async fn a_key_of_the_settings_is_not_in_the_archive_and_both_commands_say_so() {
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let with_key = |directory: &Path| {
        let mut command = grok2api(directory);
        command.env("G2A_MASTER_KEY", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
        command
    };
    assert_eq!(output(with_key(data.path()).args(["accounts", "add", "sim-basic-0001"])).await.0, 0);
    let archive = out.path().join("backup.tar");
    let (code, said, _) = output(with_key(data.path()).args(["backup", text(&archive)])).await;
    assert!(
        code == 0 && said.contains("not in it: the sealing key, which comes from the setting seal.key"),
        "{said}"
    );
    let restored = out.path().join("data");
    let (code, said, _) = output(grok2api(&restored).args(["restore", text(&archive)])).await;
    assert!(code == 0 && said.contains("the sealing key was not in the archive"), "{said}");
    let (_, listed, _) = output(with_key(&restored).args(["accounts", "list"])).await;
    assert!(listed.contains("sim-…0001"), "{listed}");
}

#[tokio::test]
async fn a_full_disk_ends_a_backup_and_a_restore_and_harms_nothing() {
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(output(grok2api(data.path()).args(["accounts", "add", "sim-basic-0001"])).await.0, 0);
    let archive = out.path().join("backup.tar");
    assert_eq!(output(grok2api(data.path()).args(["backup", text(&archive)])).await.0, 0);
    let (whole, before) = (fs::read(&archive).unwrap(), files(data.path()));
    for blocks in [8, 100] {
        let backup = format!("backup --force {}", archive.display());
        let (code, _, err) = output(&mut limited(data.path(), blocks, &backup)).await;
        assert!(code == 1 && err.starts_with(text(&archive)), "{code} {err}");
        assert!(fs::read(&archive).unwrap() == whole, "the old one is still there");
        let restore = format!("restore --force {}", archive.display());
        let (code, _, err) = output(&mut limited(data.path(), blocks, &restore)).await;
        assert!(code == 1 && err.starts_with(text(data.path())) && err.contains("too large"), "{code} {err}");
    }
    assert_eq!((files(data.path()), files(out.path()).len()), (before, 1));
    let set = "parameters set stream_total_timeout 70";
    let (code, _, err) = output(&mut limited(data.path(), 0, set)).await;
    assert!(code == 78 && err.contains("data directory") && err.contains("the store failed"), "{code} {err}");
    assert_eq!(output(grok2api(data.path()).args(["restore", "--force", text(&archive)])).await.0, 0);
}

#[tokio::test]
async fn a_full_disk_fails_what_must_be_written_and_nothing_else() {
    let running = Running::start().await;
    running.disk(true);
    let (status, answer) = running.ask("draw a sun").await;
    assert!(status == 503 && answer.contains("_store_failed"), "{status} {answer}");
    let (status, answer) = running.ask("[[sim:say=hello]]").await;
    assert!(status == 200 && answer.contains("hello"), "{status} {answer}");
    let image = client().get(format!("{}/images/{}", running.base, running.image)).send().await.unwrap();
    assert_eq!(image.status(), 200);
    running.disk(false);
    let (status, answer) = running.ask("draw a sun").await;
    assert!(status == 200 && answer.contains("/images/"), "{status} {answer}");
    let (_, listed, _) = output(grok2api(running.data.path()).args(["accounts", "list"])).await;
    assert!(listed.contains("active"), "{listed}");
}

#[tokio::test]
async fn there_must_be_something_to_back_up_and_a_place_for_it() {
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let archive = out.path().join("backup.tar");
    let (code, _, err) = output(grok2api(data.path()).args(["backup", text(&archive)])).await;
    assert!(code == 1 && err.contains("there is no grok2api.db"), "{err}");
    assert_eq!(files(data.path()).len(), 0);
    assert_eq!(output(grok2api(data.path()).args(["accounts", "add", "sim-basic-0001"])).await.0, 0);
    let nowhere = out.path().join("nowhere/backup.tar");
    let (code, _, err) = output(grok2api(data.path()).args(["backup", text(&nowhere)])).await;
    assert!(code == 1 && err.contains("nowhere/.backup.tar.") && err.contains("No such file"), "{err}");
    let mut on_bucket = grok2api(data.path());
    on_bucket.args(["backup", text(&archive), "--media"]).env("G2A_MEDIA_URL", "s3://media");
    let (code, _, err) = output(&mut on_bucket).await;
    assert!(code == 1 && err.contains("the media lie in s3://media"), "{err}");
}

#[tokio::test]
async fn a_restore_keeps_the_media_that_are_not_in_the_archive() {
    let mut running = Running::start().await;
    let data = running.data.path().to_owned();
    let out = tempfile::tempdir().unwrap();
    let archive = out.path().join("backup.tar");
    let (code, said, err) = output(grok2api(&data).args(["backup", text(&archive), "--media"])).await;
    assert_eq!(code, 0, "{said}{err}");
    let (status, answer) = running.ask("draw a sun").await;
    assert_eq!(status, 200, "{answer}");
    let later = answer.split("/images/").nth(1).unwrap().split(')').next().unwrap().to_owned();
    running.product.kill().await.unwrap();
    let images = data.join("media/images");
    fs::write(images.join(&running.image), "spoilt").unwrap();
    let (code, said, err) = output(grok2api(&data).args(["restore", text(&archive), "--force"])).await;
    assert_eq!(code, 0, "{said}{err}");
    assert!(images.join(&later).exists(), "what is not in the archive stays");
    assert!(fs::read(images.join(&running.image)).unwrap().starts_with(b"\xff\xd8\xff"));
    let kept = said.split("what was there before is in ").nth(1).unwrap().split(';').next().unwrap();
    assert_eq!(fs::read(Path::new(kept).join("images").join(&running.image)).unwrap(), b"spoilt");
    let (_product, _lines, said) = ready(grok2api(&data).arg("serve")).await;
    for image in [&running.image, &later] {
        let url = format!("http://{}/images/{image}", address(&said, "http"));
        assert_eq!(client().get(url).send().await.unwrap().status(), 200, "{image}");
    }
}

/// What an old key of the settings seals opens with no key in the archive.
#[tokio::test]
async fn a_backup_names_the_keys_that_are_not_in_it() {
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let mut before = grok2api(data.path());
    before.args(["accounts", "add", "sim-basic-0001"]).env("G2A_MASTER_KEY", old);
    assert_eq!(output(&mut before).await.0, 0);
    // A key of the data directory's own from now on, and the one before only opens.
    fs::write(data.path().join("master.key"), "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n").unwrap();
    let archive = out.path().join("backup.tar");
    let now = |arguments: &[&str]| {
        let mut command = grok2api(data.path());
        command.args(arguments).env("G2A_OLD_MASTER_KEYS", old);
        command
    };
    assert_eq!(output(&mut now(&["accounts", "add", "sim-basic-0002"])).await.0, 0);
    let (_, status, _) = output(&mut now(&["keys", "status"])).await;
    let key = status.lines().find(|line| line.contains("opens only")).unwrap().split(' ').next().unwrap();
    let (code, said, err) = output(&mut now(&["backup", text(&archive)])).await;
    assert_eq!(code, 0, "{err}");
    let told = format!("not in it: the key {key}, which 1 seal_check, 1 accounts in it are sealed with");
    assert!(said.contains("database, sealing key") && said.contains(&told), "{said}");
    assert_eq!(output(&mut now(&["keys", "rotate"])).await.0, 0);
    let (_, said, _) = output(&mut now(&["backup", "--force", text(&archive)])).await;
    assert!(!said.contains("the key "), "{said}");
}

/// Secrets lie in what is not ready: a run that is told to stop takes them away, and what one left that was killed goes
/// with the next.
#[tokio::test]
async fn nothing_is_left_of_a_backup_or_restore_that_was_cut_off() {
    let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(output(grok2api(data.path()).args(["accounts", "add", "sim-basic-0001"])).await.0, 0);
    let images = data.path().join("media/images");
    fs::create_dir_all(&images).unwrap();
    // Large enough to be met in the middle; it takes no room on the disk, and hashing it takes long.
    fs::File::create(images.join("large.jpg")).unwrap().set_len(20 << 30).unwrap();
    let archive = out.path().join("backup.tar");
    let hidden = |directory: &Path| {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        entries
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with('.'))
            .collect::<Vec<_>>()
    };
    for signal in ["TERM", "INT", "KILL"] {
        let mut backup = grok2api(data.path());
        let mut backup = backup.args(["backup", text(&archive), "--media"]).spawn().unwrap();
        let begun = || {
            hidden(out.path())
                .iter()
                .any(|path| fs::metadata(path.join("archive")).is_ok_and(|archive| archive.len() > 1 << 20))
        };
        while !begun() {
            assert!(backup.try_wait().unwrap().is_none(), "it has not ended by itself");
            tokio::task::yield_now().await;
        }
        let pid = backup.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let ended = backup.wait_with_output().await.unwrap();
        let err = String::from_utf8(ended.stderr).unwrap();
        assert!(!archive.exists());
        if signal == "KILL" {
            assert_eq!(hidden(out.path()).len(), 1);
        } else {
            assert_eq!(hidden(out.path()), Vec::<PathBuf>::new(), "{signal}: {err}");
            assert!(ended.status.code() == Some(1) && err.contains("stopped by a signal"), "{signal}: {err}");
        }
    }
    fs::remove_file(images.join("large.jpg")).unwrap();
    let (code, said, err) = output(grok2api(data.path()).args(["backup", text(&archive)])).await;
    assert!(code == 0 && err.contains("left by a run that was cut off"), "{said}{err}");
    assert_eq!(hidden(out.path()), Vec::<PathBuf>::new());
    // The same in the data directory, of a process with the id that every one has in its container.
    fs::create_dir(data.path().join(".restore-1")).unwrap();
    fs::write(data.path().join(".restore-1/master.key"), "secret").unwrap();
    let (code, said, err) = output(grok2api(data.path()).args(["restore", "--force", text(&archive)])).await;
    assert_eq!(code, 0, "{said}{err}");
    assert_eq!(hidden(data.path()), Vec::<PathBuf>::new());
}
