//! The stores that tests run on really start, end and come back.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use grok2api_testkit::{MariaDb, RedisServer};

fn address(url: &str) -> &str {
    let after = url.rsplit('@').next().expect("an address");
    after.trim_start_matches("redis://").trim_end_matches("/grok2api")
}

/// What a server says when it is pinged, or greets with.
fn greeting(url: &str, ask: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address(url)).expect("a server that listens");
    socket.write_all(ask).expect("a question");
    let mut answer = [0; 7];
    socket.read_exact(&mut answer).expect("an answer");
    answer.to_vec()
}

#[test]
fn redis_comes_back_on_its_port_after_a_kill() {
    let mut server = RedisServer::durable();
    assert_eq!(greeting(&server.url(), b"PING\r\n"), b"+PONG\r\n");
    server.kill();
    assert!(TcpStream::connect(address(&server.url())).is_err());
    server.start_again();
    assert_eq!(greeting(&server.url(), b"PING\r\n"), b"+PONG\r\n");
}

#[test]
fn mariadb_comes_back_on_its_port_after_a_kill() {
    let mut server = MariaDb::start();
    // The packet's head (four bytes), the protocol's version, and the server's, which begins with "5." for old clients.
    assert_eq!(greeting(&server.url(), b"")[4..], *b"\n5.");
    server.kill();
    server.start_again();
    assert_eq!(greeting(&server.url(), b"")[4..], *b"\n5.");
}
