//! Leases held by this replica: kept alive together, settled exactly once each.

use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};

use grok2api_kit::lifecycle::Tasks;
use grok2api_proto::{
    Error, Kind, Result,
    pool::{LeaseGrant, LeaseRequest, Outcome, RenewRequest, SettleRequest, TokenPool},
};
use parking_lot::Mutex;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout_at},
};
use uuid::Uuid;

use crate::{grok::failure::Failure, turn::Turn};

/// A third of a lease's life.
const HEARTBEAT: Duration = Duration::from_secs(10);
const SETTLE_WAITS: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];

/// Takes leases and keeps them alive.
#[derive(Clone)]
pub(crate) struct Leases {
    pool: Arc<dyn TokenPool>,
    tasks: Tasks,
    owner: String,
    held: Arc<Mutex<HashSet<String>>>,
}

/// One account for one attempt. Dropped unsettled, it is settled as left by the client.
pub(crate) struct Lease {
    leases: Leases,
    grant: Option<LeaseGrant>,
    /// The upstream took the turn: it counts against the quota.
    pub charged: bool,
    /// What the turn costs.
    pub units: u32,
    /// What was reserved for it.
    reserved: u32,
}

impl Leases {
    pub(crate) fn start(pool: Arc<dyn TokenPool>, tasks: Tasks) -> Self {
        let leases = Self { pool, tasks, owner: Uuid::now_v7().to_string(), held: Arc::default() };
        let beating = leases.clone();
        leases.tasks.spawn_background("lease-heartbeat", async move {
            let mut beat = tokio::time::interval(HEARTBEAT);
            loop {
                beat.tick().await;
                beating.renew().await;
            }
        });
        leases
    }

    async fn renew(&self) {
        let lease_ids: Vec<String> = self.held.lock().iter().cloned().collect();
        if lease_ids.is_empty() {
            return;
        }
        match self.pool.renew(RenewRequest { owner: self.owner.clone(), lease_ids }).await {
            Ok(answer) if answer.lost.is_empty() => {}
            Ok(answer) => {
                tracing::warn!(leases = answer.lost.len(), "{} leases were lost", answer.lost.len());
            }
            Err(error) => tracing::warn!(%error, "leases could not be renewed"),
        }
    }

    /// Takes an account that was not tried yet, if possible the conversation's; waits no longer than `deadline`. A caller that leaves meanwhile gives it back.
    pub(crate) async fn take(&self, turn: &Turn, tried: &[String]) -> Result<Lease> {
        let model = turn.model;
        let draws = turn.request.drawing.is_some();
        // Who asks for a picture will get one; who only might gets it on credit.
        let reserved = if draws { model.cost.max(model.image_cost) } else { model.cost };
        let units = model.cost;
        let request = LeaseRequest {
            request_id: turn.request.request_id.clone(),
            owner: self.owner.clone(),
            class: model.class.clone(),
            rate_limit_name: model.rate_limit_name.clone(),
            cost: reserved,
            minimum_tier: grok2api_proto::pool::Tier::from(model.minimum_tier).into(),
            exclude_accounts: tried.to_vec(),
            affinity: turn.conversation.key.clone(),
            affinity_begins: turn.conversation.begins,
            tags: turn.request.account_tags.clone(),
            account: turn.request.account.clone(),
        };
        let leases = self.clone();
        let granted = self.detached("lease", async move {
            let grant = leases.pool.lease(request).await?;
            leases.held.lock().insert(grant.lease_id.clone());
            Ok(Lease { leases, grant: Some(grant), charged: false, units, reserved })
        });
        let late = || Error::new(Kind::Timeout, "pool_timeout", "no account was free in time");
        timeout_at(turn.deadline, granted).await.map_err(|_| late())?
    }

    /// Runs to its end even when nobody waits for it any more.
    async fn detached<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        self.tasks.spawn(name, async move {
            // What nobody receives is dropped, and a dropped lease settles itself.
            sender.send(work.await).ok();
        });
        receiver.await.unwrap_or_else(|_| {
            Err(Error::new(Kind::Unavailable, "shutting_down", "the process is stopping"))
        })
    }

    /// Settling is idempotent, so a pool that is away for a moment is asked again.
    async fn settle(&self, request: SettleRequest) {
        self.held.lock().remove(&request.lease_id);
        for wait in SETTLE_WAITS {
            match self.pool.settle(request.clone()).await {
                Err(error) if matches!(error.kind, Kind::Unavailable | Kind::Timeout) => sleep(wait).await,
                Err(error) => return tracing::warn!(%error, "a lease could not be settled and will expire"),
                Ok(_) => return,
            }
        }
        tracing::warn!("a lease could not be settled and will expire: the pool is away");
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }
}

impl Lease {
    pub(crate) fn token(&self) -> &str {
        self.grant.as_ref().map(|grant| grant.token.as_str()).unwrap_or_default()
    }

    pub(crate) fn account(&self) -> &str {
        self.grant.as_ref().map(|grant| grant.account_id.as_str()).unwrap_or_default()
    }

    /// Settles a failed attempt and waits for it, so that the next lease sees its effect.
    pub(crate) async fn failed(mut self, failure: &Failure) {
        if let Some(request) = self.request(failure.outcome, failure.charged, Some(failure)) {
            let leases = self.leases.clone();
            let settled = self.leases.detached("settle", async move {
                leases.settle(request).await;
                Ok(())
            });
            settled.await.ok();
        }
    }

    /// Settles without making anybody wait.
    pub(crate) fn settle(&mut self, outcome: Outcome, failure: Option<&Failure>) {
        let charged = failure.map_or(self.charged, |failure| failure.charged);
        self.settle_later(outcome, charged, failure);
    }

    fn settle_later(&mut self, outcome: Outcome, charged: bool, failure: Option<&Failure>) {
        if let Some(request) = self.request(outcome, charged, failure) {
            let leases = self.leases.clone();
            // Also behind the hard stop, which is what drops most leases.
            self.leases.tasks.spawn_finishing(async move { leases.settle(request).await });
        }
    }

    fn request(
        &mut self,
        outcome: Outcome,
        charged: bool,
        failure: Option<&Failure>,
    ) -> Option<SettleRequest> {
        let grant = self.grant.take()?;
        let wait = failure.and_then(|failure| failure.retry_after_ms);
        Some(SettleRequest {
            lease_id: grant.lease_id,
            outcome: outcome.into(),
            charged,
            retry_after_ms: wait.map(u64::from),
            units: (self.units != self.reserved).then_some(self.units),
            cause: failure.map(|failure| failure.error.to_string()).unwrap_or_default(),
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.settle_later(Outcome::ClientCancelled, self.charged, None);
    }
}
