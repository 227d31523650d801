//! The parameters: values, changes, history, the way back.

pub(super) mod seed;

use std::collections::BTreeMap;

use axum::{Extension, Json, extract::State};
use grok2api_proto::{
    Error, Result,
    admin::Role,
    config::{
        GetRequest, ListParametersRequest, ListRevisionsRequest, Parameter, Revision, RollbackRequest,
        UpdateRequest,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Console,
    extract::{Body, Params, limit},
    session::Who,
};
use crate::openai::error::Failure;

/// What stands for a secret; sent back, it leaves the secret as it is.
const MASK: &str = "********";
/// What only owners change: it opens everything.
const OWNERS: [&str; 2] = ["admin_username", "admin_password"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    changes: BTreeMap<String, Value>,
    expected_revision: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Back {
    revision: u64,
    expected_revision: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    cursor: Option<u64>,
    limit: Option<u32>,
}

/// One parameter with its value.
#[derive(Serialize)]
struct Shown {
    name: String,
    scope: String,
    group: String,
    kind: String,
    default: Value,
    value: Value,
    overridden: bool,
    secret: bool,
    is_set: bool,
    required: bool,
    choices: Vec<String>,
    format: String,
    min: Option<u32>,
    max: Option<u32>,
    description: String,
}

/// All parameters and their values at a revision.
struct Known {
    revision: Revision,
    values: Map<String, Value>,
    parameters: Vec<Parameter>,
}

pub(super) async fn parameters(State(console): State<Console>) -> Result<Json<Value>, Failure> {
    let revision = console.services.config.get(GetRequest {}).await?;
    Ok(Json(known(&console, revision).await?.shown()))
}

pub(super) async fn change(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(change): Body<Change>,
) -> Result<Json<Value>, Failure> {
    let before = known(&console, console.services.config.get(GetRequest {}).await?).await?;
    let after = update(&console, &who, &before, change.changes, Some(change.expected_revision)).await?;
    Ok(Json(after.shown()))
}

pub(super) async fn rollback(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(back): Body<Back>,
) -> Result<Json<Value>, Failure> {
    let config = &console.services.config;
    let before = known(&console, config.get(GetRequest {}).await?).await?;
    let (number, expected_revision) = (back.revision, back.expected_revision);
    if who.role < Role::Owner {
        // The owner's name may be among what comes back.
        refuse_owners(&console, &before, number).await?;
    }
    let request = RollbackRequest { number, expected_revision, author: who.name.clone() };
    let after = known(&console, config.rollback(request).await?).await?;
    let told = before.told(&after);
    console.log(&who, "settings.rollback", number, told.0, told.1).await;
    Ok(Json(after.shown()))
}

/// Refuses a rollback that would rename the owner, for those who may not.
async fn refuse_owners(console: &Console, before: &Known, number: u64) -> Result<()> {
    let mut cursor = 0;
    loop {
        let request = ListRevisionsRequest { before: cursor, limit: 500 };
        let page = console.services.config.list_revisions(request).await?;
        let since = page.revisions.iter().take_while(|revision| revision.number > number);
        if since.flat_map(|revision| &revision.changes).any(|change| change.name == OWNERS[0]) {
            return Err(Error::new(
                grok2api_proto::Kind::PermissionDenied,
                "FORBIDDEN",
                format!("{} was changed since, which only an owner takes back", OWNERS[0]),
            ));
        }
        let reached = page.revisions.last().is_none_or(|last| last.number <= number);
        if reached || page.next_before == 0 || before.revision.number <= number {
            return Ok(());
        }
        cursor = page.next_before;
    }
}

pub(super) async fn revisions(
    State(console): State<Console>,
    Params(page): Params<Page>,
) -> Result<Json<Value>, Failure> {
    let request = ListRevisionsRequest { before: page.cursor.unwrap_or_default(), limit: limit(page.limit)? };
    let listed = console.services.config.list_revisions(request).await?;
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let items = listed.revisions.into_iter().map(|revision| {
        let changes = revision.changes.iter().map(|change| {
            json!({"name": change.name, "before": read(&change.before), "after": read(&change.after)})
        });
        json!({
            "number": revision.number,
            "author": revision.author,
            "created_at": revision.created_at,
            "changes": changes.collect::<Vec<_>>(),
        })
    });
    let next = Some(listed.next_before).filter(|next| *next > 0).map(|next| next.to_string());
    Ok(Json(json!({"items": items.collect::<Vec<_>>(), "next_cursor": next})))
}

/// Makes a new revision of what differs, and writes down what it changed.
async fn update(
    console: &Console,
    who: &Who,
    before: &Known,
    mut changes: BTreeMap<String, Value>,
    expected_revision: Option<u64>,
) -> Result<Known> {
    changes.retain(|name, value| !before.stays(name, value));
    if changes.keys().any(|name| OWNERS.contains(&name.as_str())) {
        who.needs(Role::Owner)?;
    }
    let changes = changes.into_iter().map(|(name, value)| (name, value.to_string())).collect();
    let request = UpdateRequest { changes, expected_revision, author: who.name.clone() };
    let revision = console.services.config.update(request).await?;
    let after = Known { values: values(&revision)?, revision, parameters: before.parameters.clone() };
    if after.revision.number != before.revision.number {
        let told = before.told(&after);
        console.log(who, "settings.update", after.revision.number, told.0, told.1).await;
    }
    Ok(after)
}

async fn known(console: &Console, revision: Revision) -> Result<Known> {
    let listed = console.services.config.list_parameters(ListParametersRequest {}).await?;
    Ok(Known { values: values(&revision)?, revision, parameters: listed.parameters })
}

fn values(revision: &Revision) -> Result<Map<String, Value>> {
    match serde_json::to_value(revision.config.clone().unwrap_or_default()) {
        Ok(Value::Object(values)) => Ok(values),
        _ => Err(Error::internal("the parameters cannot be shown")),
    }
}

impl Known {
    fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    fn value(&self, name: &str) -> &Value {
        self.values.get(name).unwrap_or(&Value::Null)
    }

    /// Whether a value that is sent changes nothing.
    fn stays(&self, name: &str, value: &Value) -> bool {
        let Some(parameter) = self.parameter(name) else { return false };
        self.value(name) == value || (parameter.secret && value.as_str() == Some(MASK))
    }

    /// A value as anybody may see it.
    fn masked(&self, parameter: &Parameter) -> Value {
        let value = self.value(&parameter.name);
        if parameter.secret && value.as_str() != Some("") { json!(MASK) } else { value.clone() }
    }

    /// What differs, before and after, for the log of actions.
    fn told(&self, after: &Self) -> (Value, Value) {
        let differing = self
            .parameters
            .iter()
            .filter(|parameter| self.value(&parameter.name) != after.value(&parameter.name));
        let (mut was, mut became) = (Map::new(), Map::new());
        for parameter in differing {
            was.insert(parameter.name.clone(), self.masked(parameter));
            became.insert(parameter.name.clone(), after.masked(parameter));
        }
        (Value::Object(was), Value::Object(became))
    }

    fn shown(&self) -> Value {
        let parameters = self.parameters.iter().map(|parameter| {
            let value = self.value(&parameter.name);
            let default: Value = serde_json::from_str(&parameter.default).unwrap_or_default();
            let number = parameter.kind == "integer";
            Shown {
                overridden: *value != default,
                is_set: value.as_str() != Some(""),
                value: if parameter.secret { Value::Null } else { value.clone() },
                default: if parameter.secret && default.as_str() != Some("") { Value::Null } else { default },
                name: parameter.name.clone(),
                scope: parameter.scope.clone(),
                group: parameter.group.clone(),
                kind: parameter.kind.clone(),
                secret: parameter.secret,
                required: parameter.required,
                choices: parameter.choices.clone(),
                format: parameter.format.clone(),
                min: number.then_some(parameter.min),
                max: number.then_some(parameter.max),
                description: parameter.description.clone(),
            }
        });
        json!({
            "revision": self.revision.number,
            "created_at": self.revision.created_at,
            "author": self.revision.author,
            "parameters": parameters.collect::<Vec<_>>(),
        })
    }
}
