//! [`Ledger`] in SQL.
//!
//! Rows lie by their id, which is their time. Names are kept once and referred to by number, so that rows, their
//! indexes and the sums stay small. New rows, their sums and the number of rows change in one transaction: all of a batch, or a
//! step of it, where others have to wait for that. A batch that was cut off is sent again, and what is there is passed over.

#[path = "ledger/names.rs"]
mod names;
#[path = "ledger/row.rs"]
mod row;
#[path = "ledger/sums.rs"]
mod sums;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row as _, Transaction};
use uuid::Uuid;

use super::{BEGIN, Db, Pool, STEP, Store, Turns, accounts::is_taken, by_index, deadlock::is_deadlock};
use crate::{
    Error, Result,
    ledger::{Filter, Keep, Ledger, Outcome, Query, Row, Series, first_id, sums as sums_of},
};
use names::{Kind, Names};

/// Rows of one statement.
const CHUNK: usize = 200;
/// How often a transaction is begun again that met another writer.
const ATTEMPTS: usize = 4;
const DAY: i64 = 24 * 60 * 60 * 1000;

struct SqlLedger {
    pool: Pool,
    names: Names,
    turns: Turns,
}

impl Store {
    /// The usage ledger.
    pub fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::new(SqlLedger { pool: self.pool.clone(), names: Names::default(), turns: self.turns.clone() })
    }
}

#[async_trait]
impl Ledger for SqlLedger {
    async fn record(&self, rows: &[Row], lost: u64, now: i64) -> Result<u32> {
        self.names.learn(&self.pool, rows).await?;
        let mut recorded = 0;
        for (at, step) in rows.chunks(STEP).enumerate() {
            // Told once, with the first rows.
            recorded += self.record_step(step, if at == 0 { lost } else { 0 }, now).await?;
        }
        Ok(recorded)
    }

    async fn page(&self, filter: &Filter, before: Option<Uuid>, limit: u32) -> Result<Vec<Row>> {
        let Some(found) = self.conditions(filter).await? else { return Ok(Vec::new()) };
        let (first, end) = filter.ids(before);
        // The ids from an index alone; only then the rows of the page.
        let mut select = QueryBuilder::<Db>::new(row::SELECT);
        select.push(" FROM (SELECT id FROM (");
        for (part, outcome) in found.outcomes.iter().enumerate() {
            select.push(if part == 0 { "SELECT id FROM (" } else { " UNION ALL SELECT id FROM (" });
            select.push("SELECT id FROM ledger").push(&found.index);
            select.push(" WHERE id >= ").push_bind(first.as_bytes().to_vec());
            select.push(" AND id < ").push_bind(end.as_bytes().to_vec());
            for (column, number) in &found.equal {
                select.push(format_args!(" AND {column} = ")).push_bind(*number);
            }
            if let Some(outcome) = outcome {
                select.push(" AND outcome = ").push_bind(*outcome as i64);
            }
            select.push(" ORDER BY id DESC LIMIT ").push_bind(limit).push(format_args!(") p{part}"));
        }
        select.push(") u ORDER BY id DESC LIMIT ").push_bind(limit).push(") p JOIN ledger l ON l.id = p.id");
        select.push(row::JOINS).push(" ORDER BY l.id DESC");
        let rows = select.build().fetch_all(&self.pool).await?;
        rows.iter().map(row::read).collect()
    }

    async fn get(&self, id: Uuid) -> Result<Option<Row>> {
        let mut select = QueryBuilder::<Db>::new(row::SELECT);
        select
            .push(" FROM ledger l")
            .push(row::JOINS)
            .push(" WHERE l.id = ")
            .push_bind(id.as_bytes().to_vec());
        let found = select.build().fetch_optional(&self.pool).await?;
        found.as_ref().map(row::read).transpose()
    }

    async fn series(&self, query: &Query) -> Result<Vec<Series>> {
        sums::series(&self.pool, &self.names, query).await
    }

    async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64> {
        let rows = self.prune_rows(keep, now, limit).await?;
        Ok(rows + sums::prune(&self.pool, keep, now, limit).await?)
    }
}

/// What the filter's names are by number, and how they are looked for.
struct Conditions {
    /// The one that leaves fewest rows to look at.
    index: String,
    equal: Vec<(&'static str, i64)>,
    /// Each is a part of the question; none stands for any.
    outcomes: Vec<Option<Outcome>>,
}

impl SqlLedger {
    async fn record_step(&self, rows: &[Row], lost: u64, now: i64) -> Result<u32> {
        for _ in 1..ATTEMPTS {
            match self.try_record(rows, lost, now).await {
                Err(Error::Store(error)) if met_another(&error) => {}
                done => return done,
            }
        }
        self.try_record(rows, lost, now).await
    }

