//! Images and videos in the ledger.

use grok2api_proto::{
    chat::{Charge, ChatRequest, End, Media, Started, chat_event::Kind as Event},
    media,
    video::{Job, JobDetails, VideoJobs as _},
};
use prost::Message as _;

use super::*;

fn file(name: &str) -> Media {
    Media { name: name.into(), content_type: "image/jpeg".into(), size: 3 }
}

/// A turn that has begun.
fn begun() -> Step {
    let tried = vec![attempt("account-1", "", 0)];
    Step::Batch(vec![
        Event::Started(Started { tried, ..Started::default() }),
        Event::Charge(Charge { units: 4 }),
    ])
}

fn making(events: Vec<Event>) -> Turn {
    Turn::of([begun(), Step::Batch(events), Step::Batch(vec![Event::End(End::default())])])
}

fn to(path: &str, body: &Value) -> Request<Body> {
    Request::post(path).body(body.to_string().into()).unwrap()
}

impl Gateway {
    async fn film(&self, body: &Value) -> String {
        let answer = self.ask(to("/v1/videos", body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }
}

#[rstest::rstest]
#[case::drawn("/v1/images/generations", json!({"prompt": "x", "n": 1}))]
#[case::streamed("/v1/images/generations", json!({"prompt": "x", "n": 1, "stream": true}))]
#[case::edited("/v1/images/edits", json!({"prompt": "x", "image": "https://a.example/1.png"}))]
#[tokio::test]
async fn images_have_an_entry(#[case] path: &str, #[case] body: Value) {
    let gateway =
        Gateway::playing([making(["a.jpg", "b.jpg"].map(|name| Event::Image(file(name))).to_vec())]);
    gateway.media.put(media::Kind::Image, "a.jpg", "image/jpeg", "a");
    let answer = gateway.ask(to(path, &body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let entry = gateway.entry().await;
    assert_eq!(outcome(&entry), (Outcome::Success, 200, ""));
    assert_eq!((entry.endpoint.as_str(), entry.stream), (path, body["stream"] == true));
    assert_eq!((entry.images, entry.units, entry.attempts.len()), (2, 4, 1), "all that were drawn");
    assert_eq!(entry.id, gateway.chat.requests()[0].request_id);
    assert_eq!(entry.model, gateway.chat.requests()[0].model);
    assert_eq!(entry.request_id, answer.header("x-request-id").unwrap());
}

#[rstest::rstest]
#[case::whole(false, 502)]
#[case::streamed(true, 200)]
#[tokio::test]
async fn images_that_fail_say_so(#[case] stream: bool, #[case] status: u32) {
    let gone = Error::new(Kind::Upstream, "reset", "gone").after(vec![attempt("a", "upstream_failed", 4)]);
    let gateway = Gateway::playing([Turn::of([begun(), Step::Fail(gone)])]);
    gateway.ask(to("/v1/images/generations", &json!({"prompt": "x", "stream": stream}))).await;
    gateway.ask(to("/v1/images/edits", &json!({"prompt": "x"}))).await;
    let entries = gateway.ledger.recorded(2).await;
    assert_eq!(outcome(&entries[0]), (Outcome::Upstream, status, "reset"));
    assert_eq!((entries[0].units, entries[0].attempts[0].account.as_str()), (4, "a"));
    assert_eq!(outcome(&entries[1]), (Outcome::InvalidRequest, 400, "missing_required_parameter"));
}

#[tokio::test(start_paused = true)]
async fn a_videos_entry_is_finished_with_the_video() {
    let wait = Step::Wait(Duration::from_secs(20));
    let film = Step::Batch(vec![Event::Video(file("v.mp4")), Event::End(End::default())]);
    let gateway = Gateway::playing([Turn::of([begun(), wait, film])]);
    let id = gateway.film(&json!({"prompt": "a cat"})).await;
    assert!(gateway.ledger.entries().is_empty());
    let entry = gateway.entry().await;
    assert_eq!(outcome(&entry), (Outcome::Success, 200, ""));
    assert_eq!((entry.endpoint.as_str(), entry.model.as_str()), ("/v1/videos", "grok-imagine-0.9"));
    assert_eq!((entry.videos, entry.units, entry.duration_ms), (1, 4, 20_000));
    assert_eq!(entry.id.trim_start_matches("turn_"), id.trim_start_matches("video_"));
    assert!(!entry.request_id.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_video_that_is_not_made_says_why() {
    let refusal = Error::new(Kind::RateLimited, "pool_exhausted", "no account is left");
    let gateway = Gateway::playing([Turn::refused(refusal), Turn::of([begun(), Step::Hang])]);
    gateway.film(&json!({"prompt": "a cat"})).await;
    assert_eq!(outcome(&gateway.ledger.recorded(1).await[0]), (Outcome::RateLimited, 200, "pool_exhausted"));
    gateway.ask(to("/v1/videos", &json!({"prompt": "x", "model": "sora-2"}))).await;
    let unknown = gateway.ledger.recorded(2).await.remove(1);
    assert_eq!(outcome(&unknown), (Outcome::InvalidRequest, 404, "model_not_found"));
    assert_eq!(unknown.model, "");
    let id = gateway.film(&json!({"prompt": "a cat"})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let delete = Request::delete(format!("/v1/videos/{id}")).body(Body::empty()).unwrap();
    assert_eq!(gateway.ask(delete).await.status, 200);
    let deleted = gateway.ledger.recorded(3).await.remove(2);
    assert_eq!(outcome(&deleted), (Outcome::ClientCancelled, 200, "video_deleted"));
    assert_eq!((deleted.attempts[0].outcome.as_str(), deleted.units), ("client_cancelled", 4));
}

#[tokio::test(start_paused = true)]
async fn a_video_that_another_process_left_behind_is_told_of_by_whoever_finds_it() {
    let gateway = Gateway::playing([making(vec![Event::Video(file("v.mp4"))])]);
    for (id, begun) in [("video_1", false), ("video_2", true)] {
        let request = if begun { Vec::new() } else { ChatRequest::default().encode_to_vec() };
        let details = JobDetails {
            model: "grok-imagine-0.9".into(),
            begun,
            request: request.into(),
            ..JobDetails::default()
        };
        let (id, client) = (id.to_owned(), "key".to_owned());
        let job = Job { id, client, open: true, details: Some(details), ..Job::default() };
        gateway.videos.insert(job).await.unwrap();
    }
    let mut entries = gateway.ledger.recorded(2).await;
    entries.sort_by_key(|entry| entry.id.clone());
    assert_eq!((entries[0].id.as_str(), entries[1].id.as_str()), ("turn_1", "turn_2"));
    assert_eq!((entries[0].outcome(), entries[0].videos), (Outcome::Success, 1));
    assert_eq!(outcome(&entries[1]), (Outcome::Unavailable, 200, "video_interrupted"));
    for entry in &entries {
        let told = (entry.endpoint.as_str(), entry.model.as_str(), entry.client_key.as_str());
        assert_eq!(told, ("/v1/videos", "grok-imagine-0.9", "key"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_hard_stop_writes_down_a_video_in_the_making() {
    let gateway = Gateway::playing([Turn::of([begun(), Step::Hang])]);
    gateway.film(&json!({"prompt": "a cat"})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    gateway.tasks.shutdown().drain();
    gateway.tasks.finish(Duration::from_secs(1)).await;
    let entry = gateway.entry().await;
    assert_eq!(outcome(&entry), (Outcome::Unavailable, 200, "video_interrupted"));
    assert_eq!(entry.units, 4);
}
