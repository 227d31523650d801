//! What the operator says of a key: checked on its way in, and as messages on its way out. Pure.

use std::{collections::BTreeSet, net::IpAddr};

use grok2api_proto::{
    Error, Kind, Result,
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

/// What is to be stored, or the first mistake by its field.
pub(super) fn read(spec: Spec) -> Result<stored::Spec> {
    enforced(&spec)?;
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
        limits: stored::Limits::default(),
        budgets: Vec::new(),
    })
}

/// Nobody may believe in a limit that this version does not keep.
fn enforced(spec: &Spec) -> Result<()> {
    let limits = spec.limits.unwrap_or_default();
    let given = [
        ("limits.requests_per_minute", limits.requests_per_minute.is_some()),
        ("limits.tokens_per_minute", limits.tokens_per_minute.is_some()),
        ("limits.concurrency", limits.concurrency.is_some()),
        ("budgets", !spec.budgets.is_empty()),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => {
            let message = format!("{name}: this version does not enforce it, so it cannot be set");
            Err(Error::new(Kind::InvalidRequest, "not_enforced", message).at(*name))
        }
    }
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
    }
}

fn budget(budget: &stored::Budget) -> Budget {
    let unit = match budget.unit {
        stored::Unit::Requests => "requests",
        stored::Unit::Tokens => "tokens",
        stored::Unit::Units => "units",
    };
    let period = match budget.period {
        stored::Period::Day => "day",
        stored::Period::Week => "week",
        stored::Period::Month => "month",
        stored::Period::Lifetime => "lifetime",
    };
    Budget { unit: unit.to_owned(), period: period.to_owned(), amount: budget.amount }
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
    }
}
