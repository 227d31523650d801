//! The service: validate, look up or fetch, map.

use std::{sync::Arc, time::Instant};

use futures_util::StreamExt as _;
use grok2api_kit::{
    lifecycle::Tasks,
    metrics::{MEDIA_FETCHES, MEDIA_READS},
    trace::Step,
};
use grok2api_proto::{
    Error, Result, Stream,
    media::{
        Chunk, ClearRequest, ClearResponse, FetchRequest, Item, Kind, KindUsage, ListRequest, ListResponse,
        MediaCache, ReadRequest, RemoveRequest, RemoveResponse, StatRequest, UsageRequest, UsageResponse,
    },
};
use grok2api_storage::media as stored;
use tokio::sync::oneshot;
use tracing::info_span;

use crate::{
    domain::{clip, is_name, source},
    download::Downloader,
    error::{not_found, stopping},
    flight::Flights,
    shelf::Shelf,
};

const MOST_ON_A_PAGE: u32 = 500;
const PAGE: u32 = 50;

/// Calls for one asset of one kind share one download.
type Fetching = Flights<(stored::Kind, String), Result<stored::Item>>;

pub(crate) struct Service {
    shelf: Arc<Shelf>,
    downloader: Arc<Downloader>,
    fetching: Fetching,
    tasks: Tasks,
}

impl Service {
    pub(crate) fn new(shelf: Arc<Shelf>, downloader: Downloader, tasks: Tasks) -> Self {
        Self { shelf, downloader: Arc::new(downloader), fetching: Flights::new(), tasks }
    }
}

#[tonic::async_trait]
impl MediaCache for Service {
    async fn fetch(&self, request: FetchRequest) -> Result<Item> {
        let kind = known(request.kind())?;
        let source = source(&request.location)?;
        if let Some(item) = self.shelf.find(kind, &source).await? {
            MEDIA_FETCHES.add(1, [kind.as_str().into(), "hit".into()]);
            return Ok(shown(item));
        }
        let flight = self.fetching.join((kind, source.clone()), || {
            let (shelf, downloader, tasks) =
                (self.shelf.clone(), self.downloader.clone(), self.tasks.clone());
            fetch(shelf, downloader, tasks, kind, source, request)
        });
        let step = Step::begin(info_span!("media fetch", media.kind = kind.as_str()));
        let fetched = step.hold(flight).await;
        let result = if fetched.is_ok() { "fetched" } else { "failed" };
        MEDIA_FETCHES.add(1, [kind.as_str().into(), result.into()]);
        fetched.map(shown)
    }

    async fn stat(&self, request: StatRequest) -> Result<Item> {
        let kind = known(request.kind())?;
        self.shelf.get(kind, named(&request.name)?).await.map(shown)
    }

    async fn read(&self, request: ReadRequest) -> Result<Stream<Chunk>> {
        let kind = known(request.kind())?;
        let item = match named(&request.name) {
            Ok(name) => self.shelf.get(kind, name).await,
            Err(error) => Err(error),
        };
        let result = if item.is_ok() { "hit" } else { "missing" };
        MEDIA_READS.add(1, [kind.as_str().into(), result.into()]);
        let item = item?;
        let range = clip(item.size, request.offset, request.length)?;
        let Some(chunks) = self.shelf.store.read(kind, &item.name, range).await? else {
            self.shelf.lost(&item).await?;
            return Err(not_found(&item.name));
        };
        Ok(chunks.map(|data| data.map(|data| Chunk { data })).boxed())
    }

    async fn usage(&self, _: UsageRequest) -> Result<UsageResponse> {
        let mut kinds = Vec::new();
        for kind in stored::Kind::ALL {
            let stored::Usage { items, bytes } = self.shelf.usage(kind).await?;
            let limit_bytes = self.shelf.limit(kind);
            kinds.push(KindUsage { kind: wire(kind).into(), items, bytes, limit_bytes });
        }
        Ok(UsageResponse { kinds })
    }

