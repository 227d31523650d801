//! Long work that tells how far it is: a line of JSON at a time. It goes on when nobody listens any more.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream;
use grok2api_kit::lifecycle::Tasks;
use grok2api_proto::Error;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::openai::error;

/// Lines that wait for a slow client; those of progress are left out beyond that.
const WAITING: usize = 64;

/// Takes lines.
pub(super) struct Teller(mpsc::Sender<Value>);

impl Teller {
    /// How far it is; a client that is slow misses some.
    pub(super) fn progress(&self, done: usize, total: usize) {
        drop(self.0.try_send(json!({"type": "progress", "done": done, "total": total})));
    }

    /// A line that must not be missed.
    pub(super) async fn line(&self, line: Value) {
        // The client may have left.
        self.0.send(line).await.ok();
    }

    pub(super) async fn failed(&self, error: &Error) {
        self.failed_with(error, json!({})).await;
    }

    /// With what must be known although it failed.
    pub(super) async fn failed_with(&self, error: &Error, more: Value) {
        let mut line = json!(error::Body::from(error));
        line["type"] = json!("error");
        merge(&mut line, more);
        self.line(line).await;
    }
}

/// Adds the fields of an object to another.
pub(super) fn merge(line: &mut Value, more: Value) {
    if let (Value::Object(line), Value::Object(more)) = (line, more) {
        line.extend(more);
    }
}

/// Answers with what `work` tells.
pub(super) fn answer<F>(tasks: &Tasks, name: &'static str, work: impl FnOnce(Teller) -> F) -> Response
where
    F: Future<Output = ()> + Send + 'static,
{
    let (lines, told) = mpsc::channel(WAITING);
    tasks.spawn_background(name, work(Teller(lines)));
    let lines = stream::unfold(told, async |mut told| {
        let mut line = told.recv().await?.to_string();
        line.push('\n');
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(line)), told))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(lines)).into_response()
}
