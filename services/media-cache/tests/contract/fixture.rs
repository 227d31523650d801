//! A media cache over a scripted assets host, reached in one of three ways.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::body::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use grok2api_kit::{clock::Clock, egress, lifecycle::Tasks, runtime::Runtime, settings};
use grok2api_media_cache::{Deps, start};
use grok2api_proto::{
    Error, Result, Stream,
    config::{
        Config, GetRequest, ListParametersRequest, ListParametersResponse, ListRevisionsRequest,
        ListRevisionsResponse, Revision, RollbackRequest, RuntimeConfig, UpdateRequest, WatchRequest,
    },
    media::{self, FetchRequest, Item, Kind, MediaCache, ReadRequest, StatRequest, UsageRequest},
};
use grok2api_storage::Store;
use grok2api_testkit::{Reach, S3Server, Standing, reach, runtime_config};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use crate::assets::{Answer, Assets};

pub(crate) const NOW: i64 = 1_760_000_000_000;
pub(crate) const TOKEN: &str = "token-of-the-owner";

/// How the cache is reached, and where its bytes lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// Directly; a directory.
    Direct,
    /// Over protobuf; a directory.
    Wired,
    /// Over TCP; a directory.
    Tcp,
    /// Directly; a bucket.
    Bucket,
    /// Over TCP; a directory, and the index in MariaDB.
    TcpMariaDb,
    /// Over TCP; a directory, and the index in Redis.
    TcpRedis,
}

/// Where the bytes lie, as somebody else would see them.
pub(crate) enum Place {
    Directory(PathBuf),
    Bucket(S3Server),
}

pub(crate) struct Fixture {
    pub(crate) cache: Arc<dyn MediaCache>,
    pub(crate) assets: Assets,
    pub(crate) clock: Clock,
    pub(crate) place: Place,
    standing: Standing,
    limits: watch::Sender<Revision>,
    upstream: settings::Upstream,
    tasks: Tasks,
}

impl Way {
    fn reach(self) -> Reach {
        match self {
            Self::Direct | Self::Bucket => Reach::Direct,
            Self::Wired => Reach::Wired,
            Self::Tcp | Self::TcpMariaDb | Self::TcpRedis => Reach::Tcp,
        }
    }

    fn mode(self) -> settings::Mode {
        match self {
            Self::TcpMariaDb => settings::Mode::Mysql,
            Self::TcpRedis => settings::Mode::Redis,
            _ => settings::Mode::File,
        }
    }
}

impl Fixture {
    pub(crate) async fn new(how: Way) -> Self {
        let tasks = Tasks::new();
        let (assets, address) = Assets::start(&tasks).await;
        let url: url::Url = format!("http://{address}").parse().unwrap();
        let upstream = settings::Upstream { url: url.clone(), assets_url: url, allow_private_images: false };
        let clock = Clock::manual(NOW);
        let limits = watch::Sender::new(revision(0, 1));
        let standing = Standing::start(how.mode());
        let place = match how {
            Way::Bucket => Place::Bucket(S3Server::start()),
            _ => Place::Directory(standing.settings.data.dir.join("media")),
        };
        let cache = open(&standing.settings, &place, &upstream, &limits, &clock, &tasks).await.unwrap();
        let cache = reach(how.reach(), cache, media::server, media::client, &tasks).await;
        Self { cache, assets, clock, place, standing, limits, upstream, tasks }
    }

    /// Stops the service and starts another one on the same data.
    pub(crate) async fn restart(&mut self, between: impl FnOnce(&Place)) {
        self.tasks.shutdown().stop();
        between(&self.place);
        self.tasks = Tasks::new();
        self.cache = self.replica().await.unwrap();
    }

    /// Another service on the same data.
    pub(crate) async fn replica(&self) -> Result<Arc<dyn MediaCache>> {
        open(&self.standing.settings, &self.place, &self.upstream, &self.limits, &self.clock, &self.tasks)
            .await
    }

    /// Sets both limits.
    pub(crate) fn limit(&self, megabytes: u32) {
        self.limits.send_modify(|current| *current = revision(current.number + 1, megabytes));
    }

    pub(crate) async fn fetch(&self, kind: Kind, location: &str) -> Result<Item> {
        let request = FetchRequest {
            request_id: "r".into(),
            kind: kind.into(),
            location: location.into(),
            token: TOKEN.into(),
            owner: "key:of-the-test".into(),
        };
        self.cache.fetch(request).await
    }

    /// Scripts and fetches an image of that size.
    pub(crate) async fn image(&self, location: &str, size: usize) -> Item {
        self.assets.script(location, [Answer::Bytes(jpeg(size))]);
        self.fetch(Kind::Image, location).await.unwrap()
    }

    pub(crate) async fn stat(&self, name: &str) -> Result<Item> {
        self.cache.stat(StatRequest { kind: Kind::Image.into(), name: name.into() }).await
    }

