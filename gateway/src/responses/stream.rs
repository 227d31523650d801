//! Events as server-sent events. Like its siblings for the other protocols: no tree of JSON, no allocation per event beyond
//! the answer itself, which the protocol repeats at its end.

use bytes::{BufMut as _, BytesMut};
use futures_util::future::BoxFuture;
use grok2api_proto::{
    Error,
    chat::{ChatBatch, FunctionCall, chat_event::Kind},
};
use serde::Serialize;

use super::{
    Head,
    answer::Answer,
    keep::Keeper,
    output::{Item, Output},
    whole::status_of,
};
use crate::{
    handlers::turn,
    openai::present::{Annotation, Presentation, Presenter, Sink},
};

/// Encodes one answer.
pub(crate) struct Encoder {
    head: Head,
    presenter: Presenter,
    script: Script,
    greeted: bool,
    done: bool,
    keeper: Option<Keeper>,
    keeping: Option<BoxFuture<'static, ()>>,
}

/// What was written so far.
struct Script {
    output: Output,
    /// The last item is not complete.
    open: bool,
    /// Of the open item: what stands in front of the number of a delta.
    delta: BytesMut,
    sequence: u64,
}

/// Writes frames into the caller's buffer.
struct Frames<'f> {
    script: &'f mut Script,
    out: &'f mut BytesMut,
}

impl Encoder {
    /// An answer that has not begun. Its end goes to the keeper.
    pub(crate) fn new(head: Head, presentation: Presentation, keeper: Option<Keeper>) -> Self {
        let script = Script { output: Output::new(&head), open: false, delta: BytesMut::new(), sequence: 0 };
        let presenter = Presenter::new(presentation);
        Self { head, presenter, script, greeted: false, done: false, keeper, keeping: None }
    }

    fn event(&mut self, kind: &Kind, out: &mut BytesMut) {
        self.greet(out);
        let mut frames = Frames { script: &mut self.script, out };
        match kind {
            Kind::End(end) => {
                self.done = true;
                self.presenter.finish(&mut frames);
                frames.close(status_of(end.finish()));
                let items = &self.script.output.items;
                let answer = Answer::ended(&self.head, end.finish(), items, self.presenter.usage());
                last(&mut self.script.sequence, &answer, out);
                self.keeping = self.keeper.take().map(|keeper| keeper.keep(&answer));
            }
            Kind::FunctionCall(call) => {
                let item = frames.script.output.call(call, &self.head);
                frames.called(item);
            }
            Kind::ToolCall(call) if self.head.searches => {
                let item = frames.script.output.search(call);
                item.into_iter().for_each(|item| frames.searched(item));
            }
            kind => self.presenter.show(kind, &mut frames),
        }
    }

    /// Once, before everything else.
    fn greet(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.greeted, true) {
            return;
        }
        let answer = Answer::begun(&self.head);
        for name in ["response.created", "response.in_progress"] {
            response(&mut self.script.sequence, name, &answer, out);
        }
    }
}

impl turn::Encoder for Encoder {
    const PING: &'static [u8] = crate::openai::stream::PING;

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
        self.greet(out);
        self.done = true;
        Frames { script: &mut self.script, out }.close("incomplete");
        let answer = Answer::failed(&self.head, error, &self.script.output.items);
        last(&mut self.script.sequence, &answer, out);
        self.keeping = self.keeper.take().map(|keeper| keeper.keep(&answer));
    }

    fn failure(error: &Error, out: &mut BytesMut) {
        // Which number would be the next is not known either.
        let mut sequence = 0;
        begin("error", out);
        for (name, text) in [("code", error.code.as_ref()), ("message", error.message.as_str())] {
            out.put_slice(b",\"");
            out.put_slice(name.as_bytes());
            out.put_slice(b"\":");
            json(out, text);
        }
        out.put_slice(b",\"param\":null");
        end(&mut sequence, out);
    }

    fn keeping(&mut self) -> Option<BoxFuture<'static, ()>> {
        self.keeping.take()
    }
}

