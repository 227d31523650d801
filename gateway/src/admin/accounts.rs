//! The accounts: lists, one of them, changes.

pub(super) mod bulk;
pub(super) mod explain;
pub(super) mod export;
pub(super) mod import;
mod shown;

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use grok2api_proto::{
    Error, Kind, Result,
    ledger::{AggregateRequest, GroupBy},
    mask,
    pool::{
        self, AccountFilter, AccountSort, ChangeAccountsRequest, ListAccountsRequest, RestoreAccountsRequest,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Console,
    dashboard::Bucket,
    extract::{Body, Params, limit, listed},
    session::Who,
    words,
};
use crate::openai::error::Failure;
use shown::{Account, Detailed};

/// Deleted accounts that are listed.
const DELETED: u32 = 500;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    search: Option<String>,
    tier: Option<String>,
    status: Option<String>,
    tag: Option<String>,
    sort: Option<String>,
    order: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Which accounts, where they are not named one by one; the empty filter is all of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filter {
    search: String,
    tier: Vec<String>,
    status: Vec<String>,
    tag: Vec<String>,
}

/// What is to be said of accounts from now on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    tier: Option<String>,
    note: Option<String>,
    priority: Option<i32>,
    enabled: Option<bool>,
    #[serde(default)]
    add_tags: Vec<String>,
    #[serde(default)]
    remove_tags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restore {
    ids: Vec<String>,
}

pub(super) async fn list(
    State(console): State<Console>,
    Params(page): Params<Page>,
) -> Result<Json<Value>, Failure> {
    let request = ListAccountsRequest {
        filter: Some(AccountFilter {
            search: page.search.unwrap_or_default(),
            tiers: numbers(listed(page.tier.as_deref()), words::read_tier)?,
            states: numbers(listed(page.status.as_deref()), words::read_state)?,
            tags: listed(page.tag.as_deref()).map(str::to_owned).collect(),
            ..AccountFilter::default()
        }),
        sort: sort(page.sort.as_deref())?.into(),
        descending: descending(page.order.as_deref())?,
        cursor: page.cursor.unwrap_or_default(),
        limit: limit(page.limit)?,
        counts: true,
        ids_only: false,
        removed: false,
    };
    let listed = console.services.pool.list_accounts(request).await?;
    let states = listed.states.iter().map(|count| (words::state(count.state()), json!(count.accounts)));
    let tiers = listed.tiers.iter().map(|count| (words::tier(count.tier()), json!(count.accounts)));
    let tags = listed.tags.iter().map(|count| json!({"name": count.name, "accounts": count.accounts}));
    Ok(Json(json!({
        "statuses": Value::Object(states.collect()),
        "tiers": Value::Object(tiers.collect()),
        "tags": tags.collect::<Vec<_>>(),
        "unused": listed.unused,
        "quotas": listed.quotas.iter().map(quota).collect::<Vec<_>>(),
        "matching": listed.matching,
        "total": listed.total,
        "next_cursor": words::some(listed.next_cursor),
        "items": listed.accounts.into_iter().map(Account::from).collect::<Vec<_>>(),
    })))
}

/// What can still be brought back, the newest first.
pub(super) async fn deleted(State(console): State<Console>) -> Result<Json<Value>, Failure> {
    let request = ListAccountsRequest { removed: true, limit: DELETED, ..ListAccountsRequest::default() };
    let listed = console.services.pool.list_accounts(request).await?;
    let shown = |account: &pool::Account| {
        json!({
            "id": account.id,
            "token": account.masked_token,
            "tier": words::tier(account.tier()),
            "note": account.note,
            "tags": account.tags,
            "deleted_at": account.removed_at,
        })
    };
    let items: Vec<Value> = listed.accounts.iter().map(shown).collect();
    Ok(Json(json!({"items": items, "total": listed.matching})))
}

pub(super) async fn one(
    State(console): State<Console>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let account = find(&console, &id).await?;
    let now = grok2api_kit::clock::Clock::system().now_ms();
    let usage = AggregateRequest {
        from: now - DAY_MS,
        to: now,
        group_by: GroupBy::Account.into(),
        only: Some(account.id.clone()),
        ..AggregateRequest::default()
    };
    let series = console.services.ledger.aggregate(usage).await?.series;
    let used = series.into_iter().flat_map(|series| series.buckets).next().unwrap_or_default();
    let mut shown = json!(Detailed::from(account));
    shown["usage"] = Bucket::from(used).summary();
    Ok(Json(shown))
}

pub(super) async fn change(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    Body(change): Body<Change>,
) -> Result<Json<Account>, Failure> {
    let before = find(&console, &id).await?;
    let request = change.request(vec![before.id.clone()])?;
    console.services.pool.change_accounts(request).await?;
    let after = find(&console, &id).await?;
    console.log(&who, "account.update", &id, said(&before), said(&after)).await;
    Ok(Json(after.into()))
}

pub(super) async fn restore(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(restore): Body<Restore>,
) -> Result<Json<Value>, Failure> {
    let (mut restored, mut unknown, mut failure) = (0, Vec::new(), None);
    let before = count(&console).await;
    for ids in restore.ids.chunks(bulk::CHUNK) {
        let request = RestoreAccountsRequest { ids: ids.to_vec() };
        match console.services.pool.restore_accounts(request).await {
            Ok(mut done) => {
                restored += done.restored;
                unknown.append(&mut done.unknown);
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    // Also what was done before it failed.
    let told = json!({"restored": restored, "asked": restore.ids.len()});
    console.log(&who, "account.restore", restored, before, told).await;
    if let Some(error) = failure {
        return Err(error.into());
    }
    Ok(Json(json!({"restored": restored, "unknown": unknown})))
}

fn quota(sum: &pool::QuotaSum) -> Value {
    json!({"class": sum.class, "remaining": sum.remaining, "accounts": sum.accounts})
}

impl Filter {
    fn read(&self) -> Result<AccountFilter> {
        Ok(AccountFilter {
            search: self.search.clone(),
            tiers: numbers(self.tier.iter().map(String::as_str), words::read_tier)?,
            states: numbers(self.status.iter().map(String::as_str), words::read_state)?,
            tags: self.tag.clone(),
            ..AccountFilter::default()
        })
    }

    /// As the log of actions shows it; a search may be a whole token.
    fn told(&self) -> Value {
        json!({"search": mask(&self.search), "tier": self.tier, "status": self.status, "tag": self.tag})
    }
}

impl Change {
    fn request(&self, accounts: Vec<String>) -> Result<ChangeAccountsRequest> {
        let tier = self.tier.as_deref().map(words::read_tier).transpose()?;
        Ok(ChangeAccountsRequest {
            accounts,
            tier: tier.unwrap_or(pool::Tier::Unspecified).into(),
            note: self.note.clone(),
            priority: self.priority,
            enabled: self.enabled,
            add_tags: self.add_tags.clone(),
            remove_tags: self.remove_tags.clone(),
        })
    }

    fn told(&self) -> Value {
        json!({
            "tier": self.tier,
            "note": self.note,
            "priority": self.priority,
            "enabled": self.enabled,
            "add_tags": self.add_tags,
            "remove_tags": self.remove_tags,
        })
    }
}

/// The ids that were named, or those of the filter; one of the two must be given.
async fn selected(
    console: &Console,
    ids: Option<Vec<String>>,
    filter: Option<&Filter>,
) -> Result<Vec<String>> {
    match (ids, filter) {
        (Some(ids), None) => Ok(ids),
        (None, Some(filter)) => {
            let filter = Some(filter.read()?);
            let request = ListAccountsRequest { filter, ids_only: true, ..ListAccountsRequest::default() };
            Ok(console.services.pool.list_accounts(request).await?.ids)
        }
        _ => Err(Error::invalid("ids", "say either ids or a filter")),
    }
}

pub(super) async fn find(console: &Console, id: &str) -> Result<pool::Account> {
    let unknown = || {
        let message = format!("there is no account {:?}", mask(id));
        Error::new(Kind::NotFound, "account_not_found", message).at("id")
    };
    uuid::Uuid::parse_str(id).map_err(|_| unknown())?;
    let filter = Some(AccountFilter { ids: vec![id.to_owned()], ..AccountFilter::default() });
    let request = ListAccountsRequest { filter, ..ListAccountsRequest::default() };
    console.services.pool.list_accounts(request).await?.accounts.pop().ok_or_else(unknown)
}

/// How many accounts there are, for the log of actions.
pub(super) async fn count(console: &Console) -> Value {
    let request = ListAccountsRequest { limit: 1, ..ListAccountsRequest::default() };
    match console.services.pool.list_accounts(request).await {
        Ok(listed) => json!({"accounts": listed.total}),
        // A log that says less is better than a change that is not made.
        Err(_) => Value::Null,
    }
}

/// The first of those accounts as they are, and how many there are, for the log of actions.
async fn sample(console: &Console, ids: &[String]) -> Value {
    let first: Vec<String> =
        ids.iter().filter(|id| uuid::Uuid::parse_str(id).is_ok()).take(bulk::TOLD).cloned().collect();
    // Naming none would list all.
    if first.is_empty() {
        return Value::Null;
    }
    let filter = Some(AccountFilter { ids: first, ..AccountFilter::default() });
    let request = ListAccountsRequest { filter, ..ListAccountsRequest::default() };
    let shown = |account: &pool::Account| {
        let mut told = said(account);
        told["id"] = json!(account.id);
        told["status"] = json!(words::state(account.state()));
        told
    };
    match console.services.pool.list_accounts(request).await {
        Ok(listed) => {
            let accounts: Vec<Value> = listed.accounts.iter().map(shown).collect();
            json!({"accounts": accounts, "of": ids.len()})
        }
        Err(_) => Value::Null,
    }
}

/// What an operator says of an account, for the log of actions.
fn said(account: &pool::Account) -> Value {
    json!({
        "tier": words::tier(account.tier()),
        "note": account.note,
        "priority": account.priority,
        "enabled": !account.disabled,
        "tags": account.tags,
    })
}

fn numbers<'a, T: Into<i32>>(
    texts: impl Iterator<Item = &'a str>,
    read: fn(&str) -> Result<T>,
) -> Result<Vec<i32>> {
    texts.map(|text| read(text).map(Into::into)).collect()
}

fn sort(name: Option<&str>) -> Result<AccountSort> {
    Ok(match name.unwrap_or("created") {
        "created" => AccountSort::Unspecified,
        "tier" => AccountSort::Tier,
        "status" => AccountSort::State,
        "remaining" => AccountSort::Remaining,
        "last_used" => AccountSort::LastUsed,
        "priority" => AccountSort::Priority,
        "note" => AccountSort::Note,
        "in_flight" => AccountSort::InFlight,
        other => return Err(Error::invalid("sort", format!("{other:?} is no order of accounts"))),
    })
}

fn descending(order: Option<&str>) -> Result<bool> {
    match order.unwrap_or("desc") {
        "desc" => Ok(true),
        "asc" => Ok(false),
        other => Err(Error::invalid("order", format!("{other:?} is neither asc nor desc"))),
    }
}
