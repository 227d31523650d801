//! [`Idempotency`] in Redis: a hash a request, which Redis forgets by itself. Answers are sealed, since they hold what
//! people asked and were told.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::Script;

use super::{Redis, text};
use crate::{
    Error, Result,
    idempotency::{Claimed, Id, Idempotency, LARGEST, weight},
    seal::{Sealer, hex},
};

static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/idempotency_claim.lua")));
static ANSWER: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/idempotency_answer.lua")));
static KEEP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/idempotency_keep.lua")));
const PREFIX: &str = "{g2a}:idempotency:request:";
const ENDS: &str = "{g2a}:idempotency:ends";
const BYTES: &str = "{g2a}:idempotency:bytes";
/// Most bytes of all answers together.
const MOST: usize = 256 * 1024 * 1024;

struct RedisIdempotency {
    redis: Redis,
    sealer: Sealer,
}

impl Redis {
    /// Requests that must not be done twice.
    pub fn idempotency(&self, sealer: Sealer) -> Arc<dyn Idempotency> {
        Arc::new(RedisIdempotency { redis: self.clone(), sealer })
    }
}

fn key(id: &Id) -> String {
    format!("{PREFIX}{}", hex(id))
}

#[async_trait]
impl Idempotency for RedisIdempotency {
    async fn claim(&self, id: &Id, fingerprint: &[u8; 32], owner: &str, for_ms: u64) -> Result<Claimed> {
        let arguments = [text(hex(fingerprint)), text(owner), text(for_ms)];
        let (found, answer): (String, Vec<u8>) = self.redis.run(&CLAIM, &[&key(id)], &arguments).await?;
        Ok(match found.as_str() {
            "yours" => Claimed::Yours,
            "running" => Claimed::Running,
            "different" => Claimed::Different,
            "not_kept" => Claimed::NotKept,
            _ => match self.sealer.open(id, &answer) {
                Ok(answer) => Claimed::Answered(answer),
                // By a key that is gone meanwhile.
                Err(Error::Seal(_)) => Claimed::NotKept,
                Err(error) => return Err(error),
            },
        })
    }

    async fn renew(&self, claims: &[(Id, String)], for_ms: u64) -> Result<()> {
        for (id, owner) in claims {
            let arguments = [text(owner), text(for_ms.max(1))];
            self.redis.run::<u8>(&KEEP, &[&key(id)], &arguments).await?;
        }
        Ok(())
    }

    async fn answer(&self, id: &Id, owner: &str, answer: Option<&[u8]>, for_ms: u64) -> Result<bool> {
        let kept = answer.filter(|answer| answer.len() <= LARGEST);
        let kept = kept.map(|answer| self.sealer.seal(id, answer)).transpose()?;
        let mut arguments = vec![text(owner), text(for_ms.max(1)), text(weight(kept.as_deref()))];
        arguments.extend([text(MOST), text(PREFIX), text(hex(id))]);
        arguments.extend(kept);
        self.redis.run(&ANSWER, &[&key(id), ENDS, BYTES], &arguments).await
    }

    async fn release(&self, id: &Id, owner: &str) -> Result<()> {
        self.redis.run::<u8>(&KEEP, &[&key(id)], &[text(owner), text(0)]).await.map(drop)
    }
}
