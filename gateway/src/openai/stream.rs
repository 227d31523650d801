//! Events as server-sent chunks. This is the hot path: no tree of JSON, no allocation per event; everything is
//! written into the caller's buffer behind a prefix that is rendered once.

use bytes::{BufMut as _, BytesMut};
use grok2api_proto::{
    Error,
    chat::{ChatBatch, ChatEvent, Finish, FunctionCall, Media, Usage, chat_event::Kind},
};
use serde::Serialize;

use super::{
    error,
    present::{Annotation, INLINE_END, Presentation, Presenter, Sink, finish_reason, inline_start},
    whole::Counts,
};

/// A comment that keeps proxies and clients waiting.
pub const PING: &[u8] = b": ping\n\n";
const DONE: &[u8] = b"data: [DONE]\n\n";

/// What all chunks of a stream have in common.
#[derive(Clone, Debug)]
pub struct Head {
    /// `chatcmpl-…`.
    pub id: String,
    /// Seconds since the epoch.
    pub created: i64,
    /// The model as the client asked for it.
    pub model: String,
    /// One more chunk with the usage at the end, and `"usage":null` before.
    pub include_usage: bool,
}

/// Encodes one choice of a stream.
pub struct Encoder {
    presenter: Presenter,
    prefix: Prefix,
    /// Held to the end: client helpers that put deltas together cannot join two lists of annotations.
    annotations: Vec<Annotation<'static>>,
    include_usage: bool,
    greeted: bool,
    done: bool,
}

/// What every chunk begins with, rendered once.
struct Prefix {
    text: BytesMut,
    /// Up to here it serves the usage chunk; all of it serves a choice chunk.
    head: usize,
    legacy_calls: bool,
}

/// A call in a chunk: first with its name, then with its arguments.
#[derive(Serialize)]
struct CallDelta<'c> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: FunctionDelta<'c>,
}

#[derive(Serialize)]
struct FunctionDelta<'c> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'c str>,
    arguments: &'c str,
}

/// Writes frames into the caller's buffer.
struct Frames<'f> {
    prefix: &'f Prefix,
    annotations: &'f mut Vec<Annotation<'static>>,
    out: &'f mut BytesMut,
}

impl Encoder {
    /// A choice that has not begun; `index` counts from 0.
    pub fn new(head: &Head, index: u32, presentation: Presentation) -> Self {
        Self {
            prefix: Prefix::render(head, index, presentation.legacy_calls),
            presenter: Presenter::new(presentation),
            annotations: Vec::new(),
            include_usage: head.include_usage,
            greeted: false,
            done: false,
        }
    }

    /// Whether the choice is complete: what comes now is not sent.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Appends the frames of a whole batch. Images that belong inside the content are left out: see
    /// [`until_image`](Self::until_image).
    pub fn batch(&mut self, batch: &ChatBatch, out: &mut BytesMut) {
        let mut events = batch.events.as_slice();
        while let Some((taken, _)) = self.until_image(events, out) {
            events = &events[taken..];
        }
    }

    /// Appends frames up to the first image that belongs inside the content. The caller then brings its bytes
    /// through [`image_start`](Self::image_start), [`insert`](Self::insert) and [`image_end`](Self::image_end), and
    /// goes on behind the events already taken.
    pub fn until_image<'e>(
        &mut self,
        events: &'e [ChatEvent],
        out: &mut BytesMut,
    ) -> Option<(usize, &'e Media)> {
        for (at, event) in events.iter().enumerate() {
            match event.kind.as_ref().filter(|_| !self.done) {
                Some(Kind::Image(image)) if self.presenter.inlines_images() => return Some((at + 1, image)),
                Some(kind) => self.event(kind, out),
                None => {}
            }
        }
        None
    }

    /// Begins an image inside the content.
    pub fn image_start(&mut self, image: &Media, out: &mut BytesMut) {
        self.insert(&inline_start(image), out);
    }

    /// Appends content that is not the model's text: a piece of an image.
    pub fn insert(&mut self, text: &str, out: &mut BytesMut) {
        self.greet(out);
        let mut frames = Frames { prefix: &self.prefix, annotations: &mut self.annotations, out };
        self.presenter.insert(text, &mut frames);
    }

    /// Ends an image inside the content.
    pub fn image_end(&mut self, out: &mut BytesMut) {
        self.insert(INLINE_END, out);
    }

    /// What the choice has used; known once it is complete.
    pub fn usage(&self) -> &Usage {
        self.presenter.usage()
    }

    /// Ends the choice without a finish reason: [`failure`] follows.
    pub fn abandon(&mut self, out: &mut BytesMut) {
        if self.greeted && !self.done {
            let mut frames = Frames { prefix: &self.prefix, annotations: &mut self.annotations, out };
            self.presenter.finish(&mut frames);
        }
        self.done = true;
    }

    /// Ends the stream of which this is a choice, when all of them are complete.
    pub fn close(&mut self, usage: &Usage, out: &mut BytesMut) {
        if self.include_usage {
            Frames { prefix: &self.prefix, annotations: &mut self.annotations, out }.usage(usage);
        }
        out.put_slice(DONE);
    }

    fn event(&mut self, kind: &Kind, out: &mut BytesMut) {
        self.greet(out);
        let mut frames = Frames { prefix: &self.prefix, annotations: &mut self.annotations, out };
        let Kind::End(end) = kind else { return self.presenter.show(kind, &mut frames) };
        self.done = true;
        self.presenter.finish(&mut frames);
        frames.finish(end.finish(), self.presenter.citations());
    }

    /// The role, once, before everything else.
    pub fn greet(&mut self, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.greeted, true) {
            Frames { prefix: &self.prefix, annotations: &mut self.annotations, out }
                .delta("\"role\":\"assistant\",\"content\":", "");
        }
    }
}

