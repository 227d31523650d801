//! `grok2api accounts …`, on the store; a running product follows within a second.

mod add;
mod change;
mod explain;
mod export;
mod list;
mod refresh;

use std::sync::Arc;

use clap::ValueEnum;
use grok2api_kit::{
    clock::Clock,
    egress::{Endpoints, Gateway},
    lifecycle::Tasks,
    readiness::Readiness,
    runtime::Runtime,
    settings::{Mode, Settings},
};
use grok2api_proto::pool::{ClearAccountsRequest, RemoveAccountsRequest, Tier, TokenPool};
use grok2api_storage::{Store, bell::Bell};

use super::{Failure, say, small};
use crate::{StartError, store};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Add accounts by their `sso` token (`sso=…` and whole cookie strings are understood).
    Add(add::Add),
    /// Add the accounts of a file: a token a line, JSON, JSON lines, or the seed's token.json.
    Import(add::Import),
    /// Write full tokens to standard output, as `import` reads them.
    Export(export::Args),
    /// Show accounts; tokens masked.
    List(list::Args),
    /// Read true quotas from Grok now; of all accounts, or of those named.
    Refresh {
        /// Ids or tokens.
        #[arg(value_name = "ACCOUNT")]
        accounts: Vec<String>,
    },
    /// Show who would serve a request now, and why not the others.
    Explain(explain::Args),
    /// End cooldowns and lift "invalid" and "banned" marks; all accounts, or those named.
    Clear {
        /// Ids or tokens.
        #[arg(value_name = "ACCOUNT")]
        accounts: Vec<String>,
    },
    /// Remove accounts by id or token. Adding one again within a day brings it back.
    Remove {
        /// Ids or tokens.
        #[arg(required = true, value_name = "ACCOUNT")]
        accounts: Vec<String>,
    },
    /// Change tier, note, priority or tags of accounts, or switch them off and on.
    Set(change::Args),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TierArg {
    Basic,
    Super,
    Heavy,
}

impl From<TierArg> for Tier {
    fn from(tier: TierArg) -> Self {
        match tier {
            TierArg::Basic => Tier::Basic,
            TierArg::Super => Tier::Super,
            TierArg::Heavy => Tier::Heavy,
        }
    }
}

pub(crate) async fn run(settings: &Settings, command: Command) -> Result<(), Failure> {
    let store = store::open(settings).await?;
    let tasks = Tasks::new();
    let upstream = matches!(command, Command::Refresh { .. });
    let done = match open(settings, &store, &tasks, upstream).await {
        Ok(pool) => execute(&pool, command).await,
        Err(error) => Err(error.into()),
    };
    super::finish(&tasks).await;
    store.close().await;
    done
}

/// The pool of the store; with a way to the upstream only where it is needed.
pub(crate) async fn open(
    settings: &Settings,
    store: &Store,
    tasks: &Tasks,
    upstream: bool,
) -> Result<Arc<dyn TokenPool>, StartError> {
    if settings.storage.mode == Mode::Mysql && settings.storage.hot_url().is_none() {
        crate::commands::complain(
            "note: REDIS_URL is not set. If the product uses one, it must be set here as well: what accounts rest for \
             and have left is in it.",
        );
    }
    let runtime = runtime(store, tasks).await?;
    let egress = upstream.then(|| Gateway::new(Endpoints::from(&settings.upstream), runtime.clone()));
    let pool = grok2api_token_pool::start(grok2api_token_pool::Deps {
        accounts: store.accounts(),
        runtime,
        egress,
        redis: settings.storage.hot_url().map(str::to_owned),
        // Nothing is leased here, and what the product has taken is for the product to find out.
        intact: true,
        readiness: Readiness::new(tasks.shutdown().clone()),
        clock: Clock::system(),
        tasks: tasks.clone(),
    });
    pool.await.map_err(|error| StartError::one("accounts", error))
}

/// The operator's parameters.
pub(crate) async fn runtime(store: &Store, tasks: &Tasks) -> Result<Runtime, StartError> {
    let failed = |error| StartError::one("config", error);
    let config = grok2api_config::start(grok2api_config::Deps {
        settings: store.settings(),
        bell: Bell::default(),
        every: grok2api_config::REVISIONS,
        clock: Clock::system(),
        tasks: tasks.clone(),
    });
    Runtime::follow(config.await.map_err(failed)?, tasks).await.map_err(failed)
}

async fn execute(pool: &Arc<dyn TokenPool>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(args) => args.run(pool).await,
        Command::Import(args) => args.run(pool).await,
        Command::Export(args) => args.run(pool).await,
        Command::List(args) => args.run(pool).await,
        Command::Refresh { accounts } => refresh::run(pool, accounts).await,
        Command::Explain(args) => args.run(pool).await,
        Command::Set(args) => args.run(pool).await,
        Command::Remove { accounts } => {
            let answer = pool.remove_accounts(RemoveAccountsRequest { accounts }).await?;
            say(&format!("{} removed", answer.removed));
            all_known(&answer.unknown)
        }
        Command::Clear { accounts } => {
            let answer = pool.clear_accounts(ClearAccountsRequest { accounts }).await?;
            say(&format!("{} cleared", answer.cleared));
            Ok(())
        }
    }
}

fn all_known(unknown: &[String]) -> Result<(), Failure> {
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Failure::Code(1, format!("no such account: {}", unknown.join(", "))))
}
