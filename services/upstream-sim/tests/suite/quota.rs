//! Windows, costs, exhaustion, refill.

use std::time::Duration;

use futures_util::future::join_all;
use grok2api_upstream_sim::Pool;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{BASIC, Bench, CHAT, SUPER};

#[tokio::test]
async fn both_request_shapes_report_the_window() {
    let bench = Bench::start().await;
    assert_eq!(
        bench.quota(BASIC, "grok-3").await,
        json!({
            "windowSizeSeconds": 72000, "remainingQueries": 80, "totalQueries": 80, "remainingTokens": 80,
            "totalTokens": 80, "lowEffortRateLimits": null, "highEffortRateLimits": null,
        })
    );
    assert_eq!(bench.quota(BASIC, "grok-4").await["remainingQueries"], 20);
    let (_, fast) = bench.json(BASIC, "/rest/rate-limits", json!({"modelName": "fast"})).await;
    assert_eq!((&fast["totalQueries"], &fast["windowSizeSeconds"]), (&json!(30), &json!(86400)));
    assert_eq!(bench.quota(SUPER, "grok-4-heavy").await["totalQueries"], 20);
}

#[rstest]
#[case("grok-4-heavy", 403)]
#[case("expert", 403)]
#[case("grok-99", 404)]
#[tokio::test]
async fn what_the_tier_lacks_has_no_quota(#[case] model: &str, #[case] status: u16) {
    let bench = Bench::start().await;
    let (got, _) = bench.json(BASIC, "/rest/rate-limits", json!({"modelName": model})).await;
    assert_eq!(got, status);
    assert_eq!(bench.json(BASIC, "/rest/rate-limits", json!([])).await.0, 400);
}

#[rstest]
#[case(json!({"modelName": "grok-3", "modelMode": "MODEL_MODE_FAST", "message": "x"}), 1)]
#[case(json!({"modelName": "grok-4-mini-thinking-tahoe", "modelMode": "MODEL_MODE_EXPERT", "message": "x"}), 4)]
#[case(json!({"modelName": "grok-4", "modelMode": "MODEL_MODE_EXPERT", "message": "x"}), 4)]
#[case(json!({"modelName": "grok-3", "message": "画一个月亮"}), 4)]
#[case(json!({"modelName": "grok-4", "modelMode": "MODEL_MODE_EXPERT", "message": "draw a moon"}), 4)]
#[case(json!({"modelName": "grok-3", "message": "x", "toolOverrides": {"videoGen": true}}), 1)]
#[tokio::test]
async fn a_turn_costs_what_the_seed_says(#[case] body: Value, #[case] cost: u64) {
    let bench = Bench::start().await;
    bench.turn(BASIC, body).await;
    assert_eq!(bench.quota(BASIC, "grok-3").await["remainingTokens"], 80 - cost);
}

#[tokio::test]
async fn concurrent_turns_never_take_more_than_the_window() {
    let bench = Bench::start().await;
    let turns = (0..100).map(|number| {
        let bench = &bench;
        async move { bench.status(BASIC, &format!("turn {number}")).await }
    });
    let statuses = join_all(turns).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 80);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 20);
    assert_eq!(bench.sim.account(BASIC).unwrap().windows[&Pool::Credits].remaining, 0);
    assert_eq!(bench.sim.counters().refused, 20);
}

#[tokio::test]
async fn a_window_refills_when_its_time_is_over() {
    let bench =
        Bench::scenario("[[account]]\ntoken = '*'\nwindows.credits = { total = 1, window_seconds = 3600 }")
            .await;
    assert_eq!(bench.status(BASIC, "one").await, 200);
    let (status, body) = bench.json(BASIC, CHAT, json!({"modelName": "grok-3", "message": "two"})).await;
    assert_eq!((status, &body["code"]), (429, &json!(8)));
    bench.sim.advance(Duration::from_secs(3600));
    assert_eq!(bench.status(BASIC, "three").await, 200);
    bench.json(BASIC, "/__sim/clock", json!({"advance_seconds": 3600})).await;
    assert_eq!(bench.status(BASIC, "four").await, 200);
}

#[tokio::test]
async fn the_scale_of_time_is_the_scenarios() {
    let bench = Bench::scenario("time_scale = 3600000.0\nexhausted = 'in-band'").await;
    // A thousand hours pass in every second: the window of 20 hours is full again after 20 ms.
    for _ in 0..3 {
        bench.ask(BASIC, "x").await;
    }
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(bench.quota(BASIC, "grok-3").await["remainingTokens"], 80);
}

#[tokio::test]
async fn exhaustion_can_be_told_in_band() {
    let bench = Bench::start().await;
    let patch = json!({"windows": {"credits": {"remaining": 0}}, "exhausted": "in-band"});
    assert_eq!(bench.json(BASIC, &format!("/__sim/accounts/{BASIC}"), patch).await.0, 200);
    let answer = bench.ask(BASIC, "x").await;
    assert_eq!(answer.objects.len(), 1);
    assert_eq!(answer.objects[0]["error"]["code"], 8);
}
