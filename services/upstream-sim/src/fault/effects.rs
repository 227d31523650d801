//! What the faults of the table do to a plan or to a script.

use bytes::Bytes;
use serde_json::json;

use crate::script::{Beat, Closing, Drawing, Filming, Grain, Plan, Script};

pub(super) fn error_after_text(script: &mut Script, code: u32) {
    let line = script.lines.error(code);
    script.break_off(Beat::Object(line));
}

pub(super) fn stream_errors(script: &mut Script, _: u32) {
    let message = json!({"message": "", "streamErrors": [{"message": "upstream stream failed"}]});
    let line = script.lines.response(json!({"modelResponse": message}));
    script.break_off(Beat::Object(line));
}

pub(super) fn empty_body(script: &mut Script, _: u32) {
    script.beats.clear();
    script.ends_cleanly = false;
}

pub(super) fn only_whitespace(script: &mut Script, _: u32) {
    script.beats = vec![Beat::Raw(Bytes::from_static(b"\n \n\t\n"))];
    script.ends_cleanly = false;
}

pub(super) fn only_conversation(script: &mut Script, _: u32) {
    script.beats.truncate(1);
    script.ends_cleanly = false;
}

pub(super) fn truncated_object(script: &mut Script, _: u32) {
    let line = script.lines.response(json!({"token": "this line never ends"}));
    let half = line.slice(..line.len() / 2);
    script.break_off(Beat::Cut(half));
}

pub(super) fn bad_line(script: &mut Script, _: u32) {
    script.interrupt(Beat::Object(Bytes::from_static(br#"{"result":{"response":{token: not json}}}"#)));
}

pub(super) fn stall_at_once(script: &mut Script, _: u32) {
    script.beats = vec![Beat::Hold];
}

pub(super) fn stall_mid(script: &mut Script, _: u32) {
    script.break_off(Beat::Hold);
}

pub(super) fn reset_mid(script: &mut Script, _: u32) {
    script.break_off(Beat::Reset);
}

pub(super) fn no_tokens(script: &mut Script, _: u32) {
    script.beats.retain(|beat| !matches!(beat, Beat::Say(speech) if !speech.thinking));
}

pub(super) fn token_list(script: &mut Script, _: u32) {
    let line = script.lines.response(json!({"token": ["a", "list"]}));
    script.interrupt(Beat::Object(line));
}

pub(super) fn late_thinking(script: &mut Script, _: u32) {
    let line = script.lines.thought("summary", "- One more thought, too late.\n", 1);
    script.interrupt(Beat::Paced(line));
}

pub(super) fn blank_tokens(script: &mut Script, _: u32) {
    let blank = ["", " ", "\n"].map(|token| script.lines.response(json!({"token": token})));
    let beats = std::mem::take(&mut script.beats);
    for (index, beat) in beats.into_iter().enumerate() {
        let between = matches!(beat, Beat::Paced(_));
        script.beats.push(beat);
        if between {
            script.beats.push(Beat::Object(blank[index % blank.len()].clone()));
        }
    }
}

pub(super) fn split_tags(script: &mut Script, _: u32) {
    for beat in &mut script.beats {
        if let Beat::Say(speech) = beat
            && speech.grain == Grain::Whole
        {
            speech.grain = Grain::Chars(7);
        }
    }
}

pub(super) fn cite_twice(plan: &mut Plan, _: u32) {
    plan.search = true;
    plan.cite_twice = true;
}

pub(super) fn moderate_images(plan: &mut Plan, count: u32) {
    plan.draw(Drawing::Moderated { first: if count == 0 { u32::MAX } else { count } });
}

pub(super) fn only_previews(plan: &mut Plan, _: u32) {
    plan.draw(Drawing::PreviewOnly);
}

pub(super) fn image_limit(plan: &mut Plan, _: u32) {
    plan.draw(Drawing::Limit);
}

pub(super) fn search(plan: &mut Plan, _: u32) {
    plan.search = true;
}

pub(super) fn no_message(plan: &mut Plan, _: u32) {
    plan.closing = Closing::Missing;
}

pub(super) fn message_shorter(plan: &mut Plan, _: u32) {
    plan.closing = Closing::Shorter;
}

pub(super) fn message_longer(plan: &mut Plan, _: u32) {
    plan.closing = Closing::Longer;
}

pub(super) fn message_different(plan: &mut Plan, _: u32) {
    plan.closing = Closing::Different;
}

pub(super) fn video_at_once(plan: &mut Plan, _: u32) {
    plan.film(Filming::AtOnce);
}

pub(super) fn video_repeats(plan: &mut Plan, _: u32) {
    plan.film(Filming::Repeating);
}

pub(super) fn video_url_early(plan: &mut Plan, _: u32) {
    plan.film(Filming::UrlEarly);
}

pub(super) fn video_attached(plan: &mut Plan, _: u32) {
    plan.film(Filming::OnlyAttachment);
}
