//! Events in, events out: calls taken out of the text, JSON held back until it is whole.

mod told;

use grok2api_proto::{
    Error, Kind, Result,
    chat::{
        ChatEvent, ChatRequest, Citation, End, Finish, FunctionCall, SoftEnd, Text, Usage,
        chat_event::Kind as Event, tool_choice::Mode,
    },
};
use uuid::Uuid;

use super::{
    OPEN,
    arguments::{Functions, Judged},
    document::{self, Misses, Shape},
    prompt,
    sieve::{Frame, Sieve, Sink},
};
use told::Told;

/// Shapes the answer to one request, which may take two turns of the upstream.
#[derive(Debug)]
pub struct Shaper {
    functions: Functions,
    wanted: Wanted,
    shape: Option<Shape>,
    sieve: Sieve,
    told: Told,
    /// Text that may not be shown yet.
    held: String,
    /// Calls passed on.
    calls: u32,
    /// Calls that cannot be passed on as they are.
    bad: Vec<Bad>,
    /// The first turn's of these, and how many calls it passed on, when the model is being asked for the second time.
    first: Option<(Vec<Bad>, u32)>,
    soft_ended: bool,
    /// Of the turns before this one, and then of all.
    usage: Usage,
}

/// What the request wants of calls.
#[derive(Debug)]
struct Wanted {
    /// There must be one.
    required: bool,
    /// Only this one; empty for any.
    name: String,
    single: bool,
}

/// A call that cannot be passed on as it is.
#[derive(Debug)]
struct Bad {
    markup: String,
    why: String,
    fallback: Option<(String, String)>,
}

/// How the answer goes on.
#[derive(Debug)]
pub enum Outcome {
    /// More is to come, or the end was told.
    Going,
    /// The model must be asked once more, with this prompt.
    Again(String),
    /// It has been asked twice, and the answer cannot be used.
    Failed(Error),
}

/// What is wrong with an answer.
struct Defect {
    code: &'static str,
    why: String,
    /// The part of the answer that is meant.
    said: String,
    /// What the model is to do.
    demand: String,
}

impl Shaper {
    /// For a request with functions or a format; nothing for any other.
    ///
    /// # Errors
    /// `InvalidRequest` naming the function, or the format, whose strict schema cannot be used.
    pub fn new(request: &ChatRequest) -> Result<Option<Self>> {
        let choice = request.tool_choice.clone().unwrap_or_default();
        let callable = !request.tools.is_empty() && choice.mode() != Mode::None;
        let functions = if callable { Functions::new(&request.tools)? } else { Functions::default() };
        let shape = request.format.as_ref().map(Shape::new).transpose()?;
        if !callable && shape.is_none() {
            return Ok(None);
        }
        let required = callable && choice.mode() == Mode::Required;
        Ok(Some(Self {
            functions,
            wanted: Wanted { required, name: choice.name, single: request.single_call },
            shape,
            sieve: Sieve::default(),
            told: Told::default(),
            held: String::new(),
            calls: 0,
            bad: Vec::new(),
            first: None,
            soft_ended: false,
            usage: Usage { estimated: true, ..Usage::default() },
        }))
    }

    /// Whether these events are to be told as they are, which is what most are; they then count as taken.
    pub fn untouched(&mut self, events: &[ChatEvent]) -> bool {
        if self.holds() {
            return false;
        }
        let plain = events.iter().all(|event| match &event.kind {
            Some(Event::Text(text)) => self.sieve.passes(&text.text),
            Some(Event::Reasoning(_)) => true,
            _ => false,
        });
        if plain {
            for event in events {
                if let Some(Event::Text(text)) = &event.kind {
                    self.told.text(&text.text);
                }
            }
        }
        plain
    }

    /// Takes the next event; appends what is to be told. `prompt` is what the model was asked.
    pub fn take(&mut self, event: ChatEvent, prompt: &str, out: &mut Vec<ChatEvent>) -> Outcome {
        match event.kind {
            Some(Event::Text(text)) => self.text(text.text, out),
            Some(Event::Citation(citation)) => self.cited(citation, out),
            Some(Event::SoftEnd(_)) => self.soft_ended = true,
            Some(Event::Usage(usage)) => self.used(&usage),
            Some(Event::End(end)) => return self.end(end.finish(), prompt, out),
            Some(Event::Started(_) | Event::Charge(_)) => out.push(event),
            // The second time only what was missing is looked for.
            _ if self.second() => {}
            _ => out.push(event),
        }
        Outcome::Going
    }

