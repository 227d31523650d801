//! One connection.

use std::{collections::BTreeMap, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use grok2api_kit::{lifecycle::Shutdown, settings::Http};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{
    connections::{Admitted, Patience},
    flight::{Carried, Flight},
    io::Io,
    upload::Upload,
};
use crate::unwind::caught;

/// How long a connection may take to say goodbye, and streams to say why they end.
const FAREWELL: Duration = Duration::from_secs(1);
/// What is kept of an answer for a client that does not take it, by hyper in each connection or HTTP/2 stream; also the
/// largest head.
const BUFFER: usize = 64 * 1024;
const STREAMS: u32 = 256;
/// HTTP/2 connections behind a dead link are found out.
const PING: Duration = Duration::from_secs(20);

/// What connections are served with.
pub(super) struct Serving {
    router: Router,
    builder: Builder<TokioExecutor>,
    body_timeout: Duration,
    shutdown: Shutdown,
}

/// What is known of a connection.
pub(super) struct Connection {
    peer: SocketAddr,
    state: Mutex<State>,
    ended: CancellationToken,
}

struct State {
    /// Open requests.
    flights: BTreeMap<u64, Arc<Flight>>,
    /// How many there were in all.
    asked: u64,
    http2: bool,
    /// Since when there is no request.
    idle: Instant,
    /// Since when a head is being sent.
    head: Option<Instant>,
    /// Since when the client takes nothing of what is to be sent.
    blocked: Option<Instant>,
    /// A request's body was not read to its end.
    unread: bool,
    reason: Option<Reason>,
}

/// Why a connection is ended from our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// A head does not come.
    Head,
    /// There was no request for a long time.
    Idle,
    /// The client takes nothing of its answer.
    Stalled,
    /// Its place is needed.
    Room,
}

impl Serving {
    pub(super) fn new(router: Router, settings: &Http, shutdown: Shutdown) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        // Heads are timed by us, before the version is known too.
        builder.http1().header_read_timeout(None).max_buf_size(BUFFER);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(BUFFER as u32)
            .max_send_buf_size(BUFFER);
        Self { router, builder, body_timeout: Duration::from_secs(settings.body_timeout_seconds), shutdown }
    }

    /// Serves the connection until it ends.
    pub(super) async fn run(self: Arc<Self>, stream: TcpStream, admitted: Admitted) {
        let connection = admitted.connection.clone();
        let service = {
            let (serving, connection) = (self.clone(), connection.clone());
            service_fn(move |request| serving.clone().answer(connection.clone(), request))
        };
        let io = TokioIo::new(Io::new(stream, connection.clone()));
        let mut serving = pin!(self.builder.serve_connection_with_upgrades(io, service));
        let mut draining = false;
        loop {
            tokio::select! {
                biased;
                served = serving.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(%error, client.address = %connection.peer, "a connection failed: {error}");
                    }
                    return;
                }
                () = connection.ended.cancelled() => break,
                () = self.shutdown.draining(), if !draining => {
                    draining = true;
                    serving.as_mut().graceful_shutdown();
                }
                () = self.stopped() => return,
            }
        }
        let (reason, asked) = {
            let state = connection.state.lock();
            (state.reason, state.asked > 0)
        };
        tracing::debug!(client.address = %connection.peer, ?reason, "a connection was ended");
        if asked && matches!(reason, Some(Reason::Idle | Reason::Room)) {
            serving.as_mut().graceful_shutdown();
            // An error now is no news.
            timeout(FAREWELL, serving).await.ok();
        }
    }

    async fn stopped(&self) {
        self.shutdown.stopped().await;
        sleep(FAREWELL).await;
    }

    async fn answer(
        self: Arc<Self>,
        connection: Arc<Connection>,
        request: Request<Incoming>,
    ) -> Result<Response<Carried>, std::convert::Infallible> {
        let peer = connection.peer;
        let begun = connection.begin();
        let mut request = request.map(|body| Body::new(Upload::new(body, self.body_timeout, connection)));
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = caught(self.router.clone().oneshot(request).await?);
        Ok(response.map(|body| begun.carry(body)))
    }
}

