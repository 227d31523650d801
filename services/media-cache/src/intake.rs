//! Files from elsewhere into the cache, under their own names; beside a running service or without one.

use std::{collections::HashMap, path::Path, time::UNIX_EPOCH};

use bytes::Bytes;
use grok2api_proto::Result;
use grok2api_storage::media::{Item, Kind};
use tokio::{fs::File, io::AsyncReadExt as _};

use crate::{
    Deps,
    domain::{HEAD, Media, is_name, source_of_name},
    error::{file_failed, store_failed},
    shelf::Shelf,
    store::Store,
};

const CHUNK: usize = 1 << 20;

/// Takes files in, as long as there is room for them: nothing is evicted.
pub struct Intake {
    shelf: Shelf,
    /// Bytes held, with those taken in or foreseen here.
    held: HashMap<Kind, u64>,
    dry_run: bool,
}

/// What became of a file, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is served now; so many bytes.
    New(u64),
    /// It was held before.
    Known,
    /// There is no room left for its kind.
    Full,
    /// It cannot be served: why.
    Refused(&'static str),
}

impl Intake {
    /// Opens the cache; in a dry run nothing is ever written to it.
    ///
    /// # Errors
    /// As [`start`](crate::start).
    pub async fn open(deps: Deps, dry_run: bool) -> Result<Self> {
        let Deps { index, media, data_dir, runtime, clock, tasks, .. } = deps;
        let store = Store::open(&media, &data_dir, tasks).await?;
        let shelf = Shelf::new(index, store, runtime, clock);
        let mut held = HashMap::new();
        for kind in Kind::ALL {
            held.insert(kind, shelf.usage(kind).await?.bytes);
        }
        Ok(Self { shelf, held, dry_run })
    }

    /// Takes a file in under that name. It counts as used when it was last written.
    ///
    /// # Errors
    /// `file_failed` when it cannot be read, `media_store_failed`, `storage_unavailable`.
    pub async fn take(&mut self, kind: Kind, name: &str, path: &Path) -> Result<Taken> {
        if !is_name(name) {
            return Ok(Taken::Refused("its name cannot stand in an address"));
        }
        if let Some(item) = self.shelf.index.get(kind, name).await?
            && self.shelf.store.has(kind, &item.name).await?
        {
            return Ok(Taken::Known);
        }
        let mut file = File::open(path).await.map_err(|error| file_failed(path, error))?;
        let metadata = file.metadata().await.map_err(|error| file_failed(path, error))?;
        let held = self.held.get(&kind).copied().unwrap_or_default();
        if held.saturating_add(metadata.len()) > self.shelf.limit(kind) {
            return Ok(Taken::Full);
        }
        let head = read(&mut file, path, HEAD).await?;
        let Some(media) = Media::of(kind, &head) else {
            return Ok(Taken::Refused("its content is not of its kind"));
        };
        self.held.insert(kind, held + metadata.len());
        if self.dry_run {
            return Ok(Taken::New(metadata.len()));
        }
        let written = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let now = self.shelf.clock.now_ms();
        let at = written.and_then(|at| i64::try_from(at.as_millis()).ok()).map_or(now, |at| at.min(now));
        self.write(kind, name, media, at, head, (file, path)).await.map(Taken::New)
    }

    async fn write(
        &self,
        kind: Kind,
        name: &str,
        media: Media,
        at: i64,
        head: Bytes,
        (mut file, path): (File, &Path),
    ) -> Result<u64> {
        let mut draft = self.shelf.store.draft(kind, name);
        let mut chunk = head;
        while !chunk.is_empty() {
            draft.write(chunk).await?;
            chunk = read(&mut file, path, CHUNK).await?;
        }
        let written = draft.written();
        let item = Item {
            kind,
            name: name.to_owned(),
            source: source_of_name(name).to_owned(),
            content_type: media.content_type.to_owned(),
            size: written.size,
            etag: written.etag.clone(),
            created_at: at,
            last_used_at: at,
            owner: String::new(),
        };
        written.publish().await?;
        self.shelf.index.put(&item).await?;
        Ok(item.size)
    }
}

/// Up to so many bytes; fewer only at the end.
async fn read(file: &mut File, path: &Path, most: usize) -> Result<Bytes> {
    let mut bytes = Vec::with_capacity(most);
    let limit = u64::try_from(most).map_err(store_failed)?;
    file.take(limit).read_to_end(&mut bytes).await.map_err(|error| file_failed(path, error))?;
    Ok(bytes.into())
}