    fn text(&mut self, text: String, out: &mut Vec<ChatEvent>) {
        if !self.holds() && self.sieve.passes(&text) {
            self.told.text(&text);
            return out.push(Event::Text(Text { text }).into());
        }
        self.sift(out, |sieve, tap| sieve.push(&text, tap));
        self.tell_citations(out);
    }

    fn sift(&mut self, out: &mut Vec<ChatEvent>, work: impl FnOnce(&mut Sieve, &mut Tap<'_>)) {
        let mut sieve = std::mem::take(&mut self.sieve);
        work(&mut sieve, &mut Tap { shaper: self, out });
        self.sieve = sieve;
    }

    /// Whether text is held back for now: nobody knows yet whether it is the answer.
    fn holds(&self) -> bool {
        self.second() || self.shape.is_some() || (self.wanted.required && self.calls == 0)
    }

    /// Whether the model is being asked for the second time.
    fn second(&self) -> bool {
        self.first.is_some()
    }

    fn say(&mut self, text: &str, out: &mut Vec<ChatEvent>) {
        self.told.text(text);
        if self.holds() { self.held.push_str(text) } else { say(text, out) }
    }

    fn cited(&mut self, citation: Citation, out: &mut Vec<ChatEvent>) {
        if self.shape.is_none() && !self.second() {
            self.told.cite(citation);
            self.tell_citations(out);
        }
    }

    fn tell_citations(&mut self, out: &mut Vec<ChatEvent>) {
        if self.holds() {
            return;
        }
        self.told.citations(|citation| out.push(Event::Citation(citation).into()));
    }

    fn used(&mut self, usage: &Usage) {
        self.usage = Usage {
            prompt_tokens: self.usage.prompt_tokens + usage.prompt_tokens,
            completion_tokens: self.usage.completion_tokens + usage.completion_tokens,
            reasoning_tokens: self.usage.reasoning_tokens + usage.reasoning_tokens,
            estimated: self.usage.estimated || usage.estimated,
        };
    }

    /// Takes what a frame calls; says whether it was a call.
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<ChatEvent>) -> bool {
        let Some(judged) = self.functions.read(frame.body) else { return false };
        for judged in judged {
            match judged {
                _ if self.wanted.single && (self.calls > 0 || !self.bad.is_empty()) => {}
                Judged::Good { name, .. } if !self.wants(&name) => {}
                Judged::Good { name, arguments } => self.call(name, arguments, out),
                Judged::Bad { why, fallback } => {
                    self.bad.push(Bad { markup: frame.whole.trim().to_owned(), why, fallback });
                }
            }
        }
        true
    }

    fn wants(&self, name: &str) -> bool {
        self.wanted.name.is_empty() || self.wanted.name == name
    }

    fn call(&mut self, name: String, arguments: String, out: &mut Vec<ChatEvent>) {
        let before = std::mem::take(&mut self.held);
        if !self.second() && !before.trim().is_empty() {
            say(&before, out);
        }
        self.calls += 1;
        let id = format!("call_{}", Uuid::new_v4().simple());
        out.push(Event::FunctionCall(FunctionCall { id, name, arguments }).into());
    }

    fn end(&mut self, finish: Finish, prompt: &str, out: &mut Vec<ChatEvent>) -> Outcome {
        let cut = matches!(finish, Finish::Length | Finish::ContentFilter);
        self.sift(out, |sieve, tap| sieve.finish(cut, tap));
        self.salvage(out);
        let defect = if cut { None } else { self.defect(out) };
        match defect {
            Some(defect) if !self.second() => return Outcome::Again(self.again(&defect, prompt)),
            Some(defect) => {
                return Outcome::Failed(Error::new(
                    Kind::Upstream,
                    defect.code,
                    format!("{} twice", defect.why),
                ));
            }
            None => {}
        }
        for bad in std::mem::take(&mut self.bad) {
            if let Some((name, arguments)) = bad.fallback {
                self.call(name, arguments, out);
            }
        }
        self.close(finish, out);
        Outcome::Going
    }

