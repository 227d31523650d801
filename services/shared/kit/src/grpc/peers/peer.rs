//! One replica: connected again and again, and asked whether it is well.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Uri;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// How often a replica is asked, and how long it may take to answer. Together less than a second: so soon is one that
/// hangs passed over.
const PROBE_EVERY: Duration = Duration::from_millis(300);
const PROBE_WITHIN: Duration = Duration::from_millis(600);
/// Between attempts to connect.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How a replica stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not connected.
    Away,
    /// Connected, but it does not answer.
    Silent,
    /// It says that it does not serve, since it starts or ends or misses its store: what it has it finishes.
    Resting,
    /// Serving.
    Well,
}

/// A replica as callers see it.
pub(super) struct Peer {
    pub(super) uri: Uri,
    standing: watch::Sender<Standing>,
    channel: Mutex<Option<Channel>>,
    in_flight: AtomicUsize,
    /// How often it has not answered by now, one time after the other.
    missed: AtomicUsize,
    /// A call has failed: ask now.
    doubt: Notify,
    /// Its address is one no longer.
    gone: CancellationToken,
}

/// Counts a call while it lives.
pub(super) struct InFlight(Arc<Peer>);

impl Peer {
    pub(super) fn new(uri: Uri) -> Self {
        Self {
            uri,
            standing: watch::Sender::new(Standing::Away),
            channel: Mutex::new(None),
            in_flight: AtomicUsize::new(0),
            missed: AtomicUsize::new(0),
            doubt: Notify::new(),
            gone: CancellationToken::new(),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Its connection, where there is one.
    pub(super) fn channel(&self) -> Option<Channel> {
        self.channel.lock().clone()
    }

    /// What counts against it: answers that are missing, then calls in flight.
    pub(super) fn burden(&self) -> (usize, usize) {
        (self.missed.load(Ordering::Relaxed), self.in_flight.load(Ordering::Relaxed))
    }

    pub(super) fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self.clone())
    }

    /// Its connection has failed a call: nobody is sent there before it has proved itself again.
    pub(super) fn failed(&self) {
        self.standing.send_replace(Standing::Away);
        self.doubt.notify_one();
    }

    /// It is not one of us any more; what it was asked may end.
    pub(super) fn forget(&self) {
        self.gone.cancel();
    }

    /// Keeps the connection, until the replica is forgotten. `bell` rings at every change.
    pub(super) async fn keep(self: Arc<Self>, endpoint: Endpoint, bell: watch::Sender<()>) {
        let gone = self.gone.clone();
        let _ = gone.run_until_cancelled(self.connect_for_ever(&endpoint, &bell)).await;
    }

    async fn connect_for_ever(&self, endpoint: &Endpoint, bell: &watch::Sender<()>) {
        let mut wait = FIRST_WAIT;
        let mut known = false;
        loop {
            match endpoint.connect().await {
                Ok(channel) => {
                    *self.channel.lock() = Some(channel.clone());
                    let answered = self.watch_over(channel, &mut known, bell).await;
                    *self.channel.lock() = None;
                    self.set(Standing::Away, bell);
                    // One that takes connections and then refuses them is not asked all the time.
                    if answered {
                        wait = FIRST_WAIT;
                        tracing::info!(peer = %self.uri, "the connection to {} is lost", self.uri);
                    }
                }
                Err(error) => tracing::debug!(peer = %self.uri, "{} is away: {}", self.uri, reason(&error)),
            }
            sleep(wait.mul_f64(rand::random_range(0.8..1.2))).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Asks it whether it serves, until the connection fails; whether it ever answered, as it is `known` to have before.
    async fn watch_over(&self, channel: Channel, known: &mut bool, bell: &watch::Sender<()>) -> bool {
        let mut health = HealthClient::new(channel);
        let mut answered = false;
        loop {
            let all = HealthCheckRequest { service: String::new() };
            let answer = timeout(PROBE_WITHIN, health.check(all)).await;
            let answer = answer.map(|answer| answer.map(|answer| answer.into_inner().status()));
            match &answer {
                // Whoever hung and was cut off for it has answered nothing yet.
                Ok(Err(status)) if !knows_no_health(status) => return answered,
                Ok(_) => {
                    self.missed.store(0, Ordering::Relaxed);
                    if !std::mem::replace(&mut answered, true) && std::mem::replace(known, true) {
                        tracing::info!(peer = %self.uri, "{} is back", self.uri);
                    }
                }
                Err(_) => drop(self.missed.fetch_add(1, Ordering::Relaxed)),
            }
            match answer {
                Ok(Ok(ServingStatus::Serving) | Err(_)) => self.set(Standing::Well, bell),
                Ok(Ok(_)) => self.set(Standing::Resting, bell),
                Err(_) => self.set(Standing::Silent, bell),
            }
            tokio::select! {
                () = sleep(PROBE_EVERY) => {}
                () = self.doubt.notified() => {}
            }
        }
    }

    fn set(&self, now: Standing, bell: &watch::Sender<()>) {
        let before = self.standing.send_replace(now);
        if before != now {
            tracing::debug!(peer = %self.uri, "{}: {before:?}, now {now:?}", self.uri);
            bell.send_replace(());
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A server without that service answers all the same.
fn knows_no_health(status: &Status) -> bool {
    status.code() == Code::Unimplemented
}

/// The innermost reason; the outer ones only say that something failed.
fn reason(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
