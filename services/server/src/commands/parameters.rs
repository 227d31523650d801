//! `grok2api parameters list|set|reset`, on the store; a running product follows within a second.

use std::sync::Arc;

use grok2api_kit::{clock::Clock, lifecycle::Tasks, settings::Settings};
use grok2api_proto::{
    config::{Config, GetRequest, ListParametersRequest, Parameter, UpdateRequest},
    mask,
};
use serde_json::Value;

use super::{Failure, say};
use crate::{StartError, store};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Show all parameters with their values; secrets masked.
    List,
    /// Change a parameter.
    Set {
        /// Name, as `list` shows it.
        name: String,
        /// The new value; `-` reads it from standard input, which keeps a secret out of the shell's history.
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Go back to a parameter's default.
    Reset {
        /// Name, as `list` shows it.
        name: String,
    },
}

pub(crate) async fn run(settings: &Settings, command: Command) -> Result<(), Failure> {
    let store = store::open(settings).await?;
    let tasks = Tasks::new();
    let service = grok2api_config::start(grok2api_config::Deps {
        settings: store.settings(),
        bell: store::bell(settings).await,
        every: grok2api_config::REVISIONS,
        clock: Clock::system(),
        tasks: tasks.clone(),
    });
    let service = service.await.map_err(|error| StartError::one("config", error))?;
    let done = match command {
        Command::List => list(&service).await,
        Command::Set { name, value } => set(&service, name, value).await,
        Command::Reset { name } => change(&service, name, "null".to_owned(), "is back at its default").await,
    };
    super::finish(&tasks).await;
    store.close().await;
    done
}

async fn list(service: &Arc<dyn Config>) -> Result<(), Failure> {
    let config = service.get(GetRequest {}).await?.config.unwrap_or_default();
    let values = serde_json::to_value(config).unwrap_or_default();
    for parameter in service.list_parameters(ListParametersRequest {}).await?.parameters {
        let value = values.get(&parameter.name).cloned().unwrap_or_default();
        let shown = match &value {
            Value::String(text) if parameter.secret => mask(text),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        say(&format!("{:<32}{shown}", parameter.name));
    }
    Ok(())
}

async fn set(service: &Arc<dyn Config>, name: String, text: String) -> Result<(), Failure> {
    let text = if text == "-" { from_stdin()? } else { text };
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    let known = service.list_parameters(ListParametersRequest {}).await?.parameters;
    let value = known
        .iter()
        .find(|parameter| parameter.name == name)
        .map_or_else(|| json_text(&text), |parameter| of_kind(parameter, &text));
    change(service, name, value, "is set").await
}

/// Text for a string parameter needs no quotes on the command line; what is no JSON is refused by the parameter's own
/// rule.
fn of_kind(parameter: &Parameter, text: &str) -> String {
    let json = parameter.kind != "string" && serde_json::from_str::<Value>(text).is_ok();
    if json { text.to_owned() } else { json_text(text) }
}

fn json_text(text: &str) -> String {
    Value::from(text).to_string()
}

fn from_stdin() -> Result<String, Failure> {
    let read = std::io::read_to_string(std::io::stdin());
    read.map_err(|error| {
        Failure::Code(1, format!("the value could not be read from standard input: {error}"))
    })
}

async fn change(service: &Arc<dyn Config>, name: String, value: String, done: &str) -> Result<(), Failure> {
    let changes = [(name.clone(), value)].into();
    let revision = service
        .update(UpdateRequest { changes, expected_revision: None, author: "command line".into() })
        .await?;
    say(&format!("{name} {done} (revision {})", revision.number));
    Ok(())
}
