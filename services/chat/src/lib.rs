//! One conversation turn: upstream drivers, failover, the event stream.
//!
//! A turn leases an account, uploads attachments, opens the upstream's stream and reads up to the *commit point*,
//! the first output. Before it a failure is retried on another account; after it never. What the upstream sends is
//! decoded into the events of `proto::chat`; generated media goes through the media cache, so that no client ever
//! sees an upstream address.
//!
//! Decisions:
//!
//! - 2026-11-23: a reasoning *header* ("Thinking about your request") does not commit a turn; upstreams that say
//!   only that and stop are retried.
//! - 2026-11-23: the usual end is the connection's end, not `isSoftStop`: images and the finished message come
//!   after it.

mod conversation;
pub mod grok;
mod lease;
pub mod models;
mod service;
pub mod tools;
mod turn;

use std::sync::Arc;

use grok2api_kit::{egress, egress::PublicFetch, lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::{Result, chat::Chat, media::MediaCache, pool::TokenPool};

use lease::Leases;
use service::Service;

/// What the service is built on.
pub struct Deps {
    /// Who serves a turn.
    pub pool: Arc<dyn TokenPool>,
    /// Where generated media goes.
    pub media: Arc<dyn MediaCache>,
    /// The operator's parameters.
    pub runtime: Runtime,
    /// The way to the upstream.
    pub egress: egress::Gateway,
    /// Also fetch client-given addresses that are not public.
    pub allow_private_images: bool,
    /// Owns the heartbeat of the leases and settlements behind a client's back.
    pub tasks: Tasks,
}

/// Starts the service.
///
/// # Errors
/// `internal_error` when the HTTP client cannot be built.
pub fn start(deps: Deps) -> Result<Arc<dyn Chat>> {
    let fetch = PublicFetch::new(deps.allow_private_images)?;
    let leases = Leases::start(deps.pool, deps.tasks);
    Ok(Arc::new(Service::new(leases, deps.media, deps.runtime, deps.egress, fetch)))
}
