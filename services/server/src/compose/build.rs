//! Each service: made here, where its role runs, or reached.

use std::{future::Future, sync::Arc, time::Duration};

use grok2api_chat as chat_service;
use grok2api_config as config_service;
use grok2api_kit::{
    clock::Clock,
    egress,
    lifecycle::Tasks,
    readiness::Readiness,
    runtime::Runtime,
    settings::{Mode, Settings},
};
use grok2api_media_cache as media_service;
use grok2api_proto::{
    Kind,
    admin::{self, Admins},
    capture::{self, Captures},
    chat::{self, Chat},
    config::{self, Config},
    idempotency::{self, Idempotency},
    keys::{self, Keys},
    ledger::{self, Ledger},
    live::{self, Live},
    media::{self, MediaCache},
    pool::{self, TokenPool},
    response::{self, Responses},
    video::{self, VideoJobs},
};
use grok2api_storage::{Store, bell::Bell, board, limiter};
use grok2api_token_pool as pool_service;

use crate::{
    exclusive::Exclusive,
    instance::StartError,
    remotes::Remotes,
    roles::{Role, Roles},
};

const PEER_RETRY: Duration = Duration::from_millis(500);

/// What services are made of.
pub(super) struct Build<'a> {
    pub(super) settings: &'a Settings,
    pub(super) readiness: &'a Readiness,
    pub(super) roles: &'a Roles,
    pub(super) exclusive: &'a Exclusive,
    pub(super) remotes: &'a Remotes,
    pub(super) store: Option<&'a Store>,
    pub(super) tasks: &'a Tasks,
}

