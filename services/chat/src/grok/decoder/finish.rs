//! How a turn ends: complete, held back, or without what it should have given.

use grok2api_proto::chat::{End, Finish, Usage, chat_event::Kind as Event};

use serde_json::json;

use super::{super::failure::Failure, State};

/// Characters a token stands for; the upstream reports no counts.
pub(super) const CHARS_PER_TOKEN: u64 = 4;

impl State {
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        self.close_thought();
        let mut sieve = std::mem::take(&mut self.answer);
        sieve.finish(|piece| self.piece(&piece));
        let mut stops = std::mem::take(&mut self.stops);
        stops.finish(|text| self.shown(text));
        self.stops = stops;
        self.tell_citations();
        let finish = match self.cut() {
            Some(finish) => finish,
            None => self.verdict()?,
        };
        let reasoning_tokens = self.thought_chars.div_ceil(CHARS_PER_TOKEN);
        self.out.event(Event::Usage(Usage {
            prompt_tokens: self.prompt_chars.div_ceil(CHARS_PER_TOKEN),
            completion_tokens: (self.answer_chars + self.thought_chars).div_ceil(CHARS_PER_TOKEN),
            reasoning_tokens,
            estimated: true,
        }));
        self.out.event(Event::End(End { finish: finish.into() }));
        Ok(())
    }

    /// How the request's own limits have ended the answer, if they have.
    pub(super) fn cut(&self) -> Option<Finish> {
        match () {
            () if self.allowance.is_exceeded() => Some(Finish::Length),
            () if self.stops.is_met() => Some(Finish::Stop),
            () => None,
        }
    }

    fn verdict(&self) -> Result<Finish, Failure> {
        let media = self.images.delivered() > 0 || self.video.delivered();
        let moderated = !media && (self.images.moderated() || self.video.moderated());
        let answered = self.phase.answering() || media;
        match () {
            () if moderated && answered => Ok(Finish::ContentFilter),
            () if moderated => Err(Failure::moderated("the upstream held the generated media back")),
            () if self.video.unfinished() || (self.expects_video && !self.video.delivered()) => {
                Err(Failure::upstream("upstream_video_missing", "the upstream ended without a video"))
            }
            () if self.images.hit_limit() => {
                Err(Failure::from_stream(&json!({"message": "the account's image usage limit"})))
            }
            () if self.images.unfinished() => Err(Failure::upstream(
                "upstream_image_incomplete",
                "the upstream ended before the image was finished",
            )),
            () if self.expects_image && self.images.delivered() == 0 => Err(Failure {
                retry: false,
                ..Failure::upstream("upstream_image_missing", "the upstream answered without an image")
            }),
            () if !answered => {
                Err(Failure::upstream("upstream_stream_empty", "the upstream ended without an answer"))
            }
            () => Ok(Finish::Stop),
        }
    }
}
