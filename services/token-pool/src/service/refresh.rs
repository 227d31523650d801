//! Readings that somebody waits for.

use std::{collections::HashMap, sync::Arc};

use futures_util::stream;
use grok2api_proto::{
    Error, Kind, Result, Stream,
    pool::{RefreshProgress, RefreshReport, RefreshResult},
};
use uuid::Uuid;

use super::admin::named;
use crate::{
    pool::{Asked, Pool, Target},
    shared::Shared,
};

/// What of a refresh is still to come.
struct Waiting {
    since: u64,
    total: u32,
    done: u32,
    /// Windows still to be read, by account; and why one of them could not be.
    accounts: HashMap<Uuid, (Vec<Target>, Option<String>)>,
    /// Not told yet.
    reports: Vec<RefreshReport>,
    begun: bool,
}

/// Asks for readings of the named accounts, or of all, and tells as they end.
pub(super) fn refresh(shared: Arc<Shared>, names: &[String]) -> Result<Stream<RefreshProgress>> {
    if !shared.reads {
        let text = "this process has no way to the upstream to read quotas from";
        return Err(Error::new(Kind::Unavailable, "no_upstream", text));
    }
    let waiting = shared.update(|pool, now| Waiting::begin(pool, names, now));
    let state = (shared, waiting);
    Ok(Box::pin(stream::unfold(state, |(shared, mut waiting)| async move {
        let progress = waiting.next(&shared).await?;
        Some((Ok(progress), (shared, waiting)))
    })))
}

impl Waiting {
    fn begin(pool: &mut Pool, names: &[String], now: i64) -> Self {
        let (ids, unknown) = named(pool, names);
        let since = pool.readings();
        let accounts: HashMap<_, _> = ids.into_iter().map(|id| (id, (pool.ask(id, now), None))).collect();
        let reports: Vec<_> = unknown
            .into_iter()
            .map(|name| report(Uuid::nil(), RefreshResult::Failed, format!("no such account: {name}")))
            .collect();
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (done, total) = (count(reports.len()), count(reports.len() + accounts.len()));
        Self { since, total, done, accounts, reports, begun: false }
    }

    /// The next message; the first one at once.
    async fn next(&mut self, shared: &Arc<Shared>) -> Option<RefreshProgress> {
        loop {
            let ended = shared.read.notified();
            tokio::pin!(ended);
            // Before the look: a reading that ends right after it must not be missed.
            ended.as_mut().enable();
            shared.with(|pool, _| self.look(pool));
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

    fn look(&mut self, pool: &Pool) {
        let Self { since, done, accounts, reports, .. } = self;
        accounts.retain(|id, (targets, failed)| {
            let mut gone = false;
            targets.retain(|target| match pool.asked(*target, *since) {
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
                _ if gone => report(*id, RefreshResult::Gone, why_gone(pool, *id)),
                Some(reason) => report(*id, RefreshResult::Failed, reason),
                None => report(*id, RefreshResult::Read, String::new()),
            });
            false
        });
    }
}

fn why_gone(pool: &Pool, id: Uuid) -> String {
    pool.merged_into(id).map_or_else(
        || "it was removed".to_owned(),
        |kept| format!("it is the same upstream user as {kept} and was merged into it"),
    )
}

fn report(id: Uuid, result: RefreshResult, reason: String) -> RefreshReport {
    let account_id = if id.is_nil() { String::new() } else { id.to_string() };
    RefreshReport { account_id, result: result.into(), reason }
}
