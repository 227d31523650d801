//! The usage ledger in domain terms: rows, the sums kept beside them, and the trait every store of them implements.
//!
//! Rows are found by id, which is the time of the start, so a page is read where it lies. What a dashboard shows comes
//! from *sums* instead, which are added to with every new row, in the same step: one for each minute, hour and day,
//! over everything and for each model, key and account. No question adds up rows.

mod cover;
mod totals;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use cover::{Grain, Range};
pub(crate) use totals::NAMES;
pub use totals::{Histogram, SLOTS, Totals};

use crate::Result;

/// Longest name of a model, key, account or endpoint, in bytes; a writer shortens what is longer.
pub const LONGEST_NAME: usize = 128;

/// Keeps rows and sums. Several processes may write and prune at once.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Adds the rows that are not known by their id, all or none, and counts them; returns how many were new. `lost` is
    /// counted along when one was: how many rows the caller had to drop. Sums whose time is over at `now` are left out.
    async fn record(&self, rows: &[Row], lost: u64, now: i64) -> Result<u32>;

    /// At most `limit` rows that match and come before the id `before` (absent: from the newest), newest first.
    async fn page(&self, filter: &Filter, before: Option<Uuid>, limit: u32) -> Result<Vec<Row>>;

    /// One row.
    async fn get(&self, id: Uuid) -> Result<Option<Row>>;

    /// Sums over time; the values with most requests first.
    async fn series(&self, query: &Query) -> Result<Vec<Series>>;

    /// Takes away at most `limit` rows and at most `limit` sums whose time is over at `now`; returns how many of both
    /// there were. It is called again until there are none, so that no call keeps others waiting.
    async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64>;
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "described in ledger.proto")]
pub struct Row {
    /// A UUIDv7: the time of the start.
    pub id: Uuid,
    pub request_id: String,
    pub endpoint: String,
    pub model: String,
    pub client_key: String,
    pub attempts: Vec<Attempt>,
    pub first_output_ms: Option<u64>,
    pub duration_ms: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub reasoning_tokens: u64,
    pub tokens_estimated: bool,
    pub units: u32,
    pub images: u32,
    pub videos: u32,
    pub outcome: Outcome,
    pub http_status: u16,
    pub stream: bool,
    pub error_code: String,
    pub error_message: String,
}

/// One account's try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "described in ledger.proto")]
pub struct Attempt {
    pub account: String,
    pub outcome: String,
    pub cause: String,
    pub duration_ms: u64,
    pub units: u32,
}

/// How a request ended; kept by these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "described in ledger.proto")]
pub enum Outcome {
    Success = 1,
    ClientCancelled = 2,
    InvalidRequest = 3,
    Refused = 4,
    RateLimited = 5,
    Unavailable = 6,
    Upstream = 7,
    Timeout = 8,
    Internal = 9,
}

/// What rows are wanted; all that is given must be so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Filter {
    /// Start, epoch milliseconds; inclusive.
    pub from: Option<i64>,
    /// Exclusive.
    pub to: Option<i64>,
    pub model: Option<String>,
    pub client_key: Option<String>,
    /// Of the last attempt.
    pub account: Option<String>,
    pub outcome: Option<Outcome>,
}

/// What sums are kept by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Dimension {
    /// Everything, under the empty name.
    All = 0,
    Model = 1,
    ClientKey = 2,
    Account = 3,
}

/// Which sums are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// By what.
    pub dimension: Dimension,
    /// Over which time, in which steps.
    pub range: Range,
    /// Only of this name.
    pub only: Option<String>,
    /// At most so many names: those with most requests, in roughly that time, by few sums.
    pub top: u32,
}

/// The sums of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Of the model, key or account; empty for everything.
    pub name: String,
    /// By the start of their step, in order; steps without any are left out.
    pub steps: Vec<(i64, Totals)>,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Rows and the sums of days.
    pub days: u32,
    /// Rows; the oldest go.
    pub rows: u64,
}

