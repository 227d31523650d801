//! The scenario file: defaults, windows and faults, in TOML. Its format is in the crate doc.

use std::{collections::BTreeMap, fmt, fs, io, path::Path, str::FromStr};

use serde::Deserialize;

use crate::{
    account::{Exhausted, Pool},
    config::{Framing, SessionCheck},
    fault::{FaultCall, Scope},
};

/// What a simulator does beyond answering nicely.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Replaces the seed the simulator was started with.
    pub seed: Option<u64>,
    /// Simulated seconds per real second, for quota windows.
    pub time_scale: Option<Scale>,
    /// What an empty window answers.
    pub exhausted: Option<Exhausted>,
    /// Defaults for every answer.
    pub stream: StreamPatch,
    /// Session values to demand.
    pub session: Option<SessionCheck>,
    /// Windows, by token pattern; later lines win.
    #[serde(rename = "account")]
    pub accounts: Vec<AccountRule>,
    /// Faults; the first that strikes wins.
    #[serde(rename = "fault")]
    pub faults: Vec<FaultRule>,
}

/// A pace of time, above zero.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Scale(pub(crate) f64);

/// Stream defaults a scenario changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamPatch {
    /// `a`, `b`, `c` or `d`.
    pub framing: Option<Framing>,
    /// Cut every object into small writes.
    pub split: Option<bool>,
    /// Milliseconds before each token.
    pub token_delay_ms: Option<u64>,
    /// Milliseconds before the first byte.
    pub first_delay_ms: Option<u64>,
}

/// Windows of the accounts whose token matches.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRule {
    /// Token pattern.
    pub token: Pattern,
    /// Changes per window; windows a tier lacks are passed over.
    pub windows: BTreeMap<Pool, WindowPatch>,
}

/// Changes to one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WindowPatch {
    /// Units when full; also refills it.
    pub total: Option<u32>,
    /// Units left now.
    pub remaining: Option<u32>,
    /// Length in simulated seconds.
    pub window_seconds: Option<u32>,
}

/// A fault and whom it strikes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "RawRule")]
pub struct FaultRule {
    /// The fault, as in a prompt: `name`, `name=N`.
    pub name: FaultCall,
    /// Token pattern; all accounts by default.
    pub token: Pattern,
    /// One scope; all the fault knows by default.
    pub on: Option<Scope>,
    /// Only so many requests, counted over all accounts that match.
    pub first: Option<u32>,
    /// Probability between 0 and 1, drawn from the seed.
    pub chance: Option<f64>,
}

/// The body of `POST /__sim/accounts/{token}`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountPatch {
    /// Changes per window.
    pub windows: BTreeMap<Pool, WindowPatch>,
    /// Replaces all faults of this account.
    pub faults: Option<Vec<FaultRule>>,
    /// What an empty window of this account answers.
    pub exhausted: Option<Exhausted>,
}

/// A token pattern in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Pattern(String);

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read scenario {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The text is not a scenario.
    #[error("scenario line {line}, `{key}`: {message}")]
    Invalid {
        /// Line, from 1.
        line: usize,
        /// The key or table on that line.
        key: String,
        /// What is wrong with it.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    name: FaultCall,
    #[serde(default)]
    token: Pattern,
    on: Option<Scope>,
    first: Option<u32>,
    chance: Option<f64>,
}

impl Scenario {
    /// Reads a scenario file.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ScenarioError::Read { path: path.display().to_string(), source })?;
        text.parse()
    }
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    /// Reads TOML, or JSON of the same shape when the text begins with `{`.
    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        if text.trim_start().starts_with('{') {
            return serde_json::from_str(text).map_err(|error| {
                let line = error.line();
                ScenarioError::Invalid { line, key: key_on(text, line), message: error.to_string() }
            });
        }
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text[..start].matches('\n').count() + 1;
            ScenarioError::Invalid { line, key: key_on(text, line), message: error.message().to_owned() }
        })
    }
}

/// The key, or the table header, that a line holds.
fn key_on(text: &str, line: usize) -> String {
    let line = text.lines().nth(line - 1).unwrap_or_default();
    let key = line.split(['=', ':']).next().unwrap_or_default();
    key.trim_matches([' ', '"', '\t', '[', ']']).to_owned()
}

