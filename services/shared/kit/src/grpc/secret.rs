//! The shared secret that internal callers show, as two small tower layers.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use futures_util::future::Either;
use http::{HeaderValue, Request, Response, header::InvalidHeaderValue};
use subtle::ConstantTimeEq as _;
use tonic::{Status, body::Body};
use tower::{Layer, Service, layer::layer_fn};

const HEADER: &str = "x-g2a-internal";

/// Adds the secret to every call.
#[derive(Clone)]
pub(super) struct AddSecret<S> {
    inner: S,
    secret: Option<HeaderValue>,
}

/// Refuses calls that do not show the secret.
#[derive(Clone)]
pub(super) struct CheckSecret<S> {
    inner: S,
    secret: String,
}

impl AddSecret<()> {
    /// A secret that no header can hold is not shown, and so refused; the settings' check tells before.
    pub(super) fn layer<S>(secret: &str) -> impl Layer<S, Service = AddSecret<S>> + Clone + use<S> {
        let secret = if secret.is_empty() { None } else { sensitive(secret).ok() };
        layer_fn(move |inner| AddSecret { inner, secret: secret.clone() })
    }
}

impl CheckSecret<()> {
    pub(super) fn layer<S>(secret: &str) -> impl Layer<S, Service = CheckSecret<S>> + Clone + use<S> {
        let secret = secret.to_owned();
        layer_fn(move |inner| CheckSecret { inner, secret: secret.clone() })
    }
}

fn sensitive(secret: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(secret)?;
    value.set_sensitive(true);
    Ok(value)
}

impl<S, B> Service<Request<B>> for AddSecret<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(secret) = &self.secret {
            request.headers_mut().insert(HEADER, secret.clone());
        }
        self.inner.call(request)
    }
}

impl<S, B> Service<Request<B>> for CheckSecret<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shown = request.headers().get(HEADER).map(HeaderValue::as_bytes).unwrap_or_default();
        if super::is_health(request.uri()) || bool::from(shown.ct_eq(self.secret.as_bytes())) {
            return Either::Left(self.inner.call(request));
        }
        let refusal = Status::unauthenticated("the internal secret is missing or differs between the roles");
        Either::Right(ready(Ok(refusal.into_http())))
    }
}
