//! A TCP proxy that can be cut: connections stay, new ones are made, and nothing goes through.

use std::{net::SocketAddr, sync::Arc};

use grok2api_kit::lifecycle::Tasks;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) at: SocketAddr,
    target: Arc<watch::Sender<Option<SocketAddr>>>,
    cut: Arc<watch::Sender<bool>>,
}

impl Proxy {
    pub(super) async fn start(tasks: &Tasks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            at: listener.local_addr().unwrap(),
            target: Arc::new(watch::Sender::new(None)),
            cut: Arc::new(watch::Sender::new(false)),
        };
        let (serving, spawner) = (proxy.clone(), tasks.clone());
        tasks.spawn_background("proxy", async move {
            while let Ok((client, _)) = listener.accept().await {
                spawner.spawn_background("proxied", serving.clone().carry(client));
            }
        });
        proxy
    }

    pub(super) fn to(&self, target: SocketAddr) {
        self.target.send_replace(Some(target));
    }

    pub(super) fn cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }

    async fn carry(self, mut client: TcpStream) {
        let Some(target) = *self.target.borrow() else { return };
        let mut cut = self.cut.subscribe();
        if !*cut.borrow() {
            let Ok(mut server) = TcpStream::connect(target).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => return,
                _ = cut.wait_for(|cut| *cut) => {}
            }
        }
        // Taken by the kernel and never heard of again, until the way is free and both ends begin anew.
        cut.wait_for(|cut| !cut).await.ok();
    }
}
