//! The service: validate, ask the pool, map.

mod add;
mod admin;
mod explain;
mod list;
mod refresh;
mod watch;

use std::{sync::Arc, time::Duration};

use futures_util::stream;
use grok2api_kit::{
    metrics::{POOL_COOLDOWNS, POOL_LEASES, POOL_SETTLES},
    redact::redact,
    trace::Step,
};
use grok2api_proto::{
    Error, Result, Stream, mask,
    pool::{
        AddAccountsRequest, AddAccountsResponse, ChangeAccountsRequest, ChangeAccountsResponse,
        ClearAccountsRequest, ClearAccountsResponse, ExplainRequest, ExplainResponse, ExportAccountsRequest,
        ExportBatch, ImportAccountsRequest, ImportProgress, LeaseGrant, LeaseRequest, ListAccountsRequest,
        ListAccountsResponse, Outcome, PoolEvent, RefreshAccountsRequest, RefreshProgress,
        RemoveAccountsRequest, RemoveAccountsResponse, RenewRequest, RenewResponse, RestoreAccountsRequest,
        RestoreAccountsResponse, SettleRequest, SettleResponse, Tier as WireTier, TokenPool, WatchRequest,
    },
};
use grok2api_storage::accounts::Tier;
use tokio::time::{Instant, timeout_at};
use tracing::info_span;
use uuid::Uuid;

use crate::{
    policy,
    shared::Shared,
    view,
    wanted::{Granted, Refused, Settlement, Wanted},
};

/// How long of the capacity wait, at most, a lease waits for the account its conversation is bound to.
const AFFINITY_WAIT: Duration = Duration::from_millis(100);
/// How long a lease waits at least for an account that could serve once its row is written: as long as a store may take
/// that is busy, not as long as one may be away.
const WRITE_WAIT: Duration = Duration::from_secs(5);
/// Longer is no key of a conversation.
const AFFINITY_BYTES: usize = 256;

