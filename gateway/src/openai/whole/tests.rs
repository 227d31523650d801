use rstest::rstest;

use super::*;
use crate::openai::samples::{self, end, events, image, started, text};

fn collect(events: &[ChatEvent], presentation: Presentation) -> Completion {
    let mut collector = Collector::new(presentation);
    for event in events {
        assert_eq!(collector.event(event), None);
    }
    Completion::new(samples::head(false), vec![collector.finish().unwrap()])
}

#[rstest]
#[case::reasoning_content("research_reasoning_content", Thinking::ReasoningContent)]
#[case::think("research_think", Thinking::Think)]
#[case::off("research_off", Thinking::Off)]
fn a_turn_with_every_kind_of_event(#[case] name: &str, #[case] thinking: Thinking) {
    let presentation = Presentation { search_in_thinking: true, ..samples::shown(thinking) };
    insta::assert_json_snapshot!(name, collect(&samples::research(), presentation));
}

#[test]
fn a_video() {
    insta::assert_json_snapshot!(
        "film",
        collect(&samples::film(), samples::shown(Thinking::ReasoningContent))
    );
}

#[test]
fn an_image_inside_the_content() {
    let presentation = Presentation { inline_images: true, ..samples::shown(Thinking::Off) };
    let mut collector = Collector::new(presentation);
    let events = events([started(), image("a.jpg"), text("Done."), end()]);
    for event in &events {
        if let Some(image) = collector.event(event) {
            collector.image_start(image);
            collector.insert("AAAA");
            collector.image_end();
        }
    }
    assert_eq!(
        collector.finish().unwrap().message.content.as_deref(),
        Some("\n![Generated Image](data:image/jpeg;base64,AAAA)\nDone.")
    );
}

#[test]
fn a_turn_without_an_end_is_no_answer() {
    let mut collector = Collector::new(Presentation::default());
    collector.event(&text("half").into());
    assert!(collector.finish().is_none());
}

#[test]
fn several_choices_share_their_usage_and_sources() {
    let answer = |events: &[ChatEvent]| {
        let mut collector = Collector::new(samples::shown(Thinking::Off));
        events.iter().for_each(|event| assert_eq!(collector.event(event), None));
        collector.finish().unwrap()
    };
    let other = events([text("other"), samples::sources(false, &[3, 4]), samples::usage(), end()]);
    let answers = vec![answer(&samples::research()), answer(&other)];
    insta::assert_json_snapshot!("two_choices", Completion::new(samples::head(false), answers));
}
