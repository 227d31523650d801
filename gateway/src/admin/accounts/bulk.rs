//! The same for many accounts, with progress.

use axum::{Extension, extract::State, response::Response};
use futures_util::StreamExt as _;
use grok2api_proto::{
    Error, Result, mask,
    pool::{ClearAccountsRequest, RefreshAccountsRequest, RefreshResult, RemoveAccountsRequest},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Change, Filter, sample, selected};
use crate::{
    admin::{
        Console,
        extract::Body,
        progress::{self, Teller, merge},
        session::Who,
    },
    openai::error::Failure,
};

/// Accounts of one call: few enough that progress is seen, and that others get their turn.
pub(super) const CHUNK: usize = 100;
const MOST_FAILURES: usize = 1_000;
/// Accounts that the log of actions names.
pub(super) const TOLD: usize = 20;

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
            json!({"ids": bulk.ids.as_ref().map(|ids| ids.iter().take(TOLD).map(|id| mask_token(id)).collect::<Vec<_>>())})
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
        let before = sample(&self.console, &self.ids).await;
        let failure = match self.action {
            Action::Refresh => self.refresh(&mut done, &teller).await.err(),
            _ => self.chunks(&mut done, &teller).await.err(),
        };
        let (changed, action) = (done.changed, format!("{:?}", self.action).to_lowercase());
        let mut told = self.told.clone();
        told["changed"] = json!(changed);
        self.console.log(&self.who, "account.bulk", action, before, told).await;
        if let Some(error) = failure {
            // What is deleted by now can be brought back all the same.
            return teller.failed_with(&error, self.undo(&done)).await;
        }
        let mut result = json!({
            "type": "result",
            "done": done.done,
            "total": total,
            "changed": changed,
            "failed": done.failed,
        });
        merge(&mut result, self.undo(&done));
        teller.line(result).await;
    }

    /// The ids that can be brought back.
    fn undo(&self, done: &Done) -> Value {
        match self.action {
            Action::Delete => json!({"deleted": done.deleted}),
            _ => json!({}),
        }
    }

    async fn chunks(&self, done: &mut Done, teller: &Teller) -> Result<()> {
        for chunk in self.ids.chunks(CHUNK) {
            let (changed, unknown) = self.one_chunk(chunk.to_vec()).await?;
            done.done += chunk.len();
            done.changed += changed as usize;
            let known = done.deleted.len();
            for (at, id) in (0..).zip(chunk) {
                if unknown.contains(&at) {
                    done.fail(id, "there is no such account");
                } else if self.action == Action::Delete {
                    done.deleted.push(id.clone());
                }
            }
            if self.action == Action::Delete {
                // With every step, so that an undo needs no end.
                let (done, deleted) = (done.done, &done.deleted[known..]);
                let line =
                    json!({"type": "progress", "done": done, "total": self.ids.len(), "deleted": deleted});
                teller.line(line).await;
            } else {
                teller.progress(done.done, self.ids.len());
            }
        }
        Ok(())
    }

    /// How many were changed, and where those stand that name none.
    async fn one_chunk(&self, accounts: Vec<String>) -> Result<(u32, Vec<u32>)> {
        let pool = &self.console.services.pool;
        Ok(match self.action {
            Action::Clear => {
                (pool.clear_accounts(ClearAccountsRequest { accounts }).await?.cleared, Vec::new())
            }
            Action::Delete => {
                let answer = pool.remove_accounts(RemoveAccountsRequest { accounts }).await?;
                (answer.removed, answer.unknown_at)
            }
            Action::Enable | Action::Disable | Action::Change | Action::Refresh => {
                let answer = pool.change_accounts(self.change.request(accounts)?).await?;
                (answer.changed, answer.unknown_at)
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