/// The pool as a service.
pub(crate) struct Service(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl TokenPool for Service {
    async fn lease(&self, request: LeaseRequest) -> Result<LeaseGrant> {
        let wanted = wanted(request)?;
        let step = Step::begin(info_span!("lease", quota.class = wanted.class, quota.units = wanted.cost));
        let context = step.context().clone();
        let leased = context.hold(self.wait_for(&wanted)).await;
        match &leased {
            Ok(_) => POOL_LEASES.add(1, ["granted".into()]),
            Err(error) => {
                step.failed(&error.code);
                POOL_LEASES.add(1, [error.code.to_string().into()]);
            }
        }
        leased
    }

    async fn settle(&self, request: SettleRequest) -> Result<SettleResponse> {
        let Ok(lease) = Uuid::parse_str(&request.lease_id) else {
            return Ok(SettleResponse { settled: false });
        };
        let settlement = settlement(&request);
        let outcome = word(settlement.outcome);
        let step = Step::begin(info_span!("settle", outcome));
        let account = step.hold(self.0.update(self.0.hot.settle(lease, &settlement))).await?;
        if account.is_some() {
            POOL_SETTLES.add(1, [outcome.clone().into()]);
            if policy::rule(settlement.outcome).effect.is_penalty() {
                POOL_COOLDOWNS.add(1, [outcome.into()]);
            }
        }
        log(account, &settlement);
        Ok(SettleResponse { settled: account.is_some() })
    }

    async fn renew(&self, request: RenewRequest) -> Result<RenewResponse> {
        let (known, mut lost): (Vec<_>, Vec<_>) =
            request.lease_ids.into_iter().partition(|id| Uuid::parse_str(id).is_ok());
        let leases: Vec<Uuid> = known.iter().filter_map(|id| Uuid::parse_str(id).ok()).collect();
        let gone = self.0.call(self.0.hot.renew(&request.owner, &leases)).await?;
        lost.extend(gone.iter().map(Uuid::to_string));
        Ok(RenewResponse { lost })
    }

    async fn add_accounts(&self, request: AddAccountsRequest) -> Result<AddAccountsResponse> {
        let shared = self.0.clone();
        self.0.finish(add::add(shared, request.accounts)).await
    }

    async fn remove_accounts(&self, request: RemoveAccountsRequest) -> Result<RemoveAccountsResponse> {
        let shared = self.0.clone();
        self.0.finish(admin::remove(shared, request.accounts)).await
    }

    async fn list_accounts(&self, request: ListAccountsRequest) -> Result<ListAccountsResponse> {
        list::list(&self.0, request).await
    }

    async fn restore_accounts(&self, request: RestoreAccountsRequest) -> Result<RestoreAccountsResponse> {
        let shared = self.0.clone();
        self.0.finish(admin::restore(shared, request.ids)).await
    }

    async fn clear_accounts(&self, request: ClearAccountsRequest) -> Result<ClearAccountsResponse> {
        let shared = self.0.clone();
        self.0.finish(admin::clear(shared, request.accounts)).await
    }

    async fn change_accounts(&self, request: ChangeAccountsRequest) -> Result<ChangeAccountsResponse> {
        let shared = self.0.clone();
        self.0.finish(admin::change(shared, request)).await
    }

    async fn import_accounts(&self, request: ImportAccountsRequest) -> Result<Stream<ImportProgress>> {
        add::import(&self.0, request)
    }

    async fn export_accounts(&self, request: ExportAccountsRequest) -> Result<Stream<ExportBatch>> {
        let batches = admin::export(&self.0, &request.accounts)?;
        let count: usize = batches.iter().map(|batch| batch.accounts.len()).sum();
        let by = if request.requested_by.is_empty() { "somebody" } else { &request.requested_by };
        tracing::warn!(accounts.exported = count, by, "{by} exported the tokens of {count} accounts");
        Ok(Box::pin(stream::iter(batches.into_iter().map(Ok))))
    }

    async fn refresh_accounts(&self, request: RefreshAccountsRequest) -> Result<Stream<RefreshProgress>> {
        refresh::refresh(self.0.clone(), &request.accounts).await
    }

    async fn explain(&self, request: ExplainRequest) -> Result<ExplainResponse> {
        let limit = request.limit;
        let wanted = wanted(LeaseRequest {
            request_id: "explain".into(),
            owner: "explain".into(),
            class: request.class,
            cost: request.cost.max(1),
            minimum_tier: request.minimum_tier,
            exclude_accounts: request.exclude_accounts,
            affinity: request.affinity,
            tags: request.tags,
            ..LeaseRequest::default()
        })?;
        explain::explain(&self.0, &wanted, limit).await
    }

    async fn watch(&self, _: WatchRequest) -> Result<Stream<PoolEvent>> {
        Ok(watch::watch(self.0.clone()))
    }
}

impl Service {
    /// Leases, as soon as the pool can; gives up after the capacity wait.
    async fn wait_for(&self, wanted: &Wanted) -> Result<LeaseGrant> {
        let begun = Instant::now();
        loop {
            let affinity_wait = AFFINITY_WAIT.min(self.0.capacity_wait());
            let patient = wanted.affinity.is_some() && begun.elapsed() < affinity_wait;
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            // Before the attempt: a slot freed right after it must not be missed.
            freed.as_mut().enable();
            let refused = match self.0.call(self.0.hot.lease(wanted, patient)).await? {
                Ok(granted) => return Ok(grant(granted)),
                Err(refused) => refused,
            };
            if !refused.busy {
                return Err(refused.error);
            }
            let wait = match refused {
                _ if patient => affinity_wait,
                Refused { unwritten: true, .. } => self.0.capacity_wait().max(WRITE_WAIT),
                _ => self.0.capacity_wait(),
            };
            if timeout_at(begun + wait, freed).await.is_err() && !patient {
                return Err(refused.error);
            }
        }
    }
}

/// `OUTCOME_RATE_LIMITED` as `rate_limited`.
fn word(outcome: Outcome) -> String {
    outcome.as_str_name().trim_start_matches("OUTCOME_").to_lowercase()
}

fn grant(granted: Granted) -> LeaseGrant {
    LeaseGrant {
        lease_id: granted.lease.to_string(),
        account_id: granted.account.to_string(),
        token: granted.token.expose().to_owned(),
        tier: view::tier(granted.tier).into(),
        expires_at: granted.expires_at,
    }
}

fn log(account: Option<Uuid>, settlement: &Settlement) {
    let rule = policy::rule(settlement.outcome);
    let (outcome, scope, cause) = (settlement.outcome.as_str_name(), rule.scope, &settlement.cause);
    match account {
        Some(id) if rule.effect.is_penalty() => {
            tracing::info!(account.id = %id, outcome, ?scope, "account {id} failed: {cause}");
        }
        Some(id) => tracing::debug!(account.id = %id, outcome, ?scope, "lease of account {id} settled"),
        None => tracing::debug!(outcome, "a lease was settled that had ended before"),
    }
}

fn wanted(request: LeaseRequest) -> Result<Wanted> {
    for (value, name) in [(&request.owner, "owner"), (&request.class, "class")] {
        if value.is_empty() {
            return Err(Error::invalid(name, format!("{name} is missing")));
        }
    }
    if request.cost == 0 {
        return Err(Error::invalid("cost", "cost must be at least 1"));
    }
    if request.affinity.len() > AFFINITY_BYTES {
        return Err(Error::invalid("affinity", format!("affinity has at most {AFFINITY_BYTES} bytes")));
    }
    let minimum_tier = tier(request.minimum_tier).map_err(|text| Error::invalid("minimum_tier", text))?;
    let account = only(&request.account)?;
    Ok(Wanted {
        minimum_tier: minimum_tier.unwrap_or(Tier::Basic),
        exclude: request.exclude_accounts.iter().filter_map(|id| Uuid::parse_str(id).ok()).collect(),
        // Without an id, every attempt is a request of its own.
        request_id: if request.request_id.is_empty() {
            Uuid::now_v7().to_string()
        } else {
            request.request_id
        },
        owner: request.owner,
        class: request.class,
        rate_limit_name: request.rate_limit_name,
        cost: request.cost,
        tags: request.tags,
        // Who names the account follows no conversation.
        affinity: Some(request.affinity).filter(|key| !key.is_empty() && account.is_none()),
        account,
        begins: request.affinity_begins,
    })
}

fn only(account: &str) -> Result<Option<Uuid>> {
    let read = |text| {
        Uuid::parse_str(text).map_err(|_| Error::invalid("account", format!("{:?} is no id", mask(text))))
    };
    Some(account).filter(|text| !text.is_empty()).map(read).transpose()
}

fn settlement(request: &SettleRequest) -> Settlement {
    let outcome = Outcome::try_from(request.outcome).unwrap_or(Outcome::Unknown);
    let cause = redact(&request.cause);
    Settlement {
        outcome,
        charged: request.charged,
        units: request.units,
        retry_after_ms: request.retry_after_ms.map(|wait| i64::try_from(wait).unwrap_or(i64::MAX)),
        cause: if cause.is_empty() { outcome.as_str_name().to_lowercase() } else { cause },
    }
}

/// Absent when unspecified.
fn tier(number: i32) -> Result<Option<Tier>, String> {
    match WireTier::try_from(number) {
        Ok(WireTier::Unspecified) => Ok(None),
        Ok(WireTier::Basic) => Ok(Some(Tier::Basic)),
        Ok(WireTier::Super) => Ok(Some(Tier::Super)),
        Ok(WireTier::Heavy) => Ok(Some(Tier::Heavy)),
        Err(_) => Err(format!("{number} is no tier")),
    }
}
