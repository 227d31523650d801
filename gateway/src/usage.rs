//! What the ledger is told of each request: gathered while it is served, handed over when it is over, and sent in batches
//! behind the client's back.
//!
//! A [`Record`] is finished by being dropped, so a client that leaves, a panic and a good end all leave their entry.
//! Handing over never waits: the queue is bounded, and what finds no room is counted as lost. What waits lies on disk as well, so
//! that a kill loses none.

mod record;
mod sender;
mod spool;
mod told;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use grok2api_kit::{
    lifecycle::Tasks,
    metrics::{LEDGER_LOST, LEDGER_PENDING},
};
use grok2api_proto::ledger::{Entry, Ledger};
use tokio::sync::mpsc;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

pub use record::Record;

use self::spool::Spool;
use crate::running::Running;

/// Entries that may wait: some minutes of an ordinary load, and about ten megabytes.
const WAITING: usize = 20_000;

/// Takes entries; clones share one queue.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Entry>,
    spool: Option<Arc<Spool>>,
    ledger: Arc<dyn Ledger>,
    /// Entries that found no room and have not been told of.
    lost: Arc<AtomicU64>,
    /// Records that are not finished.
    open: TaskTracker,
    running: Running,
}

impl Recorder {
    /// Begins to send what is recorded to `ledger`, until the hard stop; then what is left is sent once more. What waits
    /// is kept in files of `directory`; what an earlier process has left there is sent first.
    pub fn start(ledger: Arc<dyn Ledger>, directory: Option<&Path>, tasks: &Tasks) -> Self {
        let (spool, left) = directory.map(kept).unwrap_or_default();
        let (queue, entries) = mpsc::channel::<Entry>(WAITING.max(left.len()));
        left.into_iter().for_each(|entry| queue.try_send(entry).unwrap_or_default());
        // So that the first one can be seen to be more than before.
        LEDGER_LOST.add(0, []);
        // Not a sender: the queue ends when the last one is gone.
        let waiting = queue.downgrade();
        LEDGER_PENDING.by(move |seen| {
            let pending = waiting.upgrade().map_or(0, |queue| queue.max_capacity() - queue.capacity());
            seen.is(pending as f64, []);
        });
        let recorder = Self {
            queue,
            spool: spool.clone(),
            ledger: ledger.clone(),
            lost: Arc::default(),
            open: TaskTracker::new(),
            running: Running::default(),
        };
        let sender =
            sender::Sender::new(ledger, entries, spool, recorder.lost.clone(), recorder.open.clone());
        tasks.spawn_finishing(sender.run(tasks.shutdown().clone()));
        recorder
    }

    /// A request that begins now, at that route.
    pub fn begin(&self, endpoint: &'static str, request_id: &str) -> Record {
        Record::begin(self.clone(), endpoint, request_id)
    }

    /// A request that goes on behind its client, under the id it was begun with.
    pub(crate) fn resume(&self, endpoint: &'static str, turn_id: String) -> Record {
        Record::resume(self.clone(), endpoint, turn_id)
    }

    /// What is being served now.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// The ledger, for questions.
    pub(crate) fn ledger(&self) -> &dyn Ledger {
        &*self.ledger
    }

    fn token(&self) -> TaskTrackerToken {
        self.open.token()
    }

    /// Hands an entry over; never waits.
    fn push(&self, entry: Entry) {
        told::ended(&entry);
        let taken = match &self.spool {
            Some(spool) => spool.append(entry, |entry| self.queue.try_send(entry).is_ok()),
            None => self.queue.try_send(entry).is_ok(),
        };
        if !taken {
            LEDGER_LOST.add(1, []);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The files of a directory, and what was left in them.
fn kept(directory: &Path) -> (Option<Arc<Spool>>, Vec<Entry>) {
    match Spool::open(directory) {
        Ok((spool, left)) => {
            if !left.is_empty() {
                tracing::info!(
                    "{} usage entries were left by a process that was killed, and are sent",
                    left.len()
                );
            }
            (Some(Arc::new(spool)), left)
        }
        Err(error) => {
            tracing::warn!(%error, "usage entries cannot be kept on disk, so a kill would lose those of the last second: {error}");
            (None, Vec::new())
        }
    }
}
