//! A running process: bound ports, its tasks, its end.

use std::{
    convert::Infallible,
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use grok2api_gateway::Running;
use grok2api_kit::{
    lifecycle::Tasks,
    readiness::Readiness,
    settings::{Mistake, Settings},
    telemetry::LogLevel,
};
use tokio::time::interval;

use crate::{
    compose::{self, Services},
    exclusive::Exclusive,
    ground::Ground,
    roles::Roles,
};

/// How often a stop tells what it waits for.
const PROGRESS: Duration = Duration::from_secs(1);
/// How long a start that has failed takes at most to write down what it knew.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// The product, or some of its roles, serving.
pub struct Instance {
    /// The services as this process reaches them.
    pub services: Services,
    /// Bound addresses.
    pub addresses: Addresses,
    tasks: Tasks,
    readiness: Readiness,
    drain_delay: Duration,
    grace: Duration,
    exclusive: Exclusive,
}

/// Where the process listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Public HTTP, when the gateway runs here.
    pub http: Option<SocketAddr>,
    /// `/livez`, `/readyz`.
    pub ops: SocketAddr,
    /// gRPC of the roles that run apart.
    pub config: Option<SocketAddr>,
    /// As above.
    pub token_pool: Option<SocketAddr>,
    /// As above.
    pub media_cache: Option<SocketAddr>,
    /// As above.
    pub chat: Option<SocketAddr>,
}

/// Why a process cannot start; all of it is the operator's to mend.
#[derive(Debug)]
pub struct StartError(pub Vec<String>);

impl Instance {
    /// Binds, composes and serves.
    ///
    /// # Errors
    /// All at once: ports and a data directory that are taken, stores that cannot be used, peer addresses that are missing.
    pub async fn start(
        settings: &Settings,
        roles: &Roles,
        log_level: Option<LogLevel>,
    ) -> Result<Self, StartError> {
        let Ground { listeners, mut exclusive } = Ground::take(settings, roles).await?;
        let addresses = listeners.addresses()?;
        let tasks = Tasks::new();
        let readiness = Readiness::new(tasks.shutdown().clone());
        let starting = readiness.guard("start");
        exclusive.begin();
        let started =
            compose::run(settings, roles, &exclusive, listeners, &readiness, &tasks, log_level).await;
        let services = match started {
            Ok(services) => services,
            Err(error) => {
                tasks.shutdown().drain();
                if tasks.finish(LAST_WRITES).await && tasks.crashed().is_none() {
                    exclusive.given_up();
                }
                return Err(error);
            }
        };
        drop(starting);
        let drain_delay = Duration::from_millis(settings.lifecycle.drain_delay_ms);
        let grace = Duration::from_secs(settings.lifecycle.grace_seconds);
        Ok(Self { services, addresses, tasks, readiness, drain_delay, grace, exclusive })
    }

    /// Resolves when a critical task has crashed.
    pub async fn crashed(&self) -> &'static str {
        self.tasks.shutdown().draining().await;
        self.tasks.crashed().unwrap_or("none")
    }

    /// Readiness off, the minimum delay, nothing new, what is open finished within the grace period.
    /// Returns whether everything ended by itself.
    pub async fn drain(&self) -> bool {
        let _unready = self.readiness.guard("draining");
        tokio::time::sleep(self.drain_delay).await;
        self.tasks.shutdown().drain();
        let drained = tokio::select! {
            drained = self.tasks.finish(self.grace) => drained,
            never = self.tell_progress() => match never {},
        };
        if drained && self.tasks.crashed().is_none() {
            self.exclusive.ended();
        }
        drained
    }

    /// Says once a second what is waited for.
    async fn tell_progress(&self) -> Infallible {
        let mut ticks = interval(PROGRESS);
        loop {
            ticks.tick().await;
            let requests = self.services.running.as_ref().map(Running::open).unwrap_or_default();
            let work = self.tasks.in_flight().into_iter().map(|(kind, count)| (kind.to_owned(), count));
            let open: Vec<String> =
                requests.into_iter().chain(work).map(|(kind, count)| format!("{count} {kind}")).collect();
            if !open.is_empty() {
                tracing::info!("still open: {}", open.join(", "));
            }
        }
    }

    /// Ends everything at once.
    pub async fn stop(&self) {
        self.tasks.shutdown().stop();
        self.tasks.finish(Duration::ZERO).await;
    }
}

/// Where this machine reaches a listener on all addresses.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let local = if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    if address.ip().is_unspecified() { SocketAddr::new(local, address.port()) } else { address }
}

impl StartError {
    /// One line: what, and why.
    pub(crate) fn one(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self(vec![format!("{what}: {why}")])
    }
}

impl From<Vec<Mistake>> for StartError {
    fn from(mistakes: Vec<Mistake>) -> Self {
        Self(mistakes.iter().map(ToString::to_string).collect())
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for StartError {}

impl fmt::Display for Addresses {
    /// `http=… ops=… config=…`: what listens, as scripts read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = [
            ("http", self.http),
            ("ops", Some(self.ops)),
            ("config", self.config),
            ("token-pool", self.token_pool),
            ("media-cache", self.media_cache),
            ("chat", self.chat),
        ];
        let shown: Vec<String> =
            listed.iter().filter_map(|(name, at)| at.map(|at| format!("{name}={at}"))).collect();
        f.write_str(&shown.join(" "))
    }
}
