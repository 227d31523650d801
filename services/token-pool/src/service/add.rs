//! Accounts that come in, a few or ten thousand.

use std::{collections::HashSet, sync::Arc};

use grok2api_proto::{
    Error, Result, Stream,
    pool::{
        AddAccountsResponse, AddReport, AddResult, ImportAccountsRequest, ImportProgress, ImportReport,
        NewAccount,
    },
};
use grok2api_storage::accounts::{Inserted, Status, StoredAccount, StoredWindow, Tier, WindowSource};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use uuid::Uuid;

use super::tier;
use crate::{
    import::{self, Entry, Line, Past},
    shared::Shared,
    token::normalise,
};

/// Accounts added in one transaction, so that no other writer waits long.
const CHUNK: usize = 500;
/// How long units that another program counted are believed: a Basic account's window.
const GUESS_MS: i64 = 20 * 60 * 60 * 1000;
const KNOWN: &str = "known already";

/// Adds accounts; a known token keeps its account, and takes the tier and note that are given.
pub(super) async fn add(shared: Arc<Shared>, accounts: Vec<NewAccount>) -> Result<AddAccountsResponse> {
    let lines: Vec<Line> = accounts.into_iter().enumerate().map(line).collect();
    let mut answer = AddAccountsResponse::default();
    for chunk in lines.chunks(CHUNK) {
        let reports = insert(&shared, chunk).await?.into_iter().map(|report| AddReport {
            result: report.result,
            account_id: report.account_id,
            reason: report.reason,
        });
        answer.reports.extend(reports);
    }
    Ok(answer)
}

/// Adds the accounts of a text. Goes on when nobody listens any more.
pub(super) fn import(shared: &Arc<Shared>, request: ImportAccountsRequest) -> Result<Stream<ImportProgress>> {
    let dry_run = request.dry_run;
    let lines = lines(request)?;
    let (progress, listener) = mpsc::channel(16);
    let importing = shared.clone();
    shared.spawn("pool-import", async move {
        let total = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        let (mut done, mut foreseen) = (0, HashSet::new());
        // A text without entries is told to be done as well.
        let chunks = lines.chunks(CHUNK).chain(std::iter::once([].as_slice()).filter(|_| lines.is_empty()));
        for chunk in chunks {
            done += u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            let reports = if dry_run {
                Ok(foresee(&importing, chunk, &mut foreseen))
            } else {
                insert(&importing, chunk).await
            };
            let failed = reports.is_err();
            // The listener may have left.
            progress.send(reports.map(|reports| ImportProgress { done, total, reports })).await.ok();
            if failed {
                return;
            }
        }
        if !dry_run {
            tracing::info!(accounts.entries = total, "{total} entries were imported");
        }
    });
    Ok(Box::pin(ReceiverStream::new(listener).fuse()))
}

fn lines(request: ImportAccountsRequest) -> Result<Vec<Line>> {
    let tier = tier(request.tier).map_err(|text| Error::invalid("tier", text))?;
    let tags = import::tags(request.tags.clone()).map_err(|text| Error::invalid("tags", text))?;
    let mut lines =
        import::parse(&request.text, request.format()).map_err(|text| Error::invalid("text", text))?;
    for entry in lines.iter_mut().filter_map(|line| line.entry.as_mut().ok()) {
        entry.tier = entry.tier.or(tier);
        entry.tags.extend(tags.iter().cloned());
        if entry.note.is_empty() {
            entry.note.clone_from(&request.note);
        }
    }
    Ok(lines)
}

fn line((index, account): (usize, NewAccount)) -> Line {
    let entry = || {
        Ok(Entry {
            tier: tier(account.tier)?,
            note: account.note.clone(),
            ..Entry::of(normalise(&account.token)?)
        })
    };
    Line { number: index + 1, masked: grok2api_proto::mask(account.token.trim()), entry: entry() }
}

