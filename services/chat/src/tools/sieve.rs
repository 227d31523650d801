//! Finds calls in streamed text, wherever the stream cut it.
//!
//! Every byte that goes in comes out once, in order: as text, as a frame, or as what lay around one (a code fence,
//! white space between calls). Nothing is held while the text holds neither `<` nor a backtick.

use memchr::memchr2;

use super::{
    CLOSE, OPEN,
    scan::{Found, Scan},
};

/// Longest frame waited for, in bytes: a file that a tool is to write.
const MAX_HELD: usize = 8 * 1024 * 1024;
/// Longest white space waited for inside markup, in bytes.
const MAX_SPACE: usize = 256;
/// Most backticks of a code fence.
const MAX_TICKS: usize = 16;
/// Longest word behind a code fence, in bytes.
const MAX_WORD: usize = 32;

/// What may be a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'f> {
    /// All of it with its tags, and the code fence before it.
    pub whole: &'f str,
    /// What stands between the tags: JSON, or nearly.
    pub body: &'f str,
}

/// Receives the pieces, in order.
pub trait Sink {
    /// Text for people.
    fn text(&mut self, text: &str);
    /// Bytes around a call that are nothing to read.
    fn dropped(&mut self, text: &str);
    /// Takes a call, or says that it is none: then it comes again as text.
    fn frame(&mut self, frame: Frame<'_>) -> bool;
}

/// Separates calls from text.
#[derive(Debug, Default)]
pub struct Sieve {
    /// What cannot be told yet.
    held: String,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// `held` is empty, or what may become an opening.
    #[default]
    Idle,
    /// Behind a call, which was inside a code fence or not.
    Behind { fenced: bool },
    /// Inside a frame.
    Inside(Inside),
}

#[derive(Debug)]
struct Inside {
    /// Where the body begins in `held`.
    body: usize,
    fenced: bool,
    scan: Scan,
    /// Where the last whole value of the body ended, once one has.
    ended: Option<usize>,
}

/// What stands at the beginning of a text.
enum Opening {
    /// More is needed to tell.
    Wait,
    /// So many bytes are text.
    Plain(usize),
    /// A frame whose body begins there.
    Frame { body: usize, fenced: bool },
}

/// What follows a whole value of a frame.
enum Closing {
    /// More is needed to tell.
    Wait,
    /// The tag, up to here.
    Tag(usize),
    /// One more value, from here.
    Another(usize),
    /// No tag: the frame ended with its value.
    Missing,
}

/// What one look at the held text brought.
enum Step {
    Wait,
    /// So many bytes were told.
    Told(usize),
}

impl Sieve {
    /// Whether the text would come out as it is.
    pub fn passes(&self, text: &str) -> bool {
        self.held.is_empty()
            && matches!(self.state, State::Idle)
            && memchr2(b'<', b'`', text.as_bytes()).is_none()
    }

    /// Takes more text.
    pub fn push(&mut self, text: &str, sink: &mut impl Sink) {
        if self.held.is_empty() && matches!(self.state, State::Idle) {
            let at = memchr2(b'<', b'`', text.as_bytes()).unwrap_or(text.len());
            if at > 0 {
                sink.text(&text[..at]);
            }
            if at == text.len() {
                return;
            }
            self.held.push_str(&text[at..]);
        } else {
            self.held.push_str(text);
        }
        let mut held = std::mem::take(&mut self.held);
        let told = self.settle(&held, sink);
        held.drain(..told);
        self.held = held;
    }

    /// Nothing follows. When the text was `cut` before its end, what was becoming a call is dropped; else what became
    /// none is text.
    pub fn finish(&mut self, cut: bool, sink: &mut impl Sink) {
        let held = std::mem::take(&mut self.held);
        let mut told = 0;
        while told < held.len() {
            told += match self.settle(&held[told..], sink) {
                0 => self.last(&held[told..], cut, sink),
                bytes => bytes,
            };
        }
        self.state = State::Idle;
    }

    /// Tells what can be told; gives how many bytes that was.
    fn settle(&mut self, held: &str, sink: &mut impl Sink) -> usize {
        let mut told = 0;
        while told < held.len() {
            match self.step(&held[told..], sink) {
                Step::Wait => break,
                Step::Told(bytes) => told += bytes,
            }
        }
        told
    }

