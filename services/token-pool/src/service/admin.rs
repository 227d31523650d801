//! What the operator does to accounts. Written through to the store before it is answered.

use std::sync::Arc;

use grok2api_proto::{
    Error, Result, mask,
    pool::{
        ChangeAccountsRequest, ChangeAccountsResponse, ClearAccountsResponse, ExportBatch, ExportedAccount,
        RemoveAccountsResponse, RestoreAccountsResponse,
    },
};
use grok2api_storage::accounts::StoredAccount;
use uuid::Uuid;

use super::tier;
use crate::{account::Account, import, roster::Roster, shared::Shared, token::normalise, view};

/// Longer is no note.
const NOTE_BYTES: usize = 2000;

/// Removes accounts by id or by token.
pub(super) async fn remove(shared: Arc<Shared>, names: Vec<String>) -> Result<RemoveAccountsResponse> {
    let mut answer = RemoveAccountsResponse::default();
    for (at, name) in (0..).zip(names) {
        let id = shared.look(|roster, _| find(roster, &name).map(|account| account.stored.id));
        let id = id.or_else(|| {
            Uuid::parse_str(name.trim()).ok().filter(|id| shared.unreadable.has(&id.to_string()))
        });
        match id {
            Some(id) if shared.remove(id).await? => answer.removed += 1,
            _ => {
                answer.unknown.push(mask(&name));
                answer.unknown_at.push(at);
            }
        }
    }
    Ok(answer)
}

/// Brings accounts back that were removed a short while ago.
pub(super) async fn restore(shared: Arc<Shared>, ids: Vec<String>) -> Result<RestoreAccountsResponse> {
    let known: Vec<Uuid> = ids.iter().filter_map(|id| Uuid::parse_str(id).ok()).collect();
    let restored = shared.restore(&known).await?;
    let is_back = |id: &String| Uuid::parse_str(id).is_ok_and(|id| restored.contains(&id));
    let unknown = ids.iter().filter(|id| !is_back(id)).map(|id| mask(id)).collect();
    Ok(RestoreAccountsResponse { restored: u32::try_from(restored.len()).unwrap_or(u32::MAX), unknown })
}

/// Ends blocking states of the named accounts, or of all.
pub(super) async fn clear(shared: Arc<Shared>, names: Vec<String>) -> Result<ClearAccountsResponse> {
    let (ids, _) = shared.look(|roster, _| named(roster, &names));
    let mut cleared = 0;
    for id in ids {
        cleared += u32::from(shared.update(shared.hot.clear(id)).await?);
    }
    shared.write_through().await?;
    Ok(ClearAccountsResponse { cleared })
}

/// Changes what is said of accounts, each by itself.
pub(super) async fn change(
    shared: Arc<Shared>,
    request: ChangeAccountsRequest,
) -> Result<ChangeAccountsResponse> {
    let mut answer = ChangeAccountsResponse::default();
    if request.accounts.is_empty() {
        return Err(Error::invalid("accounts", "no account is named"));
    }
    let change = change_of(&request)?;
    let found: Vec<Option<Uuid>> = shared.look(|roster, _| {
        let id = |name: &String| find(roster, name).map(|account| account.stored.id);
        request.accounts.iter().map(id).collect()
    });
    for ((at, name), id) in (0..).zip(&request.accounts).zip(found) {
        match id {
            Some(id) if shared.change(id, &change).await? => answer.changed += 1,
            // Unknown, or removed meanwhile.
            _ => {
                answer.unknown.push(mask(name));
                answer.unknown_at.push(at);
            }
        }
    }
    Ok(answer)
}

/// Full tokens of the named accounts, or of all, in batches.
pub(super) fn export(shared: &Arc<Shared>, names: &[String]) -> Result<Vec<ExportBatch>> {
    const BATCH: usize = 500;
    let (accounts, unknown) = shared.look(|roster, _| {
        let (ids, unknown) = named(roster, names);
        let accounts: Vec<_> = ids.into_iter().filter_map(|id| roster.stored(id)).map(exported).collect();
        (accounts, unknown)
    });
    if !unknown.is_empty() {
        let text = format!("no such account: {}", unknown.join(", "));
        return Err(Error::new(grok2api_proto::Kind::NotFound, "account_not_found", text).at("accounts"));
    }
    let mut accounts = accounts.into_iter().peekable();
    let batches = std::iter::from_fn(|| {
        accounts.peek()?;
        Some(ExportBatch { accounts: accounts.by_ref().take(BATCH).collect() })
    });
    Ok(batches.collect())
}

/// The ids of the named accounts in the order of the names, or all in the order of their creation; and what names
/// none, masked.
pub(super) fn named(roster: &Roster, names: &[String]) -> (Vec<Uuid>, Vec<String>) {
    if names.is_empty() {
        let mut ids: Vec<Uuid> = roster.accounts().map(|account| account.stored.id).collect();
        ids.sort_unstable();
        return (ids, Vec::new());
    }
    let (mut ids, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match find(roster, name) {
            Some(account) => ids.push(account.stored.id),
            None => unknown.push(mask(name)),
        }
    }
    (ids, unknown)
}

fn exported(row: &StoredAccount) -> ExportedAccount {
    ExportedAccount {
        token: row.token.expose().to_owned(),
        tier: view::tier(row.tier).into(),
        note: row.note.clone(),
        tags: row.tags.iter().cloned().collect(),
        priority: row.priority,
        disabled: !row.enabled,
        created_at: row.created_at,
    }
}

/// The change a request asks for, once it is known to be right.
fn change_of(request: &ChangeAccountsRequest) -> Result<impl Fn(&mut StoredAccount) + Send + Sync> {
    let tier = tier(request.tier).map_err(|text| Error::invalid("tier", text))?;
    let add = import::tags(request.add_tags.clone()).map_err(|text| Error::invalid("add_tags", text))?;
    if request.note.as_ref().is_some_and(|note| note.len() > NOTE_BYTES) {
        return Err(Error::invalid("note", format!("a note has at most {NOTE_BYTES} bytes")));
    }
    let (note, priority, enabled) = (request.note.clone(), request.priority, request.enabled);
    let remove = request.remove_tags.clone();
    Ok(move |row: &mut StoredAccount| {
        row.tier = tier.unwrap_or(row.tier);
        row.priority = priority.unwrap_or(row.priority);
        row.enabled = enabled.unwrap_or(row.enabled);
        if let Some(note) = &note {
            row.note.clone_from(note);
        }
        row.tags.retain(|tag| !remove.contains(tag));
        row.tags.extend(add.iter().cloned());
    })
}

fn find<'a>(roster: &'a Roster, name: &str) -> Option<&'a Account> {
    let token = normalise(name).ok().map(|token| token.digest());
    roster.find(Uuid::parse_str(name.trim()).ok(), token)
}
