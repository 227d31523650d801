//! Selectors, cookies, payloads, conversations.

use grok2api_upstream_sim::{SessionCheck, SimConfig};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{BASIC, Bench, CHAT, SUPER};

#[tokio::test]
async fn an_answer_has_the_lines_of_the_reference_in_order() {
    let bench = Bench::start().await;
    let body = json!({"modelName": "grok-3", "modelMode": "MODEL_MODE_FAST", "message": "Hello 月", "temporary": false});
    let answer = bench.turn(BASIC, body).await;

    assert!(answer.objects[0]["result"]["conversation"]["conversationId"].is_string());
    assert_eq!(answer.all("userResponse")[0]["model"], "grok-3");
    assert!(
        answer.text().starts_with("You said: Hello 月. 你好，这是模拟器的回答 🌕👩‍🚀."),
        "{}",
        answer.text()
    );
    assert!(answer.tokens().contains(&"👩‍🚀"));
    let tail: Vec<_> = answer.objects.iter().rev().take(4).map(|line| &line["result"]).collect();
    assert!(tail[0]["title"]["newTitle"].is_string());
    assert_eq!(tail[1]["response"]["modelResponse"]["message"], answer.text());
    assert!(tail[2]["response"]["finalMetadata"].is_object());
    assert_eq!(tail[3]["response"]["isSoftStop"], true);
    assert!(answer.all("messageTag").is_empty(), "a fast model does not think");
}

#[rstest]
#[case(json!({"modelName": "grok-4", "modelMode": "MODEL_MODE_EXPERT", "message": "x"}), &["header", "summary", "summary"])]
#[case(json!({"modelName": "grok-3", "message": "[[sim:think]]x"}), &["header", "summary", "summary"])]
#[case(json!({"modelName": "grok-4", "message": "[[sim:think=off]]x"}), &[])]
#[case(json!({"modeId": "expert", "message": "[[sim:tokens=1]]"}), &["header", "analysis", "analysis", "final", "final"])]
#[tokio::test]
async fn reasoning_comes_first(#[case] body: Value, #[case] tags: &[&str]) {
    let bench = Bench::start().await;
    let answer = bench.turn(SUPER, body).await;
    let lines = answer.objects.iter().map(|line| &line["result"]["response"]);
    let seen = lines.filter(|line| line["token"].is_string()).filter_map(|line| line["messageTag"].as_str());
    let seen: Vec<_> = seen.collect();
    assert_eq!(seen, tags);
}

#[tokio::test]
async fn search_brings_a_tool_card_results_and_citations() {
    let bench = Bench::start().await;
    for message in ["search the moon", "请搜索月亮"] {
        let answer = bench.ask(BASIC, message).await;
        assert!(answer.all("toolUsageCard")[0]["webSearch"]["args"]["query"].is_string());
        assert_eq!(answer.all("webSearchResults")[0]["results"].as_array().unwrap().len(), 3);
        let card: Value =
            serde_json::from_str(answer.all("cardAttachment")[0]["jsonData"].as_str().unwrap()).unwrap();
        let tag = format!("<grok:render card_id=\"{}\"", card["id"].as_str().unwrap());
        assert!(answer.tokens().iter().any(|token| token.starts_with(&tag)), "one tag is one token");
        assert_eq!(answer.closing()["message"], answer.text());
        assert_eq!(answer.closing()["webSearchResults"].as_array().unwrap().len(), 3);
    }
    let body = json!({"modelName": "grok-3", "message": "search the moon", "disableSearch": true});
    assert!(bench.turn(BASIC, body).await.all("toolUsageCard").is_empty());
}

#[rstest]
#[case("sso-rw=sim-basic-a;sso=sim-basic-a", 200)]
#[case("sso=sim-basic-a; sso-rw=sim-basic-a; cf_clearance=x", 200)]
#[case("sso=eyJunknown; sso-rw=eyJunknown", 401)]
#[case("sso-rw=sim-basic-a", 401)]
#[tokio::test]
async fn the_cookie_decides_who_it_is(#[case] cookie: &str, #[case] status: u16) {
    let bench = Bench::start().await;
    let client = bench.post("unused", CHAT);
    let mut request = client.json(&json!({"modelName": "grok-3", "message": "x"})).build().unwrap();
    request.headers_mut().insert("cookie", cookie.parse().unwrap());
    let response = bench.client().execute(request).await.unwrap();
    assert_eq!(response.status(), status);
    if status == 401 {
        let body: Value = response.json().await.unwrap();
        assert_eq!(body, json!({"code": 16, "message": "unauthenticated: bad-credentials", "details": []}));
    }
}

