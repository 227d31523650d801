//! The HTTP gateway: client protocols, media routes, auth.
//!
//! - `routes.rs` is the whole route table, `middleware.rs` the order of the layers with their reasons.
//! - `openai/` is the protocol without any IO: requests to the product's own terms, events to chunks. What becomes of each
//!   field of a request is a table there, of which `docs/request-fields.md` is made.
//! - `anthropic/` is the same for Anthropic's Messages, `responses/` for OpenAI's Responses.
//! - `mcp/` has Grok as tools of the Model Context Protocol.
//! - `admin/` is the API of those who run the product; it has sessions in the place of keys.
//! - `handlers/` are the routes: they call [`Chat`] and [`MediaCache`] and know nothing of who serves them.
//!
//! Decisions:
//! - 2026-12: what is forwarded — address, host, scheme — is believed of `http.trusted_proxies` only. The address decides who
//!   may ask; host and scheme shape links, and links are kept: in conversations, in answers that are told again, in logs. An
//!   operator who wants fixed links sets `base_url`.
//! - 2026-12: media are open to everybody who knows a name, as in the seed, until `link_secret` is set; then a link is good for
//!   one item and for `link_hours`. An admin's session opens them too: the console shows what is there, however old the
//!   conversation.
//! - While the config service is away, the keys that are known go on being accepted: an outage of one part must not
//!   stop all clients. What was revoked meanwhile is refused once it is back.
//! - A pending turn is accepted with `200` after ten silent seconds, because proxies and clients give up on silent
//!   connections; only failures before that have a status of their own.
//! - 2026-11: the gateway, not the chat service, works on videos that outlive their request: it is what knows clients, and
//!   chat keeps no state. The jobs are kept by the media cache's process (`proto::video`), so that every gateway sees them;
//!   how they change hands stands in `videos.rs`.
//! - 2026-11: while nobody can say whether a key's limits let a request pass, keys with limits are refused (503) and all
//!   others go on: a limit that is sometimes none is worse than a short outage for those who asked for one.
//! - 2026-11: the loop that accepts connections is ours (`server.rs`), since `axum::serve` has no limits.
//! - 2026-11: a request with an `Idempotency-Key` goes on when its client leaves, unlike all others: the key says that somebody
//!   will come back for the answer, and the upstream's units are spent when it takes the turn. Whoever cannot ask the
//!   keeper of the keys does the request: an outage of one part must not stop all clients.
//! - 2026-11: overhead is what is left of the time until the headers without the attempts' own time, which chat measures from the
//!   lease on; a stream is measured up to its first byte, a whole answer to its end.
//! - After the last frame the turn's stream is read to its end, so that a service behind the network sees a finished
//!   call and not a cancelled one.
//!
//! What clients can send and what they get: `docs/api.md`.

pub mod admin;
mod admission;
mod anthropic;
mod body;
mod caller;
pub mod capture;
mod client_keys;
mod console;
mod conversation;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod handlers;
mod idempotency;
mod links;
mod mcp;
mod middleware;
pub mod openai;
mod openapi;
mod responses;
mod routes;
mod running;
mod server;
mod unwind;
pub mod usage;
mod videos;

use std::sync::Arc;

use grok2api_kit::{lifecycle::Tasks, readiness::Readiness, runtime::Runtime, settings::Networks};
use grok2api_proto::{chat::Chat, media::MediaCache, response::Responses};

pub use caller::Caller;
pub use client_keys::ClientKeys;
pub use idempotency::Idempotency;
pub use links::Links;
pub use routes::router;
pub use running::Running;
pub use server::serve;
pub use videos::Videos;

/// What the gateway needs.
#[derive(Clone)]
pub struct Deps {
    /// Runs the turns.
    pub chat: Arc<dyn Chat>,
    /// Holds generated images and videos.
    pub media: Arc<dyn MediaCache>,
    /// Makes videos behind the requests.
    pub videos: Videos,
    /// Keeps responses that clients may come back to.
    pub responses: Arc<dyn Responses>,
    /// The operator's parameters.
    pub runtime: Runtime,
    /// Who may ask.
    pub client_keys: ClientKeys,
    /// Whose `X-Forwarded-…` is believed.
    pub trusted_proxies: Networks,
    /// Told by `/health`.
    pub readiness: Readiness,
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
    /// Keeps bodies for a share of the requests.
    pub capture: capture::Capturer,
    /// Does requests once that clients repeat.
    pub idempotency: Idempotency,
    /// Most requests at the same time.
    pub max_in_flight: usize,
    /// Takes down every request for the usage ledger.
    pub usage: usage::Recorder,
    /// Its hard stop ends open streams.
    pub tasks: Tasks,
    /// What the admin API needs; without it there is none.
    pub admin: Option<admin::Services>,
}

#[cfg(test)]
mod tests;
