use grok2api_proto::chat::{Format, Started, Tool, ToolChoice};
use rstest::rstest;

use super::*;

fn weather() -> Tool {
    let parameters = r#"{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}"#;
    Tool { name: "get_weather".into(), parameters: parameters.into(), ..Tool::default() }
}

fn request() -> ChatRequest {
    ChatRequest { tools: vec![weather()], ..ChatRequest::default() }
}

fn required(name: &str) -> ChatRequest {
    let choice = ToolChoice { mode: Mode::Required.into(), name: name.into() };
    ChatRequest { tool_choice: Some(choice), ..request() }
}

fn json(strict: bool) -> ChatRequest {
    let schema = r#"{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}"#.to_owned();
    ChatRequest { format: Some(Format { schema, strict, ..Format::default() }), ..ChatRequest::default() }
}

/// One turn of the upstream: what is told of it, calls as `name(arguments)`, and how it goes on.
fn turn(shaper: &mut Shaper, said: &str, finish: Finish) -> (String, String) {
    let mut events: Vec<Event> = vec![Event::Started(Started::default())];
    events.extend(said.split_inclusive(' ').map(|text| Event::Text(Text { text: text.to_owned() })));
    events.push(Event::Usage(Usage { prompt_tokens: 5, completion_tokens: 2, ..Usage::default() }));
    events.push(Event::End(End { finish: finish.into() }));
    let (mut out, mut end) = (Vec::new(), String::new());
    for event in events {
        match shaper.take(event.into(), "PROMPT", &mut out) {
            Outcome::Going => {}
            Outcome::Again(prompt) => end = prompt,
            Outcome::Failed(error) => end = error.code.into_owned(),
        }
    }
    let told: String = out.iter().filter_map(|event| event.kind.as_ref()).map(tell).collect();
    (told, end)
}

fn tell(event: &Event) -> String {
    match event {
        Event::Text(text) => text.text.clone(),
        Event::FunctionCall(call) => {
            assert!(call.id.starts_with("call_") && call.id.len() > 20, "{call:?}");
            format!("{}({})", call.name, call.arguments)
        }
        Event::Usage(usage) => format!(" {}+{}", usage.prompt_tokens, usage.completion_tokens),
        Event::End(end) => format!(" {:?}", end.finish()),
        _ => String::new(),
    }
}

const CALL: &str = r#"<tool_call>{"name":"get_weather","arguments":{"city":"Rome"}}</tool_call>"#;

#[rstest]
#[case::text("It is 5 < 6.", "It is 5 < 6. 5+2 Stop")]
#[case::call(CALL, r#"get_weather({"city":"Rome"}) 5+2 ToolCalls"#)]
#[case::coerced(
    r#"<tool_call>{"name":"get_weather","arguments":{"city":"Rome","days":"2"}}</tool_call>"#,
    r#"get_weather({"city":"Rome","days":2}) 5+2 ToolCalls"#
)]
#[case::stranger(
    r#"<tool_call>{"name":"rm"}</tool_call>"#,
    r#"<tool_call>{"name":"rm"}</tool_call> 5+2 Stop"#
)]
fn an_answer_is_shaped(#[case] said: &str, #[case] expected: &str) {
    let mut shaper = Shaper::new(&request()).unwrap().unwrap();
    assert_eq!(turn(&mut shaper, said, Finish::Stop), (expected.to_owned(), String::new()));
}

#[test]
fn prose_and_two_calls() {
    let mut shaper = Shaper::new(&request()).unwrap().unwrap();
    let (told, _) = turn(&mut shaper, &format!("I look. {CALL}\n{CALL}"), Finish::Stop);
    let call = r#"get_weather({"city":"Rome"})"#;
    assert_eq!(told, format!("I look. {call}{call} 5+2 ToolCalls"));
    let mut single = Shaper::new(&ChatRequest { single_call: true, ..request() }).unwrap().unwrap();
    let (told, _) = turn(&mut single, &format!("{CALL}{CALL}"), Finish::Stop);
    assert_eq!(told, format!("{call} 5+2 ToolCalls"));
}

