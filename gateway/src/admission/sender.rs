//! Sends settlements, and signs of life of the requests that hold slots.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use grok2api_kit::lifecycle::Shutdown;
use grok2api_proto::{
    Kind, Result,
    keys::{Keys, RenewRequest, SettleRequest, Settlement},
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::task::TaskTracker;

use super::Inner;

/// Settlements, and signs of life, of one call.
const BATCH: usize = 200;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A third of the time a slot is held without one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// How long requests that the hard stop ends may take to give up their permits.
const LAST_PERMITS: Duration = Duration::from_secs(1);
/// How long the last calls may take together; less than the process leaves to housekeeping.
const LAST_CALLS: Duration = Duration::from_secs(3);

pub(super) struct Sender {
    service: Arc<dyn Keys>,
    queue: mpsc::Receiver<Settlement>,
    open: TaskTracker,
    batch: Vec<Settlement>,
}

impl Sender {
    pub(super) fn new(service: Arc<dyn Keys>, queue: mpsc::Receiver<Settlement>, open: TaskTracker) -> Self {
        Self { service, queue, open, batch: Vec::with_capacity(BATCH) }
    }

    /// Sends until the hard stop, and then what is left.
    pub(super) async fn run(mut self, shutdown: Shutdown) {
        tokio::select! {
            () = self.forward() => {}
            () = shutdown.stopped() => {}
        }
        self.finish().await;
    }

    /// What came while a call was under way goes with the next.
    async fn forward(&mut self) {
        loop {
            let room = BATCH - self.batch.len();
            if self.batch.is_empty() && self.queue.recv_many(&mut self.batch, room).await == 0 {
                return;
            }
            self.send().await;
        }
    }

    /// Sends the batch until it is taken: whatever is settled twice counts once.
    async fn send(&mut self) {
        let (mut wait, mut away) = (FIRST_WAIT, false);
        while let Err(error) = self.call().await {
            if error.kind == Kind::InvalidRequest {
                tracing::error!(%error, "{} settlements of client keys are refused: {error}", self.batch.len());
                self.batch.clear();
                return;
            }
            if !std::mem::replace(&mut away, true) {
                tracing::warn!(%error, "client keys cannot be settled, which is done later: {error}");
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        if away {
            tracing::info!("client keys are settled again");
        }
    }

    async fn call(&mut self) -> Result<()> {
        self.service.settle(SettleRequest { settlements: self.batch.clone() }).await?;
        self.batch.clear();
        Ok(())
    }

    /// What is in hand and in the queue, once the requests that are being ended have given up theirs.
    async fn finish(mut self) {
        self.open.close();
        timeout(LAST_PERMITS, self.open.wait()).await.ok();
        self.queue.close();
        let sent = timeout(LAST_CALLS, async {
            loop {
                let room = BATCH.saturating_sub(self.batch.len());
                if room > 0 {
                    self.queue.recv_many(&mut self.batch, room).await;
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
            let lost = self.batch.len() + self.queue.len();
            tracing::error!(
                lost,
                "client keys could not be settled at the end: {lost} requests keep what was reserved"
            );
        }
    }
}

/// Says that what holds slots is still served. A sign that is lost is made up for by the next.
pub(super) async fn renew(admissions: Weak<Inner>) {
    let mut ticks = interval(SIGN_OF_LIFE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(admissions) = admissions.upgrade() else { return };
        let slots: Vec<_> = admissions.slots.lock().values().cloned().collect();
        for slots in slots.chunks(BATCH) {
            if let Err(error) = admissions.service.renew(RenewRequest { slots: slots.to_vec() }).await {
                tracing::warn!(%error, "slots of client keys cannot be renewed: {error}");
            }
        }
    }
}
