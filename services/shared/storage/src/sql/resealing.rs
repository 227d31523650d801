//! Which keys seal what, and putting it under the current one. A value is replaced only if it is still the one that was
//! read, so writers side by side lose nothing, and a run that was cut off is simply begun again.

use sqlx::{Decode, Encode, Type};
use uuid::Uuid;

use super::{BEGIN, Db, Pool, Store, accounts::read_check};
use crate::{
    Result,
    bounded::{WHOLE, within},
    resealing::{BATCH, Resealed, Sealed},
    seal::{KeyId, Sealer, hex},
    settings,
};

/// One column of sealed values.
struct Column<K> {
    kind: &'static str,
    count: &'static str,
    /// By key of the row, from a key on, without those of the current sealing key.
    read: &'static str,
    write: &'static str,
    /// Where a row's value belongs.
    place: fn(&K) -> Vec<u8>,
    /// Which row that is, for people.
    name: fn(&K) -> String,
}

/// A key of rows.
trait RowKey:
    Clone + Send + Sync + Unpin + 'static + Type<Db> + for<'q> Encode<'q, Db> + for<'r> Decode<'r, Db>
{
}
impl<K> RowKey for K where
    K: Clone + Send + Sync + Unpin + 'static + Type<Db> + for<'q> Encode<'q, Db> + for<'r> Decode<'r, Db>
{
}

const ACCOUNTS: Column<Vec<u8>> = Column {
    kind: "accounts",
    count: "SELECT SUBSTR(sealed_token, 2, 4), COUNT(*) FROM accounts GROUP BY SUBSTR(sealed_token, 2, 4)",
    read: "SELECT id, sealed_token FROM accounts
        WHERE id > ? AND SUBSTR(sealed_token, 2, 4) <> ? ORDER BY id LIMIT ?",
    write: "UPDATE accounts SET sealed_token = ? WHERE id = ? AND sealed_token = ?",
    place: Vec::clone,
    name: |id| Uuid::from_slice(id).map_or_else(|_| hex(id), |id| id.to_string()),
};
const CAPTURES: Column<Vec<u8>> = Column {
    kind: "captures",
    count: "SELECT SUBSTR(sealed, 2, 4), COUNT(*) FROM captures GROUP BY SUBSTR(sealed, 2, 4)",
    read: "SELECT id, sealed FROM captures WHERE id > ? AND SUBSTR(sealed, 2, 4) <> ? ORDER BY id LIMIT ?",
    write: "UPDATE captures SET sealed = ? WHERE id = ? AND sealed = ?",
    place: Vec::clone,
    name: ACCOUNTS.name,
};
const RESPONSES: Column<Vec<u8>> = Column {
    kind: "responses",
    count: "SELECT SUBSTR(sealed, 2, 4), COUNT(*) FROM responses GROUP BY SUBSTR(sealed, 2, 4)",
    read: "SELECT id, sealed FROM responses WHERE id > ? AND SUBSTR(sealed, 2, 4) <> ? ORDER BY id LIMIT ?",
    write: "UPDATE responses SET sealed = ? WHERE id = ? AND sealed = ?",
    place: Vec::clone,
    name: ACCOUNTS.name,
};
const SETTINGS: Column<i64> = Column {
    kind: "settings_revisions",
    count: "SELECT SUBSTR(overrides, 2, 4), COUNT(*) FROM settings_revisions GROUP BY SUBSTR(overrides, 2, 4)",
    read: "SELECT number, overrides FROM settings_revisions
        WHERE number > ? AND SUBSTR(overrides, 2, 4) <> ? ORDER BY number LIMIT ?",
    write: "UPDATE settings_revisions SET overrides = ? WHERE number = ? AND overrides = ?",
    place: |number| settings::place(number.cast_unsigned()),
    name: i64::to_string,
};

/// Some are of before they were sealed, and begin with another byte.
const VIDEOS: Column<String> = Column {
    kind: "video_jobs",
    count: "SELECT SUBSTR(details, 2, 4), COUNT(*) FROM video_jobs
        WHERE SUBSTR(details, 1, 1) = x'01' GROUP BY SUBSTR(details, 2, 4)",
    // One of the databases keeps ids as bytes.
    read: "SELECT CAST(id AS CHAR), details FROM video_jobs
        WHERE id > ? AND SUBSTR(details, 1, 1) = x'01' AND SUBSTR(details, 2, 4) <> ? ORDER BY id LIMIT ?",
    write: "UPDATE video_jobs SET details = ? WHERE id = ? AND details = ?",
    place: |id| id.as_bytes().to_vec(),
    name: String::clone,
};

