//! `/__sim/…`: looking at the simulator and changing it. These requests are not recorded.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::{
    journal::Outcome,
    reply::Reply,
    scenario::{AccountPatch, Scenario},
    world::World,
};

#[derive(Deserialize)]
pub(crate) struct StateQuery {
    last: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockPatch {
    advance_seconds: u64,
}

pub(crate) async fn health() -> Reply {
    Reply::json(200, r#"{"status":"ok"}"#)
}

pub(crate) async fn faults() -> Reply {
    Reply::ok(&crate::fault::faults())
}

/// Everything: counters, accounts, the newest `last` requests (all by default) and those in flight among them.
pub(crate) async fn state(State(world): State<Arc<World>>, Query(query): Query<StateQuery>) -> Reply {
    let requests = world.journal.records(query.last.unwrap_or(usize::MAX));
    let in_flight: Vec<_> = requests.iter().filter(|request| request.outcome == Outcome::Open).collect();
    Reply::ok(&json!({
        "now_ms": world.clock.now_ms(),
        "time_scale": world.clock.scale(),
        "counters": world.journal.counters(),
        "accounts": world.views(),
        "in_flight": in_flight,
        "requests": requests,
    }))
}

pub(crate) async fn reset(State(world): State<Arc<World>>) -> Reply {
    world.reset();
    Reply::json(200, "{}")
}

pub(crate) async fn scenario(State(world): State<Arc<World>>, text: String) -> Reply {
    match text.parse::<Scenario>() {
        Ok(scenario) => {
            world.set_scenario(scenario);
            Reply::json(200, "{}")
        }
        Err(error) => Reply::invalid(error.to_string()),
    }
}

/// Changes one account and answers with how it stands now.
pub(crate) async fn account(
    State(world): State<Arc<World>>,
    Path(token): Path<String>,
    body: Bytes,
) -> Response {
    let Some(account) = world.account(&token) else {
        return Reply::not_found("no such account: tokens begin with sim-basic-, sim-super- or sim-heavy-")
            .into_response();
    };
    let patch = match serde_json::from_slice::<AccountPatch>(&body) {
        Ok(patch) => patch,
        Err(error) => return Reply::invalid(error.to_string()).into_response(),
    };
    let lacking = patch.windows.keys().find(|pool| account.tier.allowance(**pool).is_none());
    if let Some(pool) = lacking {
        return Reply::invalid(format!("this tier has no window {}", json!(pool))).into_response();
    }
    account.apply(&patch, world.clock.now_ms());
    Reply::ok(&account.view(world.clock.now_ms())).into_response()
}

pub(crate) async fn clock(State(world): State<Arc<World>>, body: Bytes) -> Reply {
    match serde_json::from_slice::<ClockPatch>(&body) {
        Ok(patch) => {
            world.clock.advance(Duration::from_secs(patch.advance_seconds));
            Reply::ok(&json!({"now_ms": world.clock.now_ms()}))
        }
        Err(error) => Reply::invalid(error.to_string()),
    }
}