    async fn clear(&self, request: ClearRequest) -> Result<ClearResponse> {
        let kind = known(request.kind())?;
        let shelf = self.shelf.clone();
        let deleted = to_the_end(&self.tasks, "media-clear", async move { shelf.clear(kind).await }).await?;
        tracing::info!(deleted, "{kind:?} cache cleared: {deleted} items");
        Ok(ClearResponse { deleted })
    }

    async fn list(&self, request: ListRequest) -> Result<ListResponse> {
        let kind = known(request.kind())?;
        let limit = if request.limit == 0 { PAGE } else { request.limit.min(MOST_ON_A_PAGE) };
        let before = Some(request.cursor.as_str()).filter(|cursor| !cursor.is_empty());
        let before = before.map(read_cursor).transpose()?;
        // One more than wanted tells whether there is a next page.
        let mut items = self.shelf.newest(kind, before, limit + 1).await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map_or_else(String::new, |item| format!("{}:{}", item.created_at, item.name));
        Ok(ListResponse { items: items.into_iter().map(shown).collect(), next_cursor })
    }

    async fn remove(&self, request: RemoveRequest) -> Result<RemoveResponse> {
        let kind = known(request.kind())?;
        let (shelf, name) = (self.shelf.clone(), named(&request.name)?.to_owned());
        let deletion = async move { shelf.delete(kind, &name).await };
        Ok(RemoveResponse { removed: to_the_end(&self.tasks, "media-remove", deletion).await? })
    }
}

/// The time and the name that a page follows.
fn read_cursor(cursor: &str) -> Result<(i64, &str)> {
    let parts = cursor.split_once(':').and_then(|(at, name)| Some((at.parse().ok()?, name)));
    parts.ok_or_else(|| Error::invalid("cursor", "the cursor is not one of this list"))
}

/// One flight: looks again, since another one may have landed in between, fetches and keeps.
async fn fetch(
    shelf: Arc<Shelf>,
    downloader: Arc<Downloader>,
    tasks: Tasks,
    kind: stored::Kind,
    source: String,
    request: FetchRequest,
) -> Result<stored::Item> {
    if let Some(item) = shelf.find(kind, &source).await? {
        return Ok(item);
    }
    let begun = Instant::now();
    let fetched = downloader.fetch(kind, &source, &request.location, &request.token).await?;
    let owner = request.owner;
    let keep = async move { shelf.keep(kind, source, owner, fetched).await };
    let item = to_the_end(&tasks, "media-keep", keep).await?;
    let duration_ms = begun.elapsed().as_millis();
    tracing::info!(
        turn.id = request.request_id,
        name = item.name,
        size_bytes = item.size,
        duration_ms,
        "fetched {}, {} bytes in {duration_ms} ms",
        item.name,
        item.size,
    );
    Ok(item)
}

/// Row and file change together: work that changes both is finished even when its caller leaves.
async fn to_the_end<T, F>(tasks: &Tasks, name: &'static str, work: F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let (reply, result) = oneshot::channel();
    tasks.spawn(name, async move {
        // Whoever asked may have left; the work was done for the cache.
        let _ = reply.send(work.await);
    });
    result.await.unwrap_or_else(|_| Err(stopping()))
}

fn named(name: &str) -> Result<&str> {
    if is_name(name) { Ok(name) } else { Err(not_found(name)) }
}

fn known(kind: Kind) -> Result<stored::Kind> {
    match kind {
        Kind::Image => Ok(stored::Kind::Image),
        Kind::Video => Ok(stored::Kind::Video),
        Kind::Unspecified => Err(Error::invalid("kind", "the kind of media is not given")),
    }
}

fn wire(kind: stored::Kind) -> Kind {
    match kind {
        stored::Kind::Image => Kind::Image,
        stored::Kind::Video => Kind::Video,
    }
}

fn shown(item: stored::Item) -> Item {
    Item {
        kind: wire(item.kind).into(),
        name: item.name,
        content_type: item.content_type,
        size: item.size,
        etag: item.etag,
        created_at: item.created_at,
        owner: item.owner,
    }
}
