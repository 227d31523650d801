//! How many requests there may be at the same time; each holds its place until the last byte of its answer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use grok2api_kit::metrics::{HTTP_PLACES, REFUSED};
use grok2api_proto::{Error, Kind};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::openai::error::Failure;

/// Probes are cheap, and a process that is busy is healthy.
const EXEMPT: &str = "/health";

/// The places.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    all: usize,
}

/// An answer that holds a place.
struct Held {
    body: Body,
    _place: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(all: usize) -> Self {
        let all = all.min(Semaphore::MAX_PERMITS);
        HTTP_PLACES.set(all as f64, []);
        Self { free: Arc::new(Semaphore::new(all)), all }
    }
}

/// Refuses what finds no place, before its body is read.
pub(super) async fn limit(
    State(places): State<Places>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if request.uri().path() == EXEMPT {
        return Ok(next.run(request).await);
    }
    let Ok(place) = places.free.try_acquire_owned() else {
        REFUSED.add(1, ["server_overloaded".into()]);
        let message = format!("the server is busy with {} requests, as many as it takes", places.all);
        return Err(Error::new(Kind::Unavailable, "server_overloaded", message).into());
    };
    let response = next.run(request).await;
    Ok(response.map(|body| Body::new(Held { body, _place: place })))
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
