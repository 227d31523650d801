//! `POST /v1/responses`, and `POST /v1/responses/input_tokens`.

mod known;
pub(crate) mod stored;

use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::request::Parts,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use grok2api_proto::{Error, Result, chat::ChatRequest, response};

use super::{
    chat::{incomplete, parse},
    turn,
};
use crate::{
    Caller, Deps,
    admission::{admit, prompt_tokens},
    body, capture,
    links::Links,
    middleware::request_id,
    openai::{
        error::Failure,
        present::{Presentation, Thinking},
    },
    openapi::TurnFailures,
    responses::{
        Head,
        answer::Answer,
        digits_of,
        keep::{Keeper, MOST},
        request::{Asked, Draft, Known, kept},
        schemas::{InputCount, ResponseStreamEvent, ResponsesRequest},
        stream::Encoder,
        whole::Collector,
    },
    usage::Record,
};
use known::Found;

const ENDPOINT: &str = "/v1/responses";
/// From here on a request is read by a thread that may take its time.
const LARGE: usize = 256 * 1024;

/// Answers in the Responses protocol.
///
/// With `stream` the answer is server-sent events, from `response.created` to `response.completed`, `response.incomplete`
/// or `response.failed`.
#[utoipa::path(post, path = "/responses", tag = "Responses", operation_id = "createResponse",
    request_body = ResponsesRequest,
    responses((status = 200, description = "The response.", content(
        (Answer<'static> = "application/json"), (ResponseStreamEvent = "text/event-stream"))), TurnFailures))]
pub(crate) async fn create(State(deps): State<Deps>, request: Request) -> Result<Response, Failure> {
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
    let turn_id = record.turn_id().to_owned();
    let answer = if turn.stream {
        let Turn { request, head, presentation, keeper, .. } = turn;
        turn::stream(deps, request, record, Encoder::new(head, presentation, keeper)).await
    } else {
        whole(&deps, turn, record).await
    };
    answer.map_err(|error| {
        tracing::warn!(turn.id = turn_id, error.code = %error.code, "turn refused: {error}");
        error.into()
    })
}

/// Estimates what a request counts, without asking the upstream.
#[utoipa::path(post, path = "/responses/input_tokens", tag = "Responses", operation_id = "countResponseInput",
    request_body = ResponsesRequest,
    responses((status = 200, description = "An estimate.", body = InputCount), TurnFailures))]
pub(crate) async fn count(State(deps): State<Deps>, request: Request) -> Result<Json<InputCount>, Failure> {
    let (parts, body) = request.into_parts();
    let caller = Caller::of(&parts.extensions);
    let body = body::read(&parts.headers, body, deps.max_body_bytes).await?;
    let (mut asked, _) = read(&deps, &caller, body, false).await?;
    caller.may_ask(&asked.model)?;
    let input_tokens = prompt_tokens(&asked.take_request(String::new()));
    Ok(Json(InputCount { object: "response.input_tokens", input_tokens }))
}

/// One request, ready to run.
struct Turn {
    request: ChatRequest,
    stream: bool,
    head: Head,
    presentation: Presentation,
    keeper: Option<Keeper>,
}

/// The turn that a request asks for.
async fn prepare(deps: &Deps, parts: &Parts, body: Body, record: &mut Record) -> Result<Turn> {
    let caller = Caller::of(&parts.extensions);
    record.called_by(caller.key());
    let body = body::read(&parts.headers, body, deps.max_body_bytes).await?;
    let keeps = deps.runtime.current().config.response_retention_hours > 0;
    let (mut asked, found) = read(deps, &caller, body, keeps).await?;
    record.asked(&asked.model, asked.stream);
    caller.may_ask(&asked.model)?;
    let digits = digits_of(record.turn_id()).to_owned();
    let input = keepable(&mut asked, &digits);
    let request = asked.take_request(record.turn_id().to_owned());
    // What goes on from here is told to be the same, whatever is said in it.
    let begun = || if asked.echo.store { digits.clone() } else { String::new() };
    let conversation = asked.conversation.clone().or(found).unwrap_or_else(begun);
    let request = caller.signed(ChatRequest { conversation: conversation.clone(), ..request });
    admit(deps.client_keys.admissions(), &caller, record, std::slice::from_ref(&request)).await?;
    let presentation = presentation(deps, asked.thinks, parts);
    let stream = asked.stream;
    let head = head(asked, digits);
    let keeper = input.map(|input| {
        let response = response::Response {
            id: head.id(),
            client: caller.key().to_owned(),
            previous: head.echo.previous_response_id.clone().unwrap_or_default(),
            conversation,
            input,
            answer: Bytes::new(),
        };
        Keeper::new(deps.responses.clone(), response)
    });
    Ok(Turn { request, stream, head, presentation, keeper })
}

fn head(asked: Asked, digits: String) -> Head {
    let (names, searches) = (asked.tools.names, asked.tools.searches);
    Head { created: begun_at(&digits), digits, model: asked.model, echo: asked.echo, names, searches }
}

/// In seconds: a turn's id begins with its time.
fn begun_at(digits: &str) -> i64 {
    let ms = digits.get(..12).and_then(|ms| i64::from_str_radix(ms, 16).ok());
    ms.unwrap_or_default() / 1000
}

/// The input as it is kept; nothing when it is not, which the answer then says.
fn keepable(asked: &mut Asked, digits: &str) -> Option<Bytes> {
    if !asked.echo.store {
        return None;
    }
    let mut items = std::mem::take(&mut asked.input);
    kept::name(&mut items, digits);
    let input = serde_json::to_vec(&items).ok().filter(|input| input.len() <= MOST);
    asked.echo.store = input.is_some();
    input.map(Bytes::from)
}

/// The request with what it refers to, and the conversation that it continues.
async fn read(deps: &Deps, caller: &Caller, body: Bytes, keeps: bool) -> Result<(Asked, Option<String>)> {
    let large = body.len() >= LARGE;
    let draft = parse(body, Draft::parse).await?;
    let Found { known, conversation } = known::look_up(deps, caller, &draft).await?;
    let asked = if large { apart(draft, known, keeps).await? } else { draft.read(known, keeps)? };
    Ok((asked, conversation))
}

async fn apart(draft: Draft, known: Known, keeps: bool) -> Result<Asked> {
    let read = tokio::task::spawn_blocking(move || draft.read(known, keeps)).await;
    read.unwrap_or_else(|_| Err(Error::internal("the request could not be read")))
}

/// Images are links in the text.
fn presentation(deps: &Deps, thinks: bool, parts: &Parts) -> Presentation {
    let applied = deps.runtime.current();
    let config = &applied.config;
    Presentation {
        thinking: if thinks { Thinking::ReasoningContent } else { Thinking::Off },
        search_in_thinking: config.search_in_thinking,
        inline_images: false,
        links: Links::of(deps, parts),
        late_reasoning: false,
        legacy_calls: false,
    }
}

async fn whole(deps: &Deps, turn: Turn, mut record: Record) -> Result<Response> {
    let mut collector = Collector::new(turn.head, turn.presentation);
    turn::collect(deps, turn.request, &mut record, &mut collector).await?;
    let answer = collector.answer().ok_or_else(incomplete)?;
    if let Some(keeper) = turn.keeper {
        keeper.keep(&answer).await;
    }
    let mut response = Json(answer).into_response();
    record.tell(response.headers_mut());
    Ok(response)
}
