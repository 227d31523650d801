//! The store that the settings name.

use std::sync::Arc;

use grok2api_kit::settings::{Mode, Settings as ProcessSettings};
use url::Url;

use crate::{
    Result,
    accounts::Accounts,
    bounded::{self, ANSWER, within},
    media::MediaIndex,
    mysql::MySql,
    redis::Redis,
    seal::Sealer,
    settings::Settings,
    sqlite::Sqlite,
    videos::VideoJobs,
};

/// An open store; clones share it.
#[derive(Clone)]
pub struct Store {
    accounts: Arc<dyn Accounts>,
    settings: Arc<dyn Settings>,
    media: Arc<dyn MediaIndex>,
    videos: Arc<dyn VideoJobs>,
    behind: Behind,
}

#[derive(Clone)]
enum Behind {
    File(Sqlite),
    MySql(MySql),
    Redis(Redis),
}

/// Which number the store was at when it was opened, and which it is at now; 0 for a new store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Before.
    pub from: i64,
    /// Now.
    pub to: i64,
}

impl Store {
    /// Opens the store that `storage.mode` names, brings it up to date, and checks that the sealing key is its own.
    ///
    /// # Errors
    /// Whatever makes the store unusable; nothing else is tried in its place.
    pub async fn open(settings: &ProcessSettings) -> Result<Self> {
        let sealer = Sealer::load(&settings.seal, &settings.data.dir)?;
        let url = &settings.storage.url;
        match settings.storage.mode {
            Mode::File => Self::file(Sqlite::open(&settings.data.dir).await?, sealer).await,
            Mode::Mysql => Self::mysql(MySql::open(url).await?, sealer).await,
            Mode::Redis => Self::redis(Redis::open(url).await?, sealer).await,
        }
    }

    async fn file(sqlite: Sqlite, sealer: Sealer) -> Result<Self> {
        Ok(Self {
            accounts: sqlite.accounts(sealer.clone()).await?,
            settings: sqlite.settings(sealer),
            media: sqlite.media(),
            videos: sqlite.videos(),
            behind: Behind::File(sqlite),
        })
    }

    async fn mysql(mysql: MySql, sealer: Sealer) -> Result<Self> {
        Ok(Self {
            accounts: bounded::accounts(within(ANSWER, mysql.accounts(sealer.clone())).await?),
            settings: bounded::settings(mysql.settings(sealer)),
            media: bounded::media(mysql.media()),
            videos: bounded::videos(mysql.videos()),
            behind: Behind::MySql(mysql),
        })
    }

    async fn redis(redis: Redis, sealer: Sealer) -> Result<Self> {
        Ok(Self {
            accounts: bounded::accounts(within(ANSWER, redis.accounts(sealer.clone())).await?),
            settings: bounded::settings(redis.settings(sealer)),
            media: bounded::media(redis.media()),
            videos: bounded::videos(redis.videos()),
            behind: Behind::Redis(redis),
        })
    }

    /// The accounts.
    pub fn accounts(&self) -> Arc<dyn Accounts> {
        self.accounts.clone()
    }

    /// The runtime configuration's revisions.
    pub fn settings(&self) -> Arc<dyn Settings> {
        self.settings.clone()
    }

    /// The index of the media cache.
    pub fn media(&self) -> Arc<dyn MediaIndex> {
        self.media.clone()
    }

    /// The videos that clients asked for.
    pub fn videos(&self) -> Arc<dyn VideoJobs> {
        self.videos.clone()
    }

    /// What opening the store had to do.
    pub fn migrated(&self) -> Migrated {
        match &self.behind {
            Behind::File(sqlite) => sqlite.migrated(),
            Behind::MySql(mysql) => mysql.migrated(),
            Behind::Redis(redis) => redis.migrated(),
        }
    }

    /// Asks the store for nothing, to see whether it answers.
    ///
    /// # Errors
    /// When it does not within a few seconds.
    pub async fn ping(&self) -> Result<()> {
        within(ANSWER, async {
            match &self.behind {
                Behind::File(sqlite) => sqlite.ping().await,
                Behind::MySql(mysql) => mysql.ping().await,
                Behind::Redis(redis) => redis.ping().await,
            }
        })
        .await
    }

    /// Finishes what is being written and closes the connections.
    pub async fn close(&self) {
        match &self.behind {
            Behind::File(sqlite) => sqlite.close().await,
            Behind::MySql(mysql) => mysql.close().await,
            // Its connection ends with the last clone, and every call has waited for its answer.
            Behind::Redis(_) => {}
        }
    }
}

/// Which store the settings name, and where, for people: without passwords.
pub fn place(settings: &ProcessSettings) -> String {
    match settings.storage.mode {
        Mode::File => format!("data directory {}", settings.data.dir.display()),
        Mode::Mysql | Mode::Redis => masked(&settings.storage.url),
    }
}

fn masked(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return "storage.url".to_owned() };
    url.set_query(None);
    if url.password().is_some() {
        // Refused only for addresses without a host, which have no password.
        url.set_password(Some("…")).ok();
    }
    url.to_string().replace("%E2%80%A6", "…")
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_masked_address_says_where_and_keeps_its_secrets() {
        assert_eq!(masked("mysql://g2a:p%40ss@db:3306/grok2api?ssl-key=x"), "mysql://g2a:…@db:3306/grok2api");
        assert_eq!(masked("redis://:secret@cache/1"), "redis://:…@cache/1");
        assert_eq!(masked("no address with:secret@in"), "storage.url");
    }
}
