//! The service: validate, look up or fetch, map.

use std::{sync::Arc, time::Instant};

use futures_util::StreamExt as _;
use grok2api_proto::{
    Error, Result, Stream,
    media::{
        Chunk, ClearRequest, ClearResponse, FetchRequest, Item, Kind, KindUsage, MediaCache, ReadRequest, StatRequest,
        UsageRequest, UsageResponse,
    },
};
use grok2api_storage::media as stored;

use crate::{
    domain::{clip, is_name, source},
    download::Downloader,
    error::not_found,
    flight::Flights,
    shelf::Shelf,
};

type Fetching = Flights<(stored::Kind, String), Result<stored::Item>>;

pub(crate) struct Service {
    shelf: Arc<Shelf>,
    downloader: Arc<Downloader>,
    fetching: Fetching,
}

impl Service {
    pub(crate) fn new(shelf: Arc<Shelf>, downloader: Downloader) -> Self {
        Self { shelf, downloader: Arc::new(downloader), fetching: Flights::new() }
    }
}

#[tonic::async_trait]
impl MediaCache for Service {
    async fn fetch(&self, request: FetchRequest) -> Result<Item> {
        let kind = known(request.kind())?;
        let source = source(&request.location)?;
        if let Some(item) = self.shelf.find(kind, &source).await? {
            return Ok(shown(item));
        }
        let (shelf, downloader) = (self.shelf.clone(), self.downloader.clone());
        let flight = self.fetching.join((kind, source.clone()), || fetch(shelf, downloader, kind, source, request));
        flight.await.map(shown)
    }

    async fn stat(&self, request: StatRequest) -> Result<Item> {
        let kind = known(request.kind())?;
        self.shelf.get(kind, named(&request.name)?).await.map(shown)
    }

    async fn read(&self, request: ReadRequest) -> Result<Stream<Chunk>> {
        let kind = known(request.kind())?;
        let item = self.shelf.get(kind, named(&request.name)?).await?;
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
        let deleted = self.shelf.clear(kind).await?;
        tracing::info!(deleted, "{kind:?} cache cleared: {deleted} items");
        Ok(ClearResponse { deleted })
    }
}

/// One flight: looks again, since another one may have landed in between, fetches and keeps.
async fn fetch(
    shelf: Arc<Shelf>,
    downloader: Arc<Downloader>,
    kind: stored::Kind,
    source: String,
    request: FetchRequest,
) -> Result<stored::Item> {
    if let Some(item) = shelf.find(kind, &source).await? {
        return Ok(item);
    }
    let begun = Instant::now();
    let fetched = downloader.fetch(kind, &source, &request.location, &request.token).await?;
    let item = shelf.keep(kind, source, fetched).await?;
    let duration_ms = begun.elapsed().as_millis();
    tracing::info!(
        request_id = request.request_id, name = item.name, size_bytes = item.size, duration_ms,
        "fetched {}, {} bytes in {duration_ms} ms", item.name, item.size,
    );
    Ok(item)
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
    }
}
