//! What few lines carry: conversation, cards, sources, tools, images, video, the finished message.

use grok2api_proto::chat::{ImageProgress, Sources, ToolCall, VideoProgress, chat_event::Kind as Event};
use serde_json::{Value, value::RawValue};

use super::{
    super::{
        failure::Failure,
        line::{Response, read},
        media::Step,
        search::{self, Rendered},
    },
    Output, State,
    output::chars,
};

/// Tools by the key of their card: name, and the argument worth showing (`grok-web-protocol.md` section 3.5).
const TOOLS: [(&str, &str, &[&str]); 9] = [
    ("webSearch", "web_search", &["query"]),
    ("xSearch", "x_search", &["query"]),
    ("xKeywordSearch", "x_keyword_search", &["query"]),
    ("xSemanticSearch", "x_semantic_search", &["query"]),
    ("browsePage", "browse_page", &["url"]),
    ("searchImages", "search_images", &["image_description", "imageDescription"]),
    ("imageSearch", "search_images", &["image_description", "imageDescription"]),
    ("chatroomSend", "chatroom_send", &["message"]),
    ("codeExecution", "code_execution", &["code"]),
];

/// Empty strings, objects and arrays are no errors; the first entry of an array counts.
pub(super) fn check(raw: &RawValue) -> Result<(), Failure> {
    match read::<Value>(Some(raw)).as_ref().and_then(first_error) {
        Some(error) => Err(Failure::from_stream(error)),
        None => Ok(()),
    }
}

fn first_error(value: &Value) -> Option<&Value> {
    match value {
        Value::String(text) if !text.is_empty() => Some(value),
        Value::Object(fields) if !fields.is_empty() => Some(value),
        Value::Array(items) => items.iter().find_map(first_error),
        _ => None,
    }
}

impl State {
    pub(super) fn conversation(&mut self, raw: &RawValue) {
        if let Some(Value::String(id)) = read::<Value>(Some(raw))
            .as_mut()
            .and_then(|value| value.get_mut("conversationId"))
            .map(Value::take)
        {
            self.conversation_id = id;
        }
    }

    /// What a token on the same line may refer to.
    pub(super) fn rare_before_text(&mut self, response: &Response<'_>) {
        if let Some(card) = read::<Value>(response.card_attachment) {
            self.card(&card);
        }
        if let Some(Value::Array(cards)) = read::<Value>(response.card_attachments) {
            cards.iter().for_each(|card| self.card(card));
        }
        let found = self.search.sources(response);
        if !found.is_empty() {
            self.out.event(Event::Sources(Sources {
                items: found,
                in_reasoning: response.is_thinking.0 && !self.phase.answering(),
            }));
        }
        if let Some(card) = read::<Value>(response.tool_usage_card) {
            self.tool(response, &card);
        }
    }

    pub(super) fn rare_after_text(&mut self, response: &Response<'_>) -> Result<(), Failure> {
        if let Some(image) = read::<Value>(response.streaming_image_generation_response) {
            let step = self.images.streamed(&image);
            self.image(step);
        }
        if let Some(video) = read::<Value>(response.streaming_video_generation_response) {
            for step in self.video.streamed(&video) {
                self.video(step);
            }
        }
        match read::<Value>(response.model_response) {
            Some(message) => self.message(&message),
            None => Ok(()),
        }
    }

    fn card(&mut self, card: &Value) {
        let Some(content) = self.search.card(card) else { return };
        let chunk = content
            .get("image_chunk")
            .or_else(|| content.get("imageChunk"))
            .filter(|chunk| chunk.is_object());
        if let Some(chunk) = chunk {
            if chunk
                .get("systemErrCode")
                .and_then(Value::as_str)
                .is_some_and(|code| code.contains("rate_limit"))
            {
                self.images.limited();
            }
            let step = self.images.streamed(chunk);
            self.image(step);
        }
    }

