//! Events as server-sent events. Like its sibling for OpenAI: no tree of JSON, no allocation per event.

use bytes::{BufMut as _, BytesMut};
use grok2api_proto::{
    Error,
    chat::{ChatBatch, Finish, FunctionCall, chat_event::Kind},
};
use serde::Serialize;

use super::{Head, error, stop_reason};
use crate::{
    handlers::turn,
    openai::present::{Annotation, Presentation, Presenter, Sink},
};

/// Encodes one answer.
pub(crate) struct Encoder {
    head: Head,
    presenter: Presenter,
    blocks: Blocks,
    greeted: bool,
    done: bool,
}

/// The content blocks written so far: one after the other, the last one perhaps still open.
#[derive(Default)]
struct Blocks {
    /// Of the open one, else of the next.
    index: u32,
    open: Option<Block>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Thinking,
    Text,
}

/// Writes frames into the caller's buffer.
struct Frames<'f> {
    blocks: &'f mut Blocks,
    out: &'f mut BytesMut,
}

impl Encoder {
    /// An answer that has not begun.
    pub(crate) fn new(head: Head, presentation: Presentation) -> Self {
        let presenter = Presenter::new(presentation);
        Self { head, presenter, blocks: Blocks::default(), greeted: false, done: false }
    }

    fn event(&mut self, kind: &Kind, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.greeted, true) {
            self.greet(out);
        }
        let mut frames = Frames { blocks: &mut self.blocks, out };
        let Kind::End(end) = kind else { return self.presenter.show(kind, &mut frames) };
        self.done = true;
        self.presenter.finish(&mut frames);
        frames.close();
        self.finish(end.finish(), out);
    }

    fn greet(&self, out: &mut BytesMut) {
        out.put_slice(b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":");
        json(out, &self.head.id);
        out.put_slice(b",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
        json(out, &self.head.model);
        out.put_slice(
            b",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":",
        );
        json(out, &self.head.input_tokens);
        out.put_slice(b",\"output_tokens\":0}}}\n\n");
    }

    fn finish(&self, finish: Finish, out: &mut BytesMut) {
        let usage = self.presenter.usage();
        out.put_slice(b"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":");
        json(out, stop_reason(finish));
        out.put_slice(b",\"stop_sequence\":null},\"usage\":{\"input_tokens\":");
        json(out, &usage.prompt_tokens);
        out.put_slice(b",\"output_tokens\":");
        json(out, &usage.completion_tokens);
        out.put_slice(b"}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }
}

impl turn::Encoder for Encoder {
    const PING: &'static [u8] = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";

    fn batch(&mut self, batch: &ChatBatch, out: &mut BytesMut) {
        for kind in batch.events.iter().filter_map(|event| event.kind.as_ref()) {
            if !self.done {
                self.event(kind, out);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn fail(&mut self, error: &Error, out: &mut BytesMut) {
        self.done = true;
        Self::failure(error, out);
    }

    fn failure(error: &Error, out: &mut BytesMut) {
        out.put_slice(b"event: error\ndata: ");
        json(out, &error::Body::new(error, None));
        out.put_slice(b"\n\n");
    }
}

impl Block {
    fn start(self) -> &'static [u8] {
        match self {
            Self::Thinking => {
                b",\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n"
            }
            Self::Text => b",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        }
    }

    fn delta(self) -> &'static [u8] {
        match self {
            Self::Thinking => b",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":",
            Self::Text => b",\"delta\":{\"type\":\"text_delta\",\"text\":",
        }
    }
}

impl Frames<'_> {
    fn append(&mut self, block: Block, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.blocks.open != Some(block) {
            self.close();
            self.blocks.open = Some(block);
            self.frame("content_block_start", block.start());
        }
        self.frame("content_block_delta", block.delta());
        json(self.out, text);
        self.out.put_slice(b"}}\n\n");
    }

    /// Ends the open block.
    fn close(&mut self) {
        if self.blocks.open.take().is_some() {
            self.frame("content_block_stop", b"}\n\n");
            self.blocks.index += 1;
        }
    }

    /// The name of an event, the block it belongs to, and what follows that.
    fn frame(&mut self, name: &str, rest: &[u8]) {
        for piece in ["event: ", name, "\ndata: {\"type\":\"", name, "\",\"index\":"] {
            self.out.put_slice(piece.as_bytes());
        }
        json(self.out, &self.blocks.index);
        self.out.put_slice(rest);
    }
}

impl Sink for Frames<'_> {
    fn content(&mut self, text: &str) {
        self.append(Block::Text, text);
    }

    fn reasoning(&mut self, text: &str) {
        self.append(Block::Thinking, text);
    }

    /// A citation of this protocol repeats the cited text, which the upstream does not tell.
    fn annotation(&mut self, _: Annotation<'_>) {}

    /// A block of its own, its input as one delta.
    fn call(&mut self, _: u32, call: &FunctionCall) {
        self.close();
        self.frame("content_block_start", b",\"content_block\":{\"type\":\"tool_use\",\"id\":");
        json(self.out, &call.id);
        self.out.put_slice(b",\"name\":");
        json(self.out, &call.name);
        self.out.put_slice(b",\"input\":{}}}\n\n");
        self.frame("content_block_delta", b",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":");
        json(self.out, &call.arguments);
        self.out.put_slice(b"}}\n\n");
        self.frame("content_block_stop", b"}\n\n");
        self.blocks.index += 1;
    }
}

/// Appends a value as JSON, straight into the buffer.
fn json(out: &mut BytesMut, value: &(impl Serialize + ?Sized)) {
    // Writing to memory cannot fail, and no value here has keys that are not strings.
    serde_json::to_writer(out.writer(), value).ok();
}

#[cfg(test)]
mod tests;
