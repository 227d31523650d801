//! The roles that run elsewhere: one set of connections each, shared by everything that calls them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use grok2api_kit::{
    grpc::{Peers, Tls},
    lifecycle::Tasks,
    settings::Settings,
};
use grok2api_proto::Transport;

use crate::{
    instance::StartError,
    roles::{Role, Roles},
};

/// The other roles as this process reaches them.
pub(crate) struct Remotes(BTreeMap<Role, Peers>);

impl Remotes {
    /// Begins to connect to every role that does not run here and has an address.
    pub(crate) fn start(
        settings: &Settings,
        roles: &Roles,
        tls: Option<&Tls>,
        tasks: &Tasks,
    ) -> Result<Self, StartError> {
        let mut remotes = BTreeMap::new();
        for (role, name, address) in addresses(settings) {
            if roles.has(role) || address.is_empty() {
                continue;
            }
            let peers = Peers::start(address, &settings.internal.secret, tls.cloned(), tasks);
            let peers =
                peers.map_err(|error| StartError(vec![format!("peers.{name}: {}", error.message)]))?;
            remotes.insert(role, peers);
        }
        Ok(Self(remotes))
    }

    /// The role's service; one that nobody here calls may have no address, and then answers nobody.
    pub(crate) fn reach<T: ?Sized>(&self, role: Role, client: fn(Transport) -> Arc<T>) -> Arc<T> {
        let peers = self.0.get(&role).cloned().unwrap_or_else(Peers::none);
        client(peers.transport(deadline(role)))
    }
}

/// What of the settings depends on the roles.
pub(crate) fn check(settings: &Settings, roles: &Roles) -> Result<(), StartError> {
    let mut mistakes = Vec::new();
    for (role, name, address) in addresses(settings) {
        if needed(roles, role) && !roles.has(role) && address.is_empty() {
            mistakes
                .push(format!("peers.{name}: the address of {role} is missing, since it does not run here"));
        }
    }
    if roles.split() && settings.internal.secret.is_empty() {
        mistakes.push(
            "internal.secret: roles that run apart need a shared secret (G2A_INTERNAL_SECRET)".to_owned(),
        );
    }
    if mistakes.is_empty() { Ok(()) } else { Err(StartError(mistakes)) }
}

/// Who calls whom: the gateway everybody; chat the pool, media and config; the others config.
fn needed(roles: &Roles, role: Role) -> bool {
    match role {
        Role::Config => true,
        Role::TokenPool => roles.has(Role::Chat) || roles.has(Role::Gateway),
        Role::MediaCache => roles.has(Role::Chat) || roles.has(Role::Gateway),
        Role::Chat => roles.has(Role::Gateway),
        Role::Gateway => false,
    }
}

/// Each role that can be called, with the name and the value of its address.
fn addresses(settings: &Settings) -> [(Role, &'static str, &str); 4] {
    let peers = &settings.peers;
    [
        (Role::Config, "config", &peers.config),
        (Role::TokenPool, "token_pool", &peers.token_pool),
        (Role::MediaCache, "media_cache", &peers.media_cache),
        (Role::Chat, "chat", &peers.chat),
    ]
}

/// How long a peer may take to begin its answer: config and the pool answer at once (a lease may wait a little), the
/// media cache after a download, chat when its turn is committed, which has limits of its own.
fn deadline(role: Role) -> Duration {
    Duration::from_secs(match role {
        Role::Config | Role::TokenPool => 10,
        Role::MediaCache => 15 * 60,
        Role::Chat | Role::Gateway => 60 * 60,
    })
}
