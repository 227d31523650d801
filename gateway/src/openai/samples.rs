//! Turns for the golden tests.

use grok2api_proto::chat::{
    ChatEvent, Citation, End, Finish, ImageProgress, Media, Reasoning, SoftEnd, Source, Sources, Started,
    Text, ToolCall, Usage, VideoProgress, chat_event::Kind,
};

use super::{
    present::{Presentation, Thinking},
    stream::Head,
};
use crate::links::Links;

pub(super) fn head(include_usage: bool) -> Head {
    Head {
        id: "chatcmpl-00000000000000000000000000000000".into(),
        created: 1_735_689_600,
        model: "grok-4-fast".into(),
        include_usage,
    }
}

pub(super) fn shown(thinking: Thinking) -> Presentation {
    Presentation { thinking, links: Links::to("https://g.example"), ..Presentation::default() }
}

pub(super) fn text(text: &str) -> Kind {
    Kind::Text(Text { text: text.into() })
}

pub(super) fn reasoning(text: &str) -> Kind {
    Kind::Reasoning(Reasoning { text: text.into(), ..Reasoning::default() })
}

pub(super) fn late(text: &str) -> Kind {
    Kind::Reasoning(Reasoning { text: text.into(), late: true, header: false })
}

pub(super) fn header(text: &str) -> Kind {
    Kind::Reasoning(Reasoning { text: text.into(), header: true, late: false })
}

pub(super) fn started() -> Kind {
    Kind::Started(Started { conversation_id: "conv_1".into(), attempts: 1, ..Started::default() })
}

pub(super) fn image(name: &str) -> Kind {
    Kind::Image(media(name, "image/jpeg"))
}

pub(super) fn video(name: &str) -> Kind {
    Kind::Video(media(name, "video/mp4"))
}

fn media(name: &str, content_type: &str) -> Media {
    Media { name: name.into(), content_type: content_type.into(), size: 3 }
}

pub(super) fn progress(percent: u32) -> Kind {
    Kind::VideoProgress(VideoProgress { percent })
}

pub(super) fn citation(number: u32, start: u32, end: u32) -> Kind {
    let url = format!("https://example.com/{number}");
    Kind::Citation(Citation { url, title: format!("Source {number}"), number, start, end })
}

pub(super) fn sources(in_reasoning: bool, numbers: &[u32]) -> Kind {
    let source = |number: &u32| Source {
        url: format!("https://example.com/{number}"),
        title: format!("Source {number}"),
        preview: "First line\nsecond \"line\"".into(),
    };
    Kind::Sources(Sources { items: numbers.iter().map(source).collect(), in_reasoning })
}

pub(super) fn usage() -> Kind {
    Kind::Usage(Usage { prompt_tokens: 5, completion_tokens: 7, reasoning_tokens: 3, estimated: true })
}

pub(super) fn end() -> Kind {
    Kind::End(End { finish: Finish::Stop.into() })
}

pub(super) fn events(kinds: impl IntoIterator<Item = Kind>) -> Vec<ChatEvent> {
    kinds.into_iter().map(ChatEvent::from).collect()
}

/// Every kind of event: thinking with a search, a cited answer, late thinking, an image.
pub(super) fn research() -> Vec<ChatEvent> {
    events([
        started(),
        header("Looking around"),
        reasoning("I search. "),
        Kind::ToolCall(ToolCall { id: "t1".into(), name: "web_search".into(), argument: "news".into() }),
        sources(true, &[1, 2]),
        reasoning("Found."),
        text("你好 \"world\" "),
        text("[[1]](https://example.com/1)"),
        citation(1, 11, 39),
        late("One more thought."),
        Kind::ImageProgress(ImageProgress { index: 0, percent: 50, preview: None }),
        image("a.jpg"),
        text("and [[2]](https://example.com/2)"),
        citation(2, 43, 71),
        sources(false, &[2, 3]),
        Kind::SoftEnd(SoftEnd {}),
        usage(),
        end(),
        text("never shown"),
    ])
}

/// A video with its progress, one number repeated.
pub(super) fn film() -> Vec<ChatEvent> {
    events([
        started(),
        progress(1),
        progress(50),
        progress(50),
        progress(100),
        video("v.mp4"),
        usage(),
        end(),
    ])
}
