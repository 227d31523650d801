//! From lines to events (`grok-web-protocol.md` sections 3.2 to 3.17).
//!
//! One [`Decoder`] a turn. Text that arrives in one read becomes one event, so a read costs a handful of
//! allocations however many tokens it holds.

mod cut;
mod finish;
mod output;
mod rare;
mod thinking;

use grok2api_proto::chat::{ChatEvent, Citation, Reasoning, SoftEnd, Text, chat_event::Kind as Event};
use sha2::{Digest as _, Sha256};

use super::{
    failure::Failure,
    frames::{FrameError, Frames},
    line::{Line, Response, whole_pairs},
    media::{Images, Video},
    search::Search,
    sieve::{Piece, Sieve},
    unescape,
};
use cut::{Allowance, Stops};
pub use output::Output;
use output::{Outputs, chars};
use thinking::Phase;

/// How a turn is to be read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Tags taken out of the text; `grok:render` among them also suppresses inline citation links.
    pub filtered_tags: Vec<String>,
    /// The turn must give a video.
    pub video: bool,
    /// Characters of the prompt, for the usage estimate.
    pub prompt_chars: u64,
    /// The answer ends before the first of these.
    pub stop: Vec<String>,
    /// Most tokens of answer and reasoning together.
    pub max_tokens: Option<u64>,
    /// The turn must give an image.
    pub drawing: bool,
    /// Images are told while they are drawn.
    pub previews: bool,
}

/// Reads one turn.
pub struct Decoder {
    frames: Frames,
    state: State,
}

/// Everything but the bytes, so that a line can be borrowed from them meanwhile.
struct State {
    out: Outputs,
    answer: Sieve,
    thought: Sieve,
    phase: Phase,
    search: Search,
    images: Images,
    video: Video,
    conversation_id: String,
    /// What was streamed as answer, before markup was taken out: length and digest.
    raw: (usize, Sha256),
    tools: Vec<String>,
    render_inline: bool,
    expects_video: bool,
    expects_image: bool,
    previews: bool,
    prompt_chars: u64,
    answer_chars: u64,
    thought_chars: u64,
    stops: Stops,
    allowance: Allowance,
    /// Citations behind text that may turn out to be the beginning of a stop sequence.
    cited: Vec<Citation>,
    soft_ended: bool,
    /// The finished message has come: nothing of weight follows.
    over: bool,
    skipped: usize,
    /// Room for tokens with escapes.
    scratch: String,
}

impl Decoder {
    /// Begins a turn.
    pub fn new(options: &Options) -> Self {
        let tags = || options.filtered_tags.iter().map(String::as_str);
        let render_inline = !tags().any(|tag| tag.eq_ignore_ascii_case("grok:render"));
        // Always watched: a render tag is a citation or nothing, never text for a person.
        let answer = Sieve::new(tags().chain(render_inline.then_some("grok:render")));
        let thought = Sieve::new(tags().chain(["xai:tool_usage_card"]));
        Self {
            frames: Frames::default(),
            state: State {
                out: Outputs::default(),
                answer,
                thought,
                phase: Phase::default(),
                search: Search::default(),
                images: Images::default(),
                video: Video::default(),
                conversation_id: String::new(),
                raw: (0, Sha256::new()),
                tools: Vec::new(),
                render_inline,
                expects_video: options.video,
                expects_image: options.drawing,
                previews: options.previews,
                prompt_chars: options.prompt_chars,
                answer_chars: 0,
                thought_chars: 0,
                stops: Stops::new(&options.stop),
                allowance: Allowance::new(options.max_tokens),
                cited: Vec::new(),
                soft_ended: false,
                over: false,
                skipped: 0,
                scratch: String::new(),
            },
        }
    }

    /// Takes one read; gives what it brought, adjacent text joined.
    ///
    /// # Errors
    /// A [`Failure`] the stream reports, or an object past the size limit. What came before it is in `out`.
    pub fn feed(&mut self, read: &[u8], out: &mut Vec<Output>) -> Result<(), Failure> {
        self.frames.push(read);
        self.state.out.expect(read.len());
        let result = self.lines();
        self.state.out.drain_into(out);
        result
    }

    fn lines(&mut self) -> Result<(), Failure> {
        while !self.is_cut() {
            match self.frames.next_object() {
                Ok(Some(object)) => self.state.object(object)?,
                Ok(None) => return Ok(()),
                Err(error) => return Err(frame_failure(error)),
            }
        }
        Ok(())
    }

    /// Ends the turn: the remaining text, usage and the end itself.
    ///
    /// # Errors
    /// When the stream was cut, or ended without an answer.
    pub fn finish(&mut self, out: &mut Vec<Output>) -> Result<(), Failure> {
        let skipped = self.state.skipped + self.frames.broken();
        if skipped > 0 {
            tracing::warn!(
                lines = skipped,
                "{skipped} unreadable lines of the upstream's stream were skipped"
            );
        }
        let result = match self.frames.finish() {
            Err(error) if !self.state.over && !self.is_cut() => Err(frame_failure(error)),
            _ => self.state.end(),
        };
        self.state.out.drain_into(out);
        result
    }

    /// Whether the upstream has said that this was all, or no more is wanted of it.
    pub fn is_done(&self) -> bool {
        self.frames.is_done() || self.is_cut()
    }

    /// Whether the answer was ended by the request's own limits.
    pub fn is_cut(&self) -> bool {
        self.state.cut().is_some()
    }

    /// Whether the finished message has come; what follows is decoration, and its loss is no failure.
    pub fn is_over(&self) -> bool {
        self.state.over
    }

