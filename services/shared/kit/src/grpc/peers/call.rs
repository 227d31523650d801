//! One call: its deadline, its replica, and whether it is made again on another.

use std::{
    convert::Infallible,
    error::Error as StdError,
    future::{Future, pending},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use grok2api_proto::{Error, Idempotent};
use http::{HeaderValue, Request, Response, request::Parts};
use http_body_util::{BodyExt as _, Full};
use tokio::time::{Instant, timeout_at};
use tonic::{ConnectError, Status, TimeoutExpired, body::Body, transport::Channel};
use tower::{Service, ServiceExt as _};

use super::{
    Chosen, Peers,
    peer::{InFlight, Standing},
};
use crate::grpc::limit::REFUSED;

/// How long a call waits for a replica when there is none: one that restarts is back about as soon.
const PATIENCE: Duration = Duration::from_secs(1);
/// Until when the caller waits, as the protocol tells it.
const GRPC_TIMEOUT: &str = "grpc-timeout";
/// How often a call that may be made twice is made at most.
const ATTEMPTS: u32 = 3;

/// The calls of one service to the replicas of its role.
#[derive(Clone)]
pub(crate) struct Calls {
    peers: Peers,
    deadline: Duration,
}

/// Why an attempt brought no answer.
enum Failed {
    /// Nothing was sent, or nothing was done: any call may be made elsewhere.
    Unsent,
    /// It may have been done.
    Lost,
    /// The deadline has passed, as tonic saw a moment before us.
    Late,
    /// The replica has too much to do; its own words.
    Refused(Box<Response<Body>>),
}

/// A call with what is needed to make it again.
struct Call {
    peers: Peers,
    parts: Parts,
    message: Bytes,
    idempotent: bool,
    deadline: Instant,
}

impl Calls {
    pub(crate) fn new(peers: Peers, deadline: Duration) -> Self {
        Self { peers, deadline }
    }
}

impl Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (peers, deadline) = (self.peers.clone(), Instant::now() + self.deadline);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            // One message, encoded already, so that nothing is copied.
            let message = body.collect().await?.to_bytes();
            let idempotent = parts.extensions.get::<Idempotent>().is_some();
            let call = Call { peers, parts, message, idempotent, deadline };
            let answer = timeout_at(deadline, call.make()).await;
            answer.unwrap_or_else(|_| Err(Error::peer_timeout().into()))
        })
    }
}

impl Call {
    async fn make(&self) -> Result<Response<Body>, Status> {
        self.peers.0.budget.deposit();
        let until = Instant::now() + PATIENCE;
        let (mut lost, mut avoid, mut refusal) = (0, Vec::new(), None);
        while let Some(chosen) = self.peers.choose(&avoid, until).await {
            let peer = chosen.peer.clone();
            match self.attempt(chosen).await {
                Ok(answer) => return Ok(answer),
                Err(Failed::Unsent) if Instant::now() < until => {}
                Err(Failed::Unsent) => break,
                Err(Failed::Refused(words)) => {
                    avoid.push(peer.uri.clone());
                    refusal = Some(words);
                }
                Err(Failed::Late) => return Err(Error::peer_timeout().into()),
                Err(Failed::Lost) => {
                    lost += 1;
                    let again = self.idempotent && lost < ATTEMPTS && self.peers.0.budget.withdraw();
                    if !again {
                        break;
                    }
                }
            }
        }
        refusal.map(|words| *words).ok_or_else(|| Error::peer_unavailable().into())
    }

    async fn attempt(&self, chosen: Chosen) -> Result<Response<Body>, Failed> {
        let Chosen { peer, channel, standing } = chosen;
        let in_flight = peer.enter();
        let leaves = self.idempotent && standing != Standing::Silent;
        let better = async { if leaves { self.peers.better_than(&peer).await } else { pending().await } };
        let answer = tokio::select! {
            biased;
            answer = send(channel, self.request()) => answer,
            // It may only be late, so its connection is not to blame.
            () = better => return Err(Failed::Lost),
        };
        match answer {
            Ok(answer) if answer.headers().contains_key(REFUSED) => Err(Failed::Refused(Box::new(answer))),
            Ok(answer) => Ok(answer.map(|body| counted(body, in_flight))),
            Err(Failed::Late) => Err(Failed::Late),
            Err(failed) => {
                peer.failed();
                Err(failed)
            }
        }
    }

    fn request(&self) -> Request<Body> {
        let body = Body::new(Full::new(self.message.clone()).map_err(|never: Infallible| match never {}));
        let mut request = Request::from_parts(self.parts.clone(), body);
        let left = self.deadline.saturating_duration_since(Instant::now());
        // At most eight digits, says the specification.
        let left = format!("{}m", left.as_millis().min(99_999_999));
        if let Ok(left) = HeaderValue::from_str(&left) {
            request.headers_mut().insert(GRPC_TIMEOUT, left);
        }
        request
    }
}

async fn send(mut channel: Channel, request: Request<Body>) -> Result<Response<Body>, Failed> {
    let failed = |error: tonic::transport::Error| Failed::by(&error);
    channel.ready().await.map_err(failed)?.call(request).await.map_err(failed)
}

impl Failed {
    /// What a failed attempt means: a connection that was not made, or a request that was still waiting for it, sent nothing.
    fn by(error: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let canceled = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
            if canceled || error.is::<ConnectError>() {
                return Self::Unsent;
            }
            if error.is::<TimeoutExpired>() {
                return Self::Late;
            }
            next = error.source();
        }
        Self::Lost
    }
}

/// The call is in flight until the body is read or dropped.
fn counted(body: Body, in_flight: InFlight) -> Body {
    Body::new(body.map_frame(move |frame| {
        let _held = &in_flight;
        frame
    }))
}