/// An open request: over when it is dropped, or the body that it carries.
pub(super) struct Begun {
    number: u64,
    flight: Arc<Flight>,
    connection: Arc<Connection>,
}

impl Begun {
    fn carry(self, body: Body) -> Carried {
        self.flight.load(body);
        Carried::new(self.flight.clone(), self)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut state = self.connection.state.lock();
        state.flights.remove(&self.number);
        state.idle = Instant::now();
    }
}

impl Connection {
    pub(super) fn new(peer: SocketAddr) -> Self {
        let state = State {
            flights: BTreeMap::new(),
            asked: 0,
            http2: false,
            idle: Instant::now(),
            head: None,
            blocked: None,
            unread: false,
            reason: None,
        };
        Self { peer, state: Mutex::new(state), ended: CancellationToken::new() }
    }

    fn begin(self: &Arc<Self>) -> Begun {
        let flight = Arc::<Flight>::default();
        let mut state = self.state.lock();
        let number = state.asked;
        state.asked += 1;
        state.head = None;
        state.flights.insert(number, flight.clone());
        Begun { number, flight, connection: self.clone() }
    }

    /// Nothing was ever asked.
    pub(super) fn is_fresh(&self) -> bool {
        self.state.lock().asked == 0
    }

    /// Nothing is asked now.
    pub(super) fn is_idle(&self) -> bool {
        self.state.lock().flights.is_empty()
    }

    pub(super) fn end(&self, reason: Reason) {
        self.state.lock().reason.get_or_insert(reason);
        self.ended.cancel();
    }

    /// Why it was ended, if it was, and whether the client has begun to ask something in HTTP/1.
    pub(super) fn is_late(&self) -> bool {
        let state = self.state.lock();
        state.reason == Some(Reason::Head) && state.head.is_some()
    }

    /// Bytes came; `first` ones tell the version.
    pub(super) fn read(&self, bytes: &[u8], first: bool) {
        let mut state = self.state.lock();
        state.http2 |= first && bytes.starts_with(b"PRI ");
        if state.flights.is_empty() && !state.http2 {
            state.head.get_or_insert_with(Instant::now);
        }
    }

    /// The client takes nothing more for now.
    pub(super) fn blocked(&self) {
        self.state.lock().blocked.get_or_insert_with(Instant::now);
    }

    /// The client took something.
    pub(super) fn written(&self) {
        self.state.lock().blocked = None;
    }

    pub(super) fn left_unread(&self) {
        self.state.lock().unread = true;
    }

    pub(super) fn is_unread(&self) -> bool {
        self.state.lock().unread
    }

    /// Ends it when the client is too slow.
    pub(super) fn look(&self, now: Instant, patience: &Patience) {
        let mut stalled = Vec::new();
        let reason = {
            let state = self.state.lock();
            stalled.extend(state.flights.values().filter(|one| one.is_stalled(now, patience.write)).cloned());
            state.verdict(now, patience)
        };
        let reason = reason.or_else(|| {
            // In HTTP/2 the other streams go on.
            stalled.iter().for_each(|flight| flight.cut());
            None
        });
        if let Some(reason) = reason {
            self.end(reason);
        }
        if reason == Some(Reason::Stalled) || !stalled.is_empty() {
            tracing::info!(
                client.address = %self.peer,
                "a client took nothing of its answer for {} s, which was given up",
                patience.write.as_secs()
            );
        }
    }
}

impl State {
    fn verdict(&self, now: Instant, patience: &Patience) -> Option<Reason> {
        let over = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        if self.reason.is_some() {
            return None;
        }
        if self.blocked.is_some_and(|since| over(since, patience.write)) {
            return Some(Reason::Stalled);
        }
        if !self.flights.is_empty() {
            return None;
        }
        let idle = if self.asked == 0 { patience.head } else { patience.idle };
        match self.head {
            Some(since) if over(since, patience.head) => Some(Reason::Head),
            _ if over(self.idle, idle) => Some(Reason::Idle),
            _ => None,
        }
    }
}
