//! The body of a request, from a client that may be slow.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::BoxError;
use bytes::Bytes;
use grok2api_proto::{Error, Kind};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Connection;

/// So much must come within each timeout: a byte now and then is no progress.
const PIECE: usize = 64 * 1024;

/// Fails with [`Kind::TooSlow`] when it comes too slowly.
pub(super) struct Upload {
    body: Incoming,
    limit: Duration,
    /// When the piece has to be there; nothing before the first time it is waited for.
    due: Option<Pin<Box<Sleep>>>,
    /// What came of the piece.
    received: usize,
    connection: Arc<Connection>,
}

impl Upload {
    pub(super) fn new(body: Incoming, limit: Duration, connection: Arc<Connection>) -> Self {
        Self { body, limit, due: None, received: 0, connection }
    }

    fn take(&mut self, bytes: usize) {
        self.received += bytes;
        if self.received >= PIECE {
            self.received = 0;
            if let Some(due) = &mut self.due {
                due.as_mut().reset(Instant::now() + self.limit);
            }
        }
    }

    fn too_slow(&self) -> Error {
        let seconds = self.limit.as_secs();
        let message = format!("the request body came too slowly: less than {PIECE} bytes in {seconds} s");
        Error::new(Kind::TooSlow, "request_timeout", message)
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if let Some(Ok(frame)) = &frame {
                self.take(frame.data_ref().map_or(0, Bytes::len));
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let limit = self.limit;
        let due = self.due.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + limit)));
        ready!(due.as_mut().poll(context));
        Poll::Ready(Some(Err(self.too_slow().into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            self.connection.left_unread();
        }
    }
}