/// Ends a stream with an error instead of finish reasons.
pub fn failure(error: &Error, out: &mut BytesMut) {
    out.put_slice(b"data: ");
    json(out, &error::Body::from(error));
    out.put_slice(b"\n\n");
    out.put_slice(DONE);
}

impl Prefix {
    fn render(head: &Head, index: u32, legacy_calls: bool) -> Self {
        let mut text = BytesMut::with_capacity(256);
        text.put_slice(b"data: {\"id\":");
        json(&mut text, &head.id);
        text.put_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
        json(&mut text, &head.created);
        text.put_slice(b",\"model\":");
        json(&mut text, &head.model);
        let head_end = text.len();
        if head.include_usage {
            text.put_slice(b",\"usage\":null");
        }
        text.put_slice(b",\"choices\":[{\"index\":");
        json(&mut text, &index);
        text.put_slice(b",\"delta\":{");
        Self { text, head: head_end, legacy_calls }
    }
}

impl Frames<'_> {
    /// One choice chunk; `key` is the JSON in front of the value.
    fn delta(&mut self, key: &str, value: &(impl Serialize + ?Sized)) {
        self.out.put_slice(&self.prefix.text);
        self.out.put_slice(key.as_bytes());
        json(self.out, value);
        self.out.put_slice(b"},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
    }

    fn finish(&mut self, finish: Finish, citations: &[String]) {
        let annotations = std::mem::take(self.annotations);
        if !annotations.is_empty() {
            self.delta("\"annotations\":", &annotations);
        }
        self.out.put_slice(&self.prefix.text);
        self.out.put_slice(b"},\"logprobs\":null,\"finish_reason\":");
        json(self.out, finish_reason(finish, self.prefix.legacy_calls));
        self.out.put_slice(b"}]");
        if !citations.is_empty() {
            self.out.put_slice(b",\"citations\":");
            json(self.out, citations);
        }
        self.out.put_slice(b"}\n\n");
    }

    fn usage(&mut self, usage: &Usage) {
        self.out.put_slice(&self.prefix.text[..self.prefix.head]);
        self.out.put_slice(b",\"choices\":[],\"usage\":");
        json(self.out, &Counts::from(usage));
        self.out.put_slice(b"}\n\n");
    }
}

impl Sink for Frames<'_> {
    fn content(&mut self, text: &str) {
        if !text.is_empty() {
            self.delta("\"content\":", text);
        }
    }

    fn reasoning(&mut self, text: &str) {
        if !text.is_empty() {
            self.delta("\"reasoning_content\":", text);
        }
    }

    fn annotation(&mut self, annotation: Annotation<'_>) {
        self.annotations.push(annotation.into_owned());
    }

    fn call(&mut self, index: u32, call: &FunctionCall) {
        let begin = FunctionDelta { name: Some(&call.name), arguments: "" };
        let rest = FunctionDelta { name: None, arguments: &call.arguments };
        if self.prefix.legacy_calls {
            self.delta("\"function_call\":", &begin);
            return self.delta("\"function_call\":", &rest);
        }
        let begin = CallDelta { index, id: Some(&call.id), r#type: Some("function"), function: begin };
        self.delta("\"tool_calls\":", &[begin]);
        self.delta("\"tool_calls\":", &[CallDelta { index, id: None, r#type: None, function: rest }]);
    }
}

/// Appends a value as JSON, straight into the buffer.
fn json(out: &mut BytesMut, value: &(impl Serialize + ?Sized)) {
    // Writing to memory cannot fail, and no value here has keys that are not strings.
    serde_json::to_writer(out.writer(), value).ok();
}

#[cfg(test)]
mod tests;
