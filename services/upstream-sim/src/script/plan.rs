//! What an answer is going to be, before any of it is written.

use uuid::Uuid;

use super::{Grain, agent, words};
use crate::{
    ids::{Kind, Mint, digest},
    markers::{Markers, Style},
    models::{Choice, Era, Media},
};

/// The answer to one turn.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) era: Era,
    pub(crate) model: &'static str,
    pub(crate) temporary: bool,
    /// The message without markers.
    pub(crate) prompt: String,
    /// The response this turn continues.
    pub(crate) parent: Option<String>,
    pub(crate) ids: TurnIds,
    pub(crate) thinking: bool,
    pub(crate) search: bool,
    pub(crate) cite_twice: bool,
    pub(crate) act: Act,
    pub(crate) closing: Closing,
    /// How the text is cut into tokens.
    pub(crate) grain: Grain,
}

/// What the answer consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Say(String),
    Draw { count: u32, drawing: Drawing },
    Film(Filming),
}

/// How `modelResponse.message` relates to the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    Same,
    Shorter,
    Longer,
    Different,
    Missing,
}

/// How pictures arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawing {
    Finished,
    Moderated { first: u32 },
    PreviewOnly,
    Limit,
}

/// How a video arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filming {
    Steady,
    AtOnce,
    Repeating,
    UrlEarly,
    OnlyAttachment,
}

/// The ids of one turn.
#[derive(Clone, Debug)]
pub(crate) struct TurnIds {
    mint: Mint,
    number: u64,
    pub(crate) user: Uuid,
    pub(crate) conversation: Uuid,
    pub(crate) question: Uuid,
    pub(crate) answer: Uuid,
}

/// What a request says about the answer it wants.
#[derive(Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) choice: &'a Choice,
    pub(crate) markers: &'a Markers,
    /// The message without markers.
    pub(crate) prompt: String,
    pub(crate) attachments: Option<String>,
    pub(crate) may_search: bool,
    pub(crate) may_draw: bool,
    pub(crate) image_count: u32,
    pub(crate) image_tool: bool,
    pub(crate) video_tool: bool,
}

impl TurnIds {
    /// Ids for the `number`-th turn of `user`; a continued conversation keeps its id.
    pub(crate) fn new(mint: Mint, user: Uuid, conversation: Option<Uuid>, number: u64) -> Self {
        let conversation = conversation.unwrap_or_else(|| mint.issue(Kind::Conversation, user, number));
        let question = mint.issue(Kind::Response, user, number * 2);
        let answer = mint.issue(Kind::Response, user, number * 2 + 1);
        Self { mint, number, user, conversation, question, answer }
    }

    /// The id of the turn's `index`-th picture.
    pub(crate) fn image(&self, index: u32) -> Uuid {
        self.mint.issue(Kind::Image, self.user, self.number * 16 + u64::from(index))
    }

    pub(crate) fn video(&self) -> Uuid {
        self.mint.issue(Kind::Video, self.user, self.number)
    }

    pub(crate) fn post(&self) -> Uuid {
        self.mint.issue(Kind::Post, self.user, self.number)
    }
}

