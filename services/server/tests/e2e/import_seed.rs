//! The Python project's data, taken over by the command line.

use std::{fs, path::Path};

use crate::cli::{address, grok2api, output, ready};

const SETTINGS: &str = r#"
[global]
base_url = "https://grok.example.com"
image_mode = "base64"
log_level = "INFO"
admin_password = "a-long-password"
max_upload_concurrency = 20

[grok]
api_key = "sk-seed-secret-key"
stream_total_timeout = "soon"
temporary = false
"#;
const TOKENS: &str = r#"{"ssoNormal":{
    "sim-basic-0001":{"createdTime":1700000000000,"remainingQueries":63,"heavyremainingQueries":-1,"status":"active",
        "failedCount":0,"lastFailureTime":null,"lastFailureReason":null,"tags":["old"],"note":"from Python"},
    "sim-basic-0002":{"createdTime":1700000000000,"remainingQueries":-1,"status":"expired","failedCount":3},
    "x":{}},
  "ssoSuper":{"sso=sim-super-0003":{"remainingQueries":-1,"heavyremainingQueries":-1}}}"#;
const IMAGE: &str = "users-u-1-generated-i-1-image.jpg";

/// The seed's project directory.
fn seed(dir: &Path) {
    fs::create_dir_all(dir.join("data/temp/image")).unwrap();
    fs::create_dir_all(dir.join("data/temp/video")).unwrap();
    fs::write(dir.join("data/setting.toml"), SETTINGS).unwrap();
    fs::write(dir.join("data/token.json"), TOKENS).unwrap();
    fs::write(dir.join("data/temp/image").join(IMAGE), b"\xff\xd8\xff\xe0 an old image").unwrap();
    fs::write(dir.join("data/temp/image/page.jpg"), "<html>Just a moment</html>").unwrap();
    let film = [b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41".as_slice(), &[7; 9000]].concat();
    fs::write(dir.join("data/temp/video/users-u-1-generated-v-1-video.mp4"), film).unwrap();
}

#[tokio::test]
async fn a_seed_is_taken_over_once_and_what_cannot_be_is_named() {
    let (data, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    seed(old.path());
    let dir = old.path().to_str().unwrap();
    let (code, dry, _) = output(grok2api(data.path()).args(["import-seed", dir, "--dry-run"])).await;
    assert!(code == 1 && dry.contains("this was a dry run"), "{dry}");
    let (_, out, _) = output(grok2api(data.path()).args(["accounts", "list"])).await;
    assert!(!out.contains("sim-"), "a dry run adds nothing: {out}");

    let (code, out, err) = output(grok2api(data.path()).args(["import-seed", dir])).await;
    assert_eq!(code, 1, "{out}{err}");
    for told in [
        "settings: 5 taken, 1 already there, 2 not taken",
        "accounts: 3 taken, 0 already there, 1 not taken",
        "media: 2 taken, 0 already there, 1 not taken",
    ] {
        assert!(out.contains(told) && dry.contains(told), "{told} is missing in:\n{out}\n{dry}");
    }
    for told in [
        "global.base_url: \"https://grok.example.com\"",
        "grok.api_key: sk-s…-key",
        "global.max_upload_concurrency: not taken: there is no such parameter here",
        "grok.stream_total_timeout: not taken: stream_total_timeout must be a whole number",
        "not taken: the token is too short",
        "temp/image/page.jpg: not taken: its content is not of its kind",
        "revision 1 by import-seed",
    ] {
        assert!(out.contains(told), "{told} is missing in:\n{out}");
    }
    let all = format!("{dry}{out}{err}");
    assert!(
        !["sim-basic-0", "sim-super-0", "seed-secret", "long-password"].iter().any(|s| all.contains(s)),
        "{all}"
    );
    assert!(err.contains("4 entries were not taken"), "{err}");

    let (_, out, _) = output(grok2api(data.path()).args(["import-seed", dir])).await;
    for told in [
        "settings: 0 taken, 6 already there, 2 not taken",
        "accounts: 0 taken, 3 already there, 1 not taken",
        "media: 0 taken, 2 already there, 1 not taken",
    ] {
        assert!(out.contains(told), "{told} is missing in:\n{out}");
    }
    assert!(!out.contains("revision"), "{out}");
    let (_, out, _) = output(grok2api(data.path()).args(["accounts", "list"])).await;
    assert!(out.contains("from Python") && out.contains("[old]") && out.contains("invalid"), "{out}");
}

#[tokio::test]
async fn old_addresses_of_media_are_served() {
    let (data, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    seed(old.path());
    let (_product, _lines, said) = ready(grok2api(data.path()).arg("serve")).await;
    // Beside the running product, and from the data directory itself.
    let dir = old.path().join("data");
    output(grok2api(data.path()).args(["import-seed", dir.to_str().unwrap()])).await;
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/images/{IMAGE}", address(&said, "http"));
    let image = client.get(url).send().await.unwrap();
    assert_eq!(
        (image.status().as_u16(), image.headers()["content-type"].to_str().unwrap()),
        (200, "image/jpeg")
    );
    assert_eq!(image.bytes().await.unwrap(), b"\xff\xd8\xff\xe0 an old image".as_slice());
}

#[tokio::test]
async fn media_that_have_no_room_and_broken_files_are_named() {
    let (data, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    seed(old.path());
    fs::write(old.path().join("data/token.json"), "{\"ssoNormal\": {\"sim-basic-0001\"").unwrap();
    fs::write(old.path().join("data/setting.toml"), "[global]\n\napi_key = sk-secret-key\n").unwrap();
    let large = [b"\xff\xd8\xff\xe0".as_slice(), &vec![0; 2 << 20]].concat();
    fs::write(old.path().join("data/temp/image/large.jpg"), large).unwrap();
    let set = ["parameters", "set", "image_cache_max_size_mb", "1"];
    assert_eq!(output(grok2api(data.path()).args(set)).await.0, 0);
    let (code, out, _) =
        output(grok2api(data.path()).args(["import-seed", old.path().to_str().unwrap(), "--report"])).await;
    assert_eq!(code, 1);
    for told in [
        "token.json: not taken: the text is not of its format: line 1",
        "setting.toml: not taken: line 3",
        "temp/image/large.jpg: not taken: no room is left for it: raise image_cache_max_size_mb",
        "image.jpg: taken, 17 bytes",
    ] {
        assert!(out.contains(told), "{told} is missing in:\n{out}");
    }
    assert!(!out.contains("sim-basic") && !out.contains("secret-key"), "{out}");
    let empty = tempfile::tempdir().unwrap();
    let (code, _, err) =
        output(grok2api(data.path()).args(["import-seed", empty.path().to_str().unwrap()])).await;
    assert!(code == 1 && err.contains("holds no data/setting.toml"), "{err}");
}
