//! The store that the settings name.

use std::sync::Arc;

use grok2api_kit::settings::{Mode, Settings as ProcessSettings, Storage};
use url::Url;

use crate::{
    Error, Resealed, Result, Sealed,
    accounts::Accounts,
    actions::Actions,
    admins::Admins,
    bounded::{ANSWER, Bounds, WHOLE, within},
    budgets::Budgets,
    captures::Captures,
    client_keys::ClientKeys,
    idempotency::{self, Idempotency},
    ledger::Ledger,
    media::MediaIndex,
    mysql::MySql,
    redis::Redis,
    resealing,
    responses::Responses,
    seal::Sealer,
    sessions::Sessions,
    settings::Settings,
    sqlite::Sqlite,
    videos::{SealedJobs, VideoJobs},
};

/// An open store; clones share it.
#[derive(Clone)]
pub struct Store {
    accounts: Arc<dyn Accounts>,
    settings: Arc<dyn Settings>,
    media: Arc<dyn MediaIndex>,
    ledger: Arc<dyn Ledger>,
    captures: Arc<dyn Captures>,
    responses: Arc<dyn Responses>,
    client_keys: Arc<dyn ClientKeys>,
    budgets: Arc<dyn Budgets>,
    admins: Arc<dyn Admins>,
    sessions: Arc<dyn Sessions>,
    actions: Arc<dyn Actions>,
    videos: Arc<dyn VideoJobs>,
    sealer: Sealer,
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
    /// Opens the store that `storage.mode` names, brings it up to date, and checks that the keys at hand open everything
    /// that is sealed in it.
    ///
    /// # Errors
    /// Whatever makes the store unusable; nothing else is tried in its place.
    pub async fn open(settings: &ProcessSettings) -> Result<Self> {
        let sealer = Sealer::load(&settings.seal, &settings.data.dir)?;
        let opened = Self::open_with(settings, sealer.clone()).await;
        if let Err(Error::Seal(_)) = &opened {
            // The store was sealed by somebody else, so nothing is under this key, and left behind it would mislead.
            sealer.discard_made();
        }
        let store = opened?;
        resealing::all_open(&store.sealer, &store.sealed().await?)?;
        Ok(store)
    }

