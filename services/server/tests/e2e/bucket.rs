//! Media in a bucket: served like any other, and told at the start when it cannot be used.

use grok2api_testkit::S3Server;
use tokio::process::Command;

use crate::cli::{address, grok2api, output, ready};

fn on_bucket(command: &mut Command, endpoint: &str) {
    command
        .env("G2A_MEDIA_URL", format!("s3://{}/cache", S3Server::BUCKET))
        .env("G2A_MEDIA_ENDPOINT", endpoint)
        .env("G2A_MEDIA_ACCESS_KEY", "key")
        .env("G2A_MEDIA_SECRET_KEY", "a-long-secret-of-the-bucket");
}

#[tokio::test]
async fn images_lie_in_the_bucket_and_are_served_from_there() {
    let data = tempfile::tempdir().unwrap();
    let bucket = S3Server::start();
    let (_sim, _sim_lines, said) =
        ready(grok2api(data.path()).args(["sim", "--listen", "127.0.0.1:0"])).await;
    let upstream = format!("http://{}", address(&said, "sim"));
    assert_eq!(output(grok2api(data.path()).args(["accounts", "add", "sim-basic-1"])).await.0, 0);
    let mut serve = grok2api(data.path());
    serve.arg("serve").env("G2A_UPSTREAM_URL", &upstream).env("G2A_ASSETS_URL", &upstream);
    on_bucket(&mut serve, &bucket.endpoint());
    let (_product, _lines, said) = ready(&mut serve).await;
    let base = format!("http://{}", address(&said, "http"));
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = r#"{"model":"grok-3-fast","messages":[{"role":"user","content":"draw a moon"}]}"#;
    let answer = client.post(format!("{base}/v1/chat/completions")).body(body).send().await.unwrap();
    let answer = answer.text().await.unwrap();
    let name = answer.split("/images/").nth(1).unwrap().split(')').next().unwrap().to_owned();
    assert!(bucket.keys("cache/images/").contains(&format!("cache/images/{name}")), "{name}");
    assert!(!data.path().join("media").exists(), "nothing lies on this machine");
    let image =
        client.get(format!("{base}/images/{name}")).header("range", "bytes=0-2").send().await.unwrap();
    assert_eq!(image.status(), 206);
    assert_eq!(image.bytes().await.unwrap(), b"\xff\xd8\xff".as_slice());
}

#[tokio::test]
async fn a_bucket_that_cannot_be_used_exits_with_78_and_one_line() {
    let data = tempfile::tempdir().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut serve = grok2api(data.path());
    on_bucket(serve.arg("serve"), &format!("http://{closed}"));
    let (code, _, err) = output(&mut serve).await;
    assert_eq!(code, 78, "{err}");
    let told = err.split_once("grok2api cannot start:\n").unwrap().1;
    assert!(told.starts_with("  media store: s3://media/cache at http://127.0.0.1:"), "{err}");
    assert!(told.trim_end().lines().count() == 1 && !err.contains("long-secret"), "{err}");
}
