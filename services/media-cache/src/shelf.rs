//! What is held: index and store together, kept within the limits.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use grok2api_kit::{
    clock::Clock,
    lifecycle::Shutdown,
    metrics::{MEDIA_BYTES, MEDIA_EVICTIONS, MEDIA_ITEMS, MEDIA_LIMIT},
    runtime::Runtime,
};
use grok2api_proto::{Error, Result};
use grok2api_storage::media::{Item, Kind, MediaIndex, Usage, Use};
use parking_lot::Mutex;
use tokio::{
    sync,
    time::{MissedTickBehavior, interval},
};

use crate::{domain::victims, download::Fetched, error::not_found, store::Store};

/// How often noted uses are written.
const FLUSH: Duration = Duration::from_secs(5);
/// How often operators are told what is held.
const TELL: Duration = Duration::from_secs(5);
/// How often abandoned drafts are looked for.
const SWEEP: Duration = Duration::from_secs(60 * 60);
/// How many candidates for eviction are read at a time.
const PAGE: u32 = 64;

/// Index and store.
pub(crate) struct Shelf {
    pub(crate) index: Arc<dyn MediaIndex>,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    runtime: Runtime,
    /// Uses not yet written.
    uses: Mutex<HashMap<(Kind, String), i64>>,
    /// Held, per kind, while row and file of an item come or go together.
    changing: [sync::Mutex<()>; Kind::ALL.len()],
}

impl Shelf {
    pub(crate) fn new(index: Arc<dyn MediaIndex>, store: Store, runtime: Runtime, clock: Clock) -> Self {
        Self { index, store, clock, runtime, uses: Mutex::default(), changing: Default::default() }
    }

    /// The item of that name; the use is noted.
    pub(crate) async fn get(&self, kind: Kind, name: &str) -> Result<Item> {
        let item = self.index.get(kind, name).await?.ok_or_else(|| not_found(name))?;
        self.note_use(&item);
        Ok(item)
    }

    /// The item fetched from that source, if its bytes are still there; the use is noted.
    pub(crate) async fn find(&self, kind: Kind, source: &str) -> Result<Option<Item>> {
        let Some(item) = self.index.find(kind, source).await? else {
            return Ok(None);
        };
        if !self.store.has(kind, &item.name).await? {
            self.lost(&item).await?;
            return Ok(None);
        }
        self.note_use(&item);
        Ok(Some(item))
    }

    /// Forgets an item whose bytes somebody else took away.
    pub(crate) async fn lost(&self, item: &Item) -> Result<()> {
        let _guard = self.change(item.kind).await;
        if !self.store.has(item.kind, &item.name).await? {
            self.index.remove(item.kind, &item.name).await?;
        }
        Ok(())
    }

    /// Takes a fetched asset in and makes room for it. It is never itself what goes.
    pub(crate) async fn keep(
        &self,
        kind: Kind,
        source: String,
        owner: String,
        fetched: Fetched,
    ) -> Result<Item> {
        let Fetched { name, media, written } = fetched;
        let now = self.clock.now_ms();
        let item = Item {
            kind,
            name,
            source,
            content_type: media.content_type.to_owned(),
            size: written.size,
            etag: written.etag.clone(),
            created_at: now,
            last_used_at: now,
            owner,
        };
        let _guard = self.change(kind).await;
        written.publish().await?;
        self.index.put(&item).await?;
        self.evict(kind, Some(&item.name)).await?;
        Ok(item)
    }

    /// Evicts what is over the limit.
    pub(crate) async fn trim(&self, kind: Kind) -> Result<()> {
        let _guard = self.change(kind).await;
        self.evict(kind, None).await
    }

    /// Deletes all items of a kind; how many there were. The bytes of one that another replica adds meanwhile stay
    /// behind without a row, and are taken in again at the next start.
    pub(crate) async fn clear(&self, kind: Kind) -> Result<u64> {
        let _guard = self.change(kind).await;
        let mut names: Vec<String> = Vec::new();
        loop {
            let page = self.index.page(kind, names.last().map_or("", String::as_str), PAGE).await?;
            if page.is_empty() {
                break;
            }
            names.extend(page.into_iter().map(|item| item.name));
        }
        let deleted = self.index.clear(kind).await?;
        self.store.delete(kind, names).await;
        Ok(deleted)
    }

    /// At most `limit` items older than that one, the newest first; looking at a list is no use of what is in it.
    pub(crate) async fn newest(
        &self,
        kind: Kind,
        before: Option<(i64, &str)>,
        limit: u32,
    ) -> Result<Vec<Item>> {
        Ok(self.index.newest(kind, before, limit).await?)
    }

