//! `setting.toml`: the tables `[global]` and `[grok]`, as one revision.

use std::collections::HashMap;

use grok2api_config::parameters::{Parameter, Table};
use grok2api_proto::{
    config::{GetRequest, UpdateRequest},
    mask,
};
use serde_json::{Map, Value};

use super::{Counts, Import};
use crate::commands::{Failure, say};

const FILE: &str = "setting.toml";
const AUTHOR: &str = "import-seed";

/// What becomes of one value.
enum Fate<'a> {
    Set(&'a Parameter),
    Known,
    Refused(String),
}

pub(super) async fn import(import: &Import<'_>) -> Result<Counts, Failure> {
    let tables = match import.text(FILE).and_then(|text| text.as_deref().map(read).transpose()) {
        Ok(Some(tables)) => tables,
        Ok(None) => return Ok(Counts::missing("settings", FILE)),
        Err(reason) => return Ok(Counts::lost(FILE, &reason)),
    };
    let table = Table::compiled()?;
    let revision = import.config.get(GetRequest {}).await?;
    let current = serde_json::to_value(revision.config.unwrap_or_default()).unwrap_or_default();
    let (mut counts, mut changes) = (Counts::default(), HashMap::new());
    for (scope, values) in tables {
        match values {
            Value::Object(values) => counts.judge((&table, &current), &scope, values, &mut changes),
            _ => counts.refuse(&scope, "it is no table of the seed's settings"),
        }
    }
    if !changes.is_empty() && !import.args.dry_run {
        let update =
            UpdateRequest { changes, expected_revision: Some(revision.number), author: AUTHOR.to_owned() };
        let number = import.config.update(update).await?.number;
        say(&format!("{FILE}: revision {number} by {AUTHOR}"));
    }
    Ok(counts.tell("settings"))
}

impl Counts {
    /// Sorts the values of one of the seed's tables; those to be set go to `changes`.
    fn judge(
        &mut self,
        (table, current): (&Table, &Value),
        scope: &str,
        values: Map<String, Value>,
        changes: &mut HashMap<String, String>,
    ) {
        for (name, value) in values {
            let place = format!("{scope}.{name}");
            match fate(table, current, scope, &name, &value) {
                Fate::Known => self.known += 1,
                Fate::Refused(reason) => self.refuse(&place, &reason),
                Fate::Set(parameter) => {
                    self.taken += 1;
                    say(&format!("{FILE}: {place}: {}", shown(parameter, &value)));
                    changes.insert(name, value.to_string());
                }
            }
        }
    }

    fn refuse(&mut self, place: &str, reason: &str) {
        say(&format!("{FILE}: {place}: not taken: {reason}"));
        self.refused += 1;
    }
}

/// The parser's own text would show the line, and with it perhaps a secret.
fn read(text: &str) -> Result<Map<String, Value>, String> {
    toml::from_str(text).map_err(|error| {
        let line =
            error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        format!("line {line}: {}", error.message())
    })
}

fn fate<'a>(table: &'a Table, current: &Value, scope: &str, name: &str, value: &Value) -> Fate<'a> {
    let Some(parameter) = table.get(name).filter(|parameter| parameter.scope.name() == scope) else {
        return Fate::Refused("there is no such parameter here".to_owned());
    };
    match parameter.check(value) {
        Err(error) => Fate::Refused(error.message.clone()),
        Ok(()) if current.get(name) == Some(value) => Fate::Known,
        Ok(()) => Fate::Set(parameter),
    }
}

fn shown(parameter: &Parameter, value: &Value) -> String {
    match value.as_str().filter(|_| parameter.secret) {
        Some(text) => mask(text),
        None => value.to_string(),
    }
}
