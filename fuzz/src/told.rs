//! What the events of a turn say, and that it is what the clients are told.

use grok2api_gateway::openai::present::{Presentation, Thinking};
use grok2api_proto::chat::{
    ChatEvent, Citation, End, FunctionCall, Media, Reasoning, SoftEnd, Source, Sources, Text, ToolCall,
    Usage, VideoProgress, chat_event::Kind,
};
use serde_json::Value;

use crate::{FIELD, sse::Event};

/// What the clients are to be told.
#[derive(Debug, Default)]
pub struct Told {
    text: String,
    /// The content is that text and nothing else.
    pure: bool,
    thought: String,
    /// The reasoning is that and nothing else.
    pure_thought: bool,
    /// Name and arguments.
    calls: Vec<(String, String)>,
    usage: Usage,
    ended: bool,
    nothing: bool,
}

/// What was read of a stream.
#[derive(Debug, Default)]
struct Read {
    text: String,
    thought: String,
    calls: Vec<(String, String)>,
}

/// The event that a record stands for.
pub fn event(record: &str) -> Option<Kind> {
    let letter = record.chars().next()?;
    let mut fields = record[letter.len_utf8()..].split(FIELD);
    let mut next = || fields.next().unwrap_or_default().to_owned();
    let number = |text: String| text.parse::<u32>().unwrap_or_default();
    let thought = |text, header, late| Kind::Reasoning(Reasoning { text, header, late });
    Some(match letter {
        't' => Kind::Text(Text { text: next() }),
        'r' => thought(next(), false, false),
        'h' => thought(next(), true, false),
        'l' => thought(next(), false, true),
        's' => Kind::Sources(Sources {
            items: vec![Source { url: next(), title: next(), preview: next() }],
            in_reasoning: true,
        }),
        'c' => Kind::Citation(Citation {
            url: next(),
            title: next(),
            number: 1,
            start: number(next()),
            end: number(next()),
        }),
        'f' => Kind::FunctionCall(FunctionCall { id: next(), name: next(), arguments: next() }),
        'i' => Kind::Image(Media { name: next(), content_type: next(), size: 1 }),
        'v' => Kind::Video(Media { name: next(), content_type: next(), size: 1 }),
        'p' => Kind::VideoProgress(VideoProgress { percent: number(next()) }),
        'w' => Kind::ToolCall(ToolCall { id: next(), name: next(), argument: next() }),
        'u' => Kind::Usage(Usage {
            prompt_tokens: number(next()).into(),
            completion_tokens: number(next()).into(),
            reasoning_tokens: number(next()).into(),
            estimated: true,
        }),
        'o' => Kind::SoftEnd(SoftEnd {}),
        'e' => Kind::End(End { finish: i32::try_from(number(next()) % 5).ok()? }),
        _ => return None,
    })
}

impl Told {
    /// Up to the end, behind which nothing is told.
    pub fn of(events: &[ChatEvent], presentation: &Presentation) -> Self {
        let apart = presentation.thinking == Thinking::ReasoningContent;
        let mut told = Self { pure: true, pure_thought: true, nothing: events.is_empty(), ..Self::default() };
        for kind in events.iter().filter_map(|event| event.kind.as_ref()) {
            match kind {
                _ if told.ended => {}
                Kind::Text(text) => told.text.push_str(&text.text),
                Kind::Reasoning(reasoning) => {
                    told.pure &= presentation.thinking != Thinking::Think;
                    let shown = apart && (!reasoning.late || presentation.late_reasoning);
                    match (shown, reasoning.header) {
                        (true, true) => told.thought.push_str(&format!("\n\n{}\n\n", reasoning.text)),
                        (true, false) => told.thought.push_str(&reasoning.text),
                        (false, _) => {}
                    }
                }
                Kind::FunctionCall(call) => told.calls.push((call.name.clone(), call.arguments.clone())),
                Kind::Usage(usage) => told.usage = *usage,
                Kind::End(_) => told.ended = true,
                Kind::Image(_) | Kind::Video(_) => told.pure = false,
                Kind::Sources(_) | Kind::VideoProgress(_) => {
                    told.pure_thought = false;
                    told.pure &= presentation.thinking != Thinking::Think;
                }
                _ => {}
            }
        }
        told
    }

    fn is(&self, read: &Read) {
        match self.pure {
            true => assert_eq!(read.text, self.text),
            false => assert!(is_within(&self.text, &read.text), "{:?} in {:?}", self.text, read.text),
        }
        match self.pure_thought {
            true => assert_eq!(read.thought, self.thought),
            false => {
                assert!(is_within(&self.thought, &read.thought), "{:?} in {:?}", self.thought, read.thought)
            }
        }
        assert_eq!(read.calls, self.calls);
    }

    /// As chunks of Chat Completions.
    pub fn in_chat(&self, events: &[Event], legacy: bool, usage: bool, failed: bool) {
        let mut read = Read::default();
        let (mut finishes, mut usages, mut dones, mut errors) = (0, 0, 0, 0);
        for (at, Event { name, data }) in events.iter().enumerate() {
            assert_eq!(*name, None);
            assert_eq!(dones, 0, "something behind the end");
            match data {
                Value::Null => dones += 1,
                data if data.get("error").is_some() => errors += 1,
                data => {
                    assert_eq!(data["object"], "chat.completion.chunk");
                    assert_eq!(data["created"], 7);
                    let choices = data["choices"].as_array().expect("there are choices");
                    if choices.is_empty() {
                        usages += 1;
                        assert_eq!(data["usage"]["prompt_tokens"], self.usage.prompt_tokens);
                        continue;
                    }
                    assert_eq!((choices.len(), finishes), (1, 0));
                    finishes += usize::from(choices[0]["finish_reason"].is_string());
                    assert_eq!(choices[0]["index"], 0);
                    assert_eq!(
                        choices[0]["delta"].get("role").is_some(),
                        at == 0,
                        "the role comes first, once"
                    );
                    read.chunk(&choices[0]["delta"], legacy);
                }
            }
        }
        self.is(&read);
        assert_eq!(finishes, usize::from(self.ended));
        assert_eq!(usages, usize::from(self.ended && usage));
        assert_eq!(errors, usize::from(!self.ended && failed));
        assert_eq!(dones, usize::from(self.ended || failed));
    }

