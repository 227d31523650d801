//! A ledger that remembers what it was told.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

use grok2api_proto::{
    Error, Kind, Result,
    ledger::{
        AggregateRequest, AggregateResponse, Entry, GetRequest, Ledger, QueryRequest, QueryResponse,
        RecordRequest, RecordResponse,
    },
};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Keeps entries by their ids, in the order in which they came; can be away.
#[derive(Default)]
pub struct FakeLedger {
    entries: Mutex<Vec<Entry>>,
    lost: Mutex<u64>,
    away: AtomicBool,
    called: Notify,
}

impl FakeLedger {
    /// Answers `unavailable` from now on, or no longer.
    pub fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// What was recorded.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().clone()
    }

    /// How many entries senders say they have lost.
    pub fn lost(&self) -> u64 {
        *self.lost.lock()
    }

    /// Waits until there are that many entries, and gives them.
    pub async fn recorded(&self, count: usize) -> Vec<Entry> {
        loop {
            let called = self.called.notified();
            let entries = self.entries();
            if entries.len() >= count {
                return entries;
            }
            called.await;
        }
    }

    /// Waits for the next call, taken or not.
    pub async fn called(&self) {
        self.called.notified().await;
    }
}

#[tonic::async_trait]
impl Ledger for FakeLedger {
    async fn record(&self, request: RecordRequest) -> Result<RecordResponse> {
        if self.away.load(Ordering::SeqCst) {
            self.called.notify_waiters();
            return Err(Error::new(Kind::Unavailable, "away", "the ledger is away"));
        }
        let mut entries = self.entries.lock();
        let known: HashSet<String> = entries.iter().map(|entry| entry.id.clone()).collect();
        let before = entries.len();
        entries.extend(request.entries.into_iter().filter(|entry| !known.contains(&entry.id)));
        let recorded = entries.len() - before;
        drop(entries);
        *self.lost.lock() += if recorded > 0 { request.lost } else { 0 };
        self.called.notify_waiters();
        Ok(RecordResponse { recorded: u32::try_from(recorded).unwrap_or(u32::MAX) })
    }

    async fn query(&self, _: QueryRequest) -> Result<QueryResponse> {
        Ok(QueryResponse { entries: self.entries(), next_cursor: String::new() })
    }

    async fn get(&self, request: GetRequest) -> Result<Entry> {
        let found = self.entries().into_iter().find(|entry| entry.id == request.id);
        found.ok_or_else(|| Error::new(Kind::NotFound, "entry_not_found", "no such entry"))
    }

    async fn aggregate(&self, request: AggregateRequest) -> Result<AggregateResponse> {
        Ok(AggregateResponse { series: Vec::new(), from: request.from, to: request.to })
    }
}
