//! Leases held by this replica: kept alive together, settled exactly once each.

use std::{collections::HashSet, sync::Arc, time::Duration};

use grok2api_kit::lifecycle::Tasks;
use grok2api_proto::{
    Result,
    pool::{LeaseGrant, LeaseRequest, Outcome, RenewRequest, SettleRequest, TokenPool},
};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::{grok::failure::Failure, models::Model};

/// A third of a lease's life.
const HEARTBEAT: Duration = Duration::from_secs(10);

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
    /// What the turn cost, once that is known to differ from what was reserved.
    pub units: Option<u32>,
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

    pub(crate) async fn take(&self, request_id: &str, model: &Model, tried: &[String]) -> Result<Lease> {
        let request = LeaseRequest {
            request_id: request_id.to_owned(),
            owner: self.owner.clone(),
            class: model.class.clone(),
            rate_limit_name: model.rate_limit_name.clone(),
            cost: model.cost,
            minimum_tier: grok2api_proto::pool::Tier::from(model.minimum_tier).into(),
            exclude_accounts: tried.to_vec(),
        };
        let grant = self.pool.lease(request).await?;
        self.held.lock().insert(grant.lease_id.clone());
        Ok(Lease { leases: self.clone(), grant: Some(grant), charged: false, units: None })
    }

    async fn settle(&self, request: SettleRequest) {
        self.held.lock().remove(&request.lease_id);
        if let Err(error) = self.pool.settle(request).await {
            tracing::warn!(%error, "a lease could not be settled and will expire");
        }
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
            self.leases.settle(request).await;
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
            self.leases.tasks.spawn("settle", async move { leases.settle(request).await });
        }
    }

    fn request(
        &mut self,
        outcome: Outcome,
        charged: bool,
        failure: Option<&Failure>,
    ) -> Option<SettleRequest> {
        let grant = self.grant.take()?;
        let wait = failure.and_then(|failure| failure.retry_after);
        Some(SettleRequest {
            lease_id: grant.lease_id,
            outcome: outcome.into(),
            charged,
            retry_after_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            units: self.units,
            cause: failure.map(|failure| failure.error.to_string()).unwrap_or_default(),
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.settle_later(Outcome::ClientCancelled, self.charged, None);
    }
}
