//! The way out: proxies of both kinds, clearance and user agent as one unit, and the session check of the upstream.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use grok2api_kit::lifecycle::Tasks;
use grok2api_upstream_sim::Scenario;
use rstest::rstest;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::support::Product;

/// A proxy that brings everybody to `upstream`, and counts them.
async fn proxy(
    socks: bool,
    upstream: std::net::SocketAddr,
    tasks: &Tasks,
) -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let (counted, owner) = (count.clone(), tasks.clone());
    tasks.spawn_background("proxy", async move {
        while let Ok((client, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            owner.spawn_background("proxied", forward(socks, client, upstream));
        }
    });
    (address, count)
}

async fn forward(socks: bool, mut client: TcpStream, upstream: std::net::SocketAddr) {
    if socks {
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).await.unwrap();
        client.read_exact(&mut vec![0; greeting[1].into()]).await.unwrap();
        client.write_all(&[5, 0]).await.unwrap();
        let mut head = [0; 4];
        client.read_exact(&mut head).await.unwrap();
        let length = match head[3] {
            1 => 4,
            3 => client.read_u8().await.unwrap().into(),
            _ => 16,
        };
        client.read_exact(&mut vec![0; length + 2]).await.unwrap();
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    }
    let mut server = TcpStream::connect(upstream).await.unwrap();
    copy_bidirectional(&mut client, &mut server).await.ok();
}

#[rstest]
#[case("http", false)]
#[case("socks5", true)]
#[tokio::test]
async fn everything_goes_through_the_configured_proxy(#[case] scheme: &str, #[case] socks: bool) {
    let product = Product::start().await;
    let tasks = Tasks::new();
    let (address, count) = proxy(socks, product.sim.addr(), &tasks).await;
    product.set(&[("proxy_url", json!(format!("{scheme}://{address}")))]).await;
    let answer = product.ask("grok-3-fast", "draw a moon").await;
    assert_eq!(answer.content().matches("/images/").count(), 2, "{}", answer.text);
    assert!(count.load(Ordering::SeqCst) >= 2, "chat and assets");
    tasks.shutdown().stop();
    product.stop().await;
}

#[tokio::test]
async fn a_proxy_that_is_down_is_told_and_one_that_makes_no_sense_is_not_taken() {
    let product = Product::start().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    product.set(&[("proxy_url", json!(format!("http://{closed}")))]).await;
    let answer = product.ask("grok-3-fast", "x").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_unreachable"), "{}", answer.text);
    assert!(!answer.text.contains(&closed.to_string()), "no inner address in {}", answer.text);
    let changes = [("proxy_url".to_owned(), "\"gopher://x\"".to_owned())].into();
    let update =
        grok2api_proto::config::UpdateRequest { changes, expected_revision: None, author: "t".into() };
    let error = product.gateway().services.config.update(update).await.unwrap_err();
    assert_eq!(error.param.as_deref(), Some("proxy_url"));
    product.set(&[("proxy_url", json!(""))]).await;
    assert_eq!(product.ask("grok-3-fast", "[[sim:say=back]]").await.content(), "back");
    product.stop().await;
}

#[tokio::test]
async fn the_upstreams_session_check_passes_with_the_configured_values_only() {
    let product = Product::start().await;
    let scenario = "session = { cf_clearance = \"clear\", user_agent = \"UA/1\", x_statsig_id = \"stat\" }";
    product.sim.set_scenario(scenario.parse::<Scenario>().unwrap());
    let refused = product.ask("grok-3-fast", "x").await;
    assert_eq!((refused.status, refused.code().as_str()), (502, "anti_bot_rejected"));
    assert!(
        ["cf_clearance", "user_agent", "proxy_url"].iter().all(|hint| refused.text.contains(hint)),
        "{}",
        refused.text
    );
    let session = [
        ("cf_clearance", json!("cf_clearance=clear")),
        ("user_agent", json!("UA/1")),
        ("x_statsig_id", json!("stat")),
    ];
    product.set(&session).await;
    let answer = product.ask("grok-3-fast", "draw a moon").await;
    assert_eq!(answer.content().matches("/images/").count(), 2, "{}", answer.text);
    product.stop().await;
}
