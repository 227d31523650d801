//! Sends entries to the ledger, in batches.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use grok2api_kit::{lifecycle::Shutdown, metrics::LEDGER_LOST};
use grok2api_proto::{
    Kind,
    ledger::{Entry, Ledger, RecordRequest},
};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

use super::spool::Spool;

/// Entries of one call.
const BATCH: usize = 200;
/// How long an entry waits for others.
const GATHER: Duration = Duration::from_secs(1);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long requests that the hard stop ends may take to hand their entries over.
const LAST_ENTRIES: Duration = Duration::from_secs(1);
/// How long the last calls may take together; less than the process leaves to housekeeping.
const LAST_CALLS: Duration = Duration::from_secs(3);

pub(super) struct Sender {
    ledger: Arc<dyn Ledger>,
    entries: mpsc::Receiver<Entry>,
    spool: Option<Arc<Spool>>,
    lost: Arc<AtomicU64>,
    open: TaskTracker,
    batch: Vec<Entry>,
    /// Already counted for this batch: a batch that is sent again says the same.
    batch_lost: u64,
}

impl Sender {
    pub(super) fn new(
        ledger: Arc<dyn Ledger>,
        entries: mpsc::Receiver<Entry>,
        spool: Option<Arc<Spool>>,
        lost: Arc<AtomicU64>,
        open: TaskTracker,
    ) -> Self {
        Self { ledger, entries, spool, lost, open, batch: Vec::with_capacity(BATCH), batch_lost: 0 }
    }

    /// Sends until the hard stop, and then what is left.
    pub(super) async fn run(mut self, shutdown: Shutdown) {
        tokio::select! {
            () = self.forward() => {}
            () = shutdown.stopped() => {}
        }
        self.finish().await;
    }

    async fn forward(&mut self) {
        loop {
            if self.batch.is_empty() && self.entries.recv_many(&mut self.batch, 1).await == 0 {
                return;
            }
            // A failed wait is a full second: there is something to send either way.
            timeout(GATHER, self.gather()).await.ok();
            self.send().await;
        }
    }

    /// Fills the batch.
    async fn gather(&mut self) {
        while self.batch.len() < BATCH {
            let room = BATCH - self.batch.len();
            if self.entries.recv_many(&mut self.batch, room).await == 0 {
                return;
            }
        }
    }

    /// Sends the batch until it is taken. Meanwhile the queue fills, and what finds no room is counted.
    async fn send(&mut self) {
        let mut wait = FIRST_WAIT;
        let mut away = false;
        loop {
            match self.call().await {
                Ok(()) => break,
                Err(error) if error.kind == Kind::InvalidRequest => {
                    tracing::error!(%error, "usage ledger: {} entries are refused: {error}", self.batch.len());
                    LEDGER_LOST.add(self.batch.len() as u64, []);
                    self.lost.fetch_add(self.batch.len() as u64 + self.batch_lost, Ordering::Relaxed);
                    self.taken();
                    return;
                }
                Err(error) if !std::mem::replace(&mut away, true) => {
                    tracing::warn!(%error, "usage ledger is away, entries are kept and sent later: {error}");
                }
                Err(_) => {}
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        if away {
            let lost = self.lost.load(Ordering::Relaxed);
            tracing::info!(lost, "usage ledger is back; {lost} entries found no room meanwhile and are lost");
        }
    }

    async fn call(&mut self) -> grok2api_proto::Result<()> {
        self.batch_lost += self.lost.swap(0, Ordering::Relaxed);
        let request = RecordRequest { entries: self.batch.clone(), lost: self.batch_lost };
        self.ledger.record(request).await?;
        self.taken();
        Ok(())
    }

    fn taken(&mut self) {
        if let Some(spool) = &self.spool {
            spool.sent(self.batch.len());
        }
        self.batch.clear();
        self.batch_lost = 0;
    }

    /// What is in hand and in the queue, once the requests that are being ended have told theirs.
    async fn finish(mut self) {
        self.open.close();
        timeout(LAST_ENTRIES, self.open.wait()).await.ok();
        self.entries.close();
        let sent = timeout(LAST_CALLS, async {
            loop {
                let room = BATCH.saturating_sub(self.batch.len());
                if room > 0 {
                    self.entries.recv_many(&mut self.batch, room).await;
                }
                if self.batch.is_empty() {
                    return true;
                }
                if self.call().await.is_err() {
                    return false;
                }
            }
        });
        if !sent.await.unwrap_or_default() {
            let lost = self.batch.len() + self.entries.len();
            if self.spool.as_ref().is_some_and(|spool| spool.keeps()) {
                tracing::warn!(
                    entries = lost,
                    "usage ledger is away at the end: {lost} entries are kept on disk for the next start"
                );
                return;
            }
            LEDGER_LOST.add(lost as u64, []);
            tracing::error!(lost, "usage ledger is away at the end: {lost} entries are lost");
        }
    }
}