    fn step(&mut self, held: &str, sink: &mut impl Sink) -> Step {
        match std::mem::take(&mut self.state) {
            State::Idle => self.idle(held, sink),
            State::Behind { fenced } => self.behind(held, fenced, sink),
            State::Inside(inside) => self.inside(held, inside, sink),
        }
    }

    fn idle(&mut self, held: &str, sink: &mut impl Sink) -> Step {
        let plain = memchr2(b'<', b'`', held.as_bytes()).unwrap_or(held.len());
        if plain > 0 {
            sink.text(&held[..plain]);
            return Step::Told(plain);
        }
        match opening(held) {
            Opening::Wait => Step::Wait,
            Opening::Plain(bytes) => {
                sink.text(&held[..bytes]);
                Step::Told(bytes)
            }
            Opening::Frame { body, fenced } => {
                let scan = Scan::from(body);
                self.state = State::Inside(Inside { body, fenced, scan, ended: None });
                Step::Told(0)
            }
        }
    }

    /// White space and the end of a code fence behind a call are nothing to read, unless text follows.
    fn behind(&mut self, held: &str, fenced: bool, sink: &mut impl Sink) -> Step {
        let text = held.trim_start();
        let space = held.len() - text.len();
        if text.is_empty() || (fenced && text.len() < 3 && "```".starts_with(text)) {
            self.state = State::Behind { fenced };
            return Step::Wait;
        }
        if fenced && text.starts_with("```") {
            sink.dropped(&held[..space + 3]);
            self.state = State::Behind { fenced: false };
            return Step::Told(space + 3);
        }
        if space > 0 {
            match opening(text) {
                Opening::Wait => {
                    self.state = State::Behind { fenced };
                    return Step::Wait;
                }
                Opening::Frame { .. } => sink.dropped(&held[..space]),
                Opening::Plain(_) => sink.text(&held[..space]),
            }
        }
        Step::Told(space)
    }

    fn inside(&mut self, held: &str, mut inside: Inside, sink: &mut impl Sink) -> Step {
        if held.len() > MAX_HELD {
            sink.text(held);
            return Step::Told(held.len());
        }
        loop {
            let Some(ended) = inside.ended else {
                match inside.scan.go_on(held) {
                    Found::Nothing => break,
                    Found::End(end) => inside.ended = Some(end),
                    Found::Markup(at) => {
                        let tag = if held[at..].starts_with(CLOSE) { CLOSE.len() } else { 0 };
                        return Step::Told(self.tell(&inside, &held[..at + tag], at, sink));
                    }
                }
                continue;
            };
            match closing(&held[ended..]) {
                Closing::Wait => break,
                Closing::Another(at) => {
                    inside.scan = Scan::from(ended + at);
                    inside.ended = None;
                }
                Closing::Tag(end) => {
                    return Step::Told(self.tell(&inside, &held[..ended + end], ended, sink));
                }
                Closing::Missing => return Step::Told(self.tell(&inside, &held[..ended], ended, sink)),
            }
        }
        self.state = State::Inside(inside);
        Step::Wait
    }

    /// Tells a frame whose body goes up to `end`.
    fn tell(&mut self, inside: &Inside, whole: &str, end: usize, sink: &mut impl Sink) -> usize {
        if sink.frame(Frame { whole, body: &whole[inside.body..end] }) {
            self.state = State::Behind { fenced: inside.fenced };
        } else {
            sink.text(whole);
        }
        whole.len()
    }

    /// Tells what has waited for more, when no more comes; at least one byte of it.
    fn last(&mut self, held: &str, cut: bool, sink: &mut impl Sink) -> usize {
        match std::mem::take(&mut self.state) {
            State::Inside(inside) => return self.last_frame(held, &inside, cut, sink),
            State::Behind { .. } if "```".starts_with(held.trim()) => sink.dropped(held),
            // What was becoming a tag; `<` alone may be anything.
            _ if cut && held.contains("<t") => sink.dropped(held),
            _ => sink.text(held),
        }
        held.len()
    }

