//! The composition root: each service is made here or reached over gRPC, and who calls it cannot tell.

mod build;
mod gateway;

use std::sync::Arc;

use grok2api_gateway::Running;
use grok2api_kit::{
    egress::{self, Endpoints},
    grpc::{self, Tls},
    lifecycle::Tasks,
    ops,
    readiness::Readiness,
    runtime::Runtime,
    settings::Settings,
    telemetry::LogLevel,
};
use grok2api_proto::{
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

use crate::{
    exclusive::Exclusive,
    instance::StartError,
    listeners::{Listeners, RoleListeners},
    presence,
    remotes::Remotes,
    roles::{Role, Roles},
    store,
};
use build::Build;

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
    pub running: Option<Running>,
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
    serve_roles(listeners.roles, &services, &how, tasks);
    if let Some(listener) = listeners.http {
        services.running = Some(build.gateway(&services, listener, &open_api, operations).await?);
    }
    presence::start(roles, &services, readiness, tasks);
    Ok(services)
}

/// gRPC of the roles that have a listener of their own.
fn serve_roles(listeners: RoleListeners, services: &Services, how: &grpc::Serving, tasks: &Tasks) {
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
            .serve(listener, how, tasks);
    }
    if let Some(listener) = listeners.token_pool {
        grpc::Services::default().with(pool::server(services.pool.clone())).serve(listener, how, tasks);
    }
    if let Some(listener) = listeners.media_cache {
        grpc::Services::default()
            .with(media::server(services.media.clone()))
            .with(video::server(services.videos.clone()))
            .serve(listener, how, tasks);
    }
    if let Some(listener) = listeners.chat {
        grpc::Services::default().with(chat::server(services.chat.clone())).serve(listener, how, tasks);
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
