//! `grok2api keys status|rotate`: the key that seals secrets in the store.

use std::{collections::BTreeMap, time::Duration};

use grok2api_kit::settings::{Mode, Settings};
use grok2api_storage::{
    Damaged, Sealed, Store,
    seal::{KeyId, Sealer},
};

use super::{Failure, say};
use crate::{StartError, store};

/// How long running processes take to learn of a new key, with room: until then they may still seal with the old one.
const LEARNT: Duration = Duration::from_secs(2);
/// How often what they sealed meanwhile is looked for.
const PASSES: usize = 5;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Show the keys at hand, and how many values each seals.
    Status,
    /// Make a new key and put everything under it; begun again, go on with what is not done.
    Rotate,
}

pub(crate) async fn run(settings: &Settings, command: &Command) -> Result<(), Failure> {
    let store = store::open(settings).await?;
    let done = match command {
        Command::Status => status(&store).await,
        Command::Rotate => rotate(&store, settings.storage.mode).await,
    };
    store.close().await;
    done
}

async fn status(store: &Store) -> Result<(), Failure> {
    let sealed = store.sealed().await.map_err(failed)?;
    say(&format!("current key in {}", store.sealer().place()));
    say(&format!("{:<10}{:<14}SEALS", "KEY", "USE"));
    for (number, key) in store.sealer().keys().into_iter().enumerate() {
        let usage = if number == 0 { "current" } else { "opens only" };
        say(&format!("{:<10}{usage:<14}{}", key.to_string(), values(&sealed, key)));
    }
    Ok(())
}

fn values(sealed: &[Sealed], key: KeyId) -> String {
    let mine = sealed.iter().filter(|sealed| sealed.key == key);
    let kinds: Vec<String> = mine.map(|sealed| format!("{} {}", sealed.values, sealed.kind)).collect();
    if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") }
}

/// Values that another key than the current one seals.
async fn left(store: &Store) -> Result<BTreeMap<KeyId, u64>, Failure> {
    let current = store.sealer().current();
    let mut left = BTreeMap::new();
    for sealed in store.sealed().await.map_err(failed)? {
        if sealed.key != current {
            *left.entry(sealed.key).or_default() += sealed.values;
        }
    }
    Ok(left)
}

async fn rotate(store: &Store, mode: Mode) -> Result<(), Failure> {
    let sealer = store.sealer();
    // What an earlier run has left to do comes first.
    let mut resealed = store.reseal(u64::MAX).await.map_err(failed)?;
    if resealed.done == 0 {
        let Some(key) = sealer.make_key().map_err(failed)? else { return Err(by_hand(sealer)) };
        say(&format!("key {key} is made in {}", sealer.place()));
        if mode != Mode::File {
            say(
                "processes that do not share this file need it now: until then they open nothing of what is sealed anew",
            );
        }
        resealed = store.reseal(u64::MAX).await.map_err(failed)?;
    }
    let mut done = resealed.done;
    for _ in 0..PASSES {
        tokio::time::sleep(LEARNT).await;
        resealed = store.reseal(u64::MAX).await.map_err(failed)?;
        done += resealed.done;
        if resealed.done == 0 {
            break;
        }
    }
    say(&format!("{done} values are sealed with key {} now", sealer.current()));
    finish(store, &resealed.damaged).await
}

/// Says what may go, and what may not yet.
async fn finish(store: &Store, damaged: &[Damaged]) -> Result<(), Failure> {
    let mut left = left(store).await?;
    for key in damaged.iter().filter_map(|value| value.key) {
        left.entry(key).and_modify(|values| *values = values.saturating_sub(1));
    }
    if let Some((key, values)) = left.iter().find(|(_, values)| **values > 0) {
        return Err(Failure::Code(
            1,
            format!(
                "{values} values are sealed with key {key} again: a running process does not know the new key; restart \
                 it with the new key, and run this command again"
            ),
        ));
    }
    let sealer = store.sealer();
    for key in sealer.keys().into_iter().skip(1).filter(|key| !left.contains_key(key)) {
        say(&format!(
            "key {key} seals nothing any more: once `grok2api keys status` still says so with every process running, \
             it may be removed from {} or seal.old_keys (G2A_OLD_MASTER_KEYS). Keep it for backups made before now.",
            sealer.place()
        ));
    }
    if damaged.is_empty() { Ok(()) } else { Err(not_resealed(damaged)) }
}

/// What no key opens: the operator has to know, since its key may not go.
fn not_resealed(damaged: &[Damaged]) -> Failure {
    let named: Vec<String> = damaged
        .iter()
        .map(|Damaged { kind, row, key }| {
            let key = key.map_or_else(|| "none".to_owned(), |key| key.to_string());
            format!("{kind} {row} (key {key})")
        })
        .collect();
    Failure::Code(
        1,
        format!(
            "{} values are damaged and were left as they are: {}; their keys must stay at hand until they are gone. A \
             damaged account is whole again when its token is added again, and goes for good a day after `grok2api \
             accounts remove ID`",
            damaged.len(),
            named.join(", ")
        ),
    )
}

/// The key is the operator's: only they can change it.
fn by_hand(sealer: &Sealer) -> Failure {
    let (place, current) = (sealer.place(), sealer.current());
    Failure::Code(
        1,
        format!(
            "everything is sealed with the current key {current}, and that one comes from {place}, so a new one has to \
             be given there:\n\
             1. make a key:  openssl rand -base64 32\n\
             2. add it to seal.old_keys (G2A_OLD_MASTER_KEYS) of every process, and restart them: now all can open it\n\
             3. set it as the current key, put the one there was into seal.old_keys, and restart every process\n\
             4. run this command again with the settings of step 3\n\
             A single process may skip step 2."
        ),
    )
}

fn failed(error: grok2api_storage::Error) -> Failure {
    Failure::Configuration(StartError::one("sealing keys", error))
}
