//! The bytes, in an object store: `images/<name>`, `videos/<name>`.

use std::{collections::HashMap, io::SeekFrom, ops::Range, path::Path as FilePath, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use grok2api_proto::{Result, Stream};
use grok2api_storage::media::Kind;
use object_store::{
    Error as StoreError, GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt as _,
    WriteMultipart, local::LocalFileSystem, path::Path,
};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use crate::{domain::etag, error::store_failed};

/// Size of the pieces an item is read in.
const CHUNK: usize = 128 * 1024;
/// Parts of an item being written at the same time; each is 5 MiB of memory.
const PARTS: usize = 2;

/// Where the bytes lie.
#[derive(Clone)]
pub(crate) struct Store(Arc<dyn ObjectStore>);

/// An item being written; nobody sees it before [`Draft::publish`], and nothing is left of it when it is dropped.
pub(crate) struct Draft {
    upload: WriteMultipart,
    content: Sha256,
    size: u64,
}

/// A whole item, not yet under its name.
pub(crate) struct Written {
    upload: WriteMultipart,
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
    /// A store in a directory of this machine, cleaned of what an earlier process left half written.
    pub(crate) fn local(directory: &FilePath) -> Result<Self> {
        for kind in Kind::ALL {
            let directory = directory.join(folder(kind));
            std::fs::create_dir_all(&directory).map_err(store_failed)?;
            sweep(&directory).map_err(store_failed)?;
        }
        Ok(Self(Arc::new(LocalFileSystem::new_with_prefix(directory).map_err(store_failed)?)))
    }

    /// Begins an item.
    pub(crate) async fn draft(&self, kind: Kind, name: &str) -> Result<Draft> {
        let upload = self.0.put_multipart(&path(kind, name)).await.map_err(store_failed)?;
        Ok(Draft { upload: WriteMultipart::new(upload), content: Sha256::new(), size: 0 })
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
        let found = match self.0.get_opts(&path(kind, name), options).await {
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
            GetResultPayload::Stream(chunks) => chunks.map_err(store_failed).boxed(),
        }))
    }

    /// Whether the item is there.
    pub(crate) async fn has(&self, kind: Kind, name: &str) -> Result<bool> {
        match self.0.head(&path(kind, name)).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(store_failed(error)),
        }
    }

    /// Deletes items; one that is gone already is fine, and one that is being read is read to its end.
    pub(crate) async fn delete(&self, kind: Kind, names: Vec<String>) {
        let paths = stream::iter(names).map(move |name| Ok(path(kind, &name))).boxed();
        let mut outcomes = self.0.delete_stream(paths);
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
        let found = self.0.list_with_delimiter(Some(&folder)).await.map_err(store_failed)?;
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
        self.upload.wait_for_capacity(PARTS).await.map_err(store_failed)?;
        self.content.update(&bytes);
        self.size += bytes.len() as u64;
        self.upload.put(bytes);
        Ok(())
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
        self.upload.finish().await.map_err(store_failed)?;
        Ok(())
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

/// Removes the files an interrupted write left: `<name>#<number>`, as the local object store calls them.
fn sweep(directory: &FilePath) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.rsplit_once('#')).map(|(_, number)| number);
        if number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
