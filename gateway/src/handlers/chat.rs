//! `POST /v1/chat/completions`.

pub(super) mod live;
pub(super) mod opening;

use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::request::Parts,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Error, Kind, Result, Stream,
    chat::{ChatEvent, ChatRequest},
    media::{self, Chunk, ReadRequest},
};
use uuid::Uuid;

use crate::{
    Caller, Deps,
    admission::admit,
    body, capture, conversation,
    links::Links,
    middleware::request_id,
    openai::{
        error::Failure,
        inline::Pieces,
        present::{Presentation, Thinking},
        request::{Completion, schemas::ChatCompletionRequest},
        stream::Head,
        whole::{self as answer, Answer, Collector},
    },
    openapi::{ChatStreamEvent, TurnFailures},
    running::cancelled,
    usage::Record,
};

const ENDPOINT: &str = "/v1/chat/completions";

/// From here on a body is read by a thread that may take its time.
const LARGE: usize = 256 * 1024;

/// Answers a conversation.
///
/// With `stream` the answer is server-sent events: each `data:` a chunk, the last one `[DONE]`.
#[utoipa::path(post, path = "/chat/completions", tag = "Chat", operation_id = "createChatCompletion",
    request_body = ChatCompletionRequest,
    responses((status = 200, description = "The answer.", content(
        (answer::Completion = "application/json"), (ChatStreamEvent = "text/event-stream"))), TurnFailures))]
pub(crate) async fn complete(State(deps): State<Deps>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let mut record = deps.usage.begin(ENDPOINT, request_id(&parts.headers));
    capture::named(&parts.extensions, record.turn_id());
    let turn = match prepare(&deps, &parts, body, &mut record).await {
        Ok(turn) => turn,
        Err(error) => {
            record.failed(&error);
            return Err(error.into());
        }
    };
    let (id, turn_id) = (turn.id.clone(), record.turn_id().to_owned());
    tracing::debug!(request.id = id, turn.id = turn_id, "turn accepted");
    let answer = if turn.stream {
        live::answer(deps, turn, record).await
    } else {
        unless_stopped(deps, turn, record).await
    };
    answer.map_err(|error| {
        tracing::warn!(request.id = id, turn.id = turn_id, error.code = %error.code, "turn refused: {error}");
        error.into()
    })
}

/// The turn that a request asks for.
async fn prepare(deps: &Deps, parts: &Parts, body: Body, record: &mut Record) -> Result<Turn> {
    let caller = Caller::of(&parts.extensions);
    record.called_by(caller.key());
    let body = body::read(&parts.headers, body, deps.max_body_bytes).await?;
    let completion = parse(body, Completion::parse).await?;
    record.asked(&completion.model, completion.stream);
    caller.may_ask(&completion.model)?;
    record.served_by(completion.choices);
    let head = Head {
        id: format!("chatcmpl-{}", Uuid::new_v4().simple()),
        created: Clock::system().now_ms() / 1000,
        model: completion.model.clone(),
        include_usage: completion.include_usage,
    };
    let (presentation, stream) = (presentation(deps, &completion, parts), completion.stream);
    let choices = completion.choices;
    let request = caller.signed(completion.into_request(record.turn_id().to_owned()));
    let request = conversation::told(request, &parts.headers);
    let requests = choices_of(request, choices);
    admit(deps.client_keys.admissions(), &caller, record, &requests).await?;
    Ok(Turn { id: request_id(&parts.headers).to_owned(), presentation, stream, requests, head })
}

/// One request, ready to run.
struct Turn {
    /// The request id.
    id: String,
    stream: bool,
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
        links: Links::of(deps, parts),
        late_reasoning: false,
        legacy_calls: completion.tools.legacy,
    }
}

/// One JSON answer, or the news that the process ends. A client that leaves drops this future, and with it the turn and
/// the record.
async fn unless_stopped(deps: Deps, turn: Turn, mut record: Record) -> Result<Response> {
    let (shutdown, cancel) = (deps.tasks.shutdown().clone(), record.cancellation());
    let answer = tokio::select! {
        answer = whole(deps, turn, &mut record) => answer,
        () = shutdown.stopped() => Err(stopping()),
        () = cancel.cancelled() => Err(cancelled()),
    };
    answer.inspect_err(|error| record.failed(error))
}

/// One JSON answer: the choices are read as they come.
async fn whole(deps: Deps, turn: Turn, record: &mut Record) -> Result<Response> {
    let mut collectors: Vec<_> =
        turn.requests.iter().map(|_| Collector::new(turn.presentation.clone())).collect();
    let choices = turn.requests.into_iter().enumerate().map(|(at, request)| {
        let chat = deps.chat.clone();
        let batches = flatten(async move { chat.complete(request).await }).map(Some);
        batches.chain(stream::once(async { None })).map(move |batch| (at, batch)).boxed()
    });
    let mut batches = stream::select_all(choices);
    while let Some((at, batch)) = batches.next().await {
        let collector = &mut collectors[at];
        let told = match batch {
            None | Some(Err(_)) if collector.is_done() => Ok(()),
            None => Err(incomplete()),
            Some(Err(error)) => Err(error),
            Some(Ok(batch)) => {
                record.events(at, &batch.events);
                collect(&deps, collector, &batch.events).await
            }
        };
        told.inspect_err(|error| record.turn_failed(at, error))?;
    }
    let answers: Option<Vec<Answer>> = collectors.into_iter().map(Collector::finish).collect();
    let answers = answers.ok_or_else(incomplete)?;
    let mut response = Json(answer::Completion::new(turn.head, answers)).into_response();
    record.tell(response.headers_mut());
    Ok(response)
}

/// Adds events to a choice, with the bytes of images that are to stand in it.
async fn collect(deps: &Deps, collector: &mut Collector, events: &[ChatEvent]) -> Result<()> {
    for event in events {
        let Some(image) = collector.event(event) else { continue };
        collector.image_start(image);
        let (mut chunks, mut pieces) = (image_bytes(deps, image.name.clone()), Pieces::default());
        while let Some(chunk) = chunks.next().await {
            pieces.push(&chunk?.data, |piece| collector.insert(piece));
        }
        pieces.finish(|piece| collector.insert(piece));
        collector.image_end();
    }
    Ok(())
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

pub(crate) fn stopping() -> Error {
    Error::new(Kind::Unavailable, "server_stopping", "the server is stopping")
}

pub(super) fn incomplete() -> Error {
    Error::new(
        Kind::Upstream,
        "upstream_stream_incomplete",
        "the upstream ended its answer before it was complete",
    )
}
