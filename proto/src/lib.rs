//! The contract: messages, one trait per service, and the closed error.
//!
//! A caller holds `Arc<dyn Chat>` (or `TokenPool`, `MediaCache`, `Config`, `Keys`, `Ledger`) and cannot tell whether it is in this
//! process or behind the network: [`service!`] declares each trait together with its gRPC client and server.
//! This crate depends on no other crate of the workspace.

mod error;
mod masked;
#[macro_use]
mod service;

pub use error::{Error, Kind, Result};
pub use masked::mask;
pub use service::{Idempotent, MAX_MESSAGE_BYTES, Stream, Transport};

/// The encoded file descriptors of all services, for reflection.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

#[expect(missing_docs, reason = "generated: the meaning of every field stands in the .proto files")]
#[expect(clippy::allow_attributes, clippy::allow_attributes_without_reason, reason = "generated")]
mod pb {
    pub(crate) mod admin {
        tonic::include_proto!("grok2api.admin.v1");
    }
    pub(crate) mod chat {
        tonic::include_proto!("grok2api.chat.v1");
    }
    pub(crate) mod config {
        tonic::include_proto!("grok2api.config.v1");
    }
    pub(crate) mod capture {
        tonic::include_proto!("grok2api.capture.v1");
    }
    pub(crate) mod idempotency {
        tonic::include_proto!("grok2api.idempotency.v1");
    }
    pub(crate) mod ledger {
        tonic::include_proto!("grok2api.ledger.v1");
    }
    pub(crate) mod keys {
        tonic::include_proto!("grok2api.keys.v1");
    }
    pub(crate) mod live {
        tonic::include_proto!("grok2api.live.v1");
    }
    pub(crate) mod media {
        tonic::include_proto!("grok2api.media.v1");
    }
    pub(crate) mod response {
        tonic::include_proto!("grok2api.response.v1");
    }
    pub(crate) mod video {
        tonic::include_proto!("grok2api.video.v1");
    }
    pub(crate) mod pool {
        tonic::include_proto!("grok2api.pool.v1");
    }
}

/// Those who run the product.
pub mod admin {
    pub use crate::pb::admin::*;

    service! {
        /// Owns admins, sessions and the log of actions. Source: `grok2api/admin/v1/admin.proto`.
        trait Admins = admins_service_client::AdminsServiceClient,
            admins_service_server::{AdminsService, AdminsServiceServer};
        /// Begins a session.
        unary login(LoginRequest) -> LoginResponse;
        /// The session of a secret, when it may be used.
        unary authenticate(AuthenticateRequest) -> Session, idempotent;
        /// Ends sessions.
        unary end_sessions(EndSessionsRequest) -> EndSessionsResponse, idempotent;
        /// The sessions of an admin.
        unary list_sessions(ListSessionsRequest) -> ListSessionsResponse, idempotent;
        /// An admin's own new password.
        unary change_password(ChangePasswordRequest) -> LoginResponse;
        /// All admins, by name.
        unary list(ListRequest) -> ListResponse, idempotent;
        /// Adds an admin.
        unary create(CreateRequest) -> Admin;
        /// Changes an admin.
        unary update(UpdateRequest) -> Admin;
        /// Adds to the log of actions.
        unary log(Action) -> LogResponse;
        /// The log of actions, newest first.
        unary list_actions(ListActionsRequest) -> ListActionsResponse, idempotent;
    }
}

/// What every process is doing now.
pub mod live {
    pub use crate::pb::live::*;

    service! {
        /// Gathers what the processes tell of themselves. Source: `grok2api/live/v1/live.proto`.
        trait Live = live_service_client::LiveServiceClient,
            live_service_server::{LiveService, LiveServiceServer};
        /// Takes a process's state.
        unary report(ReportRequest) -> ReportResponse, idempotent;
        /// What is known of all processes.
        unary list(ListRequest) -> ListResponse, idempotent;
        /// Has a running request cancelled.
        unary cancel(CancelRequest) -> CancelResponse, idempotent;
    }
}

/// One conversation turn.
pub mod chat {
    pub use crate::pb::chat::*;

    service! {
        /// Runs conversation turns. Source: `grok2api/chat/v1/chat.proto`.
        trait Chat = chat_service_client::ChatServiceClient,
            chat_service_server::{ChatService, ChatServiceServer};
        /// Runs one turn; resolves when the turn is committed.
        stream complete(ChatRequest) -> ChatBatch as CompleteStream;
        /// The models that can be asked for.
        unary list_models(ListModelsRequest) -> ListModelsResponse, idempotent;
    }

    impl From<chat_event::Kind> for ChatEvent {
        fn from(kind: chat_event::Kind) -> Self {
            Self { kind: Some(kind) }
        }
    }
}

/// Runtime configuration.
pub mod config {
    pub use crate::pb::config::*;

