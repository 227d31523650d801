//! The calls of a request's choices while none has said anything.

use std::{
    future::poll_fn,
    task::{Context, Poll, ready},
};

use futures_util::{StreamExt as _, future::BoxFuture, stream};
use grok2api_proto::{Error, Result, Stream, chat::ChatBatch};

use super::flatten;

type Pending = BoxFuture<'static, Result<Stream<ChatBatch>>>;

/// All are begun together, and one that fails is the failure of all.
pub(in crate::handlers) struct Opening(Vec<Call>);

enum Call {
    Pending(Pending),
    Open(Stream<ChatBatch>),
    /// It said this first.
    Heard(ChatBatch, Stream<ChatBatch>),
    /// It ended without a word.
    Ended,
}

impl Opening {
    pub(in crate::handlers) fn new(calls: impl Iterator<Item = Pending>) -> Self {
        Self(calls.map(Call::Pending).collect())
    }

    /// Resolves when every call has said something or ended; nothing is lost by not waiting for it.
    ///
    /// # Errors
    /// The first that failed, and which it was.
    pub(in crate::handlers) async fn answered(&mut self) -> Result<(), (usize, Error)> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), (usize, Error)>> {
        let mut waiting = false;
        for (at, call) in self.0.iter_mut().enumerate() {
            match call.poll(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err((at, error))),
                Poll::Pending => waiting = true,
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// What each said first.
    pub(in crate::handlers) fn heard(&self) -> impl Iterator<Item = (usize, &ChatBatch)> {
        let heard = self.0.iter().enumerate();
        heard.filter_map(|(at, call)| if let Call::Heard(first, _) = call { Some((at, first)) } else { None })
    }

    /// The streams, with those that are still being opened.
    pub(in crate::handlers) fn into_streams(self) -> Vec<Stream<ChatBatch>> {
        let stream = |call| match call {
            Call::Pending(pending) => flatten(pending),
            Call::Open(stream) => stream,
            Call::Heard(first, stream) => stream::iter([Ok(first)]).chain(stream).boxed(),
            Call::Ended => stream::empty().boxed(),
        };
        self.0.into_iter().map(stream).collect()
    }
}

impl Call {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        if let Self::Pending(pending) = self {
            let stream = ready!(pending.as_mut().poll(context))?;
            *self = Self::Open(stream);
        }
        if let Self::Open(stream) = self {
            let first = ready!(stream.poll_next_unpin(context)).transpose()?;
            let Self::Open(stream) = std::mem::replace(self, Self::Ended) else { return Poll::Ready(Ok(())) };
            *self = first.map_or(Self::Ended, |first| Self::Heard(first, stream));
        }
        Poll::Ready(Ok(()))
    }
}
