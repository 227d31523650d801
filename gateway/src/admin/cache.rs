//! The media cache, as the seed's console asks for it.

use axum::{Extension, Json, extract::State};
use grok2api_proto::{
    Result,
    media::{Kind, UsageRequest},
};
use serde_json::{Value, json};

use super::{Console, media::clear_kind, session::Who};
use crate::openai::error::Failure;

pub(super) async fn size(State(console): State<Console>) -> Result<Json<Value>, Failure> {
    let used = console.deps.media.usage(UsageRequest {}).await?.kinds;
    let of = |kind| used.iter().filter(|usage| usage.kind() == kind).map(|usage| usage.bytes).sum::<u64>();
    let (images, videos) = (of(Kind::Image), of(Kind::Video));
    Ok(Json(json!({
        "success": true,
        "data": {
            "image_size": words(images),
            "video_size": words(videos),
            "total_size": words(images + videos),
            "image_size_bytes": images,
            "video_size_bytes": videos,
            "total_size_bytes": images + videos,
        },
    })))
}

pub(super) async fn clear(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Failure> {
    let images = clear_kind(&console, &who, Kind::Image).await?;
    let videos = clear_kind(&console, &who, Kind::Video).await?;
    let data = json!({"deleted_count": images + videos, "image_count": images, "video_count": videos});
    Ok(cleared(images + videos, data))
}

pub(super) async fn clear_images(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Failure> {
    let deleted = clear_kind(&console, &who, Kind::Image).await?;
    Ok(cleared(deleted, json!({"deleted_count": deleted, "type": "images"})))
}

pub(super) async fn clear_videos(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Failure> {
    let deleted = clear_kind(&console, &who, Kind::Video).await?;
    Ok(cleared(deleted, json!({"deleted_count": deleted, "type": "videos"})))
}

#[expect(clippy::needless_pass_by_value, reason = "a value made for the answer")]
fn cleared(deleted: u64, data: Value) -> Json<Value> {
    Json(json!({"success": true, "message": format!("{deleted} files deleted"), "data": data}))
}

/// A size as the seed writes it.
fn words(bytes: u64) -> String {
    let (mut size, mut unit) = (bytes as f64, "B");
    for larger in ["KB", "MB", "GB", "TB"] {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    format!("{size:.1} {unit}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_written_as_the_seed_does() {
        let words = [0, 1023, 1024, 1_258_291, 5 << 40].map(super::words);
        assert_eq!(words, ["0.0 B", "1023.0 B", "1.0 KB", "1.2 MB", "5.0 TB"]);
    }
}