    /// Each step's call once, although the card may come twice, first without its tool.
    fn tool(&mut self, response: &Response<'_>, card: &Value) {
        let known =
            TOOLS.iter().find_map(|(key, name, arguments)| Some((card.get(*key)?, *name, *arguments)));
        let Some((call, name, arguments)) = known else { return };
        let id = [card.get("toolUsageCardId").and_then(Value::as_str), Some(&*response.tool_usage_card_id)];
        let id = id.into_iter().flatten().find(|id| !id.is_empty()).unwrap_or_default().to_owned();
        let step = response.message_step_id.map(RawValue::get).unwrap_or_default();
        let given = call.get("args").unwrap_or(call);
        let argument =
            arguments.iter().find_map(|name| given.get(*name)?.as_str()).unwrap_or_default().to_owned();
        // Without an id, another query is another call.
        let which = if id.is_empty() { &argument } else { &id };
        let key = format!("{}|{}|{which}|{step}|{name}", &*response.rollout_id, &*response.response_id);
        if self.tools.contains(&key) {
            return;
        }
        self.tools.push(key);
        self.out.event(Event::ToolCall(ToolCall { id, name: name.to_owned(), argument }));
    }

    pub(super) fn rendered(&mut self, element: &str) {
        match self.search.render(element) {
            Rendered::Nothing => {}
            Rendered::Markdown(text) if self.render_inline => self.visible(&text),
            Rendered::Markdown(_) => {}
            Rendered::Citation { url, title, number } => {
                let link = if self.render_inline { format!("[[{number}]]({url})") } else { String::new() };
                let start = u32::try_from(self.answer_chars + self.stops.held()).unwrap_or(u32::MAX);
                let length = u32::try_from(chars(&link)).unwrap_or(u32::MAX);
                self.cited.push(search::citation(url, title, number, start, length));
                self.until_stop(&link);
            }
        }
    }

    fn image(&mut self, step: Option<Step>) {
        match step {
            Some(Step::Preview { index, percent, location }) if self.previews => {
                self.out.push(Output::Preview { index, percent, location });
            }
            Some(Step::Progress { index, percent } | Step::Preview { index, percent, .. }) => {
                self.out.event(Event::ImageProgress(ImageProgress { index, percent, preview: None }));
            }
            Some(Step::Ready(location)) => self.out.push(Output::Image(location)),
            None => {}
        }
    }

    fn video(&mut self, step: Step) {
        match step {
            Step::Progress { percent, .. } | Step::Preview { percent, .. } => {
                self.out.event(Event::VideoProgress(VideoProgress { percent }));
            }
            Step::Ready(location) => self.out.push(Output::Video(location)),
        }
    }

    /// `modelResponse`: its errors, what was not streamed, its images and video (`grok-web-protocol.md` section 3.9).
    fn message(&mut self, message: &Value) -> Result<(), Failure> {
        self.over = true;
        for errors in ["error", "streamErrors"] {
            if let Some(error) = message.get(errors).and_then(first_error) {
                return Err(Failure::from_stream(error));
            }
        }
        let cards = strings(message, "cardAttachmentsJson").map(|card| Value::String(card.to_owned()));
        for card in cards.collect::<Vec<_>>() {
            self.card(&serde_json::json!({ "jsonData": card }));
        }
        self.late_sources(message);
        if let Some(text) = message.get("message").and_then(Value::as_str) {
            self.missing_text(text);
        }
        for location in strings(message, "generatedImageUrls") {
            let step = self.images.listed(location);
            self.image(step);
        }
        if self.expects_video || self.video.unfinished() {
            for location in strings(message, "fileAttachments") {
                if let Some(step) = self.video.attached(location) {
                    self.video(step);
                }
            }
        }
        Ok(())
    }

    fn late_sources(&mut self, message: &Value) {
        for field in ["webSearchResults", "citedWebSearchResults", "citedXposts"] {
            let raw = message.get(field).and_then(|value| serde_json::value::to_raw_value(value).ok());
            let items = raw.map(|raw| self.search.hits(&raw)).unwrap_or_default();
            if !items.is_empty() {
                self.out.event(Event::Sources(Sources { items, in_reasoning: false }));
            }
        }
    }

    /// Emits what the finished message has beyond the streamed text; never takes anything back.
    fn missing_text(&mut self, message: &str) {
        use sha2::Digest as _;
        let (length, digest) = &self.raw;
        let Some((streamed, missing)) = message.as_bytes().split_at_checked(*length) else { return };
        let same = sha2::Sha256::digest(streamed) == digest.clone().finalize();
        if let (true, Ok(missing)) = (same && !missing.is_empty(), std::str::from_utf8(missing)) {
            self.answer(missing);
        }
    }
}

fn strings<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    let items = value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str)
}
