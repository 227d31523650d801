//! `POST /rest/app-chat/upload-file` and `POST /http/upload-file-v2/direct` (reference 6.1, 6.2).

use std::sync::Arc;

use axum::{
    extract::{Multipart, State},
    http::HeaderMap,
    response::Response,
};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::{
    account::Account,
    assets::Upload,
    fault::{Effect, Scope},
    ids::Kind,
    journal::Visit,
    markers::Markers,
    reply::Reply,
    world::World,
};

/// Padding is optional, as it is for browsers.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonUpload {
    file_name: String,
    file_mime_type: String,
    content: String,
}

/// A file as it arrived.
struct Incoming {
    name: String,
    mime: String,
    content: Bytes,
}

/// A file as it was stored, or that it was not.
enum Stored {
    At { id: Uuid, uri: String },
    Rejected,
}

pub(crate) async fn json(
    State(world): State<Arc<World>>,
    visit: Visit,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    visit.carried(&body);
    let result = async {
        let account = world.enter(&visit, &headers)?;
        let incoming = from_json(&body)?;
        let (name, mime) = (incoming.name.clone(), incoming.mime.clone());
        Ok(match store(&world, &visit, &account, incoming).await? {
            Stored::At { id, uri } => Reply::ok(&json!({
                "fileMetadataId": id, "fileUri": uri, "fileName": name, "fileMimeType": mime,
            })),
            Stored::Rejected => Reply::ok(&json!({"fileMetadataId": null, "terminalError": "file rejected"})),
        })
    };
    let result = result.await;
    visit.answer(result)
}

pub(crate) async fn multipart(
    State(world): State<Arc<World>>,
    visit: Visit,
    headers: HeaderMap,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Response {
    let result = async {
        let account = world.enter(&visit, &headers)?;
        let form = form.map_err(|error| Reply::invalid(error.body_text()))?;
        let incoming = from_form(form).await?;
        Ok(match store(&world, &visit, &account, incoming).await? {
            Stored::At { id, uri } => Reply::ok(&json!({
                "uploadId": id, "terminalError": null,
                "fileMetadata": {"fileMetadataId": id, "fileId": id, "fileUri": uri},
            })),
            Stored::Rejected => Reply::ok(&json!({
                "uploadId": null, "fileMetadata": null,
                "terminalError": {"code": "UPLOAD_REJECTED", "message": "file rejected"},
            })),
        })
    };
    let result = result.await;
    visit.answer(result)
}

fn from_json(body: &[u8]) -> Result<Incoming, Reply> {
    let upload: JsonUpload =
        serde_json::from_slice(body).map_err(|error| Reply::invalid(error.to_string()))?;
    let content =
        BASE64.decode(upload.content).map_err(|error| Reply::invalid(format!("content: {error}")))?;
    Ok(Incoming { name: upload.file_name, mime: upload.file_mime_type, content: content.into() })
}

async fn from_form(mut form: Multipart) -> Result<Incoming, Reply> {
    let broken = |error: axum::extract::multipart::MultipartError| Reply::invalid(error.body_text());
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if field.name() == Some("file") {
            let name = field.file_name().unwrap_or_default().to_owned();
            let mime = field.content_type().unwrap_or("application/octet-stream").to_owned();
            let content = field.bytes().await.map_err(broken)?;
            return Ok(Incoming { name, mime, content });
        }
    }
    Err(Reply::invalid("part `file` is missing"))
}

async fn store(world: &World, visit: &Visit, account: &Account, incoming: Incoming) -> Result<Stored, Reply> {
    // An upload has no prompt, so its markers stand in the file name.
    let (markers, _) = Markers::take(&incoming.name).map_err(Reply::invalid)?;
    let asked = markers.fault.filter(|call| call.fault.scopes.contains(&Scope::Upload));
    let call = world.gate(visit, Scope::Upload, account, asked).await?;
    if call.is_some_and(|call| matches!(call.fault.effect, Effect::TerminalError)) {
        return Ok(Stored::Rejected);
    }
    if incoming.content.is_empty() {
        return Err(Reply::invalid("content is empty"));
    }
    let id = world.settings().mint.issue(Kind::File, account.user, account.next_number());
    let upload = Upload { owner: account.user, mime: incoming.mime, content: incoming.content };
    world.uploads.lock().keep(id, upload);
    Ok(Stored::At { id, uri: format!("users/{}/{id}/content", account.user) })
}
