//! A script: the beats of one answer, in order, nearly all of them rendered before the first byte is sent.

use bytes::Bytes;
use serde_json::Value;

use crate::models::Era;

mod agent;
mod compose;
mod images;
mod lines;
mod plan;
mod search;
mod tokens;
mod video;

pub(crate) use lines::{Lines, TOKEN_HEAD};
pub(crate) use plan::{Act, Closing, Drawing, Filming, Plan, TurnIds, Wish};
pub(crate) use tokens::{Grain, Speech, words};

/// One step of an answer.
#[derive(Debug)]
pub(crate) enum Beat {
    /// A whole JSON object, sent at once.
    Object(Bytes),
    /// A whole JSON object that waits for the token delay first.
    Paced(Bytes),
    /// Text that is sent token by token.
    Say(Speech),
    /// Bytes without framing.
    Raw(Bytes),
    /// The beginning of an object.
    Cut(Bytes),
    /// Nothing more until the client leaves.
    Hold,
    /// The end of the connection, not of the answer.
    Reset,
}

/// All beats of an answer, open to edits until it is played.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) lines: Lines,
    pub(crate) beats: Vec<Beat>,
    /// Whether the framing's end mark is sent.
    pub(crate) ends_cleanly: bool,
    spoken: String,
}

impl Script {
    pub(crate) fn new(lines: Lines) -> Self {
        Self { lines, beats: Vec::with_capacity(12), ends_cleanly: true, spoken: String::new() }
    }

    /// A script that is nothing but an error line.
    pub(crate) fn error(ids: &TurnIds, code: u32) -> Self {
        let mut script = Self::new(Lines::new(Era::default(), ids));
        script.beats.push(Beat::Object(script.lines.error(code)));
        script
    }

    /// Adds a `result.response` object.
    fn respond(&mut self, fields: Value) {
        self.beats.push(Beat::Object(self.lines.response(fields)));
    }

    /// Adds a `result.response` object that keeps the token pace.
    fn respond_paced(&mut self, fields: Value) {
        self.beats.push(Beat::Paced(self.lines.response(fields)));
    }

    /// Adds text of the answer itself.
    fn say(&mut self, text: &str, grain: Grain) {
        self.spoken.push_str(text);
        self.beats.push(Beat::Say(self.lines.speech(text, grain)));
    }

    /// The text of the answer so far, tags included.
    fn spoken(&self) -> &str {
        &self.spoken
    }

    /// Puts a beat into the middle of the text.
    pub(crate) fn interrupt(&mut self, beat: Beat) {
        let middle = self.open_middle();
        self.beats.insert(middle, beat);
    }

    /// Ends the answer in the middle of the text, with a last beat and without an end mark.
    pub(crate) fn break_off(&mut self, last: Beat) {
        let middle = self.open_middle();
        self.beats.truncate(middle);
        self.beats.push(last);
        self.ends_cleanly = false;
    }

    /// Splits the longest text in two. Returns the place between.
    fn open_middle(&mut self) -> usize {
        let length = |beat: &Beat| match beat {
            Beat::Say(speech) if speech.grain == Grain::Words => speech.len(),
            _ => 0,
        };
        let longest = (0..self.beats.len()).max_by_key(|at| length(&self.beats[*at])).unwrap_or_default();
        let Some(Beat::Say(speech)) = self.beats.get_mut(longest) else { return self.beats.len() };
        if let Some(second) = speech.split_half() {
            self.beats.insert(longest + 1, Beat::Say(second));
        }
        longest + 1
    }
}
