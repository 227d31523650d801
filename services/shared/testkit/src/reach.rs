//! Every contract suite runs three ways, so that a feature that works in one process works split as well.

use std::{convert::Infallible, sync::Arc, time::Duration};

use grok2api_kit::{
    grpc::{Peers, Services, Serving},
    lifecycle::Tasks,
    readiness::Readiness,
};
use grok2api_proto::Transport;
use http::Request;
use tokio::net::TcpListener;
use tonic::{body::Body, server::NamedService};
use tower::Service;

const DEADLINE: Duration = Duration::from_secs(60);
const SECRET: &str = "the-secret-of-the-tests";

/// How a test reaches the service under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The trait object itself.
    Direct,
    /// Client over server without a socket: every message passes through protobuf.
    Wired,
    /// Client over server over a real socket on a free port.
    Tcp,
}

impl Reach {
    /// All three.
    pub const ALL: [Reach; 3] = [Reach::Direct, Reach::Wired, Reach::Tcp];
}

/// The service as a caller reaches it. Pass the `server` and `client` functions of its module in `proto`:
/// `reach(how, service, pool::server, pool::client, &tasks)`.
pub async fn reach<T, S>(
    how: Reach,
    service: Arc<T>,
    server: fn(Arc<T>) -> S,
    client: fn(Transport) -> Arc<T>,
    tasks: &Tasks,
) -> Arc<T>
where
    T: ?Sized,
    S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
    S::Response: axum::response::IntoResponse,
    S::Future: Send + 'static,
{
    match how {
        Reach::Direct => service,
        Reach::Wired => client(Services::default().with(server(service)).wired()),
        Reach::Tcp => {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("a bound address");
            let how = Serving {
                secret: SECRET.to_owned(),
                tls: None,
                max_in_flight: 4096,
                reflection: false,
                readiness: Readiness::new(tasks.shutdown().clone()),
            };
            Services::default().with(server(service)).serve(listener, &how, tasks);
            let peers = Peers::start(&format!("http://{address}"), SECRET, None, tasks);
            client(peers.expect("a valid address").transport(DEADLINE))
        }
    }
}
