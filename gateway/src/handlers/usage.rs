//! `GET /v1/usage`: what the holder of a key has used and may use.

use std::collections::BTreeMap;

use axum::{Extension, Json, extract::State};
use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Result,
    keys::{BudgetState, Key, Rate, StandingResponse},
    ledger::{AggregateRequest, Bucket, Entry, GroupBy, Ledger, QueryRequest},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Caller, Deps,
    openai::error::Failure,
    openapi::{AllFailures, words},
};

const DAY: i64 = 24 * 60 * 60 * 1000;
/// Days of the answer, today included.
const DAYS: i64 = 31;
/// The newest requests that are looked through for their models, and how many are read at once.
const LOOKED_THROUGH: usize = 2_000;
const PAGE: u32 = 500;

#[derive(Serialize, ToSchema)]
pub(crate) struct Usage {
    #[schema(schema_with = words::usage)]
    object: &'static str,
    /// Nothing for the parameter `api_key`, and while the API is open.
    key: Option<Holder>,
    limits: Limits,
    budgets: Vec<Budget>,
    today: Sums,
    /// The last 31 days, today included.
    last_31_days: Sums,
    /// Those of them with requests, the oldest first.
    days: Vec<Day>,
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<Models>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageKey)]
struct Holder {
    id: String,
    name: String,
    masked: String,
    expires_at: Option<i64>,
}

#[derive(Serialize, Default, ToSchema)]
#[schema(as = UsageLimits)]
struct Limits {
    requests_per_minute: Option<Window>,
    tokens_per_minute: Option<Window>,
    concurrency: Option<Slots>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageWindow)]
struct Window {
    limit: u64,
    remaining: u64,
    reset_ms: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageConcurrency)]
struct Slots {
    limit: u64,
    in_use: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageBudget)]
struct Budget {
    unit: String,
    period: String,
    amount: u64,
    spent: u64,
    remaining: u64,
    /// Epoch seconds, as all times here.
    resets_at: Option<i64>,
}

#[derive(Serialize, Default, ToSchema)]
#[schema(as = UsageSums)]
struct Sums {
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    units: u64,
    images: u64,
    videos: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageDay)]
struct Day {
    start: i64,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageModels)]
struct Models {
    /// Requests since then are in it.
    since: i64,
    data: Vec<Model>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageModel)]
struct Model {
    model: String,
    #[serde(flatten)]
    sums: Sums,
}

/// Tells the holder of a key what was used and what is left.
#[utoipa::path(get, path = "/usage", tag = "Service", operation_id = "retrieveUsage",
    responses((status = 200, description = "The use of the key.", body = Usage), AllFailures))]
