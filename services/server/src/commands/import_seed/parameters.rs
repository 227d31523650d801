//! `setting.toml`: the tables `[global]` and `[grok]`, as one revision.

use std::collections::BTreeMap;

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
    let (mut counts, mut changes) = (Counts::default(), BTreeMap::new());
    for (scope, values) in tables {
        let Value::Object(values) = values else {
            say(&format!("{FILE}: {scope}: not taken: it is no table of the seed's settings"));
            counts.refused += 1;
            continue;
        };
        for (name, value) in values {
            let line = match fate(&table, &current, &scope, &name, &value) {
                Fate::Set(parameter) => {
                    counts.taken += 1;
                    changes.insert(name.clone(), value.to_string());
                    shown(parameter, &value)
                }
                Fate::Known => {
                    counts.known += 1;
                    continue;
                }
                Fate::Refused(reason) => {
                    counts.refused += 1;
                    format!("not taken: {reason}")
                }
            };
            say(&format!("{FILE}: {scope}.{name}: {line}"));
        }
    }
    if !changes.is_empty() && !import.args.dry_run {
        let changes = changes.into_iter().collect();
        let update =
            UpdateRequest { changes, expected_revision: Some(revision.number), author: AUTHOR.to_owned() };
        let number = import.config.update(update).await?.number;
        say(&format!("{FILE}: revision {number} by {AUTHOR}"));
    }
    Ok(counts.tell("settings"))
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
