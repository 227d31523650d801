//! Requests that must not be done twice, in memory.

use std::collections::HashMap;

use bytes::Bytes;
use grok2api_proto::{
    Error, Kind, Result,
    idempotency::{
        AnswerRequest, AnswerResponse, Claim, ClaimRequest, ClaimResponse, Found, Idempotency, Recorded,
        ReleaseRequest, ReleaseResponse, RenewRequest, RenewResponse,
    },
};
use parking_lot::Mutex;

/// Keeps claims and answers for ever; out of order, it knows nothing and says so.
#[derive(Default)]
pub struct FakeIdempotency {
    requests: Mutex<HashMap<Bytes, (Bytes, State)>>,
    renewed: Mutex<Vec<Claim>>,
    broken: Mutex<bool>,
}

enum State {
    Running(String),
    Done(Option<Recorded>),
}

impl FakeIdempotency {
    /// From now on every call fails.
    pub fn break_down(&self) {
        *self.broken.lock() = true;
    }

    /// How many requests are claimed or answered.
    pub fn known(&self) -> usize {
        self.requests.lock().len()
    }

    /// How many of them are answered.
    pub fn answered(&self) -> usize {
        self.requests.lock().values().filter(|(_, state)| matches!(state, State::Done(_))).count()
    }

    /// Claims that gave a sign of life.
    pub fn renewed(&self) -> Vec<Claim> {
        self.renewed.lock().clone()
    }

    fn works(&self) -> Result<()> {
        let broken = || Error::new(Kind::Unavailable, "peer_unavailable", "out of order");
        if *self.broken.lock() { Err(broken()) } else { Ok(()) }
    }

    /// Takes the claim out, and gives the request's fingerprint.
    fn take(&self, claim: &Claim) -> Option<Bytes> {
        let mut requests = self.requests.lock();
        let (_, state) = requests.get(&claim.id)?;
        let theirs = matches!(state, State::Running(owner) if *owner == claim.owner);
        if theirs { requests.remove(&claim.id).map(|(fingerprint, _)| fingerprint) } else { None }
    }
}

#[tonic::async_trait]
impl Idempotency for FakeIdempotency {
    async fn claim(&self, request: ClaimRequest) -> Result<ClaimResponse> {
        self.works()?;
        let mut requests = self.requests.lock();
        let (found, answer) = match requests.get(&request.id) {
            None => {
                requests.insert(request.id, (request.fingerprint, State::Running(request.owner)));
                (Found::Nothing, None)
            }
            Some((fingerprint, _)) if *fingerprint != request.fingerprint => (Found::Different, None),
            Some((_, State::Running(_))) => (Found::Running, None),
            Some((_, State::Done(None))) => (Found::NoAnswer, None),
            Some((_, State::Done(answer))) => (Found::Answer, answer.clone()),
        };
        Ok(ClaimResponse { found: found.into(), answer })
    }

    async fn renew(&self, request: RenewRequest) -> Result<RenewResponse> {
        self.works()?;
        self.renewed.lock().extend(request.claims);
        Ok(RenewResponse {})
    }

    async fn answer(&self, request: AnswerRequest) -> Result<AnswerResponse> {
        self.works()?;
        let claim = request.claim.unwrap_or_default();
        let Some(fingerprint) = self.take(&claim) else { return Ok(AnswerResponse { kept: false }) };
        self.requests.lock().insert(claim.id, (fingerprint, State::Done(request.answer)));
        Ok(AnswerResponse { kept: true })
    }

    async fn release(&self, request: ReleaseRequest) -> Result<ReleaseResponse> {
        self.works()?;
        self.take(&request.claim.unwrap_or_default());
        Ok(ReleaseResponse {})
    }
}
