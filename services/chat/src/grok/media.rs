//! Images and video of a turn: what is final, what is a preview, what was moderated, what was given already
//! (`grok-web-protocol.md` sections 3.8, 3.10, 9.3).

use std::collections::HashSet;

use serde_json::Value;

/// What the stream said of the turn's images so far.
#[derive(Debug, Default)]
pub(crate) struct Images {
    delivered: HashSet<String>,
    /// Paths, and ids as they stand in paths.
    moderated: HashSet<String>,
    withheld: bool,
    previewed: bool,
    limited: bool,
}

/// What the stream said of the turn's video so far.
#[derive(Debug, Default)]
pub(crate) struct Video {
    percent: Option<u32>,
    delivered: bool,
    moderated: bool,
}

/// One thing to tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Progress { index: u32, percent: u32 },
    Preview { index: u32, percent: u32, location: String },
    Ready(String),
}

impl Images {
    /// `streamingImageGenerationResponse`, or a card's `image_chunk`.
    pub(crate) fn streamed(&mut self, value: &Value) -> Option<Step> {
        let location = text(value, &["imageUrl", "url", "image_url"]);
        let percent = number(value, "progress");
        if flag(value, "moderated") {
            let ids = ["imageId", "imageUuid", "assetId"].map(|name| text(value, &[name]).to_owned());
            self.moderated
                .extend([identity(location)].into_iter().chain(ids).filter(|known| !known.is_empty()));
            self.withheld = true;
            return None;
        }
        let last = flag(value, "isFinal") || percent.is_some_and(|percent| percent >= 100);
        if last && !location.is_empty() && !is_preview(location) {
            return self.ready(location);
        }
        self.previewed = true;
        let index = number(value, "imageIndex").unwrap_or(0);
        let percent = percent?.min(100);
        if is_preview(location) {
            return Some(Step::Preview { index, percent, location: location.to_owned() });
        }
        Some(Step::Progress { index, percent })
    }

    /// One entry of `generatedImageUrls`.
    pub(crate) fn listed(&mut self, location: &str) -> Option<Step> {
        if location.is_empty() || is_preview(location) { None } else { self.ready(location) }
    }

    fn ready(&mut self, location: &str) -> Option<Step> {
        let identity = identity(location);
        let withheld =
            identity.split('/').chain([identity.as_str()]).any(|part| self.moderated.contains(part));
        if withheld || !self.delivered.insert(identity) {
            return None;
        }
        Some(Step::Ready(location.to_owned()))
    }

    pub(crate) fn delivered(&self) -> usize {
        self.delivered.len()
    }

    pub(crate) fn moderated(&self) -> bool {
        self.withheld
    }

    /// The upstream says that the account may draw no more.
    pub(crate) fn limited(&mut self) {
        self.limited = true;
    }

    /// Nothing was drawn for that reason.
    pub(crate) fn hit_limit(&self) -> bool {
        self.limited && self.delivered.is_empty()
    }

    /// Previews came, but no image was ever final.
    pub(crate) fn unfinished(&self) -> bool {
        self.previewed && self.delivered.is_empty() && !self.withheld
    }
}

impl Video {
    /// `streamingVideoGenerationResponse`: progress when it grew, and the video when its address is there.
    pub(crate) fn streamed(&mut self, value: &Value) -> Vec<Step> {
        let mut steps = Vec::new();
        if flag(value, "moderated") {
            self.moderated = true;
            return steps;
        }
        if let Some(percent) = number(value, "progress").map(|percent| percent.min(100))
            && self.percent.is_none_or(|before| percent > before)
        {
            self.percent = Some(percent);
            steps.push(Step::Progress { index: 0, percent });
        }
        steps.extend(self.ready(text(value, &["videoUrl", "url"])));
        steps
    }

    /// A path in `modelResponse.fileAttachments`.
    pub(crate) fn attached(&mut self, location: &str) -> Option<Step> {
        if location.ends_with(".mp4") { self.ready(location) } else { None }
    }

