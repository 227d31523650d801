//! The failures callers see. What an asset's fetch fails with is the upstream's doing, never the client's.

use grok2api_proto::{Error, Kind};

pub(crate) fn forbidden() -> Error {
    Error::new(Kind::Upstream, "asset_forbidden", "the upstream refuses to hand out the generated media")
}

pub(crate) fn missing() -> Error {
    Error::new(Kind::Upstream, "asset_missing", "the upstream does not have the generated media")
}

pub(crate) fn fetch_failed(what: &str) -> Error {
    Error::new(Kind::Upstream, "asset_fetch_failed", format!("the generated media cannot be fetched: {what}"))
}

pub(crate) fn fetch_timeout() -> Error {
    Error::new(Kind::Timeout, "asset_fetch_failed", "the generated media was not sent in time")
}

pub(crate) fn not_media() -> Error {
    Error::new(Kind::Upstream, "asset_not_media", "the upstream sent something else than the generated media")
}

pub(crate) fn too_large(limit: u64) -> Error {
    Error::new(Kind::Upstream, "asset_too_large", format!("the generated media is larger than {limit} bytes"))
}

pub(crate) fn not_found(name: &str) -> Error {
    Error::new(Kind::NotFound, "media_not_found", format!("there is no media {name:?}"))
}

pub(crate) fn not_satisfiable(offset: u64, size: u64) -> Error {
    let message = format!("offset {offset} is past the end, the size is {size}");
    Error::new(Kind::InvalidRequest, "range_not_satisfiable", message).at("offset")
}

pub(crate) fn stopping() -> Error {
    Error::new(Kind::Unavailable, "shutting_down", "the media cache is stopping")
}

/// The object store failed; the details are logged here, where they are known.
pub(crate) fn store_failed(error: impl std::fmt::Display) -> Error {
    tracing::error!(%error, "media store: {error}");
    Error::new(Kind::Unavailable, "media_store_failed", "the media store is not available")
}

/// The store of the settings cannot be used; said to whoever starts the process.
pub(crate) fn unusable(place: &str, what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Unavailable, "media_store_failed", format!("{place}: {what}"))
}

/// A file that is to be taken in cannot be read.
pub(crate) fn file_failed(path: &std::path::Path, error: impl std::fmt::Display) -> Error {
    Error::new(Kind::InvalidRequest, "file_failed", format!("{}: {error}", path.display()))
}
