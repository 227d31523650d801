//! [`Admins`] in SQL.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Executor, Row as _, Transaction};
use uuid::Uuid;

use super::{BEGIN, Db, LOCKING, Pool, Row, Store, accounts::is_taken, columns};
use crate::{
    Error, Result,
    admins::{Admin, Admins, Role, impossible},
};

const LIST: &str = "SELECT * FROM admins ORDER BY name";
const GET: &str = "SELECT * FROM admins WHERE id = ?";
const FIND: &str = "SELECT * FROM admins WHERE name = ?";
const INSERT: &str = "INSERT INTO admins
    (name, role, password_hash, last_login_at, disabled, must_change, id, created_at, version)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)";
const UPDATE: &str = "UPDATE admins
    SET name = ?, role = ?, password_hash = ?, last_login_at = ?, disabled = ?, must_change = ?,
    version = version + 1
    WHERE id = ? AND version = ?";

struct SqlAdmins {
    pool: Pool,
}

impl Store {
    /// Those who may use the console.
    pub fn admins(&self) -> Arc<dyn Admins> {
        Arc::new(SqlAdmins { pool: self.pool.clone() })
    }
}

#[async_trait]
impl Admins for SqlAdmins {
    async fn list(&self) -> Result<Vec<Admin>> {
        let rows = sqlx::query(LIST).fetch_all(&self.pool).await?;
        rows.iter().map(open).collect()
    }

    async fn get(&self, id: Uuid) -> Result<Option<Admin>> {
        let row = sqlx::query(GET).bind(&id.as_bytes()[..]).fetch_optional(&self.pool).await?;
        row.as_ref().map(open).transpose()
    }

    async fn find(&self, name: &str) -> Result<Option<Admin>> {
        let row = sqlx::query(FIND).bind(name).fetch_optional(&self.pool).await?;
        row.as_ref().map(open).transpose()
    }

    async fn insert(&self, admin: &Admin) -> Result<()> {
        Self::write(INSERT, admin, admin.created_at, &self.pool).await.map(drop)
    }

    async fn update(&self, admin: &Admin) -> Result<u64> {
        let mut write = self.pool.begin_with(BEGIN).await?;
        if !admin.rules() {
            keeps_an_owner(&mut write, admin).await?;
        }
        if Self::write(UPDATE, admin, admin.version.cast_signed(), &mut *write).await? {
            write.commit().await?;
            return Ok(admin.version + 1);
        }
        drop(write);
        let found = self.get(admin.id).await?.map_or(0, |admin| admin.version);
        Err(Error::Conflict { expected: admin.version, found })
    }
}

impl SqlAdmins {
    /// Both statements take the same values up to the last. Returns whether a row was written.
    async fn write(
        statement: &'static str,
        admin: &Admin,
        last: i64,
        to: impl Executor<'_, Database = Db>,
    ) -> Result<bool> {
        let done = sqlx::query(statement)
            .bind(&admin.name)
            .bind(admin.role.name())
            .bind(&admin.password_hash)
            .bind(admin.last_login_at)
            .bind(admin.disabled)
            .bind(admin.must_change)
            .bind(&admin.id.as_bytes()[..])
            .bind(last)
            .execute(to)
            .await;
        match done {
            Err(error) if is_taken(&error) => {
                Err(Error::Taken { what: format!("the name {:?}", admin.name) })
            }
            done => Ok(done?.rows_affected() == 1),
        }
    }
}

/// Refuses what would leave no owner. The owners stay locked until the change is written, so two of them cannot step down
/// for each other's sake.
async fn keeps_an_owner(write: &mut Transaction<'static, Db>, admin: &Admin) -> Result<()> {
    let owners = format!("SELECT id FROM admins WHERE role = 'owner' AND disabled = 0 ORDER BY id{LOCKING}");
    let owners: Vec<(Vec<u8>,)> = sqlx::query_as(AssertSqlSafe(owners)).fetch_all(&mut **write).await?;
    match &owners[..] {
        [(only,)] if only[..] == admin.id.as_bytes()[..] => {
            Err(Error::LastOwner { name: admin.name.clone() })
        }
        _ => Ok(()),
    }
}

fn open(row: &Row) -> Result<Admin> {
    let id = columns::id(row, "id", impossible)?;
    let wrong = |reason: String| impossible(id, reason);
    let role: String = row.try_get("role")?;
    Ok(Admin {
        id,
        name: columns::text(row, "name", wrong)?,
        role: Role::of(&role).ok_or_else(|| wrong(format!("unknown role {role:?}")))?,
        password_hash: row.try_get("password_hash")?,
        created_at: row.try_get("created_at")?,
        last_login_at: row.try_get("last_login_at")?,
        disabled: row.try_get("disabled")?,
        must_change: row.try_get("must_change")?,
        version: columns::unsigned(row, "version", wrong)?,
    })
}
