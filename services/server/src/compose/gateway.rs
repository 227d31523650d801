//! The public side, over all services.

use std::sync::Arc;

use grok2api_gateway as gateway;
use grok2api_kit::{clock::Clock, ops};
use grok2api_proto::keys::Keys;
use tokio::net::TcpListener;

use super::{
    Services,
    build::{Build, patiently},
};
use crate::{instance::StartError, rehearsal, roles::Role};

impl Build<'_> {
    /// Serves the public side. Returns what it is serving.
    pub(super) async fn gateway(
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

    /// The client keys as the gateway knows them; it does not serve before it does.
    async fn client_keys(&self, service: &Arc<dyn Keys>) -> Result<gateway::ClientKeys, StartError> {
        let remote = self.local(Role::Config).is_none();
        patiently(remote, || gateway::ClientKeys::follow(service.clone(), Clock::system(), self.tasks))
            .await
            .map_err(|error| StartError::one("client keys", error))
    }
}
