//! Attachments: made ready once for a request, uploaded to each account that is tried
//! (`grok-web-protocol.md` sections 6.1 to 6.3).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use grok2api_kit::egress::{Egress, PublicFetch, send};
use grok2api_proto::{
    Error, Kind, Result,
    chat::{Attachment, Message, Role, attachment, part},
};
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::failure::Failure;
use crate::models::{Model, Product};

const PATH: &str = "/rest/app-chat/upload-file";
const MAX_FILES: usize = 8;
const MAX_FILE_BYTES: usize = 32 * 1024 * 1024;
const MAX_TOTAL_BYTES: usize = 64 * 1024 * 1024;
const FETCH_TIME: Duration = Duration::from_secs(15);
const UPLOAD_TIME: Duration = Duration::from_secs(60);
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/webp", "image/gif"];
const FILES: [&str; 16] = [
    "application/pdf",
    "application/json",
    "application/xml",
    "application/rtf",
    "application/msword",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.ms-excel",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "text/plain",
    "text/csv",
    "text/markdown",
    "text/html",
    "text/xml",
    "text/rtf",
];

/// An attachment with its bytes at hand and its type known.
#[derive(Clone, Debug)]
pub(crate) struct File {
    data: Bytes,
    media_type: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Uploaded {
    file_metadata_id: Option<String>,
    file_id: Option<String>,
    terminal_error: Option<serde_json::Value>,
}

/// Fetches and checks what a request attaches, each thing once.
///
/// # Errors
/// Names the parameter that holds the attachment.
pub(crate) async fn prepare(messages: &[Message], model: &Model, fetch: &PublicFetch) -> Result<Vec<File>> {
    let mut files: Vec<File> = Vec::new();
    for attachment in chosen(messages, model)? {
        let file = load(attachment, fetch).await.map_err(|error| error.at(&attachment.param))?;
        files.push(file);
        if files.iter().map(|file| file.data.len()).sum::<usize>() > MAX_TOTAL_BYTES {
            let message = format!("the attachments are larger than {} MiB together", MAX_TOTAL_BYTES >> 20);
            return Err(Error::new(Kind::TooLarge, "attachments_too_large", message).at(&attachment.param));
        }
    }
    Ok(files)
}

/// What is to be uploaded, each thing once. The latest user turn may hold only so much; of what earlier turns showed,
/// the latest that still fit are shown again. A video is made from the latest turn alone.
fn chosen<'a>(messages: &'a [Message], model: &Model) -> Result<Vec<&'a Attachment>> {
    let limit = if model.kind == Product::Video { 1 } else { MAX_FILES };
    let latest = messages.iter().rposition(|message| message.role() == Role::User).unwrap_or(0);
    let mut chosen: Vec<&Attachment> = Vec::new();
    for (index, message) in messages.iter().enumerate().rev() {
        let known = |attachment: &&Attachment| chosen.iter().any(|other| other.source == attachment.source);
        let mut new: Vec<&Attachment> =
            attachments(message).filter(|attachment| !known(attachment)).collect();
        let mut seen = Vec::new();
        new.retain(|attachment| {
            !seen.contains(&&attachment.source) && {
                seen.push(&attachment.source);
                true
            }
        });
        if index < latest && (model.kind == Product::Video || chosen.len() + new.len() > limit) {
            break;
        }
        if let Some(beyond) = new.get(limit) {
            let message =
                format!("{} takes at most {limit} attachment{}", model.id, if limit == 1 { "" } else { "s" });
            return Err(Error::invalid(&beyond.param, message));
        }
        chosen.splice(0..0, new);
    }
    Ok(chosen)
}

fn attachments(message: &Message) -> impl Iterator<Item = &Attachment> {
    message.parts.iter().filter_map(|part| match &part.kind {
        Some(part::Kind::Attachment(attachment)) => Some(attachment),
        _ => None,
    })
}

async fn load(attachment: &Attachment, fetch: &PublicFetch) -> Result<File> {
    let (data, declared) = match &attachment.source {
        Some(attachment::Source::Data(data)) => (data.clone(), attachment.media_type.clone()),
        Some(attachment::Source::Url(url)) => {
            let fetched = fetch.get(url, MAX_FILE_BYTES, FETCH_TIME).await?;
            (fetched.data, fetched.media_type)
        }
        None => {
            return Err(Error::new(Kind::InvalidRequest, "invalid_value", "the attachment holds nothing"));
        }
    };
    if data.is_empty() {
        return Err(Error::new(Kind::InvalidRequest, "invalid_value", "the attachment is empty"));
    }
    if data.len() > MAX_FILE_BYTES {
        let message = format!("the attachment is larger than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(Error::new(Kind::TooLarge, "attachment_too_large", message));
    }
    let media_type = media_type(&data, &declared)?;
    let name = match attachment.file_name.as_str() {
        "" => format!("file.{}", media_type.rsplit('/').next().unwrap_or("bin")),
        name => name.to_owned(),
    };
    Ok(File { data, media_type, name })
}

/// Images are what their bytes say; other files what they are declared to be.
fn media_type(data: &[u8], declared: &str) -> Result<String> {
    let sniffed = infer::get(data).map(|found| found.mime_type());
    if let Some(image) = sniffed.filter(|found| IMAGES.contains(found)) {
        return Ok(image.to_owned());
    }
    if declared.starts_with("image/") || declared.is_empty() {
        let message = format!("the image is none of {}", IMAGES.join(", "));
        return Err(Error::new(Kind::UnsupportedMedia, "unsupported_image", message));
    }
    if FILES.contains(&declared) {
        return Ok(declared.to_owned());
    }
    Err(Error::new(
        Kind::UnsupportedMedia,
        "unsupported_file",
        format!("files of type {declared:?} are not taken"),
    ))
}

/// Uploads the files as the account of `token`; gives their ids.
///
/// # Errors
/// A [`Failure`] with its scope; a file is never dropped in silence.
pub(crate) async fn upload(files: &[File], egress: &Egress, token: &str) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::with_capacity(files.len());
    for file in files {
        let sent = tokio::time::timeout(UPLOAD_TIME, upload_one(file, egress, token)).await;
        ids.push(sent.map_err(|_| Failure::timeout("upload_timeout", "the upload took too long"))??);
    }
    Ok(ids)
}

