//! Bodies of requests and answers, kept for a share of the requests when the operator wants them.
//!
//! The bodies are looked at while they pass, and handed over when the answer is over: nothing waits for it. What is open
//! and what waits to be sent shares [`MOST`] places, so the memory is bounded; a request that finds no place is not
//! captured. Headers are never kept but the content types.
//!
//! A layer sees the bodies and a handler knows the ledger's id of the request: the handler [names](named) it, and what
//! nobody named, such as a request without a key, is not kept.

mod excerpt;
mod sender;
mod tee;

use std::sync::{Arc, OnceLock};

use axum::{
    extract::{Request, State},
    http::{Extensions, HeaderMap, header},
    middleware::Next,
    response::Response,
};
use grok2api_kit::{lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::capture::{Bodies, Body, Captures};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use uuid::Uuid;

use crate::Deps;
use excerpt::Excerpt;

/// Requests whose bodies are held in memory at once.
const MOST: usize = 64;
const KIB: usize = 1024;

/// Captures requests; clones share one queue.
#[derive(Clone)]
pub struct Capturer {
    runtime: Runtime,
    places: Arc<Semaphore>,
    queue: mpsc::Sender<Taken>,
}

/// Bodies on their way to the store, with their place.
struct Taken {
    bodies: Bodies,
    _place: OwnedSemaphorePermit,
}

/// The ledger's id of a request that is captured; stands in its extensions.
#[derive(Clone, Default)]
struct Name(Arc<OnceLock<String>>);

/// One request's bodies while they pass. Dropped with the last of them, it hands them over.
struct Capture {
    name: Name,
    request: Mutex<Excerpt>,
    answer: Mutex<Excerpt>,
    place: Option<OwnedSemaphorePermit>,
    queue: mpsc::Sender<Taken>,
}

impl Capturer {
    /// Begins to send what is captured to `store`, until the hard stop.
    pub fn start(store: Arc<dyn Captures>, runtime: Runtime, tasks: &Tasks) -> Self {
        let (queue, taken) = mpsc::channel(MOST);
        tasks.spawn_finishing(sender::run(store, taken, tasks.shutdown().clone()));
        Self { runtime, places: Arc::new(Semaphore::new(MOST)), queue }
    }

    /// Nothing, for most requests.
    fn begin(&self, headers: &HeaderMap) -> Option<Capture> {
        let applied = self.runtime.current();
        let (share, most) = (applied.config.capture_share_percent, applied.config.capture_max_body_kb);
        if share == 0 || picked() >= share {
            return None;
        }
        let place = self.places.clone().try_acquire_owned().ok()?;
        let most = most as usize * KIB;
        Some(Capture {
            name: Name::default(),
            request: Mutex::new(Excerpt::new(media_type(headers), most)),
            answer: Mutex::new(Excerpt::new(String::new(), most)),
            place: Some(place),
            queue: self.queue.clone(),
        })
    }
}

/// A number below 100.
fn picked() -> u32 {
    u32::try_from(Uuid::new_v4().as_u64_pair().1 % 100).unwrap_or_default()
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().chars().take(200).collect()
}

/// The layer: looks at the bodies of a request that was picked.
pub(crate) async fn layer(State(deps): State<Deps>, mut request: Request, next: Next) -> Response {
    let Some(capture) = deps.capture.begin(request.headers()).map(Arc::new) else {
        return next.run(request).await;
    };
    request.extensions_mut().insert(capture.name.clone());
    let seen = capture.clone();
    let request = request.map(|body| tee::body(body, seen, |capture| &capture.request));
    let response = next.run(request).await;
    capture.answer.lock().of_type(media_type(response.headers()));
    response.map(|body| tee::body(body, capture, |capture| &capture.answer))
}

/// Says which request of the ledger this is.
pub(crate) fn named(extensions: &Extensions, turn_id: &str) {
    if let Some(Name(name)) = extensions.get() {
        name.set(turn_id.to_owned()).ok();
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let (Some(id), Some(place)) = (self.name.0.get(), self.place.take()) else { return };
        let body = |excerpt: &mut Excerpt| -> Option<Body> { Some(std::mem::take(excerpt).into()) };
        let bodies = Bodies {
            id: id.clone(),
            request: body(self.request.get_mut()),
            answer: body(self.answer.get_mut()),
        };
        // The queue has as many places as there are; only after the last call is it closed.
        self.queue.try_send(Taken { bodies, _place: place }).ok();
    }
}
