//! Events for those who watch.

use std::sync::Arc;

use futures_util::stream;
use grok2api_proto::{
    Stream,
    pool::{EventKind, PoolEvent},
};
use tokio::sync::broadcast::error::RecvError;

use crate::shared::Shared;

/// What happens from now on, until the pool stops.
pub(super) fn watch(shared: Arc<Shared>) -> Stream<PoolEvent> {
    let events = shared.events.subscribe();
    Box::pin(stream::unfold((shared, events), |(shared, mut events)| async move {
        let event = tokio::select! {
            event = events.recv() => event,
            () = shared.draining() => return None,
        };
        let event = match event {
            Ok(event) => event,
            Err(RecvError::Lagged(missed)) => {
                PoolEvent { kind: EventKind::Lagged.into(), missed, ..PoolEvent::default() }
            }
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), (shared, events)))
    }))
}
