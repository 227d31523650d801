//! Clients by the thousand that read nothing, ask nothing, or never finish asking; the others are served meanwhile.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    time::{interval, timeout},
};

use crate::{
    processes::{Processes, Used},
    support::Shape,
};

/// Slow readers that begin at the same time: more would only wait for the two cores of a small machine.
const BEGIN: usize = 32;
/// Far more than may be kept of an answer: over a megabyte.
const TOKENS: usize = 6_000;
/// What may be kept for one that does not read: the buffers of its answer on its way through, and of the upstream's.
const KIB_EACH: u64 = 384;
/// How long all of them read at the same time, and what the product may grow by meanwhile. As long as buffers still fill it
/// may be more, so often at most.
const HELD: Duration = Duration::from_secs(10);
const GROWTH_KIB: u64 = 48 * 1024;
const FILLING: usize = 4;
/// For others that ask in the middle of it, on a machine that has other things to do as well.
const PATIENCE: Duration = Duration::from_secs(30);
/// Open files of a process that serves nobody, some connections to others among them.
const FEW: usize = 150;
/// Without a byte for so long a client is given up: none of them may be before all have begun and were held, however busy
/// the machine is. That it is given up at all is tested with a single one.
const WRITE_TIMEOUT: u64 = 600;
const FLOOD: usize = 5_000;
/// What one of them may cost, where five of six wait for the body of a request; without optimisation it is about 60.
const KIB_EACH_CONNECTION: u64 = 96;
const MOST: u64 = 2_000;
const LONG: Duration = Duration::from_secs(300);

fn chat(text: &str, stream: bool) -> Vec<u8> {
    let body =
        json!({"model": "grok-3-fast", "stream": stream, "messages": [{"role": "user", "content": text}]});
    let body = body.to_string();
    let head =
        "POST /v1/chat/completions HTTP/1.1\r\nhost: g.example\r\nconnection: close\r\ncontent-length:";
    format!("{head} {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Asks like anybody, and says how long it took.
async fn served(address: SocketAddr) -> Duration {
    let began = Instant::now();
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(&chat("[[sim:say=hello]]", false)).await.unwrap();
    let mut answer = String::new();
    timeout(LONG, client.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("hello"), "{answer}");
    began.elapsed()
}

/// The slowest of some that ask one after the other.
async fn slowest(address: SocketAddr, count: usize) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..count {
        slowest = slowest.max(served(address).await);
    }
    slowest
}

/// Asks for a long answer and takes a byte a second of it, until it is told to stop.
async fn read_slowly(address: SocketAddr, crowd: &Crowd) -> TcpStream {
    let beginning = crowd.begin.acquire().await.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    // Or the kernel would read for it.
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(address).await.unwrap();
    client.write_all(&chat(&format!("[[sim:tokens={TOKENS}]]"), true)).await.unwrap();
    let mut byte = [0];
    assert_eq!(client.read(&mut byte).await.unwrap(), 1);
    crowd.open.fetch_add(1, Ordering::Relaxed);
    drop(beginning);
    let mut second = interval(Duration::from_secs(1));
    while crowd.open.load(Ordering::Relaxed) < usize::MAX {
        second.tick().await;
        // A byte is there: the kernel has some thousands of them.
        assert_eq!(client.read(&mut byte).await.unwrap(), 1);
    }
    client
}

/// What slow readers share.
struct Crowd {
    begin: Semaphore,
    /// How many are reading; the largest number when they may stop.
    open: AtomicUsize,
}

#[rstest]
#[case::whole(Shape::Whole, 1_000)]
#[case::split(Shape::Split, 200)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_cost_little_and_hurt_nobody(#[case] shape: Shape, #[case] count: usize) {
    let product = Processes::start(shape, count / 8 + 8, &[("WRITE_TIMEOUT_SECONDS", WRITE_TIMEOUT)]).await;
    served(product.http).await;
    let (before, began) = (product.used(), Instant::now());
    let crowd = Crowd { begin: Semaphore::new(BEGIN), open: AtomicUsize::new(0) };
    let readers = join_all((0..count).map(|_| read_slowly(product.http, &crowd)));
    let others = async {
        while crowd.open.load(Ordering::Relaxed) < count {
            tokio::task::yield_now().await;
        }
        let all_open = began.elapsed();
        let slowest = slowest(product.http, 20).await;
        let during = held(&product).await;
        crowd.open.store(usize::MAX, Ordering::Relaxed);
        (all_open, slowest, during)
    };
    let (readers, (all_open, slowest, during)) = tokio::join!(readers, others);
    // They leave, and their turns are given up.
    drop(readers);
    nobody_is_blamed(&product).await;
    let after = served(product.http).await;
    println!(
        "{shape:?}: {count} slow readers within {all_open:?}: {before:?} before, {during:?} during; others within \
         {slowest:?}, {after:?} later"
    );
    // The one who asked first may have been open still.
    assert!(
        during.iter().all(|used| used.files >= before.files + count - 1),
        "not all were held: {during:?}"
    );
    let most = before.resident_kib + count as u64 * KIB_EACH;
    assert!(during.iter().all(|used| used.resident_kib < most), "{during:?}, {most} would be too many");
    assert!(during.windows(2).any(|pair| !grew(pair)), "it grows: {during:?}");
    assert!(slowest < PATIENCE && after < PATIENCE, "others wait: {slowest:?}, {after:?}");
}

