//! From events to what a client reads: which text goes where, in which order, and where a citation then stands.
//!
//! One set of rules for streams and whole answers; they differ in their [`Sink`] only. Source: protocol reference
//! 3.12 (the seed's way) and 3.15.

use std::{borrow::Cow, fmt::Write as _};

use grok2api_proto::chat::{
    Citation, Finish, FunctionCall, Media, Reasoning, Source, Sources, Usage, chat_event::Kind,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::links::Links;

/// Most source addresses an answer lists.
const MOST_CITATIONS: usize = 50;
const OPEN_THINKING: &str = "<think>\n";
const CLOSE_THINKING: &str = "\n</think>\n";

/// How the model's reasoning is shown. The runtime parameter, and the request field, `thinking_mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    /// In a field of its own.
    #[default]
    ReasoningContent,
    /// Inside the content, between `<think>` and `</think>`: the seed's way.
    Think,
    /// Not at all.
    Off,
}

impl Thinking {
    /// The mode of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "reasoning_content" => Some(Self::ReasoningContent),
            "think" => Some(Self::Think),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// How one answer is to be shown.
#[derive(Clone, Debug, Default)]
pub struct Presentation {
    /// Where reasoning goes.
    pub thinking: Thinking,
    /// Lists what was searched inside the reasoning.
    pub search_in_thinking: bool,
    /// Images inside the content as base64 instead of links.
    pub inline_images: bool,
    /// Writes the addresses of media.
    pub links: Links,
    /// Shows reasoning that came after the answer had begun; of no use to somebody who reads along.
    pub late_reasoning: bool,
    /// Calls are shown as OpenAI's `function_call` of old, of which there can be one only.
    pub legacy_calls: bool,
}

/// What receives the pieces of an answer, in order.
pub trait Sink {
    /// Text of the answer.
    fn content(&mut self, text: &str);
    /// Text of the reasoning, apart from the answer.
    fn reasoning(&mut self, text: &str);
    /// A source cited in the content; offsets count its characters.
    fn annotation(&mut self, annotation: Annotation<'_>);
    /// A function of the client's is called: which call of the answer it is, from 0 on.
    fn call(&mut self, index: u32, call: &FunctionCall);
}

/// Something about a stretch of the content, in OpenAI's shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "type", content = "url_citation")]
pub enum Annotation<'e> {
    /// A source is cited there.
    #[serde(rename = "url_citation")]
    UrlCitation {
        /// The source.
        url: Cow<'e, str>,
        /// Its title; may be empty.
        title: Cow<'e, str>,
        /// First character of the citation in the content.
        start_index: u64,
        /// The character behind it.
        end_index: u64,
    },
}

impl Annotation<'_> {
    /// One that outlives its event.
    pub(super) fn into_owned(self) -> Annotation<'static> {
        let Self::UrlCitation { url, title, start_index, end_index } = self;
        let (url, title) = (url.into_owned().into(), title.into_owned().into());
        Annotation::UrlCitation { url, title, start_index, end_index }
    }
}

/// The state of one answer.
#[derive(Debug)]
pub(crate) struct Presenter {
    presentation: Presentation,
    block: Block,
    percent: u32,
    /// Characters of the model's own text so far.
    text: u64,
    /// What was put between them, merged by place.
    insertions: Vec<Insertion>,
    citations: Vec<String>,
    calls: u32,
    usage: Usage,
}

/// The `<think>` block.
#[derive(Debug, PartialEq)]
enum Block {
    NotYet,
    Open,
    Closed,
}

#[derive(Debug)]
struct Insertion {
    /// Characters of text before it.
    at: u64,
    characters: u64,
}

impl Presenter {
    pub(crate) fn new(presentation: Presentation) -> Self {
        Self {
            presentation,
            block: Block::NotYet,
            percent: 0,
            text: 0,
            insertions: Vec::new(),
            citations: Vec::new(),
            calls: 0,
            usage: Usage { estimated: true, ..Usage::default() },
        }
    }

    /// Source addresses, each once, in order.
    pub(crate) fn citations(&self) -> &[String] {
        &self.citations
    }

    pub(crate) fn into_citations(self) -> Vec<String> {
        self.citations
    }

    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    pub(crate) fn inlines_images(&self) -> bool {
        self.presentation.inline_images
    }

    /// Shows one event; [`Kind::End`] is the caller's.
    pub(crate) fn show(&mut self, event: &Kind, sink: &mut impl Sink) {
        match event {
            Kind::Text(text) => {
                self.close_block(sink);
                self.text += characters(&text.text);
                sink.content(&text.text);
            }
            Kind::Reasoning(reasoning) => self.reasoning(reasoning, sink),
            Kind::Sources(sources) => self.sources(sources, sink),
            Kind::Citation(citation) => self.citation(citation, sink),
            Kind::Image(image) => {
                let link = format!("\n![Generated Image]({})\n", self.presentation.links.image(&image.name));
                self.insert(&link, sink);
            }
            Kind::VideoProgress(progress) if progress.percent > self.percent => {
                self.percent = progress.percent;
                self.think(&format!("视频已生成{}%\n", progress.percent), sink);
            }
            Kind::Video(video) => {
                let link = self.presentation.links.video(&video.name);
                let player = format!("<video src=\"{link}\" controls=\"controls\"></video>\n");
                self.insert(&player, sink);
            }
            Kind::FunctionCall(call) => {
                self.close_block(sink);
                sink.call(self.calls, call);
                self.calls += 1;
            }
            Kind::Usage(usage) => self.usage = *usage,
            Kind::Started(_)
            | Kind::Charge(_)
            | Kind::ToolCall(_)
            | Kind::ImageProgress(_)
            | Kind::VideoProgress(_)
            | Kind::SoftEnd(_)
            | Kind::End(_) => {}
        }
    }

