//! Models, keys, accounts and endpoints by number.

use std::collections::{BTreeSet, HashMap};

use sqlx::{QueryBuilder, Row as _};
use tokio::sync::RwLock;

use super::super::{Db, IGNORING, Pool};
use crate::{
    Result,
    ledger::{Dimension, Row},
};

/// What a name is of; kept by these numbers, those of [`Dimension`] among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Model = 1,
    ClientKey = 2,
    Account = 3,
    Endpoint = 4,
}

/// The numbers this process has met; they never change.
#[derive(Default)]
pub(super) struct Names(RwLock<HashMap<(Kind, String), i64>>);

const CHUNK: usize = 200;

impl Kind {
    pub(super) fn of(dimension: Dimension) -> Option<Self> {
        match dimension {
            Dimension::All => None,
            Dimension::Model => Some(Self::Model),
            Dimension::ClientKey => Some(Self::ClientKey),
            Dimension::Account => Some(Self::Account),
        }
    }
}

/// The row's names.
fn names(row: &Row) -> [(Kind, &str); 4] {
    [
        (Kind::Model, &row.model),
        (Kind::ClientKey, &row.client_key),
        (Kind::Account, row.account()),
        (Kind::Endpoint, &row.endpoint),
    ]
}

impl Names {
    /// Gives every name of the rows a number. Outside of the rows' transaction: a number is true in any case.
    pub(super) async fn learn(&self, pool: &Pool, rows: &[Row]) -> Result<()> {
        let mut missing = BTreeSet::new();
        {
            let known = self.0.read().await;
            for (kind, name) in rows.iter().flat_map(names) {
                let name = (kind, name.to_owned());
                if !known.contains_key(&name) {
                    missing.insert(name);
                }
            }
        }
        let missing: Vec<(Kind, String)> = missing.into_iter().collect();
        for chunk in missing.chunks(CHUNK) {
            let mut insert = QueryBuilder::<Db>::new(IGNORING);
            insert.push(" INTO ledger_names (kind, name) ");
            insert.push_values(chunk, |mut values, (kind, name)| {
                values.push_bind(*kind as i64).push_bind(name.clone());
            });
            insert.build().persistent(false).execute(pool).await?;
            for (kind, name) in chunk {
                self.find(pool, *kind, name).await?;
            }
        }
        Ok(())
    }

    /// The number of a name, if it has one.
    pub(super) async fn find(&self, pool: &Pool, kind: Kind, name: &str) -> Result<Option<i64>> {
        if let Some(number) = self.number(kind, name).await {
            return Ok(Some(number));
        }
        let found: Option<(i64,)> =
            sqlx::query_as("SELECT CAST(id AS SIGNED) FROM ledger_names WHERE kind = ? AND name = ?")
                .bind(kind as i64)
                .bind(name)
                .fetch_optional(pool)
                .await?;
        if let Some((number,)) = found {
            self.0.write().await.insert((kind, name.to_owned()), number);
        }
        Ok(found.map(|(number,)| number))
    }

    /// The number of a name that was met.
    pub(super) async fn number(&self, kind: Kind, name: &str) -> Option<i64> {
        self.0.read().await.get(&(kind, name.to_owned())).copied()
    }

    /// The numbers of a row's names, in the order model, key, account, endpoint.
    pub(super) async fn numbers(&self, row: &Row) -> [i64; 4] {
        let known = self.0.read().await;
        names(row).map(|(kind, name)| known.get(&(kind, name.to_owned())).copied().unwrap_or_default())
    }

    /// The names of numbers.
    pub(super) async fn told(&self, pool: &Pool, numbers: &[i64]) -> Result<HashMap<i64, String>> {
        let mut select =
            QueryBuilder::<Db>::new("SELECT CAST(id AS SIGNED) AS id, name FROM ledger_names WHERE id IN (");
        let mut ids = select.separated(", ");
        numbers.iter().for_each(|number| {
            ids.push_bind(*number);
        });
        select.push(")");
        let rows = select.build().persistent(false).fetch_all(pool).await?;
        let name = |row: &super::super::Row| -> Result<(i64, String)> {
            let name: Vec<u8> = row.try_get("name")?;
            Ok((row.try_get("id")?, String::from_utf8_lossy(&name).into_owned()))
        };
        rows.iter().map(name).collect()
    }
}
