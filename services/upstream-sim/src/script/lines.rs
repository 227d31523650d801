//! The wire shapes of the stream's objects (reference 3.3 to 3.11).

use bytes::Bytes;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Grain, Speech, TurnIds};
use crate::models::Era;

/// Everything before a token's text.
pub(crate) const TOKEN_HEAD: &[u8] = br#"{"result":{"response":{"token":"#;

/// Renders the objects of one answer.
#[derive(Debug)]
pub(crate) struct Lines {
    era: Era,
    conversation: Uuid,
    question: Uuid,
    answer: Uuid,
    final_tail: Bytes,
}

impl Lines {
    pub(crate) fn new(era: Era, ids: &TurnIds) -> Self {
        let (conversation, question, answer) = (ids.conversation, ids.question, ids.answer);
        let mut lines = Self { era, conversation, question, answer, final_tail: Bytes::new() };
        lines.final_tail = lines.tail(json!({}));
        lines
    }

    /// The first line. Times are fixed, so that equal seeds give equal bytes.
    pub(super) fn conversation(&self, temporary: bool) -> Bytes {
        let mut conversation = json!({"conversationId": self.conversation});
        if self.era == Era::E1 {
            conversation["title"] = json!("New conversation");
            conversation["createTime"] = json!("2025-10-22T10:00:00Z");
            conversation["temporary"] = json!(temporary);
        }
        bytes(&json!({"result": {"conversation": conversation}}))
    }

    /// The stored question.
    pub(super) fn question(&self, message: &str, model: &str, parent: Option<&str>) -> Bytes {
        let mut question =
            json!({"responseId": self.question, "sender": "human", "model": model, "message": message});
        if let Some(parent) = parent {
            question["parentResponseId"] = json!(parent);
        }
        self.response(json!({"userResponse": question}))
    }

    /// One reasoning line; the tag is that of 2025 and becomes `analysis` for raw thought in 2026.
    pub(crate) fn thought(&self, tag: &str, token: &str, step: u32) -> Bytes {
        let tag = if self.era == Era::E3 && tag == "summary" { "analysis" } else { tag };
        let mut fields =
            json!({"token": token, "isThinking": true, "messageTag": tag, "messageStepId": step});
        if self.era == Era::E3 {
            fields["rolloutId"] = json!("Grok");
        }
        self.response(fields)
    }

    /// Any `result.response`; flags and ids that are missing are added.
    pub(crate) fn response(&self, fields: Value) -> Bytes {
        bytes(&json!({"result": {"response": self.complete(fields)}}))
    }

    /// An error at the root of the line.
    pub(crate) fn error(&self, code: u32) -> Bytes {
        let message = match code {
            7 => "Request rejected by anti-bot rules.",
            8 => "rate limited",
            _ => "upstream error",
        };
        bytes(&json!({"error": {"message": message, "code": code, "details": []}}))
    }

    pub(super) fn title(&self, title: &str) -> Bytes {
        bytes(&json!({"result": {"title": {"newTitle": title}}}))
    }

    /// What a `modelResponse` always has.
    pub(super) fn closing(&self, model: &str, message: &str) -> Value {
        json!({
            "responseId": self.answer, "parentResponseId": self.question, "sender": "ASSISTANT", "model": model,
            "message": message, "generatedImageUrls": [], "imageUrls": [], "fileAttachments": [],
            "cardAttachmentsJson": [], "webSearchResults": [], "citedWebSearchResults": [], "error": "",
            "streamErrors": [], "metadata": {"llm_info": {"modelHash": "sim"}},
        })
    }

    /// Text of the answer.
    pub(super) fn speech(&self, text: &str, grain: Grain) -> Speech {
        Speech::new(text, grain, false, self.final_tail.clone())
    }

    /// Text that is not the answer, with fields of its own on every line.
    pub(super) fn aside(&self, text: &str, grain: Grain, fields: Value) -> Speech {
        Speech::new(text, grain, true, self.tail(fields))
    }

    /// The rest of a token line, from the comma after the token to the last brace.
    fn tail(&self, fields: Value) -> Bytes {
        let fields = self.complete(fields).to_string();
        Bytes::from(format!(",{}}}}}", &fields[1..]))
    }

    fn complete(&self, fields: Value) -> Value {
        let mut map = match fields {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        let thinking = map.get("isThinking") == Some(&Value::Bool(true));
        map.entry("isThinking").or_insert(json!(false));
        map.entry("isSoftStop").or_insert(json!(false));
        map.entry("responseId").or_insert(json!(self.answer));
        if self.era == Era::E3 && !thinking {
            map.entry("messageTag").or_insert(json!("final"));
        }
        Value::Object(map)
    }
}

fn bytes(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Mint;

    #[test]
    fn head_token_and_tail_make_one_object() {
        let ids = TurnIds::new(Mint::new(1), Uuid::nil(), None, 1);
        let lines = Lines::new(Era::E3, &ids);
        let speech = lines.speech("x", Grain::Words);
        let line = [TOKEN_HEAD, b"\"x\"", &speech.tail].concat();
        let line: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line["result"]["response"]["token"], "x");
        assert_eq!(line["result"]["response"]["messageTag"], "final");
        assert_eq!(line["result"]["response"]["responseId"], json!(ids.answer));
    }
}
