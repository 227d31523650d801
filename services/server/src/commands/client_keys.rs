//! `grok2api client-keys …`, on the store; a running product follows within a second.

mod spec;

use std::sync::Arc;

use grok2api_kit::{clock::Clock, lifecycle::Tasks, settings::Settings};
use grok2api_proto::keys::{
    Budget, CreateRequest, GetRequest, Key, Keys, ListRequest, RevokeRequest, Spec, UpdateRequest,
};
use grok2api_storage::limiter;
use serde_json::{Value, json};

pub(super) use self::spec::day;
use self::spec::{Said, shown};
use super::{Failure, complain, say};
use crate::{StartError, store};

/// Who does it, in the log of actions.
const AUTHOR: &str = "command line";

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key. Its secret is written to standard output, this once.
    Create {
        /// Whose it is.
        name: String,
        #[command(flatten)]
        said: Said,
    },
    /// Show keys; secrets are known to nobody.
    List {
        /// Revoked keys too.
        #[arg(long)]
        all: bool,
        /// As JSON, with everything.
        #[arg(long)]
        json: bool,
    },
    /// Change what a key may do; what is not named stays.
    Set {
        /// Its id, as `list` shows it.
        id: String,
        /// Whose it is.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        said: Said,
        /// Accept it again.
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Refuse it for now.
        #[arg(long)]
        disable: bool,
    },
    /// Give keys up, for ever; `set --disable` is for a while.
    Revoke {
        /// Ids, as `list` shows them.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

pub(crate) async fn run(settings: &Settings, command: Command) -> Result<(), Failure> {
    let store = store::open(settings).await?;
    let tasks = Tasks::new();
    let service = grok2api_config::start_keys(grok2api_config::KeysDeps {
        keys: store.client_keys(),
        budgets: store.budgets(),
        // Nobody asks for admission here.
        limiter: limiter::memory(Clock::system()),
        prefix: settings.keys.prefix.clone(),
        clock: Clock::system(),
        tasks: tasks.clone(),
    });
    let service = service.await.map_err(|error| StartError::one("client keys", error))?;
    let done = execute(&service, command).await;
    super::finish(&tasks).await;
    store.close().await;
    done
}

async fn execute(keys: &Arc<dyn Keys>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create { name, said } => create(keys, name, said).await,
        Command::List { all, json } => list(keys, all, json).await,
        Command::Set { id, name, said, enable, disable } => {
            let switch = (enable || disable).then_some(disable);
            set(keys, id, name, said, switch).await
        }
        Command::Revoke { ids } => {
            for id in ids {
                let key = keys.revoke(RevokeRequest { id, author: AUTHOR.to_owned() }).await?;
                say(&format!("{} revoked", key.id));
            }
            Ok(())
        }
    }
}

async fn create(keys: &Arc<dyn Keys>, name: String, said: Said) -> Result<(), Failure> {
    let mut spec = Spec { name, ..Spec::default() };
    said.into_spec(&mut spec)?;
    let made = keys.create(CreateRequest { spec: Some(spec), author: AUTHOR.to_owned() }).await?;
    let id = made.key.map(|key| key.id).unwrap_or_default();
    complain(&format!("client key {id} is made; its secret is shown this once:"));
    say(&made.secret);
    Ok(())
}

async fn set(
    keys: &Arc<dyn Keys>,
    id: String,
    name: Option<String>,
    said: Said,
    disabled: Option<bool>,
) -> Result<(), Failure> {
    let Key { id, spec, version, .. } = keys.get(GetRequest { id }).await?;
    let mut spec = spec.unwrap_or_default();
    spec.name = name.unwrap_or(spec.name);
    spec.disabled = disabled.unwrap_or(spec.disabled);
    said.into_spec(&mut spec)?;
    let author = AUTHOR.to_owned();
    let request = UpdateRequest { id, spec: Some(spec), expected_version: version, author };
    let key = keys.update(request).await?;
    say(&format!("{} changed", key.id));
    Ok(())
}

async fn list(keys: &Arc<dyn Keys>, all: bool, json: bool) -> Result<(), Failure> {
    let mut listed = keys.list(ListRequest {}).await?.keys;
    listed.retain(|key| all || key.revoked_at.is_none());
    if json {
        say(&Value::from_iter(listed.iter().map(object)).to_string());
    } else if listed.is_empty() {
        say("there are no client keys; make one with: grok2api client-keys create <name>");
    } else {
        say(&format!("{:<38}{:<14}{:<10}{:<12}NAME", "ID", "SECRET", "STATUS", "LAST USED"));
        let now = Clock::system().now_ms();
        listed.iter().for_each(|key| say(&row(key, now)));
    }
    Ok(())
}

/// What a key is to people.
fn status(key: &Key, now_ms: i64) -> &'static str {
    let spec = key.spec.clone().unwrap_or_default();
    match spec.expires_at {
        _ if key.revoked_at.is_some() => "revoked",
        _ if spec.disabled => "disabled",
        Some(at) if at <= now_ms => "expired",
        _ => "active",
    }
}

fn row(key: &Key, now_ms: i64) -> String {
    let spec = key.spec.clone().unwrap_or_default();
    let used = key.last_used_at.map_or_else(|| "never".to_owned(), day);
    let listed =
        |name: &str, items: &[String]| (!items.is_empty()).then(|| format!("({name} {})", items.join(", ")));
    let until = spec.expires_at.map(|at| format!("(until {})", day(at)));
    let said: Vec<String> = [Some(spec.name.clone()), Some(spec.note.clone()), until]
        .into_iter()
        .chain([listed("models", &spec.models), listed("from", &spec.addresses)])
        .chain([listed("account tags", &spec.account_tags)])
        .flatten()
        .chain(shown(key))
        .filter(|text| !text.is_empty())
        .collect();
    let (id, masked, status) = (&key.id, &key.masked, status(key, now_ms));
    format!("{id:<38}{masked:<14}{status:<10}{used:<12}{}", said.join(" "))
}

fn object(key: &Key) -> Value {
    let spec = key.spec.clone().unwrap_or_default();
    let limits = spec.limits.unwrap_or_default();
    let budgets = key.budgets.iter().map(|state| {
        let Budget { unit, period, amount } = state.budget.clone().unwrap_or_default();
        json!({"unit": unit, "period": period, "amount": amount, "spent": state.spent, "resets_at": state.resets_at})
    });
    json!({
        "id": key.id,
        "masked": key.masked,
        "status": status(key, Clock::system().now_ms()),
        "name": spec.name,
        "note": spec.note,
        "disabled": spec.disabled,
        "expires_at": spec.expires_at,
        "models": spec.models,
        "addresses": spec.addresses,
        "account_tags": spec.account_tags,
        "limits": {
            "requests_per_minute": limits.requests_per_minute,
            "tokens_per_minute": limits.tokens_per_minute,
            "concurrency": limits.concurrency,
        },
        "budgets": budgets.collect::<Vec<_>>(),
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
        "version": key.version,
    })
}
