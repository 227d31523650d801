//! Stamps: numbers that grow with every write to a table, and with the time. A store that was put back to an earlier
//! state gives none a second time, so a row is known by its stamp.

use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::{AssertSqlSafe, Transaction};

use super::{BEGIN, Db, Pool};
use crate::Result;

/// A transaction that holds the table's write lock, and the stamp of what it writes: epoch milliseconds, or one more
/// than the last one. Rows become visible in the order of their stamps.
pub(super) async fn stamped(pool: &Pool, counter: &'static str) -> Result<(Transaction<'static, Db>, i64)> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let now = i64::try_from(now).unwrap_or_default();
    let mut write = pool.begin_with(BEGIN).await?;
    let count = format!("UPDATE {counter} SET value = CASE WHEN value < ? THEN ? ELSE value + 1 END");
    sqlx::query(AssertSqlSafe(count)).bind(now).bind(now).execute(&mut *write).await?;
    let read = format!("SELECT value FROM {counter}");
    let (stamp,): (i64,) = sqlx::query_as(AssertSqlSafe(read)).fetch_one(&mut *write).await?;
    Ok((write, stamp))
}