    async fn open_with(settings: &ProcessSettings, sealer: Sealer) -> Result<Self> {
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
            settings: sqlite.settings(sealer.clone()),
            media: sqlite.media(),
            ledger: sqlite.ledger(),
            captures: sqlite.captures(sealer.clone()),
            responses: sqlite.responses(sealer.clone()),
            client_keys: sqlite.client_keys(),
            budgets: sqlite.budgets(),
            admins: sqlite.admins(),
            sessions: sqlite.sessions(),
            actions: sqlite.actions(),
            videos: SealedJobs::over(sqlite.videos(), sealer.clone()),
            sealer,
            behind: Behind::File(sqlite),
        })
    }

    async fn mysql(mysql: MySql, sealer: Sealer) -> Result<Self> {
        let bounds = Bounds::default();
        Ok(Self {
            accounts: bounds.accounts(within(ANSWER, mysql.accounts(sealer.clone())).await?),
            settings: bounds.settings(mysql.settings(sealer.clone())),
            media: bounds.media(mysql.media()),
            ledger: bounds.ledger(mysql.ledger()),
            captures: bounds.captures(mysql.captures(sealer.clone())),
            responses: bounds.responses(mysql.responses(sealer.clone())),
            client_keys: bounds.client_keys(mysql.client_keys()),
            budgets: bounds.budgets(mysql.budgets()),
            admins: bounds.admins(mysql.admins()),
            sessions: bounds.sessions(mysql.sessions()),
            actions: bounds.actions(mysql.actions()),
            videos: SealedJobs::over(bounds.videos(mysql.videos()), sealer.clone()),
            sealer,
            behind: Behind::MySql(mysql),
        })
    }

    async fn redis(redis: Redis, sealer: Sealer) -> Result<Self> {
        let bounds = Bounds::default();
        Ok(Self {
            accounts: bounds.accounts(within(ANSWER, redis.accounts(sealer.clone())).await?),
            settings: bounds.settings(redis.settings(sealer.clone())),
            media: bounds.media(redis.media()),
            ledger: bounds.ledger(redis.ledger()),
            captures: bounds.captures(redis.captures(sealer.clone())),
            responses: bounds.responses(redis.responses(sealer.clone())),
            client_keys: bounds.client_keys(redis.client_keys()),
            budgets: bounds.budgets(redis.budgets()),
            admins: bounds.admins(redis.admins()),
            sessions: bounds.sessions(redis.sessions()),
            actions: bounds.actions(redis.actions()),
            videos: SealedJobs::over(bounds.videos(redis.videos()), sealer.clone()),
            sealer,
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

    /// The usage ledger.
    pub fn ledger(&self) -> Arc<dyn Ledger> {
        self.ledger.clone()
    }

    /// Bodies of requests and answers.
    pub fn captures(&self) -> Arc<dyn Captures> {
        self.captures.clone()
    }

    /// Responses that clients may come back to.
    pub fn responses(&self) -> Arc<dyn Responses> {
        self.responses.clone()
    }

    /// The keys of the API's clients.
    pub fn client_keys(&self) -> Arc<dyn ClientKeys> {
        self.client_keys.clone()
    }

    /// What the API's clients have used up.
    pub fn budgets(&self) -> Arc<dyn Budgets> {
        self.budgets.clone()
    }

    /// Those who may use the console.
    pub fn admins(&self) -> Arc<dyn Admins> {
        self.admins.clone()
    }

    /// Sessions of the console.
    pub fn sessions(&self) -> Arc<dyn Sessions> {
        self.sessions.clone()
    }

    /// What admins did.
    pub fn actions(&self) -> Arc<dyn Actions> {
        self.actions.clone()
    }

    /// The videos that clients asked for.
    pub fn videos(&self) -> Arc<dyn VideoJobs> {
        self.videos.clone()
    }

    /// Requests that must not be done twice: in what replicas share while they run, else in the memory of this process.
    ///
    /// # Errors
    /// When there is a Redis for it that cannot be reached.
    pub async fn idempotency(&self, settings: &Storage) -> Result<Arc<dyn Idempotency>> {
        let redis = match (settings.hot_url(), &self.behind) {
            (None, _) => return Ok(Arc::new(idempotency::Memory::default())),
            (Some(url), Behind::Redis(redis)) if url == settings.url => redis.clone(),
            (Some(url), _) => Redis::shared(url).await?,
        };
        // Nothing that is followed comes from there.
        Ok(Bounds::default().idempotency(redis.idempotency(self.sealer.clone())))
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

    /// What seals the store's secrets.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// How many values of each kind each key seals.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sealed(&self) -> Result<Vec<Sealed>> {
        within(WHOLE, async {
            match &self.behind {
                Behind::File(sqlite) => sqlite.sealed().await,
                Behind::MySql(mysql) => mysql.sealed().await,
                Behind::Redis(redis) => redis.sealed().await,
            }
        })
        .await
    }

    /// Puts at most `limit` values under the current key, the check first, by which other processes learn of the key.
    /// Fewer than `limit` when all are done, save those that are damaged. It may be cut off and begun again, beside any
    /// writers.
    ///
    /// # Errors
    /// [`Error::Seal`](crate::Error::Seal) when a value needs a key that is not at hand.
    pub async fn reseal(&self, limit: u64) -> Result<Resealed> {
        match &self.behind {
            Behind::File(sqlite) => sqlite.reseal(&self.sealer, limit).await,
            Behind::MySql(mysql) => mysql.reseal(&self.sealer, limit).await,
            Behind::Redis(redis) => redis.reseal(&self.sealer, limit).await,
        }
    }

    /// Looks whether another process has changed the sealing key, and takes the new one if it is to be found.
    ///
    /// # Errors
    /// [`Error::Seal`](crate::Error::Seal) when it is not: values that others seal do not open here.
    pub async fn follow_key(&self) -> Result<()> {
        let newest = within(ANSWER, async {
            match &self.behind {
                Behind::File(sqlite) => sqlite.newest_key().await,
                Behind::MySql(mysql) => mysql.newest_key().await,
                Behind::Redis(redis) => redis.newest_key().await,
            }
        });
        match newest.await? {
            Some(key) => self.sealer.follow(key),
            None => Ok(()),
        }
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

/// A store's address without its password, for errors.
pub fn masked(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return "an address that cannot be read".to_owned() };
    // A password that was not written as an address wants it ends too early for the parser.
    if url.path().contains('@') {
        return format!("{}://… (in a password, @ is written %40, / %2F and % %25)", url.scheme());
    }
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
        assert_eq!(masked("no address with:secret@in"), "an address that cannot be read");
        for unescaped in ["mysql://g2a:se@cr/et@db:3306/grok2api", "redis://:se@cr/et@cache/0"] {
            let masked = masked(unescaped);
            assert!(!masked.contains("cr") && !masked.contains("se@") && masked.contains("%40"), "{masked}");
        }
    }
}
