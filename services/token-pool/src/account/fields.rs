//! What is hot of an account, as fields of a hash.

use std::collections::{BTreeMap, HashMap};

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::{Status, StoredFailure};
use serde::{Deserialize, Serialize};

use super::Account;
use crate::{classes::Classes, window::Window};

/// The hash of an account as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(pub(crate) HashMap<String, String>);

/// Which state of the hash this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    /// Grows with every change.
    pub(crate) version: u64,
    /// The version of the last change that was more than leases coming and going.
    pub(crate) revision: u64,
    /// The version it was made with.
    pub(crate) made: u64,
}

/// What only whole writes change.
#[derive(Serialize, Deserialize)]
struct Health {
    status: Condition,
    failures: Vec<StoredFailure>,
    rests_for: Option<i32>,
    in_a_row: u32,
    struck_at: Option<i64>,
    blamed_at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Condition {
    Active,
    Cooling { until: i64, cause: String },
    Invalid { since: i64, cause: String },
    Banned { since: i64, cause: String },
}

impl Account {
    /// All fields but those that are a script's alone.
    pub(crate) fn fields(&self, classes: &Classes) -> Result<Vec<(String, String)>, serde_json::Error> {
        let health = Health {
            status: self.status.clone().into(),
            failures: self.failures.clone(),
            rests_for: self.rests_for.map(Into::into),
            in_a_row: self.in_a_row,
            struck_at: self.struck_at,
            blamed_at: self.blamed_at,
        };
        let used = self.last_used_at.map(|at| at.to_string()).unwrap_or_default();
        let mut fields =
            vec![("health".to_owned(), serde_json::to_string(&health)?), ("last_used_at".to_owned(), used)];
        for (class, window) in classes.ids().zip(&self.windows) {
            fields.extend(window.fields(classes.name(class))?);
        }
        Ok(fields)
    }

    /// Becomes what the fields say.
    ///
    /// # Errors
    /// The field that nobody of ours can have written; nothing is changed then.
    pub(crate) fn adopt(&mut self, fields: &Fields, classes: &mut Classes) -> Result<(), String> {
        let health: Health = match fields.0.get("health") {
            Some(text) => serde_json::from_str(text).map_err(|error| format!("health: {error}"))?,
            None => return Err("health is missing".to_owned()),
        };
        let mut windows = Vec::new();
        for (class, of_class) in fields.windows() {
            let window = Window::of_fields(&of_class).map_err(|error| format!("w:{class}:{error}"))?;
            windows.push((class, window));
        }
        self.stamp = fields.stamp();
        self.in_flight = fields.number("in_flight");
        self.last_used_at = Some(fields.number("last_used_at")).filter(|at| *at != 0);
        self.status = health.status.into();
        self.failures = health.failures;
        self.rests_for = health.rests_for.and_then(|outcome| Outcome::try_from(outcome).ok());
        (self.in_a_row, self.struck_at, self.blamed_at) =
            (health.in_a_row, health.struck_at, health.blamed_at);
        self.windows.clear();
        for (class, window) in windows {
            *self.window_mut(classes.intern(class)) = window;
        }
        Ok(())
    }
}

impl Fields {
    /// Which state this is.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            version: self.number("version"),
            revision: self.number("revision"),
            made: self.number("made"),
        }
    }

    /// 0 where there is none.
    fn number<T: std::str::FromStr + Default>(&self, name: &str) -> T {
        self.0.get(name).and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// By class, the fields of its window without their prefix.
    fn windows(&self) -> BTreeMap<&str, HashMap<&str, &str>> {
        let mut windows = BTreeMap::<&str, HashMap<&str, &str>>::new();
        for (name, value) in &self.0 {
            let of_window = name.strip_prefix("w:").and_then(|name| name.rsplit_once(':'));
            if let Some((class, field)) = of_window {
                windows.entry(class).or_default().insert(field, value);
            }
        }
        windows
    }
}

impl From<Status> for Condition {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Cooling { until, cause } => Self::Cooling { until, cause },
            Status::Invalid { since, cause } => Self::Invalid { since, cause },
            Status::Banned { since, cause } => Self::Banned { since, cause },
        }
    }
}

impl From<Condition> for Status {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Active => Self::Active,
            Condition::Cooling { until, cause } => Self::Cooling { until, cause },
            Condition::Invalid { since, cause } => Self::Invalid { since, cause },
            Condition::Banned { since, cause } => Self::Banned { since, cause },
        }
    }
}
