//! The composition root: each service is made here or reached over gRPC, and who calls it cannot tell.

use std::{future::Future, sync::Arc, time::Duration};

use grok2api_chat as chat_service;
use grok2api_config as config_service;
use grok2api_gateway as gateway;
use grok2api_kit::{
    clock::Clock,
    egress::{self, Endpoints},
    grpc::{self, Tls},
    lifecycle::Tasks,
    ops,
    readiness::Readiness,
    runtime::Runtime,
    settings::{Mode, Settings},
    telemetry::LogLevel,
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
use tokio::net::TcpListener;

use crate::{
    exclusive::Exclusive,
    instance::StartError,
    listeners::Listeners,
    presence, rehearsal,
    remotes::{self, Remotes},
    roles::{Role, Roles},
    store,
};

const PEER_RETRY: Duration = Duration::from_millis(500);

/// The services as a process reaches them.
pub struct Services {
    /// Runtime configuration.
    pub config: Arc<dyn Config>,
    /// The usage ledger.
    pub ledger: Arc<dyn Ledger>,
    /// Bodies of requests and answers.
    pub captures: Arc<dyn Captures>,
    /// Responses that clients may come back to.
    pub responses: Arc<dyn Responses>,
    /// The keys of the API's clients.
    pub keys: Arc<dyn Keys>,
    /// Requests that must not be done twice.
    pub idempotency: Arc<dyn Idempotency>,
    /// Those who run the product.
    pub admins: Arc<dyn Admins>,
    /// What every process is doing.
    pub live: Arc<dyn Live>,
    /// The accounts.
    pub pool: Arc<dyn TokenPool>,
    /// Generated media.
    pub media: Arc<dyn MediaCache>,
    /// Videos in the making.
    pub videos: Arc<dyn VideoJobs>,
    /// Conversation turns.
    pub chat: Arc<dyn Chat>,
    /// The newest revision of the parameters.
    pub runtime: Runtime,
    /// What the gateway serves, where one runs here.
    pub running: Option<gateway::Running>,
}

/// What of the settings depends on the roles.
pub(crate) fn check(settings: &Settings, roles: &Roles) -> Result<(), StartError> {
    let mut mistakes = Vec::new();
    for (role, name, address) in remotes::addresses(settings) {
        if needed(roles, role) && !roles.has(role) && address.is_empty() {
            mistakes
                .push(format!("peers.{name}: the address of {role} is missing, since it does not run here"));
        }
    }
    if roles.split() && settings.internal.secret.is_empty() {
        mistakes.push(
            "internal.secret: roles that run apart need a shared secret (G2A_INTERNAL_SECRET)".to_owned(),
        );
    }
    if mistakes.is_empty() { Ok(()) } else { Err(StartError(mistakes)) }
}

/// Who calls whom: the gateway everybody; chat the pool, media and config; the others config.
fn needed(roles: &Roles, role: Role) -> bool {
    match role {
        Role::Config => true,
        Role::TokenPool => roles.has(Role::Chat) || roles.has(Role::Gateway),
        Role::MediaCache => roles.has(Role::Chat) || roles.has(Role::Gateway),
        Role::Chat => roles.has(Role::Gateway),
        Role::Gateway => false,
    }
}

/// Makes or reaches every service, in the order of their dependence, and serves what runs here.
pub(crate) async fn run(
    settings: &Settings,
    roles: &Roles,
    exclusive: &Exclusive,
    listeners: Listeners,
    readiness: &Readiness,
    tasks: &Tasks,
    log_level: Option<LogLevel>,
) -> Result<Services, StartError> {
    let open_api = ops::OpenApi::default();
    let operations = listeners.ops.local_addr().map(|at| at.to_string()).unwrap_or_default();
    ops::serve(listeners.ops, readiness.clone(), open_api.clone(), tasks);
    let store = if roles.need_storage() { Some(store::open(settings).await?) } else { None };
    if let Some(store) = store.clone() {
        tasks.spawn_background("store-watch", store::watch(store, readiness.clone()));
    }
    let tls = Tls::read(&settings.internal).map_err(|told| StartError(vec![told]))?;
    let remotes = Remotes::start(settings, roles, tls.as_ref(), tasks)?;
    let build =
        Build { settings, readiness, roles, exclusive, remotes: &remotes, store: store.as_ref(), tasks };
    let config = build.config().await?;
    let keys = build.keys().await?;
    let runtime = build.runtime(&config).await?;
    if let Some(level) = log_level {
        follow_level(level, runtime.clone(), tasks);
    }
    let ledger = build.ledger(&runtime)?;
    let captures = build.captures(&runtime)?;
    let responses = build.responses(&runtime)?;
    let idempotency = build.idempotency().await?;
    let (admins, live) = build.admins(&config, &runtime).await?;
    let egress = egress::Gateway::new(Endpoints::from(&settings.upstream), runtime.clone());
    let pool = build.pool(&runtime, &egress).await?;
    exclusive.took_over(Role::TokenPool);
    let media = build.media(&runtime, &egress).await?;
    let videos = build.videos()?;
    let chat = build.chat(&pool, &media, &runtime, egress)?;
    let mut services = Services {
        config,
        keys,
        idempotency,
        admins,
        live,
        ledger,
        captures,
        responses,
        pool,
        media,
        videos,
        chat,
        runtime,
        running: None,
    };
    let how = grpc::Serving {
        secret: settings.internal.secret.clone(),
        tls,
        max_in_flight: settings.grpc.max_in_flight,
        reflection: settings.grpc.reflection,
        readiness: readiness.clone(),
    };
    if let Some(listener) = listeners.config {
        grpc::Services::default()
            .with(config::server(services.config.clone()))
            .with(ledger::server(services.ledger.clone()))
            .with(capture::server(services.captures.clone()))
            .with(response::server(services.responses.clone()))
            .with(keys::server(services.keys.clone()))
            .with(idempotency::server(services.idempotency.clone()))
            .with(admin::server(services.admins.clone()))
            .with(live::server(services.live.clone()))
            .serve(listener, &how, tasks);
    }
    if let Some(listener) = listeners.token_pool {
        grpc::Services::default().with(pool::server(services.pool.clone())).serve(listener, &how, tasks);
    }
    if let Some(listener) = listeners.media_cache {
        grpc::Services::default()
            .with(media::server(services.media.clone()))
            .with(video::server(services.videos.clone()))
            .serve(listener, &how, tasks);
    }
    if let Some(listener) = listeners.chat {
        grpc::Services::default().with(chat::server(services.chat.clone())).serve(listener, &how, tasks);
    }
    if let Some(listener) = listeners.http {
        services.running = Some(build.gateway(&services, listener, &open_api, operations).await?);
    }
    presence::start(roles, &services, readiness, tasks);
    Ok(services)
}

struct Build<'a> {
    settings: &'a Settings,
    readiness: &'a Readiness,
    roles: &'a Roles,
    exclusive: &'a Exclusive,
    remotes: &'a Remotes,
    store: Option<&'a Store>,
    tasks: &'a Tasks,
}

