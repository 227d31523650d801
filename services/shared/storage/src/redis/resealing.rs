//! Which keys seal what, and putting it under the current one. A value is replaced only if it is still the one that was
//! read, so writers side by side lose nothing, and a run that was cut off is simply begun again.

use std::{collections::BTreeMap, sync::LazyLock};

use redis::Script;

use super::{Redis, SEAL_KEY, accounts, aging::Keys, captures, responses, settings, text, videos};
use crate::{
    Result,
    resealing::{BATCH, Resealed, Sealed},
    seal::{KeyId, Sealer},
};

static RESEAL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/reseal.lua")));

/// Kinds of values that go when they are old.
const AGING: [Keys; 2] = [captures::KEYS, responses::KEYS];

/// A sealed value, and where it stands.
struct Value {
    kind: &'static str,
    /// Which of its kind, for people.
    row: String,
    key: String,
    field: &'static str,
    /// Where it belongs.
    place: Vec<u8>,
    sealed: Vec<u8>,
}

impl Redis {
    /// How many values of each kind each key seals.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sealed(&self) -> Result<Vec<Sealed>> {
        let mut counts: BTreeMap<(&'static str, KeyId), u64> = BTreeMap::new();
        let check = self.newest_key().await?;
        counts.extend(check.map(|key| (("seal_check", key), 1)));
        let mut count = |values: Vec<Value>| {
            // What no key can have sealed is damaged, and named when it is read.
            for (kind, key) in values.iter().filter_map(|value| Some((value.kind, KeyId::of(&value.sealed)?)))
            {
                *counts.entry((kind, key)).or_default() += 1;
            }
        };
        for ids in self.account_ids().await?.chunks(super::BATCH) {
            count(self.account_values(ids).await?);
        }
        for numbers in self.revisions().await?.chunks(super::BATCH) {
            count(self.revision_values(numbers).await?);
        }
        for keys in AGING {
            for ids in self.aging_ids(keys).await?.chunks(BATCH) {
                count(self.aging_values(keys, ids).await?);
            }
        }
        for ids in self.video_ids().await?.chunks(BATCH) {
            count(self.video_values(ids).await?);
        }
        Ok(counts.into_iter().map(|((kind, key), values)| Sealed { key, kind, values }).collect())
    }