    service! {
        /// Owns the runtime parameters. Source: `grok2api/config/v1/config.proto`.
        trait Config = config_service_client::ConfigServiceClient,
            config_service_server::{ConfigService, ConfigServiceServer};
        /// The newest revision.
        unary get(GetRequest) -> Revision, idempotent;
        /// Changes parameters; all of them or none.
        unary update(UpdateRequest) -> Revision;
        /// The newest revision at once, then every later one.
        stream watch(WatchRequest) -> Revision as WatchStream, idempotent;
        /// Names, types, defaults and meanings of all parameters.
        unary list_parameters(ListParametersRequest) -> ListParametersResponse, idempotent;
        /// What each revision changed, newest first.
        unary list_revisions(ListRevisionsRequest) -> ListRevisionsResponse, idempotent;
        /// Says anew what an earlier revision said.
        unary rollback(RollbackRequest) -> Revision;
    }
}

/// Bodies of requests and answers.
pub mod capture {
    pub use crate::pb::capture::*;

    service! {
        /// Keeps bodies for a share of the requests. Source: `grok2api/capture/v1/capture.proto`.
        trait Captures = capture_service_client::CaptureServiceClient,
            capture_service_server::{CaptureService, CaptureServiceServer};
        /// Keeps bodies; idempotent by id.
        unary keep(KeepRequest) -> KeepResponse, idempotent;
        /// The bodies of one request; who reads them is written down.
        unary read(ReadRequest) -> Bodies;
    }
}

/// Requests that must not be done twice.
pub mod idempotency {
    pub use crate::pb::idempotency::*;

    service! {
        /// Keeps who does a request, and its answer. Source: `grok2api/idempotency/v1/idempotency.proto`.
        trait Idempotency = idempotency_service_client::IdempotencyServiceClient,
            idempotency_service_server::{IdempotencyService, IdempotencyServiceServer};
        /// Takes a request, unless somebody was first.
        unary claim(ClaimRequest) -> ClaimResponse;
        /// Keeps claims alive.
        unary renew(RenewRequest) -> RenewResponse, idempotent;
        /// Ends a claim with an answer.
        unary answer(AnswerRequest) -> AnswerResponse;
        /// Gives a claim up.
        unary release(ReleaseRequest) -> ReleaseResponse;
    }
}

/// The usage ledger.
pub mod ledger {
    pub use crate::pb::ledger::*;

    service! {
        /// Keeps one entry for each request, and their sums. Source: `grok2api/ledger/v1/ledger.proto`.
        trait Ledger = ledger_service_client::LedgerServiceClient,
            ledger_service_server::{LedgerService, LedgerServiceServer};
        /// Writes entries; idempotent by id.
        unary record(RecordRequest) -> RecordResponse, idempotent;
        /// Entries that match, newest first.
        unary query(QueryRequest) -> QueryResponse, idempotent;
        /// One entry.
        unary get(GetRequest) -> Entry, idempotent;
        /// Sums over time.
        unary aggregate(AggregateRequest) -> AggregateResponse, idempotent;
    }
}

/// Keys of the API's clients.
pub mod keys {
    pub use crate::pb::keys::*;
    use crate::{Error, Kind, Result};

    service! {
        /// Owns the client keys. Source: `grok2api/keys/v1/keys.proto`.
        trait Keys = keys_service_client::KeysServiceClient,
            keys_service_server::{KeysService, KeysServiceServer};
        /// Makes a key; gives its secret this once.
        unary create(CreateRequest) -> CreateResponse;
        /// All keys, revoked ones too.
        unary list(ListRequest) -> ListResponse, idempotent;
        /// One key by id.
        unary get(GetRequest) -> Key, idempotent;
        /// Says anew what a key may do.
        unary update(UpdateRequest) -> Key;
        /// Gives a key up, for ever.
        unary revoke(RevokeRequest) -> Key, idempotent;
        /// The key of a secret, when it may be used.
        unary authenticate(AuthenticateRequest) -> Facts, idempotent;
        /// Notes when keys were used.
        unary used(UsedRequest) -> UsedResponse, idempotent;
        /// All keys at once, then every change.
        stream watch(WatchRequest) -> Changes as WatchStream, idempotent;
        /// Counts a request against its key's limits, or says what stands against it.
        unary admit(AdmitRequest) -> AdmitResponse, idempotent;
        /// Ends requests that may have been admitted; may be said again.
        unary settle(SettleRequest) -> SettleResponse, idempotent;
        /// Signs of life of requests that hold a slot.
        unary renew(RenewRequest) -> RenewResponse, idempotent;
        /// How a key stands against its limits and budgets.
        unary standing(GetRequest) -> StandingResponse, idempotent;
    }

    impl Facts {
        /// Whether the key may be used at that time, epoch milliseconds.
        ///
        /// # Errors
        /// `Unauthenticated` when it may not.
        pub fn usable(&self, now_ms: i64) -> Result<()> {
            let refused = |message| Err(Error::new(Kind::Unauthenticated, "invalid_api_key", message));
            match self.expires_at {
                _ if self.refused => refused("the API key is revoked or switched off"),
                Some(at) if at <= now_ms => refused("the API key has expired"),
                _ => Ok(()),
            }
        }
    }
}