    /// The upstream's id of the conversation; empty until it is known.
    pub fn conversation_id(&self) -> &str {
        &self.state.conversation_id
    }

    /// Whether images were drawn, which costs more than text.
    pub fn drew_images(&self) -> bool {
        self.state.images.delivered() > 0 || self.state.images.moderated()
    }
}

fn frame_failure(error: FrameError) -> Failure {
    match error {
        FrameError::TooLong => {
            Failure::upstream("upstream_object_too_large", "the upstream sent an endless object")
        }
        FrameError::Truncated => {
            Failure::transport("upstream_stream_truncated", "the upstream's stream was cut inside an object")
        }
    }
}

impl State {
    fn object(&mut self, object: &[u8]) -> Result<(), Failure> {
        if let Ok(line) = serde_json::from_slice(object) {
            return self.line(&line);
        }
        let repaired = std::str::from_utf8(object).ok().and_then(whole_pairs);
        match repaired.as_deref().map(serde_json::from_str) {
            Some(Ok(line)) => self.line(&line),
            _ => {
                self.skipped += 1;
                Ok(())
            }
        }
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), Failure> {
        if let Some(error) = line.error {
            rare::check(error)?;
        }
        let Some(body) = &line.result else { return Ok(()) };
        if let Some(conversation) = body.conversation {
            self.conversation(conversation);
        }
        match &body.response {
            Some(response) => self.response(response),
            None => Ok(()),
        }
    }

    fn response(&mut self, response: &Response<'_>) -> Result<(), Failure> {
        if let Some(error) = response.error {
            rare::check(error)?;
        }
        if let Some(errors) = response.stream_errors {
            rare::check(errors)?;
        }
        self.rare_before_text(response);
        self.token(response);
        self.rare_after_text(response)?;
        if (response.is_soft_stop.0 || response.final_metadata.is_some()) && !self.soft_ended {
            self.soft_ended = true;
            self.out.event(Event::SoftEnd(SoftEnd {}));
        }
        Ok(())
    }

    fn token(&mut self, response: &Response<'_>) {
        let Some(raw) = response.token else { return };
        let channel = thinking::channel(response);
        if channel == thinking::Channel::Hidden {
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let token = unescape::text(raw, &mut scratch);
        match channel {
            _ if token.is_empty() => {}
            thinking::Channel::Thought { header } => self.thought(token, header),
            thinking::Channel::Answer | thinking::Channel::Hidden => self.answer(token),
        }
        self.scratch = scratch;
    }

    /// A token of the answer: markup out, citations resolved.
    fn answer(&mut self, token: &str) {
        self.raw.0 += token.len();
        self.raw.1.update(token.as_bytes());
        // White space between search results is no beginning of an answer.
        if !self.phase.answering() && token.trim().is_empty() {
            return;
        }
        self.close_thought();
        self.phase.begin_answer();
        let mut sieve = std::mem::take(&mut self.answer);
        sieve.push(token, |piece| self.piece(&piece));
        self.answer = sieve;
    }

    fn piece(&mut self, piece: &Piece<'_>) {
        match piece {
            _ if self.cut().is_some() => {}
            Piece::Text(text) => self.visible(text),
            Piece::Element(element) => self.rendered(element),
        }
    }

    fn visible(&mut self, text: &str) {
        self.search.text_seen();
        self.until_stop(text);
    }

    pub(super) fn until_stop(&mut self, text: &str) {
        let mut stops = std::mem::take(&mut self.stops);
        stops.push(text, |text| self.shown(text));
        self.stops = stops;
        self.tell_citations();
    }

    /// Text that no stop sequence takes back any more.
    fn shown(&mut self, text: &str) {
        let text = self.allowance.take(text);
        self.answer_chars += chars(text);
        self.out.text(text);
    }

    /// Tells the citations whose text is shown; what lies behind the end of a cut answer is never told.
    fn tell_citations(&mut self) {
        let told =
            self.cited.iter().take_while(|citation| u64::from(citation.end) <= self.answer_chars).count();
        for citation in self.cited.drain(..told) {
            self.out.event(Event::Citation(citation));
        }
    }

    fn thought(&mut self, token: &str, header: bool) {
        let late = self.phase.answering();
        if header {
            self.close_thought();
            return self.reasoned(token, true, late);
        }
        let mut sieve = std::mem::take(&mut self.thought);
        sieve.push(token, |piece| {
            if let Piece::Text(text) = piece {
                self.reasoned(text, false, late);
            }
        });
        self.thought = sieve;
    }

    /// Lets go what the sieve still holds of the reasoning.
    fn close_thought(&mut self) {
        let late = self.phase.answering();
        let mut sieve = std::mem::take(&mut self.thought);
        sieve.finish(|piece| {
            if let Piece::Text(text) = piece {
                self.reasoned(text, false, late);
            }
        });
        self.thought = sieve;
    }

    fn reasoned(&mut self, text: &str, header: bool, late: bool) {
        if self.cut().is_some() {
            return;
        }
        let text = self.allowance.take(text);
        self.thought_chars += chars(text);
        self.out.reasoning(text, header, late);
    }
}

impl From<Reasoning> for Output {
    fn from(reasoning: Reasoning) -> Self {
        Output::Event(ChatEvent::from(Event::Reasoning(reasoning)))
    }
}

impl From<Text> for Output {
    fn from(text: Text) -> Self {
        Output::Event(ChatEvent::from(Event::Text(text)))
    }
}

#[cfg(test)]
mod tests;
