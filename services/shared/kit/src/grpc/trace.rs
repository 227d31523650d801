//! Calls between roles as steps of their trace, and their times, as two small tower layers.

use std::{
    pin::Pin,
    task::{Context as Waker, Poll},
};

use http::{HeaderMap, Request, Response};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service, layer::layer_fn};
use tracing::{Span, info_span};

use crate::{
    metrics::{Histogram, RPC_CLIENT_DURATION, RPC_SERVER_DURATION},
    trace::{Body as Watched, Context, Step, Watch},
};

/// Tells the other side which trace and which request a call belongs to.
#[derive(Clone)]
pub(super) struct Tell<S>(S);

/// Serves a call in the trace it belongs to.
#[derive(Clone)]
pub(super) struct Join<S>(S);

/// A call, until its answer has ended; one that is dropped before was cancelled.
struct Call {
    step: Step,
    method: String,
    begun: Instant,
    time: &'static Histogram,
    over: bool,
}

type Answering<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

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

impl Call {
    fn begin(step: Step, method: String, time: &'static Histogram) -> Self {
        Self { step, method, begun: Instant::now(), time, over: false }
    }

    /// The answer's head: an answer without a body has its status there.
    fn answered(mut self, response: Response<Body>) -> Response<Body> {
        let context = self.step.context().clone();
        if response.headers().contains_key(Status::GRPC_STATUS) {
            self.end(code(response.headers()));
        }
        response.map(|body| Body::new(Watched::new(body, context, self)))
    }

    fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let code = name(code);
        self.step.note("rpc.response.status_code", code);
        if code != "OK" {
            self.step.failed(code);
        }
        let method = std::mem::take(&mut self.method);
        self.time.record(self.begun.elapsed().as_secs_f64(), [method.into(), code.into()]);
    }
}

impl Watch for Call {
    fn ended(&mut self, trailers: Option<&HeaderMap>) {
        self.end(trailers.map_or(Code::Unknown, code));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

impl<S, B> Service<Request<B>> for Tell<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answering<S::Error>;

    fn poll_ready(&mut self, waker: &mut Waker<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(waker)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let method = request.uri().path().trim_start_matches('/').to_owned();
        // What nobody asked for, such as a role's signs of life, is no trace of its own.
        let step = match Context::current() {
            Some(current) => {
                let step = Step::below(Some(&current), span(&method, "client"));
                step.context().write(request.headers_mut());
                step.context().write_ids(request.headers_mut());
                step
            }
            None => Step::silent(None),
        };
        let mut call = Call::begin(step, method, &RPC_CLIENT_DURATION);
        let answer = self.0.call(request);
        Box::pin(async move {
            match answer.await {
                Ok(response) => Ok(call.answered(response)),
                Err(error) => {
                    call.end(Code::Unavailable);
                    Err(error)
                }
            }
        })
    }
}

impl<S, B> Service<Request<B>> for Join<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answering<S::Error>;

    fn poll_ready(&mut self, waker: &mut Waker<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(waker)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let caller = Context::read(request.headers()).map(|caller| caller.read_ids(request.headers()));
        let step = match &caller {
            Some(caller) => Step::below(Some(caller), span(&method, "server")),
            None => Step::silent(None),
        };
        let answer = step.context().clone().hold(self.0.call(request));
        let call = Call::begin(step, method, &RPC_SERVER_DURATION);
        Box::pin(async move { Ok(call.answered(answer.await?)) })
    }
}

fn span(method: &str, kind: &'static str) -> Span {
    info_span!("rpc", otel.name = method, otel.kind = kind, rpc.system.name = "grpc", rpc.method = method)
}

fn code(headers: &HeaderMap) -> Code {
    headers.get(Status::GRPC_STATUS).map_or(Code::Unknown, |code| Code::from_bytes(code.as_bytes()))
}

/// As the specification of gRPC writes it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
