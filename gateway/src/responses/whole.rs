//! Events collected into one JSON answer.

use grok2api_proto::chat::{ChatBatch, Finish, FunctionCall, chat_event::Kind};

use super::{
    Head,
    answer::Answer,
    output::{Item, Output},
};
use crate::{
    handlers::turn,
    openai::present::{Annotation, Presentation, Presenter, Sink},
};

/// Collects one answer.
pub(crate) struct Collector {
    head: Head,
    presenter: Presenter,
    output: Output,
    finish: Option<Finish>,
}

impl Collector {
    /// An answer without anything in it.
    pub(crate) fn new(head: Head, presentation: Presentation) -> Self {
        let presenter = Presenter::new(Presentation { late_reasoning: true, ..presentation });
        Self { output: Output::new(&head), head, presenter, finish: None }
    }

    /// The answer, or nothing when the turn was cut before its end.
    pub(crate) fn answer(&self) -> Option<Answer<'_>> {
        Some(Answer::ended(&self.head, self.finish?, &self.output.items, self.presenter.usage()))
    }
}

impl turn::Collector for Collector {
    fn batch(&mut self, batch: &ChatBatch) {
        for kind in batch.events.iter().filter_map(|event| event.kind.as_ref()) {
            match kind {
                _ if self.finish.is_some() => return,
                Kind::End(end) => {
                    self.presenter.finish(&mut self.output);
                    self.output.close(status_of(end.finish()));
                    self.finish = Some(end.finish());
                }
                Kind::FunctionCall(call) => {
                    let item = self.output.call(call, &self.head);
                    self.output.push(item);
                }
                Kind::ToolCall(call) if self.head.searches => {
                    let item = self.output.search(call);
                    item.into_iter().for_each(|item| self.output.push(item));
                }
                kind => self.presenter.show(kind, &mut self.output),
            }
        }
    }

    fn is_done(&self) -> bool {
        self.finish.is_some()
    }
}

/// Of the item that the answer ends with.
pub(super) fn status_of(finish: Finish) -> &'static str {
    match finish {
        Finish::Length | Finish::ContentFilter => "incomplete",
        Finish::Unspecified | Finish::Stop | Finish::ToolCalls => "completed",
    }
}

impl Output {
    fn push(&mut self, item: Item) {
        self.close("completed");
        self.items.push(item);
    }
}

impl Sink for Output {
    /// Calls are items of their own, made where the answer's head is known.
    fn call(&mut self, _: u32, _: &FunctionCall) {}

    fn content(&mut self, more: &str) {
        if more.is_empty() {
            return;
        }
        if self.items.last().and_then(Item::text).is_none() {
            let item = self.message();
            self.push(item);
        }
        if let Some(text) = self.items.last_mut().and_then(Item::text_mut) {
            text.text.push_str(more);
        }
    }

    fn reasoning(&mut self, more: &str) {
        if more.is_empty() {
            return;
        }
        // Late reasoning belongs to what was thought before: an answer in pieces helps nobody.
        if !self.items.iter().any(|item| matches!(item, Item::Reasoning { .. })) {
            let item = Output::reasoning(self);
            self.items.insert(0, item);
        }
        if let Some(summary) = self.items.iter_mut().find_map(Item::summary_mut) {
            summary.text.push_str(more);
        }
    }

    fn annotation(&mut self, annotation: Annotation<'_>) {
        self.cite(annotation);
    }
}