    /// A call that must be made is sometimes written without its tags.
    fn salvage(&mut self, out: &mut Vec<ChatEvent>) {
        if !self.wanted.required || self.calls > 0 || !self.bad.is_empty() {
            return;
        }
        let held = std::mem::take(&mut self.held);
        let body = document::bare(&held);
        let found = body.starts_with(['{', '[']) && self.frame(Frame { whole: body, body }, out);
        if !found {
            self.held = held;
        }
    }

    /// What is wrong with the answer. The second time, JSON that only misses its schema is better than nothing.
    fn defect(&mut self, out: &mut Vec<ChatEvent>) -> Option<Defect> {
        if let Some((first, calls)) = &mut self.first
            && self.bad.is_empty()
            && self.calls == *calls
        {
            self.bad = std::mem::take(first);
        }
        let second = self.second();
        let bad: Vec<&Bad> = self.bad.iter().filter(|bad| !(second && bad.fallback.is_some())).collect();
        if !bad.is_empty() {
            let why = bad.iter().map(|bad| bad.why.as_str()).collect::<Vec<_>>().join("; ");
            let said = bad.iter().map(|bad| bad.markup.as_str()).collect::<Vec<_>>().join("\n");
            let demand = "Write only the corrected call again, and nothing else.".to_owned();
            return Some(Defect { code: "tool_call_invalid", why, said, demand });
        }
        if self.wanted.required && self.calls == 0 && self.bad.is_empty() {
            let why = match self.wanted.name.as_str() {
                "" => "no function was called".to_owned(),
                name => format!("the function {name} was not called"),
            };
            let demand = format!("Write the call now, beginning with {OPEN}, and nothing else.");
            return Some(Defect { code: "tool_call_missing", why, said: self.held.clone(), demand });
        }
        self.document(out)
    }

    /// Shows the JSON that was held back, or says why it cannot.
    fn document(&mut self, out: &mut Vec<ChatEvent>) -> Option<Defect> {
        let shape = self.shape.as_ref().filter(|_| self.calls == 0 && self.bad.is_empty())?;
        let said = std::mem::take(&mut self.held);
        let text = match shape.read(&said) {
            Ok(text) => text,
            Err(Misses { fallback: Some(text), .. }) if self.second() => text,
            Err(Misses { why, .. }) => {
                let demand = "Answer again with the corrected JSON value and nothing else.".to_owned();
                return Some(Defect { code: "structured_output_invalid", why, said, demand });
            }
        };
        say(&text, out);
        None
    }

    /// Begins the second turn.
    fn again(&mut self, defect: &Defect, prompt: &str) -> String {
        self.first = Some((std::mem::take(&mut self.bad), self.calls));
        self.held.clear();
        self.sieve = Sieve::default();
        prompt::correction(prompt, &defect.said, &defect.why, &defect.demand)
    }

    fn close(&mut self, finish: Finish, out: &mut Vec<ChatEvent>) {
        let held = std::mem::take(&mut self.held);
        if (self.shape.is_some() || !self.second()) && !held.trim().is_empty() {
            say(&held, out);
        }
        if self.soft_ended {
            out.push(Event::SoftEnd(SoftEnd {}).into());
        }
        out.push(Event::Usage(self.usage).into());
        let finish = if self.calls > 0 { Finish::ToolCalls } else { finish };
        out.push(Event::End(End { finish: finish.into() }).into());
    }
}

/// Takes what the sieve lets through.
struct Tap<'t> {
    shaper: &'t mut Shaper,
    out: &'t mut Vec<ChatEvent>,
}

impl Sink for Tap<'_> {
    fn text(&mut self, text: &str) {
        self.shaper.say(text, self.out);
    }

    fn dropped(&mut self, text: &str) {
        self.shaper.told.removed(text);
    }

    fn frame(&mut self, frame: Frame<'_>) -> bool {
        let taken = self.shaper.frame(frame, self.out);
        if taken {
            self.shaper.told.removed(frame.whole);
        }
        taken
    }
}

/// Adds text to what is told, joined with the text before it.
fn say(more: &str, out: &mut Vec<ChatEvent>) {
    if let Some(ChatEvent { kind: Some(Event::Text(text)) }) = out.last_mut() {
        return text.text.push_str(more);
    }
    out.push(Event::Text(Text { text: more.to_owned() }).into());
}

#[cfg(test)]
mod tests;
