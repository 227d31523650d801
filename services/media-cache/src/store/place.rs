//! The two places a store may be in: a directory and a bucket.

use std::{
    fmt::Display,
    fs::DirEntry,
    io,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::TryStreamExt as _;
use grok2api_kit::{
    lifecycle::Tasks,
    settings::{Bucket, Media, MediaPlace},
};
use grok2api_proto::Result;
use grok2api_storage::media::Kind;
use object_store::{
    ClientOptions, Error as StoreError, ObjectStore, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    local::LocalFileSystem,
    path::Path,
    prefix::PrefixStore,
};

use super::{Store, folder, path, upload::Upload};
use crate::error::unusable;

/// How long a connection may take to come about, and how long the store may be silent. A request has no limit as a
/// whole: a client may take its time to read a film.
const CONNECT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(60);
/// How often, and for how long, a request that failed on its way is tried again.
const RETRIES: usize = 3;
const RETRYING: Duration = Duration::from_secs(20);
/// A draft that nothing was added to for so long belongs to nobody: a download is given up long before.
const ABANDONED: Duration = Duration::from_secs(15 * 60);
/// Longest text of an error at start.
const SHOWN: usize = 300;

pub(super) async fn open(settings: &Media, data_dir: &FilePath, tasks: Tasks) -> Result<Store> {
    match settings.place(data_dir).map_err(|what| unusable("media.url", what))? {
        MediaPlace::Directory(directory) => in_directory(directory, tasks).await,
        MediaPlace::Bucket(bucket) => in_bucket(settings, &bucket, tasks).await,
    }
}

/// A directory, cleaned of what earlier processes left half written.
async fn in_directory(directory: PathBuf, tasks: Tasks) -> Result<Store> {
    let place = directory.display().to_string();
    for kind in Kind::ALL {
        grok2api_kit::directory::private(&directory.join(folder(kind)))
            .map_err(|error| unusable(&place, error))?;
    }
    sweep(&directory).map_err(|error| unusable(&place, error))?;
    let objects =
        LocalFileSystem::new_with_prefix(&directory).map_err(|error| unusable(&place, one_line(&error)))?;
    let store = Store { objects: Arc::new(objects), directory: Some(Arc::new(directory)), tasks };
    try_out(&store).await.map_err(|error| unusable(&place, one_line(&error)))?;
    Ok(store)
}

async fn in_bucket(settings: &Media, bucket: &Bucket, tasks: Tasks) -> Result<Store> {
    let at = if settings.endpoint.is_empty() { "Amazon S3" } else { &settings.endpoint };
    let place = format!("{} at {at}", settings.url);
    let objects = client(settings, bucket).map_err(|error| unusable(&place, one_line(&error)))?;
    let objects: Arc<dyn ObjectStore> = match bucket.prefix.as_str() {
        "" => Arc::new(objects),
        prefix => Arc::new(PrefixStore::new(objects, prefix)),
    };
    let store = Store { objects, directory: None, tasks };
    try_out(&store).await.map_err(|error| unusable(&place, reason(&error)))?;
    Ok(store)
}

fn client(settings: &Media, bucket: &Bucket) -> Result<AmazonS3, StoreError> {
    let options = ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT)
        .with_read_timeout(SILENCE)
        .with_allow_http(settings.endpoint.starts_with("http://"));
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRYING, ..RetryConfig::default() };
    let mut builder = if settings.access_key.is_empty() {
        AmazonS3Builder::from_env()
    } else {
        AmazonS3Builder::new()
            .with_access_key_id(&settings.access_key)
            .with_secret_access_key(&settings.secret_key)
    };
    if let Some(endpoint) = endpoint(settings, bucket) {
        builder = builder.with_endpoint(endpoint);
    }
    builder
        .with_bucket_name(&bucket.name)
        .with_region(&settings.region)
        .with_virtual_hosted_style_request(!settings.path_style)
        .with_client_options(options)
        .with_retry(retry)
        .build()
}

/// The address of the store; the client wants the bucket in it when it is to stand there.
fn endpoint(settings: &Media, bucket: &Bucket) -> Option<String> {
    let endpoint = settings.endpoint.trim_end_matches('/');
    let (scheme, host) = endpoint.split_once("://")?;
    Some(if settings.path_style { endpoint.to_owned() } else { format!("{scheme}://{}.{host}", bucket.name) })
}

/// Lists, and begins an item which is given up: needs the rights that the cache needs, and leaves nothing.
async fn try_out(store: &Store) -> Result<(), StoreError> {
    let folder = Path::from(folder(Kind::Image));
    store.objects.list(Some(&folder)).try_next().await?;
    let mut upload = Upload::new(store.clone(), path(Kind::Image, "start"));
    upload.begin().await?;
    upload.abort().await
}

/// What an operator can do about it, and what the store said.
fn reason(error: &StoreError) -> String {
    let text = one_line(error);
    // A refused listing is not told apart from other failures, save by its text.
    let refused = ["401 Unauthorized", "403 Forbidden"].iter().any(|status| text.contains(status));
    if text.contains("NoSuchBucket") || matches!(error, StoreError::NotFound { .. }) {
        format!("there is no such bucket: {text}")
    } else if refused
        || matches!(error, StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. })
    {
        format!("it refuses the access key, or the key may not list and write there: {text}")
    } else {
        text
    }
}

/// Some stores answer with a page.
fn one_line(error: &impl Display) -> String {
    let text = error.to_string();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(SHOWN).collect()
}

/// Removes abandoned drafts: `<name>#<number>`, as the local object store calls them. Those of other processes that
/// share the directory are younger.
pub(super) fn sweep(directory: &FilePath) -> io::Result<()> {
    let before = SystemTime::now() - ABANDONED;
    for kind in Kind::ALL {
        for entry in std::fs::read_dir(directory.join(folder(kind)))? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(is_draft) {
                // Another process may have finished or given up its draft since the directory was read.
                or_gone(sweep_draft(&entry, before))?;
            }
        }
    }
    Ok(())
}

fn sweep_draft(draft: &DirEntry, before: SystemTime) -> io::Result<()> {
    if draft.metadata()?.modified()? < before {
        std::fs::remove_file(draft.path())?;
    }
    Ok(())
}

fn or_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn is_draft(name: &str) -> bool {
    let number = name.rsplit_once('#').map_or("", |(_, number)| number);
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}
