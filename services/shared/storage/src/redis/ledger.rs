//! [`Ledger`] in Redis: a hash for each row, sorted sets of ids in all and by model, key, account and outcome; a hash for
//! each sum, and a sorted set of names by requests for each step of time.
//!
//! All of it lies in memory, so there is a limit of its own to the number of rows: [`MOST_ROWS`].

mod sums;

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::Script;
use uuid::Uuid;

use super::{BATCH, Redis, text};
use crate::{
    Error, Result,
    ledger::{
        Filter, Grain, Keep, Ledger, NAMES, Outcome, Query, Row, Series, Totals, first_id, sums as sums_of,
    },
};

/// About two gigabytes.
pub(super) const MOST_ROWS: u64 = 1_000_000;
const PREFIX: &str = "{g2a}:ledger:";
/// How often a batch is begun again that another writer has written parts of meanwhile.
const ATTEMPTS: usize = 4;
const DAY: i64 = 24 * 60 * 60 * 1000;

static RECORD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/ledger_record.lua")));
static PRUNE_ROWS: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/ledger_prune_rows.lua")));
static PRUNE_SUMS: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/ledger_prune_sums.lua")));

struct RedisLedger {
    redis: Redis,
}

impl Redis {
    /// The usage ledger.
    pub fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::new(RedisLedger { redis: self.clone() })
    }
}

#[async_trait]
impl Ledger for RedisLedger {
    async fn record(&self, rows: &[Row], lost: u64, now: i64) -> Result<u32> {
        for _ in 0..ATTEMPTS {
            let new = self.unknown(rows).await?;
            if new.is_empty() {
                return Ok(0);
            }
            if self.redis.run(&RECORD, &[], &arguments(&new, lost, now)).await? {
                return Ok(u32::try_from(new.len()).unwrap_or(u32::MAX));
            }
        }
        Err(Error::Conflict { expected: rows.len() as u64, found: 0 })
    }

    async fn page(&self, filter: &Filter, before: Option<Uuid>, limit: u32) -> Result<Vec<Row>> {
        let (first, mut end) = filter.ids(before);
        let (set, limit) = (shortest(filter), limit as usize);
        let mut found = Vec::new();
        while found.len() < limit && first < end {
            let mut range = redis::cmd("ZREVRANGEBYLEX");
            range.arg(&set).arg(format!("({}", end.simple())).arg(format!("[{}", first.simple()));
            range.arg("LIMIT").arg(0).arg(BATCH);
            let (ids,): (Vec<String>,) = self.redis.ask(redis::pipe().add_command(range)).await?;
            let Some(last) = ids.last() else { break };
            end = Uuid::try_parse(last).map_err(|error| impossible(last, error.to_string()))?;
            found.extend(self.read(&ids).await?.into_iter().filter(|row| filter.wants(row)));
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn get(&self, id: Uuid) -> Result<Option<Row>> {
        Ok(self.read(&[id.simple().to_string()]).await?.pop())
    }

    async fn series(&self, query: &Query) -> Result<Vec<Series>> {
        sums::series(&self.redis, query).await
    }

    async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64> {
        let days = i64::from(keep.days) * DAY;
        let cutoff = first_id(now - days).simple().to_string();
        let arguments = [text(PREFIX), text(cutoff), text(keep.rows.min(MOST_ROWS)), text(limit)];
        let mut gone: u64 = self.redis.run(&PRUNE_ROWS, &[], &arguments).await?;
        for grain in Grain::ALL {
            let before = grain.start(now - grain.kept_beside(keep.days));
            let arguments = [text(PREFIX), text(grain as i64), text(before), text(limit)];
            gone += self.redis.run::<u64>(&PRUNE_SUMS, &[], &arguments).await?;
        }
        Ok(gone)
    }
}

impl RedisLedger {
    /// The rows whose ids are not there yet; of two with the same id, the first.
    async fn unknown<'r>(&self, rows: &'r [Row]) -> Result<Vec<&'r Row>> {
        let mut seen = std::collections::HashSet::new();
        let mut new = Vec::new();
        for chunk in rows.chunks(BATCH) {
            let mut ask = redis::pipe();
            for row in chunk {
                ask.exists(format!("{PREFIX}row:{}", row.id.simple()));
            }
            let known: Vec<bool> = self.redis.ask(&ask).await?;
            let fresh = chunk.iter().zip(known).filter(|(_, known)| !known).map(|(row, _)| row);
            new.extend(fresh.filter(|row| seen.insert(row.id)));
        }
        Ok(new)
    }

    /// The rows of those ids, in order; without the ones that are gone.
    async fn read(&self, ids: &[String]) -> Result<Vec<Row>> {
        let mut ask = redis::pipe();
        for id in ids {
            ask.hget(format!("{PREFIX}row:{id}"), "row");
        }
        let rows: Vec<Option<Vec<u8>>> = self.redis.ask(&ask).await?;
        let found = ids.iter().zip(rows).filter_map(|(id, row)| Some((id, row?)));
        let read = |(id, json): (&String, Vec<u8>)| {
            serde_json::from_slice(&json).map_err(|error| impossible(id, error.to_string()))
        };
        found.map(read).collect()
    }
}

/// The set of ids that leaves fewest to look at.
fn shortest(filter: &Filter) -> String {
    let failure = filter.outcome.filter(|outcome| *outcome != Outcome::Success);
    let set = match filter {
        Filter { account: Some(account), .. } => format!("account:{account}"),
        Filter { client_key: Some(key), .. } => format!("key:{key}"),
        _ if failure.is_some() => format!("outcome:{}", failure.map_or(0, |outcome| outcome as i64)),
        Filter { model: Some(model), .. } => format!("model:{model}"),
        _ => "rows".to_owned(),
    };
    format!("{PREFIX}{set}")
}

/// As `ledger_record.lua` takes them.
fn arguments(rows: &[&Row], lost: u64, now: i64) -> Vec<Vec<u8>> {
    let mut arguments = vec![text(PREFIX), text(rows.len())];
    for row in rows {
        let json = serde_json::to_vec(row).unwrap_or_default();
        arguments.extend([text(row.id.simple()), json, text(&row.model), text(&row.client_key)]);
        arguments.extend([text(row.account()), text(row.outcome as i64)]);
    }
    for (key, totals) in sums_of(rows, lost, now) {
        arguments.extend([text(key.grain as i64), text(key.dimension as i64), text(key.start)]);
        arguments.extend([text(key.value), text(totals.requests())]);
        let counters = || NAMES.iter().zip(totals.0).filter(|(_, count)| *count > 0);
        arguments.push(text(counters().count()));
        arguments.extend(counters().flat_map(|(name, count)| [text(name), text(count)]));
    }
    arguments
}

fn impossible(id: &str, reason: String) -> Error {
    Error::ImpossibleRow { table: "ledger", id: id.to_owned(), reason }
}

/// Of a hash of counters.
fn totals(counters: Vec<(String, u64)>) -> Totals {
    let mut totals = Totals::default();
    for (name, count) in counters {
        if let Some(at) = NAMES.iter().position(|known| *known == name) {
            totals.0[at] = count;
        }
    }
    totals
}
