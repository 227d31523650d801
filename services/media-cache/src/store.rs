//! The bytes, in an object store: `images/<name>`, `videos/<name>`.

mod place;
mod upload;

use std::{
    collections::HashMap,
    io::SeekFrom,
    ops::Range,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use grok2api_kit::{lifecycle::Tasks, settings::Media};
use grok2api_proto::{Result, Stream};
use grok2api_storage::media::Kind;
use object_store::{
    Error as StoreError, GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt as _, path::Path,
};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use upload::Upload;

use crate::{domain::etag, error::store_failed};

/// Size of the pieces an item is read in.
const CHUNK: usize = 128 * 1024;

/// Where the bytes lie. Several processes may share it.
#[derive(Clone)]
pub(crate) struct Store {
    objects: Arc<dyn ObjectStore>,
    /// The directory, when it is one.
    directory: Option<Arc<PathBuf>>,
    tasks: Tasks,
}

/// An item being written; nobody sees it before [`Written::publish`], and nothing is left of it when it is dropped.
pub(crate) struct Draft {
    upload: Upload,
    content: Sha256,
    size: u64,
}

/// A whole item, not yet under its name.
pub(crate) struct Written {
    upload: Upload,
    /// Bytes.
    pub(crate) size: u64,
    /// Strong validator, with its quotes.
    pub(crate) etag: String,
}

/// What the store says of a file.
pub(crate) struct Stored {
    /// Bytes.
    pub(crate) size: u64,
    /// Epoch milliseconds.
    pub(crate) modified: i64,
}

impl Store {
    /// The store of the settings, once it has shown that it can be read and written.
    pub(crate) async fn open(settings: &Media, data_dir: &FilePath, tasks: Tasks) -> Result<Self> {
        place::open(settings, data_dir, tasks).await
    }

    /// Begins an item.
    pub(crate) fn draft(&self, kind: Kind, name: &str) -> Draft {
        Draft { upload: Upload::new(self.clone(), path(kind, name)), content: Sha256::new(), size: 0 }
    }

    /// Removes what processes that were killed left half written in a directory; a bucket does that by its own rules.
    pub(crate) async fn sweep(&self) {
        let Some(directory) = self.directory.clone() else { return };
        let swept = tokio::task::spawn_blocking(move || place::sweep(&directory)).await;
        if let Ok(Err(error)) = swept {
            store_failed(error);
        }
    }

    /// A part of an item; `None` when there is no such item.
    pub(crate) async fn read(
        &self,
        kind: Kind,
        name: &str,
        range: Range<u64>,
    ) -> Result<Option<Stream<Bytes>>> {
        if range.is_empty() {
            return Ok(self.has(kind, name).await?.then(|| stream::empty().boxed()));
        }
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(range)));
        let found = match self.objects.get_opts(&path(kind, name), options).await {
            Ok(found) => found,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(store_failed(error)),
        };
        let range = found.range;
        Ok(Some(match found.payload {
            GetResultPayload::File(file, _) => {
                let mut file = tokio::fs::File::from_std(file);
                file.seek(SeekFrom::Start(range.start)).await.map_err(store_failed)?;
                let part = file.take(range.end - range.start);
                ReaderStream::with_capacity(part, CHUNK).map_err(store_failed).boxed()
            }
            GetResultPayload::Stream(chunks) => {
                chunks.map_err(store_failed).map_ok(pieces).try_flatten().boxed()
            }
        }))
    }

    /// Whether the item is there.
    pub(crate) async fn has(&self, kind: Kind, name: &str) -> Result<bool> {
        Ok(self.size(kind, name).await?.is_some())
    }

    /// Bytes of the item, if it is there.
    pub(crate) async fn size(&self, kind: Kind, name: &str) -> Result<Option<u64>> {
        match self.objects.head(&path(kind, name)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(store_failed(error)),
        }
    }

    /// Deletes items; one that is gone already is fine, and one that is being read is read to its end.
    pub(crate) async fn delete(&self, kind: Kind, names: Vec<String>) {
        let paths = stream::iter(names).map(move |name| Ok(path(kind, &name))).boxed();
        let mut outcomes = self.objects.delete_stream(paths);
        while let Some(outcome) = outcomes.next().await {
            if let Err(error) = outcome
                && !matches!(error, StoreError::NotFound { .. })
            {
                store_failed(error);
            }
        }
    }

    /// All whole items by name.
    pub(crate) async fn list(&self, kind: Kind) -> Result<HashMap<String, Stored>> {
        let folder = Path::from(folder(kind));
        let found = self.objects.list_with_delimiter(Some(&folder)).await.map_err(store_failed)?;
        let named = found.objects.into_iter().filter_map(|object| {
            let stored = Stored { size: object.size, modified: object.last_modified.timestamp_millis() };
            Some((object.location.filename()?.to_owned(), stored))
        });
        Ok(named.collect())
    }
}

impl Draft {
    /// Bytes so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes; waits while the store is behind.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.content.update(&bytes);
        self.size += bytes.len() as u64;
        self.upload.write(bytes).await.map_err(store_failed)
    }

    /// Gives the item up.
    pub(crate) async fn abort(self) {
        if let Err(error) = self.upload.abort().await {
            store_failed(error);
        }
    }

    /// No more bytes will come.
    pub(crate) fn written(self) -> Written {
        Written { upload: self.upload, size: self.size, etag: etag(self.content) }
    }
}

impl Written {
    /// Puts the item under its name, at once and whole.
    pub(crate) async fn publish(self) -> Result<()> {
        self.upload.finish().await.map_err(store_failed)
    }
}

fn path(kind: Kind, name: &str) -> Path {
    Path::from_iter([folder(kind), name])
}

fn folder(kind: Kind) -> &'static str {
    match kind {
        Kind::Image => "images",
        Kind::Video => "videos",
    }
}

/// What a store sends at once may be too much for one message.
fn pieces(mut bytes: Bytes) -> impl futures_util::Stream<Item = Result<Bytes>> {
    stream::iter(std::iter::from_fn(move || {
        (!bytes.is_empty()).then(|| Ok(bytes.split_to(bytes.len().min(CHUNK))))
    }))
}
