//! Many streams at once: no error, and nothing grows.

use futures_util::future::join_all;

use crate::support::{Product, Shape, Streamed};

const STREAMS: usize = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streams_at_once() {
    let tokens: Vec<String> = (0..STREAMS / 8 + 5).map(|n| format!("sim-heavy-{n}")).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let product = Product::with(Shape::Whole, &tokens).await;
    product.patience(120).await;
    let mut memory = Vec::new();
    for _ in 0..3 {
        wave(&product).await;
        product.sim.idle().await;
        product.settled().await;
        memory.push(resident_kib());
    }
    let counters = product.sim.counters();
    assert_eq!((counters.cancelled, counters.faulted, counters.refused), (0, 0, 0), "{counters:?}");
    // The first wave fills buffers and pools; the third may not need noticeably more than the second.
    assert!(memory[2] < memory[1] + memory[1] / 10 + 8 * 1024, "resident KiB after each wave: {memory:?}");
    product.stop().await;
}

/// All streams are open before the first may end: the upstream waits with its second token.
async fn wave(product: &Product) {
    let prompt = "[[sim:tokens=40]][[sim:first_delay_ms=1500]][[sim:delay_ms=20]]";
    let streams = (0..STREAMS).map(|_| product.stream("grok-3-fast", prompt));
    for streamed in join_all(streams).await {
        let streamed: Streamed = streamed.map_err(|answer| answer.text).unwrap();
        assert_eq!(
            (streamed.error.as_ref(), streamed.finish.as_slice()),
            (None, ["stop".to_owned()].as_slice())
        );
        assert!(streamed.done && !streamed.content.is_empty());
    }
}

/// Memory of this process, which holds client, product and simulator.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
