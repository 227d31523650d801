//! The calls of a request's choices while none has said anything.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use grok2api_proto::{Error, Result, Stream, chat::ChatBatch};

use super::flatten;

type Pending = BoxFuture<'static, Result<Stream<ChatBatch>>>;

/// All are begun together, and one that fails is the failure of all.
pub(in crate::handlers) struct Opening(Vec<Call>);

enum Call {
    Pending(Pending),
    Open(Stream<ChatBatch>),
}

impl Opening {
    pub(in crate::handlers) fn new(calls: impl Iterator<Item = Pending>) -> Self {
        Self(calls.map(Call::Pending).collect())
    }

    /// Resolves when every call is answered; nothing is lost by not waiting for it.
    ///
    /// # Errors
    /// The first that failed, and which it was.
    pub(in crate::handlers) async fn answered(&mut self) -> Result<(), (usize, Error)> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), (usize, Error)>> {
        let mut waiting = false;
        for (at, call) in self.0.iter_mut().enumerate() {
            let Call::Pending(pending) = call else { continue };
            match pending.as_mut().poll(context) {
                Poll::Ready(Ok(stream)) => *call = Call::Open(stream),
                Poll::Ready(Err(error)) => return Poll::Ready(Err((at, error))),
                Poll::Pending => waiting = true,
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// The streams, with those that are still being opened.
    pub(in crate::handlers) fn into_streams(self) -> Vec<Stream<ChatBatch>> {
        let stream = |call| match call {
            Call::Pending(pending) => flatten(pending),
            Call::Open(stream) => stream,
        };
        self.0.into_iter().map(stream).collect()
    }
}
