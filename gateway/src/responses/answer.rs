//! `response`: the whole object, which streams send three times and stores keep.

use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Error, Kind,
    chat::{Finish, Usage},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{Head, code_of, output::Item, schemas::words};

/// A response.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Response)]
pub(crate) struct Answer<'a> {
    #[schema(pattern = "^resp_")]
    id: String,
    #[schema(schema_with = words::response)]
    object: &'static str,
    /// Seconds since the epoch.
    created_at: i64,
    #[schema(schema_with = words::status)]
    status: &'static str,
    background: bool,
    /// Seconds since the epoch; of those that are completed.
    completed_at: Option<i64>,
    error: Option<Failure<'a>>,
    incomplete_details: Option<Incomplete>,
    /// As asked.
    model: &'a str,
    output: &'a [Item],
    /// Of those that have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    usage: Option<Counts>,
    #[serde(flatten)]
    echo: &'a Echo,
}

/// What an answer repeats of its request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = ResponseEcho)]
pub(crate) struct Echo {
    instructions: Option<String>,
    max_output_tokens: Option<Value>,
    max_tool_calls: Option<Value>,
    metadata: Map<String, Value>,
    parallel_tool_calls: bool,
    pub(crate) previous_response_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    prompt_cache_key: Option<String>,
    reasoning: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    safety_identifier: Option<String>,
    service_tier: &'static str,
    /// Whether it is kept.
    pub(crate) store: bool,
    temperature: Value,
    text: Value,
    tool_choice: Value,
    tools: Vec<Value>,
    top_logprobs: Value,
    top_p: Value,
    truncation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user: Option<String>,
}

/// Why there is no answer, or only a part of one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResponseFailure)]
struct Failure<'a> {
    #[schema(schema_with = words::error_code)]
    code: &'static str,
    message: &'a str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResponseIncompleteDetails)]
struct Incomplete {
    #[schema(schema_with = words::incomplete)]
    reason: &'static str,
}

/// `usage`; estimated, since the upstream counts no tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResponseUsage)]
struct Counts {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResponseInputTokens)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResponseOutputTokens)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl<'a> Answer<'a> {
    /// One that has only begun.
    pub(crate) fn begun(head: &'a Head) -> Self {
        Self {
            id: head.id(),
            object: "response",
            created_at: head.created,
            status: "in_progress",
            background: false,
            completed_at: None,
            error: None,
            incomplete_details: None,
            model: &head.model,
            output: &[],
            usage: None,
            echo: &head.echo,
        }
    }

    /// One that has come to its end.
    pub(crate) fn ended(head: &'a Head, finish: Finish, output: &'a [Item], usage: &Usage) -> Self {
        let reason = match finish {
            Finish::Length => Some("max_output_tokens"),
            Finish::ContentFilter => Some("content_filter"),
            Finish::Unspecified | Finish::Stop | Finish::ToolCalls => None,
        };
        Self {
            status: if reason.is_some() { "incomplete" } else { "completed" },
            completed_at: reason.is_none().then(|| Clock::system().now_ms() / 1000),
            incomplete_details: reason.map(|reason| Incomplete { reason }),
            output,
            usage: Some(Counts::from(usage)),
            ..Self::begun(head)
        }
    }

    /// One that failed, or was cancelled, after some output.
    pub(crate) fn failed(head: &'a Head, error: &'a Error, output: &'a [Item]) -> Self {
        Self {
            status: if error.kind == Kind::Cancelled { "cancelled" } else { "failed" },
            error: Some(Failure { code: code_of(error), message: &error.message }),
            output,
            ..Self::begun(head)
        }
    }

    /// Of the events that end a stream.
    pub(crate) fn last_event(&self) -> &'static str {
        match self.status {
            "completed" => "response.completed",
            "incomplete" => "response.incomplete",
            _ => "response.failed",
        }
    }
}

impl From<&Usage> for Counts {
    fn from(usage: &Usage) -> Self {
        Self {
            input_tokens: usage.prompt_tokens,
            input_tokens_details: InputDetails { cached_tokens: 0, cache_write_tokens: 0 },
            output_tokens: usage.completion_tokens,
            output_tokens_details: OutputDetails { reasoning_tokens: usage.reasoning_tokens },
            total_tokens: usage.prompt_tokens.saturating_add(usage.completion_tokens),
        }
    }
}

impl Echo {
    /// Of a request that is not checked yet: what is wrong in it is never answered.
    pub(crate) fn of(request: &Value, keeps: bool) -> Self {
        let given = |name: &str| request.get(name).filter(|value| !value.is_null()).cloned();
        let text = |name: &str| given(name)?.as_str().map(str::to_owned);
        let boolean = |name: &str| given(name).and_then(|value| value.as_bool());
        Self {
            instructions: text("instructions"),
            max_output_tokens: given("max_output_tokens"),
            max_tool_calls: given("max_tool_calls"),
            metadata: given("metadata").and_then(|value| value.as_object().cloned()).unwrap_or_default(),
            parallel_tool_calls: boolean("parallel_tool_calls").unwrap_or(true),
            previous_response_id: text("previous_response_id"),
            prompt_cache_key: text("prompt_cache_key"),
            reasoning: reasoning(request.get("reasoning")),
            safety_identifier: text("safety_identifier"),
            service_tier: "default",
            store: keeps && boolean("store").unwrap_or(true),
            temperature: given("temperature").unwrap_or_else(|| json!(1.0)),
            text: shape(given("text")),
            tool_choice: given("tool_choice").unwrap_or_else(|| json!("auto")),
            tools: given("tools").and_then(|value| value.as_array().cloned()).map(tools).unwrap_or_default(),
            top_logprobs: given("top_logprobs").unwrap_or_else(|| json!(0)),
            top_p: given("top_p").unwrap_or_else(|| json!(1.0)),
            truncation: "disabled",
            user: text("user"),
        }
    }
}

fn reasoning(given: Option<&Value>) -> Value {
    let field = |name: &str| given.and_then(|given| given.get(name)).cloned().unwrap_or_default();
    json!({"effort": field("effort"), "summary": field("summary")})
}

fn shape(given: Option<Value>) -> Value {
    let mut shape = given.unwrap_or_else(|| json!({}));
    if let Some(fields) = shape.as_object_mut() {
        let format = fields.entry("format").or_insert(Value::Null);
        if format.is_null() {
            *format = json!({"type": "text"});
        }
    }
    shape
}

/// Readers expect all fields of a function.
fn tools(mut tools: Vec<Value>) -> Vec<Value> {
    for tool in tools.iter_mut().filter_map(Value::as_object_mut) {
        if tool.get("type").is_some_and(|kind| kind == "function") {
            tool.entry("strict").or_insert_with(|| json!(false));
            tool.entry("parameters").or_insert(Value::Null);
            tool.entry("description").or_insert(Value::Null);
        }
    }
    tools
}
