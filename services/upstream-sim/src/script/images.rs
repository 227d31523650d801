//! Pictures: progress lines in 2025, cards in 2026 (reference 3.8).

use serde_json::{Value, json};

use super::{Drawing, Grain, Plan, Script, compose::Remains};
use crate::models::Era;

/// Writes the pictures of an answer.
pub(super) fn draw(plan: &Plan, count: u32, drawing: Drawing, script: &mut Script, remains: &mut Remains) {
    if drawing == Drawing::Limit {
        return refuse(script, remains);
    }
    match plan.era {
        Era::E1 => progress_lines(plan, count, drawing, script, remains),
        Era::E3 => cards(plan, count, drawing, script, remains),
    }
}

/// The path of a picture; `suffix` is `-part-0` for a preview.
fn path(plan: &Plan, index: u32, suffix: &str) -> String {
    format!("users/{}/generated/{}{suffix}/image.jpg", plan.ids.user, plan.ids.image(index))
}

fn moderated(drawing: Drawing, index: u32) -> bool {
    matches!(drawing, Drawing::Moderated { first } if index < first)
}

fn progress_lines(plan: &Plan, count: u32, drawing: Drawing, script: &mut Script, remains: &mut Remains) {
    script.respond(json!({"imageAttachmentInfo": {"imageCount": count}}));
    script.say(&format!("I generated images with the prompt: '{}'", plan.subject()), Grain::Words);
    for index in 0..count {
        script.respond_paced(json!({"streamingImageGenerationResponse": {
            "imageId": plan.ids.image(index), "imageUrl": path(plan, index, "-part-0"),
            "seq": 0, "progress": 50, "imageIndex": index, "moderated": false,
        }}));
    }
    if drawing == Drawing::PreviewOnly {
        return;
    }
    for index in 0..count {
        let url = path(plan, index, "");
        script.respond_paced(json!({"streamingImageGenerationResponse": {
            "imageId": plan.ids.image(index), "imageUrl": url,
            "seq": 1, "progress": 100, "imageIndex": index, "moderated": moderated(drawing, index),
        }}));
        // A moderated picture is repeated here on purpose: that is what the upstream does.
        remains.image_urls.push(url);
    }
}

fn cards(plan: &Plan, count: u32, drawing: Drawing, script: &mut Script, remains: &mut Remains) {
    for index in 0..count {
        script.respond(attachment(&card(index, &Value::Null)));
        let tag = format!(
            "<grok:render card_id=\"img_{index}\" card_type=\"generated_image_card\" type=\"render_file\">\
             <argument name=\"file_path\">/home/workdir/artifacts/imagine_images/{index}.jpg</argument></grok:render>"
        );
        script.say(&tag, Grain::Whole);
    }
    for index in 0..count {
        let preview = chunk(plan, index, "-part-0", 50, false);
        script.respond_paced(attachment(&card(index, &preview)));
    }
    if drawing != Drawing::PreviewOnly {
        for index in 0..count {
            let last = card(index, &chunk(plan, index, "", 100, moderated(drawing, index)));
            script.respond_paced(attachment(&last));
            remains.cards.push(last);
        }
    }
    script.say(&format!("Here it is: {}.", plan.subject()), Grain::Words);
}

fn chunk(plan: &Plan, index: u32, suffix: &str, progress: u32, moderated: bool) -> Value {
    let url = path(plan, index, suffix);
    json!({
        "imageUuid": plan.ids.image(index), "imageUrl": url, "progress": progress, "moderated": moderated,
    })
}

fn card(index: u32, chunk: &Value) -> String {
    let id = format!("img_{index}");
    json!({"id": id, "type": "render_file", "cardType": "generated_image_card", "image_chunk": chunk})
        .to_string()
}

fn attachment(card: &str) -> Value {
    json!({"cardAttachment": {"jsonData": card}})
}

fn refuse(script: &mut Script, remains: &mut Remains) {
    let card = json!({"image_chunk": {"progress": 100, "systemErrCode": "rate_limit"}}).to_string();
    script.respond(json!({
        "error": {"message": "You've reached your usage limit. Please try again later."},
        "cardAttachment": {"jsonData": card},
    }));
    remains.over = true;
}
