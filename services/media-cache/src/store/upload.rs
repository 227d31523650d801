//! An item on its way into the store.

use std::mem;

use bytes::Bytes;
use grok2api_kit::lifecycle::Tasks;
use object_store::{Error, ObjectStoreExt as _, PutPayloadMut, WriteMultipart, path::Path};
use tokio::sync::oneshot;

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
    parts: Option<Parts>,
}

/// An upload that the store has begun: given up when it is dropped, since a bucket keeps, and charges for, the parts of
/// one that nobody ends.
struct Parts {
    upload: Option<WriteMultipart>,
    tasks: Tasks,
}

impl Upload {
    pub(super) fn new(store: Store, path: Path) -> Self {
        Self { store, path, held: PutPayloadMut::new(), parts: None }
    }

    /// Adds bytes; waits while the store is behind.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        if let Some(upload) = self.parts.as_mut().and_then(|parts| parts.upload.as_mut()) {
            upload.wait_for_capacity(PARTS).await?;
            upload.put(bytes);
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
        let (reply, begun) = oneshot::channel();
        let (store, path) = (self.store.clone(), self.path.clone());
        // Not dropped with its caller: the store may have begun already, and the answer alone says what to give up.
        self.store.tasks.spawn("media-begin", async move {
            let begun = store.objects.put_multipart(&path).await.map(|upload| Parts {
                upload: Some(WriteMultipart::new_with_chunk_size(upload, PART)),
                tasks: store.tasks.clone(),
            });
            drop(reply.send(begun));
        });
        let stopped = |stopped| Error::Generic { store: "media", source: Box::new(stopped) };
        let mut parts = begun.await.map_err(stopped)??;
        if let Some(upload) = &mut parts.upload {
            mem::take(&mut self.held).freeze().into_iter().for_each(|bytes| upload.put(bytes));
        }
        self.parts = Some(parts);
        Ok(())
    }

    /// Puts the whole under its name at once.
    pub(super) async fn finish(mut self) -> Result<(), Error> {
        match self.parts.and_then(|mut parts| parts.upload.take()) {
            Some(upload) => upload.finish().await.map(drop),
            None => {
                let whole = mem::take(&mut self.held).freeze();
                self.store.objects.put(&self.path, whole).await.map(drop)
            }
        }
    }

    pub(super) async fn abort(self) -> Result<(), Error> {
        match self.parts.and_then(|mut parts| parts.upload.take()) {
            Some(upload) => upload.abort().await,
            None => Ok(()),
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        if tokio::runtime::Handle::try_current().is_ok() {
            self.tasks.spawn("media-abort", async move {
                if let Err(error) = upload.abort().await {
                    store_failed(error);
                }
            });
        }
    }
}