    fn ready(&mut self, location: &str) -> Option<Step> {
        if location.is_empty() || self.moderated || self.delivered {
            return None;
        }
        self.delivered = true;
        Some(Step::Ready(location.to_owned()))
    }

    pub(crate) fn delivered(&self) -> bool {
        self.delivered
    }

    pub(crate) fn moderated(&self) -> bool {
        self.moderated
    }

    /// Generation was reported, but no video came.
    pub(crate) fn unfinished(&self) -> bool {
        self.percent.is_some() && !self.delivered && !self.moderated
    }
}

/// The same asset under all its spellings: no host, no leading slash, no `-part-N`.
fn identity(location: &str) -> String {
    let path = match location.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => location.trim_start_matches('/'),
    };
    path.split('/')
        .map(|segment| segment.split("-part-").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("/")
}

fn is_preview(location: &str) -> bool {
    location.split('/').any(|segment| segment.contains("-part-"))
}

fn text<'a>(value: &'a Value, names: &[&str]) -> &'a str {
    names
        .iter()
        .filter_map(|name| value.get(name)?.as_str())
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

fn number(value: &Value, name: &str) -> Option<u32> {
    let value = value.get(name)?;
    value
        .as_u64()
        .or_else(|| value.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
        .map(|n| n.min(1000) as u32)
}

fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_preview_is_progress_and_a_final_image_comes_once() {
        let mut images = Images::default();
        let preview =
            json!({"imageUrl": "users/u/generated/i-part-0/image.jpg", "progress": 50, "imageIndex": 1});
        let location = "users/u/generated/i-part-0/image.jpg".to_owned();
        assert_eq!(images.streamed(&preview), Some(Step::Preview { index: 1, percent: 50, location }));
        assert!(images.unfinished());
        let last = json!({"imageUrl": "users/u/generated/i/image.jpg", "progress": 100});
        assert_eq!(images.streamed(&last), Some(Step::Ready("users/u/generated/i/image.jpg".into())));
        assert_eq!(images.listed("https://assets.grok.com/users/u/generated/i/image.jpg"), None);
        assert!(!images.unfinished());
    }

    #[test]
    fn a_moderated_image_is_not_delivered_even_when_it_is_listed() {
        let mut images = Images::default();
        assert_eq!(
            images.streamed(
                &json!({"url": "users/u/generated/i/image.jpg", "progress": 100, "moderated": true})
            ),
            None
        );
        assert_eq!(images.listed("/users/u/generated/i/image.jpg"), None);
        assert!(images.moderated() && images.delivered() == 0);
    }

    #[test]
    fn a_moderated_image_is_known_by_its_id_alone() {
        let mut images = Images::default();
        images.streamed(&json!({"imageId": "i77", "progress": 100, "moderated": true}));
        assert_eq!(images.listed("users/u/generated/i77/image.jpg"), None);
        assert!(images.moderated());
        assert!(images.listed("users/u/generated/i78/image.jpg").is_some());
    }

    #[test]
    fn video_progress_only_grows_and_the_address_counts_whenever_it_comes() {
        let mut video = Video::default();
        assert_eq!(video.streamed(&json!({"progress": 5})), [Step::Progress { index: 0, percent: 5 }]);
        assert_eq!(video.streamed(&json!({"progress": 5})), []);
        assert_eq!(
            video.streamed(&json!({"progress": 40, "videoUrl": "v.mp4"}))[1],
            Step::Ready("v.mp4".into())
        );
        assert_eq!(video.streamed(&json!({"progress": 100, "videoUrl": "v.mp4"})).len(), 1);
        assert_eq!(video.attached("v.mp4"), None);
    }

    #[test]
    fn a_video_may_be_known_from_the_attachments_alone() {
        let mut video = Video::default();
        video.streamed(&json!({"progress": 100, "assetId": "a"}));
        assert!(video.unfinished());
        assert_eq!(video.attached("users/u/preview.jpg"), None);
        assert_eq!(video.attached("users/u/v.mp4"), Some(Step::Ready("users/u/v.mp4".into())));
    }
}
