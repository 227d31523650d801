//! The gRPC stacks: how a role is served and how it is reached.

mod secret;
mod trace;

use std::{convert::Infallible, time::Duration};

use grok2api_proto::{Error, Kind, Result, Transport};
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Status,
    body::Body,
    server::NamedService,
    service::Routes,
    transport::{Endpoint, Server},
};
use tower::{Service, ServiceBuilder, ServiceExt as _, util::BoxCloneSyncService};

use crate::lifecycle::Tasks;
use secret::{AddSecret, CheckSecret};
use trace::{Join, Tell};

const KEEPALIVE: Duration = Duration::from_secs(15);
/// What a caller keeps of a streamed reply that it does not read yet.
const STREAM_WINDOW: u32 = 128 * 1024;
/// What it keeps of all of them: so much that replies which nobody reads never hold up the others, which share the connection.
const CONNECTION_WINDOW: u32 = 1 << 30;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A set of gRPC services with their health service.
#[derive(Default)]
pub struct Services(Routes);

impl Services {
    /// Adds a service.
    #[must_use]
    pub fn with<S>(self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        Self(self.0.add_service(service))
    }

    /// The services called without a socket; every message still passes through protobuf.
    pub fn wired(self) -> Transport {
        BoxCloneSyncService::new(
            ServiceBuilder::new().map_err(|never: Infallible| match never {}).service(self.0),
        )
    }

    /// Serves until draining; then finishes the calls in flight.
    pub fn serve(self, listener: TcpListener, internal_secret: &str, tasks: &Tasks) {
        let shutdown = tasks.shutdown().clone();
        let (reporter, health) = tonic_health::server::health_reporter();
        drop(reporter);
        let routes = self.0;
        let server = Server::builder()
            // Idle peers behind a dead link are found out.
            .http2_keepalive_interval(Some(KEEPALIVE))
            .tcp_nodelay(true)
            // Only roles of this deployment may call.
            .layer(CheckSecret::layer(internal_secret))
            // Log lines tell which request they are about.
            .layer(Join::layer())
            .add_routes(routes.add_service(health).prepare());
        tasks.spawn_critical("grpc", async move {
            server
                .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async move {
                    shutdown.draining().await;
                })
                .await
        });
    }
}

/// A transport to `address` (`http://host:port`), connected when first used and again whenever it breaks. A call whose
/// answer has not begun within `deadline` fails.
///
/// # Errors
/// `invalid_peer` when the address cannot be read.
pub fn connect(address: &str, internal_secret: &str, deadline: Duration) -> Result<Transport> {
    let invalid = |reason: &dyn std::fmt::Display| {
        Error::new(Kind::InvalidRequest, "invalid_peer", format!("peer address {address:?}: {reason}"))
    };
    let channel = Endpoint::from_shared(address.to_owned())
        .map_err(|error| invalid(&error))?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(deadline)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect_lazy();
    let stack = ServiceBuilder::new()
        // Says who we are.
        .layer(AddSecret::layer(internal_secret).map_err(|error| invalid(&error))?)
        // Says which request it is for.
        .layer(Tell::layer())
        .service(channel)
        .map_err(|error: tonic::transport::Error| Status::from_error(Box::new(error)))
        .map_response(|response: Response<Body>| response);
    Ok(BoxCloneSyncService::new(stack))
}
