//! One call, as a turn.

use axum::http::request::Parts;
use grok2api_proto::{
    Result,
    chat::{ChatBatch, ChatRequest, FunctionCall, Media, chat_event::Kind},
    media,
};
use rmcp::model::JsonObject;

use super::tools::Tool;
use crate::{
    Caller, Deps,
    admission::admit,
    capture,
    handlers::turn,
    links::Links,
    middleware::request_id,
    openai::present::{Annotation, Presentation, Presenter, Sink, Thinking},
    usage::Record,
};

const ENDPOINT: &str = "/mcp";

/// What a call comes to, for its client's model to read.
///
/// # Errors
/// As those of the API.
pub(super) async fn run(deps: &Deps, tool: Tool, parts: &Parts, arguments: JsonObject) -> Result<String> {
    let mut record = deps.usage.begin(ENDPOINT, request_id(&parts.headers));
    capture::named(&parts.extensions, record.turn_id());
    let (request, images) = match prepare(deps, tool, parts, arguments, &mut record).await {
        Ok(prepared) => prepared,
        Err(error) => {
            record.failed(&error);
            return Err(error);
        }
    };
    let mut told = Told::new(tool, images, Links::of(deps, parts));
    turn::collect(deps, request, &mut record, &mut told).await?;
    Ok(told.text())
}

async fn prepare(
    deps: &Deps,
    tool: Tool,
    parts: &Parts,
    arguments: JsonObject,
    record: &mut Record,
) -> Result<(ChatRequest, usize)> {
    let caller = Caller::of(&parts.extensions);
    record.called_by(caller.key());
    let (request, images) = tool.request(arguments, record.turn_id().to_owned())?;
    record.asked(&request.model, false);
    caller.may_ask(&request.model)?;
    let request = caller.signed(request);
    admit(deps.client_keys.admissions(), &caller, record, std::slice::from_ref(&request)).await?;
    Ok((request, images))
}

/// Gathers what is told of an answer: its text with its sources, or links alone.
struct Told {
    presenter: Presenter,
    text: Text,
    /// Links alone, and so many.
    images: Option<usize>,
    written: Vec<String>,
    links: Links,
    done: bool,
}

#[derive(Default)]
struct Text(String);

impl Told {
    fn new(tool: Tool, images: usize, links: Links) -> Self {
        let presentation =
            Presentation { thinking: Thinking::Off, links: links.clone(), ..Presentation::default() };
        Self {
            presenter: Presenter::new(presentation),
            text: Text::default(),
            images: (tool != Tool::AskGrok).then_some(images),
            written: Vec::new(),
            links,
            done: false,
        }
    }

    fn link(&mut self, kind: media::Kind, media: &Media) {
        self.written.push(self.links.link(kind, &media.name));
    }

    fn text(self) -> String {
        // Who draws nothing says why.
        if self.images.is_some() && !self.written.is_empty() {
            return self.written.join("\n");
        }
        let Text(mut text) = self.text;
        let sources = self.presenter.citations();
        if !sources.is_empty() {
            text.push_str("\n\nSources:\n");
            text.push_str(&sources.join("\n"));
        }
        text
    }
}

impl turn::Collector for Told {
    fn batch(&mut self, batch: &ChatBatch) {
        for kind in batch.events.iter().filter_map(|event| event.kind.as_ref()) {
            match (kind, self.images) {
                _ if self.done => return,
                (Kind::End(_), _) => {
                    self.presenter.finish(&mut self.text);
                    self.done = true;
                }
                (Kind::Image(image), Some(most)) if self.written.len() < most => {
                    self.link(media::Kind::Image, image);
                }
                (Kind::Image(_), Some(_)) => {}
                (Kind::Video(video), Some(_)) => self.link(media::Kind::Video, video),
                (kind, _) => self.presenter.show(kind, &mut self.text),
            }
        }
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

impl Sink for Text {
    fn content(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn reasoning(&mut self, _: &str) {}

    /// No functions are offered here.
    fn call(&mut self, _: u32, _: &FunctionCall) {}

    fn annotation(&mut self, _: Annotation<'_>) {}
}
