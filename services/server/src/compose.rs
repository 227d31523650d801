//! The composition root: each service is made here or reached over gRPC, and who calls it cannot tell.

use std::{future::Future, sync::Arc, time::Duration};

use grok2api_chat as chat_service;
use grok2api_config as config_service;
use grok2api_gateway as gateway;
use grok2api_kit::{
    clock::Clock,
    egress::{self, Endpoints},
    grpc,
    lifecycle::Tasks,
    ops,
    readiness::Readiness,
    runtime::Runtime,
    settings::{Mode, Settings},
    telemetry::LogLevel,
};
use grok2api_media_cache as media_service;
use grok2api_proto::{
    Kind, Transport,
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
    video::{self, VideoJobs},
};
use grok2api_storage::{Store, bell::Bell, board, limiter};
use grok2api_token_pool as pool_service;
use tokio::net::TcpListener;

use crate::{
    instance::StartError,
    listeners::Listeners,
    presence,
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
}

/// What of the settings depends on the roles.
pub(crate) fn check(settings: &Settings, roles: &Roles) -> Result<(), StartError> {
    let mut mistakes = Vec::new();
    for (role, name, address) in peers(settings) {
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

fn peers(settings: &Settings) -> [(Role, &'static str, &str); 4] {
    let peers = &settings.peers;
    [
        (Role::Config, "config", &peers.config),
        (Role::TokenPool, "token_pool", &peers.token_pool),
        (Role::MediaCache, "media_cache", &peers.media_cache),
        (Role::Chat, "chat", &peers.chat),
    ]
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
    listeners: Listeners,
    readiness: &Readiness,
    tasks: &Tasks,
    log_level: Option<LogLevel>,
) -> Result<Services, StartError> {
    ops::serve(listeners.ops, readiness.clone(), tasks);
    let store = if roles.need_storage() { Some(store::open(settings).await?) } else { None };
    if let Some(store) = store.clone() {
        tasks.spawn_background("store-watch", store::watch(store, readiness.clone()));
    }
    let build = Build { settings, readiness, roles, store: store.as_ref(), tasks };
    let config = build.config().await?;
    let keys = build.keys().await?;
    let runtime = build.runtime(&config).await?;
    if let Some(level) = log_level {
        follow_level(level, runtime.clone(), tasks);
    }
    let ledger = build.ledger(&runtime)?;
    let captures = build.captures(&runtime)?;
    let idempotency = build.idempotency().await?;
    let (admins, live) = build.admins(&config, &runtime).await?;
    let egress = egress::Gateway::new(Endpoints::from(&settings.upstream), runtime.clone());
    let pool = build.pool(&runtime, &egress).await?;
    let media = build.media(&runtime, &egress).await?;
    let videos = build.videos()?;
    let chat = build.chat(&pool, &media, &runtime, egress)?;
    let services = Services {
        config,
        keys,
        idempotency,
        admins,
        live,
        ledger,
        captures,
        pool,
        media,
        videos,
        chat,
        runtime,
    };
    let secret = &settings.internal.secret;
    if let Some(listener) = listeners.config {
        grpc::Services::default()
            .with(config::server(services.config.clone()))
            .with(ledger::server(services.ledger.clone()))
            .with(capture::server(services.captures.clone()))
            .with(keys::server(services.keys.clone()))
            .with(idempotency::server(services.idempotency.clone()))
            .with(admin::server(services.admins.clone()))
            .with(live::server(services.live.clone()))
            .serve(listener, secret, tasks);
    }
    if let Some(listener) = listeners.token_pool {
        grpc::Services::default().with(pool::server(services.pool.clone())).serve(listener, secret, tasks);
    }
    if let Some(listener) = listeners.media_cache {
        grpc::Services::default()
            .with(media::server(services.media.clone()))
            .with(video::server(services.videos.clone()))
            .serve(listener, secret, tasks);
    }
    if let Some(listener) = listeners.chat {
        grpc::Services::default().with(chat::server(services.chat.clone())).serve(listener, secret, tasks);
    }
    let running = match listeners.http {
        Some(listener) => Some(build.gateway(&services, listener).await?),
        None => None,
    };
    presence::start(roles, &services, running, readiness, tasks);
    Ok(services)
}

struct Build<'a> {
    settings: &'a Settings,
    readiness: &'a Readiness,
    roles: &'a Roles,
    store: Option<&'a Store>,
    tasks: &'a Tasks,
}

impl Build<'_> {
    /// The store, where this role runs.
    fn local(&self, role: Role) -> Option<&Store> {
        self.store.filter(|_| self.roles.has(role))
    }

    fn remote<T: ?Sized>(&self, role: Role, client: fn(Transport) -> Arc<T>) -> Result<Arc<T>, StartError> {
        let address =
            peers(self.settings).into_iter().find(|(peer, ..)| *peer == role).map_or("", |(.., at)| at);
        // A role that nobody here calls is given an address that nobody asks.
        let address = if address.is_empty() { "http://127.0.0.1:9" } else { address };
        let transport = grpc::connect(address, &self.settings.internal.secret, deadline(role));
        transport.map(client).map_err(|error| StartError(vec![error.message]))
    }

    async fn config(&self) -> Result<Arc<dyn Config>, StartError> {
        let Some(store) = self.local(Role::Config) else { return self.remote(Role::Config, config::client) };
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
        let Some(store) = self.local(Role::Config) else { return self.remote(Role::Config, ledger::client) };
        Ok(config_service::ledger::start(config_service::ledger::Deps {
            ledger: store.ledger(),
            runtime: runtime.clone(),
            clock: Clock::system(),
            tasks: self.tasks.clone(),
        }))
    }

    fn captures(&self, runtime: &Runtime) -> Result<Arc<dyn Captures>, StartError> {
        let Some(store) = self.local(Role::Config) else {
            return self.remote(Role::Config, capture::client);
        };
        Ok(config_service::capture::start(config_service::capture::Deps {
            captures: store.captures(),
            actions: store.actions(),
            runtime: runtime.clone(),
            clock: Clock::system(),
            tasks: self.tasks.clone(),
        }))
    }

    async fn idempotency(&self) -> Result<Arc<dyn Idempotency>, StartError> {
        let Some(store) = self.local(Role::Config) else {
            return self.remote(Role::Config, idempotency::client);
        };
        let requests = store.idempotency(&self.settings.storage).await;
        requests.map(config_service::idempotency::start).map_err(|error| StartError::one("redis", error))
    }

    async fn keys(&self) -> Result<Arc<dyn Keys>, StartError> {
        let Some(store) = self.local(Role::Config) else { return self.remote(Role::Config, keys::client) };
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
    ) -> Result<gateway::Running, StartError> {
        let client_keys = self.client_keys(&services.keys).await?;
        let usage = gateway::usage::Recorder::start(services.ledger.clone(), self.tasks);
        let running = usage.running().clone();
        let (jobs, chat) = (services.videos.clone(), services.chat.clone());
        let router = gateway::router(gateway::Deps {
            chat: services.chat.clone(),
            media: services.media.clone(),
            videos: gateway::Videos::start(jobs, chat, usage.clone(), client_keys.clone(), self.tasks),
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
            return Ok((self.remote(Role::Config, admin::client)?, self.remote(Role::Config, live::client)?));
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
            return self.remote(Role::TokenPool, pool::client);
        };
        let service = pool_service::start(pool_service::Deps {
            accounts: store.accounts(),
            runtime: runtime.clone(),
            egress: Some(egress.clone()),
            redis: self.settings.storage.hot_url().map(str::to_owned),
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
            return self.remote(Role::MediaCache, media::client);
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
            return self.remote(Role::MediaCache, video::client);
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
            return self.remote(Role::Chat, chat::client);
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

/// How long a peer may take to begin its answer: config and the pool answer at once (a lease may wait a little), the
/// media cache after a download, chat when its turn is committed, which has limits of its own.
fn deadline(role: Role) -> Duration {
    Duration::from_secs(match role {
        Role::Config | Role::TokenPool => 10,
        Role::MediaCache => 15 * 60,
        Role::Chat | Role::Gateway => 60 * 60,
    })
}

/// Repeats a call to a peer that may come up later.
async fn patiently<T, F>(remote: bool, mut call: impl FnMut() -> F) -> grok2api_proto::Result<T>
where
    F: Future<Output = grok2api_proto::Result<T>>,
{
    loop {
        match call().await {
            Err(error) if remote && error.kind == Kind::Unavailable => {
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
