//! Pictures and videos, and the posts they hang on.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{BASIC, Bench};

#[tokio::test]
async fn a_drawing_has_previews_finals_and_urls_that_work() {
    let bench = Bench::start().await;
    let answer = bench.ask(BASIC, "draw a moon").await;
    assert_eq!(answer.all("imageAttachmentInfo").len(), 1);
    let steps = answer.all("streamingImageGenerationResponse");
    let progress: Vec<_> = steps.iter().map(|step| step["progress"].as_u64().unwrap()).collect();
    assert_eq!(progress, [50, 50, 100, 100]);
    assert!(steps[0]["imageUrl"].as_str().unwrap().contains("-part-0/"));
    let urls = answer.closing()["generatedImageUrls"].as_array().unwrap();
    assert_eq!(urls.len(), 2);
    assert_eq!(answer.closing()["message"], "I generated images with the prompt: 'draw a moon'");
    for step in steps {
        let response = bench.get(BASIC, step["imageUrl"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "image/jpeg");
        let bytes = response.bytes().await.unwrap();
        assert!(bytes.starts_with(&[0xFF, 0xD8, 0xFF]) && bytes.len() > 300);
    }
}

#[rstest]
#[case(json!({"modelName": "imagine-image-edit", "message": "add a hat"}), 2)]
#[case(json!({"modelName": "grok-3", "message": "moon", "toolOverrides": {"imageGen": true}}), 2)]
#[case(json!({"modelName": "grok-3", "message": "给我画月亮", "imageGenerationCount": 4}), 4)]
#[case(json!({"modelName": "grok-3", "message": "moon[[sim:images=3]]"}), 3)]
#[case(json!({"modelName": "grok-3", "message": "draw a moon", "enableImageGeneration": false}), 0)]
#[tokio::test]
async fn what_draws(#[case] body: Value, #[case] count: usize) {
    let bench = Bench::start().await;
    let answer = bench.turn(BASIC, body).await;
    assert_eq!(answer.closing()["generatedImageUrls"].as_array().unwrap().len(), count);
}

#[tokio::test]
async fn in_2026_pictures_are_cards() {
    let bench = Bench::start().await;
    let answer = bench.turn(BASIC, json!({"modeId": "fast", "message": "Drawing: a cat"})).await;
    assert!(answer.all("streamingImageGenerationResponse").is_empty());
    let cards = answer.all("cardAttachment").into_iter();
    let cards: Vec<Value> =
        cards.map(|card| serde_json::from_str(card["jsonData"].as_str().unwrap()).unwrap()).collect();
    assert_eq!(cards[0]["image_chunk"], Value::Null);
    let last = &cards.last().unwrap()["image_chunk"];
    assert_eq!((&last["progress"], &last["moderated"]), (&json!(100), &json!(false)));
    let image = bench.get(BASIC, last["imageUrl"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(image.status(), 200);
    assert!(answer.text().contains("type=\"render_file\""));
    assert_eq!(answer.closing()["cardAttachmentsJson"].as_array().unwrap().len(), 2);
}

#[rstest]
#[case(json!({"modelName": "grok-3", "message": "rise --mode=custom", "toolOverrides": {"videoGen": true}}))]
#[case(json!({"modelName": "imagine-video-gen", "message": "rise"}))]
#[case(json!({"modelName": "grok-3", "message": "rise[[sim:video]]"}))]
#[tokio::test]
async fn a_video_has_progress_and_an_mp4(#[case] body: Value) {
    let bench = Bench::start().await;
    let answer = bench.turn(BASIC, body).await;
    let steps = answer.all("streamingVideoGenerationResponse");
    let progress: Vec<_> = steps.iter().map(|step| step["progress"].as_u64().unwrap()).collect();
    assert_eq!(progress, [1, 25, 50, 95, 100]);
    let last = steps.last().unwrap();
    let video = bench.get(BASIC, last["videoUrl"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(video.headers()["content-type"], "video/mp4");
    let bytes = video.bytes().await.unwrap();
    assert_eq!(&bytes[4..8], b"ftyp");
    assert!((64 << 10..=256 << 10).contains(&bytes.len()));
    let poster = bench.get(BASIC, last["thumbnailImageUrl"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(poster.headers()["content-type"], "image/jpeg");
}

#[rstest]
#[case(json!({"mediaType": "MEDIA_POST_TYPE_VIDEO", "prompt": "a cat"}), 200)]
#[case(json!({"media_type": "MEDIA_POST_TYPE_IMAGE", "media_url": "https://assets.grok.com/x"}), 200)]
#[case(json!({"mediaType": "MEDIA_POST_TYPE_SONG"}), 400)]
#[case(json!({}), 400)]
#[tokio::test]
async fn media_posts(#[case] body: Value, #[case] status: u16) {
    let bench = Bench::start().await;
    let (got, answer) = bench.json(BASIC, "/rest/media/post/create", body).await;
    assert_eq!(got, status);
    assert_eq!(answer["post"]["id"].is_string(), status == 200);
}
