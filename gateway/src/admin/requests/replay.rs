//! A request whose bodies were kept, asked once more.
//!
//! It goes through the very handlers of its route, as an admin asks and not as the key did: the key's limits, models and
//! tags do not count. A replay against the simulator leaves no entry in the ledger.

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, Request, header},
    response::Response,
};
use futures_util::StreamExt as _;
use grok2api_kit::clock::Clock;
use grok2api_proto::{Error, Kind, Result, capture, ledger::GetRequest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{
    bodies::{is_whole, read},
    spoken::spoken,
};
use crate::{
    Caller, Deps,
    admin::{Console, Simulator, accounts, extract, session::Who},
    middleware::REQUEST_ID,
    openai::error::Failure,
};

/// What can be asked again: what answers at once, by its own answer.
const REPLAYED: [&str; 4] =
    ["/v1/chat/completions", "/v1/messages", "/v1/images/generations", "/v1/images/edits"];
/// Bytes of an answer that are told.
const MOST: usize = 4 * 1024 * 1024;

/// The routes of clients, in front of the upstream and of the simulator.
pub(in crate::admin) struct Again {
    upstream: Router,
    simulated: Option<Router>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    target: Target,
}

/// Who is to answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Target {
    /// Whoever the pool chooses.
    Pool,
    /// That account and no other.
    Account(String),
    /// The simulator that is built in.
    Simulator,
}

pub(crate) async fn replay(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    extract::Body(replay): extract::Body<Replay>,
) -> Result<Json<Value>, Failure> {
    let target = replay.target;
    let entry = console.services.ledger.get(GetRequest { id: id.clone() }).await?;
    let path = path_of(&entry.endpoint)?;
    let router = match &target {
        Target::Simulator => console.again.simulated.clone().ok_or_else(no_simulator)?,
        Target::Pool | Target::Account(_) => console.again.upstream.clone(),
    };
    let account = match &target {
        Target::Account(account) => accounts::find(&console, account).await?.id,
        Target::Pool | Target::Simulator => String::new(),
    };
    let bodies = read(&console, &who, id.clone()).await?;
    let caller = Caller::admin(&who.name, account);
    let request = asked(path, bodies.request.unwrap_or_default(), caller)?;
    let request_id = request.headers().get(REQUEST_ID).cloned();
    // It is asked from here on, whatever becomes of it.
    console.log(&who, "request.replay", &id, Value::Null, json!({"target": target})).await;
    let began = Clock::system().now_ms();
    let answer = match router.oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    let mut told = told(answer).await;
    told["duration_ms"] = json!(Clock::system().now_ms() - began);
    told["request_id"] = json!(request_id.as_ref().and_then(|id| id.to_str().ok()));
    Ok(Json(told))
}

impl Again {
    pub(in crate::admin) fn new(deps: &Deps, routes: Router<Deps>, simulator: Option<&Simulator>) -> Self {
        let simulated = simulator.map(|simulator| {
            let deps = Deps {
                chat: simulator.chat.clone(),
                media: simulator.media.clone(),
                usage: simulator.usage.clone(),
                ..deps.clone()
            };
            routes.clone().with_state(deps)
        });
        Self { upstream: routes.with_state(deps.clone()), simulated }
    }
}

/// Its path without the prefix.
fn path_of(endpoint: &str) -> Result<&str> {
    let known = REPLAYED.contains(&endpoint).then(|| endpoint.strip_prefix("/v1")).flatten();
    known.ok_or_else(|| {
        let message = format!("requests to {endpoint} cannot be replayed");
        Error::new(Kind::Conflict, "not_replayable", message)
    })
}

/// The request as it was kept.
fn asked(path: &str, body: capture::Body, caller: Caller) -> Result<Request<Body>> {
    if !is_whole(&body) {
        let message = format!(
            "only {} of the {} bytes of the request were kept, so it cannot be replayed; see the parameter capture_max_body_kb",
            body.data.len(),
            body.size
        );
        return Err(Error::new(Kind::Conflict, "body_truncated", message));
    }
    let mut request = Request::post(path).body(Body::from(body.data)).map_err(unfit)?;
    if !body.media_type.is_empty() {
        let media_type = HeaderValue::try_from(body.media_type).map_err(unfit)?;
        request.headers_mut().insert(header::CONTENT_TYPE, media_type);
    }
    let id = format!("replay_{}", uuid::Uuid::now_v7().simple());
    request.headers_mut().insert(REQUEST_ID, HeaderValue::try_from(id).map_err(unfit)?);
    request.extensions_mut().insert(caller);
    Ok(request)
}

fn unfit(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("a kept request cannot be asked again: {error}"))
}

fn no_simulator() -> Error {
    Error::new(Kind::Conflict, "no_simulator", "this process has no simulator")
}

/// The answer, read to its end or as far as it is told.
async fn told(answer: Response) -> Value {
    let status = answer.status().as_u16();
    let media_type = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or_default().to_owned();
    let mut stream = answer.into_body().into_data_stream();
    let (mut data, mut truncated) = (Vec::new(), false);
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) if data.len() + chunk.len() <= MOST => data.extend_from_slice(&chunk),
            _ => {
                truncated = true;
                break;
            }
        }
    }
    let body = String::from_utf8_lossy(&data);
    json!({
        "status": status,
        "media_type": media_type,
        "size": data.len(),
        "truncated": truncated,
        "text": spoken(&media_type, &body),
        "body": body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_kept_whole_is_not_asked_again() {
        let body =
            |data: &'static str, size| capture::Body { media_type: String::new(), data: data.into(), size };
        let error = asked("/chat/completions", body("{\"a\":", 90), Caller::default()).unwrap_err();
        assert_eq!((error.code.as_ref(), error.kind), ("body_truncated", Kind::Conflict));
        assert!(error.message.contains("5 of the 90 bytes"), "{}", error.message);
        assert!(asked("/chat/completions", body("{}", 2), Caller::default()).is_ok());
    }

    #[test]
    fn only_what_answers_by_itself_is_replayed() {
        assert_eq!(path_of("/v1/messages").unwrap(), "/messages");
        assert_eq!(path_of("/v1/videos").unwrap_err().code, "not_replayable");
    }

    #[test]
    fn a_target_is_read_as_it_is_documented() {
        let read = |text: &str| serde_json::from_str::<Replay>(text).map(|replay| replay.target);
        assert!(matches!(read(r#"{"target":"pool"}"#), Ok(Target::Pool)));
        assert!(matches!(read(r#"{"target":"simulator"}"#), Ok(Target::Simulator)));
        assert!(matches!(read(r#"{"target":{"account":"a"}}"#), Ok(Target::Account(id)) if id == "a"));
        assert!(read(r#"{"target":"moon"}"#).is_err());
    }
}
