//! What the encoders of the three protocols write can be read as server-sent events, and says what the events said.
//!
//! Records with marks between them and between their fields (see the crate), each a letter and what follows: `t` text,
//! `r` reasoning, `h` its header, `l` late reasoning, `s` a source, `c` a citation, `f` a call, `i` an image, `v` a video,
//! `p` progress, `w` a search of the upstream's, `u` usage, `o` a soft end, `e` the end, `b` the end of a batch.
//! Flags in front: `T` and `O` how reasoning is shown, `S` searches in it, `L` late reasoning, `G` calls of old, `U` usage
//! at the end, `X` a failure behind all.

#![no_main]

use bytes::BytesMut;
use grok2api_fuzz::{
    CUT, flags, sse,
    told::{self, Told},
};
use grok2api_gateway::{
    fuzzing::{messages, responses},
    openai::{
        present::{Presentation, Thinking},
        stream::{Encoder, Head, failure},
    },
};
use grok2api_proto::{
    Error,
    chat::{ChatBatch, ChatEvent},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (flags, text) = flags("TOSLGUX", &text);
    let batches = batches(text);
    let whole = [ChatBatch { events: batches.iter().flat_map(|batch| batch.events.clone()).collect() }];
    let presentation = presentation(flags);
    let error = flags.contains('X').then(|| Error::internal("it \"broke\"\n\nhere"));
    let error = error.as_ref();
    let told = Told::of(&whole[0].events, &presentation);

    let chat = chat(&batches, error, flags);
    told.in_chat(&sse::read(&chat), flags.contains('G'), flags.contains('U'), error.is_some());
    assert_eq!(chat, self::chat(&whole, error, flags), "batches change what is written");

    let written = responses(&batches, error, presentation.clone());
    told.in_responses(&sse::read(&written), error.is_some());
    let whole_written = responses(&whole, error, presentation.clone());
    assert_eq!(timeless(&written), timeless(&whole_written), "batches change what is written");

    let written = messages(&batches, error, presentation.clone());
    told.in_messages(&sse::read(&written), error.is_some());
    assert_eq!(written, messages(&whole, error, presentation), "batches change what is written");
});

/// Without the time at which it was completed, which is the clock's.
fn timeless(written: &[u8]) -> String {
    let text = String::from_utf8_lossy(written);
    let mut parts = text.split(r#""completed_at":"#);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.trim_start_matches(|letter: char| letter.is_ascii_digit()))
}

fn batches(text: &str) -> Vec<ChatBatch> {
    let mut batches = vec![ChatBatch::default()];
    for record in text.split(CUT) {
        match told::event(record) {
            Some(kind) => {
                let event = ChatEvent { kind: Some(kind) };
                batches.last_mut().expect("there is one").events.push(event);
            }
            None if record.starts_with('b') => batches.push(ChatBatch::default()),
            None => {}
        }
    }
    batches
}

fn presentation(flags: &str) -> Presentation {
    let thinking = match flags {
        _ if flags.contains('T') => Thinking::Think,
        _ if flags.contains('O') => Thinking::Off,
        _ => Thinking::ReasoningContent,
    };
    Presentation {
        thinking,
        search_in_thinking: flags.contains('S'),
        late_reasoning: flags.contains('L'),
        legacy_calls: flags.contains('G'),
        ..Presentation::default()
    }
}

fn chat(batches: &[ChatBatch], error: Option<&Error>, flags: &str) -> BytesMut {
    let head = Head {
        id: "chatcmpl-1".into(),
        created: 7,
        model: "grok-3-fast".into(),
        include_usage: flags.contains('U'),
    };
    let mut out = BytesMut::new();
    let mut encoder = Encoder::new(&head, 0, presentation(flags));
    batches.iter().for_each(|batch| encoder.batch(batch, &mut out));
    if encoder.is_done() {
        let usage = *encoder.usage();
        encoder.close(&usage, &mut out);
    } else if let Some(error) = error {
        encoder.abandon(&mut out);
        failure(error, &mut out);
    }
    out
}
