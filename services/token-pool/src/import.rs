//! Accounts as people keep them: lines, JSON, JSON lines, the seed's `token.json`. Pure.

mod seed;

use std::collections::{BTreeMap, BTreeSet};

use grok2api_proto::pool::ImportFormat;
use grok2api_storage::accounts::{Tier, Token};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::token::normalise;

/// One entry of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Line of the text, or number of the entry in a JSON document; from one.
    pub(crate) number: usize,
    /// What people may see of its token.
    pub(crate) masked: String,
    /// The account, or why there is none.
    pub(crate) entry: Result<Entry, String>,
}

/// What an entry says of its account; what it leaves out is up to the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) token: Token,
    pub(crate) tier: Option<Tier>,
    pub(crate) note: String,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) priority: Option<i32>,
    pub(crate) enabled: Option<bool>,
    pub(crate) past: Past,
}

/// What another program knew of an account; of use for a new one only. Times are epoch milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) created_at: Option<i64>,
    /// Since when its credential is dead, and why.
    pub(crate) dead: Option<(i64, String)>,
    /// Units that were left, by class.
    pub(crate) left: BTreeMap<&'static str, u32>,
}

impl Entry {
    /// A token of which nothing more is said.
    pub(crate) fn of(token: Token) -> Self {
        Self {
            token,
            tier: None,
            note: String::new(),
            tags: BTreeSet::new(),
            priority: None,
            enabled: None,
            past: Past::default(),
        }
    }
}

/// An entry as an object; the names that other tools use are understood.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    #[serde(alias = "sso", alias = "cookie", alias = "value")]
    token: String,
    #[serde(alias = "type", alias = "token_type")]
    tier: Option<String>,
    #[serde(alias = "remark", alias = "name")]
    note: Option<String>,
    tags: Option<BTreeSet<String>>,
    priority: Option<i32>,
    enabled: Option<bool>,
    disabled: Option<bool>,
}

/// Splits a text into entries. Empty lines and comments are none.
///
/// # Errors
/// Why the text as a whole is not of its format.
pub(crate) fn parse(text: &str, format: ImportFormat) -> Result<Vec<Line>, String> {
    let text = text.trim_start_matches('\u{feff}');
    match if format == ImportFormat::Unspecified { guess(text) } else { format } {
        ImportFormat::Unspecified | ImportFormat::Lines => Ok(lines(text).filter_map(plain).collect()),
        ImportFormat::Jsonl => Ok(lines(text).map(|(number, line)| json_entry(number, line)).collect()),
        ImportFormat::Json => {
            let entries: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| wrong(&error))?;
            let entries = entries.into_iter().enumerate();
            Ok(entries.map(|(index, entry)| json_entry(index + 1, entry.get())).collect())
        }
        ImportFormat::Seed => seed::parse(text),
    }
}

fn guess(text: &str) -> ImportFormat {
    let text = text.trim_start();
    if text.starts_with('[') {
        ImportFormat::Json
    } else if !text.starts_with(['{', '"']) {
        ImportFormat::Lines
    } else if serde_json::from_str::<BTreeMap<String, &RawValue>>(text)
        .is_ok_and(|fields| seed::SECTIONS.iter().any(|(section, _)| fields.contains_key(*section)))
    {
        ImportFormat::Seed
    } else if text.starts_with('{') {
        ImportFormat::Jsonl
    } else {
        // A quoted line may be JSON or what a spreadsheet wrote: the plain reading takes both.
        ImportFormat::Lines
    }
}

/// The lines that say something, numbered from one.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#') && !line.starts_with("//"))
}

/// `token`, or `token,tier,note`; a head line is none.
fn plain((number, line): (usize, &str)) -> Option<Line> {
    let mut cells = line.splitn(3, [',', '\t']).map(|cell| cell.trim().trim_matches('"'));
    let token = cells.next().unwrap_or_default();
    let tier = cells.next().unwrap_or_default();
    if number == 1 && ["token", "sso"].contains(&token.to_ascii_lowercase().as_str()) {
        return None;
    }
    let note = cells.next().unwrap_or_default().to_owned();
    Some(checked(
        number,
        Fields { token: token.into(), tier: Some(tier.into()), note: Some(note), ..Fields::default() },
    ))
}

fn json_entry(number: usize, text: &str) -> Line {
    let fields = match serde_json::from_str::<Value>(text) {
        Ok(Value::String(token)) => Ok(Fields { token, ..Fields::default() }),
        Ok(value @ Value::Object(_)) => {
            serde_json::from_value(value).map_err(|_| "the object does not hold what an account holds")
        }
        Ok(_) => Err("it is neither a token nor an object"),
        Err(_) => Err("it is no JSON"),
    };
    match fields {
        Ok(fields) => checked(number, fields),
        Err(reason) => Line { number, masked: String::new(), entry: Err(reason.to_owned()) },
    }
}

fn checked(number: usize, fields: Fields) -> Line {
    let masked = grok2api_proto::mask(fields.token.trim());
    let token = normalise(&fields.token);
    let masked = token.as_ref().map_or(masked, Token::masked);
    Line { number, masked, entry: entry(token, fields) }
}

fn entry(token: Result<Token, &'static str>, fields: Fields) -> Result<Entry, String> {
    Ok(Entry {
        tier: fields.tier.as_deref().map_or(Ok(None), tier)?,
        note: fields.note.unwrap_or_default(),
        tags: tags(fields.tags.unwrap_or_default())?,
        priority: fields.priority,
        enabled: fields.enabled.or(fields.disabled.map(|disabled| !disabled)),
        ..Entry::of(token?)
    })
}

/// A tier by name, the seed's names included; empty for none.
fn tier(name: &str) -> Result<Option<Tier>, String> {
    match name.trim().to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "basic" | "sso" | "free" => Ok(Some(Tier::Basic)),
        "super" | "ssosuper" => Ok(Some(Tier::Super)),
        "heavy" => Ok(Some(Tier::Heavy)),
        _ => Err("the tier is none of basic, super, heavy".to_owned()),
    }
}

/// Tags as they are kept.
///
/// # Errors
/// What is wrong with one of them.
pub(crate) fn tags(given: impl IntoIterator<Item = String>) -> Result<BTreeSet<String>, String> {
    let tags: BTreeSet<String> = given.into_iter().map(|tag| tag.trim().to_owned()).collect();
    if tags.iter().any(|tag| tag.is_empty() || tag.chars().count() > 64 || tag.contains(char::is_control)) {
        return Err("a tag has 1 to 64 printable characters".to_owned());
    }
    if tags.len() > 32 {
        return Err("an account has at most 32 tags".to_owned());
    }
    Ok(tags)
}

fn wrong(error: &serde_json::Error) -> String {
    format!("the text is not of its format: line {}, column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests;
