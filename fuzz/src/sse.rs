//! Server-sent events, read as browsers read them, and more strictly.

use serde_json::Value;

/// One event.
#[derive(Debug)]
pub struct Event {
    /// Its `event:` line.
    pub name: Option<String>,
    /// Its data; null for `[DONE]`.
    pub data: Value,
}

/// All events of a stream, none of which may be cut.
///
/// # Panics
/// When they are no such events, or their data is no JSON.
pub fn read(bytes: &[u8]) -> Vec<Event> {
    let text = std::str::from_utf8(bytes).expect("it is text");
    assert!(!text.contains('\r'), "a carriage return would end a line: {text:?}");
    let Some(text) = text.strip_suffix("\n\n") else {
        assert!(text.is_empty(), "it ends inside an event: {text:?}");
        return Vec::new();
    };
    text.split("\n\n").map(event).collect()
}

fn event(text: &str) -> Event {
    let (name, data) = match text.split_once('\n') {
        Some((name, data)) => {
            (Some(name.strip_prefix("event: ").expect("a name comes first").to_owned()), data)
        }
        None => (None, text),
    };
    let data = data.strip_prefix("data: ").unwrap_or_else(|| panic!("no data in {text:?}"));
    assert!(!data.contains('\n'), "the data is cut in two: {text:?}");
    let data = match data {
        "[DONE]" => Value::Null,
        json => serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json:?}")),
    };
    Event { name, data }
}
