//! The replicas of a role, and which of them a call goes to.
//!
//! Each replica has a connection of its own and is asked several times a second whether it is well. A call goes to the
//! less busy of two that are; one that is away, hangs or drains is passed over, and comes back by itself. tonic's own
//! balancer takes a connection that cannot be made for a ready one, which is why this is not built on it.

mod address;
mod budget;
mod call;
mod peer;

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use grok2api_proto::{Error, Kind, Result};
use http::Uri;
use parking_lot::Mutex;
use rand::seq::IndexedRandom as _;
use tokio::{
    net::lookup_host,
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use tonic::transport::{Channel, Endpoint};

pub(crate) use self::address::Address;
pub(super) use self::call::Calls;
use self::{
    budget::Budget,
    peer::{Peer, Standing},
};
use super::Tls;
use crate::lifecycle::Tasks;

/// How often a name is looked up, and as long as it stands for nobody.
const RESOLVE_EVERY: Duration = Duration::from_secs(3);
const RESOLVE_SOON: Duration = Duration::from_millis(500);

/// The replicas of one role, shared by everything that calls it.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

struct Inner {
    peers: Mutex<Vec<Arc<Peer>>>,
    /// Rings when one of them comes, goes or changes.
    bell: watch::Sender<()>,
    budget: Budget,
    secret: String,
}

/// What makes a connection.
struct Connector {
    tls: Option<Tls>,
    /// What a certificate must be for, unless that is the address's host.
    name: Option<String>,
    tasks: Tasks,
}

/// The replica a call goes to.
struct Chosen {
    peer: Arc<Peer>,
    channel: Channel,
    standing: Standing,
}

impl Peers {
    /// Nobody: every call fails at once.
    pub fn none() -> Self {
        Self::new("")
    }

    /// The replicas at `address` (`http://host:port`, several of these with commas between, or `dns://host:port`, looked
    /// up again and again), connected to for as long as the tasks run.
    ///
    /// # Errors
    /// `invalid_peer` when the address cannot be read, or is not one for TLS as set.
    pub fn start(address: &str, secret: &str, tls: Option<Tls>, tasks: &Tasks) -> Result<Self> {
        let invalid = |reason: &str| {
            Error::new(Kind::InvalidRequest, "invalid_peer", format!("peer address {address:?}: {reason}"))
        };
        let (place, peers) =
            (address.parse::<Address>().map_err(|error| invalid(&error))?, Self::new(secret));
        match place.is_https() {
            Some(true) if tls.is_none() => {
                return Err(invalid("https needs internal.tls_ca, tls_cert and tls_key"));
            }
            Some(false) if tls.is_some() => return Err(invalid("with internal.tls_ca it must be https")),
            _ => {}
        }
        match place {
            Address::Listed(uris) => {
                let connector = Connector { tls, name: None, tasks: tasks.clone() };
                peers.become_these(&uris.into_iter().collect(), &connector);
            }
            Address::Named { host, port } => {
                let connector = Connector { tls, name: Some(host.clone()), tasks: tasks.clone() };
                let following = peers.clone();
                tasks.spawn_background("peers-resolve", async move {
                    following.resolve(&host, port, &connector).await;
                });
            }
        }
        Ok(peers)
    }

    fn new(secret: &str) -> Self {
        Self(Arc::new(Inner {
            peers: Mutex::default(),
            bell: watch::Sender::new(()),
            budget: Budget::default(),
            secret: secret.to_owned(),
        }))
    }

    pub(super) fn secret(&self) -> &str {
        &self.0.secret
    }

    /// Follows a name. One that cannot be resolved for a while, or stands for nobody, changes nothing.
    async fn resolve(&self, host: &str, port: u16, connector: &Connector) {
        let mut told = false;
        loop {
            let found = lookup_host((host, port)).await.map(Iterator::collect::<Vec<SocketAddr>>);
            match found {
                Ok(found) if !found.is_empty() => {
                    told = false;
                    self.become_these(
                        &found.into_iter().filter_map(|at| connector.uri(at)).collect(),
                        connector,
                    );
                }
                _ if !std::mem::replace(&mut told, true) => {
                    tracing::warn!(host, "{host} cannot be resolved; what is known stays");
                }
                _ => {}
            }
            let known = !self.0.peers.lock().is_empty();
            sleep(if known { RESOLVE_EVERY } else { RESOLVE_SOON }).await;
        }
    }

    /// These are the replicas from now on; those that stay keep their connections.
    fn become_these(&self, uris: &HashSet<Uri>, connector: &Connector) {
        let mut peers = self.0.peers.lock();
        peers.retain(|peer| {
            let stays = uris.contains(&peer.uri);
            if !stays {
                peer.forget();
            }
            stays
        });
        for uri in uris {
            if !peers.iter().any(|peer| peer.uri == *uri)
                && let Some(endpoint) = connector.endpoint(uri)
            {
                let peer = Arc::new(Peer::new(uri.clone()));
                peers.push(peer.clone());
                let bell = self.0.bell.clone();
                connector.tasks.spawn_background("peer", peer.keep(endpoint, bell));
            }
        }
        drop(peers);
        self.0.bell.send_replace(());
    }

    /// The replica for a call, waited for until then when there is none.
    async fn choose(&self, avoid: &[Uri], until: Instant) -> Option<Chosen> {
        let mut bell = self.0.bell.subscribe();
        loop {
            bell.borrow_and_update();
            if let Some(chosen) = self.pick(avoid) {
                return Some(chosen);
            }
            // Those who have refused will not want it within a moment.
            if !avoid.is_empty() || timeout_at(until, bell.changed()).await.is_err() {
                return None;
            }
        }
    }

    /// Resolves when a replica does not answer any more and another one is well. Where none is, it may only be late.
    async fn better_than(&self, peer: &Peer) {
        let mut bell = self.0.bell.subscribe();
        loop {
            bell.borrow_and_update();
            let is_well = |other: &Arc<Peer>| other.uri != peer.uri && other.standing() == Standing::Well;
            if peer.standing() == Standing::Silent && self.0.peers.lock().iter().any(is_well) {
                return;
            }
            // Its other end lives in `self`.
            let _ = bell.changed().await;
        }
    }

    fn pick(&self, avoid: &[Uri]) -> Option<Chosen> {
        let peers = self.0.peers.lock();
        // The others for want of a better: an attempt is better than a refusal.
        [Standing::Well, Standing::Resting, Standing::Silent].into_iter().find_map(|standing| {
            let fits = |peer: &&Arc<Peer>| peer.standing() == standing && !avoid.contains(&peer.uri);
            let fitting: Vec<&Arc<Peer>> = peers.iter().filter(fits).collect();
            // On a machine that is busy all of them may be late once; the one that hangs has been for longer.
            let among = if standing == Standing::Silent { fitting.len() } else { 2 };
            let peer = fitting.sample(&mut rand::rng(), among).min_by_key(|peer| peer.burden())?;
            Some(Chosen { peer: (*peer).clone(), channel: peer.channel()?, standing })
        })
    }
}

impl Connector {
    fn uri(&self, at: SocketAddr) -> Option<Uri> {
        address::replica(if self.tls.is_some() { "https" } else { "http" }, at)
    }

    /// How the replica is connected to; nothing for one whose certificates cannot be used, which the log tells.
    fn endpoint(&self, uri: &Uri) -> Option<Endpoint> {
        let endpoint = super::endpoint(uri.clone());
        let made = match &self.tls {
            Some(tls) => endpoint.tls_config(tls.client(self.name.as_deref())),
            None => Ok(endpoint),
        };
        made.inspect_err(|error| tracing::error!(%error, "{uri} cannot be connected to: {error}")).ok()
    }
}
