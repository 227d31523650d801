//! What a request refers to: the conversation it continues, and items by their ids.

use std::collections::HashSet;

use grok2api_proto::{
    Error, Kind, Result,
    response::{GetRequest, Response},
};
use serde_json::Value;

use crate::{
    Caller, Deps,
    responses::{
        request::{Draft, Known},
        response_of,
    },
};

/// Most responses that the items of one request may be part of.
const MOST: usize = 200;

#[derive(Default)]
pub(super) struct Found {
    pub(super) known: Known,
    pub(super) conversation: Option<String>,
}

/// # Errors
/// `previous_response_not_found`, for those of others as well; what the store answers.
pub(super) async fn look_up(deps: &Deps, caller: &Caller, draft: &Draft) -> Result<Found> {
    let mut found = Found::default();
    if let Some(id) = draft.previous() {
        let ask = GetRequest { id: id.to_owned(), client: caller.key().to_owned() };
        let history = deps.responses.history(ask).await.map_err(missing)?.responses;
        found.conversation = history.last().map(|last| last.conversation.clone());
        for response in &history {
            found.known.before.extend(items(response)?);
        }
    }
    let responses: HashSet<String> = draft.references().filter_map(response_of).collect();
    if responses.len() > MOST {
        let message = format!("'input' refers to items of more than {MOST} responses");
        return Err(Error::invalid("input", message));
    }
    for id in responses {
        match deps.responses.get(GetRequest { id, client: caller.key().to_owned() }).await {
            Ok(response) => {
                let named = |item: Value| Some((item.get("id")?.as_str()?.to_owned(), item));
                found.known.items.extend(items(&response)?.into_iter().filter_map(named));
            }
            // The item is missed where it stands.
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn missing(error: Error) -> Error {
    if error.kind != Kind::NotFound {
        return error;
    }
    Error::new(Kind::NotFound, "previous_response_not_found", error.message).at("previous_response_id")
}

/// What was said and what was answered.
fn items(response: &Response) -> Result<Vec<Value>> {
    let unreadable = |error| Error::internal(format!("the response {} cannot be read: {error}", response.id));
    let mut items: Vec<Value> = serde_json::from_slice(&response.input).map_err(unreadable)?;
    let mut answer: Value = serde_json::from_slice(&response.answer).map_err(unreadable)?;
    if let Some(Value::Array(output)) = answer.get_mut("output").map(Value::take) {
        items.extend(output);
    }
    Ok(items)
}