fn last(sequence: &mut u64, answer: &Answer<'_>, out: &mut BytesMut) {
    response(sequence, answer.last_event(), answer, out);
}

fn response(sequence: &mut u64, name: &str, answer: &Answer<'_>, out: &mut BytesMut) {
    begin(name, out);
    out.put_slice(b",\"response\":");
    json(out, answer);
    end(sequence, out);
}

/// Up to the type.
fn begin(name: &str, out: &mut BytesMut) {
    for piece in ["event: ", name, "\ndata: {\"type\":\"", name, "\""] {
        out.put_slice(piece.as_bytes());
    }
}

/// The number, and the end of the frame.
fn end(sequence: &mut u64, out: &mut BytesMut) {
    out.put_slice(b",\"sequence_number\":");
    json(out, sequence);
    out.put_slice(b"}\n\n");
    *sequence += 1;
}

/// What an open item receives.
#[derive(Clone, Copy)]
enum Grows {
    Text,
    Reasoning,
}

impl Grows {
    /// The name of its deltas, and where in the item they belong.
    fn delta(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("response.output_text.delta", ",\"content_index\":0,\"logprobs\":[]"),
            Self::Reasoning => ("response.reasoning_summary_text.delta", ",\"summary_index\":0"),
        }
    }
}

impl Frames<'_> {
    /// One frame about the last item, with what the caller adds.
    fn frame(&mut self, name: &str, rest: impl FnOnce(&Item, &mut BytesMut)) {
        let items = &self.script.output.items;
        let Some(item) = items.last() else { return };
        begin(name, self.out);
        place(item, items.len() - 1, self.out);
        rest(item, self.out);
        end(&mut self.script.sequence, self.out);
    }

    fn item(&mut self, name: &str) {
        let items = &self.script.output.items;
        let Some(item) = items.last() else { return };
        begin(name, self.out);
        self.out.put_slice(b",\"output_index\":");
        json(self.out, &(items.len() - 1));
        self.out.put_slice(b",\"item\":");
        json(self.out, item);
        end(&mut self.script.sequence, self.out);
    }

    fn open(&mut self, item: Item, grows: Grows) {
        self.close("completed");
        self.script.open = true;
        self.added(&item);
        self.script.output.items.push(item);
        match grows {
            Grows::Text => self.frame("response.content_part.added", |_, out| {
                out.put_slice(
                    b",\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[],\"logprobs\":[]}",
                );
            }),
            Grows::Reasoning => self.frame("response.reasoning_summary_part.added", |_, out| {
                out.put_slice(b",\"summary_index\":0,\"part\":{\"type\":\"summary_text\",\"text\":\"\"}");
            }),
        }
        let (name, within) = grows.delta();
        let (items, delta) = (&self.script.output.items, &mut self.script.delta);
        delta.clear();
        begin(name, delta);
        items.last().into_iter().for_each(|item| place(item, items.len() - 1, delta));
        delta.put_slice(within.as_bytes());
        delta.put_slice(b",\"delta\":");
    }

    /// An item before anything is in it.
    fn added(&mut self, item: &Item) {
        begin("response.output_item.added", self.out);
        self.out.put_slice(b",\"output_index\":");
        json(self.out, &self.script.output.items.len());
        self.out.put_slice(b",\"item\":");
        json(self.out, &item.begun());
        end(&mut self.script.sequence, self.out);
    }

    fn delta(&mut self, text: &str) {
        self.out.put_slice(&self.script.delta);
        json(self.out, text);
        end(&mut self.script.sequence, self.out);
    }

    /// Ends the open item.
    fn close(&mut self, status: &'static str) {
        if !std::mem::replace(&mut self.script.open, false) {
            return;
        }
        self.script.output.close(status);
        match self.script.output.items.last() {
            Some(Item::Message { .. }) => self.text_done(),
            Some(Item::Reasoning { .. }) => self.reasoning_done(),
            _ => {}
        }
        self.item("response.output_item.done");
    }

    fn text_done(&mut self) {
        self.frame("response.output_text.done", |item, out| {
            out.put_slice(b",\"content_index\":0,\"logprobs\":[],\"text\":");
            item.text().into_iter().for_each(|text| json(out, &text.text));
        });
        self.frame("response.content_part.done", |item, out| {
            out.put_slice(b",\"content_index\":0,\"part\":");
            item.text().into_iter().for_each(|text| json(out, text));
        });
    }

    fn reasoning_done(&mut self) {
        self.frame("response.reasoning_summary_text.done", |item, out| {
            out.put_slice(b",\"summary_index\":0,\"text\":");
            item.summary().into_iter().for_each(|summary| json(out, &summary.text));
        });
        self.frame("response.reasoning_summary_part.done", |item, out| {
            out.put_slice(b",\"summary_index\":0,\"part\":");
            item.summary().into_iter().for_each(|summary| json(out, summary));
        });
    }

    /// A call comes whole.
    fn called(&mut self, item: Item) {
        self.close("completed");
        self.added(&item);
        self.script.output.items.push(item);
        let (delta, done) = match self.script.output.items.last() {
            Some(Item::CustomToolCall { .. }) => {
                ("response.custom_tool_call_input.delta", "response.custom_tool_call_input.done")
            }
            _ => ("response.function_call_arguments.delta", "response.function_call_arguments.done"),
        };
        self.frame(delta, |item, out| {
            out.put_slice(b",\"delta\":");
            json(out, item.given());
        });
        self.frame(done, |item, out| match item {
            Item::FunctionCall { name, arguments, .. } => {
                out.put_slice(b",\"name\":");
                json(out, name);
                out.put_slice(b",\"arguments\":");
                json(out, arguments);
            }
            other => {
                out.put_slice(b",\"input\":");
                json(out, other.given());
            }
        });
        self.item("response.output_item.done");
    }

    fn searched(&mut self, item: Item) {
        self.close("completed");
        self.added(&item);
        self.script.output.items.push(item);
        for name in ["in_progress", "searching", "completed"] {
            self.frame(&["response.web_search_call.", name].concat(), |_, _| {});
        }
        self.item("response.output_item.done");
    }
}

