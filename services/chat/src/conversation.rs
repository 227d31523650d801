//! What the turns of one conversation have in common, whoever sends them.

use grok2api_proto::chat::{ChatRequest, Message, Role, attachment::Source, part::Kind};
use sha2::{Digest as _, Sha256};

/// A conversation, as the token pool knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    /// A hash of whose it is and of the client's own signal; without one, of how it began, everything up to the first
    /// message of the user.
    pub(crate) key: String,
    /// Nothing was answered yet.
    pub(crate) begins: bool,
}

impl Conversation {
    /// The conversation that a request goes on with.
    pub(crate) fn of(request: &ChatRequest) -> Self {
        let ChatRequest { client_key, messages, conversation, .. } = request;
        let mut hash = Sha256::new();
        hash.update((client_key.len() as u64).to_be_bytes());
        hash.update(client_key);
        if conversation.is_empty() {
            opening(messages, &mut hash);
        } else {
            // No role is written so.
            hash.update(i32::MIN.to_be_bytes());
            hash.update(conversation);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let key = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let begins = !messages.iter().any(|message| matches!(message.role(), Role::Assistant | Role::Tool));
        Self { key, begins }
    }
}

fn opening(messages: &[Message], hash: &mut Sha256) {
    let first = messages.iter().position(|message| message.role() == Role::User);
    for message in &messages[..first.map_or(messages.len(), |first| first + 1)] {
        hash.update(message.role.to_be_bytes());
        message.parts.iter().filter_map(|part| part.kind.as_ref()).for_each(|kind| add(hash, kind));
    }
}

/// With its length, so that no two openings run together.
fn add(hash: &mut Sha256, kind: &Kind) {
    let (tag, bytes): (u8, &[u8]) = match kind {
        Kind::Text(text) => (0, text.as_bytes()),
        Kind::Attachment(attachment) => match &attachment.source {
            Some(Source::Url(url)) => (1, url.as_bytes()),
            Some(Source::Data(data)) => (2, data),
            None => (3, &[]),
        },
    };
    hash.update([tag]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use grok2api_proto::chat::Part;

    use super::*;

    fn says(role: Role, text: &str) -> Message {
        let parts = vec![Part { kind: Some(Kind::Text(text.to_owned())) }];
        Message { role: role.into(), parts, ..Message::default() }
    }

    fn key(client_key: &str, messages: &[Message], conversation: &str) -> Conversation {
        Conversation::of(&ChatRequest {
            client_key: client_key.to_owned(),
            messages: messages.to_vec(),
            conversation: conversation.to_owned(),
            ..ChatRequest::default()
        })
    }

    #[test]
    fn later_turns_have_the_key_of_the_first() {
        let mut messages = vec![says(Role::System, "be brief"), says(Role::User, "hello")];
        let first = key("", &messages, "");
        messages.extend([says(Role::Assistant, "hi"), says(Role::User, "and now?")]);
        let later = key("", &messages, "");
        assert!(first.begins && !later.begins);
        assert_eq!(first.key, later.key);
        assert_eq!(first.key.len(), 32);
    }

    #[test]
    fn other_openings_have_other_keys() {
        let openings = [
            vec![says(Role::User, "hello")],
            vec![says(Role::User, "hello!")],
            vec![says(Role::System, "hello")],
            vec![says(Role::System, "be brief"), says(Role::User, "hello")],
            vec![says(Role::System, "be brie"), says(Role::User, "fhello")],
        ];
        let keys: std::collections::BTreeSet<_> =
            openings.iter().map(|messages| key("", messages, "").key).collect();
        assert_eq!(keys.len(), openings.len());
    }
    #[test]
    fn client_keys_share_no_conversation() {
        let messages = [says(Role::User, "hello")];
        let keys = ["", "a", "b"].map(|key| self::key(key, &messages, "").key);
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{keys:?}");
    }
    #[test]
    fn a_clients_own_signal_tells_more_than_the_opening() {
        let (one, other) = ([says(Role::User, "hello")], [says(Role::User, "good day")]);
        assert_eq!(key("", &one, "c-1").key, key("", &other, "c-1").key);
        assert_ne!(key("", &one, "c-1").key, key("", &one, "c-2").key);
        assert_ne!(key("", &one, "c-1").key, key("k", &one, "c-1").key, "no other client's");
        assert_ne!(key("", &one, "hello").key, key("", &one, "").key);
    }
}
