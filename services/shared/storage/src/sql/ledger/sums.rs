//! The sums beside the rows.

use std::{collections::BTreeMap, fmt::Write as _, sync::LazyLock};

use sqlx::{AssertSqlSafe, QueryBuilder, Row as _, Transaction};

use super::{
    super::{Db, Pool, Row as SqlRow, by_index, upsert},
    names::{Kind, Names},
};
use crate::{
    Error, Result,
    ledger::{Dimension, Grain, Keep, Key, NAMES, Query, Series, Totals},
};

const KEY: [&str; 4] = ["dimension", "grain", "value", "start"];
/// Sums of one statement.
const CHUNK: usize = 100;

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let columns = [&KEY[..], &NAMES[..]].concat().join(", ");
    format!("INSERT INTO ledger_sums ({columns}) ")
});
static ADD: LazyLock<String> = LazyLock::new(|| upsert(&KEY, &NAMES));
static SELECT: LazyLock<String> = LazyLock::new(|| {
    let mut columns = String::new();
    for name in NAMES {
        // Writing to memory cannot fail.
        write!(columns, ", CAST(SUM({name}) AS SIGNED) AS {name}").ok();
    }
    columns
});
static RANK: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT CAST(value AS SIGNED) AS value, CAST(SUM(requests) AS SIGNED) AS requests FROM ledger_sums {}
        WHERE dimension = ? AND grain = ? AND start >= ? AND start < ?
        GROUP BY value ORDER BY requests DESC, value LIMIT ?",
        by_index("ledger_sums_rank")
    )
});

/// Adds to the sums, in the order of their keys.
pub(super) async fn add(
    write: &mut Transaction<'_, Db>,
    names: &Names,
    sums: &BTreeMap<Key, Totals>,
) -> Result<()> {
    let mut numbered = Vec::with_capacity(sums.len());
    for (key, totals) in sums {
        let number = match Kind::of(key.dimension) {
            Some(kind) => names.number(kind, &key.value).await.unwrap_or_default(),
            None => 0,
        };
        let key = [key.dimension as i64, key.grain as i64, number, key.start];
        numbered.push((key, totals));
    }
    numbered.sort_unstable_by_key(|(key, _)| *key);
    for chunk in numbered.chunks(CHUNK) {
        let mut insert = QueryBuilder::<Db>::new(&*INSERT);
        insert.push_values(chunk, |mut values, (key, totals)| {
            for number in key {
                values.push_bind(*number);
            }
            for counter in totals.0 {
                values.push_bind(i64::try_from(counter).unwrap_or(i64::MAX));
            }
        });
        insert.push(&*ADD);
        insert.build().persistent(chunk.len() == CHUNK).execute(&mut **write).await?;
    }
    Ok(())
}

/// What [`Ledger::series`](crate::ledger::Ledger::series) answers.
pub(super) async fn series(pool: &Pool, names: &Names, query: &Query) -> Result<Vec<Series>> {
    let values = values(pool, names, query).await?;
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let mut told = names.told(pool, &values).await?;
    let mut steps = steps(pool, query, &values).await?;
    let series = values.into_iter().filter_map(|value| {
        let steps = steps.remove(&value)?;
        Some(Series { name: told.remove(&value).unwrap_or_default(), steps })
    });
    let mut series: Vec<Series> = series.collect();
    Series::rank(&mut series);
    Ok(series)
}

/// The numbers of the names to tell of, most requests first.
async fn values(pool: &Pool, names: &Names, query: &Query) -> Result<Vec<i64>> {
    let Some(kind) = Kind::of(query.dimension) else { return Ok(vec![0]) };
    if let Some(name) = &query.only {
        return Ok(names.find(pool, kind, name).await?.into_iter().collect());
    }
    let range = query.range.roughly();
    let rows = sqlx::query(AssertSqlSafe(RANK.as_str()))
        .bind(query.dimension as i64)
        .bind(range.grain as i64)
        .bind(range.from)
        .bind(range.to)
        .bind(query.top)
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| Ok(row.try_get("value")?)).collect()
}

async fn steps(pool: &Pool, query: &Query, values: &[i64]) -> Result<BTreeMap<i64, Vec<(i64, Totals)>>> {
    let range = query.range;
    let mut select = QueryBuilder::<Db>::new("SELECT CAST(value AS SIGNED) AS value, start - (start - ");
    select.push_bind(range.from).push(") % ").push_bind(range.width).push(" AS step").push(&*SELECT);
    select.push(" FROM ledger_sums WHERE dimension = ").push_bind(query.dimension as i64);
    select.push(" AND grain = ").push_bind(range.grain as i64).push(" AND value IN (");
    let mut list = select.separated(", ");
    values.iter().for_each(|value| {
        list.push_bind(*value);
    });
    select.push(") AND start >= ").push_bind(range.from).push(" AND start < ").push_bind(range.to);
    select.push(" GROUP BY value, step ORDER BY value, step");
    let mut found = BTreeMap::<i64, Vec<(i64, Totals)>>::new();
    for row in select.build().persistent(false).fetch_all(pool).await? {
        let steps = found.entry(row.try_get("value")?).or_default();
        steps.push((row.try_get("step")?, totals(&row)?));
    }
    Ok(found)
}

fn totals(row: &SqlRow) -> Result<Totals> {
    let mut totals = Totals::default();
    for (counter, name) in totals.0.iter_mut().zip(NAMES) {
        let value: i64 = row.try_get(name)?;
        *counter = u64::try_from(value).map_err(|_| Error::ImpossibleRow {
            table: "ledger_sums",
            id: name.to_owned(),
            reason: format!("the sum {value} is negative"),
        })?;
    }
    Ok(totals)
}

/// Takes away the oldest sums whose time is over: for each grain and dimension those of one start.
pub(super) async fn prune(pool: &Pool, keep: Keep, now: i64, limit: u32) -> Result<u64> {
    let mut gone = 0;
    for grain in Grain::ALL {
        let before = now - grain.kept_beside(keep.days);
        for dimension in Dimension::ALL {
            gone += prune_oldest(pool, dimension, grain, grain.start(before), limit).await?;
        }
    }
    Ok(gone)
}

async fn prune_oldest(
    pool: &Pool,
    dimension: Dimension,
    grain: Grain,
    before: i64,
    limit: u32,
) -> Result<u64> {
    let oldest: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT start, CAST(value AS SIGNED) FROM ledger_sums WHERE dimension = ? AND grain = ? AND start < ?
        ORDER BY start, value LIMIT ?",
    )
    .bind(dimension as i64)
    .bind(grain as i64)
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    let Some((start, _)) = oldest.first().copied() else { return Ok(0) };
    let mut delete = QueryBuilder::<Db>::new("DELETE FROM ledger_sums WHERE dimension = ");
    delete.push_bind(dimension as i64).push(" AND grain = ").push_bind(grain as i64);
    delete.push(" AND start = ").push_bind(start).push(" AND value IN (");
    let mut list = delete.separated(", ");
    for (_, value) in oldest.iter().filter(|(at, _)| *at == start) {
        list.push_bind(*value);
    }
    delete.push(")");
    Ok(delete.build().persistent(false).execute(pool).await?.rows_affected())
}
