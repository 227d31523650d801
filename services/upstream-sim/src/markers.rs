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
}

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
            let Some((marker, after)) = after.split_once(CLOSE) else {
                plain.push_str(OPEN);
                rest = after;
                continue;
            };
            let (key, value) = marker.split_once('=').map_or((marker, ""), |(key, value)| (key, value));
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
            _ => return Err("unknown key".to_owned()),
        }
        Ok(())
    }
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

    #[rstest]
    #[case("[[sim:sing]]", "[[sim:sing]]: unknown key")]
    #[case("[[sim:tokens=many]]", "[[sim:tokens=many]]: `many` is not a number")]
    #[case("[[sim:images=11]]", "[[sim:images=11]]: must be at most 10")]
    #[case("[[sim:framing=x]]", "[[sim:framing=x]]: must be a, b, c or d")]
    #[case("[[sim:fault=x]]", "[[sim:fault=x]]: unknown fault `x`")]
    fn mistakes_name_the_marker(#[case] message: &str, #[case] expected: &str) {
        assert_eq!(Markers::take(message).unwrap_err(), expected);
    }
}
