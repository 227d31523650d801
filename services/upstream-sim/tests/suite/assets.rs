//! The assets host: owners, ranges, validators.

use serde_json::json;

use crate::support::{BASIC, Bench, SUPER};

async fn video(bench: &Bench) -> String {
    let answer = bench.turn(BASIC, json!({"modelName": "grok-3", "message": "x[[sim:video]]"})).await;
    let steps = answer.all("streamingVideoGenerationResponse");
    steps.last().unwrap()["videoUrl"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn only_the_owner_gets_in() {
    let bench = Bench::start().await;
    let path = video(&bench).await;
    assert_eq!(bench.get(BASIC, &path).send().await.unwrap().status(), 200);
    for stranger in [SUPER, "nobody"] {
        assert_eq!(bench.get(stranger, &path).send().await.unwrap().status(), 403);
    }
    let without = bench.client().get(format!("{}/{path}", bench.sim.url())).send().await.unwrap();
    assert_eq!(without.status(), 403);
    let other = path.replace("generated_video", "other_video");
    assert_eq!(bench.get(BASIC, &other).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn ranges_add_up_to_the_whole() {
    let bench = Bench::start().await;
    let path = video(&bench).await;
    let whole = bench.get(BASIC, &path).send().await.unwrap().bytes().await.unwrap();
    let part = async |range: &str| bench.get(BASIC, &path).header("range", range).send().await.unwrap();

    let first = part("bytes=0-999").await;
    assert_eq!(first.status(), 206);
    assert_eq!(first.headers()["content-range"], format!("bytes 0-999/{}", whole.len()));
    let first = first.bytes().await.unwrap();
    let rest = part("bytes=1000-").await.bytes().await.unwrap();
    assert_eq!([first, rest].concat(), whole);
    assert_eq!(part("bytes=-10").await.bytes().await.unwrap(), whole[whole.len() - 10..]);

    let beyond = part("bytes=9999999-").await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"], format!("bytes */{}", whole.len()));
}

#[tokio::test]
async fn validators_and_head() {
    let bench = Bench::start().await;
    let path = video(&bench).await;
    let response = bench.get(BASIC, &path).send().await.unwrap();
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let size = response.bytes().await.unwrap().len();

    let known = bench.get(BASIC, &path).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((known.status().as_u16(), known.bytes().await.unwrap().len()), (304, 0));
    let stale = bench.get(BASIC, &path).header("range", "bytes=0-1").header("if-range", "\"old\"");
    assert_eq!(stale.send().await.unwrap().status(), 200);

    let mut head = bench.get(BASIC, &path).build().unwrap();
    *head.method_mut() = reqwest::Method::HEAD;
    let head = bench.client().execute(head).await.unwrap();
    assert_eq!(head.headers()["content-length"], size.to_string());
    assert_eq!(head.headers()["accept-ranges"], "bytes");
    assert!(head.bytes().await.unwrap().is_empty());
}
