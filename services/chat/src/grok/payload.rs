//! The body of `conversations/new`, era E1 (`grok-web-protocol.md` sections 2.1, 2.4).

use serde::Serialize;

use crate::models::{Model, Product};

/// Path of the endpoint.
pub const PATH: &str = "/rest/app-chat/conversations/new";

/// What varies between turns.
pub struct Turn<'a> {
    /// The model asked for.
    pub model: &'a Model,
    /// The flattened prompt.
    pub message: &'a str,
    /// Ids of uploaded files.
    pub attachments: &'a [String],
    /// Keep the conversation out of the account's history.
    pub temporary: bool,
    /// Keep the account's memories out of the answer.
    pub disable_memory: bool,
    /// How many images are asked for, when the turn is to draw.
    pub images: Option<u32>,
}

/// Images of a turn that draws without being asked how many: the seed's number.
const USUAL_IMAGES: u32 = 2;

/// The body, in the seed's field order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload<'a> {
    temporary: bool,
    model_name: &'a str,
    message: String,
    file_attachments: &'a [String],
    image_attachments: [(); 0],
    disable_search: bool,
    enable_image_generation: bool,
    return_image_bytes: bool,
    return_raw_grok_in_xai_request: bool,
    enable_image_streaming: bool,
    image_generation_count: u32,
    force_concise: bool,
    tool_overrides: ToolOverrides,
    enable_side_by_side: bool,
    send_final_metadata: bool,
    is_reasoning: bool,
    webpage_urls: [(); 0],
    disable_text_follow_ups: bool,
    response_metadata: ResponseMetadata<'a>,
    disable_memory: bool,
    force_side_by_side: bool,
    model_mode: &'a str,
    is_async_chat: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolOverrides {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    video_gen: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    image_gen: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseMetadata<'a> {
    request_model_details: RequestModelDetails<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestModelDetails<'a> {
    model_id: &'a str,
}

impl<'a> From<&Turn<'a>> for Payload<'a> {
    fn from(turn: &Turn<'a>) -> Self {
        let video = turn.model.kind == Product::Video;
        let model_name = turn.model.upstream_name.as_str();
        Self {
            temporary: turn.temporary,
            model_name,
            message: if video { format!("{} --mode=custom", turn.message) } else { turn.message.to_owned() },
            file_attachments: turn.attachments,
            image_attachments: [],
            disable_search: false,
            enable_image_generation: true,
            return_image_bytes: false,
            return_raw_grok_in_xai_request: false,
            enable_image_streaming: true,
            image_generation_count: turn.images.unwrap_or(USUAL_IMAGES),
            force_concise: false,
            tool_overrides: ToolOverrides { video_gen: video, image_gen: turn.images.is_some() },
            enable_side_by_side: true,
            send_final_metadata: true,
            is_reasoning: false,
            webpage_urls: [],
            disable_text_follow_ups: true,
            response_metadata: ResponseMetadata {
                request_model_details: RequestModelDetails { model_id: model_name },
            },
            disable_memory: turn.disable_memory,
            force_side_by_side: false,
            model_mode: &turn.model.mode,
            is_async_chat: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models;

    fn json(model: &str, message: &str, attachments: &[String]) -> String {
        let turn = Turn {
            model: models::find(model).unwrap(),
            message,
            attachments,
            temporary: true,
            disable_memory: false,
            images: None,
        };
        serde_json::to_string(&Payload::from(&turn)).unwrap()
    }

    #[test]
    fn the_body_is_the_seeds_to_the_letter() {
        let seed = r#"{"temporary":true,"modelName":"grok-4-mini-thinking-tahoe","message":"Hello","fileAttachments":[],"imageAttachments":[],"disableSearch":false,"enableImageGeneration":true,"returnImageBytes":false,"returnRawGrokInXaiRequest":false,"enableImageStreaming":true,"imageGenerationCount":2,"forceConcise":false,"toolOverrides":{},"enableSideBySide":true,"sendFinalMetadata":true,"isReasoning":false,"webpageUrls":[],"disableTextFollowUps":true,"responseMetadata":{"requestModelDetails":{"modelId":"grok-4-mini-thinking-tahoe"}},"disableMemory":false,"forceSideBySide":false,"modelMode":"MODEL_MODE_GROK_4_MINI_THINKING","isAsyncChat":false}"#;
        assert_eq!(json("grok-4-fast", "Hello", &[]), seed);
    }

    #[test]
    fn a_video_turn_asks_for_the_video_tool() {
        let body = json("grok-imagine-0.9", "make the sun rise", &["file-1".to_owned()]);
        assert!(body.contains(r#""toolOverrides":{"videoGen":true}"#));
        assert!(body.contains(r#""message":"make the sun rise --mode=custom""#));
        assert!(body.contains(r#""fileAttachments":["file-1"]"#));
    }
}
