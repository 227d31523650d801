//! What a model says is told apart into text and calls in the same way wherever the stream cut it, and nothing is lost.
//!
//! A text with marks (see the crate), behind flags: `!` it was cut before its end, `?` a call is required, `1` at most one
//! call, `#` the answer is JSON.

#![no_main]

use grok2api_chat::tools::{
    OPEN, Outcome, Shaper,
    sieve::{Frame, Sieve, Sink},
};
use grok2api_fuzz::{flags, letters, pieces};
use grok2api_proto::chat::{
    ChatEvent, ChatRequest, End, Finish, Format, Text, Tool, ToolChoice, chat_event::Kind, tool_choice::Mode,
};
use libfuzzer_sys::fuzz_target;

/// What came out of the sieve.
#[derive(Debug, Default, PartialEq)]
struct Sifted {
    shown: String,
    calls: Vec<String>,
}

/// Takes down what comes out, and everything to the letter.
struct Written {
    cut: bool,
    sifted: Sifted,
    all: String,
}

/// What came out of the shaper: text, calls, and how it ended.
#[derive(Debug, Default, PartialEq)]
struct Shaped {
    shown: String,
    calls: Vec<(String, String)>,
    ends: Vec<String>,
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (flags, text) = flags("!?1#", &text);
    let pieces = pieces(text);
    let whole = pieces.concat();
    let cut = flags.contains('!');
    let sifted = sift(&[&whole], cut);
    assert_eq!(sifted, sift(&pieces, cut), "cuts change what is sifted");
    assert_eq!(sifted, sift(&letters(&whole), cut), "letter by letter");
    if whole.contains(OPEN) || flags.contains(['?', '#']) {
        let request = request(flags);
        let shaped = shape(&request, &[&whole], cut);
        assert_eq!(shaped, shape(&request, &pieces, cut), "cuts change what is told");
    }
});

fn sift(pieces: &[&str], cut: bool) -> Sifted {
    let (mut sieve, mut written) =
        (Sieve::default(), Written { cut, sifted: Sifted::default(), all: String::new() });
    for piece in pieces {
        sieve.push(piece, &mut written);
    }
    sieve.finish(cut, &mut written);
    assert_eq!(written.all, pieces.concat(), "nothing is lost");
    written.sifted
}

impl Sink for Written {
    fn text(&mut self, text: &str) {
        self.sifted.shown.push_str(text);
        self.all.push_str(text);
    }

    fn dropped(&mut self, text: &str) {
        let is_nothing = text.chars().all(|letter| letter.is_whitespace() || letter == '`');
        assert!(is_nothing || (self.cut && text.contains("<t")), "{text:?} was swallowed");
        self.all.push_str(text);
    }

    fn frame(&mut self, frame: Frame<'_>) -> bool {
        assert!(frame.whole.contains(OPEN) && frame.whole.contains(frame.body), "{frame:?}");
        assert!(frame.body.starts_with(['{', '[']), "{frame:?}");
        let is_call = frame.body.contains("\"f\"");
        if is_call {
            self.sifted.calls.push(frame.body.to_owned());
            self.all.push_str(frame.whole);
        }
        is_call
    }
}

fn request(flags: &str) -> ChatRequest {
    let schema =
        r#"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"]}"#;
    let tool = |name: &str, parameters: &str| Tool {
        name: name.into(),
        parameters: parameters.into(),
        ..Tool::default()
    };
    let mode = if flags.contains('?') { Mode::Required } else { Mode::Auto };
    let format = || Format { schema: schema.into(), ..Format::default() };
    ChatRequest {
        tools: vec![tool("f", ""), tool("get_weather", schema)],
        tool_choice: Some(ToolChoice { mode: mode.into(), ..ToolChoice::default() }),
        single_call: flags.contains('1'),
        format: flags.contains('#').then(format),
        ..ChatRequest::default()
    }
}

/// Both turns, if there is a second; the model says the same again.
fn shape(request: &ChatRequest, pieces: &[&str], cut: bool) -> Shaped {
    let mut shaper = Shaper::new(request).expect("the schema is one").expect("there are functions");
    let mut shaped = Shaped::default();
    let mut prompt = "[user]\nhi".to_owned();
    for _ in 0..2 {
        let finish = if cut { Finish::Length } else { Finish::Stop };
        let texts = pieces.iter().map(|text| Kind::Text(Text { text: (*text).to_owned() }));
        let mut outcome = Outcome::Going;
        for kind in texts.chain([Kind::End(End { finish: finish.into() })]) {
            let event = ChatEvent { kind: Some(kind) };
            let mut out = Vec::new();
            if shaper.untouched(std::slice::from_ref(&event)) {
                out.push(event);
            } else {
                outcome = shaper.take(event, &prompt, &mut out);
            }
            out.into_iter().for_each(|event| shaped.take(event));
        }
        match outcome {
            Outcome::Again(asked) => prompt = asked,
            Outcome::Going => break,
            Outcome::Failed(error) => {
                shaped.ends.push(format!("{error:?}"));
                break;
            }
        }
        shaped.ends.push(prompt.clone());
    }
    shaped
}

impl Shaped {
    fn take(&mut self, event: ChatEvent) {
        match event.kind {
            Some(Kind::Text(text)) => self.shown.push_str(&text.text),
            Some(Kind::FunctionCall(call)) => self.calls.push((call.name, call.arguments)),
            Some(Kind::End(end)) => self.ends.push(format!("{:?}", end.finish())),
            _ => {}
        }
    }
}