impl Build<'_> {
    /// The store, where this role runs.
    fn local(&self, role: Role) -> Option<&Store> {
        self.store.filter(|_| self.roles.has(role))
    }

    async fn config(&self) -> Result<Arc<dyn Config>, StartError> {
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

    fn ledger(&self, runtime: &Runtime) -> Result<Arc<dyn Ledger>, StartError> {
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

    fn captures(&self, runtime: &Runtime) -> Result<Arc<dyn Captures>, StartError> {
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

    fn responses(&self, runtime: &Runtime) -> Result<Arc<dyn Responses>, StartError> {
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

    async fn idempotency(&self) -> Result<Arc<dyn Idempotency>, StartError> {
        let Some(store) = self.local(Role::Config) else {
            return Ok(self.remotes.reach(Role::Config, idempotency::client));
        };
        let requests = store.idempotency(&self.settings.storage).await;
        requests.map(config_service::idempotency::start).map_err(|error| StartError::one("redis", error))
    }

    async fn keys(&self) -> Result<Arc<dyn Keys>, StartError> {
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

    /// Serves the public side. Returns what it is serving.
    async fn gateway(
        &self,
        services: &Services,
        listener: TcpListener,
        open_api: &ops::OpenApi,
        operations: String,
    ) -> Result<gateway::Running, StartError> {
        let client_keys = self.client_keys(&services.keys).await?;
        let (known, runtime) = (client_keys.clone(), services.runtime.clone());
        open_api.told_by(move || known.is_open(&runtime.current().config));
        let usage = gateway::usage::Recorder::start(
            services.ledger.clone(),
            Some(&self.settings.data.dir),
            self.tasks,
        );
        let running = usage.running().clone();
        let (jobs, chat) = (services.videos.clone(), services.chat.clone());
        let router = gateway::router(gateway::Deps {
            chat: services.chat.clone(),
            media: services.media.clone(),
            videos: gateway::Videos::start(jobs, chat, usage.clone(), client_keys.clone(), self.tasks),
            responses: services.responses.clone(),
            runtime: services.runtime.clone(),
            client_keys,
            trusted_proxies: self.settings.http.trusted_proxies.clone(),
            readiness: self.readiness.clone(),
            max_body_bytes: self.settings.http.max_body_bytes,
            idempotency: gateway::Idempotency::start(
                services.idempotency.clone(),
                &self.settings.http,
                self.tasks,
            ),
            max_in_flight: self.settings.http.max_in_flight,
            capture: gateway::capture::Capturer::start(
                services.captures.clone(),
                services.runtime.clone(),
                self.tasks,
            ),
            usage,
            tasks: self.tasks.clone(),
            admin: Some(gateway::admin::Services {
                admins: services.admins.clone(),
                live: services.live.clone(),
                config: services.config.clone(),
                keys: services.keys.clone(),
                ledger: services.ledger.clone(),
                pool: services.pool.clone(),
                captures: services.captures.clone(),
                simulator: Some(rehearsal::simulator(
                    services.runtime.clone(),
                    self.settings.upstream.allow_private_images,
                    self.tasks,
                )),
                operations,
                upstream: self.settings.upstream.url.to_string(),
            }),
        });
        gateway::serve(listener, router, &self.settings.http, self.tasks);
        Ok(running)
    }

    /// Those who run the product, and the view of what runs.
    async fn admins(
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

    /// The client keys as the gateway knows them; it does not serve before it does.
    async fn client_keys(&self, service: &Arc<dyn Keys>) -> Result<gateway::ClientKeys, StartError> {
        let remote = self.local(Role::Config).is_none();
        patiently(remote, || gateway::ClientKeys::follow(service.clone(), Clock::system(), self.tasks))
            .await
            .map_err(|error| StartError::one("client keys", error))
    }

    /// The first revision; a config service that is not up yet is waited for.
    async fn runtime(&self, config: &Arc<dyn Config>) -> Result<Runtime, StartError> {
        let remote = self.local(Role::Config).is_none();
        patiently(remote, || Runtime::follow(config.clone(), self.tasks))
            .await
            .map_err(|error| StartError::one("config", error))
    }

    async fn pool(
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

    async fn media(
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

    fn videos(&self) -> Result<Arc<dyn VideoJobs>, StartError> {
        let Some(store) = self.local(Role::MediaCache) else {
            return Ok(self.remotes.reach(Role::MediaCache, video::client));
        };
        Ok(media_service::videos::start(store.videos(), Clock::system(), self.tasks))
    }

    fn chat(
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
async fn patiently<T, F>(remote: bool, mut call: impl FnMut() -> F) -> grok2api_proto::Result<T>
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

fn follow_level(level: LogLevel, mut runtime: Runtime, tasks: &Tasks) {
    level.set(&runtime.current().config.log_level);
    tasks.spawn_background("log-level", async move {
        loop {
            level.set(&runtime.changed().await.config.log_level);
        }
    });
}
