//! From a conversation to the one string the web API takes (`grok-web-protocol.md` section 2.3).

use grok2api_proto::chat::{Drawing, Message, Role, part};

use crate::tools;

/// The text parts of a message, joined by line feeds.
fn text_of(message: &Message) -> String {
    let texts = message.parts.iter().filter_map(|part| match &part.kind {
        Some(part::Kind::Text(text)) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// The whole conversation, behind our own instructions. A single user message without those stays as it is; else every
/// message is a block, led by its role when `markers` is set.
pub fn conversation(messages: &[Message], instructions: &str, markers: bool) -> String {
    if let [only] = messages
        && only.role() == Role::User
        && instructions.is_empty()
    {
        return text_of(only);
    }
    let told = messages.iter().enumerate().map(|(at, message)| block(message, &messages[..at], markers));
    let blocks = std::iter::once(marked("system", instructions, markers)).chain(told);
    blocks.filter(|block| !block.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// The latest user turn alone: what an image or a video is made from.
pub fn latest(messages: &[Message]) -> String {
    messages.iter().rfind(|message| message.role() == Role::User).map(text_of).unwrap_or_default()
}

/// What is to be drawn, or done to the image that is attached. The web chat has no field for the shape of an image.
pub fn drawing(messages: &[Message], drawing: &Drawing) -> String {
    let attached = |message: &Message| {
        message.parts.iter().any(|part| matches!(part.kind, Some(part::Kind::Attachment(_))))
    };
    let verb = if messages.iter().any(attached) { "Edit the attached image" } else { "Draw" };
    let prompt = latest(messages);
    match drawing.aspect_ratio.as_str() {
        "" => format!("{verb}: {prompt}"),
        ratio => format!("{verb}: {prompt}\n\nAspect ratio {ratio}."),
    }
}

fn block(message: &Message, before: &[Message], markers: bool) -> String {
    let (name, body) = match message.role() {
        Role::System => ("system", text_of(message)),
        Role::Assistant => ("assistant", assistant(message)),
        Role::Tool => ("tool", format!("Result of {}:\n{}", called(message, before), text_of(message))),
        Role::User | Role::Unspecified => ("user", text_of(message)),
    };
    marked(name, &body, markers)
}

fn marked(name: &str, body: &str, markers: bool) -> String {
    match (body.trim().is_empty(), markers) {
        (true, _) => String::new(),
        (false, true) => format!("[{name}]\n{body}"),
        (false, false) => body.to_owned(),
    }
}

/// The call that a message is the result of: its function and its id.
fn called(result: &Message, before: &[Message]) -> String {
    let id = &result.tool_call_id;
    let mut calls = before.iter().rev().flat_map(|message| &message.tool_calls);
    match calls.find(|call| call.id == *id) {
        Some(call) => format!("{} ({id})", call.name),
        None => id.clone(),
    }
}

/// An earlier answer without what this product itself put into it, and with its calls.
fn assistant(message: &Message) -> String {
    let mut text = without_artefacts(&text_of(message));
    for call in &message.tool_calls {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&tools::prompt::call(call));
    }
    text
}

/// Drops `<think>…</think>` blocks, `<video …></video>` and the bytes of inline images.
fn without_artefacts(text: &str) -> String {
    let text = cut_between(text, "<think>", "</think>", "");
    let text = cut_between(&text, "<video ", "</video>", "[video]");
    cut_between(&text, "](data:", ")", "](image)").trim().to_owned()
}

/// Replaces every stretch from `open` through `close`; an unclosed one stays.
fn cut_between(text: &str, open: &str, close: &str, instead: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(open) {
        let Some(length) = rest[start + open.len()..].find(close) else { break };
        kept.push_str(&rest[..start]);
        kept.push_str(instead);
        rest = &rest[start + open.len() + length + close.len()..];
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use grok2api_proto::chat::{FunctionCall, Part};

    use super::*;

    fn message(role: Role, text: &str) -> Message {
        let parts = vec![Part { kind: Some(part::Kind::Text(text.to_owned())) }];
        Message { role: role.into(), parts, ..Default::default() }
    }

    #[test]
    fn one_user_message_is_sent_as_it_is() {
        let text = "a <think>b</think> ](data:x)";
        assert_eq!(conversation(&[message(Role::User, text)], "", true), text);
    }

    #[test]
    fn a_drawing_is_asked_for_with_its_shape() {
        let told = |ratio: &str, messages: &[Message]| {
            drawing(messages, &Drawing { aspect_ratio: ratio.into(), ..Drawing::default() })
        };
        let mut messages = [message(Role::User, "a moon")];
        assert_eq!(told("", &messages), "Draw: a moon");
        assert_eq!(told("3:2", &messages), "Draw: a moon\n\nAspect ratio 3:2.");
        messages[0].parts.push(Part { kind: Some(part::Kind::Attachment(Default::default())) });
        assert_eq!(told("", &messages), "Edit the attached image: a moon");
    }

    #[test]
    fn roles_are_kept_and_empty_messages_dropped() {
        let messages = [
            message(Role::System, "Be brief."),
            message(Role::User, "Hi"),
            message(Role::Assistant, ""),
            message(
                Role::Assistant,
                "<think>\nhm\n</think>\nHello ![Generated Image](data:image/png;base64,AAAA)",
            ),
            message(Role::User, "And <think>this</think>?"),
        ];
        let expected = "[system]\nBe brief.\n\n[user]\nHi\n\n[assistant]\nHello ![Generated Image](image)\n\n[user]\nAnd <think>this</think>?";
        assert_eq!(conversation(&messages, "", true), expected);
        assert_eq!(conversation(&messages[..2], "", false), "Be brief.\n\nHi");
        assert_eq!(latest(&messages), "And <think>this</think>?");
    }

    #[test]
    fn tool_calls_and_their_results_are_told() {
        let call =
            FunctionCall { id: "c1".into(), name: "weather".into(), arguments: "{\"city\":\"Rome\"}".into() };
        let asked = Message { role: Role::Assistant.into(), tool_calls: vec![call], ..Default::default() };
        let mut result = message(Role::Tool, "sunny");
        result.tool_call_id = "c1".into();
        let text = conversation(&[message(Role::User, "Weather?"), asked, result], "Call.", true);
        let expected = "[system]\nCall.\n\n[user]\nWeather?\n\n[assistant]\n<tool_call>{\"name\": \"weather\", \"arguments\": {\"city\":\"Rome\"}}</tool_call>\n\n[tool]\nResult of weather (c1):\nsunny";
        assert_eq!(text, expected);
    }
}
