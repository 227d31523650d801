//! The bodies of a request that were kept.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use grok2api_proto::{
    Result,
    capture::{Bodies, Body, ReadRequest},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::spoken::spoken;
use crate::{
    admin::{Console, session::Who},
    openai::error::Failure,
};

/// A body as it is shown.
#[derive(Serialize)]
pub(super) struct Shown {
    media_type: String,
    /// Bytes it had.
    size: u64,
    /// What is kept is not all of it.
    truncated: bool,
    /// Absent when it is no text.
    body: Option<String>,
    /// What the model said in it, where that is understood.
    text: Option<String>,
}

pub(crate) async fn bodies(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let Bodies { id, request, answer } = read(&console, &who, id).await?;
    Ok(Json(json!({"id": id, "request": request.map(Shown::from), "answer": answer.map(Shown::from)})))
}

/// The service writes down who reads them.
pub(super) async fn read(console: &Console, who: &Who, id: String) -> Result<Bodies> {
    console.services.captures.read(ReadRequest { id, reader: who.name.clone() }).await
}

/// Whether all of a body was kept.
pub(super) fn is_whole(body: &Body) -> bool {
    body.size == body.data.len() as u64
}

impl From<Body> for Shown {
    fn from(body: Body) -> Self {
        let truncated = !is_whole(&body);
        let text = match String::from_utf8(body.data.to_vec()) {
            Ok(text) => Some(text),
            // A body that was cut may end inside a character.
            Err(error) if truncated && error.utf8_error().error_len().is_none() => {
                Some(String::from_utf8_lossy(error.as_bytes()).into_owned())
            }
            Err(_) => None,
        };
        Self {
            text: text.as_deref().and_then(|text| spoken(&body.media_type, text)),
            body: text,
            truncated,
            media_type: body.media_type,
            size: body.size,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::whole(b"{}", 2, Some("{}"), false)]
    #[case::cut(b"{\"a\"", 90, Some("{\"a\""), true)]
    #[case::cut_inside_a_character(b"a\xe6\x9c", 90, Some("a\u{fffd}"), true)]
    #[case::no_text(b"\xff\xd8\xff", 3, None, false)]
    fn a_body_is_shown_as_far_as_it_is_text(
        #[case] data: &'static [u8],
        #[case] size: u64,
        #[case] shown: Option<&str>,
        #[case] truncated: bool,
    ) {
        let body = Body { media_type: "application/json".into(), data: data.into(), size };
        let told = Shown::from(body);
        assert_eq!((told.body.as_deref(), told.truncated), (shown, truncated));
    }
}