    /// The key that sealed the store's check: the newest of all processes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn newest_key(&self) -> Result<Option<KeyId>> {
        Ok(self.read_check().await?.and_then(|sealed| KeyId::of(&sealed)))
    }

    /// Puts at most `limit` values under the current key, the check first.
    ///
    /// # Errors
    /// [`Error::Seal`](crate::Error::Seal) when a value needs a key that is not at hand.
    pub async fn reseal(&self, sealer: &Sealer, limit: u64) -> Result<Resealed> {
        let mut all = Resealed::default();
        let check = self.read_check().await?.unwrap_or_default();
        if let Some(fresh) = sealer.rewrap_check(&check)? {
            all.done += u64::from(self.replace(SEAL_KEY, "", check, fresh).await?);
        }
        for ids in self.account_ids().await?.chunks(BATCH) {
            self.rewrap(sealer, self.account_values(ids).await?, limit, &mut all).await?;
        }
        for numbers in self.revisions().await?.chunks(BATCH) {
            self.rewrap(sealer, self.revision_values(numbers).await?, limit, &mut all).await?;
        }
        for keys in AGING {
            for ids in self.aging_ids(keys).await?.chunks(BATCH) {
                self.rewrap(sealer, self.aging_values(keys, ids).await?, limit, &mut all).await?;
            }
        }
        for ids in self.video_ids().await?.chunks(BATCH) {
            self.rewrap(sealer, self.video_values(ids).await?, limit, &mut all).await?;
        }
        Ok(all)
    }

    async fn read_check(&self) -> Result<Option<Vec<u8>>> {
        let (sealed,): (Option<Vec<u8>>,) = self.ask(redis::pipe().get(SEAL_KEY)).await?;
        Ok(sealed)
    }

    async fn rewrap(
        &self,
        sealer: &Sealer,
        values: Vec<Value>,
        limit: u64,
        all: &mut Resealed,
    ) -> Result<()> {
        for value in values {
            if all.done >= limit {
                break;
            }
            let name = (value.kind, &*value.row);
            if let Some(fresh) = all.rewrap(sealer, name, &value.place, &value.sealed)? {
                all.done += u64::from(self.replace(&value.key, value.field, value.sealed, fresh).await?);
            }
        }
        Ok(())
    }

    async fn replace(&self, key: &str, field: &str, old: Vec<u8>, new: Vec<u8>) -> Result<bool> {
        self.run(&RESEAL, &[key], &[text(field), old, new]).await
    }

    async fn account_ids(&self) -> Result<Vec<String>> {
        let (ids,): (Vec<String>,) = self.ask(redis::pipe().zrange(accounts::CHANGED, 0, -1)).await?;
        Ok(ids)
    }

    async fn aging_ids(&self, keys: Keys) -> Result<Vec<String>> {
        let (ids,): (Vec<String>,) = self.ask(redis::pipe().zrange(keys.ids, 0, -1)).await?;
        Ok(ids)
    }

    async fn video_ids(&self) -> Result<Vec<String>> {
        let (open, ended): (Vec<String>, Vec<String>) =
            self.ask(redis::pipe().zrange(videos::OPEN, 0, -1).zrange(videos::ENDED, 0, -1)).await?;
        Ok([open, ended].concat())
    }

    async fn revisions(&self) -> Result<Vec<u64>> {
        let (newest,): (Option<u64>,) = self.ask(redis::pipe().get(settings::NEWEST)).await?;
        Ok((1..=newest.unwrap_or_default()).collect())
    }

    async fn account_values(&self, ids: &[String]) -> Result<Vec<Value>> {
        let places = ids.iter().map(|id| {
            // An id that is none is named when the account is read.
            let place = uuid::Uuid::parse_str(id).unwrap_or_default().as_bytes().to_vec();
            (id.clone(), format!("{}{id}", accounts::ACCOUNT), place)
        });
        self.values("accounts", "sealed", places.collect()).await
    }

    async fn revision_values(&self, numbers: &[u64]) -> Result<Vec<Value>> {
        let places = numbers
            .iter()
            .map(|number| (number.to_string(), settings::key(*number), crate::settings::place(*number)));
        self.values("settings_revisions", "overrides", places.collect()).await
    }

    async fn aging_values(&self, keys: Keys, ids: &[String]) -> Result<Vec<Value>> {
        let mut read = redis::pipe();
        for id in ids {
            read.get(keys.key(id));
        }
        let found: Vec<Option<Vec<u8>>> = self.ask(&read).await?;
        let values = ids.iter().zip(found).filter_map(|(id, sealed)| {
            let place = uuid::Uuid::parse_str(id).unwrap_or_default().as_bytes().to_vec();
            let key = keys.key(id);
            Some(Value { kind: keys.kind, row: id.clone(), key, field: "", place, sealed: sealed? })
        });
        Ok(values.collect())
    }

    async fn video_values(&self, ids: &[String]) -> Result<Vec<Value>> {
        let places = ids.iter().map(|id| (id.clone(), videos::job_key(id), id.as_bytes().to_vec()));
        let mut values = self.values("video_jobs", "details", places.collect()).await?;
        // Some are of before they were sealed.
        values.retain(|value| KeyId::of(&value.sealed).is_some());
        Ok(values)
    }

    async fn values(
        &self,
        kind: &'static str,
        field: &'static str,
        places: Vec<(String, String, Vec<u8>)>,
    ) -> Result<Vec<Value>> {
        let mut read = redis::pipe();
        for (_, key, _) in &places {
            read.hget(key, field);
        }
        let found: Vec<Option<Vec<u8>>> = self.ask(&read).await?;
        let values = places.into_iter().zip(found).filter_map(|((row, key, place), sealed)| {
            Some(Value { kind, row, key, field, place, sealed: sealed? })
        });
        Ok(values.collect())
    }
}
