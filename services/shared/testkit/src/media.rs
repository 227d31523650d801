//! A media cache in memory.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use grok2api_proto::{
    Error, Result, Stream,
    media::{
        Chunk, ClearRequest, ClearResponse, FetchRequest, Item, Kind, KindUsage, ListRequest, ListResponse,
        MediaCache, ReadRequest, RemoveRequest, RemoveResponse, StatRequest, UsageRequest, UsageResponse,
    },
};
use parking_lot::Mutex;

/// Sizes of the pieces of a read, so that callers meet more than one.
const PIECE: usize = 1000;

/// Holds what was [put](Self::put) or fetched, and records the fetches.
#[derive(Default)]
pub struct FakeMediaCache {
    items: Mutex<HashMap<(Kind, String), (Item, Bytes)>>,
    fetches: Mutex<Vec<FetchRequest>>,
    failing: Mutex<Option<Error>>,
    hanging: AtomicBool,
}

impl FakeMediaCache {
    /// Keeps bytes under a name.
    pub fn put(&self, kind: Kind, name: &str, content_type: &str, data: impl Into<Bytes>) -> Item {
        let data = data.into();
        let item = Item {
            kind: kind.into(),
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            size: data.len() as u64,
            etag: format!("\"{}-{name}\"", data.len()),
            created_at: 0,
            owner: String::new(),
        };
        self.items.lock().insert((kind, name.to_owned()), (item.clone(), data));
        item
    }

    /// Lets every later fetch fail; `None` heals it.
    pub fn fail_fetches(&self, error: Option<Error>) {
        *self.failing.lock() = error;
    }

    /// Lets every later fetch take for ever.
    pub fn hang_fetches(&self) {
        self.hanging.store(true, Ordering::SeqCst);
    }

    /// What was fetched so far.
    pub fn fetches(&self) -> Vec<FetchRequest> {
        self.fetches.lock().clone()
    }

    fn find(&self, kind: Kind, name: &str) -> Result<(Item, Bytes)> {
        let missing = || {
            Error::new(grok2api_proto::Kind::NotFound, "media_not_found", format!("no media named {name:?}"))
        };
        self.items.lock().get(&(kind, name.to_owned())).cloned().ok_or_else(missing)
    }
}

#[tonic::async_trait]
impl MediaCache for FakeMediaCache {
    /// Any location is there: its bytes are its own text, its name the path with `/` replaced by `-`.
    async fn fetch(&self, request: FetchRequest) -> Result<Item> {
        self.fetches.lock().push(request.clone());
        if self.hanging.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if let Some(error) = self.failing.lock().clone() {
            return Err(error);
        }
        let content_type = if request.kind() == Kind::Video { "video/mp4" } else { "image/jpeg" };
        let name = request.location.trim_start_matches('/').replace('/', "-");
        Ok(self.put(request.kind(), &name, content_type, request.location.clone()))
    }

    async fn stat(&self, request: StatRequest) -> Result<Item> {
        Ok(self.find(request.kind(), &request.name)?.0)
    }

    async fn read(&self, request: ReadRequest) -> Result<Stream<Chunk>> {
        let (_, data) = self.find(request.kind(), &request.name)?;
        let from = usize::try_from(request.offset).unwrap_or(usize::MAX).min(data.len());
        let wanted =
            request.length.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(usize::MAX));
        let to = from.saturating_add(wanted).min(data.len());
        let part = data.slice(from..to);
        let pieces: Vec<_> =
            (0..part.len()).step_by(PIECE).map(|at| part.slice(at..part.len().min(at + PIECE))).collect();
        Ok(stream::iter(pieces.into_iter().map(|data| Ok(Chunk { data }))).boxed())
    }

    async fn usage(&self, _: UsageRequest) -> Result<UsageResponse> {
        let items = self.items.lock();
        let of = |kind: Kind| {
            let sizes = || items.values().filter(|(item, _)| item.kind() == kind).map(|(item, _)| item.size);
            KindUsage {
                kind: kind.into(),
                items: sizes().count() as u64,
                bytes: sizes().sum(),
                limit_bytes: 0,
            }
        };
        Ok(UsageResponse { kinds: vec![of(Kind::Image), of(Kind::Video)] })
    }

    async fn clear(&self, request: ClearRequest) -> Result<ClearResponse> {
        let mut items = self.items.lock();
        let before = items.len();
        items.retain(|(kind, _), _| *kind != request.kind());
        Ok(ClearResponse { deleted: (before - items.len()) as u64 })
    }

    /// All at once, by name.
    async fn list(&self, request: ListRequest) -> Result<ListResponse> {
        let items = self.items.lock();
        let of_kind = items.values().filter(|(item, _)| item.kind() == request.kind());
        let mut items: Vec<Item> = of_kind.map(|(item, _)| item.clone()).collect();
        items.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(ListResponse { items, next_cursor: String::new() })
    }

    async fn remove(&self, request: RemoveRequest) -> Result<RemoveResponse> {
        let removed = self.items.lock().remove(&(request.kind(), request.name)).is_some();
        Ok(RemoveResponse { removed })
    }
}
