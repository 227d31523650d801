//! `POST /v1/images/generations`, `POST /v1/images/edits`.

mod live;

use axum::{
    Json,
    body::Body,
    extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State},
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::StreamExt as _;
use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Result,
    chat::{ChatRequest, Media, Usage, chat_event::Kind as Event},
};

use super::chat::{image_bytes, incomplete, parse, stopping};
use crate::{
    Caller, Deps,
    admission::admit,
    body, capture,
    links::Links,
    middleware::request_id,
    openai::{
        error::Failure,
        images::{Asked, Image, Images as Answer},
        request::{
            images::{Form, Images, malformed},
            schemas::{ImageEditForm, ImageEditRequest, ImageGenerationRequest},
        },
    },
    openapi::{ImageStreamEvent, TurnFailures},
    running::cancelled,
    usage::Record,
};

const GENERATIONS: &str = "/v1/images/generations";
const EDITS: &str = "/v1/images/edits";

/// Draws images.
///
/// With `stream` the answer is server-sent events.
#[utoipa::path(post, path = "/images/generations", tag = "Images", operation_id = "createImage",
    request_body = ImageGenerationRequest,
    responses((status = 200, description = "The images.", content(
        (Answer = "application/json"), (ImageStreamEvent = "text/event-stream"))), TurnFailures))]
pub(crate) async fn generate(State(deps): State<Deps>, request: Request) -> Result<Response, Failure> {
    run(deps, request, false).await
}

/// Changes images.
///
/// With `stream` the answer is server-sent events. `image` or `images` is required.
#[utoipa::path(post, path = "/images/edits", tag = "Images", operation_id = "createImageEdit",
    request_body(content((ImageEditRequest = "application/json"), (ImageEditForm = "multipart/form-data"))),
    responses((status = 200, description = "The images.", content(
        (Answer = "application/json"), (ImageStreamEvent = "text/event-stream"))), TurnFailures))]
pub(crate) async fn edit(State(deps): State<Deps>, request: Request) -> Result<Response, Failure> {
    run(deps, request, true).await
}

/// Whether the body is a form. Anything else is read as JSON.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    kind.get(..19).is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/form-data"))
}

/// The entries of a form.
pub(super) async fn form(parts: Parts, body: Bytes) -> Result<Form> {
    let mut request = Request::from_parts(parts, Body::from(body));
    // The body has met its limit already.
    DefaultBodyLimit::disable().apply(&mut request);
    let mut entries =
        Multipart::from_request(request, &()).await.map_err(|error| malformed(error.body_text()))?;
    let mut form = Form::default();
    while let Some(entry) = entries.next_field().await.map_err(|error| malformed(error.body_text()))? {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let (name, file_name, media_type) =
            (text(entry.name()), text(entry.file_name()), text(entry.content_type()));
        let data = entry.bytes().await.map_err(|error| malformed(error.body_text()))?;
        let (name, media_type) = (name.unwrap_or_default(), media_type.unwrap_or_default());
        form.entry(&name, file_name.as_deref(), &media_type, data)?;
    }
    Ok(form)
}

/// One request, ready to run.
struct Turn {
    id: String,
    request: ChatRequest,
    asked: Asked,
    stream: bool,
    count: usize,
    previews: u32,
    /// Nothing gives base64.
    links: Option<Links>,
}

async fn run(deps: Deps, request: Request, edit: bool) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let endpoint = if edit { EDITS } else { GENERATIONS };
    let mut record = deps.usage.begin(endpoint, request_id(&parts.headers));
    capture::named(&parts.extensions, record.turn_id());
    let turn = match prepare(&deps, &parts, body, edit, &mut record).await {
        Ok(turn) => turn,
        Err(error) => {
            record.failed(&error);
            return Err(error.into());
        }
    };
    let (id, turn_id) = (turn.id.clone(), record.turn_id().to_owned());
    let answer = if turn.stream {
        live::answer(deps, turn, record).await
    } else {
        unless_stopped(deps, turn, record).await
    };
    answer.map_err(|error| {
        tracing::warn!(request.id = id, turn.id = turn_id, error.code = %error.code, "images refused: {error}");
        error.into()
    })
}

/// The turn that a request asks for.
async fn prepare(deps: &Deps, parts: &Parts, body: Body, edit: bool, record: &mut Record) -> Result<Turn> {
    let caller = Caller::of(&parts.extensions);
    record.called_by(caller.key());
    let body = body::read(&parts.headers, body, deps.max_body_bytes).await?;
    let images = if !edit {
        parse(body, Images::generation).await?
    } else if is_form(&parts.headers) {
        Images::edit_form(form(parts.clone(), body).await?)?
    } else {
        parse(body, Images::edit).await?
    };
    record.asked(&images.model, images.stream);
    caller.may_ask(&images.model)?;
    let (stream, count, previews) = (images.stream, images.count as usize, images.previews);
    let links = (!images.base64).then(|| Links::of(deps, parts));
    let asked = Asked { created: Clock::system().now_ms() / 1000, size: images.size, edit };
    let request = caller.signed(images.into_request(record.turn_id().to_owned()));
    admit(deps.client_keys.admissions(), &caller, record, std::slice::from_ref(&request)).await?;
    Ok(Turn { id: request_id(&parts.headers).to_owned(), asked, stream, count, previews, links, request })
}

async fn unless_stopped(deps: Deps, turn: Turn, mut record: Record) -> Result<Response> {
    let (shutdown, cancel) = (deps.tasks.shutdown().clone(), record.cancellation());
    let answer = tokio::select! {
        answer = whole(deps, turn, &mut record) => answer,
        () = shutdown.stopped() => Err(stopping()),
        () = cancel.cancelled() => Err(cancelled()),
    };
    answer.inspect_err(|error| record.turn_failed(0, error))
}

async fn whole(deps: Deps, turn: Turn, record: &mut Record) -> Result<Response> {
    let mut batches = deps.chat.complete(turn.request).await?;
    let (mut drawn, mut usage, mut ended) = (Vec::new(), Usage::default(), false);
    while let Some(batch) = batches.next().await {
        let batch = match batch {
            Err(_) if ended => break,
            batch => batch?,
        };
        record.events(0, &batch.events);
        for event in batch.events.into_iter().filter_map(|event| event.kind) {
            match event {
                Event::Image(image) => drawn.push(image),
                Event::Usage(told) => usage = told,
                Event::End(_) => ended = true,
                _ => {}
            }
        }
    }
    if !ended {
        return Err(incomplete());
    }
    drawn.truncate(turn.count);
    let mut data = Vec::with_capacity(drawn.len());
    for image in &drawn {
        data.push(match &turn.links {
            Some(links) => Image::Url(links.image(&image.name)),
            None => Image::B64Json(base64(&deps, image).await?),
        });
    }
    let mut response = Json(Answer::new(turn.asked, data, drawn.first(), &usage)).into_response();
    record.tell(response.headers_mut());
    Ok(response)
}

/// An image out of the cache.
async fn base64(deps: &Deps, image: &Media) -> Result<String> {
    let mut bytes = Vec::with_capacity(usize::try_from(image.size).unwrap_or_default().min(1 << 20));
    let mut chunks = image_bytes(deps, image.name.clone());
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk?.data);
    }
    Ok(STANDARD.encode(bytes))
}
