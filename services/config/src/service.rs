//! The service: validate, apply, store, publish.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{StreamExt as _, stream};
use grok2api_kit::{clock::Clock, lifecycle::Shutdown};
use grok2api_proto::{
    Error, Result, Stream,
    config::{
        Config, GetRequest, ListParametersRequest, ListParametersResponse, ListRevisionsRequest,
        ListRevisionsResponse, Revision, RollbackRequest, UpdateRequest, WatchRequest,
    },
};
use grok2api_storage::{
    self as storage,
    bell::{Bell, Topic},
    settings::Settings,
};
use tokio::sync::{Mutex, watch};
use tokio_stream::wrappers::WatchStream;

use crate::{
    follow::Following,
    history,
    parameters::Table,
    revision::{Resolved, apply, changed, resolve},
};

/// How often an update that names no revision is tried again when another process was first.
const ATTEMPTS: usize = 8;
const MOST_ON_A_PAGE: u32 = 500;
const PAGE: u32 = 50;

pub(crate) struct Service {
    table: Table,
    settings: Arc<dyn Settings>,
    bell: Bell,
    clock: Clock,
    following: Following,
    newest: watch::Sender<Revision>,
    /// How often the store had been away when the newest revision was read.
    interruptions: AtomicU64,
    /// Held while updating: updates of one process queue up instead of running into conflicts.
    updating: Mutex<()>,
}

impl Service {
    pub(crate) async fn open(
        settings: Arc<dyn Settings>,
        bell: Bell,
        clock: Clock,
        shutdown: Shutdown,
    ) -> Result<Self> {
        let table = Table::compiled()?;
        let interruptions = AtomicU64::new(settings.interruptions());
        let first = whole(&table, settings.latest().await?)?;
        Ok(Self {
            table,
            settings,
            bell,
            clock,
            following: Following::new(shutdown),
            newest: watch::Sender::new(first),
            interruptions,
            updating: Mutex::default(),
        })
    }

    /// Reads the newest revision from the store and tells the watchers if they have not seen it.
    pub(crate) async fn refresh(&self) -> storage::Result<storage::settings::Revision> {
        let stored = self.settings.latest().await?;
        self.publish(&stored);
        Ok(stored)
    }

    /// Looks whether there is another revision than the one that is known, and reads it only then.
    pub(crate) async fn follow(&self) -> storage::Result<()> {
        let followed = self.catch_up().await;
        self.following.went(&followed);
        followed
    }

    async fn catch_up(&self) -> storage::Result<()> {
        let interruptions = self.settings.interruptions();
        let doubted = self.interruptions.load(Ordering::Relaxed) != interruptions;
        let newest = self.settings.newest().await?;
        let known = self.newest.borrow().number;
        if doubted || newest < known {
            self.start_over().await?;
        } else if newest > known {
            self.refresh().await?;
        }
        self.interruptions.store(interruptions, Ordering::Relaxed);
        Ok(())
    }

    /// Takes the store's newest revision for the newest there is. A store that was put back to an earlier state, or has
    /// lost what it acknowledged last, may have an older one than this replica, or another one under the same number.
    async fn start_over(&self) -> storage::Result<()> {
        let _queued = self.updating.lock().await;
        let stored = self.settings.latest().await?;
        let Ok(revision) = whole(&self.table, stored).inspect_err(unusable) else { return Ok(()) };
        let known = self.newest.borrow().number;
        let other = self.newest.send_if_modified(|newest| {
            let other = *newest != revision;
            newest.clone_from(&revision);
            other
        });
        if other && revision.number <= known {
            let found = revision.number;
            tracing::warn!(found, known, "the store went back: configuration {found} counts, after {known}");
        }
        Ok(())
    }

    /// The revision of that number.
    async fn revision(&self, number: u64) -> Result<storage::settings::Revision> {
        if number == 0 {
            return Ok(storage::settings::Revision::default());
        }
        let found = self.settings.list(Some(number.saturating_add(1)), 1).await?.pop();
        found.filter(|revision| revision.number == number).ok_or_else(|| {
            let message = format!("there is no revision {number}");
            Error::new(grok2api_proto::Kind::NotFound, "revision_not_found", message).at("revision")
        })
    }

    /// Tells the watchers of a revision unless they have seen it, or a later one.
    fn publish(&self, stored: &storage::settings::Revision) {
        if self.newest.borrow().number >= stored.number {
            return;
        }
        let Ok(revision) = whole(&self.table, stored.clone()).inspect_err(unusable) else { return };
        self.newest.send_if_modified(|newest| {
            let later = revision.number > newest.number;
            if later {
                *newest = revision;
            }
            later
        });
    }

    /// Tells of a revision that is in the store now, here and elsewhere.
    async fn made(&self, stored: &storage::settings::Revision) {
        self.publish(stored);
        self.bell.ring(Topic::Configuration).await;
    }

