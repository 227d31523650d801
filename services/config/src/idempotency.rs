//! Requests that must not be done twice: the contract over what replicas share.

use std::{sync::Arc, time::Duration};

use grok2api_proto::{
    Error, Result,
    idempotency::{
        AnswerRequest, AnswerResponse, Claim, ClaimRequest, ClaimResponse, Found, Idempotency, Recorded,
        ReleaseRequest, ReleaseResponse, RenewRequest, RenewResponse,
    },
};
use grok2api_storage::idempotency::{self as stored, Claimed};
use prost::Message as _;

/// How long a claim lasts without a sign of life.
const LEASE: Duration = Duration::from_secs(30);
/// A day.
const LONGEST_MS: u64 = 24 * 3600 * 1000;

struct Service(Arc<dyn stored::Idempotency>);

/// Begins to serve.
pub fn start(requests: Arc<dyn stored::Idempotency>) -> Arc<dyn Idempotency> {
    Arc::new(Service(requests))
}

#[tonic::async_trait]
impl Idempotency for Service {
    async fn claim(&self, request: ClaimRequest) -> Result<ClaimResponse> {
        let (id, fingerprint) = (digest("id", &request.id)?, digest("fingerprint", &request.fingerprint)?);
        let claimed = self.0.claim(&id, &fingerprint, &request.owner, lease()).await?;
        let (found, answer) = match claimed {
            Claimed::Yours => (Found::Nothing, None),
            Claimed::Running => (Found::Running, None),
            Claimed::Different => (Found::Different, None),
            Claimed::NotKept => (Found::NoAnswer, None),
            Claimed::Answered(bytes) => match Recorded::decode(bytes.as_slice()) {
                Ok(answer) => (Found::Answer, Some(answer)),
                Err(error) => {
                    tracing::error!(%error, "a recorded answer cannot be read: {error}");
                    (Found::NoAnswer, None)
                }
            },
        };
        Ok(ClaimResponse { found: found.into(), answer })
    }

    async fn renew(&self, request: RenewRequest) -> Result<RenewResponse> {
        let claims = request.claims.into_iter().map(|claim| Ok((digest("id", &claim.id)?, claim.owner)));
        self.0.renew(&claims.collect::<Result<Vec<_>>>()?, lease()).await?;
        Ok(RenewResponse {})
    }

    async fn answer(&self, request: AnswerRequest) -> Result<AnswerResponse> {
        let (id, owner) = read(request.claim)?;
        let answer = request.answer.map(|answer| answer.encode_to_vec());
        let kept = self.0.answer(&id, &owner, answer.as_deref(), request.keep_ms.min(LONGEST_MS)).await?;
        Ok(AnswerResponse { kept })
    }

    async fn release(&self, request: ReleaseRequest) -> Result<ReleaseResponse> {
        let (id, owner) = read(request.claim)?;
        self.0.release(&id, &owner).await?;
        Ok(ReleaseResponse {})
    }
}

fn lease() -> u64 {
    u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX)
}

fn read(claim: Option<Claim>) -> Result<(stored::Id, String)> {
    let claim = claim.unwrap_or_default();
    Ok((digest("claim.id", &claim.id)?, claim.owner))
}

fn digest(name: &str, bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| Error::invalid(name, format!("{name} has 32 bytes, not {}", bytes.len())))
}
