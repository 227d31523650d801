//! Brings the tables up to date, and the little that every database does the same way.

use std::time::Instant;

use sqlx::migrate::{Migrate as _, Migration, MigrationType, Migrator};

use super::{Connection, MIGRATIONS, Store};
use crate::{Error, Migrated, Result, bounded::MIGRATION};

/// sqlx's own name for it; released stores have it.
const TABLE: &str = "_sqlx_migrations";

impl Store {
    /// What opening the store had to do.
    pub fn migrated(&self) -> Migrated {
        self.migrated
    }

    /// Asks the store for nothing.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Finishes what is being written and closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Runs what is missing; the caller keeps other processes out meanwhile.
pub(super) async fn run(connection: &mut Connection) -> Result<Migrated> {
    connection.ensure_migrations_table(TABLE).await?;
    let to = MIGRATIONS.map(|(number, ..)| number).into_iter().max().unwrap_or_default();
    // Those too that were begun and not finished: a newer program has been here.
    let found = newest(connection).await?;
    if found > to {
        return Err(Error::Newer { found, known: to });
    }
    // Of a start that was cut off; MySQL leaves such a mark, and the migration is run again.
    sqlx::query("DELETE FROM _sqlx_migrations WHERE success = FALSE AND version <= ?")
        .bind(to)
        .execute(&mut *connection)
        .await?;
    let from = newest(connection).await?;
    let mut migrator = Migrator::with_migrations(MIGRATIONS.map(migration).to_vec());
    migrator.set_locking(false);
    migrator.run(connection).await?;
    Ok(Migrated { from, to })
}

/// What the store is sealed with; nothing of a store that is yet to be made.
///
/// # Errors
/// [`Error::Newer`], or what the database says.
pub(super) async fn look(connection: &mut Connection) -> Result<Option<Vec<u8>>> {
    let newest = sqlx::query_scalar::<_, Option<i64>>("SELECT MAX(version) FROM _sqlx_migrations");
    let found = if_made(newest.fetch_one(&mut *connection).await)?.flatten().unwrap_or_default();
    let known = MIGRATIONS.map(|(number, ..)| number).into_iter().max().unwrap_or_default();
    if found > known {
        return Err(Error::Newer { found, known });
    }
    let sealed = sqlx::query_scalar::<_, Vec<u8>>("SELECT sealed FROM seal_check");
    Ok(if_made(sealed.fetch_optional(connection).await)?.flatten())
}

/// Nothing when there is no such table.
fn if_made<T>(answer: sqlx::Result<T>) -> Result<Option<T>> {
    let is_missing = |error: &sqlx::Error| {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        // Of SQLite, whose statement is sound otherwise, and of MySQL.
        code.is_some_and(|code| ["1", "42S02"].contains(&code.as_ref()))
    };
    match answer {
        Err(error) if is_missing(&error) => Ok(None),
        answer => Ok(Some(answer?)),
    }
}

/// For a process that waits for another one's migrations since then.
///
/// # Errors
/// [`Error::Migrating`] when that has taken too long.
pub(super) fn still_waiting(begun: Instant) -> Result<()> {
    let waited = begun.elapsed();
    if waited > MIGRATION {
        return Err(Error::Migrating(waited));
    }
    let (waited_s, most) = (waited.as_secs(), MIGRATION.as_secs());
    tracing::warn!(
        waited_s,
        "another process is migrating the store: waiting since {waited_s} s, at most {most} s"
    );
    Ok(())
}

async fn newest(connection: &mut Connection) -> Result<i64> {
    let applied = connection.list_applied_migrations(TABLE).await?;
    Ok(applied.iter().map(|migration| migration.version).max().unwrap_or_default())
}

pub(super) fn migration((number, name, sql): (i64, &'static str, &'static str)) -> Migration {
    Migration::new(number, name.into(), MigrationType::Simple, sqlx::SqlStr::from_static(sql), false)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::super::{Db, MIGRATIONS};

    /// File names of a folder, with what is in them.
    fn folder(database: &str) -> BTreeSet<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let named = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
        files.map(|file| (named(&file), fs::read_to_string(&file).unwrap())).collect()
    }

    #[test]
    fn the_list_is_what_its_folder_holds_and_the_other_folder_has_the_same_numbers() {
        let mine = <Db as sqlx::Database>::NAME.to_lowercase();
        let listed =
            MIGRATIONS.map(|(number, name, text)| (format!("{number:04}_{name}.sql"), text.to_owned()));
        assert!(MIGRATIONS.is_sorted_by(|(one, ..), (next, ..)| one < next), "in the order of their numbers");
        assert_eq!(folder(&mine), listed.into());
        let names =
            |files: BTreeSet<(String, String)>| files.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(folder("sqlite")), names(folder("mysql")));
    }
}
