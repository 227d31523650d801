//! The ports of a process, bound before anything else is begun.

use std::net::SocketAddr;

use grok2api_kit::settings::Settings;
use tokio::net::TcpListener;

use crate::{
    instance::{Addresses, StartError},
    roles::{Role, Roles},
};

pub(crate) struct Listeners {
    pub http: Option<TcpListener>,
    pub ops: TcpListener,
    pub roles: RoleListeners,
}

/// gRPC, where roles run apart.
pub(crate) struct RoleListeners {
    pub config: Option<TcpListener>,
    pub token_pool: Option<TcpListener>,
    pub media_cache: Option<TcpListener>,
    pub chat: Option<TcpListener>,
}

/// What went wrong so far.
#[derive(Default)]
struct Binding(Vec<String>);

impl Listeners {
    /// Binds what the roles need.
    ///
    /// # Errors
    /// Every port that cannot be had.
    pub(crate) async fn bind(settings: &Settings, roles: &Roles) -> Result<Self, StartError> {
        let (grpc, mut binding) = (|role| roles.split() && roles.has(role), Binding::default());
        let at = &settings.grpc;
        let http = binding.bind(roles.has(Role::Gateway), "http.listen", settings.http.listen).await;
        let ops = binding.bind(true, "ops.listen", settings.ops.listen).await;
        let config = binding.bind(grpc(Role::Config), "grpc.config", at.config).await;
        let token_pool = binding.bind(grpc(Role::TokenPool), "grpc.token_pool", at.token_pool).await;
        let media_cache = binding.bind(grpc(Role::MediaCache), "grpc.media_cache", at.media_cache).await;
        let chat = binding.bind(grpc(Role::Chat), "grpc.chat", at.chat).await;
        match ops {
            Some(ops) if binding.0.is_empty() => {
                let roles = RoleListeners { config, token_pool, media_cache, chat };
                Ok(Self { http, ops, roles })
            }
            _ => Err(StartError(binding.0)),
        }
    }

    pub(crate) fn addresses(&self) -> Result<Addresses, StartError> {
        let of = |listener: &TcpListener| {
            listener.local_addr().map_err(|error| StartError::one("bound port", error))
        };
        let maybe = |listener: &Option<TcpListener>| listener.as_ref().map(of).transpose();
        Ok(Addresses {
            http: maybe(&self.http)?,
            ops: of(&self.ops)?,
            config: maybe(&self.roles.config)?,
            token_pool: maybe(&self.roles.token_pool)?,
            media_cache: maybe(&self.roles.media_cache)?,
            chat: maybe(&self.roles.chat)?,
        })
    }
}

impl Binding {
    async fn bind(&mut self, wanted: bool, name: &str, address: SocketAddr) -> Option<TcpListener> {
        if !wanted {
            return None;
        }
        let bound = TcpListener::bind(address).await;
        bound.map_err(|error| self.0.push(format!("{name} {address}: {error}"))).ok()
    }
}
