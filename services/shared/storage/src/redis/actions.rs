//! [`Actions`] in Redis: ids in their order, and a hash of what each was.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Redis;
use crate::{
    Result,
    actions::{Action, Actions, impossible},
};

/// All with the score 0, so that they stand in the order of their text, which is the order of time.
pub(super) const ORDER: &str = "{g2a}:actions:order";
pub(super) const BODIES: &str = "{g2a}:actions";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    at: i64,
    actor: String,
    what: String,
    target: String,
    before: Value,
    after: Value,
}

struct RedisActions(Redis);

impl Redis {
    /// What admins did.
    pub fn actions(&self) -> Arc<dyn Actions> {
        Arc::new(RedisActions(self.clone()))
    }
}

#[async_trait]
impl Actions for RedisActions {
    async fn append(&self, action: &Action) -> Result<()> {
        let mut write = redis::pipe();
        write.atomic().hset(BODIES, action.id.to_string(), body(action)?).ignore();
        write.zadd(ORDER, action.id.to_string(), 0).ignore();
        self.0.ask(&write).await
    }

    async fn page(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Action>> {
        let newest = before.map_or("+".to_owned(), |before| format!("({before}"));
        let mut read = redis::pipe();
        read.cmd("ZREVRANGEBYLEX").arg(ORDER).arg(newest).arg("-").arg("LIMIT").arg(0).arg(limit);
        let (ids,): (Vec<String>,) = self.0.ask(&read).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (bodies,): (Vec<Option<Vec<u8>>>,) =
            self.0.ask(redis::pipe().cmd("HMGET").arg(BODIES).arg(&ids)).await?;
        ids.into_iter().zip(bodies).map(|(id, body)| open(&id, body)).collect()
    }
}

/// As it is kept.
pub(super) fn body(action: &Action) -> Result<Vec<u8>> {
    let Action { id, at, actor, what, target, before, after } = action.clone();
    let body = Body { at, actor, what, target, before, after };
    serde_json::to_vec(&body).map_err(|error| impossible(id, error))
}

fn open(name: &str, body: Option<Vec<u8>>) -> Result<Action> {
    let id = Uuid::parse_str(name).map_err(|error| impossible(name, error))?;
    let body = body.ok_or_else(|| impossible(id, "it is missing"))?;
    let body: Body = serde_json::from_slice(&body).map_err(|error| impossible(id, error))?;
    let Body { at, actor, what, target, before, after } = body;
    Ok(Action { id, at, actor, what, target, before, after })
}
