//! The durable stores a test runs on.

use grok2api_kit::settings::Mode;

use crate::servers::{MariaDb, RedisServer};

/// Where durable state is: a store that the test has for itself.
pub enum Backing {
    /// SQLite in the data directory; nothing runs.
    File,
    /// A MariaDB.
    MariaDb(MariaDb),
    /// A Redis with everything acknowledged on disk, and 64 databases.
    Redis(RedisServer),
}

impl Backing {
    /// Starts what the mode needs.
    pub fn start(mode: Mode) -> Self {
        let redis = ["--appendonly", "yes", "--appendfsync", "always", "--databases", "64"];
        match mode {
            Mode::File => Self::File,
            Mode::Mysql => Self::MariaDb(MariaDb::start()),
            Mode::Redis => Self::Redis(RedisServer::with(&redis)),
        }
    }

    /// The environment that names it to the product.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let (mode, url) = match self {
            Self::File => return Vec::new(),
            Self::MariaDb(server) => ("mysql", server.url()),
            Self::Redis(server) => ("redis", server.url()),
        };
        vec![("STORAGE_MODE", mode.to_owned()), ("DATABASE_URL", url)]
    }

    /// The server's process, for signals.
    pub fn pid(&self) -> u32 {
        match self {
            Self::File => panic!("SQLite has no process of its own"),
            Self::MariaDb(server) => server.pid(),
            Self::Redis(server) => server.pid(),
        }
    }

    /// Ends the server at once.
    pub fn kill(&mut self) {
        match self {
            Self::File => {}
            Self::MariaDb(server) => server.kill(),
            Self::Redis(server) => server.kill(),
        }
    }

    /// Starts it again where it was.
    pub fn start_again(&mut self) {
        match self {
            Self::File => {}
            Self::MariaDb(server) => server.start_again(),
            Self::Redis(server) => server.start_again(),
        }
    }
}
