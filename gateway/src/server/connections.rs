//! All open connections: how many there may be, and which of them must end.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use grok2api_kit::settings::Http;
use grok2api_proto::{Error, Kind};
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval},
};

use super::{
    connection::{Connection, Reason},
    open_files,
};
use crate::openai::error::Body;

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How slow a client may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From a request's first byte to the end of its head.
    pub head: Duration,
    /// Without a byte taken.
    pub write: Duration,
    /// Without a request.
    pub idle: Duration,
}

/// The open connections, by their order of coming.
pub(super) struct Connections {
    open: Mutex<Open>,
    most: usize,
    patience: Patience,
    gone: Notify,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: BTreeMap<u64, Arc<Connection>>,
}

/// One that is open; dropping it frees its place.
pub(super) struct Admitted {
    pub connection: Arc<Connection>,
    number: u64,
    of: Arc<Connections>,
}

impl Connections {
    pub(super) fn new(settings: &Http) -> Self {
        let patience = Patience {
            head: Duration::from_secs(settings.head_timeout_seconds),
            write: Duration::from_secs(settings.write_timeout_seconds),
            idle: Duration::from_secs(settings.idle_timeout_seconds),
        };
        let most = open_files::connections(settings.max_connections);
        Self { open: Mutex::default(), most, patience, gone: Notify::new() }
    }

    /// A place for one more, if need be that of one without a request; nothing when all are busy.
    pub(super) fn admit(self: &Arc<Self>, peer: SocketAddr) -> Option<Admitted> {
        let mut open = self.open.lock();
        if open.connections.len() >= self.most && !open.make_room() {
            tracing::warn!(client.address = %peer, "a connection is refused: all {} are busy", self.most);
            return None;
        }
        let (number, connection) = (open.next, Arc::new(Connection::new(peer)));
        open.next += 1;
        open.connections.insert(number, connection.clone());
        Some(Admitted { connection, number, of: self.clone() })
    }

    /// Ends one connection without a request.
    pub(super) fn make_room(&self) {
        self.open.lock().make_room();
    }

    /// Ends what must end, for ever.
    pub(super) async fn watch(&self) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = look.tick().await;
            // Ending a turn may take its time, and others want to come in.
            let open: Vec<_> = self.open.lock().connections.values().cloned().collect();
            open.iter().for_each(|connection| connection.look(now, &self.patience));
        }
    }

    /// Resolves when none is open.
    pub(super) async fn empty(&self) {
        loop {
            let gone = self.gone.notified();
            if self.open.lock().connections.is_empty() {
                return;
            }
            gone.await;
        }
    }
}

impl Open {
    /// Ends the oldest that never asked anything, else the oldest that asks nothing now. Whether there was one.
    fn make_room(&mut self) -> bool {
        let fresh = self.connections.iter().find(|(_, connection)| connection.is_fresh());
        let idle = || self.connections.iter().find(|(_, connection)| connection.is_idle());
        let Some((&number, connection)) = fresh.or_else(idle) else { return false };
        connection.end(Reason::Room);
        self.connections.remove(&number);
        true
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.of.open.lock();
        open.connections.remove(&self.number);
        if open.connections.is_empty() {
            self.of.gone.notify_waiters();
        }
    }
}

/// The answer to a connection for which there is no room.
pub(super) fn full() -> &'static [u8] {
    static ANSWER: LazyLock<Bytes> = LazyLock::new(|| {
        let error = Error::new(Kind::Unavailable, "too_many_connections", "too many connections are open");
        answer("503 Service Unavailable", "retry-after: 1\r\n", &error)
    });
    &ANSWER
}

/// The answer to a head that does not come.
pub(super) fn late() -> &'static [u8] {
    static ANSWER: LazyLock<Bytes> = LazyLock::new(|| {
        let error = Error::new(Kind::TooSlow, "request_timeout", "the head of the request took too long");
        answer("408 Request Timeout", "", &error)
    });
    &ANSWER
}

/// An answer below HTTP's machinery, where there is no request to answer.
fn answer(status: &str, headers: &str, error: &Error) -> Bytes {
    let body = serde_json::to_string(&Body::from(error)).unwrap_or_default();
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         access-control-allow-origin: *\r\n{headers}connection: close\r\n\r\n{body}"
    );
    Bytes::from(text)
}
