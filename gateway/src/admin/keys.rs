//! The keys of clients.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use grok2api_proto::{
    Result,
    keys::{self as wire, CreateRequest, GetRequest, ListRequest, RevokeRequest, UpdateRequest},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Console,
    dashboard::{self, Range},
    extract::{Body, Params},
    session::Who,
};
use crate::openai::error::Failure;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    #[serde(default)]
    revoked: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    spec: Spec,
    expected_version: u64,
}

#[derive(Serialize)]
pub(super) struct Key {
    id: String,
    masked: String,
    status: &'static str,
    spec: Spec,
    created_at: i64,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
    version: u64,
}

/// What is said of a key. The service behind decides what of it may be said.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Spec {
    name: String,
    note: String,
    disabled: bool,
    expires_at: Option<i64>,
    models: Vec<String>,
    addresses: Vec<String>,
    account_tags: Vec<String>,
    limits: Limits,
    budgets: Vec<Budget>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    requests_per_minute: Option<u64>,
    tokens_per_minute: Option<u64>,
    concurrency: Option<u64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    unit: String,
    period: String,
    amount: u64,
}

/// What a key is to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Disabled,
    Expired,
    Revoked,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

pub(super) fn status(key: &wire::Key, now_ms: i64) -> Status {
    let spec = key.spec.as_ref();
    let expires_at = spec.and_then(|spec| spec.expires_at);
    match expires_at {
        _ if key.revoked_at.is_some() => Status::Revoked,
        _ if spec.is_some_and(|spec| spec.disabled) => Status::Disabled,
        Some(at) if at <= now_ms => Status::Expired,
        _ => Status::Active,
    }
}

pub(super) async fn list(
    State(console): State<Console>,
    Params(which): Params<Which>,
) -> Result<Json<Value>, Failure> {
    let mut keys = console.services.keys.list(ListRequest {}).await?.keys;
    keys.retain(|key| which.revoked || key.revoked_at.is_none());
    let items: Vec<Key> = keys.into_iter().map(|key| shown(&console, key)).collect();
    Ok(Json(json!({"items": items})))
}

pub(super) async fn one(
    State(console): State<Console>,
    Path(id): Path<String>,
) -> Result<Json<Key>, Failure> {
    let key = console.services.keys.get(GetRequest { id }).await?;
    Ok(Json(shown(&console, key)))
}

pub(super) async fn create(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(new): Body<New>,
) -> Result<Json<Value>, Failure> {
    let request = CreateRequest { spec: Some(new.spec.into()), author: who.name };
    let made = console.services.keys.create(request).await?;
    let key = made.key.map(|key| shown(&console, key));
    Ok(Json(json!({"key": key, "secret": made.secret})))
}

pub(super) async fn update(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    Body(change): Body<Change>,
) -> Result<Json<Key>, Failure> {
    let (spec, expected_version) = (Some(change.spec.into()), change.expected_version);
    let request = UpdateRequest { id, spec, expected_version, author: who.name };
    let key = console.services.keys.update(request).await?;
    Ok(Json(shown(&console, key)))
}

pub(super) async fn revoke(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<Json<Key>, Failure> {
    let key = console.services.keys.revoke(RevokeRequest { id, author: who.name }).await?;
    Ok(Json(shown(&console, key)))
}

pub(super) async fn usage(
    State(console): State<Console>,
    Path(id): Path<String>,
    Params(range): Params<Range>,
) -> Result<Json<Value>, Failure> {
    let key = console.services.keys.get(GetRequest { id }).await?;
    dashboard::of_key(&console, range, key.id).await
}

fn shown(console: &Console, key: wire::Key) -> Key {
    Key {
        status: status(&key, console.deps.client_keys.now_ms()).name(),
        id: key.id,
        masked: key.masked,
        spec: key.spec.unwrap_or_default().into(),
        created_at: key.created_at,
        last_used_at: key.last_used_at,
        revoked_at: key.revoked_at,
        version: key.version,
    }
}

impl From<Spec> for wire::Spec {
    fn from(spec: Spec) -> Self {
        let budget =
            |budget: Budget| wire::Budget { unit: budget.unit, period: budget.period, amount: budget.amount };
        Self {
            name: spec.name,
            note: spec.note,
            disabled: spec.disabled,
            expires_at: spec.expires_at,
            models: spec.models,
            addresses: spec.addresses,
            account_tags: spec.account_tags,
            limits: (spec.limits != Limits::default()).then_some(wire::Limits {
                requests_per_minute: spec.limits.requests_per_minute,
                tokens_per_minute: spec.limits.tokens_per_minute,
                concurrency: spec.limits.concurrency,
            }),
            budgets: spec.budgets.into_iter().map(budget).collect(),
        }
    }
}

impl From<wire::Spec> for Spec {
    fn from(spec: wire::Spec) -> Self {
        let limits = spec.limits.unwrap_or_default();
        let budget =
            |budget: wire::Budget| Budget { unit: budget.unit, period: budget.period, amount: budget.amount };
        Self {
            name: spec.name,
            note: spec.note,
            disabled: spec.disabled,
            expires_at: spec.expires_at,
            models: spec.models,
            addresses: spec.addresses,
            account_tags: spec.account_tags,
            limits: Limits {
                requests_per_minute: limits.requests_per_minute,
                tokens_per_minute: limits.tokens_per_minute,
                concurrency: limits.concurrency,
            },
            budgets: spec.budgets.into_iter().map(budget).collect(),
        }
    }
}
