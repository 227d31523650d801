//! Those who may use the console.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use grok2api_proto::{
    Error, Kind,
    admin::{self as wire, CreateRequest, EndSessionsRequest, ListRequest, Role, UpdateRequest},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Console, extract::Body, session::Who, words};
use crate::openai::error::Failure;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: String,
    role: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    role: Option<String>,
    disabled: Option<bool>,
    password: Option<String>,
    expected_version: u64,
}

#[derive(Serialize)]
pub(super) struct Admin {
    id: String,
    name: String,
    role: String,
    disabled: bool,
    must_change_password: bool,
    created_at: i64,
    last_login_at: Option<i64>,
    version: u64,
}

impl From<wire::Admin> for Admin {
    fn from(admin: wire::Admin) -> Self {
        Self {
            role: words::role(admin.role()),
            id: admin.id,
            name: admin.name,
            disabled: admin.disabled,
            must_change_password: admin.must_change_password,
            created_at: admin.created_at,
            last_login_at: admin.last_login_at,
            version: admin.version,
        }
    }
}

pub(super) async fn list(State(console): State<Console>) -> Result<Json<Value>, Failure> {
    let listed = console.services.admins.list(ListRequest {}).await?;
    let items: Vec<Admin> = listed.admins.into_iter().map(Into::into).collect();
    Ok(Json(json!({"items": items})))
}

pub(super) async fn create(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(new): Body<New>,
) -> Result<Json<Admin>, Failure> {
    let request = CreateRequest {
        role: words::read_role(&new.role)?.into(),
        name: new.name,
        password: new.password,
        author: who.name,
        password_is_theirs: false,
    };
    Ok(Json(console.services.admins.create(request).await?.into()))
}

pub(super) async fn update(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    Body(change): Body<Change>,
) -> Result<Json<Admin>, Failure> {
    if id == who.id && change.password.is_some() {
        // A session that was left open must not be enough.
        let message = "one's own password is set by POST /api/password, with the current one";
        return Err(Error::new(Kind::PermissionDenied, "use_own_password", message).at("password").into());
    }
    let role = change.role.as_deref().map(words::read_role).transpose()?.unwrap_or(Role::Unspecified);
    let request = UpdateRequest {
        password_is_theirs: false,
        id,
        role: role.into(),
        disabled: change.disabled,
        password: change.password,
        expected_version: change.expected_version,
        author: who.name,
    };
    Ok(Json(console.services.admins.update(request).await?.into()))
}

pub(super) async fn revoke(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let request = EndSessionsRequest { admin_id: id, author: who.name, ..EndSessionsRequest::default() };
    let revoked = console.services.admins.end_sessions(request).await?.ended;
    Ok(Json(json!({"revoked": revoked})))
}
