//! The `redis` mode's durable store: one Redis with its append-only file on.
//!
//! Every key begins with `{g2a}:`, so all lie in one slot, and what must be seen together is written by one script,
//! which is one step for other clients and for the append-only file. No command on the way of a request looks at more
//! than it answers.

mod accounts;
mod actions;
mod admins;
mod aging;
mod board;
mod budgets;
mod captures;
mod client_keys;
mod documents;
mod idempotency;
mod ledger;
mod media;
mod resealing;
mod responses;
mod sessions;
mod settings;
mod videos;

use std::time::Duration;

use redis::{
    Client, FromRedisValue, IntoConnectionInfo as _, Pipeline, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};
use tokio::time::timeout;

use crate::{
    Error, Migrated, Result,
    bounded::{ANSWER, CONNECT, WHOLE},
    seal::Sealer,
};

/// Grows by one with every change that an older program would not understand.
const FORMAT: i64 = 1;
const FORMAT_KEY: &str = "{g2a}:format";
const SEAL_KEY: &str = "{g2a}:seal_check";
const OPEN: &str = include_str!("redis/scripts/open.lua");
/// How long a ping stays.
const PING: Duration = Duration::from_secs(10);
/// Rows read at once, and rows a script goes through at most before it lets others have their turn.
const BATCH: usize = 500;

/// An open store; clones share its connection.
#[derive(Clone, Debug)]
pub struct Redis {
    connection: ConnectionManager,
    migrated: Migrated,
}

impl Redis {
    /// Connects to `url` (`redis://` or `rediss://`).
    ///
    /// # Errors
    /// [`Error::Redis`], [`Error::Timeout`], [`Error::Newer`].
    pub async fn open(url: &str) -> Result<Self> {
        let opening = async {
            let mut connection = connect(url).await?;
            let found: i64 =
                Script::new(OPEN).key(FORMAT_KEY).arg(FORMAT).invoke_async(&mut connection).await?;
            if found > FORMAT {
                return Err(Error::Newer { found, known: FORMAT });
            }
            warn_of_loss(&mut connection).await;
            Ok(Self { connection, migrated: Migrated { from: found, to: FORMAT } })
        };
        timeout(CONNECT, opening).await.map_err(|_| Error::Timeout(CONNECT))?
    }

    /// Connects to a Redis that is no store, but what replicas share while they run.
    ///
    /// # Errors
    /// [`Error::Redis`], [`Error::Timeout`].
    pub(crate) async fn shared(url: &str) -> Result<Self> {
        let connection = timeout(CONNECT, connect(url)).await.map_err(|_| Error::Timeout(CONNECT))??;
        Ok(Self { connection, migrated: Migrated { from: FORMAT, to: FORMAT } })
    }

    /// What the Redis at `url` is sealed with, if it holds a store; changes nothing.
    pub(crate) async fn look(url: &str) -> Result<Option<Vec<u8>>> {
        let found: (Option<i64>, Option<Vec<u8>>) =
            Self::shared(url).await?.ask(redis::pipe().get(FORMAT_KEY).get(SEAL_KEY)).await?;
        match found {
            (Some(found), _) if found > FORMAT => Err(Error::Newer { found, known: FORMAT }),
            (_, sealed) => Ok(sealed),
        }
    }

    /// What opening the store had to do.
    pub fn migrated(&self) -> Migrated {
        self.migrated
    }

    /// Writes what nobody reads: one that has no memory left for it answers everything else.
    ///
    /// # Errors
    /// When it does not answer, or takes nothing.
    pub async fn ping(&self) -> Result<()> {
        let mut write = redis::cmd("SET");
        write.arg("{g2a}:ping").arg("").arg("PX").arg(PING.as_millis());
        Ok(write.query_async(&mut self.connection.clone()).await?)
    }

    /// Keeps the first key's mark, and refuses another key.
    async fn check(&self, sealer: &Sealer) -> Result<()> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("SET").arg(SEAL_KEY).arg(sealer.check_text()?).arg("NX").ignore().get(SEAL_KEY);
        let (sealed,): (Vec<u8>,) = self.ask(&pipeline).await?;
        sealer.check(&sealed)
    }

    async fn ask<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T> {
        Ok(pipeline.query_async(&mut self.connection.clone()).await?)
    }

    /// Runs a script; `arguments` are texts or bytes.
    async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[&str],
        arguments: &[Vec<u8>],
    ) -> Result<T> {
        let mut call = script.prepare_invoke();
        for key in keys {
            call.key(*key);
        }
        for argument in arguments {
            call.arg(argument);
        }
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }
}

pub(crate) async fn connect(url: &str) -> Result<ConnectionManager> {
    // A peer that is gone without a word is noticed by what it leaves unacknowledged.
    let tcp = TcpSettings::default().set_nodelay(true).set_user_timeout(2 * ANSWER);
    let client = Client::open(url.into_connection_info()?.set_tcp_settings(tcp))?;
    let config = ConnectionManagerConfig::new()
        // Whoever asks next tries again.
        .set_number_of_retries(0)
        .set_connection_timeout(Some(ANSWER))
        // The callers' limits are shorter, save for what adds or reads everything.
        .set_response_timeout(Some(WHOLE));
    Ok(ConnectionManager::new_with_config(client, config).await?)
}

/// Tells the operator of a Redis that forgets. A managed one may not say.
async fn warn_of_loss(connection: &mut ConnectionManager) {
    let info = warn_of_eviction(connection, "accounts").await;
    if info.contains("aof_enabled:0") {
        tracing::warn!("redis: appendonly is off, so a restart of Redis loses accounts and parameters");
    }
}

/// Tells the operator of a Redis that gives up what has no expiry; `what` is lost then. Returns what the server says of
/// itself.
pub async fn warn_of_eviction(connection: &mut ConnectionManager, what: &str) -> String {
    let info: String = redis::cmd("INFO").query_async(connection).await.unwrap_or_default();
    if info.contains("maxmemory_policy:allkeys") {
        tracing::warn!(
            "redis: maxmemory-policy evicts keys without expiry, {what} among them; set noeviction"
        );
    }
    info
}

/// A script that stamps what it writes.
fn stamping(script: &str) -> Script {
    Script::new(&format!("{}{script}", include_str!("redis/scripts/stamp.lua")))
}

fn text(value: impl ToString) -> Vec<u8> {
    value.to_string().into_bytes()
}
