//! The sums beside the rows.

use std::collections::{BTreeMap, HashMap};

use super::{super::Redis, BATCH, PREFIX, totals};
use crate::{
    Result,
    ledger::{Dimension, Grain, Query, Range, Series, Totals},
};

/// What [`Ledger::series`](crate::ledger::Ledger::series) answers.
pub(super) async fn series(redis: &Redis, query: &Query) -> Result<Vec<Series>> {
    let starts = starts(redis, query.range).await?;
    let values = match (&query.only, query.dimension) {
        (_, Dimension::All) => vec![String::new()],
        (Some(only), _) => vec![only.clone()],
        (None, _) => most(redis, query).await?,
    };
    let mut series = Vec::new();
    for name in values {
        let steps = steps(redis, query, &name, &starts).await?;
        if !steps.is_empty() {
            series.push(Series { name, steps: steps.into_iter().collect() });
        }
    }
    Series::rank(&mut series);
    Ok(series)
}

/// The starts in the range that have sums at all.
async fn starts(redis: &Redis, range: Range) -> Result<Vec<i64>> {
    let mut ask = redis::cmd("ZRANGEBYSCORE");
    ask.arg(format!("{PREFIX}starts:{}", range.grain as i64)).arg(range.from).arg(format!("({}", range.to));
    let (starts,): (Vec<i64>,) = redis.ask(redis::pipe().add_command(ask)).await?;
    Ok(starts)
}

fn place(query: &Query, grain: Grain, start: i64) -> String {
    format!("{}:{}:{start}", grain as i64, query.dimension as i64)
}

/// The names with most requests.
async fn most(redis: &Redis, query: &Query) -> Result<Vec<String>> {
    let range = query.range.roughly();
    let starts = starts(redis, range).await?;
    let mut requests = HashMap::<String, u64>::new();
    for chunk in starts.chunks(BATCH) {
        let mut ask = redis::pipe();
        for start in chunk {
            ask.zrange_withscores(format!("{PREFIX}rank:{}", place(query, range.grain, *start)), 0, -1);
        }
        let ranks: Vec<Vec<(String, f64)>> = redis.ask(&ask).await?;
        for (name, count) in ranks.into_iter().flatten() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count, as Redis tells it"
            )]
            let count = count as u64;
            *requests.entry(name).or_default() += count;
        }
    }
    let mut ranked: Vec<(String, u64)> = requests.into_iter().collect();
    ranked.sort_unstable_by(|(one, few), (other, many)| many.cmp(few).then_with(|| one.cmp(other)));
    Ok(ranked.into_iter().take(query.top as usize).map(|(name, _)| name).collect())
}

async fn steps(redis: &Redis, query: &Query, name: &str, starts: &[i64]) -> Result<BTreeMap<i64, Totals>> {
    let mut steps = BTreeMap::<i64, Totals>::new();
    for chunk in starts.chunks(BATCH) {
        let mut ask = redis::pipe();
        for start in chunk {
            ask.hgetall(format!("{PREFIX}sum:{}:{name}", place(query, query.range.grain, *start)));
        }
        let sums: Vec<Vec<(String, u64)>> = redis.ask(&ask).await?;
        for (start, counters) in chunk.iter().zip(sums).filter(|(_, counters)| !counters.is_empty()) {
            let step = start - (start - query.range.from) % query.range.width;
            steps.entry(step).or_default().add(&totals(counters));
        }
    }
    Ok(steps)
}
