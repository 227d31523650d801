//! A body that is looked at while it passes.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

use super::{Capture, excerpt::Excerpt};

/// What a capture has of a body.
type Part = fn(&Capture) -> &Mutex<Excerpt>;

struct Tee {
    body: Body,
    capture: Arc<Capture>,
    part: Part,
}

/// The same body; what is read of it is taken down.
pub(super) fn body(body: Body, capture: Arc<Capture>, part: Part) -> Body {
    Body::new(Tee { body, capture, part })
}

impl HttpBody for Tee {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            (self.part)(&self.capture).lock().push(data);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
