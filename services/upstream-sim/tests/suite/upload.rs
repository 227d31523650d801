//! Both upload endpoints, and attachments.

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{BASIC, Bench, CHAT, SUPER};

const V1: &str = "/rest/app-chat/upload-file";
const V2: &str = "/http/upload-file-v2/direct";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot much of a picture";

async fn upload(bench: &Bench) -> Value {
    let body =
        json!({"fileName": "image.png", "fileMimeType": "image/png", "content": BASE64_STANDARD.encode(PNG)});
    let (status, answer) = bench.json(BASIC, V1, body).await;
    assert_eq!(status, 200);
    answer
}

fn form(content: &'static [u8]) -> Form {
    let file = Part::bytes(content).file_name("月.png").mime_str("image/png").unwrap();
    Form::new().text("file_source", "IMAGINE_SELF_UPLOAD_FILE_SOURCE").part("file", file)
}

#[tokio::test]
async fn an_uploaded_file_is_served_back_and_acknowledged() {
    let bench = Bench::start().await;
    let stored = upload(&bench).await;
    let file = bench.get(BASIC, stored["fileUri"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(file.headers()["content-type"], "image/png");
    assert_eq!(file.bytes().await.unwrap(), PNG);

    let id = &stored["fileMetadataId"];
    let answer = bench
        .turn(BASIC, json!({"modelName": "grok-3", "message": "what is it", "fileAttachments": [id]}))
        .await;
    let sum: String = Sha256::digest(PNG).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let expected = format!("I can see 1 attachment(s): {sum}, image/png. You said: what is it.");
    assert!(answer.text().starts_with(&expected), "{}", answer.text());
}

#[tokio::test]
async fn another_accounts_file_is_not_there() {
    let bench = Bench::start().await;
    let stored = upload(&bench).await;
    let body = json!({"modelName": "grok-3", "message": "x", "fileAttachments": [stored["fileMetadataId"]]});
    assert_eq!(bench.json(SUPER, CHAT, body).await.0, 400);
    let file = bench.get(SUPER, stored["fileUri"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(file.status(), 403);
}

#[tokio::test]
async fn the_multipart_upload_answers_all_ids() {
    let bench = Bench::start().await;
    let response = bench.post(BASIC, V2).multipart(form(PNG)).send().await.unwrap();
    let answer: Value = response.json().await.unwrap();
    let meta = &answer["fileMetadata"];
    assert_eq!(meta["fileMetadataId"], meta["fileId"]);
    assert_eq!(answer["terminalError"], Value::Null);
    let file = bench.get(BASIC, meta["fileUri"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(file.bytes().await.unwrap(), PNG);
}

#[tokio::test]
async fn wrong_uploads_are_400() {
    let bench = Bench::start().await;
    for body in [
        json!({"fileName": "x"}),
        json!({"fileName": "x", "fileMimeType": "image/png", "content": "data:image/png;base64,AA"}),
        json!({"fileName": "x", "fileMimeType": "image/png", "content": ""}),
        json!({"fileName": "[[sim:nonsense]]", "fileMimeType": "image/png", "content": "AAAA"}),
    ] {
        assert_eq!(bench.json(BASIC, V1, body).await.0, 400);
    }
    assert_eq!(bench.json(BASIC, V2, json!({})).await.0, 400);
    let empty = bench.post(BASIC, V2).multipart(Form::new().text("other", "x")).send().await.unwrap();
    assert_eq!(empty.status(), 400);
    assert_eq!(bench.json("stranger", V1, json!({})).await.0, 401);
}

#[tokio::test]
async fn a_file_name_may_ask_for_a_fault() {
    let bench = Bench::start().await;
    let body = json!({"fileName": "a[[sim:fault=upload-terminal-error]].png", "fileMimeType": "image/png", "content": "AAAA"});
    let (status, answer) = bench.json(BASIC, V1, body).await;
    assert_eq!((status, &answer["fileMetadataId"]), (200, &Value::Null));
    assert!(answer["terminalError"].is_string());
    assert_eq!(bench.sim.requests()[0].fault, Some("upload-terminal-error"));
}
