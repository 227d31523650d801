//! Sealed values that go when they are old, or when all take too much: a table with an id, a size and the value.

use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use super::{BEGIN, Db, IGNORING, Pool, columns};
use crate::{Error, Result, captures::Keep, seal::Sealer};

/// One such table.
pub(super) struct Aging {
    pub(super) pool: Pool,
    pub(super) sealer: Sealer,
    pub(super) table: &'static str,
}

impl Aging {
    /// Adds a value that is not known by its id.
    pub(super) async fn put(&self, id: Uuid, value: &[u8]) -> Result<()> {
        let id = id.as_bytes().to_vec();
        let sealed = self.sealer.seal(&id, value)?;
        let size = i64::try_from(sealed.len()).unwrap_or(i64::MAX);
        let mut insert = QueryBuilder::<Db>::new(IGNORING);
        insert.push(" INTO ").push(self.table).push(" (id, size, sealed) VALUES (").push_bind(id);
        insert.push(", ").push_bind(size).push(", ").push_bind(sealed).push(")");
        insert.build().execute(&self.pool).await?;
        Ok(())
    }

    pub(super) async fn get(&self, id: Uuid) -> Result<Option<Vec<u8>>> {
        let id = id.as_bytes().to_vec();
        let mut read = QueryBuilder::<Db>::new("SELECT sealed FROM ");
        read.push(self.table).push(" WHERE id = ").push_bind(id.clone());
        let Some(row) = read.build().fetch_optional(&self.pool).await? else { return Ok(None) };
        let sealed: Vec<u8> = row.try_get(0)?;
        Ok(Some(self.sealer.open(&id, &sealed)?))
    }

    /// Whether it was there.
    pub(super) async fn remove(&self, id: Uuid) -> Result<bool> {
        let mut delete = QueryBuilder::<Db>::new("DELETE FROM ");
        delete.push(self.table).push(" WHERE id = ").push_bind(id.as_bytes().to_vec());
        Ok(delete.build().execute(&self.pool).await?.rows_affected() > 0)
    }

    pub(super) async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64> {
        let mut write = self.pool.begin_with(BEGIN).await?;
        let mut read = QueryBuilder::<Db>::new("SELECT id, size FROM ");
        read.push(self.table).push(" ORDER BY id LIMIT ").push_bind(limit);
        let rows = read.build().fetch_all(&mut *write).await?;
        let mut oldest = Vec::with_capacity(rows.len());
        for row in &rows {
            let impossible = |id, reason| self.impossible(id, reason);
            oldest.push((
                columns::id(row, "id", impossible)?,
                columns::unsigned(row, "size", |reason| impossible(String::new(), reason))?,
            ));
        }
        // A sum of integers is a decimal to one of the databases.
        let sum = "SELECT CAST(COALESCE(SUM(size), 0) AS SIGNED INTEGER) FROM ";
        let mut sum = QueryBuilder::<Db>::new(sum);
        let (all,): (i64,) = sum.push(self.table).build_query_as().fetch_one(&mut *write).await?;
        let gone = keep.excess(&oldest, all.cast_unsigned(), now);
        let Some((last, _)) = gone.checked_sub(1).map(|at| oldest[at]) else { return Ok(0) };
        let mut delete = QueryBuilder::<Db>::new("DELETE FROM ");
        delete.push(self.table).push(" WHERE id <= ").push_bind(last.as_bytes().to_vec());
        let gone = delete.build().execute(&mut *write).await?.rows_affected();
        write.commit().await?;
        Ok(gone)
    }

    fn impossible(&self, id: String, reason: String) -> Error {
        Error::ImpossibleRow { table: self.table, id, reason }
    }
}
