//! `POST /v1/messages` and `POST /v1/messages/count_tokens`: Anthropic's protocol.

use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::request::Parts,
    response::{IntoResponse as _, Response},
};
use grok2api_proto::{Result, chat::ChatRequest};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    chat::{incomplete, parse},
    turn,
};
use crate::{
    Caller, Deps,
    admission::{admit, prompt_tokens},
    anthropic::{
        Head,
        request::Asked,
        schemas::{CountTokensRequest, MessagesRequest, MessagesStreamEvent},
        stream::Encoder,
        whole::{Answer, Collector},
    },
    body, capture, conversation,
    links::Links,
    middleware::request_id,
    openai::{
        error::Failure,
        present::{Presentation, Thinking},
    },
    openapi::MessagesFailures,
    usage::Record,
};

const ENDPOINT: &str = "/v1/messages";

/// Answers a conversation in Anthropic's protocol.
///
/// With `stream` the answer is server-sent events, from `message_start` to `message_stop`.
#[utoipa::path(post, path = "/messages", tag = "Messages", operation_id = "createMessage",
    request_body = MessagesRequest,
    responses((status = 200, description = "The answer.", content(
        (Answer = "application/json"), (MessagesStreamEvent = "text/event-stream"))), MessagesFailures))]
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
        turn::stream(deps, turn.request, record, Encoder::new(turn.head, turn.presentation)).await
    } else {
        whole(&deps, turn, record).await
    };
    answer.map_err(|error| {
        tracing::warn!(turn.id = turn_id, error.code = %error.code, "turn refused: {error}");
        error.into()
    })
}

/// Estimates what a conversation counts, without asking the upstream.
#[utoipa::path(post, path = "/messages/count_tokens", tag = "Messages", operation_id = "countMessageTokens",
    request_body = CountTokensRequest,
    responses((status = 200, description = "An estimate.", body = Count), MessagesFailures))]
pub(crate) async fn count(State(deps): State<Deps>, request: Request) -> Result<Json<Count>, Failure> {
    let (parts, body) = request.into_parts();
    let body = body::read(&parts.headers, body, deps.max_body_bytes).await?;
    let asked = parse(body, Asked::parse).await?;
    Caller::of(&parts.extensions).may_ask(&asked.model)?;
    Ok(Json(Count { input_tokens: prompt_tokens(&asked.into_request(String::new())) }))
}

#[derive(Serialize, ToSchema)]
#[schema(as = MessagesCount)]
pub(crate) struct Count {
    input_tokens: u64,
}

/// One request, ready to run.
struct Turn {
    request: ChatRequest,
    stream: bool,
    head: Head,
    presentation: Presentation,
}

/// The turn that a request asks for.
async fn prepare(deps: &Deps, parts: &Parts, body: Body, record: &mut Record) -> Result<Turn> {
    let caller = Caller::of(&parts.extensions);
    record.called_by(caller.key());
    let body = body::read(&parts.headers, body, deps.max_body_bytes).await?;
    let asked = parse(body, Asked::parse).await?;
    record.asked(&asked.model, asked.stream);
    caller.may_ask(&asked.model)?;
    let (stream, model, thinks) = (asked.stream, asked.model.clone(), asked.thinks);
    let request = caller.signed(asked.into_request(record.turn_id().to_owned()));
    let request = conversation::told(request, &parts.headers);
    admit(deps.client_keys.admissions(), &caller, record, std::slice::from_ref(&request)).await?;
    let id = format!("msg_{}", Uuid::new_v4().simple());
    let head = Head { id, model, input_tokens: prompt_tokens(&request) };
    Ok(Turn { request, stream, head, presentation: presentation(deps, thinks, parts) })
}

/// Images are links: a block of this protocol cannot hold one.
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
    let mut collector = Collector::new(turn.presentation);
    turn::collect(deps, turn.request, &mut record, &mut collector).await?;
    let answer = collector.finish(turn.head).ok_or_else(incomplete)?;
    let mut response = Json(answer).into_response();
    record.tell(response.headers_mut());
    Ok(response)
}
