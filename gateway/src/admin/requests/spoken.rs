//! What a model said in an answer, in whichever shape it was given: to be compared with what it says another time. Pure.

use serde_json::Value;

/// The text of a chat completion or a message, whole or streamed; nothing where there is none to be understood. Several
/// choices follow each other.
pub(super) fn spoken(media_type: &str, body: &str) -> Option<String> {
    let texts = if media_type.starts_with("text/event-stream") {
        streamed(body)
    } else {
        whole(&serde_json::from_str(body).ok()?)
    };
    let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    (!texts.is_empty()).then(|| texts.join("\n\n"))
}

fn whole(answer: &Value) -> Vec<String> {
    let choices = list(&answer["choices"]).filter_map(|choice| choice["message"]["content"].as_str());
    let blocks = list(&answer["content"]).filter_map(|block| block["text"].as_str());
    choices.chain(blocks).map(str::to_owned).collect()
}

/// By the number of the choice, or of the block.
fn streamed(body: &str) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut add = |index: &Value, text: &Value| {
        let Some(text) = text.as_str() else { return };
        // More choices than anybody may ask for would be a mistake of the answer.
        let index = index.as_u64().and_then(|index| usize::try_from(index).ok()).unwrap_or_default().min(99);
        if texts.len() <= index {
            texts.resize_with(index + 1, String::new);
        }
        texts[index].push_str(text);
    };
    for line in body.lines().filter_map(|line| line.strip_prefix("data:")) {
        let Ok(chunk) = serde_json::from_str::<Value>(line) else { continue };
        list(&chunk["choices"]).for_each(|choice| add(&choice["index"], &choice["delta"]["content"]));
        if chunk["type"] == "content_block_delta" {
            add(&chunk["index"], &chunk["delta"]["text"]);
        }
    }
    texts
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const JSON: &str = "application/json";
    const SSE: &str = "text/event-stream; charset=utf-8";

    #[rstest]
    #[case::chat(
        JSON,
        r#"{"choices":[{"message":{"content":"one"}},{"message":{"content":"two"}}]}"#,
        Some("one\n\ntwo")
    )]
    #[case::message(
        JSON,
        r#"{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"one"}]}"#,
        Some("one")
    )]
    #[case::error(JSON, r#"{"error":{"message":"no"}}"#, None)]
    #[case::images(JSON, r#"{"data":[{"url":"/images/a"}]}"#, None)]
    #[case::cut(JSON, r#"{"choices":[{"mess"#, None)]
    #[case::chunks(
        SSE,
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n: ping\n\ndata: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"c\"}}]}\n\ndata: [DONE]\n\n",
        Some("ac\n\nb")
    )]
    #[case::events(
        SSE,
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n",
        Some("a")
    )]
    #[case::nothing(SSE, "data: [DONE]\n\n", None)]
    fn what_was_said_is_found(#[case] kind: &str, #[case] body: &str, #[case] expected: Option<&str>) {
        assert_eq!(spoken(kind, body).as_deref(), expected);
    }
}
