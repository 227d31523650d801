//! What the turns of one conversation have in common, whoever sends them.

use grok2api_proto::chat::{Message, Role, attachment::Source, part::Kind};
use sha2::{Digest as _, Sha256};

/// A conversation, as the token pool knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    /// A hash of how it began, everything up to the first message of the user, and of whose it is.
    pub(crate) key: String,
    /// Nothing was answered yet.
    pub(crate) begins: bool,
}

impl Conversation {
    /// The conversation of these messages, had by this client key (empty for none).
    pub(crate) fn of(client_key: &str, messages: &[Message]) -> Self {
        let first = messages.iter().position(|message| message.role() == Role::User);
        let opening = &messages[..first.map_or(messages.len(), |first| first + 1)];
        let mut hash = Sha256::new();
        hash.update((client_key.len() as u64).to_be_bytes());
        hash.update(client_key);
        for message in opening {
            hash.update(message.role.to_be_bytes());
            message.parts.iter().filter_map(|part| part.kind.as_ref()).for_each(|kind| add(&mut hash, kind));
        }
        let digest: [u8; 32] = hash.finalize().into();
        let key = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let begins = !messages.iter().any(|message| matches!(message.role(), Role::Assistant | Role::Tool));
        Self { key, begins }
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

    #[test]
    fn later_turns_have_the_key_of_the_first() {
        let mut messages = vec![says(Role::System, "be brief"), says(Role::User, "hello")];
        let first = Conversation::of("", &messages);
        messages.extend([says(Role::Assistant, "hi"), says(Role::User, "and now?")]);
        let later = Conversation::of("", &messages);
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
            openings.iter().map(|messages| Conversation::of("", messages).key).collect();
        assert_eq!(keys.len(), openings.len());
    }
    #[test]
    fn client_keys_share_no_conversation() {
        let messages = [says(Role::User, "hello")];
        let keys = ["", "a", "b"].map(|key| Conversation::of(key, &messages).key);
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{keys:?}");
    }
}
