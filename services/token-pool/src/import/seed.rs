//! The seed's `token.json`. Source: `seed/admin-api.md`.

use std::collections::{BTreeMap, BTreeSet};

use grok2api_kit::redact::redact;
use serde::Deserialize;
use serde_json::Value;

use super::{Fields, Line, Past, checked, wrong};

/// The sections, and the tier of their accounts.
pub(super) const SECTIONS: [(&str, &str); 2] = [("ssoNormal", "basic"), ("ssoSuper", "super")];

/// Section, token, what was known of it. Sorted, so that one file gives one report.
type Seed = BTreeMap<String, BTreeMap<String, Value>>;

pub(super) fn parse(text: &str) -> Result<Vec<Line>, String> {
    let mut seed: Seed = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    let entries = SECTIONS.into_iter().flat_map(|(section, tier)| {
        let accounts = seed.remove(section).unwrap_or_default();
        accounts.into_iter().map(move |(token, known)| (token, tier, known))
    });
    let numbered = entries.enumerate().map(|(index, (token, tier, known))| {
        let note = known.get("note").and_then(Value::as_str).map(str::to_owned);
        let tags = known.get("tags").and_then(|tags| BTreeSet::deserialize(tags).ok());
        let fields = Fields { token, tier: Some(tier.into()), note, tags, ..Fields::default() };
        let mut line = checked(index + 1, fields);
        if let Ok(entry) = &mut line.entry {
            entry.past = past(&known);
        }
        line
    });
    Ok(numbered.collect())
}

fn past(known: &Value) -> Past {
    let time = |name: &str| known.get(name).and_then(Value::as_i64).filter(|at| *at > 0);
    let reason = known.get("lastFailureReason").and_then(Value::as_str).map(redact);
    let reason = reason.filter(|reason| !reason.is_empty()).map(|reason| format!(": {reason}"));
    let dead = known.get("status").and_then(Value::as_str) == Some("expired");
    let dead = dead.then(|| {
        let since = time("lastFailureTime").or(time("createdTime")).unwrap_or_default();
        (since, format!("expired in the imported file{}", reason.unwrap_or_default()))
    });
    // -1 stands for unknown; and 0 was true when it was written, but may be over by now.
    let left = [("normal", "remainingQueries"), ("heavy", "heavyremainingQueries")];
    let left = left.into_iter().filter_map(|(class, name)| {
        let units = known.get(name)?.as_u64().and_then(|units| u32::try_from(units).ok())?;
        (units > 0).then_some((class, units))
    });
    Past { created_at: time("createdTime"), dead, left: left.collect() }
}
