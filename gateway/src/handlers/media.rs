//! `GET|HEAD /images/{name}`, `/videos/{name}`: from the media cache, whole, in parts, or not at all when the client
//! has it already (RFC 9110: sections 13 and 14). Links that need a signature are checked before anything is looked up.

mod range;

use axum::{
    body::Body,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt as _;
use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Error, Result,
    media::{Item, Kind, ReadRequest, StatRequest},
};

use crate::{
    Deps, admin,
    links::Signer,
    openai::error::Failure,
    openapi::{Bytes, MediaFailures, MediaHeaders, MediaSignature},
};
use range::Range;

const LONGEST_NAME: usize = 255;

/// What a name stands for does not change.
const OPEN: &str = "public, max-age=86400";
/// With a key: for whoever asked, not for a cache that many share.
const OWN: &str = "private, max-age=86400";
/// By a session, which may have ended when it is asked for again.
const SEEN: &str = "private, no-cache";

type Name = Result<Path<String>, PathRejection>;

/// Gives an image, whole or a part of it. `HEAD` is answered too.
#[utoipa::path(get, path = "/images/{name}", tag = "Media", operation_id = "getImage",
    params(("name" = String, Path, description = "As in the link."), MediaSignature, MediaHeaders),
    responses(
        (status = 200, description = "The image.", content(
            (Bytes = "image/*"), (Bytes = "video/*"), (Bytes = "application/octet-stream"))),
        (status = 206, description = "The part that was asked for.", content(
            (Bytes = "image/*"), (Bytes = "video/*"), (Bytes = "application/octet-stream"))),
        (status = 304, description = "The client has it already."),
        MediaFailures,
    ))]
pub(crate) async fn image(
    State(deps): State<Deps>,
    name: Name,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    // The seed handed out links to videos under `/images`; they live in old conversations.
    let is_video = name.as_ref().is_ok_and(|Path(name)| name.ends_with(".mp4"));
    let kind = if is_video { Kind::Video } else { Kind::Image };
    linked(&deps, kind, name, query.as_deref(), &method, &headers).await
}

/// Gives a video, whole or a part of it. `HEAD` is answered too.
#[utoipa::path(get, path = "/videos/{name}", tag = "Media", operation_id = "getVideo",
    params(("name" = String, Path, description = "As in the link."), MediaSignature, MediaHeaders),
    responses(
        (status = 200, description = "The video.", content((Bytes = "video/*"), (Bytes = "application/octet-stream"))),
        (status = 206, description = "The part that was asked for.", content(
            (Bytes = "video/*"), (Bytes = "application/octet-stream"))),
        (status = 304, description = "The client has it already."),
        MediaFailures,
    ))]
pub(crate) async fn video(
    State(deps): State<Deps>,
    name: Name,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    linked(&deps, Kind::Video, name, query.as_deref(), &method, &headers).await
}

/// What a link leads to.
async fn linked(
    deps: &Deps,
    kind: Kind,
    name: Name,
    query: Option<&str>,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let name = name.ok().map(|Path(name)| name).filter(|name| is_name(name)).ok_or_else(not_found)?;
    let signer = Signer::of(&deps.runtime.current().config);
    let kept = match signer {
        None => HeaderValue::from_static(OPEN),
        Some(signer) => kept(deps, &signer, kind, &name, query, headers).await?,
    };
    answer(deps, kind, name, kept, method, headers).await
}

/// How long a signed link may be kept by its reader. Admins need no signature.
async fn kept(
    deps: &Deps,
    signer: &Signer,
    kind: Kind,
    name: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<HeaderValue> {
    let mut pairs = query.into_iter().flat_map(|query| query.split('&'));
    let given = pairs.find_map(|pair| pair.strip_prefix("signature="));
    let refused = match signer.check(kind, name, given, Clock::system().now_ms() / 1000) {
        Ok(seconds) => return Ok(text(format!("private, max-age={seconds}"))),
        Err(refused) => refused,
    };
    match &deps.admin {
        Some(services) if admin::is_admin(services, headers).await => Ok(HeaderValue::from_static(SEEN)),
        _ => Err(refused),
    }
}

/// An item of the cache for whoever may have it, as RFC 9110 says.
pub(super) async fn serve(
    deps: &Deps,
    kind: Kind,
    name: String,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    answer(deps, kind, name, HeaderValue::from_static(OWN), method, headers).await
}

async fn answer(
    deps: &Deps,
    kind: Kind,
    name: String,
    kept: HeaderValue,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let item = deps.media.stat(StatRequest { kind: kind.into(), name }).await?;
    if is_known(headers, &item.etag) {
        return Ok((StatusCode::NOT_MODIFIED, common(&item, kept)).into_response());
    }
    // A range is defined for GET only.
    let range = if *method == Method::GET { range::asked(headers, &item) } else { Range::Whole };
    let (status, offset, length) = match range {
        Range::Whole => (StatusCode::OK, 0, item.size),
        Range::Part { offset, length } => (StatusCode::PARTIAL_CONTENT, offset, length),
        Range::Unsatisfiable => return Ok(unsatisfiable(&item)),
    };
    let mut answer = common(&item, kept);
    answer.insert(header::CONTENT_TYPE, content_type(&item.content_type));
    answer.insert(header::CONTENT_LENGTH, length.into());
    answer.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    if status == StatusCode::PARTIAL_CONTENT {
        answer.insert(
            header::CONTENT_RANGE,
            text(format!("bytes {offset}-{}/{}", offset + length - 1, item.size)),
        );
    }
    let body =
        if *method == Method::HEAD { Body::empty() } else { read(deps, kind, item, offset, length).await? };
    Ok((status, answer, body).into_response())
}

async fn read(deps: &Deps, kind: Kind, item: Item, offset: u64, length: u64) -> Result<Body> {
    let request = ReadRequest { kind: kind.into(), name: item.name, offset, length: Some(length) };
    let chunks = deps.media.read(request).await?;
    Ok(Body::from_stream(chunks.map_ok(|chunk| chunk.data)))
}

/// Headers of every answer about an item.
fn common(item: &Item, kept: HeaderValue) -> HeaderMap {
    HeaderMap::from_iter([
        (header::ETAG, text(item.etag.clone())),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (header::CACHE_CONTROL, kept),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ])
}

fn unsatisfiable(item: &Item) -> Response {
    let failure = Failure::range_not_satisfiable(format!("the media has {} bytes", item.size));
    let mut response = failure.into_response();
    response.headers_mut().insert(header::CONTENT_RANGE, text(format!("bytes */{}", item.size)));
    response
}

/// Only what a browser shows without running it.
fn content_type(declared: &str) -> HeaderValue {
    let shown =
        (declared.starts_with("image/") || declared.starts_with("video/")) && !declared.contains("svg");
    text(if shown { declared.to_owned() } else { "application/octet-stream".to_owned() })
}

/// `If-None-Match`, by weak comparison.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let tags = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// One path segment of plain characters; the cache's own names are of this shape.
fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=LONGEST_NAME).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain)
}

fn not_found() -> Error {
    Error::new(grok2api_proto::Kind::NotFound, "media_not_found", "there is no such media")
}

fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static(""))
}
