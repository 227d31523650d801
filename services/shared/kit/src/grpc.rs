//! The gRPC stacks: how a role is served and how it is reached.

mod health;
mod limit;
mod peers;
mod secret;
mod tls;
mod trace;

use std::{convert::Infallible, time::Duration};

use grok2api_proto::Transport;
use http::{Request, Uri};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    body::Body,
    server::NamedService,
    service::Routes,
    transport::{Endpoint, Server},
};
use tower::{Service, ServiceBuilder, util::BoxCloneSyncService};

use crate::{lifecycle::Tasks, readiness::Readiness};
use health::Health;
use limit::Limit;
pub(crate) use peers::Address;
use peers::Calls;
pub use peers::Peers;
use secret::{AddSecret, CheckSecret};
pub use tls::Tls;
use trace::{Join, Tell};

/// A connection whose other end says nothing for so long, and then for so long after it was asked, is given up.
const KEEPALIVE: Duration = Duration::from_secs(5);
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(5);
/// Servers are in less of a hurry: who hangs for a while finds its streams again.
const SERVER_KEEPALIVE: Duration = Duration::from_secs(15);
/// A connection takes no new calls after that, so that callers who look names up seldom find new replicas. What is
/// under way goes on: tonic would cut it if it were given a period of grace.
const CONNECTION_AGE: Duration = Duration::from_secs(15 * 60);
/// What a caller keeps of a streamed reply that it does not read yet.
const STREAM_WINDOW: u32 = 128 * 1024;
/// What it keeps of all of them: so much that replies which nobody reads never hold up the others, which share the connection.
const CONNECTION_WINDOW: u32 = 1 << 30;
const CONNECT_TIMEOUT: Duration = Duration::from_millis(800);

/// A set of gRPC services with their health service.
#[derive(Default)]
pub struct Services {
    routes: Routes,
    names: Vec<&'static str>,
}

/// How services are served.
#[derive(Clone)]
pub struct Serving {
    /// What callers must show.
    pub secret: String,
    /// Whether they must show a certificate as well.
    pub tls: Option<Tls>,
    /// Calls at the same time, streams among them; more are refused.
    pub max_in_flight: usize,
    /// Whether the services describe themselves.
    pub reflection: bool,
    /// What the health service tells.
    pub readiness: Readiness,
}

impl Services {
    /// Adds a service.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        Self { routes: self.routes.add_service(service), names: self.names }
    }

    /// The services called without a socket; every message still passes through protobuf.
    pub fn wired(self) -> Transport {
        BoxCloneSyncService::new(
            ServiceBuilder::new().map_err(|never: Infallible| match never {}).service(self.routes),
        )
    }

    /// Serves until draining; then finishes the calls in flight.
    pub fn serve(self, listener: TcpListener, how: &Serving, tasks: &Tasks) {
        let shutdown = tasks.shutdown().clone();
        let (health, health_service) = Health::new(self.names, how.readiness.clone());
        let mut routes = self.routes.add_service(health_service);
        if how.reflection {
            routes = reflected(routes);
        }
        let server = Server::builder();
        let server = match &how.tls {
            // Callers show a certificate.
            Some(tls) => server.tls_config(tls.server()),
            None => Ok(server),
        };
        let (how, tracker) = (how.clone(), tasks.clone());
        tasks.spawn_critical("grpc", async move {
            let server = server?
                // Idle peers behind a dead link are found out.
                .http2_keepalive_interval(Some(SERVER_KEEPALIVE))
                .http2_keepalive_timeout(Some(SERVER_KEEPALIVE))
                // New replicas are found by those who called the old ones.
                .max_connection_age(CONNECTION_AGE)
                .tcp_nodelay(true)
                // Only roles of this deployment may call.
                .layer(CheckSecret::layer(&how.secret))
                // No more than the process can carry.
                .layer(Limit::layer(how.max_in_flight, tracker.clone()))
                // Log lines tell which request they are about.
                .layer(Join::layer())
                .add_routes(routes.prepare());
            // Before anybody can ask.
            health.tell().await;
            tracker.spawn_background("grpc-health", health.follow());
            server
                .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async move {
                    shutdown.draining().await;
                })
                .await
        });
    }
}

impl Peers {
    /// A way to call them. A call whose answer has not begun within `deadline` fails.
    pub fn transport(&self, deadline: Duration) -> Transport {
        let stack = ServiceBuilder::new()
            // Says who we are.
            .layer(AddSecret::layer(self.secret()))
            // Says which request it is for.
            .layer(Tell::layer())
            // Until when, to which replica, and whether again.
            .service(Calls::new(self.clone(), deadline));
        BoxCloneSyncService::new(stack)
    }
}

/// How a replica is connected to.
fn endpoint(uri: Uri) -> Endpoint {
    Endpoint::from(uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_WITHIN)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
}

/// With the service that describes the others, in both of its versions.
fn reflected(routes: Routes) -> Routes {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(grok2api_proto::DESCRIPTOR)
    };
    match (builder().build_v1(), builder().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => routes.add_service(v1).add_service(v1alpha),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "the services cannot describe themselves: {error}");
            routes
        }
    }
}

/// Asked by the orchestrator, which knows no secret, and by callers, of a process that is full as well.
fn is_health(uri: &Uri) -> bool {
    uri.path().starts_with("/grpc.health.v1.Health/")
}
