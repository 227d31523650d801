//! The trace context across calls between roles, as two small tower layers.

use std::task::{Context as Waker, Poll};

use http::Request;
use tower::{Layer, Service, layer::layer_fn};

use crate::trace::{Context, Held};

/// Tells the other side which trace a call belongs to.
#[derive(Clone)]
pub(super) struct Tell<S>(S);

/// Serves a call in the trace it belongs to.
#[derive(Clone)]
pub(super) struct Join<S>(S);

impl Tell<()> {
    pub(super) fn layer<S>() -> impl Layer<S, Service = Tell<S>> + Clone {
        layer_fn(Tell)
    }
}

impl Join<()> {
    pub(super) fn layer<S>() -> impl Layer<S, Service = Join<S>> + Clone {
        layer_fn(Join)
    }
}

impl<S, B> Service<Request<B>> for Tell<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, waker: &mut Waker<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(waker)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(context) = Context::current() {
            context.child().write(request.headers_mut());
        }
        self.0.call(request)
    }
}

impl<S, B> Service<Request<B>> for Join<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Held<S::Future>;

    fn poll_ready(&mut self, waker: &mut Waker<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(waker)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let context = Context::read(request.headers()).unwrap_or_else(Context::fresh);
        context.hold(self.0.call(request))
    }
}
