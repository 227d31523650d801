//! [`Actions`] in SQL.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Row as _;
use uuid::Uuid;

use super::{Connection, Pool, Row, Store, columns};
use crate::{
    Result,
    actions::{Action, Actions, impossible},
};

const APPEND: &str =
    "INSERT INTO actions (id, at, actor, what, target, was, became) VALUES (?, ?, ?, ?, ?, ?, ?)";
const PAGE: &str = "SELECT * FROM actions WHERE id < ? ORDER BY id DESC LIMIT ?";

struct SqlActions {
    pool: Pool,
}

impl Store {
    /// What admins did.
    pub fn actions(&self) -> Arc<dyn Actions> {
        Arc::new(SqlActions { pool: self.pool.clone() })
    }
}

#[async_trait]
impl Actions for SqlActions {
    async fn append(&self, action: &Action) -> Result<()> {
        append(&mut *self.pool.acquire().await?, action).await
    }

    async fn page(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Action>> {
        // No UUIDv7 is the greatest of all.
        let before = before.unwrap_or(Uuid::max());
        let rows = sqlx::query(PAGE).bind(&before.as_bytes()[..]).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(open).collect()
    }
}

/// Adds an action, with whatever else is written in the transaction.
pub(super) async fn append(write: &mut Connection, action: &Action) -> Result<()> {
    sqlx::query(APPEND)
        .bind(&action.id.as_bytes()[..])
        .bind(action.at)
        .bind(&action.actor)
        .bind(&action.what)
        .bind(&action.target)
        .bind(action.before.to_string())
        .bind(action.after.to_string())
        .execute(write)
        .await?;
    Ok(())
}

fn open(row: &Row) -> Result<Action> {
    let id = columns::id(row, "id", impossible)?;
    let wrong = |reason: String| impossible(id, reason);
    Ok(Action {
        id,
        at: row.try_get("at")?,
        actor: row.try_get("actor")?,
        what: row.try_get("what")?,
        target: row.try_get("target")?,
        before: columns::json(row, "was", wrong)?,
        after: columns::json(row, "became", wrong)?,
    })
}