/// Which item, and which in the output.
fn place(item: &Item, index: usize, out: &mut BytesMut) {
    out.put_slice(b",\"item_id\":");
    json(out, item.id());
    out.put_slice(b",\"output_index\":");
    json(out, &index);
}

impl Sink for Frames<'_> {
    /// Calls are items of their own, made where the answer's head is known.
    fn call(&mut self, _: u32, _: &FunctionCall) {}

    fn content(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !(self.script.open && self.script.output.items.last().and_then(Item::text).is_some()) {
            let item = self.script.output.message();
            self.open(item, Grows::Text);
        }
        if let Some(whole) = self.script.output.items.last_mut().and_then(Item::text_mut) {
            whole.text.push_str(text);
        }
        self.delta(text);
    }

    fn reasoning(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !(self.script.open && self.script.output.items.last().and_then(Item::summary).is_some()) {
            let item = self.script.output.reasoning();
            self.open(item, Grows::Reasoning);
        }
        if let Some(whole) = self.script.output.items.last_mut().and_then(Item::summary_mut) {
            whole.text.push_str(text);
        }
        self.delta(text);
    }

    fn annotation(&mut self, annotation: Annotation<'_>) {
        if !self.script.open || self.script.output.cite(annotation).is_none() {
            return;
        }
        self.frame("response.output_text.annotation.added", |item, out| {
            let Some((index, annotation)) =
                item.text().and_then(|text| text.annotations.iter().enumerate().next_back())
            else {
                return;
            };
            out.put_slice(b",\"content_index\":0,\"annotation_index\":");
            json(out, &index);
            out.put_slice(b",\"annotation\":");
            json(out, annotation);
        });
    }
}

/// Appends a value as JSON, straight into the buffer.
fn json(out: &mut BytesMut, value: &(impl Serialize + ?Sized)) {
    // Writing to memory cannot fail, and no value here has keys that are not strings.
    serde_json::to_writer(out.writer(), value).ok();
}

#[cfg(test)]
mod tests;
