//! Which conversation a request belongs to, as its client tells it.

use axum::http::HeaderMap;
use grok2api_proto::chat::ChatRequest;

/// Headers by which clients tell it; the first that is there counts.
const HEADERS: [&str; 5] =
    ["x-grok-conv-id", "x-claude-code-session-id", "session_id", "conversation_id", "x-session-id"];
/// Of a client's signal, in bytes: it is hashed below, and need not travel whole.
const LONGEST: usize = 512;

/// The request with the conversation of its headers, unless its body told one.
pub(crate) fn told(mut request: ChatRequest, headers: &HeaderMap) -> ChatRequest {
    if request.conversation.is_empty() {
        let value = |name: &&str| headers.get(*name)?.to_str().ok().filter(|value| !value.trim().is_empty());
        request.conversation = HEADERS.iter().find_map(value).unwrap_or_default().to_owned();
    }
    let end = request.conversation.floor_char_boundary(LONGEST);
    request.conversation.truncate(end);
    request
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_body_counts_before_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(told(ChatRequest::default(), &headers).conversation, "");
        headers.insert("conversation_id", HeaderValue::from_static("c-2"));
        assert_eq!(told(ChatRequest::default(), &headers).conversation, "c-2");
        headers.insert("x-grok-conv-id", HeaderValue::from_static("c-1"));
        assert_eq!(told(ChatRequest::default(), &headers).conversation, "c-1");
        let request = ChatRequest { conversation: "月".repeat(1000), ..ChatRequest::default() };
        assert_eq!(told(request, &headers).conversation.chars().count(), LONGEST / 3);
    }
}
