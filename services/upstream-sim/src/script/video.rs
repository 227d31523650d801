//! Video: progress lines and the path of the file (reference 3.10).

use serde_json::{Value, json};

use super::{Filming, Grain, Plan, Script, compose::Remains};

/// Writes the video of an answer.
pub(super) fn film(plan: &Plan, filming: Filming, script: &mut Script, remains: &mut Remains) {
    let url = format!("users/{}/generated/{}/generated_video.mp4", plan.ids.user, plan.ids.video());
    for &(percent, with_url) in steps(filming) {
        let mut line = progress(plan, percent);
        if with_url {
            line["videoUrl"] = json!(url);
        }
        if percent == 100 {
            line["assetId"] = json!(plan.ids.video());
            line["moderated"] = json!(false);
            line["thumbnailImageUrl"] = json!(url.replace("generated_video.mp4", "preview_image.jpg"));
        }
        let repeats = if filming == Filming::Repeating { 3 } else { 1 };
        for _ in 0..repeats {
            script.respond_paced(json!({"streamingVideoGenerationResponse": line}));
        }
    }
    if filming == Filming::OnlyAttachment {
        remains.files.push(url);
    }
    script.say("I generated a video", Grain::Words);
}

/// Percent, and whether the URL is on the line.
fn steps(filming: Filming) -> &'static [(u32, bool)] {
    match filming {
        Filming::Steady | Filming::Repeating => {
            &[(1, false), (25, false), (50, false), (95, false), (100, true)]
        }
        Filming::AtOnce => &[(100, true)],
        Filming::UrlEarly => &[(1, false), (50, true), (100, false)],
        Filming::OnlyAttachment => &[(1, false), (50, false), (100, false)],
    }
}

fn progress(plan: &Plan, percent: u32) -> Value {
    json!({
        "videoId": plan.ids.video(), "progress": percent, "videoPostId": plan.ids.post(), "resolutionName": "720p",
    })
}
