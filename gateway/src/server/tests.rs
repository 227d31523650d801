//! Clients that are slow, silent, many or gone, over real sockets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use grok2api_proto::chat::{End, chat_event::Kind};
use grok2api_testkit::{Step, Turn};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rstest::rstest;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::Notify,
    time::timeout,
};

use crate::tests::{STREAMED, WHOLE, expect, listen, send, text};

const LONG: Duration = Duration::from_secs(20);
/// How an answer ends.
const END: &str = "\"estimated\":true}}";
const HEAD: &str = "POST /v1/chat/completions HTTP/1.1\r\nhost: g.example\r\n";

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Everything up to the end of the connection; a reset is an end as well.
async fn rest(client: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    timeout(LONG, client.read_to_end(&mut seen)).await.unwrap().ok();
    String::from_utf8(seen).unwrap()
}

/// Checks that this is one answer with an error in OpenAI's shape.
fn is_error(answer: &str, status: &str, code: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    assert!(head.contains("content-type: application/json"), "{answer}");
    assert!(head.contains("access-control-allow-origin: *"), "{answer}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["error"]["code"], body["error"].as_object().unwrap().len()), (&code.into(), 4));
}

#[rstest]
#[case::line("POST /v1/cha")]
#[case::headers("POST /v1/chat/completions HTTP/1.1\r\nhost: g.example\r\nx-")]
#[case::letter("P")]
#[tokio::test]
async fn a_head_that_does_not_end_is_408(#[case] sent: &str) {
    let (address, ..) = listen([], &[("HEAD_TIMEOUT_SECONDS", 1)]).await;
    let mut client = connect(address).await;
    client.write_all(sent.as_bytes()).await.unwrap();
    is_error(&rest(&mut client).await, "408", "request_timeout");
}

#[tokio::test]
async fn the_head_of_a_second_request_is_waited_for_no_longer() {
    let (address, ..) = listen([], &[("HEAD_TIMEOUT_SECONDS", 1)]).await;
    let mut client = connect(address).await;
    send(&mut client, WHOLE).await;
    expect(&mut client, END).await;
    client.write_all(HEAD.as_bytes()).await.unwrap();
    is_error(&rest(&mut client).await, "408", "request_timeout");
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_closed_without_a_word() {
    let (address, ..) = listen([], &[("HEAD_TIMEOUT_SECONDS", 1), ("IDLE_TIMEOUT_SECONDS", 1)]).await;
    let (mut silent, mut idle) = (connect(address).await, connect(address).await);
    send(&mut idle, WHOLE).await;
    expect(&mut idle, END).await;
    assert_eq!((rest(&mut silent).await.as_str(), rest(&mut idle).await.as_str()), ("", ""));
}

#[rstest]
#[case::length("content-length: 100\r\n\r\n{\"model\":")]
#[case::chunked("transfer-encoding: chunked\r\n\r\n9\r\n{\"model\":\r\n")]
#[tokio::test]
async fn a_body_that_does_not_end_is_408(#[case] sent: &str) {
    let (address, chat, _tasks) = listen([], &[("BODY_TIMEOUT_SECONDS", 1)]).await;
    let mut client = connect(address).await;
    client.write_all(format!("{HEAD}{sent}").as_bytes()).await.unwrap();
    is_error(&rest(&mut client).await, "408", "request_timeout");
    assert!(chat.requests().is_empty());
}

#[tokio::test]
async fn a_chunked_body_beyond_the_limit_is_413() {
    let (address, ..) = listen([], &[]).await;
    let mut client = connect(address).await;
    client.write_all(format!("{HEAD}transfer-encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..20 {
        client.write_all(piece.as_bytes()).await.unwrap();
    }
    client.write_all(b"0\r\n\r\n").await.unwrap();
    let answer = expect(&mut client, "request_too_large").await;
    is_error(&answer, "413", "request_too_large");
}

#[tokio::test]
async fn a_client_that_is_refused_while_it_writes_sees_the_answer() {
    let (address, ..) = listen([], &[]).await;
    let mut client = connect(address).await;
    let head = "POST /v1/nothing HTTP/1.1\r\nhost: g.example\r\ncontent-length: 4000000\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&vec![b'x'; 4_000_000]).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("unknown_url"), "{answer}");
}

/// An answer over HTTP/2.
async fn ask2(sender: &mut SendRequest<Full<Bytes>>, body: &'static str) -> hyper::Response<Incoming> {
    let request = hyper::Request::post("http://g.example/v1/chat/completions");
    let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
    timeout(LONG, sender.send_request(request)).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_stream_that_panics_ends_with_an_error_and_its_connection_goes_on() {
    let (address, ..) = listen([Turn::of([text("a"), Step::Panic])], &[]).await;
    let mut client = connect(address).await;
    send(&mut client, STREAMED).await;
    let answer = expect(&mut client, "[DONE]\n\n").await;
    assert!(answer.contains("\"content\":\"a\"") && answer.contains("data: {\"error\":{"), "{answer}");
    assert!(answer.contains("internal_error"), "{answer}");
    send(&mut client, WHOLE).await;
    expect(&mut client, END).await;
}

#[tokio::test]
async fn a_stream_that_panics_leaves_those_beside_it_alone() {
    let (panics, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let bad = Turn::of([text("a"), Step::Until(panics.clone()), Step::Panic]);
    let end = Step::Batch(vec![Kind::End(End::default())]);
    let good = Turn::of([text("b"), Step::Until(goes_on.clone()), text("c"), end]);
    let (address, ..) = listen([bad, good], &[]).await;
    let io = TokioIo::new(connect(address).await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let told = async {
        let bad = ask2(&mut sender, STREAMED).await;
        let good = ask2(&mut sender, STREAMED).await;
        panics.notify_one();
        let bad = timeout(LONG, bad.into_body().collect()).await.unwrap().unwrap().to_bytes();
        goes_on.notify_one();
        let good = timeout(LONG, good.into_body().collect()).await.unwrap().unwrap().to_bytes();
        let later = ask2(&mut sender, WHOLE).await.status();
        [bad, good]
            .map(|body| String::from_utf8(body.to_vec()).unwrap())
            .into_iter()
            .chain([later.to_string()])
    };
    let told: Vec<String> = tokio::select! {
        told = told => told.collect(),
        ended = connection => panic!("the connection ended: {ended:?}"),
    };
    assert!(told[0].contains("internal_error") && told[0].ends_with("data: [DONE]\n\n"), "{told:?}");
    assert!(told[1].contains("\"content\":\"c\"") && told[1].ends_with("data: [DONE]\n\n"), "{told:?}");
    assert!(!told[1].contains("error") && told[2].starts_with("200"), "{told:?}");
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let (address, chat, _tasks) = listen([], &[]).await;
    let mut client = connect(address).await;
    for _ in 0..3 {
        send(&mut client, WHOLE).await;
        expect(&mut client, END).await;
    }
    assert_eq!(chat.requests().len(), 3);
}

#[tokio::test]
async fn a_stream_holds_its_place_until_its_end() {
    let (address, chat, _tasks) = listen([Turn::of([text("a"), Step::Hang])], &[("MAX_IN_FLIGHT", 1)]).await;
    let (mut first, mut second) = (connect(address).await, connect(address).await);
    send(&mut first, STREAMED).await;
    expect(&mut first, "\"content\":\"a\"").await;
    // Its body never comes, and is not waited for.
    let head = format!("{HEAD}connection: close\r\ncontent-length: 10\r\n\r\n");
    second.write_all(head.as_bytes()).await.unwrap();
    let refused = rest(&mut second).await;
    is_error(&refused, "503", "server_overloaded");
    for header in ["retry-after: 1\r\n", "retry-after-ms: 1000\r\n", "x-request-id: req_"] {
        assert!(refused.contains(header), "{header}: {refused}");
    }
    let mut probe = connect(address).await;
    probe.write_all(b"GET /health HTTP/1.1\r\nhost: g\r\n\r\n").await.unwrap();
    expect(&mut probe, "\"status\"").await;
    drop(first);
    timeout(LONG, chat.closed()).await.unwrap();
    let mut third = connect(address).await;
    loop {
        send(&mut third, WHOLE).await;
        if expect(&mut third, "}}").await.contains("\"Hello\"") {
            break;
        }
    }
}

#[tokio::test]
async fn a_new_connection_takes_the_place_of_one_without_a_request() {
    let (address, ..) = listen([], &[("MAX_CONNECTIONS", 2)]).await;
    let (mut idle, mut silent) = (connect(address).await, connect(address).await);
    send(&mut idle, WHOLE).await;
    expect(&mut idle, END).await;
    let mut later = Vec::new();
    for closed in [&mut silent, &mut idle] {
        let mut client = connect(address).await;
        send(&mut client, STREAMED).await;
        expect(&mut client, "[DONE]").await;
        assert_eq!(rest(closed).await, "");
        later.push(client);
    }
}

#[tokio::test]
async fn a_connection_is_refused_when_all_are_busy() {
    let hang = || Turn::of([text("a"), Step::Hang]);
    let (address, _chat, tasks) = listen([hang(), hang()], &[("MAX_CONNECTIONS", 2)]).await;
    let mut busy = [connect(address).await, connect(address).await];
    for client in &mut busy {
        send(client, STREAMED).await;
        expect(client, "\"content\":\"a\"").await;
    }
    let refused = rest(&mut connect(address).await).await;
    is_error(&refused, "503", "too_many_connections");
    assert!(refused.contains("retry-after: 1\r\n"), "{refused}");
    tasks.shutdown().stop();
}

#[tokio::test]
async fn the_turn_of_a_client_that_never_reads_is_given_up() {
    let flood = (0..200).map(|_| text(&"x".repeat(64 * 1024)));
    let (address, chat, _tasks) = listen([Turn::of(flood)], &[("WRITE_TIMEOUT_SECONDS", 1)]).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(address).await.unwrap();
    send(&mut client, STREAMED).await;
    while chat.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    timeout(LONG, chat.closed()).await.unwrap();
    let got = rest(&mut client).await;
    assert!(!got.contains("[DONE]") && got.len() < 12 * 1024 * 1024, "{}", got.len());
}
