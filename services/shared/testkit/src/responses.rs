//! A store of responses in memory.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use grok2api_proto::{
    Error, Kind, Result,
    response::{GetRequest, HistoryResponse, KeepRequest, KeepResponse, RemoveResponse, Response, Responses},
};
use parking_lot::Mutex;

/// Keeps responses by their ids; can be away.
#[derive(Default)]
pub struct FakeResponses {
    kept: Mutex<BTreeMap<String, Response>>,
    away: AtomicBool,
}

impl FakeResponses {
    /// Answers `unavailable` from now on, or no longer.
    pub fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// What is kept, the oldest first.
    pub fn all(&self) -> Vec<Response> {
        self.kept.lock().values().cloned().collect()
    }

    fn find(&self, id: &str, client: &str) -> Result<Response> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::new(Kind::Unavailable, "away", "the store is away"));
        }
        let found = self.kept.lock().get(id).filter(|found| found.client == client).cloned();
        found.ok_or_else(|| Error::new(Kind::NotFound, "response_not_found", "no such response"))
    }
}

#[tonic::async_trait]
impl Responses for FakeResponses {
    async fn keep(&self, request: KeepRequest) -> Result<KeepResponse> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::new(Kind::Unavailable, "away", "the store is away"));
        }
        let response = request.response.unwrap_or_default();
        self.kept.lock().entry(response.id.clone()).or_insert(response);
        Ok(KeepResponse {})
    }

    async fn get(&self, request: GetRequest) -> Result<Response> {
        self.find(&request.id, &request.client)
    }

    async fn history(&self, request: GetRequest) -> Result<HistoryResponse> {
        let (mut id, mut responses) = (request.id, Vec::new());
        while !id.is_empty() {
            let found = self.find(&id, &request.client)?;
            id.clone_from(&found.previous);
            responses.insert(0, found);
        }
        Ok(HistoryResponse { responses })
    }

    async fn remove(&self, request: GetRequest) -> Result<RemoveResponse> {
        self.find(&request.id, &request.client)?;
        self.kept.lock().remove(&request.id);
        Ok(RemoveResponse {})
    }
}
