//! What the operator does to accounts. Written through to the store before it is answered.

use std::sync::Arc;

use grok2api_proto::{
    Result, mask,
    pool::{
        AddAccountsResponse, AddReport, AddResult, ClearAccountsResponse, NewAccount, RemoveAccountsResponse,
    },
};
use grok2api_storage::accounts::{Inserted, StoredAccount, Tier};
use uuid::Uuid;

use super::tier;
use crate::{account::Account, pool::Pool, shared::Shared, token::normalise};

/// Accounts added in one transaction, so that no other writer waits long.
const CHUNK: usize = 500;

/// An account to add, and the tier if one was given.
struct Candidate {
    row: StoredAccount,
    tier: Option<Tier>,
}

/// Adds accounts; a known token keeps its account, and takes the tier and note that are given.
pub(super) async fn add(shared: Arc<Shared>, accounts: Vec<NewAccount>) -> Result<AddAccountsResponse> {
    let now = shared.now();
    let checked: Vec<_> = accounts.into_iter().map(|account| candidate(account, now)).collect();
    let mut reports = Vec::with_capacity(checked.len());
    for chunk in checked.chunks(CHUNK) {
        let candidates: Vec<&Candidate> = chunk.iter().filter_map(|line| line.as_ref().ok()).collect();
        let mut added = insert(&shared, &candidates).await?.into_iter();
        reports.extend(chunk.iter().filter_map(|line| match line {
            Ok(_) => added.next(),
            Err(reason) => Some(refused(reason)),
        }));
    }
    shared.write_through().await?;
    Ok(AddAccountsResponse { reports })
}

/// Removes accounts by id or by token.
pub(super) async fn remove(shared: Arc<Shared>, names: Vec<String>) -> Result<RemoveAccountsResponse> {
    let mut answer = RemoveAccountsResponse::default();
    for name in names {
        let id = shared.with(|pool, _| find(pool, &name).map(|account| account.stored.id));
        match id {
            Some(id) if shared.remove(id).await? => answer.removed += 1,
            _ => answer.unknown.push(mask(&name)),
        }
    }
    Ok(answer)
}

/// Ends blocking states of the named accounts, or of all.
pub(super) async fn clear(shared: Arc<Shared>, names: Vec<String>) -> Result<ClearAccountsResponse> {
    let cleared = shared.update(|pool, now| {
        let ids: Vec<Uuid> = if names.is_empty() {
            pool.accounts().map(|account| account.stored.id).collect()
        } else {
            names.iter().filter_map(|name| find(pool, name)).map(|account| account.stored.id).collect()
        };
        ids.into_iter().filter(|id| pool.clear(*id, now)).count()
    });
    shared.write_through().await?;
    Ok(ClearAccountsResponse { cleared: u32::try_from(cleared).unwrap_or(u32::MAX) })
}

fn candidate(account: NewAccount, now: i64) -> Result<Candidate, String> {
    let tier = tier(account.tier)?;
    let token = normalise(&account.token)?;
    let mut row = StoredAccount::new(Uuid::now_v7(), token, tier.unwrap_or(Tier::Basic), now);
    row.note = account.note;
    Ok(Candidate { row, tier })
}

async fn insert(shared: &Arc<Shared>, candidates: &[&Candidate]) -> Result<Vec<AddReport>> {
    let rows: Vec<StoredAccount> = candidates.iter().map(|candidate| candidate.row.clone()).collect();
    let inserted = shared.insert(&rows).await?;
    let reports = candidates.iter().zip(inserted).map(|(candidate, inserted)| {
        let (result, id) = match inserted {
            Inserted::Added(account) => (AddResult::Added, account.id),
            Inserted::Known(account) => (AddResult::Merged, account.id),
        };
        if result == AddResult::Merged {
            shared.update(|pool, now| pool.amend(id, candidate.tier, &candidate.row.note, now));
        }
        AddReport { result: result.into(), account_id: id.to_string(), reason: String::new() }
    });
    Ok(reports.collect())
}

fn refused(reason: &str) -> AddReport {
    AddReport { result: AddResult::Refused.into(), account_id: String::new(), reason: reason.to_owned() }
}

fn find<'a>(pool: &'a Pool, name: &str) -> Option<&'a Account> {
    let token = normalise(name).ok().map(|token| token.digest());
    pool.find(Uuid::parse_str(name.trim()).ok(), token)
}
