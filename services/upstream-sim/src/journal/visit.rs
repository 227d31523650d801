//! One request being answered. Whoever drops it unanswered was left by the client.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use super::{Entry, Journal, Outcome, selected};
use crate::{account::Account, listener::Hangup, reply::Reply, world::World};

/// The open record of a request. It travels with the answer: into the handler, and from there into the body.
#[derive(Debug)]
pub(crate) struct Visit {
    journal: Arc<Journal>,
    entry: Arc<Entry>,
    hangup: Hangup,
    closed: bool,
}

impl Visit {
    pub(crate) fn path(&self) -> &str {
        &self.entry.path
    }

    /// Notes which account the request belongs to.
    pub(crate) fn belongs_to(&self, account: &Account) {
        // A request has one account; a second note would be the same one.
        let _ = self.entry.account.set(account.token.clone());
    }

    /// Notes the fault that struck. The first one counts.
    pub(crate) fn struck_by(&self, fault: &'static str) {
        let _ = self.entry.fault.set(fault);
    }

    /// Keeps the body, if it is short.
    pub(crate) fn carried(&self, body: &Bytes) {
        self.journal.keep_body(&self.entry, body);
    }

    pub(crate) fn status(&self, status: u16) {
        self.entry.status.store(status, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.entry.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Makes the connection end by RST.
    pub(crate) fn hang_up(&self) {
        self.hangup.reset();
    }

    /// Closes the record.
    pub(crate) fn close(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.closed, true) {
            self.journal.close(&self.entry, outcome);
        }
    }

    /// Answers with a whole reply.
    pub(crate) fn answer(self, result: Result<Reply, Reply>) -> Response {
        let (Ok(reply) | Err(reply)) = result;
        let bytes = reply.body.len();
        self.deliver(reply.into_response(), bytes)
    }

    /// Answers with a response whose body of `bytes` bytes is at hand.
    pub(crate) fn deliver(mut self, response: Response, bytes: usize) -> Response {
        let status = response.status();
        self.status(status.as_u16());
        self.sent(bytes);
        let faulted = self.entry.fault.get().is_some();
        self.close(match status.as_u16() {
            _ if faulted => Outcome::Faulted,
            200..400 => Outcome::Completed,
            _ => Outcome::Refused,
        });
        response
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.close(Outcome::Cancelled);
    }
}

impl FromRequestParts<Arc<World>> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, world: &Arc<World>) -> Result<Self, Self::Rejection> {
        let hangup = parts.extensions.get::<ConnectInfo<Hangup>>().map(|info| info.0.clone());
        let journal = Arc::clone(&world.journal);
        let entry = journal.open(parts.method.as_str(), parts.uri.path(), selected(&parts.headers));
        Ok(Self { journal, entry, hangup: hangup.unwrap_or_default(), closed: false })
    }
}