    /// Content that is not the model's own text.
    pub(crate) fn insert(&mut self, text: &str, sink: &mut impl Sink) {
        self.close_block(sink);
        self.insert_raw(text, sink);
    }

    /// Nothing follows.
    pub(crate) fn finish(&mut self, sink: &mut impl Sink) {
        self.close_block(sink);
    }

    fn reasoning(&mut self, reasoning: &Reasoning, sink: &mut impl Sink) {
        if reasoning.late && !self.presentation.late_reasoning {
            return;
        }
        if reasoning.header {
            self.think(&format!("\n\n{}\n\n", reasoning.text), sink);
        } else {
            self.think(&reasoning.text, sink);
        }
    }

    fn think(&mut self, text: &str, sink: &mut impl Sink) {
        match self.presentation.thinking {
            Thinking::ReasoningContent => sink.reasoning(text),
            Thinking::Think if self.block != Block::Closed => {
                if self.block == Block::NotYet {
                    self.block = Block::Open;
                    self.insert_raw(OPEN_THINKING, sink);
                }
                self.insert_raw(text, sink);
            }
            Thinking::Think | Thinking::Off => {}
        }
    }

    /// A second block would be shown in the middle of the answer, so an answer that has begun ends thinking.
    fn close_block(&mut self, sink: &mut impl Sink) {
        if self.block == Block::Open {
            self.insert_raw(CLOSE_THINKING, sink);
        }
        self.block = Block::Closed;
    }

    fn insert_raw(&mut self, text: &str, sink: &mut impl Sink) {
        let characters = characters(text);
        match self.insertions.last_mut().filter(|last| last.at == self.text) {
            Some(last) => last.characters += characters,
            None => self.insertions.push(Insertion { at: self.text, characters }),
        }
        sink.content(text);
    }

    fn sources(&mut self, sources: &Sources, sink: &mut impl Sink) {
        for source in &sources.items {
            self.cite(&source.url);
        }
        if sources.in_reasoning && self.presentation.search_in_thinking && !sources.items.is_empty() {
            self.think(&search_lines(&sources.items), sink);
        }
    }

    fn citation(&mut self, citation: &Citation, sink: &mut impl Sink) {
        self.cite(&citation.url);
        let start_index = self.place(citation.start.into(), true);
        sink.annotation(Annotation::UrlCitation {
            url: citation.url.as_str().into(),
            title: citation.title.as_str().into(),
            start_index,
            end_index: self.place(citation.end.into(), false).max(start_index),
        });
    }

    fn cite(&mut self, url: &str) {
        if self.citations.len() < MOST_CITATIONS && !self.citations.iter().any(|known| known == url) {
            self.citations.push(url.to_owned());
        }
    }

    /// Where a character of the model's text stands in the content. What was inserted right there comes before a
    /// range that starts there and after one that ends there.
    fn place(&self, offset: u64, start: bool) -> u64 {
        let before =
            |insertion: &&Insertion| if start { insertion.at <= offset } else { insertion.at < offset };
        offset + self.insertions.iter().take_while(before).map(|insertion| insertion.characters).sum::<u64>()
    }
}

/// The seed's list of what was found.
fn search_lines(sources: &[Source]) -> String {
    let mut lines = String::new();
    for Source { url, title, preview } in sources {
        let (title, preview) = (title.replace('\n', " "), preview.replace('\n', " ").replace('"', "'"));
        write!(lines, "\n- [{title}]({url} \"{preview}\")").ok();
    }
    lines.push('\n');
    lines
}

fn characters(text: &str) -> u64 {
    text.chars().count() as u64
}

/// Opens an image inside the content; its base64 and [`INLINE_END`] follow.
pub(super) fn inline_start(image: &Media) -> String {
    format!("\n![Generated Image](data:{};base64,", image.content_type)
}

/// Closes an image inside the content.
pub(super) const INLINE_END: &str = ")\n";

/// OpenAI's name of a finish; `legacy` as in [`Presentation::legacy_calls`].
pub(super) fn finish_reason(finish: Finish, legacy: bool) -> &'static str {
    match finish {
        Finish::Unspecified | Finish::Stop => "stop",
        Finish::ContentFilter => "content_filter",
        Finish::Length => "length",
        Finish::ToolCalls if legacy => "function_call",
        Finish::ToolCalls => "tool_calls",
    }
}
