//! What revisions changed, and the way back to one. Pure.

use std::collections::BTreeSet;

use grok2api_proto::config::{Change, RevisionChanges};
use grok2api_storage::settings::{Overrides, Revision};
use serde_json::Value;

use crate::parameters::Table;

/// A secret as the history shows it.
pub(crate) const MASK: &str = "********";
/// Nobody's password comes back with an old revision.
const KEPT: &str = "admin_password";

/// What `after` changed of `before`.
pub(crate) fn changes(table: &Table, before: &Overrides, after: &Revision) -> RevisionChanges {
    let names: BTreeSet<&String> = before.keys().chain(after.overrides.keys()).collect();
    let differing = names.into_iter().filter(|name| before.get(*name) != after.overrides.get(*name));
    let changes = differing.map(|name| Change {
        name: name.clone(),
        before: shown(table, name, before.get(name)),
        after: shown(table, name, after.overrides.get(name)),
    });
    RevisionChanges {
        number: after.number,
        author: after.author.clone(),
        created_at: after.created_at,
        changes: changes.collect(),
    }
}

/// The overrides that say what an earlier revision said.
pub(crate) fn back(earlier: Overrides, newest: &Overrides) -> Overrides {
    let mut overrides = earlier;
    overrides.remove(KEPT);
    overrides.extend(newest.get(KEPT).map(|kept| (KEPT.to_owned(), kept.clone())));
    overrides
}

/// JSON text. Of a parameter that this version does not know, nobody can tell whether it is a secret.
fn shown(table: &Table, name: &str, value: Option<&Value>) -> String {
    let parameter = table.get(name);
    let Some(value) = value.or_else(|| parameter.map(|parameter| &parameter.default)) else {
        return Value::Null.to_string();
    };
    let open = parameter.is_some_and(|parameter| !parameter.secret) || value.as_str() == Some("");
    if open { value.to_string() } else { Value::from(MASK).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn overrides(value: Value) -> Overrides {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_revision_shows_what_it_changed_and_no_secret() {
        let table = Table::compiled().unwrap();
        let before =
            overrides(json!({"image_mode": "base64", "max_attempts": 5, "api_key": "sk-old-secret"}));
        let after = overrides(
            json!({"max_attempts": 5, "api_key": "sk-new-secret", "cf_clearance": "abc", "odd": 1}),
        );
        let revision = Revision { number: 3, overrides: after, author: "anna".into(), created_at: 7 };
        let told = changes(&table, &before, &revision);
        let shown: Vec<_> = told.changes.iter().map(|c| [&c.name[..], &c.before, &c.after]).collect();
        let expected = [
            ["api_key", "\"********\"", "\"********\""],
            ["cf_clearance", "\"\"", "\"********\""],
            ["image_mode", "\"base64\"", "\"url\""],
            ["odd", "null", "\"********\""],
        ];
        assert_eq!(shown, expected);
        assert_eq!((told.number, told.author.as_str(), told.created_at), (3, "anna", 7));
    }

    #[test]
    fn the_way_back_leaves_the_password() {
        let earlier = overrides(json!({"admin_password": "old", "image_mode": "base64"}));
        let newest = overrides(json!({"max_attempts": 5}));
        assert_eq!(back(earlier.clone(), &newest), overrides(json!({"image_mode": "base64"})));
        let newest = overrides(json!({"admin_password": "new"}));
        assert_eq!(back(earlier, &newest)["admin_password"], "new");
    }
}
