//! A panic while a body is read ends that body, and nothing else: hyper would end the connection, and in HTTP/2 every other
//! answer on it.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use grok2api_proto::Error;
use hyper::body::{Frame, SizeHint};

/// How a stream says in its own protocol that it has failed; stands in the extensions of its answer.
#[derive(Clone, Copy)]
pub(crate) struct Farewell(pub(crate) fn(&Error, &mut BytesMut));

/// A body whose panics are failures.
struct Caught {
    /// Gone after a panic.
    body: Option<Body>,
    farewell: Option<Farewell>,
}

/// The same answer, of which a panic is the end.
pub(crate) fn caught(response: Response) -> Response {
    let farewell = response.extensions().get::<Farewell>().copied();
    response.map(|body| Body::new(Caught { body: Some(body), farewell }))
}

/// What the client of a request that panicked is told.
pub(crate) fn failed() -> Error {
    Error::internal("the server failed on this request")
}

/// What a panic says.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

impl Caught {
    /// The last frame of a body that panicked.
    fn end(&mut self, panic: &(dyn Any + Send)) -> Result<Frame<Bytes>, axum::Error> {
        let text = message(panic);
        tracing::error!(panic.message = text, "an answer panicked while it was sent: {text}");
        let body = self.body.take();
        // What is left of it is in no order any more.
        catch_unwind(AssertUnwindSafe(|| drop(body))).ok();
        let Some(Farewell(write)) = self.farewell else { return Err(axum::Error::new(failed())) };
        let mut last = BytesMut::new();
        write(&failed(), &mut last);
        Ok(Frame::data(last.freeze()))
    }
}

impl HttpBody for Caught {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(context)));
        polled.unwrap_or_else(|panic| Poll::Ready(Some(self.end(&*panic))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use futures_util::{StreamExt as _, stream};
    use http_body_util::BodyExt as _;

    use super::*;

    fn breaking() -> Response {
        let frames = stream::iter(0..3).map(|number| match number {
            0 => Ok::<_, std::convert::Infallible>("one"),
            _ => panic!("the test says so"),
        });
        Body::from_stream(frames).into_response()
    }

    #[tokio::test]
    async fn a_body_that_panics_fails() {
        let mut body = caught(breaking()).into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
        body.frame().await.unwrap().unwrap_err();
        assert!(body.is_end_stream() && body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_stream_that_panics_says_so_in_its_own_words() {
        let mut response = breaking();
        response.extensions_mut().insert(Farewell(|error, out| out.extend_from_slice(error.code.as_bytes())));
        let body = caught(response).into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "oneinternal_error");
    }

    #[tokio::test]
    async fn what_does_not_panic_is_as_it_was() {
        let response = caught("hello".into_response());
        assert_eq!(response.body().size_hint().exact(), Some(5));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    }
}
