//! The public port: connections in, requests to the router, and everything a client on the other end can do to hurt.
//!
//! `axum::serve` knows no limits, so the loop is ours, over hyper's HTTP/1.1 and HTTP/2 (by prior knowledge):
//!
//! - `connections.rs` counts the connections and looks through them a few times a second: who is too slow to ask, who
//!   takes nothing of an answer, who has nothing to do. One look for all of them costs less than timers in each.
//! - `connection.rs` is one connection, `io.rs` its socket, which tells what passes.
//! - `flight.rs` is the body of an answer until its last byte, `upload.rs` the body of a request. A panic in an answer ends that
//!   answer (`crate::unwind`), not the connection.

mod connection;
mod connections;
mod flight;
mod io;
mod open_files;
mod upload;

use std::{io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use grok2api_kit::{lifecycle::Tasks, settings::Http};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use connection::Serving;
use connections::Connections;

/// How long accepting waits when the process may not open another file.
const NO_FILES: Duration = Duration::from_millis(50);
/// What the kernel takes of an answer beyond what is on its way: a reader that is slow costs no more than this.
const UNSENT: u32 = 64 * 1024;

/// Serves until draining; then accepts nothing new and lets what is open finish, until the hard stop.
pub fn serve(listener: TcpListener, router: Router, settings: &Http, tasks: &Tasks) {
    let connections = Arc::new(Connections::new(settings));
    let watched = connections.clone();
    tasks.spawn_background("http-watch", async move { watched.watch().await });
    let serving = Arc::new(Serving::new(router, settings, tasks.shutdown().clone()));
    let owner = tasks.clone();
    tasks.spawn_critical("http", async move {
        accept(listener, &connections, &serving, &owner).await;
        connections.empty().await;
        Ok::<_, std::convert::Infallible>(())
    });
}

async fn accept(
    listener: TcpListener,
    connections: &Arc<Connections>,
    serving: &Arc<Serving>,
    tasks: &Tasks,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = tasks.shutdown().draining() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => begin(stream, peer, connections, serving, tasks),
            // The client's own doing.
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => {
                connections.make_room();
                tracing::warn!(%error, "a connection could not be accepted: {error}");
                tokio::time::sleep(NO_FILES).await;
            }
        }
    }
}

fn begin(
    stream: TcpStream,
    peer: SocketAddr,
    connections: &Arc<Connections>,
    serving: &Arc<Serving>,
    tasks: &Tasks,
) {
    if let Err(error) = stream.set_nodelay(true).and_then(|()| limit_unsent(&stream)) {
        tracing::debug!(%error, "a connection stays with delayed writes");
    }
    match connections.admit(peer) {
        // Not dropped at the hard stop: open streams say why they end.
        Some(admitted) => tasks.spawn_finishing(serving.clone().run(stream, admitted)),
        None => drop(stream.try_write(connections::full())),
    }
}

#[cfg(target_os = "linux")]
fn limit_unsent(stream: &TcpStream) -> std::io::Result<()> {
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT)
}

#[cfg(not(target_os = "linux"))]
fn limit_unsent(stream: &TcpStream) -> std::io::Result<()> {
    SockRef::from(stream).set_send_buffer_size(UNSENT as usize)
}

#[cfg(test)]
mod tests;
