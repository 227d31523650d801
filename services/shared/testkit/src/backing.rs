//! The durable stores a test runs on.

use grok2api_kit::settings::Mode;

use crate::servers::{MariaDb, RedisServer};

/// Where durable state is: a store that the test has for itself.
pub enum Backing {
    /// SQLite in the data directory; nothing runs.
    File,
    /// A MariaDB, and a Redis for what replicas share while they run.
    MariaDb(MariaDb, RedisServer),
    /// A Redis with everything acknowledged on disk, and 64 databases.
    Redis(RedisServer),
}

impl Backing {
    /// Starts what the mode needs.
    pub fn start(mode: Mode) -> Self {
        let redis = ["--appendonly", "yes", "--appendfsync", "always", "--databases", "64"];
        match mode {
            Mode::File => Self::File,
            Mode::Mysql => Self::MariaDb(MariaDb::start(), RedisServer::start()),
            Mode::Redis => Self::Redis(RedisServer::with(&redis)),
        }
    }

    /// The environment that names it to the product.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let named = |mode: &str, url| vec![("STORAGE_MODE", mode.to_owned()), ("DATABASE_URL", url)];
        match self {
            Self::File => Vec::new(),
            Self::MariaDb(server, redis) => {
                [named("mysql", server.url()), vec![("REDIS_URL", redis.url())]].concat()
            }
            Self::Redis(server) => named("redis", server.url()),
        }
    }

    /// The store's process, for signals.
    pub fn pid(&self) -> u32 {
        match self {
            Self::File => panic!("SQLite has no process of its own"),
            Self::MariaDb(server, _) => server.pid(),
            Self::Redis(server) => server.pid(),
        }
    }

    /// Ends the store at once.
    pub fn kill(&mut self) {
        match self {
            Self::File => {}
            Self::MariaDb(server, _) => server.kill(),
            Self::Redis(server) => server.kill(),
        }
    }

    /// Starts it again where it was.
    pub fn start_again(&mut self) {
        match self {
            Self::File => {}
            Self::MariaDb(server, _) => server.start_again(),
            Self::Redis(server) => server.start_again(),
        }
    }

    /// Ends what replicas share while they run, at once.
    pub fn kill_hot(&mut self) {
        match self {
            Self::File => {}
            Self::MariaDb(_, redis) | Self::Redis(redis) => redis.kill(),
        }
    }

    /// Starts it again where it was.
    pub fn start_hot_again(&mut self) {
        match self {
            Self::File => {}
            Self::MariaDb(_, redis) | Self::Redis(redis) => redis.start_again(),
        }
    }
}
