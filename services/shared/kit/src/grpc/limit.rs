//! A limit of calls in flight, as a small tower layer: what is too much is refused at once, and may be asked of another replica.

use std::{
    future::{Future, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::TryFutureExt as _;
use grok2api_proto::{Error, Kind};
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Status, body::Body};
use tower::{Layer, Service, layer::layer_fn};

use crate::lifecycle::{Open, Tasks};

/// On a refusal: nothing was done, so any call may be made elsewhere.
pub(super) const REFUSED: &str = "x-g2a-refused";
const RETRY: Duration = Duration::from_secs(1);

/// Serves so many calls at a time, streams until their last byte.
#[derive(Clone)]
pub(super) struct Limit<S> {
    inner: S,
    free: Arc<Semaphore>,
    tasks: Tasks,
}

impl Limit<()> {
    pub(super) fn layer<S>(most: usize, tasks: Tasks) -> impl Layer<S, Service = Limit<S>> + Clone {
        let free = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        layer_fn(move |inner| Limit { inner, free: free.clone(), tasks: tasks.clone() })
    }
}

impl<S, B> Service<Request<B>> for Limit<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // A process that is full is not a dead one.
        if super::is_health(request.uri()) {
            return Box::pin(self.inner.call(request));
        }
        match self.free.clone().try_acquire_owned() {
            Ok(permit) => {
                let place = (permit, self.tasks.open("call"));
                Box::pin(self.inner.call(request).map_ok(|response| held(response, place)))
            }
            Err(_) => Box::pin(ready(Ok(refusal()))),
        }
    }
}

/// The place goes with the body.
fn held(response: Response<Body>, place: (OwnedSemaphorePermit, Open)) -> Response<Body> {
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &place;
            frame
        }))
    })
}

fn refusal() -> Response<Body> {
    let error = Error::new(Kind::Unavailable, "peer_overloaded", "an internal service has too much to do");
    let mut response: Response<Body> = Status::from(error.retry_after(RETRY)).into_http();
    response.headers_mut().insert(REFUSED, HeaderValue::from_static("1"));
    response
}
