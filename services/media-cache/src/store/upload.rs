//! An item on its way into the store.

use std::mem;

use bytes::Bytes;
use object_store::{Error, ObjectStoreExt as _, PutPayloadMut, WriteMultipart, path::Path};

use super::Store;
use crate::error::store_failed;

/// What is no longer than this goes into the store as one request, the rest in parts of this size.
const PART: usize = 5 * 1024 * 1024;
/// Parts being sent at the same time; each is held in memory meanwhile.
const PARTS: usize = 2;

/// Bytes that are sent while they come, and undone when this is dropped before [`Upload::finish`].
pub(super) struct Upload {
    store: Store,
    path: Path,
    held: PutPayloadMut,
    parts: Option<WriteMultipart>,
}

impl Upload {
    pub(super) fn new(store: Store, path: Path) -> Self {
        Self { store, path, held: PutPayloadMut::new(), parts: None }
    }

    /// Adds bytes; waits while the store is behind.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        if let Some(parts) = &mut self.parts {
            parts.wait_for_capacity(PARTS).await?;
            parts.put(bytes);
            return Ok(());
        }
        self.held.push(bytes);
        if self.held.content_length() > PART {
            self.begin().await?;
        }
        Ok(())
    }

    /// Sends what is held as the first part, and all that comes later as further ones.
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        let upload = self.store.objects.put_multipart(&self.path).await?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, PART);
        mem::take(&mut self.held).freeze().into_iter().for_each(|bytes| parts.put(bytes));
        self.parts = Some(parts);
        Ok(())
    }

    /// Puts the whole under its name at once.
    pub(super) async fn finish(mut self) -> Result<(), Error> {
        match self.parts.take() {
            Some(parts) => parts.finish().await.map(drop),
            None => {
                let whole = mem::take(&mut self.held).freeze();
                self.store.objects.put(&self.path, whole).await.map(drop)
            }
        }
    }

    pub(super) async fn abort(mut self) -> Result<(), Error> {
        match self.parts.take() {
            Some(parts) => parts.abort().await,
            None => Ok(()),
        }
    }
}

impl Drop for Upload {
    /// A bucket keeps, and charges for, the parts of an upload that nobody ends.
    fn drop(&mut self) {
        let Some(parts) = self.parts.take() else { return };
        if tokio::runtime::Handle::try_current().is_ok() {
            self.store.tasks.spawn("media-abort", async move {
                if let Err(error) = parts.abort().await {
                    store_failed(error);
                }
            });
        }
    }
}
