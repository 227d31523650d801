//! The admin API: what the console and scripts run the product with. Contract: `docs/admin-api.md`.
//!
//! - `routes.rs` is the table of all routes, by the role they need.
//! - `session.rs` lets a request in: session, role, cross-site requests. The rest knows only [`session::Who`] asks.
//! - One file per page: it reads what is asked, calls the services, and shows what they answer.

mod accounts;
mod actions;
mod admins;
mod cache;
mod csrf;
mod dashboard;
mod document;
mod extract;
mod keys;
mod live;
mod login;
mod media;
mod models;
mod names;
mod progress;
mod requests;
mod routes;
mod session;
mod settings;
mod system;
mod tokens;
mod words;

use std::sync::Arc;

use grok2api_proto::{
    admin::{Action, Admins},
    capture::Captures,
    chat::Chat,
    config::Config,
    keys::Keys,
    ledger::Ledger,
    live::Live,
    media::MediaCache,
    pool::TokenPool,
};
use serde_json::Value;

use crate::{Deps, usage::Recorder};
use names::Names;
use session::Who;

pub(crate) use document::add as describe;
pub(crate) use routes::routes;
pub(crate) use session::is_admin;

/// What the admin API is built on, beside what the gateway has anyway.
#[derive(Clone)]
pub struct Services {
    /// Admins, sessions, and the log of what they did.
    pub admins: Arc<dyn Admins>,
    /// What every process is doing.
    pub live: Arc<dyn Live>,
    /// The parameters.
    pub config: Arc<dyn Config>,
    /// The keys of clients.
    pub keys: Arc<dyn Keys>,
    /// What was asked, and how it went.
    pub ledger: Arc<dyn Ledger>,
    /// The accounts.
    pub pool: Arc<dyn TokenPool>,
    /// Bodies of requests and answers.
    pub captures: Arc<dyn Captures>,
    /// Where this process serves probes and metrics, for people.
    pub operations: String,
    /// Address of the upstream, for people.
    pub upstream: String,
    /// What replays may be played against; without it they cannot.
    pub simulator: Option<Simulator>,
}

/// A product in front of the simulator that is built in, of which nothing is kept.
#[derive(Clone)]
pub struct Simulator {
    /// Runs turns against it.
    pub chat: Arc<dyn Chat>,
    /// Names what it draws.
    pub media: Arc<dyn MediaCache>,
    /// Forgets what is recorded.
    pub usage: Recorder,
}

/// What every handler of the admin API gets.
type Console = Arc<Inner>;

struct Inner {
    deps: Deps,
    services: Services,
    names: Names,
    again: requests::replay::Again,
    /// Looked at now and then, for everybody who watches.
    dry: live::Looked,
}

impl Inner {
    /// Writes down what an admin did. What is done is done: a log that is away does not undo it.
    async fn log(&self, who: &Who, what: &str, target: impl ToString, before: Value, after: Value) {
        let action = Action {
            actor: who.name.clone(),
            what: what.to_owned(),
            target: target.to_string(),
            before: before.to_string(),
            after: after.to_string(),
            ..Action::default()
        };
        if let Err(error) = self.services.admins.log(action).await {
            tracing::error!(%error, "{what} by {:?} is not in the log of actions: {error}", who.name);
        }
    }
}
