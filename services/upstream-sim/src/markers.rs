//! `[[sim:KEY]]` and `[[sim:KEY=VALUE]]` in a prompt: what this one request wants of the simulator.

use std::time::Duration;

use crate::{config::Framing, fault::FaultCall};

/// Everything a prompt asked for; what it did not name is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Markers {
    pub(crate) say: Option<String>,
    pub(crate) tokens: Option<usize>,
    pub(crate) delay: Option<Duration>,
    pub(crate) first_delay: Option<Duration>,
    pub(crate) think: Option<bool>,
    pub(crate) search: Option<bool>,
    pub(crate) images: Option<u32>,
    pub(crate) video: Option<bool>,
    pub(crate) framing: Option<Framing>,
    pub(crate) split: Option<bool>,
    pub(crate) e4: Option<bool>,
    pub(crate) fault: Option<FaultCall>,
    pub(crate) agent: Agent,
}

/// What a prompt asked of the model as an agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Agent {
    /// Functions to call: name, and arguments as they were written.
    pub(crate) calls: Vec<(String, String)>,
    /// How badly they are written.
    pub(crate) style: Style,
    /// JSON to answer with; empty for what fits the schema in the prompt.
    pub(crate) json: Option<String>,
    /// It does not do better when it is told.
    pub(crate) stubborn: bool,
    /// Where the last of these markers stood in the text that is left.
    pub(crate) at: usize,
}

/// The ways in which models write calls and JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    #[default]
    Plain,
    /// One letter a token.
    Split,
    /// With words before and behind.
    Prose,
    /// In a code fence.
    Fenced,
    /// Without the closing tag.
    Unclosed,
    /// All calls as one list.
    List,
    /// Single quotes, Python's literals, a comma too many.
    Sloppy,
    /// Numbers as strings.
    Types,
    /// Not JSON at all.
    Invalid,
    /// JSON without anything that the schema wants.
    Empty,
    /// Words instead.
    Words,
    /// A function that nobody has declared.
    Unknown,
}

const STYLES: [(&str, Style); 12] = [
    ("plain", Style::Plain),
    ("split", Style::Split),
    ("prose", Style::Prose),
    ("fenced", Style::Fenced),
    ("unclosed", Style::Unclosed),
    ("list", Style::List),
    ("sloppy", Style::Sloppy),
    ("types", Style::Types),
    ("invalid", Style::Invalid),
    ("empty", Style::Empty),
    ("words", Style::Words),
    ("unknown", Style::Unknown),
];

const OPEN: &str = "[[sim:";
const CLOSE: &str = "]]";
/// Enough for any test, and no more than a few megabytes.
const MOST_TOKENS: usize = 200_000;
const MOST_IMAGES: u32 = 10;

impl Markers {
    /// Takes the markers out of `message`. Returns them and what is left; a later marker wins over an earlier one
    /// of the same key. The error names the marker.
    pub(crate) fn take(message: &str) -> Result<(Self, String), String> {
        let mut markers = Self::default();
        let mut plain = String::with_capacity(message.len());
        let mut rest = message;
        while let Some((before, after)) = rest.split_once(OPEN) {
            plain.push_str(before);
            let Some((marker, after)) = split(after) else {
                plain.push_str(OPEN);
                rest = after;
                continue;
            };
            let (key, value) = marker.split_once('=').map_or((marker, ""), |(key, value)| (key, value));
            if matches!(key.trim(), "call" | "json") {
                markers.agent.at = plain.len();
            }
            markers.set(key.trim(), value).map_err(|error| format!("[[sim:{marker}]]: {error}"))?;
            rest = after;
        }
        plain.push_str(rest);
        Ok((markers, plain))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "say" => self.say = Some(value.to_owned()),
            "tokens" => self.tokens = Some(number(value, MOST_TOKENS)?),
            "delay_ms" => self.delay = Some(Duration::from_millis(number(value, u64::MAX)?)),
            "first_delay_ms" => self.first_delay = Some(Duration::from_millis(number(value, u64::MAX)?)),
            "think" => self.think = Some(switch(value)?),
            "search" => self.search = Some(switch(value)?),
            "images" => self.images = Some(if value.is_empty() { 2 } else { number(value, MOST_IMAGES)? }),
            "video" => self.video = Some(switch(value)?),
            "framing" => self.framing = Some(Framing::parse(value).ok_or("must be a, b, c or d")?),
            "split" => self.split = Some(switch(value)?),
            "e4" => self.e4 = Some(switch(value)?),
            "fault" => self.fault = Some(value.parse()?),
            "call" => self.agent.calls.push(call(value)?),
            "style" => self.agent.style = style(value)?,
            "json" => self.agent.json = Some(value.trim().to_owned()),
            "stubborn" => self.agent.stubborn = switch(value)?,
            _ => return Err("unknown key".to_owned()),
        }
        Ok(())
    }
}

