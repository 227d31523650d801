//! Over a socket: what only a connection can show.

use std::{net::SocketAddr, time::Duration};

use grok2api_kit::settings::Settings;
use grok2api_proto::chat::{End, Text, chat_event::Kind};
use grok2api_testkit::{
    FakeCaptures, FakeChat, FakeIdempotency, FakeLedger, FakeMediaCache, FakeResponses, FakeVideoJobs, Step,
    Turn, runtime_config,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};

use super::*;

const LIMIT: usize = 1024 * 1024;
const LONG: Duration = Duration::from_secs(10);

async fn start(turns: impl IntoIterator<Item = Turn>) -> (TcpStream, Arc<FakeChat>, Tasks) {
    let (address, chat, tasks) = listen(turns, &[]).await;
    (TcpStream::connect(address).await.unwrap(), chat, tasks)
}

/// A gateway over fakes, with settings such as `MAX_IN_FLIGHT`.
pub(crate) async fn listen(
    turns: impl IntoIterator<Item = Turn>,
    settings: &[(&str, u32)],
) -> (SocketAddr, Arc<FakeChat>, Tasks) {
    let (chat, tasks) = (Arc::new(FakeChat::playing(turns)), Tasks::new());
    let given = settings.iter().map(|(name, value)| (format!("G2A_HTTP__{name}"), value.to_string()));
    let http = Settings::load(None, given).unwrap().http;
    let usage = usage::Recorder::start(Arc::<FakeLedger>::default(), None, &tasks);
    let deps = Deps {
        chat: chat.clone(),
        media: Arc::<FakeMediaCache>::default(),
        videos: Videos::start(
            Arc::<FakeVideoJobs>::default(),
            chat.clone(),
            usage.clone(),
            ClientKeys::default(),
            &tasks,
        ),
        responses: Arc::<FakeResponses>::default(),
        runtime: Runtime::fixed(runtime_config()),
        client_keys: ClientKeys::default(),
        trusted_proxies: Networks::default(),
        readiness: Readiness::new(tasks.shutdown().clone()),
        max_body_bytes: LIMIT,
        capture: capture::Capturer::start(
            Arc::<FakeCaptures>::default(),
            Runtime::fixed(runtime_config()),
            &tasks,
        ),
        idempotency: Idempotency::start(Arc::<FakeIdempotency>::default(), &http, &tasks),
        max_in_flight: http.max_in_flight,
        usage,
        tasks: tasks.clone(),
        admin: None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, router(deps), &http, &tasks);
    (address, chat, tasks)
}

pub(crate) async fn send(client: &mut TcpStream, body: &str) {
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: g.example\r\ncontent-length:";
    client.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
}

/// Reads until the text is there.
pub(crate) async fn expect(client: &mut TcpStream, text: &str) -> String {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(text) {
        let read = timeout(LONG, client.read_buf(&mut seen)).await.unwrap().unwrap();
        assert_ne!(read, 0, "the connection ended before {text:?}: {}", String::from_utf8_lossy(&seen));
    }
    String::from_utf8(seen).unwrap()
}

pub(crate) const STREAMED: &str =
    r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
pub(crate) const WHOLE: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

pub(crate) fn text(text: &str) -> Step {
    Step::Batch(vec![Kind::Text(Text { text: text.into() })])
}

#[tokio::test]
async fn a_connection_that_closes_stops_a_stream() {
    let (mut client, chat, _tasks) = start([Turn::of([text("a"), Step::Hang])]).await;
    send(&mut client, STREAMED).await;
    expect(&mut client, "\"content\":\"a\"").await;
    drop(client);
    timeout(LONG, chat.closed()).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_closes_stops_a_turn_that_is_not_streamed() {
    let (mut client, chat, _tasks) = start([Turn::of([text("a"), Step::Hang])]).await;
    send(&mut client, WHOLE).await;
    while chat.open() == 0 {
        tokio::task::yield_now().await;
    }
    drop(client);
    timeout(LONG, chat.closed()).await.unwrap();
}

#[tokio::test]
async fn draining_lets_a_stream_finish_and_then_ends() {
    let gate = Arc::new(Notify::new());
    let steps = [text("a"), Step::Until(gate.clone()), Step::Batch(vec![Kind::End(End::default())])];
    let (mut client, _chat, tasks) = start([Turn::of(steps)]).await;
    send(&mut client, STREAMED).await;
    expect(&mut client, "\"content\":\"a\"").await;
    tasks.shutdown().drain();
    gate.notify_one();
    expect(&mut client, "[DONE]").await;
    assert!(tasks.finish(LONG).await);
}

#[tokio::test]
async fn the_hard_stop_cuts_a_stream_with_an_error() {
    let (mut client, chat, tasks) = start([Turn::of([text("a"), Step::Hang])]).await;
    send(&mut client, STREAMED).await;
    expect(&mut client, "\"content\":\"a\"").await;
    tasks.shutdown().drain();
    assert!(!tasks.finish(Duration::ZERO).await);
    expect(&mut client, "server_stopping").await;
    timeout(LONG, chat.closed()).await.unwrap();
}

#[tokio::test]
async fn a_client_that_writes_too_much_still_reads_the_answer() {
    let (mut client, _chat, _tasks) = start([]).await;
    send(&mut client, &"x".repeat(LIMIT + LIMIT / 2)).await;
    let answer = expect(&mut client, "request_too_large").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_asks_before_it_writes_too_much_need_not_write() {
    let (mut client, _chat, _tasks) = start([]).await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: 9999999\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let answer = expect(&mut client, "request_too_large").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}
