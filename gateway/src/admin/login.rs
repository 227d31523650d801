//! Coming in and going out, one's own password and sessions.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, request::Parts},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use grok2api_proto::{
    Error, Result,
    admin::{ChangePasswordRequest, EndSessionsRequest, ListSessionsRequest, LoginRequest, Session},
    keys::ListRequest,
    pool::ListAccountsRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Console, csrf,
    extract::Body,
    session::{self, Who, cookie, cross_site},
    words,
};
use crate::openai::error::Failure;

/// Digits of a session's digest that people see.
const SHOWN: usize = 16;

#[derive(Deserialize)]
pub(super) struct Login {
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    current_password: String,
    new_password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoke {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    others: bool,
}

/// One session as its admin sees it.
#[derive(Serialize)]
struct Shown {
    id: String,
    current: bool,
    created_at: i64,
    expires_at: i64,
    last_seen_at: i64,
    address: String,
    user_agent: String,
}

/// What of the first run is done.
#[derive(Serialize)]
struct Setup {
    password: bool,
    base_url: bool,
    client_key: bool,
    accounts: bool,
}

/// A wrong password is an answer, not an error: scripts of the seed read `success`.
pub(super) async fn login(
    State(console): State<Console>,
    parts: Parts,
    Body(login): Body<Login>,
) -> Result<Response, Failure> {
    if csrf::is_own(&parts.headers) == Some(false) {
        return Err(cross_site().into());
    }
    let (address, user_agent) = session::origin(&console.deps, &parts);
    let request = LoginRequest { name: login.username, password: login.password, address, user_agent };
    match console.services.admins.login(request).await {
        Ok(begun) => {
            let body = json!({"success": true, "token": begun.token, "message": "logged in"});
            Ok((cookie(Some(&begun.token), &parts.headers), Json(body)).into_response())
        }
        Err(error) if error.code == "wrong_login" => {
            let body = json!({"success": false, "token": null, "message": error.message});
            Ok(Json(body).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn logout(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    end(&console, &who, vec![who.session.digest.clone()], Bytes::new()).await?;
    let body = json!({"success": true, "message": "logged out"});
    Ok((cookie(None, &headers), Json(body)).into_response())
}

pub(super) async fn session(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Failure> {
    let must_change = who.session.admin.as_ref().is_some_and(|admin| admin.must_change_password);
    let setup = if must_change { None } else { Some(setup(&console).await?) };
    Ok(Json(json!({
        "admin": {"id": who.id, "name": who.name, "role": words::role(who.role)},
        "must_change_password": must_change,
        "created_at": who.session.created_at,
        "expires_at": who.session.expires_at,
        "setup": setup,
        "version": env!("CARGO_PKG_VERSION"),
    })))
}

async fn setup(console: &Console) -> Result<Setup> {
    let services = &console.services;
    let one = ListAccountsRequest { limit: 1, ..ListAccountsRequest::default() };
    let (keys, accounts) =
        tokio::try_join!(services.keys.list(ListRequest {}), services.pool.list_accounts(one))?;
    let applied = console.deps.runtime.current();
    Ok(Setup {
        password: true,
        base_url: !applied.config.base_url.is_empty(),
        client_key: !keys.keys.is_empty() || !applied.config.api_key.is_empty(),
        accounts: accounts.total > 0,
    })
}

/// The session gets a new secret, so that one that was known before is worth nothing.
pub(super) async fn password(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Body(new): Body<NewPassword>,
) -> Result<Response, Failure> {
    let request = ChangePasswordRequest {
        digest: who.session.digest,
        current_password: new.current_password,
        new_password: new.new_password,
    };
    let begun = console.services.admins.change_password(request).await.map_err(|error| {
        let param = error.param.as_deref().map(|_| "new_password".to_owned());
        if error.code == "weak_password" { Error { param, ..error } } else { error }
    })?;
    let body = json!({"success": true, "token": begun.token});
    Ok((cookie(Some(&begun.token), &headers), Json(body)).into_response())
}

pub(super) async fn sessions(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Failure> {
    let items: Vec<Shown> =
        own(&console, &who).await?.into_iter().map(|session| shown(session, &who)).collect();
    Ok(Json(json!({"items": items})))
}

pub(super) async fn revoke(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(revoke): Body<Revoke>,
) -> Result<Json<Value>, Failure> {
    if revoke.ids.is_empty() != revoke.others {
        return Err(Error::invalid("ids", "say either ids or others").into());
    }
    let own = own(&console, &who).await?;
    let named = |session: &Session| revoke.others || revoke.ids.contains(&id(&session.digest));
    let digests: Vec<Bytes> = own.into_iter().filter(named).map(|session| session.digest).collect();
    let digests: Vec<Bytes> =
        digests.into_iter().filter(|digest| !revoke.others || *digest != who.session.digest).collect();
    // Without any digest, all would be meant.
    let revoked = if digests.is_empty() { 0 } else { end(&console, &who, digests, Bytes::new()).await? };
    Ok(Json(json!({"revoked": revoked})))
}

async fn own(console: &Console, who: &Who) -> Result<Vec<Session>> {
    let request = ListSessionsRequest { admin_id: who.id.clone() };
    Ok(console.services.admins.list_sessions(request).await?.sessions)
}

async fn end(console: &Console, who: &Who, digests: Vec<Bytes>, keep: Bytes) -> Result<u64> {
    let (admin_id, author) = (who.id.clone(), who.name.clone());
    let request = EndSessionsRequest { admin_id, digests, keep, author };
    Ok(console.services.admins.end_sessions(request).await?.ended)
}

fn shown(session: Session, who: &Who) -> Shown {
    Shown {
        id: id(&session.digest),
        current: session.digest == who.session.digest,
        created_at: session.created_at,
        expires_at: session.expires_at,
        last_seen_at: session.last_seen_at,
        address: session.address,
        user_agent: session.user_agent,
    }
}

/// The beginning of a digest tells sessions of one admin apart, and opens nothing.
fn id(digest: &[u8]) -> String {
    let mut id: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    id.truncate(SHOWN);
    id
}
