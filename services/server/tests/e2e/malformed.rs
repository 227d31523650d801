//! Ten thousand requests that are wrong, each in its own way: refused or disconnected, never a failure of ours, and
//! nothing is left of them.

mod wrong;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use futures_util::{StreamExt as _, stream};
use rstest::rstest;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{processes::Processes, support::Shape};
use wrong::{Wrong, wrong};

const AT_ONCE: usize = 64;
const LONG: Duration = Duration::from_secs(60);
/// What is sent beyond a limit is refused before it is read.
const LIMIT: u64 = 64 * 1024;

/// What the product said to one of them.
#[derive(Debug, Default)]
struct Said {
    statuses: Vec<u16>,
    /// The last answer had a body in the shape of its protocol's errors.
    shaped: bool,
}

/// Writes the request, and reads until the product closes the connection.
async fn send(address: SocketAddr, wrong: &Wrong) -> Said {
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut seen = Vec::new();
    let talk = async {
        // It may be refused while it is still being written.
        if client.write_all(&wrong.bytes).await.is_ok() && wrong.ends {
            client.shutdown().await.ok();
        }
        client.read_to_end(&mut seen).await.ok();
    };
    assert!(timeout(LONG, talk).await.is_ok(), "{} is never answered", wrong.name);
    read(&String::from_utf8_lossy(&seen))
}

fn read(text: &str) -> Said {
    let mut said = Said::default();
    for answer in text.split("HTTP/1.1 ").skip(1) {
        said.statuses.push(answer[..3].parse().unwrap());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        said.shaped = is_error(body);
    }
    said
}

/// OpenAI's shape, or Anthropic's.
fn is_error(body: &str) -> bool {
    let Ok(body) = serde_json::from_str::<Value>(body) else { return false };
    let Some(error) = body["error"].as_object() else { return false };
    let text = |name: &str| error.get(name).is_some_and(Value::is_string);
    let openai = error.len() == 4 && text("code") && body.as_object().is_some_and(|body| body.len() == 1);
    text("type") && text("message") && (openai || body["type"] == "error")
}

/// The same over HTTP/2, as far as it can be said there.
async fn send_again(client: &reqwest::Client, address: SocketAddr, wrong: &Wrong) -> Option<Said> {
    let (method, path, kind, body) = wrong.parts()?;
    let request = client.request(method.parse().unwrap(), format!("http://{address}{path}"));
    let request = request.header("content-type", kind).body(body.to_vec()).timeout(LONG);
    let answer = request.send().await.unwrap_or_else(|error| panic!("{error:?}: {method} {path}"));
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    let status = answer.status().as_u16();
    Some(Said { statuses: vec![status], shaped: is_error(&answer.text().await.unwrap()) })
}

#[rstest]
#[case::whole(Shape::Whole, 10_000)]
#[case::split(Shape::Split, 1_000)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_are_refused_and_leave_nothing_behind(#[case] shape: Shape, #[case] count: usize) {
    let limits = [("MAX_BODY_BYTES", LIMIT), ("HEAD_TIMEOUT_SECONDS", 1), ("BODY_TIMEOUT_SECONDS", 1)];
    let product = Processes::start(shape, 1, &limits).await;
    let (mut counts, mut shaped, mut used) = (BTreeMap::<String, usize>::new(), 0, Vec::new());
    let tenth = count / 10;
    for round in 0..10 {
        let cases = (round * tenth..(round + 1) * tenth).map(|seed| wrong(seed as u64));
        let said = stream::iter(cases).map(async |wrong| {
            let said = send(product.http, &wrong).await;
            (wrong, said)
        });
        let said: Vec<_> = said.buffer_unordered(AT_ONCE).collect().await;
        for (wrong, said) in said {
            check(&wrong, &said);
            shaped += usize::from(said.shaped);
            let last = said.statuses.last().map_or("closed".to_owned(), u16::to_string);
            *counts.entry(last).or_default() += 1;
        }
        used.push(product.used());
    }
    println!("{shape:?}: {counts:?}, {shaped} in shape; resident KiB and files after each tenth: {used:?}");
    let (first, last) = (used[0].resident_kib, used[9].resident_kib);
    assert!(last < first + 8 * 1024, "{used:?}");
    assert!(used[9].files < used[0].files + AT_ONCE, "{used:?}");
    assert_eq!(counts.values().sum::<usize>(), count);
    assert_eq!(product.upstream().await.1, 0, "none of them was worth a turn");
    let right = send(product.http, &wrong::right()).await;
    assert_eq!(right.statuses, [200]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_over_http_2_are_refused_one_by_one(
    #[values(Shape::Whole, Shape::Split)] shape: Shape,
) {
    let product = Processes::start(shape, 1, &[("MAX_BODY_BYTES", LIMIT)]).await;
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let said = stream::iter((0..1_000).map(wrong)).map(async |wrong| {
        let said = send_again(&client, product.http, &wrong).await;
        said.map(|said| (wrong, said))
    });
    let said: Vec<_> = said.buffer_unordered(AT_ONCE).filter_map(async |said| said).collect().await;
    assert!(said.len() > 400, "{}", said.len());
    said.iter().for_each(|(wrong, said)| check(wrong, said));
    assert_eq!(product.upstream().await.1, 0, "none of them was worth a turn");
    let right = send_again(&client, product.http, &wrong::right()).await.unwrap();
    assert_eq!(right.statuses, [200]);
}

fn check(wrong: &Wrong, said: &Said) {
    let text = String::from_utf8_lossy(&wrong.bytes[..wrong.bytes.len().min(500)]).into_owned();
    let name = wrong.name;
    for status in &said.statuses {
        assert!((400..500).contains(status) || *status == 100, "{name}: {status} to {text:?}");
    }
    assert!(wrong.may_close || said.statuses.last().is_some_and(|status| *status != 100), "{name}: {text:?}");
    assert!(wrong.may_close || said.shaped, "{name}: {said:?} to {text:?}");
}