    /// As events of the Responses API.
    pub fn in_responses(&self, events: &[Event], failed: bool) {
        let mut read = Read::default();
        let mut items = Vec::new();
        for (number, Event { name, data }) in events.iter().enumerate() {
            assert_eq!(name.as_deref(), data["type"].as_str(), "{data}");
            assert_eq!(data["sequence_number"], number, "{data}");
            read.response(data, &mut items);
        }
        self.is(&read);
        let last = events.last().map(|event| (event.data["type"].as_str().unwrap_or_default(), &event.data));
        let over = ["response.completed", "response.incomplete", "response.failed"];
        match last {
            Some((kind, data)) if over.contains(&kind) => {
                assert!(self.ended || failed);
                assert_eq!(kind == "response.failed", !self.ended);
                assert_eq!(data["response"]["output"], Value::Array(items), "the end says what was said");
            }
            _ => assert!(!self.ended && !failed, "there is no end"),
        }
    }

    /// As events of the Messages API.
    pub fn in_messages(&self, events: &[Event], failed: bool) {
        let mut read = Read::default();
        let (mut open, mut blocks, mut stopped) = (None, 0, false);
        for (at, Event { name, data }) in events.iter().enumerate() {
            let kind = data["type"].as_str().expect("it has a type");
            assert_eq!(name.as_deref(), Some(kind));
            assert!(!stopped, "something behind the end");
            assert!(at > 0 || kind == "message_start" || kind == "error", "{data}");
            match kind {
                "content_block_start" => {
                    assert_eq!(open, None, "a block in a block");
                    assert_eq!(data["index"], blocks);
                    open = Some(blocks);
                    read.block(&data["content_block"]);
                }
                "content_block_delta" => {
                    assert_eq!(open.map(Value::from).as_ref(), Some(&data["index"]));
                    read.block_delta(&data["delta"]);
                }
                "content_block_stop" => {
                    assert_eq!(open.take().map(Value::from).as_ref(), Some(&data["index"]));
                    blocks += 1;
                }
                "message_delta" => assert_eq!(open, None),
                "message_stop" | "error" => stopped = true,
                kind => assert_eq!((kind, at), ("message_start", 0)),
            }
        }
        self.is(&read);
        assert_eq!(stopped, self.ended || failed);
        assert!(stopped || !events.is_empty() || self.nothing);
    }
}

impl Read {
    fn chunk(&mut self, delta: &Value, legacy: bool) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.text.push_str(&text(&delta["content"]));
        self.thought.push_str(&text(&delta["reasoning_content"]));
        let call = if legacy { &delta["function_call"] } else { &delta["tool_calls"][0]["function"] };
        if call.is_null() {
            return;
        }
        match call.get("name") {
            Some(name) => self.calls.push((text(name), text(&call["arguments"]))),
            None => self.argue(&text(&call["arguments"])),
        }
        if !legacy {
            assert_eq!(delta["tool_calls"][0]["index"], self.calls.len() - 1);
        }
    }

    fn argue(&mut self, arguments: &str) {
        self.calls.last_mut().expect("a call has begun").1.push_str(arguments);
    }

    fn response(&mut self, data: &Value, items: &mut Vec<Value>) {
        let text = |value: &Value| value.as_str().expect("it is text").to_owned();
        match data["type"].as_str().unwrap_or_default() {
            "response.output_text.delta" => self.text.push_str(&text(&data["delta"])),
            "response.reasoning_summary_text.delta" => self.thought.push_str(&text(&data["delta"])),
            "response.output_item.added" => {
                assert_eq!(data["output_index"], items.len());
                if data["item"]["type"] == "function_call" {
                    self.calls.push((text(&data["item"]["name"]), String::new()));
                }
            }
            "response.function_call_arguments.delta" => self.argue(&text(&data["delta"])),
            "response.function_call_arguments.done" => {
                assert_eq!(self.calls.last().map(|call| &call.1), Some(&text(&data["arguments"])));
            }
            "response.output_item.done" => {
                assert_eq!(data["output_index"], items.len());
                items.push(data["item"].clone());
            }
            _ => {}
        }
    }

    fn block(&mut self, block: &Value) {
        if block["type"] == "tool_use" {
            self.calls.push((block["name"].as_str().expect("it has a name").to_owned(), String::new()));
        }
    }

    fn block_delta(&mut self, delta: &Value) {
        let text = |name: &str| delta[name].as_str().expect("it is text");
        match delta["type"].as_str() {
            Some("text_delta") => self.text.push_str(text("text")),
            Some("thinking_delta") => self.thought.push_str(text("thinking")),
            Some("input_json_delta") => self.argue(text("partial_json")),
            kind => panic!("{kind:?} is no delta"),
        }
    }
}

/// Whether a text can be read in another, with other letters in between.
fn is_within(text: &str, whole: &str) -> bool {
    let mut letters = whole.chars();
    text.chars().all(|wanted| letters.any(|letter| letter == wanted))
}
