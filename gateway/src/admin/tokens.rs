//! Accounts as the seed's console and scripts know them: tokens of two types, and four states in Chinese.

use axum::{Extension, Json, extract::State};
use grok2api_proto::{
    Error, Kind, Result,
    pool::{
        Account, AddAccountsRequest, AddResult, ListAccountsRequest, NewAccount, RemoveAccountsRequest,
        Status, Tier,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Console, accounts, extract::Body, session::Who};
use crate::openai::error::Failure;

/// Tokens of one call to the pool, which has to answer in time.
const CHUNK: usize = 200;
const UNUSED: &str = "未使用";
const LIMITED: &str = "限流中";
const EXPIRED: &str = "失效";
const NORMAL: &str = "正常";

#[derive(Deserialize)]
pub(super) struct Tokens {
    tokens: Vec<String>,
    token_type: String,
}

#[derive(Serialize)]
struct Token {
    id: String,
    token: String,
    token_type: &'static str,
    created_time: Option<i64>,
    remaining_queries: i64,
    heavy_remaining_queries: i64,
    status: &'static str,
}

#[derive(Default, Serialize)]
struct Stats {
    total: u32,
    unused: u32,
    limited: u32,
    expired: u32,
    active: u32,
}

pub(super) async fn list(State(console): State<Console>) -> Result<Json<Value>, Failure> {
    let data: Vec<Token> = all(&console).await?.into_iter().map(token).collect();
    Ok(Json(json!({"success": true, "total": data.len(), "data": data})))
}

pub(super) async fn stats(State(console): State<Console>) -> Result<Json<Value>, Failure> {
    let (mut normal, mut better) = (Stats::default(), Stats::default());
    for account in all(&console).await? {
        let of = if is_super(&account) { &mut better } else { &mut normal };
        of.total += 1;
        *match status(&account) {
            UNUSED => &mut of.unused,
            LIMITED => &mut of.limited,
            EXPIRED => &mut of.expired,
            _ => &mut of.active,
        } += 1;
    }
    let total = normal.total + better.total;
    Ok(Json(json!({"success": true, "data": {"normal": normal, "super": better, "total": total}})))
}

pub(super) async fn add(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(tokens): Body<Tokens>,
) -> Result<Json<Value>, Failure> {
    let tier = tokens.tier()?;
    let new = |token: String| NewAccount { token, tier: tier.into(), note: String::new() };
    let new: Vec<NewAccount> = tokens.tokens.into_iter().map(new).collect();
    let before = accounts::count(&console).await;
    let (mut reports, mut failure) = (Vec::with_capacity(new.len()), None);
    for chunk in new.chunks(CHUNK) {
        let request = AddAccountsRequest { accounts: chunk.to_vec() };
        match console.services.pool.add_accounts(request).await {
            Ok(mut added) => reports.append(&mut added.reports),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    let became = |result| reports.iter().filter(|report| report.result() == result).count();
    let (added, merged) = (became(AddResult::Added), became(AddResult::Merged));
    let refused = reports.len() - added - merged;
    let told = json!({"added": added, "merged": merged, "refused": refused});
    // Also what was done before it failed.
    console.log(&who, "account.add", added, before, told).await;
    if let Some(error) = failure {
        return Err(error.into());
    }
    let message = format!("{added} tokens added, {merged} known already, {refused} refused");
    Ok(Json(json!({"success": true, "message": message, "count": added + merged})))
}

pub(super) async fn delete(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(tokens): Body<Tokens>,
) -> Result<Json<Value>, Failure> {
    tokens.tier()?;
    let before = accounts::count(&console).await;
    let (mut removed, mut failure) = (0, None);
    for chunk in tokens.tokens.chunks(CHUNK) {
        let request = RemoveAccountsRequest { accounts: chunk.to_vec() };
        match console.services.pool.remove_accounts(request).await {
            Ok(done) => removed += done.removed,
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    console.log(&who, "account.bulk", "delete", before, json!({"changed": removed})).await;
    if let Some(error) = failure {
        return Err(error.into());
    }
    Ok(Json(json!({"success": true, "message": format!("{removed} tokens deleted"), "count": removed})))
}

impl Tokens {
    fn tier(&self) -> Result<Tier> {
        match self.token_type.as_str() {
            "sso" => Ok(Tier::Basic),
            "ssoSuper" => Ok(Tier::Super),
            other => {
                let message = format!("{other:?} is neither sso nor ssoSuper");
                Err(Error::new(Kind::InvalidRequest, "INVALID_TYPE", message).at("token_type"))
            }
        }
    }
}

async fn all(console: &Console) -> Result<Vec<Account>> {
    Ok(console.services.pool.list_accounts(ListAccountsRequest::default()).await?.accounts)
}

fn token(account: Account) -> Token {
    Token {
        token_type: if is_super(&account) { "ssoSuper" } else { "sso" },
        created_time: Some(account.created_at).filter(|at| *at > 0),
        remaining_queries: remaining(&account, "normal"),
        heavy_remaining_queries: remaining(&account, "heavy"),
        status: status(&account),
        id: account.id,
        token: account.masked_token,
    }
}

fn is_super(account: &Account) -> bool {
    account.tier() > Tier::Basic
}

/// -1 while unknown.
fn remaining(account: &Account, class: &str) -> i64 {
    let window = account.windows.iter().find(|window| window.class == class);
    window.and_then(|window| window.remaining).map_or(-1, i64::from)
}

fn status(account: &Account) -> &'static str {
    let normal = remaining(account, "normal");
    let heavy = if is_super(account) { remaining(account, "heavy") } else { -1 };
    match account.status() {
        Status::Invalid | Status::Banned | Status::Unreadable => EXPIRED,
        Status::Cooling => LIMITED,
        _ if normal == 0 || heavy == 0 => LIMITED,
        _ if normal == -1 && heavy == -1 => UNUSED,
        _ => NORMAL,
    }
}

#[cfg(test)]
mod tests {
    use grok2api_proto::pool::Window;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::fresh(Tier::Basic, Status::Active, None, None, UNUSED)]
    #[case::used(Tier::Basic, Status::Active, Some(12), None, NORMAL)]
    #[case::empty(Tier::Basic, Status::Active, Some(0), None, LIMITED)]
    #[case::cooling(Tier::Basic, Status::Cooling, Some(12), None, LIMITED)]
    #[case::dead(Tier::Basic, Status::Invalid, None, None, EXPIRED)]
    #[case::banned(Tier::Super, Status::Banned, Some(9), Some(9), EXPIRED)]
    #[case::damaged(Tier::Unspecified, Status::Unreadable, None, None, EXPIRED)]
    #[case::no_heavy_left(Tier::Super, Status::Active, Some(9), Some(0), LIMITED)]
    #[case::one_known(Tier::Heavy, Status::Active, None, Some(3), NORMAL)]
    #[case::fresh_super(Tier::Super, Status::Active, None, None, UNUSED)]
    fn states_are_those_of_the_seed(
        #[case] tier: Tier,
        #[case] state: Status,
        #[case] normal: Option<u32>,
        #[case] heavy: Option<u32>,
        #[case] expected: &str,
    ) {
        let window = |class: &str, remaining| Window { class: class.into(), remaining, ..Window::default() };
        let windows = vec![window("normal", normal), window("heavy", heavy)];
        let account = Account { tier: tier.into(), status: state.into(), windows, ..Account::default() };
        assert_eq!(status(&account), expected);
        assert_eq!(token(account).remaining_queries, normal.map_or(-1, i64::from));
    }
}
