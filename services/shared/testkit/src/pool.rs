//! A pool that grants what it is given, in order, and remembers how each lease ended.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use grok2api_proto::{
    Error, Kind, Result, Stream,
    pool::{
        AddAccountsRequest, AddAccountsResponse, ChangeAccountsRequest, ChangeAccountsResponse,
        ClearAccountsRequest, ClearAccountsResponse, ExplainRequest, ExplainResponse, ExportAccountsRequest,
        ExportBatch, ImportAccountsRequest, ImportProgress, LeaseGrant, LeaseRequest, ListAccountsRequest,
        ListAccountsResponse, PoolEvent, RefreshAccountsRequest, RefreshProgress, RemoveAccountsRequest,
        RemoveAccountsResponse, RenewRequest, RenewResponse, RestoreAccountsRequest, RestoreAccountsResponse,
        SettleRequest, SettleResponse, TokenPool, WatchRequest,
    },
};
use parking_lot::Mutex;
use tokio::sync::watch;

/// Leases its tokens to every request, passing over those the request has tried.
pub struct FakePool {
    tokens: Vec<String>,
    leases: Mutex<Vec<LeaseRequest>>,
    settled: watch::Sender<Vec<SettleRequest>>,
}

impl FakePool {
    /// A pool of these tokens; the account id of the first is "account-0".
    pub fn of(tokens: &[&str]) -> Arc<Self> {
        let tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
        Arc::new(Self { tokens, leases: Mutex::default(), settled: watch::channel(Vec::new()).0 })
    }

    /// What was asked for so far.
    pub fn leases(&self) -> Vec<LeaseRequest> {
        self.leases.lock().clone()
    }

    /// Resolves once so many leases have ended; gives how.
    pub async fn settled(&self, count: usize) -> Vec<SettleRequest> {
        let mut settled = self.settled.subscribe();
        let ended = settled.wait_for(|ended| ended.len() >= count).await.expect("the sender lives");
        ended.clone()
    }
}

#[tonic::async_trait]
impl TokenPool for FakePool {
    async fn lease(&self, request: LeaseRequest) -> Result<LeaseGrant> {
        let free = |index: &usize| !request.exclude_accounts.contains(&format!("account-{index}"));
        let Some(index) = (0..self.tokens.len()).find(free) else {
            return Err(Error::new(Kind::Unavailable, "no_account_left", "every account has been tried"));
        };
        let mut leases = self.leases.lock();
        leases.push(request);
        Ok(LeaseGrant {
            lease_id: format!("lease-{}", leases.len()),
            account_id: format!("account-{index}"),
            token: self.tokens[index].clone(),
            ..LeaseGrant::default()
        })
    }

    async fn settle(&self, request: SettleRequest) -> Result<SettleResponse> {
        self.settled.send_modify(|ended| ended.push(request));
        Ok(SettleResponse { settled: true })
    }

    async fn renew(&self, _: RenewRequest) -> Result<RenewResponse> {
        Ok(RenewResponse::default())
    }

    async fn add_accounts(&self, _: AddAccountsRequest) -> Result<AddAccountsResponse> {
        fixed()
    }

    async fn remove_accounts(&self, _: RemoveAccountsRequest) -> Result<RemoveAccountsResponse> {
        fixed()
    }

    async fn list_accounts(&self, _: ListAccountsRequest) -> Result<ListAccountsResponse> {
        Ok(ListAccountsResponse::default())
    }

    async fn restore_accounts(&self, _: RestoreAccountsRequest) -> Result<RestoreAccountsResponse> {
        fixed()
    }

    async fn clear_accounts(&self, _: ClearAccountsRequest) -> Result<ClearAccountsResponse> {
        fixed()
    }

    async fn change_accounts(&self, _: ChangeAccountsRequest) -> Result<ChangeAccountsResponse> {
        fixed()
    }

    async fn import_accounts(&self, _: ImportAccountsRequest) -> Result<Stream<ImportProgress>> {
        fixed()
    }

    async fn export_accounts(&self, _: ExportAccountsRequest) -> Result<Stream<ExportBatch>> {
        Ok(stream::empty().boxed())
    }

    async fn refresh_accounts(&self, _: RefreshAccountsRequest) -> Result<Stream<RefreshProgress>> {
        fixed()
    }

    async fn explain(&self, _: ExplainRequest) -> Result<ExplainResponse> {
        Ok(ExplainResponse::default())
    }

    async fn watch(&self, _: WatchRequest) -> Result<Stream<PoolEvent>> {
        Ok(stream::pending().boxed())
    }
}

fn fixed<T>() -> Result<T> {
    Err(Error::internal("this pool never changes"))
}