/// Inserts what can be inserted, and makes known accounts what is said of them. Reports in order.
async fn insert(shared: &Arc<Shared>, lines: &[Line]) -> Result<Vec<ImportReport>> {
    let now = shared.now();
    let entries = || lines.iter().filter_map(|line| line.entry.as_ref().ok());
    let rows: Vec<StoredAccount> = entries().map(|entry| entry.row(now)).collect();
    let inserted = shared.insert(&rows).await?;
    let mut added = Vec::with_capacity(inserted.len());
    for (entry, inserted) in entries().zip(inserted) {
        let id = inserted.account().id;
        let known = matches!(inserted, Inserted::Known(_));
        if known {
            shared.change(id, |row| entry.amend(row)).await?;
        }
        added.push((if known { AddResult::Merged } else { AddResult::Added }, id));
    }
    let mut added = added.into_iter();
    Ok(reports(lines, |_| added.next().map(|(result, id)| (result, id.to_string()))))
}

/// What [`insert`] would say. `foreseen` are the tokens that earlier lines would have added.
fn foresee(shared: &Arc<Shared>, lines: &[Line], foreseen: &mut HashSet<[u8; 32]>) -> Vec<ImportReport> {
    reports(lines, |entry| {
        let digest = entry.token.digest();
        let known = shared.look(|roster, _| roster.find(None, Some(digest)).map(|account| account.stored.id));
        Some(match known {
            Some(id) => (AddResult::Merged, id.to_string()),
            None if foreseen.insert(digest) => (AddResult::Added, String::new()),
            None => (AddResult::Merged, String::new()),
        })
    })
}

/// A report for every line; `became` says what became of an entry, and the account's id.
fn reports(
    lines: &[Line],
    mut became: impl FnMut(&Entry) -> Option<(AddResult, String)>,
) -> Vec<ImportReport> {
    let reports = lines.iter().map(|line| {
        let (result, id, reason) = match line.entry.as_ref().map(&mut became) {
            Err(reason) => (AddResult::Refused, String::new(), reason.clone()),
            Ok(Some((AddResult::Merged, id))) => (AddResult::Merged, id, KNOWN.to_owned()),
            Ok(Some((result, id))) => (result, id, String::new()),
            Ok(None) => (AddResult::Unspecified, String::new(), String::new()),
        };
        ImportReport {
            line: u32::try_from(line.number).unwrap_or(u32::MAX),
            masked_token: line.masked.clone(),
            result: result.into(),
            account_id: id,
            reason,
        }
    });
    reports.collect()
}

impl Entry {
    /// The account it would be if it is new.
    fn row(&self, now: i64) -> StoredAccount {
        let tier = self.tier.unwrap_or(Tier::Basic);
        let mut row = StoredAccount::new(Uuid::now_v7(), self.token.clone(), tier, now);
        self.amend(&mut row);
        self.past.tell(&mut row, now);
        row
    }

    /// Says it of an account that is there: what it leaves out stays, and no tag is lost.
    fn amend(&self, row: &mut StoredAccount) {
        row.tier = self.tier.unwrap_or(row.tier);
        row.priority = self.priority.unwrap_or(row.priority);
        row.enabled = self.enabled.unwrap_or(row.enabled);
        row.tags.extend(self.tags.iter().cloned());
        if !self.note.is_empty() {
            row.note.clone_from(&self.note);
        }
    }
}

impl Past {
    /// Says it of a new account. Units that were left are a first guess, until they are read.
    fn tell(&self, row: &mut StoredAccount, now: i64) {
        row.created_at = self.created_at.unwrap_or(row.created_at).min(now);
        if let Some((since, cause)) = &self.dead {
            row.status = Status::Invalid { since: *since, cause: cause.clone() };
        }
        let windows = self.left.iter().map(|(class, units)| {
            let window = StoredWindow {
                remaining: Some(*units),
                reset_at: now + GUESS_MS,
                source: WindowSource::Local,
                ..StoredWindow::default()
            };
            ((*class).to_owned(), window)
        });
        row.windows.extend(windows);
    }
}
