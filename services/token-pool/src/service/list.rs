//! Lists of accounts as they are asked for and answered.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use grok2api_proto::{
    Error, Result,
    pool::{
        Account, AccountFilter, AccountSort, ListAccountsRequest, ListAccountsResponse, QuotaSum, State,
        StateCount, TagCount, TierCount,
    },
};
use grok2api_storage::accounts::StoredAccount;
use uuid::Uuid;

use super::tier;
use crate::{
    roster::{After, Filter, Key, Order, Page},
    shared::Shared,
    token::normalise,
    view,
};

/// Tags that are counted for an answer.
const TAGS: usize = 200;
/// Accounts of one page: with all of their failures they have to fit into one message.
const MOST_ON_A_PAGE: u32 = 5_000;

/// The accounts that match, all or a page of them.
pub(super) async fn list(shared: &Arc<Shared>, request: ListAccountsRequest) -> Result<ListAccountsResponse> {
    if request.removed {
        return removed(shared, request.limit).await;
    }
    if request.limit > MOST_ON_A_PAGE && !request.ids_only {
        return Err(Error::invalid("limit", format!("a page has at most {MOST_ON_A_PAGE} accounts")));
    }
    let sort = AccountSort::try_from(request.sort)
        .map_err(|_| Error::invalid("sort", format!("{} is no order", request.sort)))?;
    let order = Order { sort, descending: request.descending };
    let asked = request.filter.unwrap_or_default();
    let everything = asked == AccountFilter::default();
    let filter = filter(asked)?;
    let after = Some(request.cursor).filter(|cursor| !cursor.is_empty());
    let after = after.map(|cursor| read(&cursor, order)).transpose()?;
    let (limit, ids_only, counts) = (request.limit as usize, request.ids_only, request.counts);
    shared.call(shared.hot.advance()).await?;
    Ok(shared.look(|roster, now| {
        let page = roster.page(&filter, order, after.as_ref(), limit, counts, now);
        let mut answer = ListAccountsResponse {
            next_cursor: page.next.as_ref().map_or_else(String::new, |next| write(next, order)),
            matching: number(page.matching),
            total: number(roster.accounts().count()),
            ..ListAccountsResponse::default()
        };
        if ids_only {
            answer.ids = page.ids.iter().map(Uuid::to_string).collect();
        } else {
            let accounts = page.ids.iter().filter_map(|id| roster.get(*id));
            answer.accounts = accounts.map(|account| view::account(account, roster.classes(), now)).collect();
            if everything && page.next.is_none() {
                // At the end: nothing is known to sort or filter them by.
                answer.accounts.extend(shared.unreadable.accounts());
            }
        }
        answer.unused = page.counts.unused;
        answer.quotas = page
            .counts
            .left
            .iter()
            .map(|(class, (remaining, accounts))| QuotaSum {
                class: roster.classes().name(*class).to_owned(),
                remaining: *remaining,
                accounts: *accounts,
            })
            .collect();
        answer.quotas.sort_unstable_by(|one, other| other.class.cmp(&one.class));
        counted(page, &mut answer);
        answer
    }))
}

/// What was removed and is still known: the store is read as a whole for it, which is seldom wanted.
async fn removed(shared: &Arc<Shared>, limit: u32) -> Result<ListAccountsResponse> {
    let mut rows = shared.removed().await?;
    rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.deleted_at, row.id)));
    let matching = number(rows.len());
    let limit = if limit == 0 { MOST_ON_A_PAGE } else { limit.min(MOST_ON_A_PAGE) };
    rows.truncate(limit as usize);
    let shown = |row: StoredAccount| Account {
        id: row.id.to_string(),
        masked_token: row.token.masked(),
        tier: view::tier(row.tier).into(),
        note: row.note,
        tags: row.tags.into_iter().collect(),
        created_at: row.created_at,
        removed_at: row.deleted_at.unwrap_or_default(),
        ..Account::default()
    };
    Ok(ListAccountsResponse {
        accounts: rows.into_iter().map(shown).collect(),
        matching,
        ..ListAccountsResponse::default()
    })
}

fn counted(page: Page, answer: &mut ListAccountsResponse) {
    let counts = page.counts;
    let states = counts.states.into_iter();
    answer.states = states.map(|(state, accounts)| StateCount { state: state.into(), accounts }).collect();
    answer.states.sort_unstable_by_key(|count| count.state);
    let tiers = counts.tiers.into_iter();
    answer.tiers =
        tiers.map(|(tier, accounts)| TierCount { tier: view::tier(tier).into(), accounts }).collect();
    answer.tiers.sort_unstable_by_key(|count| count.tier);
    answer.tags = counts.tags.into_iter().map(|(name, accounts)| TagCount { name, accounts }).collect();
    answer.tags.sort_unstable_by(|one, other| (other.accounts, &one.name).cmp(&(one.accounts, &other.name)));
    answer.tags.truncate(TAGS);
}

fn filter(asked: AccountFilter) -> Result<Filter> {
    let tiers = asked.tiers.iter().filter_map(|number| tier(*number).transpose());
    let tiers = tiers.collect::<Result<_, _>>().map_err(|text| Error::invalid("tier", text))?;
    let state = |number: &i32| {
        State::try_from(*number).map_err(|_| Error::invalid("status", format!("{number} is no status")))
    };
    let mut ids: Vec<Uuid> = asked.ids.iter().filter_map(|id| Uuid::parse_str(id).ok()).collect();
    if ids.len() < asked.ids.len() {
        return Err(Error::invalid("ids", "an id is not one of an account"));
    }
    ids.sort_unstable();
    ids.dedup();
    let search = asked.search.trim();
    Ok(Filter {
        id: Uuid::parse_str(search).ok(),
        digest: normalise(search).ok().map(|token| token.digest()),
        search: search.to_lowercase(),
        tiers,
        states: asked.states.iter().map(state).collect::<Result<_>>()?,
        tags: asked.tags,
        ids,
        dry: asked.dry,
    })
}

/// A cursor says which order it belongs to, so that it is not taken for one of another.
fn write((key, id): &After, order: Order) -> String {
    let (kind, key) = match key {
        Key::Number(number) => ('n', number.to_string()),
        Key::Text(text) => ('t', text.clone()),
    };
    let (sort, way) = (i32::from(order.sort), if order.descending { 'd' } else { 'a' });
    URL_SAFE_NO_PAD.encode(format!("{sort}{way} {id} {kind}{key}"))
}

fn read(cursor: &str, order: Order) -> Result<After> {
    let wrong = || Error::invalid("cursor", "the cursor is not one of this list and order");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let mut parts = text.splitn(3, ' ');
    let (Some(of), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong());
    };
    let way = if order.descending { 'd' } else { 'a' };
    if of != format!("{}{way}", i32::from(order.sort)) {
        return Err(wrong());
    }
    let key = match key.split_at_checked(1) {
        Some(("n", number)) => Key::Number(number.parse().map_err(|_| wrong())?),
        Some(("t", text)) => Key::Text(text.to_owned()),
        _ => return Err(wrong()),
    };
    Ok((key, Uuid::parse_str(id).map_err(|_| wrong())?))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
