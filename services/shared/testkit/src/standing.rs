//! A service's contract holds however the service is reached, and whatever store its state is in.

use grok2api_kit::settings::{Mode, Settings};
use tempfile::TempDir;

use crate::{backing::Backing, reach::Reach};

/// 32 bytes 7.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// How a contract suite reaches its service, and what store stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The trait object itself, on SQLite.
    Direct,
    /// Through protobuf, on SQLite.
    Wired,
    /// Over a socket, on SQLite.
    Tcp,
    /// Over a socket, on MariaDB.
    TcpMariaDb,
    /// Over a socket, on Redis.
    TcpRedis,
}

/// An empty store, and the settings that name it.
pub struct Standing {
    /// As a process loads them.
    pub settings: Settings,
    /// What the store runs on.
    pub backing: Backing,
    _data: TempDir,
}

impl Ground {
    /// How the service is reached.
    pub fn reach(self) -> Reach {
        match self {
            Self::Direct => Reach::Direct,
            Self::Wired => Reach::Wired,
            Self::Tcp | Self::TcpMariaDb | Self::TcpRedis => Reach::Tcp,
        }
    }

    /// What the store is.
    pub fn mode(self) -> Mode {
        match self {
            Self::Direct | Self::Wired | Self::Tcp => Mode::File,
            Self::TcpMariaDb => Mode::Mysql,
            Self::TcpRedis => Mode::Redis,
        }
    }

    /// An empty store for it.
    pub fn store(self) -> Standing {
        Standing::start(self.mode())
    }
}

impl Standing {
    /// Starts what the mode needs.
    pub fn start(mode: Mode) -> Self {
        let (backing, data) = (Backing::start(mode), tempfile::tempdir().expect("a temporary directory"));
        let given = [("G2A_DATA_DIR", data.path().display().to_string()), ("G2A_MASTER_KEY", KEY.to_owned())];
        let given = given.into_iter().chain(backing.environment());
        let settings = Settings::load(None, given.map(|(name, value)| (name.to_owned(), value)));
        Self { settings: settings.expect("valid settings"), backing, _data: data }
    }
}
