//! A body that is polled and dropped within a context, and whose end is seen.

use std::{
    pin::Pin,
    task::{Context as Waker, Poll},
};

use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::Context;

/// Sees how a body ends; dropped before, the body was cut.
pub trait Watch {
    /// It came to its end.
    fn ended(&mut self, trailers: Option<&HeaderMap>);
}

/// A body within a context.
pub struct Body<B, W> {
    // Gone only while it is dropped.
    body: Option<B>,
    context: Context,
    watch: W,
    over: bool,
}

impl<B: HttpBody, W: Watch> Body<B, W> {
    /// Around `body`.
    pub fn new(body: B, context: Context, watch: W) -> Self {
        Self { body: Some(body), context, watch, over: false }
    }
}

impl<B, W> Drop for Body<B, W> {
    fn drop(&mut self) {
        let body = self.body.take();
        self.context.enter(|| drop(body));
    }
}

impl<B: HttpBody + Unpin, W: Watch + Unpin> HttpBody for Body<B, W> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        waker: &mut Waker<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let polled = this.context.enter(|| Pin::new(&mut *body).poll_frame(waker));
        let trailers = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.trailers_ref(),
            _ => None,
        };
        let last = matches!(polled, Poll::Ready(None)) || polled.is_ready() && body.is_end_stream();
        if (last || trailers.is_some()) && !std::mem::replace(&mut this.over, true) {
            this.context.enter(|| this.watch.ended(trailers));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}
