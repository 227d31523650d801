//! From one revision to the next, and from overrides to the whole configuration. Pure.

use std::collections::BTreeMap;

use grok2api_proto::{Error, Kind, Result, config::RuntimeConfig};
use grok2api_storage::settings::Overrides;
use serde_json::{Map, Value};

use crate::parameters::Table;

/// A configuration with the overrides that could not be used.
pub(crate) struct Resolved {
    pub(crate) config: RuntimeConfig,
    /// Names no parameter of this version has, or whose value it would refuse: written by another version.
    pub(crate) ignored: Vec<String>,
}

/// Applies a change set (parameter name to JSON text) to `overrides`: all of it or, on the first mistake by name, none.
/// `null` and the default's own value end an override, so that a later version's better default is followed.
pub(crate) fn apply(
    table: &Table,
    overrides: &Overrides,
    changes: BTreeMap<String, String>,
) -> Result<Overrides> {
    let mut next = overrides.clone();
    for (name, text) in changes {
        let Some(parameter) = table.get(&name) else {
            let message = format!("there is no parameter {name:?}");
            return Err(Error::new(Kind::InvalidRequest, "unknown_parameter", message).at(name));
        };
        let value: Value = serde_json::from_str(&text)
            .map_err(|_| parameter.invalid(format!("{name} must be given as JSON")))?;
        if value.is_null() || value == parameter.default {
            next.remove(&name);
        } else {
            parameter.check(&value)?;
            next.insert(name, value);
        }
    }
    Ok(next)
}

/// The defaults with the overrides over them.
pub(crate) fn resolve(table: &Table, overrides: &Overrides) -> Result<Resolved> {
    let mut values: Map<String, Value> =
        table.iter().map(|parameter| (parameter.name.clone(), parameter.default.clone())).collect();
    let mut ignored = Vec::new();
    for (name, value) in overrides {
        match table.get(name).map(|parameter| parameter.check(value)) {
            Some(Ok(())) => drop(values.insert(name.clone(), value.clone())),
            _ => ignored.push(name.clone()),
        }
    }
    let config = serde_json::from_value(Value::Object(values))
        .map_err(|error| Error::internal(format!("parameters.toml and RuntimeConfig disagree: {error}")))?;
    Ok(Resolved { config, ignored })
}

/// Names of the parameters that differ between two revisions.
pub(crate) fn changed(before: &Overrides, after: &Overrides) -> Vec<String> {
    let mut names: Vec<String> = before
        .keys()
        .chain(after.keys())
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        Table::compiled().unwrap()
    }

    fn changes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn overrides(value: Value) -> Overrides {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_table_and_the_message_name_the_same_parameters() {
        let Resolved { config, ignored } = resolve(&table(), &Overrides::new()).unwrap();
        assert!(ignored.is_empty());
        assert_eq!(config.stream_total_timeout, 600);
        let message = serde_json::to_value(&config).unwrap();
        assert_eq!(message.as_object().unwrap().len(), table().iter().count());
    }

    #[test]
    fn a_change_overrides_and_null_or_the_default_ends_it() {
        let table = table();
        let before = overrides(json!({"temporary": false, "max_attempts": 5, "image_mode": "base64"}));
        let after = apply(
            &table,
            &before,
            changes(&[
                ("temporary", "null"),
                ("image_mode", "\"url\""),
                ("base_url", "\"https://x.example\""),
            ]),
        )
        .unwrap();
        assert_eq!(after, overrides(json!({"max_attempts": 5, "base_url": "https://x.example"})));
        assert_eq!(changed(&before, &after), ["base_url", "image_mode", "temporary"]);
        assert_eq!(resolve(&table, &after).unwrap().config.max_attempts, 5);
    }

    #[rstest]
    #[case(&[("image_mode", "\"url\""), ("no_such", "1")], "unknown_parameter", "no_such")]
    #[case(&[("image_mode", "\"jpeg\""), ("max_attempts", "2")], "invalid_parameter", "image_mode")]
    #[case(&[("max_attempts", "99"), ("no_such", "1")], "invalid_parameter", "max_attempts")]
    #[case(&[("base_url", "https://x.example")], "invalid_parameter", "base_url")]
    fn one_mistake_refuses_the_whole_change(
        #[case] given: &[(&str, &str)],
        #[case] code: &str,
        #[case] param: &str,
    ) {
        let error = apply(&table(), &Overrides::new(), changes(given)).unwrap_err();
        assert_eq!(
            (error.kind, error.code.as_ref(), error.param.as_deref()),
            (Kind::InvalidRequest, code, Some(param))
        );
    }

    #[test]
    fn overrides_of_another_version_are_kept_but_not_used() {
        let table = table();
        let before = overrides(json!({"from_the_future": 1, "image_mode": "hologram", "max_attempts": 4}));
        let Resolved { config, ignored } = resolve(&table, &before).unwrap();
        assert_eq!((config.max_attempts, config.image_mode.as_str()), (4, "url"));
        assert_eq!(ignored, ["from_the_future", "image_mode"]);
        let after = apply(&table, &before, changes(&[("max_attempts", "6")])).unwrap();
        assert!(after.contains_key("from_the_future"));
    }
}