    /// One attempt to store the change; `None` when another process was first and trying again makes sense.
    async fn try_update(&self, request: &UpdateRequest) -> Result<Option<storage::settings::Revision>> {
        let before = self.settings.latest().await?;
        if let Some(expected) = request.expected_revision.filter(|expected| *expected != before.number) {
            return Err(storage::Error::Conflict { expected, found: before.number }.into());
        }
        let changes: BTreeMap<String, String> = request.changes.clone().into_iter().collect();
        let overrides = apply(&self.table, &before.overrides, changes)?;
        let names = changed(&before.overrides, &overrides);
        if names.is_empty() {
            return Ok(Some(before));
        }
        match self.settings.append(before.number, overrides, &request.author, self.clock.now_ms()).await {
            Ok(stored) => {
                let (revision, author, names) = (stored.number, &stored.author, names.join(", "));
                tracing::info!(
                    revision,
                    author,
                    parameters = names,
                    "configuration {revision} by {author:?}: {names}"
                );
                Ok(Some(stored))
            }
            Err(storage::Error::Conflict { .. }) if request.expected_revision.is_none() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[tonic::async_trait]
impl Config for Service {
    async fn get(&self, _: GetRequest) -> Result<Revision> {
        whole(&self.table, self.refresh().await?)
    }

    async fn update(&self, request: UpdateRequest) -> Result<Revision> {
        let _queued = self.updating.lock().await;
        for _ in 0..ATTEMPTS {
            if let Some(stored) = self.try_update(&request).await? {
                self.made(&stored).await;
                return whole(&self.table, stored);
            }
        }
        Err(Error::new(
            grok2api_proto::Kind::Conflict,
            "revision_conflict",
            "the configuration is being changed by others all the time",
        ))
    }

    /// The stream ends when this replica drains or loses the store, so that a watcher turns to another one.
    async fn watch(&self, _: WatchRequest) -> Result<Stream<Revision>> {
        // Nobody comes from a replica that knew better to one that has heard nothing for a while.
        self.follow().await?;
        let mut receiver = self.newest.subscribe();
        let newest = receiver.borrow_and_update().clone();
        let later = WatchStream::from_changes(receiver).take_until(self.following.lost());
        Ok(stream::iter([newest]).chain(later).map(Ok).boxed())
    }

    async fn list_parameters(&self, _: ListParametersRequest) -> Result<ListParametersResponse> {
        Ok(ListParametersResponse { parameters: self.table.iter().map(Into::into).collect() })
    }

    async fn list_revisions(&self, request: ListRevisionsRequest) -> Result<ListRevisionsResponse> {
        let limit = if request.limit == 0 { PAGE } else { request.limit.min(MOST_ON_A_PAGE) };
        let before = Some(request.before).filter(|before| *before > 0);
        // One more than wanted: each is compared with the one before it. The first one follows the defaults.
        let found = self.settings.list(before, limit + 1).await?;
        let defaults = storage::settings::Revision::default();
        let pairs = found.iter().zip(found.iter().skip(1).chain([&defaults])).take(limit as usize);
        let revisions: Vec<_> =
            pairs.map(|(after, before)| history::changes(&self.table, &before.overrides, after)).collect();
        let last = revisions.last().filter(|_| found.len() > limit as usize);
        let next_before = last.map_or(0, |last| last.number);
        Ok(ListRevisionsResponse { revisions, next_before })
    }

    async fn rollback(&self, request: RollbackRequest) -> Result<Revision> {
        let _queued = self.updating.lock().await;
        let newest = self.settings.latest().await?;
        let expected = request.expected_revision;
        if expected != newest.number {
            return Err(storage::Error::Conflict { expected, found: newest.number }.into());
        }
        let overrides = history::back(self.revision(request.number).await?.overrides, &newest.overrides);
        if overrides == newest.overrides {
            return whole(&self.table, newest);
        }
        let stored = self.settings.append(expected, overrides, &request.author, self.clock.now_ms()).await?;
        let (revision, author, number) = (stored.number, &stored.author, request.number);
        tracing::info!(revision, author, "configuration {revision} by {author:?}: back to {number}");
        self.made(&stored).await;
        whole(&self.table, stored)
    }
}

fn unusable(error: &Error) {
    tracing::error!(%error, "a configuration revision of the store cannot be used: {error}");
}

/// A stored revision with every parameter.
fn whole(table: &Table, stored: storage::settings::Revision) -> Result<Revision> {
    let Resolved { config, ignored } = resolve(table, &stored.overrides)?;
    if !ignored.is_empty() {
        let names = ignored.join(", ");
        tracing::debug!(
            parameters = names,
            "configuration {} holds values of another version: {names}",
            stored.number
        );
    }
    Ok(Revision {
        number: stored.number,
        config: Some(config),
        author: stored.author,
        created_at: stored.created_at,
    })
}
