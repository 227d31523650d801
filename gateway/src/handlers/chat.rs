//! `POST /v1/chat/completions`.

mod live;
pub(super) mod opening;

use axum::{
    Json,
    extract::{Request, State},
    http::request::Parts,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Error, Kind, Result, Stream,
    chat::ChatRequest,
    media::{self, Chunk, ReadRequest},
};
use uuid::Uuid;

use crate::{
    Deps, base_url, body,
    middleware::request_id,
    openai::{
        error::Failure,
        inline::Pieces,
        present::{Presentation, Thinking},
        request::Completion,
        stream::Head,
        whole::{self as answer, Answer, Collector},
    },
};

/// From here on a body is read by a thread that may take its time.
const LARGE: usize = 256 * 1024;

pub(crate) async fn complete(State(deps): State<Deps>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let body = body::read(&parts.headers, body, deps.max_body_bytes).await?;
    let completion = parse(body, Completion::parse).await?;
    let presentation = presentation(&deps, &completion, &parts);
    let head = Head {
        id: format!("chatcmpl-{}", Uuid::new_v4().simple()),
        created: Clock::system().now_ms() / 1000,
        model: completion.model.clone(),
        include_usage: completion.include_usage,
    };
    let stream = completion.stream;
    let id = request_id(&parts.headers).to_owned();
    // Clients choose request ids and repeat them; quotas, blame and accounts are kept by an id of ours.
    let turn_id = format!("turn_{}", Uuid::now_v7().simple());
    tracing::debug!(request.id = id, turn.id = turn_id, "turn accepted");
    let choices = completion.choices;
    let requests = choices_of(completion.into_request(turn_id.clone()), choices);
    let turn = Turn { id: id.clone(), requests, presentation, head };
    let answer = if stream { live::answer(deps, turn).await } else { unless_stopped(deps, turn).await };
    answer.map_err(|error| {
        tracing::warn!(request.id = id, turn.id = turn_id, error.code = %error.code, "turn refused: {error}");
        error.into()
    })
}

/// One request, ready to run.
struct Turn {
    /// The request id.
    id: String,
    /// One a choice.
    requests: Vec<ChatRequest>,
    presentation: Presentation,
    head: Head,
}

/// The same question for each choice, under ids of their own.
fn choices_of(request: ChatRequest, count: usize) -> Vec<ChatRequest> {
    let mut requests = vec![request; count];
    for (index, request) in requests.iter_mut().enumerate().skip(1) {
        request.request_id = format!("{}_{index}", request.request_id);
    }
    requests
}

/// Reads a body, on a thread of its own when it is large.
pub(super) async fn parse<T: Send + 'static>(body: Bytes, read: fn(&[u8]) -> Result<T>) -> Result<T> {
    if body.len() < LARGE {
        return read(&body);
    }
    let parsed = tokio::task::spawn_blocking(move || read(&body)).await;
    parsed.unwrap_or_else(|_| Err(Error::internal("the request could not be read")))
}

fn presentation(deps: &Deps, completion: &Completion, parts: &Parts) -> Presentation {
    let applied = deps.runtime.current();
    let config = &applied.config;
    Presentation {
        thinking: completion.thinking.or_else(|| Thinking::named(&config.thinking_mode)).unwrap_or_default(),
        search_in_thinking: config.search_in_thinking,
        inline_images: config.image_mode == "base64",
        base_url: base_url::of(config, &parts.uri, &parts.headers),
        late_reasoning: false,
    }
}

/// One JSON answer, or the news that the process ends.
async fn unless_stopped(deps: Deps, turn: Turn) -> Result<Response> {
    let shutdown = deps.tasks.shutdown().clone();
    tokio::select! {
        answer = whole(deps, turn) => answer,
        () = shutdown.stopped() => Err(stopping()),
    }
}

/// One JSON answer. A client that leaves drops this future and the turn with it.
async fn whole(deps: Deps, turn: Turn) -> Result<Response> {
    let Turn { requests, presentation, head, .. } = turn;
    let choices = requests.into_iter().map(|request| choice(&deps, request, presentation.clone()));
    Ok(Json(answer::Completion::new(head, try_join_all(choices).await?)).into_response())
}

async fn choice(deps: &Deps, request: ChatRequest, presentation: Presentation) -> Result<Answer> {
    let mut batches = deps.chat.complete(request).await?;
    let mut collector = Collector::new(presentation);
    while let Some(batch) = batches.next().await {
        let batch = match batch {
            Err(_) if collector.is_done() => break,
            batch => batch?,
        };
        for event in &batch.events {
            let Some(image) = collector.event(event) else { continue };
            collector.image_start(image);
            let (mut chunks, mut pieces) = (image_bytes(deps, image.name.clone()), Pieces::default());
            while let Some(chunk) = chunks.next().await {
                pieces.push(&chunk?.data, |piece| collector.insert(piece));
            }
            pieces.finish(|piece| collector.insert(piece));
            collector.image_end();
        }
    }
    collector.finish().ok_or_else(incomplete)
}

/// An image's bytes out of the cache, as they come.
pub(super) fn image_bytes(deps: &Deps, name: String) -> Stream<Chunk> {
    let media = deps.media.clone();
    let request = ReadRequest { kind: media::Kind::Image.into(), name, offset: 0, length: None };
    flatten(async move { media.read(request).await })
}

/// A stream that is still being opened, as a stream.
fn flatten<T: Send + 'static>(
    opening: impl Future<Output = Result<Stream<T>>> + Send + 'static,
) -> Stream<T> {
    stream::once(opening).try_flatten().boxed()
}

pub(super) fn stopping() -> Error {
    Error::new(Kind::Unavailable, "server_stopping", "the server is stopping")
}

pub(super) fn incomplete() -> Error {
    Error::new(
        Kind::Upstream,
        "upstream_stream_incomplete",
        "the upstream ended its answer before it was complete",
    )
}