    pub(crate) async fn read(&self, item: &Item, offset: u64, length: Option<u64>) -> Result<Vec<Bytes>> {
        let request = ReadRequest { kind: item.kind, name: item.name.clone(), offset, length };
        let chunks = self.cache.read(request).await?;
        chunks.map_ok(|chunk| chunk.data).try_collect().await
    }

    /// Items and bytes of images.
    pub(crate) async fn images(&self) -> (u64, u64) {
        let kinds = self.cache.usage(UsageRequest {}).await.unwrap().kinds;
        let images = kinds.iter().find(|usage| usage.kind() == Kind::Image).unwrap();
        (images.items, images.bytes)
    }

    /// Names of the files of a kind, those of drafts included.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        self.place.files(folder)
    }

    /// How many items are half written.
    pub(crate) fn drafts(&self) -> usize {
        match &self.place {
            Place::Directory(_) => self.files("images").iter().filter(|name| name.contains('#')).count(),
            Place::Bucket(server) => server.open_uploads(),
        }
    }
}

impl Place {
    fn files(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = match self {
            Self::Directory(directory) => std::fs::read_dir(directory.join(folder))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect(),
            Self::Bucket(server) => {
                let prefix = format!("some/where/{folder}/");
                let keys = server.keys(&prefix);
                keys.iter().map(|key| key.strip_prefix(&prefix).unwrap().to_owned()).collect()
            }
        };
        names.sort_unstable();
        names
    }

    /// Puts a file among the images.
    pub(crate) fn put(&self, name: &str, data: &[u8]) {
        match self {
            Self::Directory(directory) => std::fs::write(directory.join("images").join(name), data).unwrap(),
            Self::Bucket(server) => server.put(&format!("some/where/images/{name}"), data),
        }
    }

    /// Takes an image's file away.
    pub(crate) fn delete(&self, name: &str) {
        match self {
            Self::Directory(directory) => std::fs::remove_file(directory.join("images").join(name)).unwrap(),
            Self::Bucket(server) => server.delete(&format!("some/where/images/{name}")),
        }
    }

    /// The settings that name it.
    pub(crate) fn settings(&self) -> settings::Media {
        let mut media = settings::Settings::load(None, []).unwrap().media;
        if let Self::Bucket(server) = self {
            media.url = format!("s3://{}/some/where", S3Server::BUCKET);
            media.endpoint = server.endpoint();
            media.access_key = "key".into();
            media.secret_key = "secret".into();
        }
        media
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.tasks.shutdown().stop();
    }
}

async fn open(
    settings: &settings::Settings,
    place: &Place,
    upstream: &settings::Upstream,
    limits: &watch::Sender<Revision>,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<Arc<dyn MediaCache>> {
    let runtime = Runtime::follow(Arc::new(Limits(limits.subscribe())), tasks).await.unwrap();
    let deps = Deps {
        index: Store::open(settings).await.unwrap().media(),
        media: place.settings(),
        data_dir: settings.data.dir.clone(),
        runtime: runtime.clone(),
        egress: egress::Gateway::new(egress::Endpoints::from(upstream), runtime),
        clock: clock.clone(),
        tasks: tasks.clone(),
    };
    start(deps).await
}

/// Waits until the condition holds.
pub(crate) async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("the condition holds in time");
}

/// What begins like a JPEG; its length tells it from others.
pub(crate) fn jpeg(size: usize) -> Bytes {
    let noise = (0..size).map(|at| u8::try_from(at * at % 251).unwrap());
    [0xff, 0xd8, 0xff, 0xe0].into_iter().chain(noise).take(size).collect()
}

/// What begins like an MP4 film.
pub(crate) fn mp4(size: usize) -> Bytes {
    let noise = (0..size).map(|at| u8::try_from(at % 253).unwrap());
    b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41".iter().copied().chain(noise).take(size).collect()
}

fn revision(number: u64, megabytes: u32) -> Revision {
    let config = RuntimeConfig {
        image_cache_max_size_mb: megabytes,
        video_cache_max_size_mb: megabytes,
        ..runtime_config()
    };
    Revision { number, config: Some(config), author: String::new(), created_at: NOW }
}

/// A config service of which the test sets the limits.
struct Limits(watch::Receiver<Revision>);

#[tonic::async_trait]
impl Config for Limits {
    async fn get(&self, _: GetRequest) -> Result<Revision> {
        Ok(self.0.borrow().clone())
    }

    async fn update(&self, _: UpdateRequest) -> Result<Revision> {
        Err(Error::internal("the test sets the limits itself"))
    }

    async fn watch(&self, _: WatchRequest) -> Result<Stream<Revision>> {
        Ok(WatchStream::new(self.0.clone()).map(Ok).boxed())
    }

    async fn list_parameters(&self, _: ListParametersRequest) -> Result<ListParametersResponse> {
        Ok(ListParametersResponse::default())
    }

    async fn list_revisions(&self, _: ListRevisionsRequest) -> Result<ListRevisionsResponse> {
        Ok(ListRevisionsResponse::default())
    }

    async fn rollback(&self, _: RollbackRequest) -> Result<Revision> {
        Err(Error::internal("the test sets the limits itself"))
    }
}
