//! The record of every request, and of how it ended.

use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::clock::wall_ms;

mod headers;
mod visit;

pub(crate) use headers::{cookie, selected, sso_token};
pub(crate) use visit::Visit;

/// Records kept, and the bytes of request bodies kept with them; the oldest go first.
const MOST_RECORDS: usize = 10_000;
const MOST_BODY_BYTES: usize = 64 << 20;
/// A longer body is not kept: it is an upload.
const LONGEST_BODY: usize = 64 << 10;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It has not.
    Open,
    /// The whole answer was handed over.
    Completed,
    /// The client went away first.
    Cancelled,
    /// Turned away by the rules: 4xx without a fault.
    Refused,
    /// Turned away or cut off by a fault.
    Faulted,
}

/// One request as tests and `/__sim/state` see it.
#[derive(Clone, Debug, Serialize)]
pub struct RequestRecord {
    /// Running number, from 1.
    pub id: u64,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// The headers that matter to the protocol, by lower-case name; tokens in the cookie are masked.
    pub headers: Vec<(&'static str, String)>,
    /// The token of a known account.
    pub account: Option<String>,
    /// The JSON the request carried, up to 64 KiB.
    pub body: Option<Box<RawValue>>,
    /// The fault that struck.
    pub fault: Option<&'static str>,
    /// HTTP status, once it was answered.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// Bytes of the answer's body handed to the connection.
    pub bytes: u64,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: Option<u64>,
}

/// Totals since the start or the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests that came in.
    pub requests: u64,
    /// Requests being answered now.
    pub in_flight: u64,
    /// See [`Outcome::Completed`].
    pub completed: u64,
    /// See [`Outcome::Cancelled`].
    pub cancelled: u64,
    /// See [`Outcome::Refused`].
    pub refused: u64,
    /// See [`Outcome::Faulted`].
    pub faulted: u64,
    /// Bytes of all bodies handed out.
    pub bytes: u64,
}

/// A bounded ring of records and the totals beside it.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    book: Mutex<Book>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Book {
    ring: VecDeque<Arc<Entry>>,
    body_bytes: usize,
    counters: Counters,
    /// Requests opened before the last reset are not counted when they end.
    epoch: u64,
}

/// One record while it is being written: everything after the first line is set at most once, without a lock.
#[derive(Debug)]
struct Entry {
    id: u64,
    epoch: u64,
    at_ms: u64,
    method: String,
    path: String,
    headers: Vec<(&'static str, String)>,
    account: OnceLock<String>,
    body: OnceLock<Bytes>,
    fault: OnceLock<&'static str>,
    status: AtomicU16,
    outcome: AtomicU8,
    bytes: AtomicU64,
    ended_ms: AtomicU64,
}

impl Journal {
    /// The newest `last` records, oldest first.
    pub(crate) fn records(&self, last: usize) -> Vec<RequestRecord> {
        let entries: Vec<_> = {
            let book = self.book.lock();
            let skip = book.ring.len().saturating_sub(last);
            book.ring.iter().skip(skip).cloned().collect()
        };
        entries.iter().map(|entry| entry.record()).collect()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.book.lock().counters
    }

    /// Resolves once the totals satisfy `wanted`.
    pub(crate) async fn wait(&self, wanted: impl Fn(&Counters) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that a change in between is not missed.
            changed.as_mut().enable();
            if wanted(&self.counters()) {
                return;
            }
            changed.await;
        }
    }

    /// Forgets everything. What is in flight goes on, unrecorded.
    pub(crate) fn clear(&self) {
        let mut book = self.book.lock();
        let epoch = book.epoch + 1;
        *book = Book { epoch, ..Book::default() };
        drop(book);
        self.changed.notify_waiters();
    }

    fn open(&self, method: &str, path: &str, headers: Vec<(&'static str, String)>) -> Arc<Entry> {
        let mut book = self.book.lock();
        book.counters.requests += 1;
        book.counters.in_flight += 1;
        let entry = Arc::new(Entry {
            id: book.counters.requests,
            epoch: book.epoch,
            at_ms: wall_ms(),
            method: method.to_owned(),
            path: path.to_owned(),
            headers,
            account: OnceLock::new(),
            body: OnceLock::new(),
            fault: OnceLock::new(),
            status: AtomicU16::new(0),
            outcome: AtomicU8::new(Outcome::Open as u8),
            bytes: AtomicU64::new(0),
            ended_ms: AtomicU64::new(0),
        });
        book.ring.push_back(Arc::clone(&entry));
        book.trim();
        drop(book);
        self.changed.notify_waiters();
        entry
    }

    fn keep_body(&self, entry: &Entry, body: &Bytes) {
        if body.len() > LONGEST_BODY {
            return;
        }
        // A copy: a slice would keep the connection's whole read buffer alive.
        if entry.body.set(Bytes::copy_from_slice(body)).is_ok() {
            let mut book = self.book.lock();
            book.body_bytes += body.len();
            book.trim();
        }
    }

    fn close(&self, entry: &Entry, outcome: Outcome) {
        entry.ended_ms.store(wall_ms(), Ordering::Relaxed);
        entry.outcome.store(outcome as u8, Ordering::Release);
        let mut book = self.book.lock();
        if book.epoch == entry.epoch {
            book.counters.close(outcome, entry.bytes.load(Ordering::Relaxed));
        }
        drop(book);
        self.changed.notify_waiters();
    }
}

impl Book {
    fn trim(&mut self) {
        while self.ring.len() > MOST_RECORDS || self.body_bytes > MOST_BODY_BYTES {
            let Some(oldest) = self.ring.pop_front() else { return };
            let body = oldest.body.get().map_or(0, Bytes::len);
            self.body_bytes = self.body_bytes.saturating_sub(body);
        }
    }
}

impl Counters {
    fn close(&mut self, outcome: Outcome, bytes: u64) {
        self.in_flight -= 1;
        self.bytes += bytes;
        match outcome {
            Outcome::Open => {}
            Outcome::Completed => self.completed += 1,
            Outcome::Cancelled => self.cancelled += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::Faulted => self.faulted += 1,
        }
    }
}

impl Entry {
    fn record(&self) -> RequestRecord {
        let outcome = Outcome::from_u8(self.outcome.load(Ordering::Acquire));
        let set = |value: u64| (value != 0).then_some(value);
        RequestRecord {
            id: self.id,
            at_ms: self.at_ms,
            method: self.method.clone(),
            path: self.path.clone(),
            headers: self.headers.clone(),
            account: self.account.get().cloned(),
            body: self.body.get().and_then(|body| serde_json::from_slice(body).ok()),
            fault: self.fault.get().copied(),
            status: Some(self.status.load(Ordering::Relaxed)).filter(|status| *status != 0),
            outcome,
            bytes: self.bytes.load(Ordering::Relaxed),
            ended_ms: set(self.ended_ms.load(Ordering::Relaxed)),
        }
    }
}

impl Outcome {
    const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Completed,
            2 => Self::Cancelled,
            3 => Self::Refused,
            4 => Self::Faulted,
            _ => Self::Open,
        }
    }
}