/// A marker and what follows it. JSON in one may hold `]]`.
fn split(text: &str) -> Option<(&str, &str)> {
    let ends = text.match_indices(CLOSE).map(|(at, _)| at);
    let json = text
        .split_once(CLOSE)
        .and_then(|(marker, _)| marker.find('{'))
        .filter(|_| ["call=", "json="].iter().any(|key| text.starts_with(key)));
    let is_end = |at: &usize| {
        json.is_none_or(|from| serde_json::from_str::<serde::de::IgnoredAny>(&text[from..*at]).is_ok())
    };
    let end = ends.clone().find(is_end).or_else(|| ends.clone().next())?;
    Some((&text[..end], &text[end + CLOSE.len()..]))
}

/// `NAME` or `NAME {JSON}`.
fn call(value: &str) -> Result<(String, String), String> {
    let value = value.trim();
    let (name, arguments) = match value.find('{') {
        Some(at) => (value[..at].trim(), &value[at..]),
        None => (value, "{}"),
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err("must be NAME {JSON}".to_owned());
    }
    Ok((name.to_owned(), arguments.to_owned()))
}

fn style(value: &str) -> Result<Style, String> {
    let known = STYLES.iter().find(|(name, _)| *name == value).map(|(_, style)| *style);
    known.ok_or_else(|| {
        let names: Vec<&str> = STYLES.iter().map(|(name, _)| *name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn switch(value: &str) -> Result<bool, String> {
    match value {
        "" | "on" | "true" | "1" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err("must be on or off".to_owned()),
    }
}

fn number<N: std::str::FromStr + PartialOrd + std::fmt::Display>(value: &str, most: N) -> Result<N, String> {
    let number = value.trim().parse::<N>().map_err(|_| format!("`{value}` is not a number"))?;
    if number <= most { Ok(number) } else { Err(format!("must be at most {most}")) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn markers_are_read_and_stripped() {
        let (markers, plain) =
            Markers::take("Hi[[sim:say=a=b 月]] there[[sim:delay_ms=5]][[sim:think]][[sim:fault=500:1]]")
                .unwrap();
        assert_eq!(plain, "Hi there");
        assert_eq!(markers.say.as_deref(), Some("a=b 月"));
        assert_eq!(markers.delay, Some(Duration::from_millis(5)));
        assert_eq!((markers.think, markers.search), (Some(true), None));
        assert_eq!(markers.fault.unwrap().first, Some(1));
    }

    #[test]
    fn the_last_of_a_key_wins_and_an_open_marker_is_text() {
        let (markers, plain) = Markers::take("[[sim:tokens=3]][[sim:tokens=4]] x [[sim:tok").unwrap();
        assert_eq!(markers.tokens, Some(4));
        assert_eq!(plain, " x [[sim:tok");
    }

    #[test]
    fn calls_are_read_with_brackets_in_them() {
        let (markers, plain) = Markers::take(
            "do [[sim:call=run {\"a\":[[1]],\"b\":\"]]\"}]][[sim:call=now]][[sim:style=prose]] it",
        )
        .unwrap();
        let calls = [("run", "{\"a\":[[1]],\"b\":\"]]\"}"), ("now", "{}")];
        assert_eq!(markers.agent.calls, calls.map(|(name, given)| (name.to_owned(), given.to_owned())));
        assert_eq!((markers.agent.style, markers.agent.at, plain.as_str()), (Style::Prose, 3, "do  it"));
    }

    #[rstest]
    #[case("[[sim:sing]]", "[[sim:sing]]: unknown key")]
    #[case("[[sim:tokens=many]]", "[[sim:tokens=many]]: `many` is not a number")]
    #[case("[[sim:images=11]]", "[[sim:images=11]]: must be at most 10")]
    #[case("[[sim:framing=x]]", "[[sim:framing=x]]: must be a, b, c or d")]
    #[case("[[sim:call= {}]]", "[[sim:call= {}]]: must be NAME {JSON}")]
    #[case("[[sim:fault=x]]", "[[sim:fault=x]]: unknown fault `x`")]
    fn mistakes_name_the_marker(#[case] message: &str, #[case] expected: &str) {
        assert_eq!(Markers::take(message).unwrap_err(), expected);
    }
}