/// What is used while all are held, time and again until it grows no longer.
async fn held(product: &Processes) -> Vec<Used> {
    let mut during = vec![product.used()];
    while during.len() <= FILLING && during.windows(2).all(grew) {
        tokio::time::sleep(HELD).await;
        during.push(product.used());
    }
    during
}

fn grew(pair: &[Used]) -> bool {
    pair[1].resident_kib >= pair[0].resident_kib + GROWTH_KIB
}

/// Accounts do not suffer for clients that leave.
async fn nobody_is_blamed(product: &Processes) {
    let began = Instant::now();
    while product.upstream().await.0["in_flight"] != 0 || product.used().files > FEW {
        assert!(began.elapsed() < LONG, "{:?}", product.used());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for account in product.accounts().await {
        let state = (&account["status"], &account["failures"]);
        assert_eq!(state, (&json!("active"), &json!([])), "{account}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_connections_costs_little_and_hurts_nobody(
    #[values(Shape::Whole, Shape::Split)] shape: Shape,
) {
    let limits = [("MAX_CONNECTIONS", MOST), ("HEAD_TIMEOUT_SECONDS", 3)];
    let product = Processes::start(shape, 1, &limits).await;
    served(product.http).await;
    let (before, mut during) = (product.used(), Vec::new());
    for _ in 0..3 {
        let (flood, slowest) = flood(product.http).await;
        during.push(product.used());
        assert!(slowest < PATIENCE, "others wait: {slowest:?}");
        println!(
            "{shape:?}: {FLOOD} connections, at most {MOST} open: {during:?}, others within {slowest:?}"
        );
        // Timeouts have tests of their own.
        drop(flood);
        let began = Instant::now();
        while product.used().files > FEW {
            assert!(began.elapsed() < LONG, "{:?}", product.used());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let most = before.resident_kib + MOST * KIB_EACH_CONNECTION;
    for used in &during {
        assert!(used.files < before.files + MOST as usize + 300 && used.resident_kib < most, "{during:?}");
    }
    assert!(
        during[2].resident_kib < during[0].resident_kib + 32 * 1024,
        "the third costs what the first did: {during:?}"
    );
    served(product.http).await;
}

/// Opens connections, and asks like anybody meanwhile; the connections, and the slowest answer.
async fn flood(address: SocketAddr) -> (Vec<TcpStream>, Duration) {
    let (mut flood, mut slowest) = (Vec::new(), Duration::ZERO);
    for number in 0..FLOOD {
        let mut client = TcpStream::connect(address).await.unwrap();
        let sent: &[u8] = match number % 3 {
            0 => b"",
            1 => b"POST /v1/chat/completions HTTP/1.1\r\nhost: g.exam",
            _ => b"POST /v1/chat/completions HTTP/1.1\r\nhost: g.example\r\ncontent-length: 100\r\n\r\n{\"mo",
        };
        // It may have been closed for another one by now.
        client.write_all(sent).await.ok();
        flood.push(client);
        if number % 300 == 299 {
            slowest = slowest.max(served(address).await);
        }
    }
    (flood, slowest)
}