    async fn try_record(&self, rows: &[Row], lost: u64, now: i64) -> Result<u32> {
        let _turn = self.turns.wait().await;
        let mut write = self.pool.begin_with(BEGIN).await?;
        let new = unknown(&mut write, rows).await?;
        if new.is_empty() {
            return Ok(0);
        }
        for chunk in new.chunks(CHUNK) {
            row::insert(&mut write, chunk, &self.names).await?;
        }
        sums::add(&mut write, &self.names, &sums_of(&new, lost, now)).await?;
        let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
        kept(&mut write, count).await?;
        write.commit().await?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Nothing when a name is unknown, and with it every row.
    async fn conditions(&self, filter: &Filter) -> Result<Option<Conditions>> {
        let names = [
            (Kind::Account, "account", &filter.account),
            (Kind::ClientKey, "client_key", &filter.client_key),
            (Kind::Model, "model", &filter.model),
        ];
        let mut equal = Vec::new();
        for (kind, column, name) in names {
            let Some(name) = name else { continue };
            let Some(number) = self.names.find(&self.pool, kind, name).await? else { return Ok(None) };
            equal.push((column, number));
        }
        // The most selective name leads. Its index is by outcome first and then by time, so that no row of another outcome
        // is passed over; the newest of all are the newest of each.
        let outcomes = match (equal.first(), filter.outcome) {
            (Some(_), None) => Outcome::ALL.map(Some).to_vec(),
            (_, outcome) => vec![outcome],
        };
        let lead = equal.first().map(|(column, _)| *column).or(filter.outcome.map(|_| "outcome"));
        let index = lead.map(|column| by_index(&format!("ledger_{column}"))).unwrap_or_default();
        Ok(Some(Conditions { index, equal, outcomes }))
    }

    async fn prune_rows(&self, keep: Keep, now: i64, limit: u32) -> Result<u64> {
        let _turn = self.turns.wait().await;
        let mut write = self.pool.begin_with(BEGIN).await?;
        let (count,): (i64,) = sqlx::query_as("SELECT kept FROM ledger_state").fetch_one(&mut *write).await?;
        let excess = u64::try_from(count).unwrap_or_default().saturating_sub(keep.rows);
        let excess = usize::try_from(excess).unwrap_or(usize::MAX);
        let cutoff = first_id(now - i64::from(keep.days) * DAY).as_bytes().to_vec();
        let oldest: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT id FROM ledger ORDER BY id LIMIT ?")
            .bind(limit)
            .fetch_all(&mut *write)
            .await?;
        let mut over = oldest.iter().enumerate().filter(|(at, (id,))| *at < excess || *id < cutoff);
        let Some((_, (last,))) = over.next_back() else { return Ok(0) };
        let done = sqlx::query("DELETE FROM ledger WHERE id <= ?").bind(last).execute(&mut *write).await?;
        let gone = done.rows_affected();
        kept(&mut write, -i64::try_from(gone).unwrap_or(i64::MAX)).await?;
        write.commit().await?;
        Ok(gone)
    }
}

/// Counts the rows along.
async fn kept(write: &mut Transaction<'_, Db>, more: i64) -> Result<()> {
    sqlx::query("UPDATE ledger_state SET kept = kept + ?").bind(more).execute(&mut **write).await?;
    Ok(())
}

/// The rows whose ids are not there yet; of two with the same id, the first.
async fn unknown<'r>(write: &mut Transaction<'_, Db>, rows: &'r [Row]) -> Result<Vec<&'r Row>> {
    let mut seen = std::collections::HashSet::new();
    for chunk in rows.chunks(CHUNK) {
        let mut select = QueryBuilder::<Db>::new("SELECT id FROM ledger WHERE id IN (");
        let mut ids = select.separated(", ");
        for row in chunk {
            ids.push_bind(row.id.as_bytes().to_vec());
        }
        select.push(")");
        let known = select.build().persistent(chunk.len() == CHUNK).fetch_all(&mut **write).await?;
        for row in known {
            let id: Vec<u8> = row.try_get(0)?;
            seen.extend(Uuid::from_slice(&id));
        }
    }
    Ok(rows.iter().filter(|row| seen.insert(row.id)).collect())
}

/// Whether another writer was in the way, and trying again helps.
fn met_another(error: &sqlx::Error) -> bool {
    is_taken(error) || is_deadlock(error)
}
