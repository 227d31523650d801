//! What storage can fail with.

use grok2api_proto as proto;
use sqlx::migrate::MigrateError;

/// `ER_LOCK_WAIT_TIMEOUT`.
const LOCK_WAIT: u16 = 1205;
/// `ER_DISK_FULL` and `ER_RECORD_FILE_FULL`, of a file that cannot grow.
const FULL: [u16; 2] = [1021, 1114];
/// `SQLITE_FULL`, and `SQLITE_IOERR_SHMSIZE`, of the index of its log that cannot grow.
const SQLITE_FULL: [&str; 2] = ["13", "4874"];

/// Result of every storage call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the store, or a fact that stands against the call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store does not answer as it should.
    #[error("the store failed: {0}")]
    Store(sqlx::Error),
    /// Somebody else's session of the database holds what the call needs.
    #[error("a table or row is locked by another session of the database, which does not end")]
    Locked,
    /// There is no room for what was to be written.
    #[error("the disk is full: {0}")]
    Full(sqlx::Error),
    /// Redis does not answer as it should.
    #[error("the store failed: {0}")]
    Redis(redis::RedisError),
    /// The store was not heard of in time.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(std::time::Duration),
    /// Another process does not come to an end with the migrations.
    #[error("another process has been migrating the store for {} s, and does not come to an end", .0.as_secs())]
    Migrating(std::time::Duration),
    /// The store's tables cannot be brought up to this version.
    #[error("the store cannot be migrated: {0}")]
    Migrate(sqlx::migrate::MigrateError),
    /// A later version of this program has used the store.
    #[error(
        "the store has migration {found}, this program knows {known}: use the newer program it was used with"
    )]
    Newer {
        /// The newest migration in the store.
        found: i64,
        /// The newest migration of this program.
        known: i64,
    },
    /// A row that this program cannot have written.
    #[error("impossible row in {table}, {id}: {reason}")]
    ImpossibleRow {
        /// Table name.
        table: &'static str,
        /// Which row.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody else changed it first.
    #[error("expected revision {expected}, found {found}")]
    Conflict {
        /// What the caller had seen.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// Nobody would be left who may do everything.
    #[error("{name:?} is the last owner")]
    LastOwner {
        /// Of the admin.
        name: String,
    },
    /// What must be unique is there already.
    #[error("{what} is taken")]
    Taken {
        /// Which, e.g. `the name "admin"`.
        what: String,
    },
    /// More than the store takes at once.
    #[error("{what} has {bytes} bytes, and the store takes at most {most}")]
    TooLarge {
        /// Which.
        what: String,
        /// Of it.
        bytes: usize,
        /// The store's limit.
        most: usize,
    },
    /// A sealed value cannot be opened with the key at hand.
    #[error("{0}")]
    Seal(String),
    /// A database file is not sound.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The data directory cannot be used.
    #[error("{path}: {source}")]
    Directory {
        /// The path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_lock_wait(&error) {
            Self::Locked
        } else if is_full(&error) {
            Self::Full(error)
        } else {
            Self::Store(error)
        }
    }
}

impl From<MigrateError> for Error {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)
                if is_lock_wait(&source) || is_full(&source) =>
            {
                source.into()
            }
            error => Self::Migrate(error),
        }
    }
}

/// MySQL has waited for a lock as long as its session may.
fn is_lock_wait(error: &sqlx::Error) -> bool {
    mysql_number(error) == Some(LOCK_WAIT)
}

fn is_full(error: &sqlx::Error) -> bool {
    match mysql_number(error) {
        Some(number) => FULL.contains(&number),
        None => {
            let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
            code.is_some_and(|code| SQLITE_FULL.contains(&code.as_ref()))
        }
    }
}

fn mysql_number(error: &sqlx::Error) -> Option<u16> {
    let error = error.as_database_error()?.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?;
    Some(error.number())
}

impl From<redis::RedisError> for Error {
    fn from(error: redis::RedisError) -> Self {
        if error.is_timeout() { Self::Timeout(crate::bounded::ANSWER) } else { Self::Redis(error) }
    }
}

impl From<Error> for proto::Error {
    /// Callers learn that the store is away, or who was first; the details are logged here, where they are known.
    fn from(error: Error) -> Self {
        if let Error::Conflict { expected, found } = error {
            let message = format!("revision {expected} was expected, but {found} is the newest");
            return proto::Error::new(proto::Kind::Conflict, "revision_conflict", message);
        }
        if let Error::Taken { .. } = error {
            return proto::Error::new(proto::Kind::Conflict, "already_exists", error.to_string());
        }
        if let Error::LastOwner { .. } = error {
            let message = format!("{error}; make somebody else one first");
            return proto::Error::new(proto::Kind::Conflict, "last_owner", message);
        }
        if let Error::TooLarge { .. } = error {
            return proto::Error::new(proto::Kind::TooLarge, "too_large_to_store", error.to_string());
        }
        tracing::error!(%error, "storage: {error}");
        proto::Error::new(proto::Kind::Unavailable, "storage_unavailable", "the store is not available")
            .retry_after(std::time::Duration::from_secs(1))
    }
}