#[rstest]
#[case(json!({"modelName": "grok-4-heavy", "message": "x"}), 403, 7)]
#[case(json!({"modeId": "heavy", "message": "x"}), 403, 7)]
#[case(json!({"modelName": "grok-99", "message": "x"}), 404, 5)]
#[case(json!({"modelName": "grok-3", "modelMode": "MODEL_MODE_NONE", "message": "x"}), 404, 5)]
#[case(json!({"message": "x"}), 400, 3)]
#[case(json!({"modelName": "grok-3"}), 400, 3)]
#[case(json!({"modelName": "grok-3", "message": " "}), 400, 3)]
#[case(json!({"modelName": "grok-3", "message": 5}), 400, 3)]
#[case(json!({"modelName": "grok-3", "message": "[[sim:dance]]"}), 400, 3)]
#[case(json!({"modelName": "grok-3", "message": "x", "fileAttachments": ["nope"]}), 400, 3)]
#[tokio::test]
async fn wrong_requests_are_told_apart(#[case] body: Value, #[case] status: u16, #[case] code: u64) {
    let bench = Bench::start().await;
    let (got, error) = bench.json(BASIC, CHAT, body).await;
    assert_eq!((got, error["code"].as_u64()), (status, Some(code)), "{error}");
    assert_eq!(bench.sim.account(BASIC).unwrap().turns, 0, "nothing is charged");
}

#[tokio::test]
async fn heavy_answers_super_and_heavy_accounts() {
    let bench = Bench::start().await;
    for token in [SUPER, "sim-heavy-one"] {
        bench
            .turn(
                token,
                json!({"modelName": "grok-4-heavy", "modelMode": "MODEL_MODE_HEAVY", "message": "x"}),
            )
            .await;
        bench.turn(token, json!({"modeId": "heavy", "message": "x"})).await;
        let windows = bench.sim.account(token).unwrap().windows;
        assert_eq!(windows[&grok2api_upstream_sim::Pool::Heavy].remaining, 18);
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_the_body_is_recorded() {
    let bench = Bench::start().await;
    let body = json!({"modeId": "fast", "message": "x", "deviceEnvInfo": {"screenWidth": 1}, "toolOverrides": {"gmailSearch": false}, "later": [1]});
    bench.turn(BASIC, body.clone()).await;
    let request = bench.sim.requests().pop().unwrap();
    let recorded: Value = serde_json::from_str(request.body.unwrap().get()).unwrap();
    assert_eq!(recorded, body);
    assert_eq!(request.account.as_deref(), Some(BASIC));
    let cookie = request.headers.iter().find(|(name, _)| *name == "cookie").unwrap();
    assert_eq!(cookie.1, "sso-rw=sim-…-one;sso=sim-…-one");
}

#[tokio::test]
async fn a_conversation_is_continued_by_its_owner_only() {
    let bench = Bench::start().await;
    let first = bench.ask(BASIC, "one").await;
    let id = first.objects[0]["result"]["conversation"]["conversationId"].as_str().unwrap();
    let parent = first.closing()["responseId"].as_str().unwrap();
    let path = format!("/rest/app-chat/conversations/{id}/responses");
    let body = json!({"modeId": "fast", "message": "two", "responseId": parent});

    let response = bench.post(BASIC, &path).json(&body).send().await.unwrap();
    let second = crate::support::Answer::of(response.bytes().await.unwrap().to_vec());
    assert_eq!(second.objects[0]["result"]["conversation"]["conversationId"], id);
    assert_eq!(second.all("userResponse")[0]["parentResponseId"], parent);
    assert_eq!(bench.json(SUPER, &path, body).await.0, 404);
}

#[tokio::test]
async fn the_session_values_are_checked_when_they_are_set() {
    let session = SessionCheck {
        cf_clearance: Some("cf_clearance=clear".into()),
        user_agent: Some("UA/1".into()),
        x_statsig_id: Some("statsig".into()),
    };
    let bench = Bench::with(SimConfig { session, ..SimConfig::default() }).await;
    let send = async |clearance: &str, agent: &str, statsig: &str| {
        let request = bench.post("unused", CHAT).json(&json!({"modelName": "grok-3", "message": "x"}));
        let mut request =
            request.header("user-agent", agent).header("x-statsig-id", statsig).build().unwrap();
        let cookie = format!("sso={BASIC};sso-rw={BASIC};cf_clearance={clearance}");
        request.headers_mut().insert("cookie", cookie.parse().unwrap());
        let response = bench.client().execute(request).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(send("clear", "UA/1", "statsig").await.0, 200);
    for wrong in [("old", "UA/1", "statsig"), ("clear", "UA/2", "statsig"), ("clear", "UA/1", "")] {
        let (status, page) = send(wrong.0, wrong.1, wrong.2).await;
        assert_eq!(status, 403);
        assert!(page.contains("Just a moment..."), "{page}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_404_json() {
    let bench = Bench::start().await;
    let (status, body) = bench.json(BASIC, "/rest/nothing", json!({})).await;
    assert_eq!((status, &body["code"]), (404, &json!(5)));
    assert_eq!(bench.get(BASIC, CHAT).send().await.unwrap().status(), 404);
}
