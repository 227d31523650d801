//! Readings that somebody waits for.

use std::{collections::HashMap, sync::Arc};

use futures_util::stream;
use grok2api_proto::{
    Error, Kind, Result, Stream,
    pool::{RefreshProgress, RefreshReport, RefreshResult},
};
use uuid::Uuid;

use super::admin::named;
use crate::{pool::Target, reading::Asked, roster::Roster, shared::Shared};

/// What of a refresh is still to come.
struct Waiting {
    /// How many readings had begun when these were asked for.
    since: u64,
    total: u32,
    done: u32,
    accounts: HashMap<Uuid, Pending>,
    /// Not told yet.
    reports: Vec<RefreshReport>,
    begun: bool,
}

/// What of an account is still to be read.
struct Pending {
    targets: Vec<Target>,
    /// Why one of its windows could not be read.
    failed: Option<String>,
}

/// Asks for readings of the named accounts, or of all, and tells as they end.
pub(super) async fn refresh(shared: Arc<Shared>, names: &[String]) -> Result<Stream<RefreshProgress>> {
    if !shared.reads {
        let text = "this process has no way to the upstream to read quotas from";
        return Err(Error::new(Kind::Unavailable, "no_upstream", text));
    }
    let waiting = Waiting::begin(&shared, names).await?;
    let state = (shared, waiting);
    Ok(Box::pin(stream::unfold(state, |(shared, mut waiting)| async move {
        let progress = waiting.next(&shared).await?;
        Some((Ok(progress), (shared, waiting)))
    })))
}

impl Waiting {
    async fn begin(shared: &Arc<Shared>, names: &[String]) -> Result<Self> {
        let (ids, unknown) = shared.look(|roster, _| named(roster, names));
        let since = shared.update(shared.hot.ask(&ids)).await?;
        let pending = |roster: &Roster, id| Pending { targets: roster.targets(id), failed: None };
        let accounts: HashMap<_, _> =
            shared.look(|roster, _| ids.into_iter().map(|id| (id, pending(roster, id))).collect());
        let reports: Vec<_> = unknown
            .into_iter()
            .map(|name| report(Uuid::nil(), RefreshResult::Failed, format!("no such account: {name}")))
            .collect();
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (done, total) = (count(reports.len()), count(reports.len() + accounts.len()));
        Ok(Self { since, total, done, accounts, reports, begun: false })
    }

    /// The next message; the first one at once.
    async fn next(&mut self, shared: &Arc<Shared>) -> Option<RefreshProgress> {
        loop {
            let ended = shared.read.notified();
            tokio::pin!(ended);
            // Before the look: a reading that ends right after it must not be missed.
            ended.as_mut().enable();
            shared.look(|roster, _| self.look(roster));
            if !self.begun || !self.reports.is_empty() {
                self.begun = true;
                let reports = std::mem::take(&mut self.reports);
                return Some(RefreshProgress { done: self.done, total: self.total, reports });
            }
            if self.accounts.is_empty() {
                return None;
            }
            tokio::select! {
                () = ended => {}
                () = shared.draining() => return None,
            }
        }
    }

    fn look(&mut self, roster: &Roster) {
        let Self { since, done, accounts, reports, .. } = self;
        accounts.retain(|id, Pending { targets, failed }| {
            let mut gone = false;
            let account = roster.get(*id);
            targets.retain(|target| match account.map_or(Asked::Gone, |it| it.asked(*target, *since)) {
                Asked::Pending => true,
                Asked::Read => false,
                Asked::Failed(reason) => {
                    failed.get_or_insert(reason);
                    false
                }
                Asked::Gone => {
                    gone = true;
                    false
                }
            });
            if !targets.is_empty() {
                return true;
            }
            *done += 1;
            reports.push(match failed.take() {
                _ if gone => report(*id, RefreshResult::Gone, why_gone(roster, *id)),
                Some(reason) => report(*id, RefreshResult::Failed, reason),
                None => report(*id, RefreshResult::Read, String::new()),
            });
            false
        });
    }
}

fn why_gone(roster: &Roster, id: Uuid) -> String {
    roster.merged_into(id).map_or_else(
        || "it was removed".to_owned(),
        |kept| format!("it is the same upstream user as {kept} and was merged into it"),
    )
}

fn report(id: Uuid, result: RefreshResult, reason: String) -> RefreshReport {
    let account_id = if id.is_nil() { String::new() } else { id.to_string() };
    RefreshReport { account_id, result: result.into(), reason }
}