    /// Deletes one item; whether there was one.
    pub(crate) async fn delete(&self, kind: Kind, name: &str) -> Result<bool> {
        let _guard = self.change(kind).await;
        let removed = self.index.remove(kind, name).await?;
        if removed {
            self.store.delete(kind, vec![name.to_owned()]).await;
        }
        Ok(removed)
    }

    /// What is held of a kind.
    pub(crate) async fn usage(&self, kind: Kind) -> Result<Usage> {
        Ok(self.index.usage(kind).await?)
    }

    /// Most bytes a kind may take.
    pub(crate) fn limit(&self, kind: Kind) -> u64 {
        let config = &self.runtime.current().config;
        let megabytes = match kind {
            Kind::Image => config.image_cache_max_size_mb,
            Kind::Video => config.video_cache_max_size_mb,
        };
        u64::from(megabytes) << 20
    }

    /// Writes the noted uses. They are worth no failed request: what cannot be written is forgotten.
    pub(crate) async fn flush(&self) {
        let noted = mem::take(&mut *self.uses.lock());
        if noted.is_empty() {
            return;
        }
        let uses: Vec<Use> = noted.into_iter().map(|((kind, name), at)| Use { kind, name, at }).collect();
        if let Err(error) = self.index.touch(&uses).await {
            tracing::warn!(%error, "{} uses of media were not noted: {error}", uses.len());
        }
    }

    async fn change(&self, kind: Kind) -> sync::MutexGuard<'_, ()> {
        self.changing[kind as usize].lock().await
    }

    fn note_use(&self, item: &Item) {
        self.uses.lock().insert((item.kind, item.name.clone()), self.clock.now_ms());
    }

    /// The row goes first: whoever reads then finds nothing, or has the file open already. The candidates are read
    /// before the sum: what another replica evicts in between is then counted as free, and never evicted twice over.
    async fn evict(&self, kind: Kind, spared: Option<&str>) -> Result<()> {
        let limit = self.limit(kind);
        if self.usage(kind).await?.bytes > limit {
            self.flush().await;
        }
        loop {
            let oldest = self.index.least_recently_used(kind, PAGE).await?;
            let excess = self.usage(kind).await?.bytes.saturating_sub(limit);
            let chosen = victims(excess, &oldest, spared);
            if chosen.is_empty() {
                return Ok(());
            }
            let names = self.remove(kind, chosen).await?;
            tracing::debug!(
                items = names.len(),
                "evicted {} of {kind:?} to stay within {limit} bytes",
                names.len()
            );
            MEDIA_EVICTIONS.add(names.len() as u64, [kind.as_str().into()]);
            self.store.delete(kind, names).await;
        }
    }

    /// Tells operators what is held; while the index is away they see what was told last.
    async fn tell(&self) {
        for kind in Kind::ALL {
            let Ok(Usage { items, bytes }) = self.usage(kind).await else { return };
            let told = [(&MEDIA_ITEMS, items), (&MEDIA_BYTES, bytes), (&MEDIA_LIMIT, self.limit(kind))];
            for (gauge, value) in told {
                gauge.set(value as f64, [kind.as_str().into()]);
            }
        }
    }

    /// Removes rows; the names of those that nobody else removed first, whose bytes are ours to delete.
    async fn remove(&self, kind: Kind, items: Vec<&Item>) -> Result<Vec<String>> {
        let mut names = Vec::with_capacity(items.len());
        for item in items {
            if self.index.remove(kind, &item.name).await? {
                names.push(item.name.clone());
            }
        }
        Ok(names)
    }
}

/// Writes uses from time to time and applies changed limits at once, until draining begins.
pub(crate) async fn housekeeping(shelf: Arc<Shelf>, mut runtime: Runtime, shutdown: Shutdown) {
    let (mut ticks, mut sweeps, mut tells) = (interval(FLUSH), interval(SWEEP), interval(TELL));
    tells.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => shelf.flush().await,
            _ = tells.tick() => shelf.tell().await,
            _ = sweeps.tick() => shelf.store.sweep().await,
            _ = runtime.changed() => trim_all(&shelf).await,
            () = shutdown.draining() => return shelf.flush().await,
        }
    }
}

async fn trim_all(shelf: &Shelf) {
    for kind in Kind::ALL {
        if let Err(Error { message, .. }) = shelf.trim(kind).await {
            tracing::warn!("{kind:?} cache not trimmed, the next insertion will do it: {message}");
        }
    }
}
