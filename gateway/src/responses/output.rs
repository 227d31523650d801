//! The items of an answer.

use grok2api_proto::chat::{FunctionCall, ToolCall};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Head, request::tools::INPUT, schemas::words};
use crate::openai::present;

/// One item of the output.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ResponseItem)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Item {
    /// What the model thought before it answered.
    Reasoning { id: String, summary: Vec<Summary> },
    /// What it says.
    Message {
        id: String,
        #[schema(schema_with = words::item_status)]
        status: &'static str,
        #[schema(schema_with = crate::openapi::words::assistant)]
        role: &'static str,
        content: Vec<OutputText>,
    },
    /// A function of the client's that is to be called.
    FunctionCall {
        id: String,
        #[schema(schema_with = words::item_status)]
        status: &'static str,
        call_id: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        namespace: Option<String>,
        /// A JSON object, as text.
        arguments: String,
    },
    /// A tool of the client's that takes a text.
    CustomToolCall {
        id: String,
        #[schema(schema_with = words::item_status)]
        status: &'static str,
        call_id: String,
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        namespace: Option<String>,
        input: String,
    },
    /// What the upstream searched.
    WebSearchCall {
        id: String,
        #[schema(schema_with = words::item_status)]
        status: &'static str,
        action: Action,
    },
}

/// A part of the reasoning.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ResponseReasoningSummary)]
pub(crate) struct Summary {
    #[schema(schema_with = words::summary_text)]
    r#type: &'static str,
    pub(super) text: String,
}

/// The text of a message.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ResponseOutputText)]
pub(crate) struct OutputText {
    #[schema(schema_with = words::output_text)]
    r#type: &'static str,
    pub(super) text: String,
    pub(super) annotations: Vec<Annotation>,
    /// Always empty.
    #[schema(max_items = 0)]
    logprobs: Vec<String>,
    /// Characters in the messages before this one.
    #[serde(skip)]
    #[schema(ignore)]
    from: u64,
}

/// A source cited in the text; offsets count its characters.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ResponseAnnotation)]
pub(crate) struct Annotation {
    #[schema(schema_with = words::url_citation)]
    r#type: &'static str,
    url: String,
    title: String,
    start_index: u64,
    end_index: u64,
}

/// What a search did.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ResponseSearchAction)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Action {
    /// It looked for something.
    Search { query: String },
    /// It read a page.
    OpenPage { url: String },
}

/// The output as it grows; what makes items knows their names.
#[derive(Debug)]
pub(crate) struct Output {
    digits: String,
    made: usize,
    pub(super) items: Vec<Item>,
}

impl Output {
    pub(super) fn new(head: &Head) -> Self {
        Self { digits: head.digits.clone(), made: 0, items: Vec::new() }
    }

    fn name(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_{}_{}", self.digits, self.made - 1)
    }

    pub(super) fn reasoning(&mut self) -> Item {
        let summary = vec![Summary { r#type: "summary_text", text: String::new() }];
        Item::Reasoning { id: self.name("rs"), summary }
    }

    pub(super) fn message(&mut self) -> Item {
        let texts = self.items.iter().filter_map(Item::text);
        let from = texts.map(|text| text.text.chars().count() as u64).sum();
        let (annotations, text) = (Vec::new(), String::new());
        let content =
            vec![OutputText { r#type: "output_text", text, annotations, logprobs: Vec::new(), from }];
        Item::Message { id: self.name("msg"), status: "in_progress", role: "assistant", content }
    }

    /// A call under the client's own name.
    pub(super) fn call(&mut self, call: &FunctionCall, head: &Head) -> Item {
        let name = head.names.of(&call.name);
        let (status, call_id) = ("completed", call.id.clone());
        if name.custom {
            let input = input_of(&call.arguments);
            let (id, namespace) = (self.name("ctc"), name.namespace);
            return Item::CustomToolCall { id, status, call_id, name: name.name, namespace, input };
        }
        let (id, arguments) = (self.name("fc"), call.arguments.clone());
        Item::FunctionCall { id, status, call_id, name: name.name, namespace: name.namespace, arguments }
    }

    /// Nothing when the upstream used another tool.
    pub(super) fn search(&mut self, call: &ToolCall) -> Option<Item> {
        let argument = call.argument.clone();
        let action = match call.name.as_str() {
            "web_search" | "x_search" | "x_keyword_search" | "x_semantic_search" => {
                Action::Search { query: argument }
            }
            "browse_page" if !argument.is_empty() => Action::OpenPage { url: argument },
            _ => return None,
        };
        Some(Item::WebSearchCall { id: self.name("ws"), status: "completed", action })
    }

    /// Adds a citation to the text it stands in, if that is the last one.
    pub(super) fn cite(&mut self, annotation: present::Annotation<'_>) -> Option<&Annotation> {
        let present::Annotation::UrlCitation { url, title, start_index, end_index } = annotation;
        let text = self.items.last_mut().and_then(Item::text_mut)?;
        let start_index = start_index.checked_sub(text.from)?;
        let end_index = end_index.saturating_sub(text.from);
        let (url, title) = (url.into_owned(), title.into_owned());
        text.annotations.push(Annotation { r#type: "url_citation", url, title, start_index, end_index });
        text.annotations.last()
    }

    /// Nothing follows in the last item.
    pub(super) fn close(&mut self, ended: &'static str) {
        if let Some(Item::Message { status, .. }) = self.items.last_mut() {
            *status = ended;
        }
    }
}

impl Item {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Reasoning { id, .. }
            | Self::Message { id, .. }
            | Self::FunctionCall { id, .. }
            | Self::CustomToolCall { id, .. }
            | Self::WebSearchCall { id, .. } => id,
        }
    }

    pub(super) fn text(&self) -> Option<&OutputText> {
        if let Self::Message { content, .. } = self { content.first() } else { None }
    }

    pub(super) fn text_mut(&mut self) -> Option<&mut OutputText> {
        if let Self::Message { content, .. } = self { content.first_mut() } else { None }
    }

    pub(super) fn summary(&self) -> Option<&Summary> {
        if let Self::Reasoning { summary, .. } = self { summary.first() } else { None }
    }

    /// What a call is given.
    pub(super) fn given(&self) -> &str {
        match self {
            Self::FunctionCall { arguments: given, .. } | Self::CustomToolCall { input: given, .. } => given,
            _ => "",
        }
    }

    /// The item before its content has come.
    pub(super) fn begun(&self) -> Self {
        let mut begun = self.clone();
        match &mut begun {
            Self::FunctionCall { status, arguments: given, .. }
            | Self::CustomToolCall { status, input: given, .. } => {
                *status = "in_progress";
                given.clear();
            }
            Self::WebSearchCall { status, .. } => *status = "in_progress",
            Self::Message { content, .. } => content.clear(),
            Self::Reasoning { summary, .. } => summary.clear(),
        }
        begun
    }

    pub(super) fn summary_mut(&mut self) -> Option<&mut Summary> {
        if let Self::Reasoning { summary, .. } = self { summary.first_mut() } else { None }
    }
}

/// The text that a tool is given; what does not hold it is taken for it.
fn input_of(arguments: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(arguments).ok();
    let input = value.as_ref().and_then(|value| value.get(INPUT)?.as_str());
    input.unwrap_or(arguments).to_owned()
}