impl Build<'_> {
    /// The store, where this role runs.
    pub(super) fn local(&self, role: Role) -> Option<&Store> {
        self.store.filter(|_| self.roles.has(role))
    }

    pub(super) async fn config(&self) -> Result<Arc<dyn Config>, StartError> {
        let Some(store) = self.local(Role::Config) else {
            return Ok(self.remotes.reach(Role::Config, config::client));
        };
        let service = config_service::start(config_service::Deps {
            settings: store.settings(),
            bell: self.bell().await?,
            every: config_service::REVISIONS,
            clock: Clock::system(),
            tasks: self.tasks.clone(),
        });
        service.await.map_err(|error| StartError::one("config", error))
    }

    /// By which replicas tell each other of a new revision.
    async fn bell(&self) -> Result<Bell, StartError> {
        let bell = Bell::open(self.settings.storage.hot_url()).await;
        bell.map_err(|error| StartError::one("storage.redis_url", error))
    }

    pub(super) fn ledger(&self, runtime: &Runtime) -> Result<Arc<dyn Ledger>, StartError> {
        let Some(store) = self.local(Role::Config) else {
            return Ok(self.remotes.reach(Role::Config, ledger::client));
        };
        Ok(config_service::ledger::start(config_service::ledger::Deps {
            ledger: store.ledger(),
            runtime: runtime.clone(),
            clock: Clock::system(),
            tasks: self.tasks.clone(),
        }))
    }

    pub(super) fn captures(&self, runtime: &Runtime) -> Result<Arc<dyn Captures>, StartError> {
        let Some(store) = self.local(Role::Config) else {
            return Ok(self.remotes.reach(Role::Config, capture::client));
        };
        Ok(config_service::capture::start(config_service::capture::Deps {
            captures: store.captures(),
            actions: store.actions(),
            runtime: runtime.clone(),
            clock: Clock::system(),
            tasks: self.tasks.clone(),
        }))
    }

    pub(super) fn responses(&self, runtime: &Runtime) -> Result<Arc<dyn Responses>, StartError> {
        let Some(store) = self.local(Role::Config) else {
            return Ok(self.remotes.reach(Role::Config, response::client));
        };
        Ok(config_service::responses::start(config_service::responses::Deps {
            responses: store.responses(),
            runtime: runtime.clone(),
            clock: Clock::system(),
            tasks: self.tasks.clone(),
        }))
    }

    pub(super) async fn idempotency(&self) -> Result<Arc<dyn Idempotency>, StartError> {
        let Some(store) = self.local(Role::Config) else {
            return Ok(self.remotes.reach(Role::Config, idempotency::client));
        };
        let requests = store.idempotency(&self.settings.storage).await;
        requests.map(config_service::idempotency::start).map_err(|error| StartError::one("redis", error))
    }

    pub(super) async fn keys(&self) -> Result<Arc<dyn Keys>, StartError> {
        let Some(store) = self.local(Role::Config) else {
            return Ok(self.remotes.reach(Role::Config, keys::client));
        };
        let limiter = match self.settings.storage.hot_url() {
            Some(url) => limiter::redis(url, Clock::system())
                .await
                .map_err(|error| StartError::one("storage.redis_url", error))?,
            None => limiter::memory(Clock::system()),
        };
        let service = config_service::start_keys(config_service::KeysDeps {
            keys: store.client_keys(),
            budgets: store.budgets(),
            limiter,
            prefix: self.settings.keys.prefix.clone(),
            clock: Clock::system(),
            tasks: self.tasks.clone(),
        });
        service.await.map_err(|error| StartError::one("client keys", error))
    }

    /// Those who run the product, and the view of what runs.
    pub(super) async fn admins(
        &self,
        config: &Arc<dyn Config>,
        runtime: &Runtime,
    ) -> Result<(Arc<dyn Admins>, Arc<dyn Live>), StartError> {
        let Some(store) = self.local(Role::Config) else {
            return Ok((
                self.remotes.reach(Role::Config, admin::client),
                self.remotes.reach(Role::Config, live::client),
            ));
        };
        let storage = &self.settings.storage;
        let board = board::open(storage.hot_url()).await;
        let board = board.map_err(|error| StartError::one("storage.redis_url", error))?;
        let live = config_service::live::start(config_service::live::Deps {
            board: board.clone(),
            shared: storage.hot_url().is_some(),
            storage_mode: mode_name(storage.mode).to_owned(),
            clock: Clock::system(),
        });
        let admins = config_service::admins::start(config_service::admins::Deps {
            admins: store.admins(),
            sessions: store.sessions(),
            actions: store.actions(),
            board,
            config: config.clone(),
            runtime: runtime.clone(),
            first_password: self.settings.admin.password.clone(),
            clock: Clock::system(),
            tasks: self.tasks.clone(),
        });
        Ok((admins.await.map_err(|error| StartError::one("admins", error))?, live))
    }

    /// The first revision; a config service that is not up yet is waited for.
    pub(super) async fn runtime(&self, config: &Arc<dyn Config>) -> Result<Runtime, StartError> {
        let remote = self.local(Role::Config).is_none();
        patiently(remote, || Runtime::follow(config.clone(), self.tasks))
            .await
            .map_err(|error| StartError::one("config", error))
    }

    pub(super) async fn pool(
        &self,
        runtime: &Runtime,
        egress: &egress::Gateway,
    ) -> Result<Arc<dyn TokenPool>, StartError> {
        let Some(store) = self.local(Role::TokenPool) else {
            return Ok(self.remotes.reach(Role::TokenPool, pool::client));
        };
        let service = pool_service::start(pool_service::Deps {
            accounts: store.accounts(),
            runtime: runtime.clone(),
            egress: Some(egress.clone()),
            redis: self.settings.storage.hot_url().map(str::to_owned),
            intact: self.exclusive.intact(Role::TokenPool),
            readiness: self.readiness.clone(),
            clock: Clock::system(),
            tasks: self.tasks.clone(),
        });
        service.await.map_err(|error| StartError::one("token-pool", error))
    }

    pub(super) async fn media(
        &self,
        runtime: &Runtime,
        egress: &egress::Gateway,
    ) -> Result<Arc<dyn MediaCache>, StartError> {
        let Some(store) = self.local(Role::MediaCache) else {
            return Ok(self.remotes.reach(Role::MediaCache, media::client));
        };
        let service = media_service::start(media_service::Deps {
            index: store.media(),
            media: self.settings.media.clone(),
            data_dir: self.settings.data.dir.clone(),
            runtime: runtime.clone(),
            egress: egress.clone(),
            clock: Clock::system(),
            tasks: self.tasks.clone(),
        });
        service.await.map_err(|error| StartError::one("media store", error.message))
    }

    pub(super) fn videos(&self) -> Result<Arc<dyn VideoJobs>, StartError> {
        let Some(store) = self.local(Role::MediaCache) else {
            return Ok(self.remotes.reach(Role::MediaCache, video::client));
        };
        Ok(media_service::videos::start(store.videos(), Clock::system(), self.tasks))
    }

    pub(super) fn chat(
        &self,
        pool: &Arc<dyn TokenPool>,
        media: &Arc<dyn MediaCache>,
        runtime: &Runtime,
        egress: egress::Gateway,
    ) -> Result<Arc<dyn Chat>, StartError> {
        if !self.roles.has(Role::Chat) {
            return Ok(self.remotes.reach(Role::Chat, chat::client));
        }
        let deps = chat_service::Deps {
            pool: pool.clone(),
            media: media.clone(),
            runtime: runtime.clone(),
            egress,
            allow_private_images: self.settings.upstream.allow_private_images,
            tasks: self.tasks.clone(),
        };
        chat_service::start(deps).map_err(|error| StartError::one("chat", error))
    }
}

/// As the seed names it.
fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::File => "FILE",
        Mode::Mysql => "MYSQL",
        Mode::Redis => "REDIS",
    }
}

/// Repeats a call to a peer that may come up later.
pub(super) async fn patiently<T, F>(remote: bool, mut call: impl FnMut() -> F) -> grok2api_proto::Result<T>
where
    F: Future<Output = grok2api_proto::Result<T>>,
{
    loop {
        match call().await {
            Err(error) if remote && matches!(error.kind, Kind::Unavailable | Kind::Timeout) => {
                tracing::info!("waiting for the config service");
                tokio::time::sleep(PEER_RETRY).await;
            }
            done => return done,
        }
    }
}
