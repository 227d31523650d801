//! The table of parameters, and what each value must be. Pure.

use grok2api_proto::{Error, Result, config};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

const SOURCE: &str = include_str!("../parameters.toml");
/// Longest text of any parameter, in bytes: it has to fit into a header.
const MAX_TEXT: usize = 8192;
const LOG_LEVELS: [&str; 6] = ["DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL"];
const PROXY_SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// All parameters, in the order of `parameters.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    parameter: Vec<Parameter>,
}

/// One parameter. The fields' meanings stand at the head of `parameters.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "described at the head of parameters.toml")]
pub struct Parameter {
    pub name: String,
    pub scope: Scope,
    #[serde(default)]
    pub group: Group,
    pub kind: Kind,
    pub default: Value,
    pub doc: String,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub choices: Vec<String>,
    #[serde(default)]
    pub format: Format,
    #[serde(default)]
    pub min: u32,
    #[serde(default = "no_limit")]
    pub max: u32,
    #[serde(default)]
    pub shortest: usize,
    #[serde(default)]
    pub secret: bool,
}

/// Which of the seed's two tables a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// `[global]`.
    Global,
    /// `[grok]`.
    Grok,
}

/// What a parameter is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Nothing of the others.
    #[default]
    General,
    /// The console and who may use it.
    Console,
    /// Clients of the API.
    Api,
    /// What an answer looks like.
    Answers,
    /// The way to the upstream.
    Upstream,
    /// How long is waited.
    Timeouts,
    /// The accounts.
    Accounts,
    /// Generated images and videos.
    Media,
    /// What is written down.
    Records,
}

/// The JSON type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Text.
    String,
    /// A whole number, not negative.
    Integer,
    /// True or false.
    Boolean,
}

/// What a text must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Anything.
    #[default]
    Text,
    /// An http or https address.
    Url,
    /// A proxy's address.
    ProxyUrl,
    /// A level of logging, in either case.
    LogLevel,
    /// What can stand in an HTTP header.
    Header,
}

impl Table {
    /// The compiled-in table.
    ///
    /// # Errors
    /// `internal_error` when `parameters.toml` is malformed; the tests of this crate exclude it.
    pub fn compiled() -> Result<Self> {
        toml::from_str(SOURCE)
            .map_err(|error| Error::internal(format!("parameters.toml is malformed: {}", error.message())))
    }

    /// The parameter of that name.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.iter().find(|parameter| parameter.name == name)
    }

    /// All parameters.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.parameter.iter()
    }
}

impl Parameter {
    /// Whether the parameter may have that value.
    ///
    /// # Errors
    /// `invalid_parameter` at the parameter's name; the value is told unless it is a secret.
    pub fn check(&self, value: &Value) -> Result<()> {
        if value.as_str().is_some_and(|text| text.len() > MAX_TEXT) {
            return Err(self.invalid(format!("{} must be at most {MAX_TEXT} bytes long", self.name)));
        }
        if self.accepts(value) {
            return Ok(());
        }
        let rule = self.rule();
        Err(self.invalid(if self.secret {
            format!("{} must be {rule}", self.name)
        } else {
            format!("{} must be {rule}, got {}", self.name, shorten(&value.to_string()))
        }))
    }

    /// The error about a wrong value of this parameter.
    pub fn invalid(&self, message: String) -> Error {
        Error { code: "invalid_parameter".into(), ..Error::invalid(&self.name, message) }
    }

    /// What a value must be, to follow "must be".
    pub fn rule(&self) -> String {
        let text = match self.format {
            _ if !self.choices.is_empty() => format!("one of {}", self.choices.join(", ")),
            Format::Text => "text".to_owned(),
            Format::Url => "an http or https address".to_owned(),
            Format::ProxyUrl => format!("an address of one of {}", PROXY_SCHEMES.join(", ")),
            Format::LogLevel => format!("one of {}", LOG_LEVELS.join(", ")),
            Format::Header => "printable ASCII text without spaces at its ends".to_owned(),
        };
        match self.kind {
            Kind::Boolean => "true or false".to_owned(),
            Kind::Integer => format!("a whole number from {} to {}", self.min, self.max),
            Kind::String if self.required => format!("{text}, not empty"),
            Kind::String if matches!(self.format, Format::Url | Format::ProxyUrl) => {
                format!("{text}, or empty")
            }
            Kind::String if self.shortest > 0 => {
                format!("{text} of at least {} characters, or empty", self.shortest)
            }
            Kind::String => text,
        }
    }

    fn accepts(&self, value: &Value) -> bool {
        match (self.kind, value) {
            (Kind::Boolean, Value::Bool(_)) => true,
            (Kind::Integer, Value::Number(number)) => {
                number.as_u64().is_some_and(|number| (self.min.into()..=self.max.into()).contains(&number))
            }
            (Kind::String, Value::String(text)) => self.accepts_text(text),
            _ => false,
        }
    }

    fn accepts_text(&self, text: &str) -> bool {
        if !self.choices.is_empty() {
            return self.choices.iter().any(|choice| choice == text);
        }
        if text.is_empty() && self.format != Format::LogLevel {
            return !self.required;
        }
        if text.chars().count() < self.shortest {
            return false;
        }
        match self.format {
            Format::Text => true,
            Format::Url => is_address(text, &["http", "https"], true),
            Format::ProxyUrl => is_address(text, &PROXY_SCHEMES, false),
            Format::LogLevel => LOG_LEVELS.contains(&text.to_ascii_uppercase().as_str()),
            Format::Header => text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.trim() == text,
        }
    }
}

impl From<&Parameter> for config::Parameter {
    fn from(parameter: &Parameter) -> Self {
        Self {
            name: parameter.name.clone(),
            scope: parameter.scope.name().to_owned(),
            kind: parameter.kind.name().to_owned(),
            default: parameter.default.to_string(),
            description: format!("{} Must be {}.", parameter.doc, parameter.rule()),
            secret: parameter.secret,
            group: parameter.group.name().to_owned(),
            required: parameter.required,
            choices: match parameter.format {
                Format::LogLevel => LOG_LEVELS.map(str::to_owned).to_vec(),
                _ => parameter.choices.clone(),
            },
            format: parameter.format.name().to_owned(),
            min: parameter.min,
            max: parameter.max,
        }
    }
}

impl Group {
    /// As in `parameters.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Console => "console",
            Self::Api => "api",
            Self::Answers => "answers",
            Self::Upstream => "upstream",
            Self::Timeouts => "timeouts",
            Self::Accounts => "accounts",
            Self::Media => "media",
            Self::Records => "records",
        }
    }
}

impl Format {
    /// As in `parameters.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Url => "url",
            Self::ProxyUrl => "proxy-url",
            Self::LogLevel => "log-level",
            Self::Header => "header",
        }
    }
}

impl Scope {
    /// As in `parameters.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Grok => "grok",
        }
    }
}

impl Kind {
    /// As in `parameters.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        }
    }
}

/// An absolute address with a host; a base has neither query nor fragment, since paths are appended to it.
fn is_address(text: &str, schemes: &[&str], base: bool) -> bool {
    Url::parse(text).is_ok_and(|url| {
        schemes.contains(&url.scheme())
            && url.host_str().is_some_and(|host| !host.is_empty())
            && !(base && (url.query().is_some() || url.fragment().is_some()))
    })
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 80;
    if text.chars().count() <= SHOWN {
        text.to_owned()
    } else {
        text.chars().take(SHOWN).chain(['…']).collect()
    }
}

fn no_limit() -> u32 {
    u32::MAX
}

#[cfg(test)]
mod tests;
