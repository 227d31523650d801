//! Who does a request.

use std::time::Duration;

use bytes::Bytes;
use grok2api_proto::{
    Error, Kind, Result,
    idempotency::{self, AnswerRequest, ClaimRequest, Found, Recorded, ReleaseRequest},
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::Idempotency;

/// How long somebody waits for an answer that another one is getting.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) enum Claimed {
    /// It is ours to do.
    Ours(Claim),
    /// It was done.
    Told(Recorded),
    /// Nobody can say. Refusing would make an outage of one part one of all.
    Nowhere,
}

/// The right to do a request; given up when it is dropped.
pub(super) struct Claim {
    pub(super) of: Idempotency,
    id: Bytes,
    owner: String,
    open: bool,
}

impl Idempotency {
    /// Waits for whoever is at it.
    ///
    /// # Errors
    /// What the client did wrong with its key; or it takes too long.
    pub(super) async fn claim(&self, id: Bytes, fingerprint: Bytes) -> Result<Claimed> {
        let (begun, owner) = (Instant::now(), Uuid::now_v7().simple().to_string());
        loop {
            let request =
                ClaimRequest { id: id.clone(), fingerprint: fingerprint.clone(), owner: owner.clone() };
            let claimed = match self.0.service.claim(request).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(%error, "an idempotency key is not looked at: {error}");
                    return Ok(Claimed::Nowhere);
                }
            };
            match (claimed.found(), claimed.answer) {
                (Found::Nothing, _) => {
                    self.0.held.lock().insert(owner.clone(), id.clone());
                    return Ok(Claimed::Ours(Claim { of: self.clone(), id, owner, open: true }));
                }
                (Found::Answer, Some(answer)) => return Ok(Claimed::Told(answer)),
                (Found::Running, _) if begun.elapsed() < PATIENCE => sleep(LOOK_EVERY).await,
                (Found::Running, _) => return Err(in_use()),
                (Found::Different, _) => return Err(reused()),
                (Found::NoAnswer | Found::Answer | Found::Unspecified, _) => return Err(not_kept()),
            }
        }
    }
}

impl Claim {
    /// The request was done.
    pub(super) async fn answered(mut self, answer: Option<Recorded>) {
        self.open = false;
        let keep_ms = u64::try_from(self.of.0.keep.as_millis()).unwrap_or(u64::MAX);
        let request = AnswerRequest { claim: Some(self.end()), answer, keep_ms };
        match self.of.0.service.answer(request).await {
            Ok(told) if told.kept => {}
            Ok(_) => tracing::warn!("an answer came too late to be kept under its idempotency key"),
            Err(error) => {
                tracing::warn!(%error, "an answer is not kept under its idempotency key: {error}");
            }
        }
    }

    /// The request was not done.
    pub(super) async fn released(mut self) {
        self.open = false;
        release(&self.of, self.end()).await;
    }

    fn end(&self) -> idempotency::Claim {
        self.of.0.held.lock().remove(&self.owner);
        idempotency::Claim { id: self.id.clone(), owner: self.owner.clone() }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.open {
            let (of, claim) = (self.of.clone(), self.end());
            self.of.0.tasks.spawn_finishing(async move { release(&of, claim).await });
        }
    }
}

async fn release(of: &Idempotency, claim: idempotency::Claim) {
    if let Err(error) = of.0.service.release(ReleaseRequest { claim: Some(claim) }).await {
        tracing::warn!(%error, "an idempotency key is given up only when its time is over: {error}");
    }
}

fn in_use() -> Error {
    let message = "a request with this Idempotency-Key is still being answered";
    Error::new(Kind::Conflict, "idempotency_key_in_use", message).retry_after(Duration::from_secs(1))
}

fn reused() -> Error {
    let message = "this Idempotency-Key was used for a request with another body";
    Error::new(Kind::InvalidRequest, "idempotency_key_reused", message).at("Idempotency-Key")
}

fn not_kept() -> Error {
    let message =
        "the request with this Idempotency-Key was answered, and its answer was too large to be kept";
    Error::new(Kind::Conflict, "idempotency_answer_not_kept", message)
}
