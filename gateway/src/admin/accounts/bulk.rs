//! The same for many accounts, with progress.

use axum::{Extension, extract::State, response::Response};
use futures_util::StreamExt as _;
use grok2api_proto::{
    Error, Result, mask,
    pool::{ClearAccountsRequest, RefreshAccountsRequest, RefreshResult, RemoveAccountsRequest},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Change, Filter, selected};
use crate::{
    admin::{
        Console,
        extract::Body,
        progress::{self, Teller},
        session::Who,
    },
    openai::error::Failure,
};

/// Accounts of one call: few enough that progress is seen, and that others get their turn.
const CHUNK: usize = 100;
const MOST_FAILURES: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bulk {
    action: Action,
    ids: Option<Vec<String>>,
    filter: Option<Filter>,
    change: Option<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Enable,
    Disable,
    Clear,
    Refresh,
    Delete,
    Change,
}

/// What has become of the accounts so far.
#[derive(Default)]
struct Done {
    done: usize,
    changed: usize,
    failed: Vec<Value>,
    deleted: Vec<String>,
}

struct Work {
    console: Console,
    who: Who,
    action: Action,
    change: Change,
    ids: Vec<String>,
    /// Which accounts, for the log of actions.
    told: Value,
}

pub(crate) async fn bulk(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(bulk): Body<Bulk>,
) -> Result<Response, Failure> {
    let change = match (bulk.action, bulk.change) {
        (Action::Change, Some(change)) => change,
        (Action::Change, None) => {
            return Err(Error::invalid("change", "what is to be changed is missing").into());
        }
        (_, Some(_)) => return Err(Error::invalid("change", "this action changes nothing else").into()),
        (Action::Enable, None) => Change { enabled: Some(true), ..Change::default() },
        (Action::Disable, None) => Change { enabled: Some(false), ..Change::default() },
        (_, None) => Change::default(),
    };
    // A mistake is answered before the work begins.
    change.request(Vec::new())?;
    let mut told = match &bulk.filter {
        Some(filter) => json!({"filter": filter.told()}),
        None => {
            json!({"ids": bulk.ids.as_ref().map(|ids| ids.iter().take(20).map(|id| mask_token(id)).collect::<Vec<_>>())})
        }
    };
    if bulk.action == Action::Change {
        told["change"] = change.told();
    }
    let ids = selected(&console, bulk.ids, bulk.filter.as_ref()).await?;
    let tasks = console.deps.tasks.clone();
    let work = Work { console, who, action: bulk.action, change, ids, told };
    Ok(progress::answer(&tasks, "admin-bulk", |teller| work.run(teller)))
}

/// Whole tokens name accounts too.
fn mask_token(name: &str) -> String {
    if uuid::Uuid::parse_str(name).is_ok() { name.to_owned() } else { mask(name) }
}

impl Work {
    async fn run(self, teller: Teller) {
        let total = self.ids.len();
        let mut done = Done::default();
        let failure = match self.action {
            Action::Refresh => self.refresh(&mut done, &teller).await.err(),
            _ => self.chunks(&mut done, &teller).await.err(),
        };
        let (changed, action) = (done.changed, format!("{:?}", self.action).to_lowercase());
        let mut told = self.told;
        told["changed"] = json!(changed);
        self.console.log(&self.who, "account.bulk", action, Value::Null, told).await;
        if let Some(error) = failure {
            return teller.failed(&error).await;
        }
        let mut result = json!({
            "type": "result",
            "done": done.done,
            "total": total,
            "changed": changed,
            "failed": done.failed,
        });
        if self.action == Action::Delete {
            result["deleted"] = json!(done.deleted);
        }
        teller.line(result).await;
    }

    async fn chunks(&self, done: &mut Done, teller: &Teller) -> Result<()> {
        for chunk in self.ids.chunks(CHUNK) {
            let (changed, unknown) = self.one_chunk(chunk.to_vec()).await?;
            done.done += chunk.len();
            done.changed += changed as usize;
            for id in chunk {
                if unknown.contains(&mask(id)) {
                    done.fail(id, "there is no such account");
                } else if self.action == Action::Delete {
                    done.deleted.push(id.clone());
                }
            }
            teller.progress(done.done, self.ids.len());
        }
        Ok(())
    }

    /// How many were changed, and what names none, masked.
    async fn one_chunk(&self, accounts: Vec<String>) -> Result<(u32, Vec<String>)> {
        let pool = &self.console.services.pool;
        Ok(match self.action {
            Action::Clear => {
                (pool.clear_accounts(ClearAccountsRequest { accounts }).await?.cleared, Vec::new())
            }
            Action::Delete => {
                let answer = pool.remove_accounts(RemoveAccountsRequest { accounts }).await?;
                (answer.removed, answer.unknown)
            }
            Action::Enable | Action::Disable | Action::Change | Action::Refresh => {
                let answer = pool.change_accounts(self.change.request(accounts)?).await?;
                (answer.changed, answer.unknown)
            }
        })
    }

    /// At the pace of the readings' budget.
    async fn refresh(&self, done: &mut Done, teller: &Teller) -> Result<()> {
        // Naming none would read all.
        if self.ids.is_empty() {
            return Ok(());
        }
        let request = RefreshAccountsRequest { accounts: self.ids.clone() };
        let mut told = self.console.services.pool.refresh_accounts(request).await?;
        while let Some(progress) = told.next().await {
            let progress = progress?;
            for report in progress.reports {
                if report.result() == RefreshResult::Read {
                    done.changed += 1;
                } else {
                    done.fail(&report.account_id, &report.reason);
                }
            }
            done.done = progress.done as usize;
            teller.progress(done.done, progress.total as usize);
        }
        Ok(())
    }
}

impl Done {
    fn fail(&mut self, id: &str, reason: &str) {
        if self.failed.len() < MOST_FAILURES {
            self.failed.push(json!({"id": mask_token(id), "reason": reason}));
        }
    }
}
