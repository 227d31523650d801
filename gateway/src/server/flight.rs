//! The body of an answer, from its first byte to its last.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::connection::Begun;

/// An open request and the body of its answer, once there is one.
#[derive(Default)]
pub(super) struct Flight(Mutex<State>);

#[derive(Default)]
enum State {
    /// No answer yet.
    #[default]
    Waiting,
    /// The answer, and since when its newest piece has not been taken further.
    Flying(Body, Option<Instant>),
    /// Given up: the client took nothing for too long.
    Cut,
}

/// The body as hyper sees it.
pub(super) struct Carried {
    flight: Arc<Flight>,
    _begun: Begun,
}

impl Flight {
    pub(super) fn load(&self, body: Body) {
        *self.0.lock() = State::Flying(body, None);
    }

    pub(super) fn is_stalled(&self, now: Instant, limit: Duration) -> bool {
        // Whoever holds the lock is polling: it is not stalled.
        let Some(state) = self.0.try_lock() else { return false };
        matches!(&*state, State::Flying(_, Some(since)) if now.saturating_duration_since(*since) >= limit)
    }

    /// Drops the body, and with it the turn. Whoever carries it finds an error, should they ever ask again.
    pub(super) fn cut(&self) {
        let body = std::mem::replace(&mut *self.0.lock(), State::Cut);
        drop(body);
    }
}

impl Carried {
    pub(super) fn new(flight: Arc<Flight>, begun: Begun) -> Self {
        Self { flight, _begun: begun }
    }
}

impl hyper::body::Body for Carried {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = self.flight.0.lock();
        let State::Flying(body, since) = &mut *state else {
            return Poll::Ready(Some(Err("the answer was given up".into())));
        };
        let polled = Pin::new(body).poll_frame(context);
        *since = matches!(polled, Poll::Ready(Some(Ok(_)))).then(Instant::now);
        polled.map_err(BoxError::from)
    }

    fn is_end_stream(&self) -> bool {
        matches!(&*self.flight.0.lock(), State::Flying(body, _) if body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &*self.flight.0.lock() {
            State::Flying(body, _) => body.size_hint(),
            State::Waiting | State::Cut => SizeHint::default(),
        }
    }
}
