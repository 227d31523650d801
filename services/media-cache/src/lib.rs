//! Generated media: fetch once, keep, evict, serve in ranges.
//!
//! An asset of the upstream can be read only with its owner's cookies, so it is fetched here, once for any number of
//! callers, judged by its first bytes (an error page may come with status 200 and any content type), written to the
//! object store while it is hashed, and named by a digest of its path, so that no upstream user id reaches a client.
//! A failed fetch is an error and nothing else: nothing is generated anew for it, and nothing of it is kept.
//!
//! The index (`storage::media`) knows what is held; each kind has a limit of its own, kept by evicting what was not
//! used for longest. Uses are noted in memory and written in batches. The store is listed once, at start, to bring it
//! in line with the index. Source: `grok-web-protocol.md` section 6.
//!
//! # Several replicas
//!
//! 2026-11: replicas that share index and store serve one cache, without a lock between them. What they may do to each
//! other is harmless: an asset that two fetch at once is written twice, whole, under one name; of two that evict, the
//! one that removes the row deletes the bytes; a start drops a row only after it has looked for its bytes again, and
//! takes a draft for abandoned only after a quarter of an hour. One window stays: an item that is evicted here in the
//! moment in which it is fetched there loses its bytes. Its row goes at the next read (404), and the next fetch brings
//! it back; a lock for each of them would cost every fetch more than that is worth.

mod domain;
mod download;
mod error;
mod flight;
mod intake;
mod reconcile;
mod service;
mod shelf;
mod store;
pub mod videos;

use std::{path::PathBuf, sync::Arc};

use grok2api_kit::{
    clock::Clock, egress, lifecycle::Tasks, metrics::MEDIA_EVICTIONS, runtime::Runtime, settings,
};
use grok2api_proto::{Result, media::MediaCache};
use grok2api_storage::media::{Kind, MediaIndex};
pub use intake::{Intake, Taken};

/// What the service needs.
pub struct Deps {
    /// What is held.
    pub index: Arc<dyn MediaIndex>,
    /// Where the bytes lie: `images/` and `videos/` are made there.
    pub media: settings::Media,
    /// The data directory, for settings that name no other place.
    pub data_dir: PathBuf,
    /// Gives the limits.
    pub runtime: Runtime,
    /// The way to the assets host.
    pub egress: egress::Gateway,
    /// Dates items and their uses.
    pub clock: Clock,
    /// Owns the housekeeping.
    pub tasks: Tasks,
}

/// Brings index and store in line, applies the limits, and begins to serve.
///
/// # Errors
/// `media_store_failed`, with the place and the reason, when the store cannot be used, `storage_unavailable` when the index cannot be read.
pub async fn start(deps: Deps) -> Result<Arc<dyn MediaCache>> {
    let Deps { index, media, data_dir, runtime, egress, clock, tasks } = deps;
    let store = store::Store::open(&media, &data_dir, tasks.clone()).await?;
    let shelf = Arc::new(shelf::Shelf::new(index, store.clone(), runtime.clone(), clock));
    for kind in Kind::ALL {
        // So that the first one can be seen to be more than before.
        MEDIA_EVICTIONS.add(0, [kind.as_str().into()]);
        reconcile::run(&shelf, kind).await?;
        shelf.trim(kind).await?;
    }
    tasks.spawn("media-housekeeping", shelf::housekeeping(shelf.clone(), runtime, tasks.shutdown().clone()));
    Ok(Arc::new(service::Service::new(shelf, download::Downloader::new(egress, store), tasks)))
}
