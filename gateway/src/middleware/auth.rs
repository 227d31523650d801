//! The API key, when the operator has set one.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::{FromFnLayer, Next, from_fn_with_state},
    response::Response,
};
use futures_util::future::BoxFuture;
use grok2api_kit::runtime::Runtime;
use grok2api_proto::{Error, Kind};
use subtle::ConstantTimeEq as _;

use crate::{Deps, openai::error::Failure};

type Check = fn(State<Runtime>, Request, Next) -> BoxFuture<'static, Result<Response, Failure>>;

/// Lets a request pass that carries the runtime parameter `api_key`; everything, while that is empty.
pub(crate) fn key(deps: &Deps) -> FromFnLayer<Check, Runtime, (State<Runtime>, Request)> {
    from_fn_with_state(deps.runtime.clone(), |State(runtime), request, next| {
        Box::pin(check(runtime, request, next))
    })
}

async fn check(runtime: Runtime, request: Request, next: Next) -> Result<Response, Failure> {
    let wanted = &runtime.current().config.api_key;
    let given = given(request.headers());
    match given {
        _ if wanted.is_empty() => {}
        Some(given) if bool::from(given.ct_eq(wanted.as_bytes())) => {}
        Some(_) => return Err(refused("the API key is wrong").into()),
        None => {
            return Err(refused("an API key is required: send it as 'Authorization: Bearer <key>'").into());
        }
    }
    Ok(next.run(request).await)
}

fn refused(message: &str) -> Error {
    Error::new(Kind::Unauthenticated, "invalid_api_key", message)
}

/// The key of `Authorization: Bearer`, else of `x-api-key`.
fn given(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked("bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
    });
    bearer.or_else(|| headers.get("x-api-key").map(HeaderValue::as_bytes))
}
