//! What is running now, pushed.

mod snapshot;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Path, State},
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream as AnyStream, StreamExt as _, stream};
use grok2api_proto::{
    Error, Kind, Result, Stream,
    admin::AuthenticateRequest,
    live::CancelRequest,
    pool::{EventKind, PoolEvent, WatchRequest},
};
use serde_json::{Value, json};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

pub(super) use self::snapshot::Looked;
use self::snapshot::{Dry, snapshot as take};
use super::{
    Console,
    session::Who,
    words::{at, some, word},
};
use crate::openai::error::Failure;

const EVERY: Duration = Duration::from_secs(1);
const PING: Duration = Duration::from_secs(10);
/// How often it is looked whether the session still holds, and for windows that run dry.
pub(super) const SELDOM: Duration = Duration::from_secs(5);
const RECONNECT: Duration = Duration::from_secs(1);

pub(super) async fn snapshot(State(console): State<Console>) -> Result<Json<Value>, Failure> {
    let dry = Dry::look(&console).await?;
    Ok(Json(take(&console, &dry).await?))
}

pub(super) async fn cancel(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let here = console.deps.usage.running().cancel(&id);
    if !here && !console.services.live.cancel(CancelRequest { id: id.clone() }).await?.known {
        let message = format!("the request {id:?} is not running");
        return Err(Error::new(Kind::NotFound, "not_found", message).at("id").into());
    }
    console.log(&who, "live.cancel", &id, Value::Null, Value::Null).await;
    Ok(Json(json!({"cancelled": true})))
}

pub(super) async fn stream(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
) -> Result<Sse<impl AnyStream<Item = Result<Event, Infallible>>>, Failure> {
    let dry = Dry::look(&console).await?;
    let pool = console.services.pool.watch(WatchRequest {}).await?;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let pushed = Pushed { console, who, dry, looked: Instant::now(), pool, ticks, ended: false };
    let events = stream::unfold(pushed, async |mut pushed| Some((Ok(pushed.next().await?), pushed)));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(PING)))
}

/// One client's stream.
struct Pushed {
    console: Console,
    who: Who,
    dry: Arc<Dry>,
    looked: Instant,
    pool: Stream<PoolEvent>,
    ticks: Interval,
    ended: bool,
}

impl Pushed {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.ended {
                return None;
            }
            tokio::select! {
                () = shutting_down(&self.console) => return None,
                _ = self.ticks.tick() => return Some(self.tick().await),
                happened = self.pool.next() => match happened {
                    Some(Ok(event)) => if let Some(shown) = pool_event(event) {
                        return Some(named("pool", &shown));
                    },
                    Some(Err(_)) | None => self.watch_again().await,
                },
            }
        }
    }

    async fn tick(&mut self) -> Event {
        if self.looked.elapsed() >= SELDOM {
            self.looked = Instant::now();
            let digest = self.who.session.digest.clone();
            let held = self.console.services.admins.authenticate(AuthenticateRequest { digest }).await;
            if let Err(error) = held
                && error.kind == Kind::Unauthenticated
            {
                self.ended = true;
                return named("end", &json!({"code": error.code}));
            }
            // The last look is better than none while the pool is away.
            if let Ok(dry) = Dry::look(&self.console).await {
                self.dry = dry;
            }
        }
        match take(&self.console, &self.dry).await {
            Ok(snapshot) => named("snapshot", &snapshot),
            Err(error) => named("error", &json!(crate::openai::error::Body::from(&error))),
        }
    }

    async fn watch_again(&mut self) {
        sleep(RECONNECT).await;
        self.pool = match self.console.services.pool.watch(WatchRequest {}).await {
            Ok(pool) => pool,
            Err(_) => stream::once(async {
                sleep(RECONNECT).await;
                Err(Error::internal("the pool is away"))
            })
            .boxed(),
        };
    }
}

/// Streams would hold up a stop: they never end by themselves.
async fn shutting_down(console: &Console) {
    console.deps.tasks.shutdown().draining().await;
}

fn named(name: &str, data: &Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

/// Leases come and go too fast to be read; the rest is told.
fn pool_event(event: PoolEvent) -> Option<Value> {
    let kind = event.kind();
    if matches!(kind, EventKind::Leased | EventKind::Settled | EventKind::Unspecified) {
        return None;
    }
    Some(json!({
        "kind": word(kind.as_str_name(), "EVENT_KIND_"),
        "at": event.at,
        "account_id": some(event.account_id),
        "class": some(event.class),
        "until": at(event.until),
        "cause": some(event.cause),
        "missed": event.missed,
    }))
}
