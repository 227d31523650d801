//! Events collected into one JSON answer.

use grok2api_proto::chat::{ChatEvent, Finish, FunctionCall, Media, Usage, chat_event::Kind};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    present::{Annotation, INLINE_END, Presentation, Presenter, Sink, Thinking, finish_reason, inline_start},
    stream::Head,
};
use crate::openapi::words;

/// `chat.completion`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletion)]
pub struct Completion {
    #[schema(pattern = "^chatcmpl-")]
    id: String,
    #[schema(schema_with = words::chat_completion)]
    object: &'static str,
    /// Seconds since the epoch.
    created: i64,
    /// As asked.
    model: String,
    #[schema(min_items = 1)]
    choices: Vec<Choice>,
    usage: Counts,
    /// Ours: the addresses of all sources found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    citations: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletionChoice)]
struct Choice {
    /// From 0 on.
    index: u32,
    message: Message,
    #[schema(schema_with = words::nothing, required)]
    logprobs: Option<()>,
    #[schema(schema_with = words::finish_reason)]
    finish_reason: &'static str,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ChatCompletionMessage)]
struct Message {
    #[schema(schema_with = words::assistant)]
    role: &'static str,
    /// `null` when functions are called and nothing is said.
    #[schema(required)]
    content: Option<String>,
    /// Ours: the model's reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reasoning_content: Option<String>,
    #[schema(schema_with = words::nothing, required)]
    refusal: Option<()>,
    annotations: Vec<Annotation<'static>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    tool_calls: Vec<Call>,
    /// When `functions` was asked with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    function_call: Option<Function>,
    #[serde(skip)]
    #[schema(ignore)]
    legacy_calls: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatToolCall)]
struct Call {
    id: String,
    #[schema(schema_with = words::function)]
    r#type: &'static str,
    function: Function,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatFunctionCall)]
struct Function {
    name: String,
    /// A JSON object, as text.
    arguments: String,
}

/// `usage`: OpenAI's fields, and `estimated` of ours.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatUsage)]
pub(crate) struct Counts {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    completion_tokens_details: Details,
    /// Ours: the upstream counted no tokens.
    estimated: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatUsageDetails)]
struct Details {
    reasoning_tokens: u64,
}

/// One choice's part of an answer.
pub struct Answer {
    message: Message,
    finish: Finish,
    usage: Usage,
    citations: Vec<String>,
}

/// Collects one choice.
pub struct Collector {
    presenter: Presenter,
    message: Message,
    finish: Option<Finish>,
}

impl Collector {
    /// A choice without anything in it.
    pub fn new(presentation: Presentation) -> Self {
        let reasoning_content = (presentation.thinking == Thinking::ReasoningContent).then(String::new);
        let legacy_calls = presentation.legacy_calls;
        Self {
            presenter: Presenter::new(Presentation { late_reasoning: true, ..presentation }),
            message: Message { role: "assistant", reasoning_content, legacy_calls, ..Message::default() },
            finish: None,
        }
    }

    /// Whether the turn is complete: what comes now is ignored.
    pub fn is_done(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes an event; gives it back when it is an image whose bytes belong into the content.
    pub fn event<'e>(&mut self, event: &'e ChatEvent) -> Option<&'e Media> {
        match event.kind.as_ref().filter(|_| self.finish.is_none())? {
            Kind::Image(image) if self.presenter.inlines_images() => return Some(image),
            Kind::End(end) => {
                self.finish = Some(end.finish());
                self.presenter.finish(&mut self.message);
                self.message.finish();
            }
            kind => self.presenter.show(kind, &mut self.message),
        }
        None
    }

    /// Begins an image inside the content.
    pub fn image_start(&mut self, image: &Media) {
        self.insert(&inline_start(image));
    }

    /// Appends content that is not the model's text: a piece of an image.
    pub fn insert(&mut self, text: &str) {
        self.presenter.insert(text, &mut self.message);
    }

    /// Ends an image inside the content.
    pub fn image_end(&mut self) {
        self.insert(INLINE_END);
    }

    /// The choice, or nothing when the turn was cut before its end.
    pub fn finish(self) -> Option<Answer> {
        let usage = *self.presenter.usage();
        let citations = self.presenter.into_citations();
        Some(Answer { message: self.message, finish: self.finish?, usage, citations })
    }
}

impl Completion {
    /// The choices in their order, with what all of them used and cite.
    pub fn new(head: Head, answers: Vec<Answer>) -> Self {
        let usage = Counts::from(&total(answers.iter().map(|answer| &answer.usage)));
        let (mut choices, mut citations) = (Vec::with_capacity(answers.len()), Vec::new());
        for (index, answer) in (0..).zip(answers) {
            let Answer { message, finish, citations: cited, .. } = answer;
            let new: Vec<String> = cited.into_iter().filter(|url| !citations.contains(url)).collect();
            citations.extend(new);
            let finish_reason = finish_reason(finish, message.legacy_calls);
            choices.push(Choice { index, message, logprobs: None, finish_reason });
        }
        let (id, object) = (head.id, "chat.completion");
        Self { id, object, created: head.created, model: head.model, choices, usage, citations }
    }
}

/// What several choices used together: each sends the prompt anew.
pub fn total<'u>(usages: impl Iterator<Item = &'u Usage>) -> Usage {
    usages.fold(Usage::default(), |sum, usage| Usage {
        prompt_tokens: sum.prompt_tokens.saturating_add(usage.prompt_tokens),
        completion_tokens: sum.completion_tokens.saturating_add(usage.completion_tokens),
        reasoning_tokens: sum.reasoning_tokens.saturating_add(usage.reasoning_tokens),
        estimated: sum.estimated || usage.estimated,
    })
}

impl Message {
    /// Only beside calls may nothing be said.
    fn finish(&mut self) {
        if self.tool_calls.is_empty() && self.function_call.is_none() {
            self.content.get_or_insert_default();
        }
    }
}

impl Sink for Message {
    fn content(&mut self, text: &str) {
        if !text.is_empty() {
            self.content.get_or_insert_default().push_str(text);
        }
    }

    fn call(&mut self, _: u32, call: &FunctionCall) {
        let function = Function { name: call.name.clone(), arguments: call.arguments.clone() };
        if self.legacy_calls {
            self.function_call.get_or_insert(function);
        } else {
            self.tool_calls.push(Call { id: call.id.clone(), r#type: "function", function });
        }
    }

    fn reasoning(&mut self, text: &str) {
        self.reasoning_content.get_or_insert_default().push_str(text);
    }

    fn annotation(&mut self, annotation: Annotation<'_>) {
        self.annotations.push(annotation.into_owned());
    }
}

impl From<&Usage> for Counts {
    fn from(usage: &Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens.saturating_add(usage.completion_tokens),
            completion_tokens_details: Details { reasoning_tokens: usage.reasoning_tokens },
            estimated: usage.estimated,
        }
    }
}

#[cfg(test)]
mod tests;
