//! Who may ask: holders of a client key or of the parameter `api_key`; everybody, while there is neither.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::{FromFnLayer, Next, from_fn_with_state},
    response::Response,
};
use futures_util::future::BoxFuture;
use grok2api_kit::metrics::REFUSED;
use grok2api_proto::{Error, Kind, Result};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::address;
use crate::{Caller, Deps, client_keys::Digest, openai::error::Failure};

type Check = fn(State<Deps>, Request, Next) -> BoxFuture<'static, Result<Response, Failure>>;

/// Lets a request pass that may ask, with its [`Caller`] in the extensions.
pub(crate) fn key(deps: &Deps) -> FromFnLayer<Check, Deps, (State<Deps>, Request)> {
    from_fn_with_state(deps.clone(), |State(deps), request, next| Box::pin(check(deps, request, next)))
}

async fn check(deps: Deps, mut request: Request, next: Next) -> Result<Response, Failure> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let caller = caller(&deps, request.headers(), peer).await;
    let caller = caller.inspect_err(|error| REFUSED.add(1, [error.code.to_string().into()]))?;
    let gate = caller.gate().clone();
    request.extensions_mut().insert(caller);
    Ok(gate.around(next.run(request).await))
}

async fn caller(deps: &Deps, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<Caller> {
    let applied = deps.runtime.current();
    let shared = &applied.config.api_key;
    if deps.client_keys.is_open(&applied.config) {
        return Ok(Caller::default());
    }
    let given = given(headers);
    let given = digest(
        given.ok_or_else(|| refused("an API key is required: send it as 'Authorization: Bearer <key>'"))?,
    );
    if !shared.is_empty() && bool::from(given.ct_eq(&digest(shared.as_bytes()))) {
        return Ok(Caller::default());
    }
    let key = deps.client_keys.find(given).await?;
    let address = peer.and_then(|peer| address::of(peer, headers, &deps.trusted_proxies));
    key.admit(address, deps.client_keys.now_ms())?;
    deps.client_keys.used(&key);
    Ok(Caller::with(key))
}

fn digest(secret: &[u8]) -> Digest {
    Sha256::digest(secret).into()
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