pub(crate) async fn usage(
    State(deps): State<Deps>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Usage>, Failure> {
    let standing = match caller.key() {
        "" => None,
        key => deps.client_keys.standing(key).await?,
    };
    let (ledger, now) = (deps.usage.ledger(), Clock::system().now_ms());
    let days = days(ledger, caller.key(), now).await?;
    let today = now - now.rem_euclid(DAY);
    let is_today = |bucket: &&Bucket| bucket.start == today;
    let models = match caller.key() {
        "" => None,
        key => Some(models(ledger, key, today - (DAYS - 1) * DAY).await?),
    };
    let StandingResponse { key, requests, tokens, in_flight } = standing.unwrap_or_default();
    let key = key.unwrap_or_default();
    Ok(Json(Usage {
        object: "usage",
        limits: limits(&key, requests, tokens, in_flight),
        budgets: key.budgets.iter().map(budget).collect(),
        key: holder(key),
        today: days.iter().filter(is_today).collect(),
        last_31_days: days.iter().collect(),
        days: days
            .iter()
            .map(|day| Day { start: day.start / 1000, sums: [day].into_iter().collect() })
            .collect(),
        models,
    }))
}

/// The sums of the key's days; of requests without a key for an empty one.
async fn days(ledger: &dyn Ledger, key: &str, now: i64) -> Result<Vec<Bucket>> {
    let request = AggregateRequest {
        from: now - now.rem_euclid(DAY) - (DAYS - 1) * DAY,
        to: now + 1,
        width: DAY,
        group_by: GroupBy::Key.into(),
        only: Some(key.to_owned()),
        top: 1,
    };
    let series = ledger.aggregate(request).await?.series;
    Ok(series.into_iter().flat_map(|series| series.buckets).collect())
}

/// By model there are no sums of a key, so its newest requests are added up.
async fn models(ledger: &dyn Ledger, key: &str, from: i64) -> Result<Models> {
    let mut by_model: BTreeMap<String, Sums> = BTreeMap::new();
    let (mut looked, mut since, mut cursor) = (0, from, String::new());
    loop {
        let client_key = key.to_owned();
        let page = QueryRequest { from, client_key, cursor, limit: PAGE, ..QueryRequest::default() };
        let page = ledger.query(page).await?;
        looked += page.entries.len();
        for entry in page.entries {
            since = entry.started_at;
            by_model.entry(entry.model.clone()).or_default().add(&Sums::from(&entry));
        }
        cursor = page.next_cursor;
        if cursor.is_empty() {
            since = from;
        }
        if cursor.is_empty() || looked >= LOOKED_THROUGH {
            let data = by_model.into_iter().map(|(model, sums)| Model { model, sums }).collect();
            return Ok(Models { since: since / 1000, data });
        }
    }
}

fn holder(key: Key) -> Option<Holder> {
    let spec = key.spec.unwrap_or_default();
    let expires_at = spec.expires_at.map(|at| at / 1000);
    let holder = Holder { id: key.id, name: spec.name, masked: key.masked, expires_at };
    (!holder.id.is_empty()).then_some(holder)
}

fn limits(key: &Key, requests: Option<Rate>, tokens: Option<Rate>, in_use: u64) -> Limits {
    let window =
        |rate: Rate| Window { limit: rate.limit, remaining: rate.remaining, reset_ms: rate.reset_ms };
    let limits = key.spec.as_ref().and_then(|spec| spec.limits).unwrap_or_default();
    Limits {
        requests_per_minute: requests.map(window),
        tokens_per_minute: tokens.map(window),
        concurrency: limits.concurrency.map(|limit| Slots { limit, in_use }),
    }
}

fn budget(state: &BudgetState) -> Budget {
    let budget = state.budget.clone().unwrap_or_default();
    Budget {
        remaining: budget.amount.saturating_sub(state.spent),
        unit: budget.unit,
        period: budget.period,
        amount: budget.amount,
        spent: state.spent,
        resets_at: state.resets_at.map(|at| at / 1000),
    }
}

impl Sums {
    fn add(&mut self, more: &Self) {
        self.requests += more.requests;
        self.prompt_tokens += more.prompt_tokens;
        self.completion_tokens += more.completion_tokens;
        self.total_tokens += more.total_tokens;
        self.units += more.units;
        self.images += more.images;
        self.videos += more.videos;
    }
}

impl<'b> FromIterator<&'b Bucket> for Sums {
    fn from_iter<I: IntoIterator<Item = &'b Bucket>>(buckets: I) -> Self {
        let mut sums = Self::default();
        for bucket in buckets {
            sums.add(&Self {
                requests: bucket.requests,
                prompt_tokens: bucket.prompt_tokens,
                completion_tokens: bucket.completion_tokens,
                total_tokens: bucket.prompt_tokens + bucket.completion_tokens,
                units: bucket.units,
                images: bucket.images,
                videos: bucket.videos,
            });
        }
        sums
    }
}

impl From<&Entry> for Sums {
    fn from(entry: &Entry) -> Self {
        Self {
            requests: 1,
            prompt_tokens: entry.prompt_tokens,
            completion_tokens: entry.completion_tokens,
            total_tokens: entry.prompt_tokens + entry.completion_tokens,
            units: entry.units.into(),
            images: entry.images.into(),
            videos: entry.videos.into(),
        }
    }
}
