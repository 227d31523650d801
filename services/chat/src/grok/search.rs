//! Sources, cards and citations (`grok-web-protocol.md` sections 3.5, 3.6, 3.15).

use std::collections::{HashMap, HashSet};

use grok2api_proto::chat::{Citation, Source};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use url::Url;

use super::line::{Response, lenient, read};

const MAX_SOURCES: usize = 50;
const MAX_CITED: usize = 256;
const MAX_TITLE: usize = 512;
const MAX_URL: usize = 8 * 1024;

/// Everything a turn found and cited.
#[derive(Debug, Default)]
pub(crate) struct Search {
    titles: HashMap<String, String>,
    shown: HashSet<String>,
    cards: HashMap<String, Card>,
    numbers: HashMap<String, u32>,
    previous: Option<u32>,
}

/// What a `grok:render` tag stands for.
pub(crate) enum Rendered {
    Nothing,
    /// `[title](url)` or an image, ready for Markdown.
    Markdown(String),
    Citation {
        url: String,
        title: String,
        number: u32,
    },
}

#[derive(Debug, Deserialize)]
struct Card {
    #[serde(default)]
    id: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    image: Option<CardImage>,
}

#[derive(Debug, Deserialize)]
struct CardImage {
    #[serde(default)]
    title: String,
    #[serde(default)]
    thumbnail: String,
    #[serde(default)]
    original: String,
    #[serde(default)]
    link: String,
}

impl Search {
    /// The hits of a line that were not shown before.
    pub(crate) fn sources(&mut self, response: &Response<'_>) -> Vec<Source> {
        let fields = [
            response.web_search_results,
            response.cited_web_search_results,
            response.x_search_results,
            response.xposts,
            response.cited_xposts,
        ];
        fields.into_iter().flatten().flat_map(|raw| self.hits(raw)).collect()
    }

    /// The hits of one field: `{"results":[…]}` or the bare array.
    pub(crate) fn hits(&mut self, raw: &RawValue) -> Vec<Source> {
        let Some(value) = read::<Value>(Some(raw)) else { return Vec::new() };
        let items = value.get("results").unwrap_or(&value).as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(source).filter(|source| self.is_new(source)).collect()
    }

    fn is_new(&mut self, source: &Source) -> bool {
        if !source.title.is_empty() {
            self.titles.entry(source.url.clone()).or_insert_with(|| source.title.clone());
        }
        self.shown.len() < MAX_SOURCES && self.shown.insert(source.url.clone())
    }

    /// Remembers a card: `{"jsonData":"{…}"}`, `{"jsonData":{…}}` or the card itself. Gives its content.
    pub(crate) fn card(&mut self, value: &Value) -> Option<Value> {
        let content = match value.get("jsonData") {
            Some(Value::String(text)) => lenient(text)?,
            Some(object) => object.clone(),
            None => value.clone(),
        };
        if let Ok(card) = serde_json::from_value::<Card>(content.clone())
            && !card.id.is_empty()
        {
            self.cards.insert(card.id.clone(), card);
        }
        Some(content)
    }

    /// Resolves `<grok:render card_id="…">…`.
    pub(crate) fn render(&mut self, element: &str) -> Rendered {
        let Some(card) = attribute(element, "card_id").and_then(|id| self.cards.get(id)) else {
            return Rendered::Nothing;
        };
        match &card.image {
            Some(image) => image.markdown(),
            None => match clean_url(&card.url) {
                Some(url) => self.cite(url),
                None => Rendered::Nothing,
            },
        }
    }

    fn cite(&mut self, url: String) -> Rendered {
        let next = u32::try_from(self.numbers.len() + 1).unwrap_or(u32::MAX);
        if !self.numbers.contains_key(&url) && self.numbers.len() >= MAX_CITED {
            return Rendered::Nothing;
        }
        let number = *self.numbers.entry(url.clone()).or_insert(next);
        // The same citation again with no text between says nothing new.
        if self.previous.replace(number) == Some(number) {
            return Rendered::Nothing;
        }
        let title = self.titles.get(&url).cloned().unwrap_or_default();
        Rendered::Citation { url, title, number }
    }

