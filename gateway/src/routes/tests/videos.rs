//! Videos made behind the requests that asked for them.

use std::time::Duration;

use grok2api_proto::{
    Error, Kind,
    chat::{ChatRequest, End, Media, VideoProgress, chat_event},
    media,
    video::{Job, JobDetails, VideoJobs as _},
};
use grok2api_testkit::Step;
use prost::Message as _;
use rstest::rstest;

use super::*;

fn progress(percent: u32) -> Step {
    Step::Batch(vec![chat_event::Kind::VideoProgress(VideoProgress { percent })])
}

fn film() -> Step {
    let video = Media { name: "v.mp4".into(), content_type: "video/mp4".into(), size: 5 };
    Step::Batch(vec![chat_event::Kind::Video(video), chat_event::Kind::End(End::default())])
}

fn request(method: &str, path: &str, body: &Value) -> Request<Body> {
    Request::builder().method(method).uri(path).body(body.to_string().into()).unwrap()
}

impl Gateway {
    async fn video(&self, body: &Value) -> Value {
        let answer = self.ask(request("POST", "/v1/videos", body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The video as soon as it has this status.
    async fn until(&self, id: &Value, status: &str) -> Value {
        loop {
            let video = self.get(&format!("/v1/videos/{}", id.as_str().unwrap())).await.json();
            if video["status"] == status {
                return video;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_video_is_made_behind_the_request_and_served_when_it_is_there() {
    let wait = || Step::Wait(Duration::from_secs(5));
    let turn = Turn::of([progress(1), wait(), progress(50), wait(), progress(100), wait(), film()]);
    let gateway = Gateway::playing([turn]);
    gateway.media.put(media::Kind::Video, "v.mp4", "video/mp4", "movie");
    let asked = json!({"prompt": "a cat", "seconds": "8", "size": "1280x720"});
    let video = gateway.video(&asked).await;
    insta::assert_json_snapshot!("video", video, {".id" => "[id]"});
    let id = video["id"].clone();
    let path = format!("/v1/videos/{}", id.as_str().unwrap());
    let early = gateway.get(&format!("{path}/content")).await;
    early.is_error(409, "invalid_request_error", "video_not_completed");
    let mut seen = Vec::new();
    while seen.last() != Some(&json!(99)) {
        seen.push(gateway.until(&id, "in_progress").await["progress"].clone());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(seen.contains(&json!(50)), "{seen:?}");
    let done = gateway.until(&id, "completed").await;
    assert_eq!((&done["progress"], &done["error"]), (&json!(100), &json!(null)));
    assert!(done["completed_at"].is_u64());
    let part = Request::get(format!("{path}/content?variant=video")).header("range", "bytes=1-3");
    let part = gateway.ask(part.body(Body::empty()).unwrap()).await;
    assert_eq!(
        (part.status.as_u16(), part.text(), part.header("content-type")),
        (206, "ovi", Some("video/mp4"))
    );
    let odd = gateway.get(&format!("{path}/content?variant=spritesheet")).await;
    odd.is_error(400, "invalid_request_error", "unsupported_value");
    let asked = &gateway.chat.requests()[0];
    assert_eq!((asked.model.as_str(), asked.messages.len()), ("grok-imagine-0.9", 1));
}

#[rstest]
#[case::refused(
    Turn::refused(Error::new(Kind::RateLimited, "pool_exhausted", "no account is left")),
    "pool_exhausted"
)]
#[case::cut(Turn::of([progress(50)]), "upstream_video_missing")]
#[case::without(Turn::of([Step::Batch(vec![chat_event::Kind::End(End::default())])]), "upstream_video_missing")]
#[case::broken(Turn::of([progress(9), Step::Fail(Error::new(Kind::Upstream, "reset", "gone"))]), "reset")]
#[tokio::test(start_paused = true)]
async fn a_video_that_fails_says_why(#[case] turn: Turn, #[case] code: &str) {
    let gateway = Gateway::playing([turn]);
    let video = gateway.video(&json!({"prompt": "a cat"})).await;
    let failed = gateway.until(&video["id"], "failed").await;
    assert_eq!(failed["error"]["code"], code);
    assert_eq!(failed["completed_at"], json!(null));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_video_takes_its_turn_along() {
    let gateway = Gateway::playing([Turn::of([progress(1), Step::Hang])]);
    let video = gateway.video(&json!({"prompt": "a cat"})).await;
    gateway.until(&video["id"], "in_progress").await;
    let path = format!("/v1/videos/{}", video["id"].as_str().unwrap());
    let deleted = gateway.ask(request("DELETE", &path, &json!(null))).await.json();
    assert_eq!(deleted, json!({"id": video["id"], "object": "video.deleted", "deleted": true}));
    gateway.chat.closed().await;
    gateway.get(&path).await.is_error(404, "invalid_request_error", "video_not_found");
    let again = gateway.ask(request("DELETE", &path, &json!(null))).await;
    again.is_error(404, "invalid_request_error", "video_not_found");
}

/// What another process left behind: nobody works on it any more.
fn left(id: &str, begun: bool) -> Job {
    let request = ChatRequest { model: "grok-imagine-0.9".into(), ..ChatRequest::default() };
    let request = if begun { Vec::new() } else { request.encode_to_vec() };
    let details = JobDetails { begun, request: request.into(), ..JobDetails::default() };
    Job { id: id.into(), open: true, details: Some(details), ..Job::default() }
}

#[tokio::test(start_paused = true)]
async fn what_another_process_left_behind_is_made_or_has_failed() {
    let gateway = Gateway::playing([Turn::of([film()])]);
    gateway.videos.insert(left("video_1", false)).await.unwrap();
    gateway.videos.insert(left("video_2", true)).await.unwrap();
    gateway.until(&json!("video_1"), "completed").await;
    let failed = gateway.until(&json!("video_2"), "failed").await;
    assert_eq!(failed["error"]["code"], "video_interrupted");
    assert_eq!(gateway.chat.requests().len(), 1, "what was begun is not begun again");
}

#[tokio::test(start_paused = true)]
async fn a_video_at_work_is_left_alone_however_long_it_takes() {
    let slow = Turn::of([progress(1), Step::Wait(Duration::from_secs(300)), film()]);
    let gateway = Gateway::playing([slow]);
    let video = gateway.video(&json!({"prompt": "a cat"})).await;
    gateway.until(&video["id"], "completed").await;
    assert_eq!(gateway.chat.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_video_outlives_an_outage_of_its_store() {
    let slow = Turn::of([progress(1), Step::Wait(Duration::from_secs(60)), film()]);
    let gateway = Gateway::playing([slow]);
    let video = gateway.video(&json!({"prompt": "a cat"})).await;
    gateway.until(&video["id"], "in_progress").await;
    gateway.videos.be_away(true);
    tokio::time::sleep(Duration::from_secs(50)).await;
    gateway.videos.be_away(false);
    gateway.until(&video["id"], "completed").await;
    assert_eq!(gateway.chat.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_video_is_kept_once_its_store_is_back() {
    let short = Turn::of([progress(1), Step::Wait(Duration::from_secs(5)), film()]);
    let gateway = Gateway::playing([short]);
    let video = gateway.video(&json!({"prompt": "a cat"})).await;
    gateway.until(&video["id"], "in_progress").await;
    gateway.videos.be_away(true);
    tokio::time::sleep(Duration::from_secs(90)).await;
    gateway.videos.be_away(false);
    gateway.until(&video["id"], "completed").await;
}

#[tokio::test(start_paused = true)]
async fn videos_are_listed_in_both_orders() {
    let gateway = Gateway::playing((0..5).map(|_| Turn::of([film()])));
    let mut ids = Vec::new();
    for _ in 0..5 {
        let video = gateway.video(&json!({"prompt": "a cat"})).await;
        ids.push(video["id"].clone());
    }
    ids.sort_by_key(|id| id.as_str().unwrap().to_owned());
    let page = gateway.get("/v1/videos?limit=2&order=asc").await.json();
    assert_eq!((&page["first_id"], &page["last_id"], &page["has_more"]), (&ids[0], &ids[1], &json!(true)));
    let after = ids[1].as_str().unwrap();
    let page = gateway.get(&format!("/v1/videos?limit=9&order=asc&after={after}")).await.json();
    assert_eq!((page["data"].as_array().unwrap().len(), &page["has_more"]), (3, &json!(false)));
    let page = gateway.get(&format!("/v1/videos?after={after}")).await.json();
    assert_eq!((&page["first_id"], page["data"].as_array().unwrap().len()), (&ids[0], 1));
    let empty = gateway.get("/v1/videos?after=a").await.json();
    assert_eq!((&empty["data"], &empty["first_id"]), (&json!([]), &json!(null)));
    gateway.get("/v1/videos?limit=101").await.is_error(400, "invalid_request_error", "invalid_value");
}

#[rstest]
#[case(json!({"prompt": "x", "model": "grok-4-fast"}), 400, "invalid_value")]
#[case(json!({"prompt": "x", "model": "sora-2"}), 404, "model_not_found")]
#[case(json!({}), 400, "missing_required_parameter")]
#[tokio::test]
async fn a_bad_request_begins_nothing(#[case] body: Value, #[case] status: u16, #[case] code: &str) {
    let gateway = Gateway::new();
    let answer = gateway.ask(request("POST", "/v1/videos", &body)).await;
    answer.is_error(status, "invalid_request_error", code);
    assert!(gateway.videos.all().is_empty());
}
