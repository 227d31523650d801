//! Sends what was captured, behind the clients' backs.

use std::{sync::Arc, time::Duration};

use grok2api_kit::lifecycle::Shutdown;
use grok2api_proto::capture::{Captures, KeepRequest};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::Taken;

const BATCH: usize = 16;
const TRIES: u32 = 3;
const WAIT: Duration = Duration::from_millis(500);
/// How long the last call may take.
const LAST_CALL: Duration = Duration::from_secs(2);

/// Until the hard stop; then what is left is tried once.
pub(super) async fn run(store: Arc<dyn Captures>, mut queue: mpsc::Receiver<Taken>, shutdown: Shutdown) {
    let mut batch = Vec::with_capacity(BATCH);
    let forward = async {
        let mut away = false;
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            let kept = keep(&*store, &batch).await;
            batch.clear();
            match kept {
                Ok(()) => away = false,
                Err(error) if !std::mem::replace(&mut away, true) => {
                    tracing::warn!(%error, "captured bodies cannot be kept, and are lost until they can: {error}");
                }
                Err(_) => {}
            }
        }
    };
    tokio::select! {
        () = forward => {}
        () = shutdown.stopped() => {}
    }
    queue.close();
    queue.recv_many(&mut batch, BATCH).await;
    if !batch.is_empty() {
        timeout(LAST_CALL, store.keep(request(&batch))).await.ok();
    }
}

async fn keep(store: &dyn Captures, batch: &[Taken]) -> grok2api_proto::Result<()> {
    let mut tries = 1;
    loop {
        match store.keep(request(batch)).await {
            Err(_) if tries < TRIES => {
                sleep(WAIT * tries).await;
                tries += 1;
            }
            done => return done.map(drop),
        }
    }
}

fn request(batch: &[Taken]) -> KeepRequest {
    KeepRequest { bodies: batch.iter().map(|taken| taken.bodies.clone()).collect() }
}
