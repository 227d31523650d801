//! Looks at a store and changes nothing: a start that must fail anyway tells what is wrong with the store as well, and
//! does not migrate it.

use grok2api_kit::settings::{Mode, Settings};

use crate::{
    Error, Result,
    bounded::{CONNECT, within},
    mysql::MySql,
    redis::Redis,
    seal::Sealer,
    sqlite::Sqlite,
};

/// Whether the store that the settings name can be reached, is none of a newer program, and was sealed with the key at
/// hand.
///
/// # Errors
/// What stands against it, as [`Store::open`](crate::Store::open) would say it.
pub async fn probe(settings: &Settings) -> Result<()> {
    let sealer = Sealer::peek(&settings.seal, &settings.data.dir)?;
    let url = &settings.storage.url;
    let sealed = within(CONNECT, async {
        match settings.storage.mode {
            Mode::File => Sqlite::look(&settings.data.dir).await,
            Mode::Mysql => MySql::look(url).await,
            Mode::Redis => Redis::look(url).await,
        }
    });
    match (sealer, sealed.await?) {
        (_, None) => Ok(()),
        (Some(sealer), Some(sealed)) => sealer.check(&sealed),
        (None, Some(_)) => {
            Err(Error::Seal(format!("it is sealed, but there is no key in {}", settings.data.dir.display())))
        }
    }
}

/// Whether the Redis of what replicas share while they run answers.
///
/// # Errors
/// When it does not.
pub async fn reach_shared(url: &str) -> Result<()> {
    within(CONNECT, async { Redis::shared(url).await?.ping().await }).await
}
