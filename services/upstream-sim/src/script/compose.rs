//! From a plan to a script: opening, thinking, search, the act itself, closing.

use serde_json::{Value, json};

use super::{Act, Beat, Closing, Lines, Plan, Script, images, search, video};

/// What the acts leave behind for `modelResponse`.
#[derive(Debug, Default)]
pub(super) struct Remains {
    pub(super) image_urls: Vec<String>,
    pub(super) files: Vec<String>,
    pub(super) cards: Vec<String>,
    pub(super) results: Vec<Value>,
    /// Set when the answer ends by itself and has no closing.
    pub(super) over: bool,
}

impl Plan {
    /// Writes the whole answer.
    pub(crate) fn script(&self) -> Script {
        let mut script = Script::new(Lines::new(self.era, &self.ids));
        let mut remains = Remains::default();
        self.open(&mut script);
        if self.thinking {
            self.think(&mut script);
        }
        if self.search {
            search::call(self, &mut script, &mut remains);
        }
        match &self.act {
            Act::Say(text) => script.say(text, self.grain),
            Act::Draw { count, drawing } => images::draw(self, *count, *drawing, &mut script, &mut remains),
            Act::Film(filming) => video::film(self, *filming, &mut script, &mut remains),
        }
        if self.search {
            search::cite(self, &mut script, &mut remains);
        }
        if !remains.over {
            self.close(&mut script, remains);
        }
        script
    }

    fn open(&self, script: &mut Script) {
        script.beats.push(Beat::Object(script.lines.conversation(self.temporary)));
        let question = script.lines.question(&self.prompt, self.model, self.parent.as_deref());
        script.beats.push(Beat::Object(question));
    }

    fn think(&self, script: &mut Script) {
        let subject = self.subject();
        let thoughts = [
            ("header", "Thinking about your request".to_owned()),
            ("summary", format!("- The request: {subject}\n")),
            ("summary", "- 一个简短的回答就好 🌙\n".to_owned()),
        ];
        for (tag, token) in thoughts {
            let line = script.lines.thought(tag, &token, 0);
            script.beats.push(Beat::Paced(line));
        }
    }

    fn close(&self, script: &mut Script, remains: Remains) {
        script.respond(json!({"token": "", "isSoftStop": true}));
        script.respond(json!({"finalMetadata": {"followUpSuggestions": []}}));
        if let Some(message) = self.message(script.spoken()) {
            let mut closing = script.lines.closing(self.model, &message);
            closing["generatedImageUrls"] = json!(remains.image_urls);
            closing["fileAttachments"] = json!(remains.files);
            closing["cardAttachmentsJson"] = json!(remains.cards);
            closing["webSearchResults"] = json!(remains.results);
            closing["citedWebSearchResults"] = json!(remains.results);
            script.respond(json!({"modelResponse": closing}));
        }
        if !self.temporary {
            script.beats.push(Beat::Object(script.lines.title(self.subject())));
        }
    }

    /// `modelResponse.message` for what was said.
    fn message(&self, spoken: &str) -> Option<String> {
        match self.closing {
            Closing::Same => Some(spoken.to_owned()),
            Closing::Shorter => {
                let half = spoken.chars().count() / 2;
                Some(spoken.chars().take(half).collect())
            }
            Closing::Longer => Some(format!("{spoken} And this part came with the message only.")),
            Closing::Different => Some("Another text than the one that was streamed.".to_owned()),
            Closing::Missing => None,
        }
    }
}
