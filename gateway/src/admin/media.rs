//! Generated images and videos.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use grok2api_proto::{
    Error, Result,
    media::{ClearRequest, Kind, ListRequest, RemoveRequest, StatRequest, UsageRequest},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Console,
    extract::{Body, Params, limit},
    session::Who,
    words::{self, some},
};
use crate::{links::Links, openai::error::Failure};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    kind: String,
    cursor: Option<String>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clear {
    kind: String,
}

#[derive(Serialize)]
struct Item {
    kind: String,
    name: String,
    url: String,
    content_type: String,
    size: u64,
    created_at: i64,
    owner: Option<Owner>,
}

/// For whom it was made.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Owner {
    /// Without a name when the key is not known any more.
    Key {
        id: String,
        name: Option<String>,
    },
    Admin {
        name: String,
    },
}

pub(super) async fn list(
    State(console): State<Console>,
    Params(page): Params<Page>,
) -> Result<Json<Value>, Failure> {
    let kind = words::read_kind(&page.kind)?;
    let (cursor, limit) = (page.cursor.unwrap_or_default(), limit(page.limit)?);
    let listed = console.deps.media.list(ListRequest { kind: kind.into(), cursor, limit }).await?;
    let links = Links::within(&console.deps.runtime.current().config);
    let keys = console.names.keys(&console.services).await;
    let owner = |owner: &str| match owner.split_once(':')? {
        ("key", id) => Some(Owner::Key { id: id.to_owned(), name: keys.get(id).cloned() }),
        ("admin", name) => Some(Owner::Admin { name: name.to_owned() }),
        _ => None,
    };
    let items = listed.items.into_iter().map(|item| Item {
        owner: owner(&item.owner),
        kind: words::kind(item.kind()),
        url: links.link(item.kind(), &item.name),
        name: item.name,
        content_type: item.content_type,
        size: item.size,
        created_at: item.created_at,
    });
    Ok(Json(json!({"items": items.collect::<Vec<_>>(), "next_cursor": some(listed.next_cursor)})))
}

pub(super) async fn usage(State(console): State<Console>) -> Result<Json<Value>, Failure> {
    let used = console.deps.media.usage(UsageRequest {}).await?;
    let items = used.kinds.iter().map(|usage| {
        json!({
            "kind": words::kind(usage.kind()),
            "items": usage.items,
            "bytes": usage.bytes,
            "limit_bytes": usage.limit_bytes,
        })
    });
    Ok(Json(json!({"items": items.collect::<Vec<_>>()})))
}

pub(super) async fn remove(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    let of = words::read_kind(&kind)?.into();
    let before = console.deps.media.stat(StatRequest { kind: of, name: name.clone() }).await.ok();
    let before = before.map_or(
        Value::Null,
        |item| json!({"content_type": item.content_type, "size": item.size, "created_at": item.created_at}),
    );
    let request = RemoveRequest { kind: of, name: name.clone() };
    if !console.deps.media.remove(request).await?.removed {
        let message = format!("there is no {kind} {name:?}");
        return Err(Error::new(grok2api_proto::Kind::NotFound, "media_not_found", message).into());
    }
    console.log(&who, "media.delete", format!("{kind}/{name}"), before, Value::Null).await;
    Ok(Json(json!({"deleted": 1})))
}

pub(super) async fn clear(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(clear): Body<Clear>,
) -> Result<Json<Value>, Failure> {
    let kinds = match clear.kind.as_str() {
        "all" => vec![Kind::Image, Kind::Video],
        kind => vec![words::read_kind(kind)?],
    };
    let mut deleted = 0;
    for kind in kinds {
        deleted += clear_kind(&console, &who, kind).await?;
    }
    Ok(Json(json!({"deleted": deleted})))
}

/// Deletes everything of a kind.
pub(super) async fn clear_kind(console: &Console, who: &Who, kind: Kind) -> Result<u64> {
    let used = console.deps.media.usage(UsageRequest {}).await.map(|used| used.kinds).unwrap_or_default();
    let before = used.iter().find(|usage| usage.kind() == kind);
    let before = before.map_or(Value::Null, |usage| json!({"items": usage.items, "bytes": usage.bytes}));
    let deleted = console.deps.media.clear(ClearRequest { kind: kind.into() }).await?.deleted;
    console.log(who, "media.clear", words::kind(kind), before, json!({"deleted": deleted})).await;
    Ok(deleted)
}
