//! Events collected into one JSON answer.

use grok2api_proto::chat::{ChatBatch, Finish, FunctionCall, chat_event::Kind};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Head, schemas::words, stop_reason};
use crate::{
    handlers::turn,
    openai::present::{Annotation, Presentation, Presenter, Sink},
};

/// A message of the model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessagesAnswer)]
pub(crate) struct Answer {
    #[schema(pattern = "^msg_")]
    id: String,
    #[schema(schema_with = words::message)]
    r#type: &'static str,
    #[schema(schema_with = crate::openapi::words::assistant)]
    role: &'static str,
    /// As asked.
    model: String,
    content: Vec<Block>,
    #[schema(schema_with = words::stop_reason)]
    stop_reason: &'static str,
    #[schema(schema_with = crate::openapi::words::nothing, required)]
    stop_sequence: Option<()>,
    usage: Counts,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessagesBlock)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    /// What the model thought before it answered.
    Thinking {
        thinking: String,
        signature: &'static str,
    },
    Text {
        text: String,
    },
    /// A tool of the client's is called.
    ToolUse {
        id: String,
        name: String,
        input: Map<String, Value>,
    },
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessagesUsage)]
struct Counts {
    input_tokens: u64,
    output_tokens: u64,
}

/// Collects one answer.
pub(crate) struct Collector {
    presenter: Presenter,
    blocks: Blocks,
    finish: Option<Finish>,
}

#[derive(Default)]
struct Blocks(Vec<Block>);

impl Collector {
    /// An answer without anything in it.
    pub(crate) fn new(presentation: Presentation) -> Self {
        let presenter = Presenter::new(Presentation { late_reasoning: true, ..presentation });
        Self { presenter, blocks: Blocks::default(), finish: None }
    }

    /// The answer, or nothing when the turn was cut before its end.
    pub(crate) fn finish(self, head: Head) -> Option<Answer> {
        let usage = self.presenter.usage();
        Some(Answer {
            id: head.id,
            r#type: "message",
            role: "assistant",
            model: head.model,
            stop_reason: stop_reason(self.finish?),
            stop_sequence: None,
            usage: Counts { input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens },
            content: self.blocks.0,
        })
    }
}

impl turn::Collector for Collector {
    fn batch(&mut self, batch: &ChatBatch) {
        for kind in batch.events.iter().filter_map(|event| event.kind.as_ref()) {
            match kind {
                _ if self.finish.is_some() => return,
                Kind::End(end) => {
                    self.finish = Some(end.finish());
                    self.presenter.finish(&mut self.blocks);
                }
                kind => self.presenter.show(kind, &mut self.blocks),
            }
        }
    }

    fn is_done(&self) -> bool {
        self.finish.is_some()
    }
}

impl Sink for Blocks {
    fn content(&mut self, more: &str) {
        match self.0.last_mut() {
            Some(Block::Text { text }) => text.push_str(more),
            _ if more.is_empty() => {}
            _ => self.0.push(Block::Text { text: more.to_owned() }),
        }
    }

    fn reasoning(&mut self, more: &str) {
        // Late reasoning belongs to what was thought before: an answer in pieces helps nobody.
        let thought = self.0.iter_mut().find_map(|block| match block {
            Block::Thinking { thinking, .. } => Some(thinking),
            Block::Text { .. } | Block::ToolUse { .. } => None,
        });
        match thought {
            Some(thinking) => thinking.push_str(more),
            None if more.is_empty() => {}
            None => self.0.insert(0, Block::Thinking { thinking: more.to_owned(), signature: "" }),
        }
    }

    fn annotation(&mut self, _: Annotation<'_>) {}

    fn call(&mut self, _: u32, call: &FunctionCall) {
        let input = serde_json::from_str(&call.arguments).unwrap_or_default();
        self.0.push(Block::ToolUse { id: call.id.clone(), name: call.name.clone(), input });
    }
}
