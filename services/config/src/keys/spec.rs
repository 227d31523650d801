//! What the operator says of a key: checked on its way in, and as messages on its way out. Pure.

use std::{collections::BTreeSet, net::IpAddr};

use grok2api_proto::{
    Error, Result,
    keys::{Budget, Facts, Key, Limits, Spec},
};
use grok2api_storage::client_keys as stored;
use ipnet::IpNet;

const NAME: usize = 128;
const NOTE: usize = 2048;
/// Longest model name or tag.
const ITEM: usize = 256;
/// Most entries of a list.
const ITEMS: usize = 256;
/// Largest limit and budget: sums of them stay exact in every store.
const MOST: u64 = 1_000_000_000_000;
const UNITS: [(&str, stored::Unit); 3] =
    [("requests", stored::Unit::Requests), ("tokens", stored::Unit::Tokens), ("units", stored::Unit::Units)];
const PERIODS: [(&str, stored::Period); 4] = [
    ("day", stored::Period::Day),
    ("week", stored::Period::Week),
    ("month", stored::Period::Month),
    ("lifetime", stored::Period::Lifetime),
];

/// What is to be stored, or the first mistake by its field.
pub(super) fn read(spec: Spec) -> Result<stored::Spec> {
    let name = spec.name.trim();
    if name.is_empty() {
        return Err(Error::invalid("name", "a client key needs a name: whose is it?"));
    }
    Ok(stored::Spec {
        name: short("name", name, NAME)?,
        note: short("note", spec.note.trim(), NOTE)?,
        disabled: spec.disabled,
        expires_at: spec.expires_at,
        models: list("models", &spec.models)?,
        addresses: few("addresses", &spec.addresses)?
            .iter()
            .map(|text| network(text))
            .collect::<Result<_>>()?,
        account_tags: list("account_tags", &spec.account_tags)?,
        limits: limits(spec.limits.unwrap_or_default())?,
        budgets: budgets(&spec.budgets)?,
    })
}

fn limits(limits: Limits) -> Result<stored::Limits> {
    let Limits { requests_per_minute, tokens_per_minute, concurrency } = limits;
    let limit = |field: &str, limit: Option<u64>| limit.map(|limit| amount(field, limit)).transpose();
    Ok(stored::Limits {
        requests_per_minute: limit("limits.requests_per_minute", requests_per_minute)?,
        tokens_per_minute: limit("limits.tokens_per_minute", tokens_per_minute)?,
        concurrency: limit("limits.concurrency", concurrency)?,
    })
}

fn amount(field: &str, amount: u64) -> Result<u64> {
    if (1..=MOST).contains(&amount) {
        return Ok(amount);
    }
    Err(Error::invalid(
        field,
        format!("{field} {amount} is not from 1 to {MOST}; a key is refused by switching it off"),
    ))
}

fn budgets(given: &[Budget]) -> Result<Vec<stored::Budget>> {
    let mut budgets: Vec<stored::Budget> = Vec::with_capacity(given.len().min(12));
    for Budget { unit, period, amount: most } in given {
        let (unit, period) = (named("unit", &UNITS, unit)?, named("period", &PERIODS, period)?);
        let budget = stored::Budget { unit, period, amount: amount("budgets", *most)? };
        if budgets.iter().any(|other| other.unit == budget.unit && other.period == budget.period) {
            let message = "there are two budgets of the same unit and period";
            return Err(Error::invalid("budgets", message));
        }
        budgets.push(budget);
    }
    Ok(budgets)
}

/// What has that name.
fn named<T: Copy>(what: &str, names: &[(&str, T)], text: &str) -> Result<T> {
    let found = names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        Error::invalid(
            "budgets",
            format!("{text:?} is no {what} of a budget; there are {}", names.join(", ")),
        )
    })
}

/// The name of a value; every one has one.
fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> String {
    names.iter().find(|(_, named)| named == value).map(|(name, _)| (*name).to_owned()).unwrap_or_default()
}

fn short(field: &str, text: &str, most: usize) -> Result<String> {
    if text.chars().count() > most {
        return Err(Error::invalid(field, format!("{field} has at most {most} characters")));
    }
    Ok(text.to_owned())
}

fn few<'a>(field: &str, items: &'a [String]) -> Result<&'a [String]> {
    if items.len() > ITEMS {
        return Err(Error::invalid(field, format!("{field} has at most {ITEMS} entries")));
    }
    Ok(items)
}

fn list(field: &str, items: &[String]) -> Result<BTreeSet<String>> {
    let one = |item: &String| {
        let item = item.trim();
        if item.is_empty() {
            return Err(Error::invalid(field, format!("an entry of {field} is empty")));
        }
        short(field, item, ITEM)
    };
    few(field, items)?.iter().map(one).collect()
}

/// An address alone is a network of one.
fn network(text: &str) -> Result<IpNet> {
    let text = text.trim();
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.map(|network| network.trunc()).ok_or_else(|| {
        let message = format!("{text:?} is neither an address (192.0.2.7) nor a network (192.0.2.0/24)");
        Error::invalid("addresses", message)
    })
}

/// A key for people.
pub(super) fn key(key: stored::ClientKey) -> Key {
    let stored::Spec { name, note, disabled, expires_at, models, addresses, account_tags, limits, budgets } =
        key.spec;
    let spec = Spec {
        name,
        note,
        disabled,
        expires_at,
        models: models.into_iter().collect(),
        addresses: addresses.iter().map(shown).collect(),
        account_tags: account_tags.into_iter().collect(),
        limits: Some(Limits {
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
            concurrency: limits.concurrency,
        })
        .filter(|limits| *limits != Limits::default()),
        budgets: budgets.iter().map(budget).collect(),
    };
    Key {
        id: key.id.to_string(),
        masked: key.masked,
        spec: Some(spec),
        created_at: key.created_at,
        last_used_at: key.last_used_at,
        revoked_at: key.revoked_at,
        version: key.version,
        budgets: Vec::new(),
    }
}

pub(super) fn budget(budget: &stored::Budget) -> Budget {
    let (unit, period) = (name_of(&UNITS, &budget.unit), name_of(&PERIODS, &budget.period));
    Budget { unit, period, amount: budget.amount }
}

/// A network of one as its address.
fn shown(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

/// A key for gateways.
pub(super) fn facts(key: &stored::ClientKey) -> Facts {
    Facts {
        id: key.id.to_string(),
        digest: key.digest.to_vec().into(),
        refused: key.spec.disabled || key.revoked_at.is_some(),
        expires_at: key.spec.expires_at,
        models: key.spec.models.iter().cloned().collect(),
        addresses: key.spec.addresses.iter().map(ToString::to_string).collect(),
        account_tags: key.spec.account_tags.iter().cloned().collect(),
        limited: key.spec.limits != stored::Limits::default() || !key.spec.budgets.is_empty(),
    }
}
