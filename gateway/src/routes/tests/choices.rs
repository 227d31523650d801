//! Several answers to one request.

use std::{collections::HashSet, time::Duration};

use grok2api_proto::{
    Error, Kind,
    chat::{End, Finish, Text, Usage, chat_event},
};
use grok2api_testkit::Step;

use super::*;

fn answer(text: &str, finish: Finish) -> Turn {
    let usage = Usage { prompt_tokens: 3, completion_tokens: 2, reasoning_tokens: 1, estimated: true };
    Turn::of([
        Step::Batch(vec![chat_event::Kind::Text(Text { text: text.into() })]),
        Step::Batch(vec![
            chat_event::Kind::Usage(usage),
            chat_event::Kind::End(End { finish: finish.into() }),
        ]),
    ])
}

fn asked(n: usize, stream: bool) -> Value {
    let mut request = hello();
    request["n"] = json!(n);
    request["stream"] = json!(stream);
    request["stream_options"] = json!({"include_usage": true});
    request["stop"] = json!(["END"]);
    request["max_tokens"] = json!(9);
    request
}

fn chunks(answer: &Answer) -> Vec<Value> {
    let data = answer.text().split("\n\n").filter_map(|frame| frame.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test]
async fn each_choice_is_a_turn_and_all_count() {
    let gateway = Gateway::playing([answer("one", Finish::Stop), answer("two", Finish::Length)]);
    let body = gateway.post(&asked(2, false)).await.json();
    let choice = |index: usize| {
        let choice = &body["choices"][index];
        (choice["index"].clone(), choice["message"]["content"].clone(), choice["finish_reason"].clone())
    };
    assert_eq!(choice(0), (json!(0), json!("one"), json!("stop")));
    assert_eq!(choice(1), (json!(1), json!("two"), json!("length")));
    assert_eq!(body["usage"]["prompt_tokens"], 6);
    assert_eq!(body["usage"]["total_tokens"], 10);
    let requests = gateway.chat.requests();
    let ids: HashSet<_> = requests.iter().map(|request| &request.request_id).collect();
    assert_eq!((requests.len(), ids.len()), (2, 2));
    for request in &requests {
        assert_eq!((request.stop.as_slice(), request.max_tokens), (["END".to_owned()].as_slice(), Some(9)));
        assert_eq!(request.messages.len(), 1);
    }
}

#[tokio::test]
async fn streamed_choices_are_told_apart_by_their_index_and_finish_once_each() {
    let turns = [answer("one", Finish::Stop), answer("two", Finish::Length), answer("three", Finish::Stop)];
    let answer = Gateway::playing(turns).post(&asked(3, true)).await;
    let chunks = chunks(&answer);
    let mut told = [const { String::new() }; 3];
    let mut finished = [const { Vec::new() }; 3];
    for chunk in &chunks {
        let Some(choice) = chunk["choices"].get(0) else { continue };
        assert_eq!(chunk["choices"].as_array().unwrap().len(), 1);
        let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
        told[index].push_str(choice["delta"]["content"].as_str().unwrap_or_default());
        finished[index].extend(choice["finish_reason"].as_str().map(str::to_owned));
    }
    assert_eq!(told, ["one", "two", "three"]);
    let greeted = chunks.iter().take(3).map(|chunk| chunk["choices"][0]["index"].clone());
    assert_eq!(greeted.collect::<Vec<_>>(), [json!(0), json!(1), json!(2)]);
    assert_eq!(finished, [["stop"], ["length"], ["stop"]]);
    let last = chunks.last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(15)));
    assert_eq!(chunks.iter().filter(|chunk| chunk["choices"] == json!([])).count(), 1);
    assert_eq!(answer.text().matches("[DONE]").count(), 1);
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn one_choice_that_fails_fails_the_answer_and_ends_the_others() {
    for stream in [false, true] {
        let refusal = Turn::refused(Error::new(Kind::RateLimited, "pool_exhausted", "no account is left"));
        let gateway = Gateway::playing([Turn::of([Step::Hang]), refusal]);
        gateway.post(&asked(2, stream)).await.is_error(429, "rate_limit_error", "pool_exhausted");
        assert_eq!(gateway.chat.open(), 0);
    }
    let cut = Turn::of([Step::Batch(vec![chat_event::Kind::Text(Text { text: "half".into() })])]);
    let gateway = Gateway::playing([Turn::of([Step::Hang]), cut]);
    let answer = gateway.post(&asked(2, false)).await;
    answer.is_error(502, "server_error", "upstream_stream_incomplete");
    let half = [
        Step::Batch(vec![chat_event::Kind::Text(Text { text: "half".into() })]),
        Step::Fail(Error::new(Kind::Upstream, "reset", "gone")),
    ];
    let gateway = Gateway::playing([Turn::of([Step::Hang]), Turn::of(half)]);
    let answer = gateway.post(&asked(2, true)).await;
    assert!(answer.text().contains("\"code\":\"reset\"") && !answer.text().contains("finish_reason\":\""));
    assert_eq!(answer.text().matches("[DONE]").count(), 1);
    assert_eq!(gateway.chat.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn choices_that_are_still_being_opened_join_the_stream_later() {
    let late = answer("two", Finish::Stop).after(Duration::from_secs(25));
    let answer = Gateway::playing([answer("one", Finish::Stop), late]).post(&asked(2, true)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with(": ping\n\n"));
    let told: String = chunks(&answer)
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(told, "onetwo");
}
