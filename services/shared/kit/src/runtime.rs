//! The runtime configuration as a replica sees it: the newest revision, followed through the config service.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use grok2api_proto::{
    Error, Result,
    config::{Config, Revision, RuntimeConfig, WatchRequest},
};
use tokio::sync::watch;

use crate::lifecycle::Tasks;

const RECONNECT: Duration = Duration::from_millis(500);

/// One revision, complete.
#[derive(Clone)]
pub struct Applied {
    /// Revision number.
    pub number: u64,
    /// Its parameters.
    pub config: RuntimeConfig,
}

/// A cheap handle on the newest revision.
#[derive(Clone)]
pub struct Runtime(watch::Receiver<Arc<Applied>>);

impl Runtime {
    /// Waits for the first revision, then follows the service for the life of the process.
    ///
    /// # Errors
    /// When the service cannot give the first revision.
    pub async fn follow(service: Arc<dyn Config>, tasks: &Tasks) -> Result<Self> {
        let mut revisions = service.watch(WatchRequest {}).await?;
        let first = revisions
            .next()
            .await
            .ok_or_else(|| Error::internal("the config service gave no revision"))??;
        let (sender, receiver) = watch::channel(Arc::new(Applied::try_from(first)?));
        tasks.spawn_background("runtime-follow", async move {
            let mut away = false;
            loop {
                while let Some(Ok(revision)) = revisions.next().await {
                    if let Ok(applied) = Applied::try_from(revision) {
                        tracing::debug!(
                            revision = applied.number,
                            "configuration revision {} applied",
                            applied.number
                        );
                        sender.send_replace(Arc::new(applied));
                    }
                }
                tokio::time::sleep(RECONNECT).await;
                match service.watch(WatchRequest {}).await {
                    Ok(again) => {
                        revisions = again;
                        if std::mem::take(&mut away) {
                            tracing::info!("configuration is followed again");
                        }
                    }
                    Err(error) if !std::mem::replace(&mut away, true) => {
                        tracing::warn!(%error, "configuration cannot be followed, will try again: {error}");
                    }
                    Err(_) => {}
                }
            }
        });
        Ok(Self(receiver))
    }

    /// A configuration that never changes.
    pub fn fixed(config: RuntimeConfig) -> Self {
        Self(watch::channel(Arc::new(Applied { number: 0, config })).1)
    }

    /// The newest revision.
    pub fn current(&self) -> Arc<Applied> {
        self.0.borrow().clone()
    }

    /// Resolves when a newer revision is there; pends for ever when none can come.
    pub async fn changed(&mut self) -> Arc<Applied> {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.0.borrow_and_update().clone()
    }
}

impl TryFrom<Revision> for Applied {
    type Error = Error;

    fn try_from(revision: Revision) -> Result<Self> {
        let config =
            revision.config.ok_or_else(|| Error::internal("a configuration revision holds no parameters"))?;
        Ok(Self { number: revision.number, config })
    }
}
