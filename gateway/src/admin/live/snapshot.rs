//! Everything that runs, at one moment.

use std::{collections::HashMap, sync::Arc};

use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Result,
    live::{Failure, ListRequest, Replica, Request},
    pool::{Account, AccountFilter, AccountSort, ListAccountsRequest},
};
use serde_json::{Map, Value, json};
use tokio::{sync::Mutex, time::Instant};

use super::SELDOM;
use crate::admin::{
    Console,
    words::{self, at, some},
};

/// Running requests, failures and windows that are told.
const RUNNING: usize = 500;
const FAILURES: usize = 100;
const WINDOWS: u32 = 50;

/// Windows that run dry, and how many accounts are in which state.
pub(crate) struct Dry {
    windows: Vec<Value>,
    total: u32,
    states: Map<String, Value>,
}

/// The last look, shared by all who watch: every account is looked at for it.
#[derive(Default)]
pub(crate) struct Looked(Mutex<Option<(Instant, Arc<Dry>)>>);

impl Dry {
    /// What is known, unless that is too old.
    pub(super) async fn look(console: &Console) -> Result<Arc<Self>> {
        // Held meanwhile: whoever comes second waits for the same look.
        let mut known = console.dry.0.lock().await;
        if let Some((at, dry)) = &*known
            && at.elapsed() < SELDOM
        {
            return Ok(dry.clone());
        }
        let dry = Arc::new(Self::look_anew(console).await?);
        *known = Some((Instant::now(), dry.clone()));
        Ok(dry)
    }

    async fn look_anew(console: &Console) -> Result<Self> {
        let dry = ListAccountsRequest {
            filter: Some(AccountFilter { dry: true, ..AccountFilter::default() }),
            sort: AccountSort::Remaining.into(),
            limit: WINDOWS,
            ..ListAccountsRequest::default()
        };
        let counts = ListAccountsRequest { limit: 1, counts: true, ..ListAccountsRequest::default() };
        let pool = &console.services.pool;
        let (dry, counts) = tokio::try_join!(pool.list_accounts(dry), pool.list_accounts(counts))?;
        let mut windows: Vec<Value> = dry.accounts.iter().flat_map(windows).collect();
        windows.truncate(WINDOWS as usize);
        let states = counts.states.iter().map(|count| (words::state(count.state()), json!(count.accounts)));
        Ok(Self { windows, total: counts.total, states: states.collect() })
    }
}

/// The windows of an account that run dry.
fn windows(account: &Account) -> impl Iterator<Item = Value> + '_ {
    account.windows.iter().filter_map(|window| {
        let (remaining, total) = (window.remaining?, window.total?);
        (remaining <= total / 10).then(|| {
            json!({
                "account_id": account.id,
                "token": account.masked_token,
                "class": window.class,
                "remaining": remaining,
                "total": total,
                "reset_at": at(window.reset_at),
            })
        })
    })
}

pub(super) async fn snapshot(console: &Console, dry: &Dry) -> Result<Value> {
    let live = console.services.live.list(ListRequest {}).await?;
    let now = Clock::system().now_ms();
    let gateways: Vec<&Replica> =
        live.replicas.iter().filter(|replica| replica.roles.iter().any(|role| role == "gateway")).collect();
    let mut running: Vec<(&Replica, &Request)> = gateways
        .iter()
        .flat_map(|replica| replica.running.iter().map(|request| (*replica, request)))
        .collect();
    running.sort_unstable_by_key(|(_, request)| (request.started_at, &request.id));
    let speed: f64 = running.iter().filter_map(|(_, request)| speed(request, now)).sum();
    let mut failures: Vec<(&Replica, &Failure)> = gateways
        .iter()
        .flat_map(|replica| replica.failures.iter().map(|failure| (*replica, failure)))
        .collect();
    failures.sort_unstable_by_key(|(_, failure)| std::cmp::Reverse(failure.at));
    running.truncate(RUNNING);
    failures.truncate(FAILURES);
    let names = console.names.keys(&console.services).await;
    let ids = running.iter().map(|(_, request)| request.account.clone()).collect();
    let accounts = console.names.accounts(&console.services, ids).await;
    let sum = |of: fn(&Replica) -> u32| gateways.iter().map(|replica| u64::from(of(replica))).sum::<u64>();
    let shown = running.iter().map(|(replica, request)| one(replica, request, &names, &accounts, now));
    Ok(json!({
        "at": now,
        "shared": live.shared,
        "totals": {
            "running": sum(|replica| replica.running_total),
            "waiting": sum(|replica| replica.waiting_total),
            "tokens_per_second": speed,
            "finished_last_minute": sum(|replica| replica.finished),
            "errors_last_minute": sum(|replica| replica.failed),
        },
        "replicas": gateways.iter().map(|replica| gateway(replica, now)).collect::<Vec<_>>(),
        "running": shown.collect::<Vec<_>>(),
        "errors": failures.iter().map(|(replica, error)| failure(replica, error)).collect::<Vec<_>>(),
        "dry": dry.windows,
        "accounts": {"total": dry.total, "statuses": dry.states},
    }))
}

fn gateway(replica: &Replica, now: i64) -> Value {
    json!({
        "id": replica.id,
        "host": replica.host,
        "roles": replica.roles,
        "running": replica.running_total,
        "waiting": replica.waiting_total,
        "tokens_per_second": replica.running.iter().filter_map(|request| speed(request, now)).sum::<f64>(),
    })
}

fn one(
    replica: &Replica,
    request: &Request,
    names: &HashMap<String, String>,
    accounts: &HashMap<String, String>,
    now: i64,
) -> Value {
    json!({
        "id": request.id,
        "request_id": request.request_id,
        "replica": replica.id,
        "endpoint": request.endpoint,
        "model": request.model,
        "client_key": some(request.client_key.clone()),
        "key_name": names.get(&request.client_key),
        "account": some(request.account.clone()),
        "account_token": accounts.get(&request.account),
        "stream": request.stream,
        "phase": if request.account.is_empty() { "waiting" } else { "running" },
        "started_at": request.started_at,
        "first_output_at": request.first_output_at,
        "tokens": request.tokens,
        "tokens_per_second": speed(request, now),
        "attempts": request.attempts,
        "cancellable": true,
    })
}

fn failure(replica: &Replica, failure: &Failure) -> Value {
    json!({
        "id": failure.id,
        "at": failure.at,
        "replica": replica.id,
        "model": failure.model,
        "client_key": some(failure.client_key.clone()),
        "account": some(failure.account.clone()),
        "http_status": failure.http_status,
        "code": failure.code,
        "message": failure.message,
    })
}

/// Tokens a second since the first output.
fn speed(request: &Request, now: i64) -> Option<f64> {
    let millis = now - request.first_output_at?;
    (millis > 0).then(|| request.tokens as f64 * 1000.0 / millis as f64)
}
