//! An assets host that answers by script and notes who asked.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::Arc,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE},
    response::Response,
};
use futures_util::{StreamExt as _, stream};
use grok2api_kit::lifecycle::Tasks;
use parking_lot::Mutex;
use tokio::net::TcpListener;

/// One answer.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These bytes, under a content type that says nothing.
    Bytes(Bytes),
    /// An error page of this status.
    Status(u16),
    /// An error page that claims to be an image.
    Page,
    /// The bytes as the beginning of something this long; then the connection breaks.
    Cut(Bytes, u64),
    /// The bytes as a beginning; then silence.
    Stall(Bytes),
}

#[derive(Clone, Default)]
pub(crate) struct Assets {
    answers: Arc<Mutex<HashMap<String, VecDeque<Answer>>>>,
    requests: Arc<Mutex<Vec<(String, String)>>>,
}

impl Assets {
    pub(crate) async fn start(tasks: &Tasks) -> (Self, SocketAddr) {
        let assets = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(assets.clone());
        tasks.spawn("assets", async move { axum::serve(listener, router).await.unwrap() });
        (assets, address)
    }

    /// The answers to requests of a path, in order; the last one is repeated.
    pub(crate) fn script(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().insert(format!("/{path}"), answers.into_iter().collect());
    }

    /// Path and cookies of every request so far.
    pub(crate) fn requests(&self) -> Vec<(String, String)> {
        self.requests.lock().clone()
    }
}

async fn answer(State(assets): State<Assets>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let cookies = request.headers().get(COOKIE).map_or("", |value| value.to_str().unwrap()).to_owned();
    assets.requests.lock().push((path.clone(), cookies));
    let mut answers = assets.answers.lock();
    let script = answers.get_mut(&path);
    let next = script.and_then(|left| if left.len() > 1 { left.pop_front() } else { left.front().cloned() });
    next.unwrap_or(Answer::Status(404)).response()
}

impl Answer {
    fn response(self) -> Response {
        let response = Response::builder();
        let response = match self {
            Self::Bytes(bytes) => {
                response.header(CONTENT_TYPE, "application/octet-stream").body(bytes.into())
            }
            Self::Status(status) => response.status(status).body("<html>Just a moment...</html>".into()),
            Self::Page => {
                response.header(CONTENT_TYPE, "image/jpeg").body("<html>Just a moment...</html>".into())
            }
            Self::Cut(bytes, length) => {
                // Sent before it breaks: the server writes when it has to wait.
                let cut = stream::once(async {
                    tokio::task::yield_now().await;
                    Err(io::Error::other("cut"))
                });
                let broken = stream::iter([Ok(bytes)]).chain(cut);
                response.header(CONTENT_LENGTH, length).body(Body::from_stream(broken))
            }
            Self::Stall(bytes) => {
                let silent = stream::iter([Ok::<_, io::Error>(bytes)]).chain(stream::pending());
                response.body(Body::from_stream(silent))
            }
        };
        response.unwrap()
    }
}