impl TryFrom<RawRule> for FaultRule {
    type Error = String;

    fn try_from(raw: RawRule) -> Result<Self, String> {
        let RawRule { name, token, on, first, chance } = raw;
        if let Some(scope) = on
            && !name.fault.scopes.contains(&scope)
        {
            return Err(format!("fault `{}` does not act on {scope:?}", name.fault.name));
        }
        if chance.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return Err(format!("chance of fault `{}` must be between 0 and 1", name.fault.name));
        }
        Ok(Self { name, token, on, first, chance })
    }
}

impl FaultRule {
    /// A rule for one fault, for every account and request it can strike.
    pub fn new(name: FaultCall) -> Self {
        Self { name, token: Pattern::default(), on: None, first: None, chance: None }
    }

    /// Whether a request of this kind and account is the rule's business.
    pub(crate) fn covers(&self, scope: Scope, token: &str) -> bool {
        self.on.is_none_or(|on| on == scope)
            && self.name.fault.scopes.contains(&scope)
            && self.token.matches(token)
    }
}

impl Pattern {
    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn matches(&self, token: &str) -> bool {
        let mut parts = self.0.split('*');
        let head = parts.next().unwrap_or_default();
        let Some(mut rest) = token.strip_prefix(head) else { return false };
        let mut parts: Vec<_> = parts.collect();
        let Some(tail) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(tail)
    }
}

impl Default for Pattern {
    fn default() -> Self {
        Self("*".to_owned())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<f64> for Scale {
    type Error = String;

    fn try_from(scale: f64) -> Result<Self, String> {
        if scale.is_finite() && scale > 0.0 { Ok(Self(scale)) } else { Err("must be above 0".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_example_file_is_valid() {
        let scenario: Scenario = include_str!("../scenarios/example.toml").parse().unwrap();
        assert!(!scenario.faults.is_empty() && !scenario.accounts.is_empty());
        assert_eq!(scenario.stream.framing, Some(Framing::A));
    }

    #[test]
    fn a_file_is_loaded_or_named_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scenario.toml");
        fs::write(&path, "seed = 3").unwrap();
        assert_eq!(Scenario::load(&path).unwrap().seed, Some(3));
        let error = Scenario::load(&folder.path().join("none.toml")).unwrap_err().to_string();
        assert!(error.contains("cannot read scenario") && error.contains("none.toml"), "{error}");
    }

    #[rstest]
    #[case("sed = 1", "scenario line 1, `sed`: unknown field `sed`")]
    #[case("seed = 1\n\n[[fault]]\nname = \"teapot\"", "scenario line 4, `name`: unknown fault `teapot`")]
    #[case("[[fault]]\nname = \"500\"\nfirst = \"two\"", "scenario line 3, `first`: invalid type")]
    #[case(
        "[[fault]]\nname = \"stall-mid\"\non = \"upload\"",
        "scenario line 1, `fault`: fault `stall-mid` does not"
    )]
    #[case("[stream]\nframing = \"z\"", "scenario line 2, `framing`: unknown variant `z`")]
    #[case("time_scale = 0.0", "scenario line 1, `time_scale`: must be above 0")]
    #[case("seed = 1\nexhausted =", "scenario line 2, `exhausted`:")]
    #[case("{\n \"sed\": 1}", "scenario line 2, `sed`: unknown field `sed`")]
    fn mistakes_are_told_with_line_and_key(#[case] text: &str, #[case] expected: &str) {
        let error = text.parse::<Scenario>().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }

    #[rstest]
    #[case("*", "anything", true)]
    #[case("sim-basic-*", "sim-basic-7", true)]
    #[case("sim-*-bad*", "sim-super-bad7", true)]
    #[case("sim-*-bad", "sim-super-bad7", false)]
    #[case("sim-basic-a", "sim-basic-ab", false)]
    #[case("a*a", "a", false)]
    fn patterns(#[case] pattern: &str, #[case] token: &str, #[case] expected: bool) {
        assert_eq!(Pattern(pattern.to_owned()).matches(token), expected);
    }
}