impl Wish<'_> {
    fn act(&self) -> Act {
        let turn = last_turn(&self.prompt);
        let finished = |count| Act::Draw { count, drawing: Drawing::Finished };
        if self.markers.video == Some(true) {
            return Act::Film(Filming::Steady);
        }
        match self.markers.images {
            Some(0) => return self.text(turn),
            Some(count) => return finished(count),
            None => {}
        }
        if self.markers.say.is_some() || self.markers.tokens.is_some() {
            return self.text(turn);
        }
        if let Some(text) = agent::says(&self.markers.agent, &self.prompt) {
            return Act::Say(text);
        }
        if self.markers.video.is_none() && (self.video_tool || self.choice.media == Some(Media::Video)) {
            return Act::Film(Filming::Steady);
        }
        let images = self.image_tool || self.choice.media == Some(Media::Images);
        if images || (self.may_draw && asks_to_draw(turn)) {
            finished(self.image_count)
        } else {
            self.text(turn)
        }
    }

    /// Turns the wish into a plan with these ids.
    pub(crate) fn plan(self, ids: TurnIds, temporary: bool, parent: Option<String>) -> Plan {
        let era = if self.markers.e4.unwrap_or(self.choice.era == Era::E3) { Era::E3 } else { Era::E1 };
        let act = self.act();
        let says = matches!(act, Act::Say(_)) && self.markers.say.is_none() && self.markers.tokens.is_none();
        let asks = says && self.may_search && asks_to_search(last_turn(&self.prompt));
        let split = self.markers.agent.style == Style::Split;
        let film = matches!(act, Act::Film(_));
        Plan {
            era,
            model: self.choice.name,
            temporary,
            parent,
            ids,
            thinking: self.markers.think.unwrap_or(self.choice.thinking && !film),
            search: self.markers.search.unwrap_or(asks),
            cite_twice: false,
            act,
            closing: Closing::Same,
            grain: if split { Grain::Chars(1) } else { Grain::Words },
            prompt: self.prompt,
        }
    }

    fn text(&self, turn: &str) -> Act {
        if let Some(text) = &self.markers.say {
            return Act::Say(text.clone());
        }
        let receipt = digest(&[turn.as_bytes()]);
        if let Some(count) = self.markers.tokens {
            return Act::Say(words(count, u64::from(receipt[0])));
        }
        let seen = self.attachments.as_ref().map(|seen| format!("{seen}. ")).unwrap_or_default();
        let receipt = receipt[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let echo = tail(turn.trim(), 2_000);
        Act::Say(format!("{seen}You said: {echo}. 你好，这是模拟器的回答 🌕👩‍🚀. Receipt {receipt}."))
    }
}

impl Plan {
    /// Makes the answer pictures that arrive like this.
    pub(crate) fn draw(&mut self, drawing: Drawing) {
        let count = if let Act::Draw { count, .. } = self.act { count } else { 2 };
        self.act = Act::Draw { count, drawing };
    }

    /// Makes the answer a video that arrives like this.
    pub(crate) fn film(&mut self, filming: Filming) {
        self.act = Act::Film(filming);
    }

    /// The words the answer is about, short enough for a title or a query.
    pub(super) fn subject(&self) -> &str {
        let turn = last_turn(&self.prompt).trim();
        let end = turn.char_indices().nth(60).map_or(turn.len(), |(at, _)| at);
        &turn[..end]
    }
}

/// The text after the last role marker of the user, when the client writes such markers (reference 2.3).
fn last_turn(message: &str) -> &str {
    ["[user]: ", "[user]\n", "[user]", "\nuser: "]
        .iter()
        .filter_map(|mark| message.rfind(mark).map(|at| &message[at + mark.len()..]))
        .min_by_key(|rest| rest.len())
        .unwrap_or(message)
}

fn asks_to_draw(text: &str) -> bool {
    text.contains('画') || text.contains('畫') || has_word(text, &["draw", "drawing", "paint", "sketch"])
}

fn asks_to_search(text: &str) -> bool {
    text.contains("搜索") || text.contains("搜尋") || has_word(text, &["search"])
}

fn has_word(text: &str, words: &[&str]) -> bool {
    text.split(|c: char| !c.is_alphanumeric())
        .any(|word| words.iter().any(|sought| word.eq_ignore_ascii_case(sought)))
}

/// At most the last `count` characters.
pub(super) fn tail(text: &str, count: usize) -> &str {
    text.char_indices().rev().nth(count - 1).map_or(text, |(at, _)| &text[at..])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Draw a moon", true)]
    #[case("给我画一个月亮", true)]
    #[case("withdraw my drawback", false)]
    fn drawing_is_asked_for_by_word(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(asks_to_draw(text), expected);
    }

    #[rstest]
    #[case("[user]: draw\n\n[assistant]: ok\n\n[user]: thanks", "thanks")]
    #[case("[user]\ndraw\n\n[user]\nthanks\n\n", "thanks\n\n")]
    #[case("no roles at all", "no roles at all")]
    fn only_the_last_turn_counts(#[case] message: &str, #[case] expected: &str) {
        assert_eq!(last_turn(message), expected);
    }

    #[test]
    fn the_tail_counts_characters() {
        assert_eq!(tail("月光下", 2), "光下");
        assert_eq!(tail("a", 5), "a");
        assert_eq!(tail("", 5), "");
    }
}
