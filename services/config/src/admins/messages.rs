//! Between rows and messages.

use grok2api_proto::{Error, Result, admin as wire};
use grok2api_storage::{
    actions::Action,
    admins::{Admin, Role},
    sessions::{Digest, Session},
};
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) fn admin(admin: &Admin) -> wire::Admin {
    wire::Admin {
        id: admin.id.to_string(),
        name: admin.name.clone(),
        role: match admin.role {
            Role::Viewer => wire::Role::Viewer,
            Role::Operator => wire::Role::Operator,
            Role::Owner => wire::Role::Owner,
        }
        .into(),
        disabled: admin.disabled,
        must_change_password: admin.must_change,
        created_at: admin.created_at,
        last_login_at: admin.last_login_at,
        version: admin.version,
    }
}

pub(super) fn session(session: &Session, of: Option<&Admin>) -> wire::Session {
    wire::Session {
        admin: of.map(admin),
        digest: session.digest.to_vec().into(),
        created_at: session.created_at,
        expires_at: session.expires_at,
        last_seen_at: session.last_seen_at,
        address: session.address.clone(),
        user_agent: session.user_agent.clone(),
    }
}

/// Absent when unspecified.
pub(super) fn role(number: i32) -> Result<Option<Role>> {
    match wire::Role::try_from(number) {
        Ok(wire::Role::Unspecified) => Ok(None),
        Ok(wire::Role::Viewer) => Ok(Some(Role::Viewer)),
        Ok(wire::Role::Operator) => Ok(Some(Role::Operator)),
        Ok(wire::Role::Owner) => Ok(Some(Role::Owner)),
        Err(_) => Err(Error::invalid("role", format!("{number} is no role"))),
    }
}

pub(super) fn digest(bytes: &[u8]) -> Result<Digest> {
    bytes.try_into().map_err(|_| Error::invalid("digest", "a digest has 32 bytes"))
}

pub(super) fn action(action: Action) -> wire::Action {
    wire::Action {
        id: action.id.to_string(),
        at: action.at,
        actor: action.actor,
        what: action.what,
        target: action.target,
        before: action.before.to_string(),
        after: action.after.to_string(),
    }
}

pub(super) fn read_action(action: wire::Action, now_ms: i64) -> Result<Action> {
    Ok(Action {
        id: Uuid::now_v7(),
        at: now_ms,
        actor: action.actor,
        what: action.what,
        target: action.target,
        before: json("before", &action.before)?,
        after: json("after", &action.after)?,
    })
}

fn json(name: &str, text: &str) -> Result<Value> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).map_err(|_| Error::invalid(name, format!("{name} must be JSON")))
}

/// An admin as the log of actions shows them.
pub(super) fn told(admin: &Admin) -> Value {
    json!({
        "name": admin.name,
        "role": admin.role,
        "disabled": admin.disabled,
        "must_change_password": admin.must_change,
    })
}
