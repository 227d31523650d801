//! `GET /users/…`: what `assets.grok.com` serves, to its owner only (reference 6.4, 6.5).

use std::{ops::Range, sync::Arc};

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use uuid::Uuid;

use crate::{
    account::Account, assets::Asset, fault::Scope, ids::digest, journal::Visit, reply::Reply, world::World,
};

const FORBIDDEN: Reply = Reply::html(403, "<!doctype html><title>403 Forbidden</title>");

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Range<usize>),
    Nothing,
}

pub(crate) async fn generated(
    State(world): State<Arc<World>>,
    visit: Visit,
    Path((user, id, file)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    let mint = world.settings().mint;
    let find = |owner| Asset::generated(mint, owner, &id, &file);
    let result = fetch(&world, &visit, &headers, &user, find).await;
    serve(visit, &headers, result)
}

pub(crate) async fn uploaded(
    State(world): State<Arc<World>>,
    visit: Visit,
    Path((user, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let find = |owner| {
        let id = Uuid::parse_str(&id).ok()?;
        world.uploads.lock().get(owner, id).map(Asset::from)
    };
    let result = fetch(&world, &visit, &headers, &user, find).await;
    serve(visit, &headers, result)
}

async fn fetch(
    world: &World,
    visit: &Visit,
    headers: &HeaderMap,
    user: &str,
    find: impl FnOnce(Uuid) -> Option<Asset>,
) -> Result<Asset, Reply> {
    let account = owner(world, visit, headers, user)?;
    world.gate(visit, Scope::Assets, &account, None).await?;
    find(account.user).ok_or_else(|| Reply::not_found("asset not found"))
}

/// The account in the cookie, if the path is its own. Nobody else learns whether the asset exists.
fn owner(world: &World, visit: &Visit, headers: &HeaderMap, user: &str) -> Result<Arc<Account>, Reply> {
    let account = world.enter(visit, headers);
    let account = account.map_err(|reply| if reply.status == 401 { FORBIDDEN } else { reply })?;
    if account.user.to_string() == user { Ok(account) } else { Err(FORBIDDEN) }
}

fn serve(visit: Visit, headers: &HeaderMap, result: Result<Asset, Reply>) -> Response {
    let asset = match result {
        Ok(asset) => asset,
        Err(reply) => return visit.answer(Err(reply)),
    };
    let tag = etag(&asset.content);
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|known| known == "*" || known.contains(&tag)) {
        return visit.deliver(tagged(StatusCode::NOT_MODIFIED, &tag, Bytes::new()), 0);
    }
    // A stale If-Range turns the request into one for the whole.
    let fresh = text(header::IF_RANGE).is_none_or(|known| known == tag);
    let range = text(header::RANGE).filter(|_| fresh);
    let size = asset.content.len();
    let (status, part, place) = match wanted(range, size) {
        Wanted::Whole => (StatusCode::OK, asset.content, None),
        Wanted::Part(Range { start, end }) => {
            let place = format!("bytes {start}-{}/{size}", end - 1);
            (StatusCode::PARTIAL_CONTENT, asset.content.slice(start..end), Some(place))
        }
        Wanted::Nothing => (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new(), Some(format!("bytes */{size}"))),
    };
    let bytes = part.len();
    let mut response = tagged(status, &tag, part);
    let mime = HeaderValue::from_str(&asset.mime);
    let mime = mime.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(header::CONTENT_TYPE, mime);
    if let Some(place) = place.and_then(|place| HeaderValue::from_str(&place).ok()) {
        response.headers_mut().insert(header::CONTENT_RANGE, place);
    }
    visit.deliver(response, bytes)
}

fn tagged(status: StatusCode, tag: &str, content: Bytes) -> Response {
    let fixed = [(header::ACCEPT_RANGES, "bytes"), (header::CACHE_CONTROL, "private, max-age=86400")];
    (status, fixed, [(header::ETAG, tag)], Body::from(content)).into_response()
}

fn etag(content: &[u8]) -> String {
    let sum = digest(&[content]);
    let hex: String = sum.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// Reads a single byte range (RFC 9110, 14.1.2); anything else asks for the whole.
fn wanted(range: Option<&str>, size: usize) -> Wanted {
    let Some((first, last)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
        return Wanted::Whole;
    };
    let part = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..size.min(last.saturating_add(1)),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Wanted::Whole,
    };
    if part.start < part.end { Wanted::Part(part) } else { Wanted::Nothing }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, Wanted::Whole)]
    #[case(Some("bytes=0-3"), Wanted::Part(0..4))]
    #[case(Some("bytes=8-"), Wanted::Part(8..10))]
    #[case(Some("bytes=-3"), Wanted::Part(7..10))]
    #[case(Some("bytes=-30"), Wanted::Part(0..10))]
    #[case(Some("bytes=4-400"), Wanted::Part(4..10))]
    #[case(Some("bytes=10-"), Wanted::Nothing)]
    #[case(Some("bytes=-0"), Wanted::Nothing)]
    #[case(Some("bytes=5-4"), Wanted::Whole)]
    #[case(Some("bytes=0-1,3-4"), Wanted::Whole)]
    #[case(Some("lines=0-1"), Wanted::Whole)]
    fn ranges_of_ten_bytes(#[case] range: Option<&str>, #[case] expected: Wanted) {
        assert_eq!(wanted(range, 10), expected);
    }
}