async fn upload_one(file: &File, egress: &Egress, token: &str) -> Result<String, Failure> {
    let body = json!({
        "fileName": file.name,
        "fileMimeType": file.media_type,
        "content": STANDARD.encode(&file.data),
    });
    let request = egress.api(Method::POST, PATH, "/", token).map_err(Failure::own)?.json(&body);
    let (response, _step) = send("upload", request).await.map_err(|error| super::transport(&error))?;
    if !response.status().is_success() {
        return Err(super::refusal(response).await);
    }
    let uploaded: Uploaded =
        response.json().await.map_err(|_| rejected("the upstream's answer cannot be read"))?;
    if uploaded.terminal_error.is_some_and(|error| is_error(&error)) {
        return Err(rejected("the upstream refused the file"));
    }
    let id = [uploaded.file_metadata_id, uploaded.file_id].into_iter().flatten().find(|id| !id.is_empty());
    id.ok_or_else(|| rejected("the upstream gave the file no id"))
}

/// Another account may have room where this one has none; nobody is blamed.
fn rejected(message: &str) -> Failure {
    Failure {
        outcome: grok2api_proto::pool::Outcome::Unknown,
        charged: false,
        ..Failure::upstream("upload_rejected", message)
    }
}

fn is_error(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(number) => number.as_i64() != Some(0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(true) => true,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";

    #[rstest]
    #[case(PNG, "image/png", Ok("image/png"))]
    #[case(PNG, "image/jpeg", Ok("image/png"))]
    #[case(PNG, "", Ok("image/png"))]
    #[case(b"<svg xmlns=\"x\"/>", "image/svg+xml", Err("unsupported_image"))]
    #[case(b"hello", "text/plain", Ok("text/plain"))]
    #[case(b"MZ\x90", "application/x-msdownload", Err("unsupported_file"))]
    fn the_bytes_decide_what_an_image_is(
        #[case] data: &[u8],
        #[case] declared: &str,
        #[case] expected: Result<&str, &str>,
    ) {
        let found = media_type(data, declared).map_err(|error| error.code.into_owned());
        assert_eq!(found.as_deref().map_err(String::as_str), expected);
    }

    fn message(role: Role, names: &[&str]) -> Message {
        let part = |name: &&str| {
            let source = attachment::Source::Url((*name).to_owned());
            let attachment =
                Attachment { source: Some(source), param: (*name).to_owned(), ..Attachment::default() };
            grok2api_proto::chat::Part { kind: Some(part::Kind::Attachment(attachment)) }
        };
        Message { role: role.into(), parts: names.iter().map(part).collect(), ..Message::default() }
    }

    fn names(messages: &[Message], model: &str) -> Result<Vec<String>> {
        let chosen = chosen(messages, crate::models::find(model).unwrap())?;
        Ok(chosen.into_iter().map(|attachment| attachment.param.clone()).collect())
    }

    #[test]
    fn a_long_conversation_keeps_its_latest_attachments_each_once() {
        let turn = |names: &[&str]| message(Role::User, names);
        let same: Vec<Message> = (0..20).map(|_| turn(&["a"])).collect();
        assert_eq!(names(&same, "grok-3-fast").unwrap(), ["a"]);
        let many = [turn(&["1", "2"]), turn(&["3", "4", "5"]), turn(&["6", "7", "8", "9", "7"])];
        assert_eq!(names(&many, "grok-3-fast").unwrap(), ["3", "4", "5", "6", "7", "8", "9"]);
        let over = [turn(&["0"]), turn(&["1", "2", "3", "4", "5", "6", "7", "8", "9"])];
        assert_eq!(names(&over, "grok-3-fast").unwrap_err().param.as_deref(), Some("9"));
        assert_eq!(names(&[turn(&["a"]), turn(&["b"])], "grok-imagine-0.9").unwrap(), ["b"]);
        assert_eq!(names(&[turn(&["a", "b"])], "grok-imagine-0.9").unwrap_err().param.as_deref(), Some("b"));
    }

    #[rstest]
    #[case(json!(null), false)]
    #[case(json!(false), false)]
    #[case(json!(0), false)]
    #[case(json!(""), false)]
    #[case(json!({}), false)]
    #[case(json!([]), false)]
    #[case(json!("full"), true)]
    #[case(json!({"code": 1}), true)]
    fn empty_terminal_errors_are_none(#[case] value: serde_json::Value, #[case] error: bool) {
        assert_eq!(is_error(&value), error);
    }
}
