//! `GET` and `DELETE /v1/responses/{id}`, `GET /v1/responses/{id}/input_items`, `POST /v1/responses/{id}/cancel`.

use std::time::Duration;

use axum::{
    Extension, Json,
    extract::{Path, Query, State, rejection::PathRejection},
    http::header,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use grok2api_proto::{
    Error, Kind, Result,
    live::{CancelRequest, ListRequest},
    response::{self, GetRequest},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::begun_at;
use crate::{
    Caller, Deps,
    openai::{error::Failure, request::videos::Page},
    openapi::{Answers, ListFailures, VideoPage},
    responses::{
        Head,
        answer::{Answer, Echo},
        digits_of,
        request::tools::Names,
        schemas::{Deleted, ItemList},
        turn_of,
    },
    running::cancelled,
};

/// A process hears of what it is to cancel once a second.
const CANCELLED_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

type Id = Result<Path<String>, PathRejection>;

/// Gives a response that is kept.
#[utoipa::path(get, path = "/responses/{id}", tag = "Responses", operation_id = "retrieveResponse",
    params(("id" = String, Path, description = "The response's id.")),
    responses((status = 200, description = "The response.", body = Answer<'static>), ListFailures, Answers))]
pub(crate) async fn one(
    State(deps): State<Deps>,
    Extension(caller): Extension<Caller>,
    id: Id,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    if query.iter().any(|(name, value)| name == "stream" && value == "true") {
        let message = "a response that is kept is not streamed again";
        return Err(Error::new(Kind::InvalidRequest, "unsupported_parameter", message).at("stream").into());
    }
    Ok(shown(deps.responses.get(of(id, &caller)).await?.answer))
}

/// Forgets a response.
#[utoipa::path(delete, path = "/responses/{id}", tag = "Responses", operation_id = "deleteResponse",
    params(("id" = String, Path, description = "The response's id.")),
    responses((status = 200, description = "It is gone.", body = Deleted), Answers))]
pub(crate) async fn remove(
    State(deps): State<Deps>,
    Extension(caller): Extension<Caller>,
    id: Id,
) -> Result<Json<Deleted>, Failure> {
    let request = of(id, &caller);
    deps.responses.remove(request.clone()).await?;
    Ok(Json(Deleted { id: request.id, object: "response", deleted: true }))
}

/// Lists what a response was asked with.
#[utoipa::path(get, path = "/responses/{id}/input_items", tag = "Responses", operation_id = "listResponseInput",
    params(("id" = String, Path, description = "The response's id."), VideoPage),
    responses((status = 200, description = "A page of items.", body = ItemList), ListFailures, Answers))]
pub(crate) async fn input(
    State(deps): State<Deps>,
    Extension(caller): Extension<Caller>,
    id: Id,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<ItemList>, Failure> {
    let page = Page::parse(&query)?;
    let response = deps.responses.get(of(id, &caller)).await?;
    let mut items: Vec<Value> = serde_json::from_slice(&response.input)
        .map_err(|error| Error::internal(format!("the input of {} cannot be read: {error}", response.id)))?;
    if !page.ascending {
        items.reverse();
    }
    let name = |item: &Value| item.get("id").and_then(Value::as_str).map(str::to_owned);
    let from = items.iter().position(|item| name(item).as_ref() == Some(&page.after)).map_or(0, |at| at + 1);
    let mut data = items.split_off(from);
    let has_more = data.len() > page.limit as usize;
    data.truncate(page.limit as usize);
    let (first_id, last_id) = (data.first().and_then(name), data.last().and_then(name));
    Ok(Json(ItemList { object: "list", data, first_id, last_id, has_more }))
}

/// Stops a response that is being given, wherever that is. One that has ended stays as it is.
#[utoipa::path(post, path = "/responses/{id}/cancel", tag = "Responses", operation_id = "cancelResponse",
    params(("id" = String, Path, description = "The response's id.")),
    responses((status = 200, description = "The response.", body = Answer<'static>), Answers))]
pub(crate) async fn cancel(
    State(deps): State<Deps>,
    Extension(caller): Extension<Caller>,
    id: Id,
) -> Result<Response, Failure> {
    let request = of(id, &caller);
    let missing = match deps.responses.get(request.clone()).await {
        Ok(found) => return Ok(shown(found.answer)),
        Err(error) if error.kind == Kind::NotFound => error,
        Err(error) => return Err(error.into()),
    };
    let Some(turn) = turn_of(&request.id) else { return Err(missing.into()) };
    let Some(model) = stop(&deps, &caller, &turn).await? else {
        // It may have ended just now.
        return Ok(shown(deps.responses.get(request).await?.answer));
    };
    Ok(match ended(&deps, request).await? {
        Some(found) => shown(found.answer),
        None => unkept(&turn, model),
    })
}

/// Has a caller's running turn cancelled; its model, when there is one.
async fn stop(deps: &Deps, caller: &Caller, turn: &str) -> Result<Option<String>> {
    if let Some(model) = deps.usage.running().cancel_own(turn, caller.key()) {
        return Ok(Some(model));
    }
    let Some(services) = &deps.admin else { return Ok(None) };
    let replicas = services.live.list(ListRequest {}).await?.replicas;
    let mut running = replicas.into_iter().flat_map(|replica| replica.running);
    let Some(found) = running.find(|request| request.id == turn && request.client_key == caller.key()) else {
        return Ok(None);
    };
    services.live.cancel(CancelRequest { id: turn.to_owned() }).await?;
    Ok(Some(found.model))
}

/// Waits until it is kept; nothing when it is not.
async fn ended(deps: &Deps, request: GetRequest) -> Result<Option<response::Response>> {
    let until = Instant::now() + CANCELLED_WITHIN;
    loop {
        match deps.responses.get(request.clone()).await {
            Err(error) if error.kind == Kind::NotFound && Instant::now() < until => sleep(LOOK_EVERY).await,
            Err(error) if error.kind == Kind::NotFound => return Ok(None),
            found => return found.map(Some),
        }
    }
}

/// What is known of a response that nobody keeps.
fn unkept(turn: &str, model: String) -> Response {
    let digits = digits_of(turn).to_owned();
    let head = Head {
        created: begun_at(&digits),
        digits,
        model,
        echo: Echo::of(&json!({}), false),
        names: Names::default(),
        searches: false,
    };
    Json(Answer::failed(&head, &cancelled(), &[])).into_response()
}

fn shown(answer: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], answer).into_response()
}

/// A caller's response: those of others are not there.
fn of(id: Id, caller: &Caller) -> GetRequest {
    GetRequest { id: id.map(|Path(id)| id).unwrap_or_default(), client: caller.key().to_owned() }
}