/// Generated images and videos.
pub mod media {
    pub use crate::pb::media::*;

    service! {
        /// Keeps generated media. Source: `grok2api/media/v1/media.proto`.
        trait MediaCache = media_cache_service_client::MediaCacheServiceClient,
            media_cache_service_server::{MediaCacheService, MediaCacheServiceServer};
        /// Fetches an asset of an account into the cache.
        unary fetch(FetchRequest) -> Item, idempotent;
        /// What is known of a cached item.
        unary stat(StatRequest) -> Item, idempotent;
        /// The item's bytes, whole or a part.
        stream read(ReadRequest) -> Chunk as ReadStream, idempotent;
        /// Bytes and items per kind.
        unary usage(UsageRequest) -> UsageResponse, idempotent;
        /// Deletes all items of a kind.
        unary clear(ClearRequest) -> ClearResponse;
        /// Items of a kind, newest first.
        unary list(ListRequest) -> ListResponse, idempotent;
        /// Deletes one item.
        unary remove(RemoveRequest) -> RemoveResponse;
    }
}

/// Responses that clients may come back to.
pub mod response {
    pub use crate::pb::response::*;

    service! {
        /// Keeps responses. Source: `grok2api/response/v1/response.proto`.
        trait Responses = response_service_client::ResponseServiceClient,
            response_service_server::{ResponseService, ResponseServiceServer};
        /// Keeps a response; idempotent by id.
        unary keep(KeepRequest) -> KeepResponse;
        /// A client's response.
        unary get(GetRequest) -> Response;
        /// The conversation that a response ends, the oldest first.
        unary history(GetRequest) -> HistoryResponse;
        /// Forgets a response.
        unary remove(GetRequest) -> RemoveResponse;
    }
}

/// Videos in the making.
pub mod video {
    pub use crate::pb::video::*;

    service! {
        /// Keeps the videos that clients asked for. Source: `grok2api/video/v1/video.proto`.
        trait VideoJobs = video_job_service_client::VideoJobServiceClient,
            video_job_service_server::{VideoJobService, VideoJobServiceServer};
        /// Adds a job; answers it as it is kept.
        unary insert(Job) -> Job;
        /// The job of that id.
        unary get(GetRequest) -> Job, idempotent;
        /// Replaces a job that still has this version.
        unary update(Job) -> UpdateResponse;
        /// A client's jobs, the newest first.
        unary list(ListRequest) -> ListResponse, idempotent;
        /// Open jobs without a sign of life for so long.
        unary list_silent(ListSilentRequest) -> ListResponse, idempotent;
        /// Forgets a job.
        unary remove(GetRequest) -> RemoveResponse;
    }
}

/// The pool of account tokens.
pub mod pool {
    pub use crate::pb::pool::*;

    service! {
        /// Leases accounts and keeps their quotas. Source: `grok2api/pool/v1/pool.proto`.
        trait TokenPool = token_pool_service_client::TokenPoolServiceClient,
            token_pool_service_server::{TokenPoolService, TokenPoolServiceServer};
        /// Reserves the units of one request on the best eligible account.
        unary lease(LeaseRequest) -> LeaseGrant;
        /// Ends a lease.
        unary settle(SettleRequest) -> SettleResponse, idempotent;
        /// Keeps an owner's leases alive.
        unary renew(RenewRequest) -> RenewResponse, idempotent;
        /// Adds accounts, merging known ones.
        unary add_accounts(AddAccountsRequest) -> AddAccountsResponse;
        /// Removes accounts.
        unary remove_accounts(RemoveAccountsRequest) -> RemoveAccountsResponse;
        /// Accounts with their windows, all or those that match; tokens masked.
        unary list_accounts(ListAccountsRequest) -> ListAccountsResponse, idempotent;
        /// Brings removed accounts back.
        unary restore_accounts(RestoreAccountsRequest) -> RestoreAccountsResponse;
        /// Clears blocking states by hand.
        unary clear_accounts(ClearAccountsRequest) -> ClearAccountsResponse, idempotent;
        /// Changes what the operator says of accounts.
        unary change_accounts(ChangeAccountsRequest) -> ChangeAccountsResponse;
        /// Adds the accounts of a text, with progress.
        stream import_accounts(ImportAccountsRequest) -> ImportProgress as ImportAccountsStream;
        /// Gives full tokens away; logged.
        stream export_accounts(ExportAccountsRequest) -> ExportBatch as ExportAccountsStream;
        /// Reads true quotas now, with progress.
        stream refresh_accounts(RefreshAccountsRequest) -> RefreshProgress as RefreshAccountsStream;
        /// Who would serve a request now, and why not the others.
        unary explain(ExplainRequest) -> ExplainResponse, idempotent;
        /// What happens in the pool from now on.
        stream watch(WatchRequest) -> PoolEvent as WatchStream, idempotent;
    }
}
