//! `/__sim/…`, the session endpoint, scenarios at run time.

use grok2api_upstream_sim::Outcome;
use serde_json::{Value, json};

use crate::support::{BASIC, Bench, SUPER};

async fn state(bench: &Bench) -> Value {
    bench.get("", "/__sim/state").send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn the_state_shows_accounts_requests_and_what_is_in_flight() {
    let bench = Bench::start().await;
    bench.ask(BASIC, "hello").await;
    let mut open =
        bench.open(BASIC, json!({"modelName": "grok-3", "message": "[[sim:fault=stall-mid]]a b c"})).await;
    open.chunk().await.unwrap();

    let state = state(&bench).await;
    assert_eq!(state["counters"]["requests"], 2);
    assert_eq!(state["counters"]["in_flight"], 1);
    assert_eq!(state["accounts"][BASIC]["windows"]["credits"]["remaining"], 78);
    assert_eq!(state["requests"][0]["outcome"], "completed");
    assert_eq!(state["requests"][0]["body"]["message"], "hello");
    assert_eq!(state["in_flight"][0]["fault"], "stall-mid");
    assert!(!state.to_string().contains("sso=sim-basic-one"), "tokens in cookies are masked");
    let last: Value = bench.get("", "/__sim/state?last=1").send().await.unwrap().json().await.unwrap();
    assert_eq!(last["requests"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn account_settings_are_applied_and_refused() {
    let bench = Bench::start().await;
    let path = format!("/__sim/accounts/{BASIC}");
    let patch = json!({"faults": [{"name": "500", "on": "chat", "first": 2}], "windows": {"fast": {"total": 3, "window_seconds": 5}}});
    let (status, view) = bench.json("", &path, patch).await;
    assert_eq!(status, 200);
    assert_eq!(
        view["windows"]["fast"],
        json!({"total": 3, "remaining": 3, "window_seconds": 5, "resets_in_ms": null})
    );
    assert_eq!(view["faults"][0], "500 (struck 0)");
    let statuses =
        [bench.status(BASIC, "x").await, bench.status(BASIC, "x").await, bench.status(BASIC, "x").await];
    assert_eq!(statuses, [500, 500, 200]);

    for wrong in [
        json!({"windows": {"expert": {"remaining": 1}}}),
        json!({"windows": {"tokens": {}}}),
        json!({"faults": [{"name": "nonsense"}]}),
        json!({"faults": [{"name": "500", "on": "kitchen"}]}),
        json!({"colour": 1}),
    ] {
        assert_eq!(bench.json("", &path, wrong).await.0, 400);
    }
    assert_eq!(bench.json("", "/__sim/accounts/stranger", json!({})).await.0, 404);
}

#[tokio::test]
async fn a_scenario_can_be_replaced_and_reset_brings_the_first_back() {
    let bench = Bench::scenario("[[fault]]\nname = '403-empty'\ntoken = 'sim-basic-*'").await;
    assert_eq!(bench.status(BASIC, "x").await, 403);
    assert_eq!(bench.status(SUPER, "x").await, 200);

    let post = async |text: &'static str| {
        let response = bench.post("", "/__sim/scenario").body(text).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(post("[[account]]\ntoken = '*'\nwindows.credits = { remaining = 0 }").await.0, 200);
    assert_eq!(bench.status(SUPER, "x").await, 429, "known accounts get the new windows too");
    let (status, body) = post("seed = 1\nspeed = 2").await;
    assert_eq!(status, 400);
    assert!(body.contains("scenario line 2, `speed`: unknown field `speed`"), "{body}");

    assert_eq!(bench.json("", "/__sim/reset", json!({})).await.0, 200);
    assert!(bench.sim.requests().is_empty() && bench.sim.accounts().is_empty());
    assert_eq!(bench.status(BASIC, "x").await, 403);
    assert_eq!(bench.status(SUPER, "x").await, 200);
    assert_eq!(bench.sim.counters().requests, 2);
}

#[tokio::test]
async fn the_session_tells_who_and_whether_blocked() {
    let bench = Bench::start().await;
    let session = async |token: &str| -> Value {
        bench.get(token, "/api/auth/session").send().await.unwrap().json().await.unwrap()
    };
    let known = session(BASIC).await;
    assert_eq!(known["status"], "authenticated");
    assert_eq!(known["session"]["userId"], json!(bench.sim.account(BASIC).unwrap().user_id));
    assert_eq!(session("stranger").await, json!({"status": "unauthenticated"}));
    bench.json("", &format!("/__sim/accounts/{BASIC}"), json!({"faults": [{"name": "403-blocked"}]})).await;
    assert_eq!(session(BASIC).await, json!({"status": "blocked"}));
}

#[tokio::test]
async fn health_and_the_fault_table_are_there() {
    let bench = Bench::start().await;
    assert_eq!(bench.get("", "/__sim/health").send().await.unwrap().status(), 200);
    let table: Value = bench.get("", "/__sim/faults").send().await.unwrap().json().await.unwrap();
    assert_eq!(table.as_array().unwrap().len(), grok2api_upstream_sim::faults().len());
    assert!(bench.sim.requests().is_empty(), "looking is not recorded");
}

#[tokio::test]
async fn refusals_are_recorded_as_such() {
    let bench = Bench::start().await;
    bench.status("stranger", "x").await;
    bench.status(BASIC, "[[sim:fault=500]]x").await;
    let outcomes: Vec<_> =
        bench.sim.requests().iter().map(|request| (request.outcome, request.status)).collect();
    assert_eq!(outcomes, [(Outcome::Refused, Some(401)), (Outcome::Faulted, Some(500))]);
}
