//! Follows the keys service, and tells it what was used.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use grok2api_kit::lifecycle::Tasks;
use grok2api_proto::{
    Error, Result, Stream,
    keys::{Changes, Keys, UsedRequest, WatchRequest},
};

use super::ClientKeys;

const RECONNECT: Duration = Duration::from_millis(250);
/// How often the service is told what was used.
const TELL: Duration = Duration::from_secs(10);

/// Learns all keys; later ones are learnt by a task.
pub(super) async fn begin(keys: ClientKeys, service: Arc<dyn Keys>, tasks: &Tasks) -> Result<()> {
    let mut changes = service.watch(WatchRequest {}).await?;
    let first = changes.next().await;
    keys.learn(first.ok_or_else(|| Error::internal("the keys service gave no keys"))??);
    tasks.spawn_background("client-keys-follow", follow(keys.clone(), service.clone(), changes));
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_finishing(async move {
        while tokio::time::timeout(TELL, shutdown.stopped()).await.is_err() {
            tell(&keys, &*service).await;
        }
        tell(&keys, &*service).await;
    });
    Ok(())
}

async fn follow(keys: ClientKeys, service: Arc<dyn Keys>, mut changes: Stream<Changes>) {
    let mut away = false;
    loop {
        while let Some(Ok(changed)) = changes.next().await {
            keys.learn(changed);
        }
        tokio::time::sleep(RECONNECT).await;
        match service.watch(WatchRequest {}).await {
            Ok(again) => {
                changes = again;
                if std::mem::take(&mut away) {
                    tracing::info!("client keys are followed again");
                }
            }
            Err(error) if !std::mem::replace(&mut away, true) => {
                tracing::warn!(%error, "client keys cannot be followed, will try again: {error}");
            }
            Err(_) => {}
        }
    }
}

/// What cannot be told is lost: it only dates a key's last use.
async fn tell(keys: &ClientKeys, service: &dyn Keys) {
    let uses = keys.take_uses();
    if !uses.is_empty()
        && let Err(error) = service.used(UsedRequest { uses }).await
    {
        tracing::warn!(%error, "the last uses of client keys could not be noted");
    }
}
