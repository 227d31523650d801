//! What a rehearsal has in the place of accounts, media and the ledger: enough for a turn, and nothing that lasts.

use grok2api_proto::{
    Error, Kind, Result, Stream,
    ledger::{
        AggregateRequest, AggregateResponse, Entry, GetRequest, Ledger, QueryRequest, QueryResponse,
        RecordRequest, RecordResponse,
    },
    media::{
        self, Chunk, ClearRequest, ClearResponse, FetchRequest, Item, MediaCache, ReadRequest, RemoveRequest,
        RemoveResponse, StatRequest, UsageRequest, UsageResponse,
    },
    pool::{
        AddAccountsRequest, AddAccountsResponse, ChangeAccountsRequest, ChangeAccountsResponse,
        ClearAccountsRequest, ClearAccountsResponse, ExplainRequest, ExplainResponse, ExportAccountsRequest,
        ExportBatch, ImportAccountsRequest, ImportProgress, LeaseGrant, LeaseRequest, ListAccountsRequest,
        ListAccountsResponse, PoolEvent, RefreshAccountsRequest, RefreshProgress, RemoveAccountsRequest,
        RemoveAccountsResponse, RenewRequest, RenewResponse, RestoreAccountsRequest, RestoreAccountsResponse,
        SettleRequest, SettleResponse, Tier, TokenPool, WatchRequest,
    },
};

/// Every lease is of a fresh account of the simulator, of the tier that is needed.
pub(super) struct Accounts;

/// Images and videos have names and no bytes.
pub(super) struct NoMedia;

/// Takes entries, and forgets them.
pub(super) struct Forgetful;

fn none<T>() -> Result<T> {
    Err(Error::new(Kind::NotFound, "not_kept", "a replay against the simulator keeps nothing"))
}

#[tonic::async_trait]
impl TokenPool for Accounts {
    async fn lease(&self, request: LeaseRequest) -> Result<LeaseGrant> {
        let tier = match request.minimum_tier() {
            Tier::Heavy => "heavy",
            Tier::Super => "super",
            Tier::Basic | Tier::Unspecified => "basic",
        };
        Ok(LeaseGrant {
            lease_id: request.request_id,
            account_id: "simulator".to_owned(),
            token: format!("sim-{tier}-replay-{}", request.exclude_accounts.len()),
            tier: request.minimum_tier,
            expires_at: i64::MAX,
        })
    }

    async fn settle(&self, _: SettleRequest) -> Result<SettleResponse> {
        Ok(SettleResponse { settled: true })
    }

    async fn renew(&self, _: RenewRequest) -> Result<RenewResponse> {
        Ok(RenewResponse::default())
    }

    async fn add_accounts(&self, _: AddAccountsRequest) -> Result<AddAccountsResponse> {
        none()
    }

    async fn remove_accounts(&self, _: RemoveAccountsRequest) -> Result<RemoveAccountsResponse> {
        none()
    }

    async fn list_accounts(&self, _: ListAccountsRequest) -> Result<ListAccountsResponse> {
        none()
    }

    async fn restore_accounts(&self, _: RestoreAccountsRequest) -> Result<RestoreAccountsResponse> {
        none()
    }

    async fn clear_accounts(&self, _: ClearAccountsRequest) -> Result<ClearAccountsResponse> {
        none()
    }

    async fn change_accounts(&self, _: ChangeAccountsRequest) -> Result<ChangeAccountsResponse> {
        none()
    }

    async fn import_accounts(&self, _: ImportAccountsRequest) -> Result<Stream<ImportProgress>> {
        none()
    }

    async fn export_accounts(&self, _: ExportAccountsRequest) -> Result<Stream<ExportBatch>> {
        none()
    }

    async fn refresh_accounts(&self, _: RefreshAccountsRequest) -> Result<Stream<RefreshProgress>> {
        none()
    }

    async fn explain(&self, _: ExplainRequest) -> Result<ExplainResponse> {
        none()
    }

    async fn watch(&self, _: WatchRequest) -> Result<Stream<PoolEvent>> {
        none()
    }
}

#[tonic::async_trait]
impl MediaCache for NoMedia {
    async fn fetch(&self, request: FetchRequest) -> Result<Item> {
        let name = request.location.rsplit('/').find(|part| !part.is_empty()).unwrap_or("media");
        let content_type = if request.kind() == media::Kind::Video { "video/mp4" } else { "image/jpeg" };
        Ok(Item {
            kind: request.kind,
            name: format!("simulated-{name}"),
            content_type: content_type.to_owned(),
            ..Item::default()
        })
    }

    async fn stat(&self, _: StatRequest) -> Result<Item> {
        none()
    }

    async fn read(&self, _: ReadRequest) -> Result<Stream<Chunk>> {
        none()
    }

    async fn usage(&self, _: UsageRequest) -> Result<UsageResponse> {
        none()
    }

    async fn clear(&self, _: ClearRequest) -> Result<ClearResponse> {
        none()
    }

    async fn list(&self, _: media::ListRequest) -> Result<media::ListResponse> {
        none()
    }

    async fn remove(&self, _: RemoveRequest) -> Result<RemoveResponse> {
        none()
    }
}

#[tonic::async_trait]
impl Ledger for Forgetful {
    async fn record(&self, request: RecordRequest) -> Result<RecordResponse> {
        Ok(RecordResponse { recorded: u32::try_from(request.entries.len()).unwrap_or(u32::MAX) })
    }

    async fn query(&self, _: QueryRequest) -> Result<QueryResponse> {
        Ok(QueryResponse::default())
    }

    async fn get(&self, _: GetRequest) -> Result<Entry> {
        none()
    }

    async fn aggregate(&self, _: AggregateRequest) -> Result<AggregateResponse> {
        none()
    }
}