impl Store {
    /// How many values of each kind each key seals.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sealed(&self) -> Result<Vec<Sealed>> {
        let check = read_check(&self.pool).await?;
        let check = check.and_then(|sealed| KeyId::of(&sealed));
        let mut all: Vec<Sealed> =
            check.into_iter().map(|key| Sealed { key, kind: "seal_check", values: 1 }).collect();
        for (kind, count) in [
            (ACCOUNTS.kind, ACCOUNTS.count),
            (CAPTURES.kind, CAPTURES.count),
            (RESPONSES.kind, RESPONSES.count),
            (SETTINGS.kind, SETTINGS.count),
            (VIDEOS.kind, VIDEOS.count),
        ] {
            let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(count).fetch_all(&self.pool).await?;
            // What no key can have sealed is damaged, and named when it is read.
            let known = rows.into_iter().filter_map(|(key, values)| {
                Some(Sealed { key: KeyId::from_bytes(&key)?, kind, values: values.cast_unsigned() })
            });
            all.extend(known);
        }
        Ok(all)
    }

    /// The key that sealed the store's check: the newest of all processes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn newest_key(&self) -> Result<Option<KeyId>> {
        Ok(read_check(&self.pool).await?.and_then(|sealed| KeyId::of(&sealed)))
    }

    /// Puts at most `limit` values under the current key, the check first.
    ///
    /// # Errors
    /// [`Error::Seal`](crate::Error::Seal) when a value needs a key that is not at hand.
    pub async fn reseal(&self, sealer: &Sealer, limit: u64) -> Result<Resealed> {
        let mut all = Resealed::default();
        let check = read_check(&self.pool).await?.unwrap_or_default();
        if let Some(fresh) = sealer.rewrap_check(&check)? {
            let update = "UPDATE seal_check SET sealed = ? WHERE sealed = ?";
            sqlx::query(update).bind(fresh).bind(check).execute(&self.pool).await?;
            all.done += 1;
        }
        reseal(&self.pool, sealer, &ACCOUNTS, Vec::new(), limit, &mut all).await?;
        reseal(&self.pool, sealer, &SETTINGS, i64::MIN, limit, &mut all).await?;
        reseal(&self.pool, sealer, &CAPTURES, Vec::new(), limit, &mut all).await?;
        reseal(&self.pool, sealer, &RESPONSES, Vec::new(), limit, &mut all).await?;
        reseal(&self.pool, sealer, &VIDEOS, String::new(), limit, &mut all).await?;
        Ok(all)
    }
}

async fn reseal<K: RowKey>(
    pool: &Pool,
    sealer: &Sealer,
    column: &Column<K>,
    mut after: K,
    limit: u64,
    all: &mut Resealed,
) -> Result<()> {
    while all.done < limit {
        let most = i64::try_from(limit - all.done).unwrap_or(i64::MAX).min(BATCH as i64);
        match within(WHOLE, reseal_some(pool, sealer, column, &after, most, all)).await? {
            Some(last) => after = last,
            None => break,
        }
    }
    Ok(())
}

/// Returns the last key it came to; none at the end.
async fn reseal_some<K: RowKey>(
    pool: &Pool,
    sealer: &Sealer,
    column: &Column<K>,
    after: &K,
    most: i64,
    all: &mut Resealed,
) -> Result<Option<K>> {
    let current = sealer.current().bytes().to_vec();
    let read = sqlx::query(column.read).bind(after.clone()).bind(current).bind(most);
    let rows = read.fetch_all(pool).await?;
    let mut last = None;
    let mut write = pool.begin_with(BEGIN).await?;
    for row in &rows {
        let (key, sealed): (K, Vec<u8>) = (sqlx::Row::try_get(row, 0)?, sqlx::Row::try_get(row, 1)?);
        let name = (column.kind, &*(column.name)(&key));
        if let Some(fresh) = all.rewrap(sealer, name, &(column.place)(&key), &sealed)? {
            let written =
                sqlx::query(column.write).bind(fresh).bind(key.clone()).bind(sealed).execute(&mut *write);
            all.done += written.await?.rows_affected();
        }
        last = Some(key);
    }
    write.commit().await?;
    Ok(last)
}
