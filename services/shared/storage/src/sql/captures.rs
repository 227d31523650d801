//! [`Captures`] in SQL.

use std::sync::Arc;

use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use super::{BEGIN, Db, IGNORING, Pool, Store, columns};
use crate::{
    Error, Result,
    captures::{Capture, Captures, Keep},
    seal::Sealer,
};

struct SqlCaptures {
    pool: Pool,
    sealer: Sealer,
}

impl Store {
    /// Bodies of requests and answers.
    pub fn captures(&self, sealer: Sealer) -> Arc<dyn Captures> {
        Arc::new(SqlCaptures { pool: self.pool.clone(), sealer })
    }
}

#[async_trait::async_trait]
impl Captures for SqlCaptures {
    async fn put(&self, captures: &[Capture]) -> Result<()> {
        for capture in captures {
            let id = capture.id.as_bytes().to_vec();
            let sealed = self.sealer.seal(&id, &capture.bodies)?;
            let size = i64::try_from(sealed.len()).unwrap_or(i64::MAX);
            let mut insert = QueryBuilder::<Db>::new(IGNORING);
            insert.push(" INTO captures (id, size, sealed) VALUES (").push_bind(id);
            insert.push(", ").push_bind(size).push(", ").push_bind(sealed).push(")");
            insert.build().execute(&self.pool).await?;
        }
        Ok(())
    }

    async fn get(&self, id: Uuid) -> Result<Option<Capture>> {
        let id_bytes = id.as_bytes().to_vec();
        let found = sqlx::query("SELECT sealed FROM captures WHERE id = ?").bind(id_bytes.clone());
        let Some(row) = found.fetch_optional(&self.pool).await? else { return Ok(None) };
        let sealed: Vec<u8> = row.try_get(0)?;
        Ok(Some(Capture { id, bodies: self.sealer.open(&id_bytes, &sealed)? }))
    }

    async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64> {
        let mut write = self.pool.begin_with(BEGIN).await?;
        let rows = sqlx::query("SELECT id, size FROM captures ORDER BY id LIMIT ?").bind(limit);
        let rows = rows.fetch_all(&mut *write).await?;
        let mut oldest = Vec::with_capacity(rows.len());
        for row in &rows {
            oldest.push((
                columns::id(row, "id", impossible)?,
                columns::unsigned(row, "size", |reason| impossible(String::new(), reason))?,
            ));
        }
        // A sum of integers is a decimal to one of the databases.
        let sum = "SELECT CAST(COALESCE(SUM(size), 0) AS SIGNED INTEGER) FROM captures";
        let (all,): (i64,) = sqlx::query_as(sum).fetch_one(&mut *write).await?;
        let gone = keep.excess(&oldest, all.cast_unsigned(), now);
        let Some((last, _)) = gone.checked_sub(1).map(|at| oldest[at]) else { return Ok(0) };
        let delete = sqlx::query("DELETE FROM captures WHERE id <= ?").bind(last.as_bytes().to_vec());
        let gone = delete.execute(&mut *write).await?.rows_affected();
        write.commit().await?;
        Ok(gone)
    }
}

fn impossible(id: String, reason: String) -> Error {
    Error::ImpossibleRow { table: "captures", id, reason }
}