impl Row {
    /// Epoch milliseconds, as the id has them.
    pub fn started_at(&self) -> i64 {
        at(self.id)
    }

    /// The account of the last attempt; empty when there was none.
    pub fn account(&self) -> &str {
        self.attempts.last().map(|attempt| attempt.account.as_str()).unwrap_or_default()
    }

    /// What the row is counted under.
    pub fn value(&self, dimension: Dimension) -> &str {
        match dimension {
            Dimension::All => "",
            Dimension::Model => &self.model,
            Dimension::ClientKey => &self.client_key,
            Dimension::Account => self.account(),
        }
    }
}

impl Series {
    /// Most requests first, then by name.
    pub(crate) fn rank(series: &mut [Self]) {
        let requests = |one: &Self| one.steps.iter().map(|(_, totals)| totals.requests()).sum::<u64>();
        series.sort_by(|one, other| {
            requests(other).cmp(&requests(one)).then_with(|| one.name.cmp(&other.name))
        });
    }
}

impl Filter {
    /// Whether the row is wanted.
    pub(crate) fn wants(&self, row: &Row) -> bool {
        let same =
            |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        self.from.is_none_or(|from| row.started_at() >= from)
            && self.to.is_none_or(|to| row.started_at() < to)
            && same(&self.model, &row.model)
            && same(&self.client_key, &row.client_key)
            && same(&self.account, row.account())
            && self.outcome.is_none_or(|outcome| outcome == row.outcome)
    }

    /// The first id that may match, and the first that may not any more.
    pub(crate) fn ids(&self, before: Option<Uuid>) -> (Uuid, Uuid) {
        let from = self.from.map_or(Uuid::nil(), first_id);
        let to = self.to.map_or(Uuid::max(), first_id);
        (from, before.map_or(to, |before| before.min(to)))
    }
}

impl Outcome {
    /// All, in the order of their numbers.
    pub const ALL: [Outcome; 9] = [
        Self::Success,
        Self::ClientCancelled,
        Self::InvalidRequest,
        Self::Refused,
        Self::RateLimited,
        Self::Unavailable,
        Self::Upstream,
        Self::Timeout,
        Self::Internal,
    ];

    /// The outcome kept by that number.
    pub fn numbered(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| *outcome as i64 == number)
    }
}

impl Dimension {
    /// All.
    pub const ALL: [Dimension; 4] = [Self::All, Self::Model, Self::ClientKey, Self::Account];
}

/// The time of a UUIDv7, epoch milliseconds.
pub fn at(id: Uuid) -> i64 {
    i64::try_from(id.as_u128() >> 80).unwrap_or_default()
}

/// The smallest id of that time.
pub fn first_id(at: i64) -> Uuid {
    let at = u128::try_from(at.clamp(0, (1 << 48) - 1)).unwrap_or_default();
    Uuid::from_u128(at << 80)
}

/// The sums that some rows change, by what they are kept under.
pub(crate) fn sums(rows: &[&Row], lost: u64, now: i64) -> std::collections::BTreeMap<Key, Totals> {
    let mut sums = std::collections::BTreeMap::<Key, Totals>::new();
    for row in rows {
        let totals = Totals::of(row);
        for grain in Grain::ALL.into_iter().filter(|grain| grain.is_kept(row.started_at(), now)) {
            for dimension in Dimension::ALL {
                let (start, value) = (grain.start(row.started_at()), row.value(dimension).to_owned());
                sums.entry(Key { dimension, grain, value, start }).or_default().add(&totals);
            }
        }
    }
    if lost > 0 && !rows.is_empty() {
        let totals = Totals::lost(lost);
        for grain in Grain::ALL {
            let key = Key { dimension: Dimension::All, grain, value: String::new(), start: grain.start(now) };
            sums.entry(key).or_default().add(&totals);
        }
    }
    sums
}

/// What sums are kept under. The order is the one in which writers change them, so that no two wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub dimension: Dimension,
    pub grain: Grain,
    pub value: String,
    pub start: i64,
}

#[cfg(test)]
mod tests;
