//! The upstream's bytes give the same objects, and the same events, wherever the network cut them.
//!
//! Bytes with marks (see the crate), behind flags: `s` the answer has stop sequences, `m` and a limit of tokens, `v` it must
//! be a video, `d` it must draw, `t` tags are filtered.

#![no_main]

use grok2api_chat::grok::{
    decoder::{Decoder, Options, Output},
    frames::{FrameError, Frames},
};
use grok2api_fuzz::CUT;
use grok2api_proto::chat::chat_event::Kind;
use libfuzzer_sys::fuzz_target;

/// What the frames of a stream are.
#[derive(Debug, PartialEq)]
struct Framed {
    objects: Vec<Vec<u8>>,
    end: Result<(), FrameError>,
    broken: usize,
    done: bool,
}

/// What a stream means.
#[derive(Debug, PartialEq)]
struct Decoded {
    outputs: Vec<Output>,
    end: String,
    cut: bool,
    over: bool,
    conversation: String,
}

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| !b"smvdt".contains(byte)).unwrap_or(data.len());
    let (flags, data) = data.split_at(end);
    let reads: Vec<&[u8]> = data.split(|byte| u32::from(*byte) == u32::from(CUT)).collect();
    let whole = reads.concat();
    let bytes: Vec<&[u8]> = whole.chunks(1).collect();

    let framed = frame(&[&whole]);
    assert_eq!(framed, frame(&reads), "cuts change the objects");
    assert_eq!(framed, frame(&bytes), "byte by byte");

    let options = options(flags);
    let decoded = decode(&options, &[&whole]);
    assert_eq!(decoded, decode(&options, &reads), "cuts change the events");
    assert_eq!(decoded, decode(&options, &bytes), "byte by byte");
});

fn frame(reads: &[&[u8]]) -> Framed {
    let mut frames = Frames::default();
    let mut objects = Vec::new();
    for read in reads {
        frames.push(read);
        while let Some(object) = frames.next_object().expect("no input is that long") {
            assert!(object.starts_with(b"{") && object.ends_with(b"}"));
            objects.push(object.to_vec());
        }
    }
    Framed { objects, end: frames.finish(), broken: frames.broken(), done: frames.is_done() }
}

fn options(flags: &[u8]) -> Options {
    let has = |flag: u8| flags.contains(&flag);
    let list = |flag: u8, items: &[&str]| match has(flag) {
        true => items.iter().map(|item| (*item).to_owned()).collect(),
        false => Vec::new(),
    };
    Options {
        filtered_tags: list(b't', &["grok:render", "xaiartifact"]),
        video: has(b'v'),
        prompt_chars: 3,
        stop: list(b's', &["END", "\n\n"]),
        max_tokens: has(b'm').then_some(5),
        drawing: has(b'd'),
        previews: has(b'd'),
    }
}

fn decode(options: &Options, reads: &[&[u8]]) -> Decoded {
    let mut decoder = Decoder::new(options);
    let mut outputs = Vec::new();
    let fed = reads.iter().try_for_each(|read| decoder.feed(read, &mut outputs));
    let end = fed.and_then(|()| decoder.finish(&mut outputs));
    Decoded {
        outputs: joined(outputs),
        end: format!("{end:?}"),
        cut: decoder.is_cut(),
        over: decoder.is_over(),
        conversation: decoder.conversation_id().to_owned(),
    }
}

/// Text next to text is one text.
fn joined(outputs: Vec<Output>) -> Vec<Output> {
    let mut joined: Vec<Output> = Vec::new();
    for output in outputs {
        if let (Some(Output::Event(last)), Output::Event(event)) = (joined.last_mut(), &output) {
            match (&mut last.kind, &event.kind) {
                (Some(Kind::Text(last)), Some(Kind::Text(more))) => {
                    last.text.push_str(&more.text);
                    continue;
                }
                (Some(Kind::Reasoning(last)), Some(Kind::Reasoning(more)))
                    if (last.header, last.late) == (more.header, more.late) && !last.header =>
                {
                    last.text.push_str(&more.text);
                    continue;
                }
                _ => {}
            }
        }
        joined.push(output);
    }
    joined
}