    /// Visible text came: the next citation stands on its own.
    pub(crate) fn text_seen(&mut self) {
        self.previous = None;
    }
}

impl CardImage {
    fn markdown(&self) -> Rendered {
        let shown = if self.thumbnail.is_empty() { &self.original } else { &self.thumbnail };
        let Some(shown) = clean_url(shown) else { return Rendered::Nothing };
        let title = label(&self.title);
        Rendered::Markdown(match clean_url(&self.link) {
            Some(link) => format!("[![{title}]({shown})]({link})"),
            None => format!("![{title}]({shown})"),
        })
    }
}

/// A citation event whose text, if any, has `length` characters at `start`.
pub(crate) fn citation(url: String, title: String, number: u32, start: u32, length: u32) -> Citation {
    Citation { url, title, number, start, end: start + length }
}

fn source(item: &Value) -> Option<Source> {
    let field = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
    let (url, title, preview) = match (field("username"), field("postId")) {
        ("", _) | (_, "") => (clean_url(field("url"))?, field("title").to_owned(), field("preview")),
        (user, post) => {
            (clean_url(&format!("https://x.com/{user}/status/{post}"))?, format!("@{user}"), field("text"))
        }
    };
    Some(Source { url, title: title.chars().take(MAX_TITLE).collect(), preview: preview.to_owned() })
}

/// http(s) without user-info, host lower-cased, of bounded length.
fn clean_url(text: &str) -> Option<String> {
    if text.len() > MAX_URL {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let plain =
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    plain.then(|| {
        // A bare host keeps the form it was written in: no slash is added.
        let text = url.as_str();
        if url.path() == "/" && url.query().is_none() && url.fragment().is_none() {
            text.trim_end_matches('/').to_owned()
        } else {
            text.to_owned()
        }
    })
}

/// Without what would end a Markdown label.
fn label(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '[' | ']' | '\n')).take(MAX_TITLE).collect()
}

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let start = element.find(&format!("{name}=\""))? + name.len() + 2;
    let length = element[start..].find('"')?;
    Some(&element[start..start + length])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("javascript:alert(1)", None)]
    #[case("https://user:pw@example.com/", None)]
    #[case("https://EXAMPLE.com/A?b=1", Some("https://example.com/A?b=1"))]
    #[case("https://example.com", Some("https://example.com"))]
    #[case("not a url", None)]
    fn only_plain_web_addresses_are_sources(#[case] given: &str, #[case] expected: Option<&str>) {
        assert_eq!(clean_url(given).as_deref(), expected);
    }

    #[test]
    fn hits_come_wrapped_or_bare_and_once() {
        let mut search = Search::default();
        let wrapped = r#"{"results":[{"url":"https://a.example","title":"A","preview":"p"},{"username":"xai","postId":"1","text":"post"}]}"#;
        let wrapped: &RawValue = serde_json::from_str(wrapped).unwrap();
        let urls: Vec<String> = search.hits(wrapped).into_iter().map(|source| source.url).collect();
        assert_eq!(urls, ["https://a.example", "https://x.com/xai/status/1"]);
        let bare: &RawValue = serde_json::from_str(r#"[{"url":"https://a.example"}]"#).unwrap();
        assert!(search.hits(bare).is_empty());
    }

    #[test]
    fn a_citation_repeats_only_after_text_and_keeps_its_number() {
        let mut search = Search::default();
        for (id, url) in [("c1", "https://a.example"), ("c2", "https://b.example")] {
            search.card(&json!({"jsonData": json!({"id": id, "url": url}).to_string()}));
        }
        let mut cite = |id: &str| match search.render(&format!("<grok:render card_id=\"{id}\">")) {
            Rendered::Citation { number, .. } => Some(number),
            _ => None,
        };
        assert_eq!(
            [cite("c1"), cite("c1"), cite("c2"), cite("c1"), cite("unknown")],
            [Some(1), None, Some(2), Some(1), None]
        );
    }
}
