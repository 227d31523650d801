//! `grok2api migrate`.

use grok2api_kit::settings::Settings;
use grok2api_storage::{Migrated, place};

use super::{Failure, say};
use crate::store;

pub(crate) async fn run(settings: &Settings) -> Result<(), Failure> {
    let store = store::open(settings).await?;
    let place = place(settings);
    let Migrated { from, to } = store.migrated();
    say(&if from == to {
        format!("{place}: up to date at {to}")
    } else {
        format!("{place}: migrated from {from} to {to}")
    });
    store.close().await;
    Ok(())
}