#[test]
fn a_bad_call_is_asked_for_once_more() {
    let bad = r#"Hm. <tool_call>{"name":"get_weather","arguments":{"town":"Rome"}}</tool_call>"#;
    let mut shaper = Shaper::new(&request()).unwrap().unwrap();
    let (told, prompt) = turn(&mut shaper, bad, Finish::Stop);
    assert_eq!(told, "Hm. ");
    assert!(
        prompt.starts_with("PROMPT\n\n[assistant]\n<tool_call>") && prompt.contains("\"city\""),
        "{prompt}"
    );
    let (told, end) = turn(&mut shaper, &format!("Sorry! {CALL}"), Finish::Stop);
    assert_eq!((told.as_str(), end.as_str()), (r#"get_weather({"city":"Rome"}) 10+4 ToolCalls"#, ""));
}

#[rstest]
#[case::misses_the_schema(false, r#"{"town":"Rome"}"#, r#"get_weather({"town":"Rome"}) 10+4 ToolCalls"#, "")]
#[case::misses_it_strictly(true, r#"{"town":"Rome"}"#, "", "tool_call_invalid")]
#[case::no_json(false, "{oops}", "", "tool_call_invalid")]
fn the_second_time_counts(
    #[case] strict: bool,
    #[case] arguments: &str,
    #[case] told: &str,
    #[case] end: &str,
) {
    let tools = vec![Tool { strict, ..weather() }];
    let said = format!("<tool_call>{{\"name\":\"get_weather\",\"arguments\":{arguments}}}</tool_call>");
    for second in [said.as_str(), "I cannot."] {
        let mut shaper = Shaper::new(&ChatRequest { tools: tools.clone(), ..request() }).unwrap().unwrap();
        turn(&mut shaper, &said, Finish::Stop);
        assert_eq!(turn(&mut shaper, second, Finish::Stop), (told.to_owned(), end.to_owned()), "{second}");
    }
}

#[test]
fn a_required_call_is_waited_for() {
    let mut shaper = Shaper::new(&required("")).unwrap().unwrap();
    let (told, prompt) = turn(&mut shaper, "It rains, I think.", Finish::Stop);
    assert_eq!(told, "", "words instead of the call are not shown");
    assert!(prompt.contains("no function was called"), "{prompt}");
    assert_eq!(turn(&mut shaper, "No.", Finish::Stop), (String::new(), "tool_call_missing".to_owned()));

    let mut shaper = Shaper::new(&required("get_weather")).unwrap().unwrap();
    let (told, _) = turn(&mut shaper, &format!("Gladly. {CALL}"), Finish::Stop);
    assert_eq!(told, r#"Gladly. get_weather({"city":"Rome"}) 5+2 ToolCalls"#);

    let bare = "```json\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Rome\"}}\n```";
    let (told, _) = turn(&mut Shaper::new(&required("")).unwrap().unwrap(), bare, Finish::Stop);
    assert_eq!(told, r#"get_weather({"city": "Rome"}) 5+2 ToolCalls"#);
}

#[test]
fn what_max_tokens_cut_is_not_repaired() {
    let mut shaper = Shaper::new(&request()).unwrap().unwrap();
    let (told, end) = turn(&mut shaper, r#"Hm. <tool_call>{"name":"get_weather","argu"#, Finish::Length);
    assert_eq!((told.as_str(), end.as_str()), ("Hm.  5+2 Length", ""));
    let mut shaper = Shaper::new(&json(true)).unwrap().unwrap();
    assert_eq!(turn(&mut shaper, "{\"age\": ", Finish::Length).0, "{\"age\":  5+2 Length");
}

#[test]
fn json_is_held_back_and_held_to_its_schema() {
    let mut shaper = Shaper::new(&json(true)).unwrap().unwrap();
    assert_eq!(turn(&mut shaper, "```json\n{\"age\": 5}\n```", Finish::Stop).0, "{\"age\": 5} 5+2 Stop");
    let mut shaper = Shaper::new(&json(true)).unwrap().unwrap();
    let (told, prompt) = turn(&mut shaper, "He is five.", Finish::Stop);
    assert!(told.is_empty() && prompt.contains("[assistant]\nHe is five.\n\n[system]\n"), "{prompt}");
    assert_eq!(turn(&mut shaper, "{\"age\": \"5\"}", Finish::Stop).0, "{\"age\":5} 10+4 Stop");
    let mut shaper = Shaper::new(&json(true)).unwrap().unwrap();
    turn(&mut shaper, "no", Finish::Stop);
    assert_eq!(turn(&mut shaper, "{}", Finish::Stop).1, "structured_output_invalid");
    let mut shaper = Shaper::new(&json(false)).unwrap().unwrap();
    turn(&mut shaper, "no", Finish::Stop);
    assert_eq!(turn(&mut shaper, "{}", Finish::Stop).0, "{} 10+4 Stop");
}

#[test]
fn requests_without_either_are_not_shaped() {
    assert!(Shaper::new(&ChatRequest::default()).unwrap().is_none());
    let choice = ToolChoice { mode: Mode::None.into(), ..ToolChoice::default() };
    assert!(Shaper::new(&ChatRequest { tool_choice: Some(choice), ..request() }).unwrap().is_none());
}

#[test]
fn citations_stand_where_their_text_stands() {
    let mut shaper = Shaper::new(&request()).unwrap().unwrap();
    let cite = |start, end| Event::Citation(Citation { start, end, ..Citation::default() });
    let said = format!("月 [1] {CALL} [2]");
    let (first, call) = (2, 6 + u32::try_from(CALL.len()).unwrap());
    let mut out = Vec::new();
    let events = [
        Event::Text(Text { text: said }),
        cite(first, first + 3),
        cite(10, 12),
        cite(call + 1, call + 4),
        Event::End(End { finish: Finish::Stop.into() }),
    ];
    for event in events {
        shaper.take(event.into(), "", &mut out);
    }
    let places: Vec<(u32, u32)> = out
        .iter()
        .filter_map(|event| match &event.kind {
            Some(Event::Citation(citation)) => Some((citation.start, citation.end)),
            _ => None,
        })
        .collect();
    assert_eq!(places, [(2, 5), (7, 10)]);
}