    fn last_frame(&mut self, held: &str, inside: &Inside, cut: bool, sink: &mut impl Sink) -> usize {
        if let Some(ended) = inside.ended {
            let rest = held[ended..].trim_matches(is_filling);
            let whole = if CLOSE.starts_with(rest) || rest == "```" { held } else { &held[..ended] };
            return self.tell(inside, whole, ended, sink);
        }
        if cut {
            sink.dropped(held);
            return held.len();
        }
        // A quote that is never closed has hidden the tag.
        match held[inside.body..].find(CLOSE) {
            Some(at) => {
                let end = inside.body + at;
                self.tell(inside, &held[..end + CLOSE.len()], end, sink)
            }
            None => self.tell(inside, held, held.len(), sink),
        }
    }
}

/// What a text begins with whose first byte is `<`, a backtick or anything else.
fn opening(text: &str) -> Opening {
    let (lead, plain) = match text.as_bytes().first() {
        Some(b'`') => match fence(text) {
            Ok(end) => (end, text.bytes().take_while(|byte| *byte == b'`').count()),
            Err(opening) => return opening,
        },
        _ => (0, 1),
    };
    let tag = &text[lead..];
    if !tag.starts_with(OPEN) {
        return if OPEN.starts_with(tag) { Opening::Wait } else { Opening::Plain(plain.max(first(text))) };
    }
    let mut body = lead + OPEN.len();
    body += text[body..].len() - text[body..].trim_start().len();
    if body - lead > OPEN.len() + MAX_SPACE {
        return Opening::Plain(plain);
    }
    if text[body..].starts_with('`') {
        match fence(&text[body..]) {
            Ok(end) => body += end,
            Err(Opening::Wait) => return Opening::Wait,
            Err(_) => return Opening::Plain(plain),
        }
    }
    match text.as_bytes().get(body) {
        None => Opening::Wait,
        Some(b'{' | b'[') => Opening::Frame { body, fenced: lead > 0 },
        Some(_) => Opening::Plain(plain),
    }
}

/// Bytes of the first letter.
fn first(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// Behind the line that opens a code fence, and the white space after it.
fn fence(text: &str) -> Result<usize, Opening> {
    let ticks = text.bytes().take_while(|byte| *byte == b'`').count();
    if ticks == text.len() && ticks <= 3 {
        return Err(Opening::Wait);
    }
    // Of a longer run those at its end, whatever of it has come at once.
    if !(3..=MAX_TICKS).contains(&ticks) {
        return Err(Opening::Plain(if ticks < 3 { ticks } else { ticks - MAX_TICKS }));
    }
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' ' | b'\r');
    let word = ticks + text.bytes().skip(ticks).take_while(is_word).count();
    if word - ticks > MAX_WORD {
        return Err(Opening::Plain(ticks));
    }
    match text.as_bytes().get(word) {
        None => return Err(Opening::Wait),
        Some(b'\n') => {}
        Some(_) => return Err(Opening::Plain(ticks)),
    }
    let space = text[word..].len() - text[word..].trim_start().len();
    match word + space {
        _ if space > MAX_SPACE => Err(Opening::Plain(ticks)),
        end if end == text.len() => Err(Opening::Wait),
        end => Ok(end),
    }
}

/// White space, and what models write once too often.
fn is_filling(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, ',' | '}' | ']')
}

fn closing(text: &str) -> Closing {
    let mut rest = text.trim_start_matches(is_filling);
    if let Some(behind) = rest.strip_prefix("```") {
        rest = behind.trim_start();
    }
    let at = text.len() - rest.len();
    match rest.as_bytes() {
        _ if at > MAX_SPACE => Closing::Missing,
        [] | [b'`'] | [b'`', b'`'] => Closing::Wait,
        [b'{', more @ ..] => match more.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => Closing::Wait,
            Some(b'"' | b'\'') => Closing::Another(at),
            Some(_) => Closing::Missing,
        },
        _ if rest.starts_with(CLOSE) => Closing::Tag(at + CLOSE.len()),
        _ if CLOSE.starts_with(rest) => Closing::Wait,
        _ => Closing::Missing,
    }
}

#[cfg(test)]
mod tests;
