//! Tells the config role once a second that this process is there, and what it is doing.

use std::{sync::Arc, time::Duration};

use grok2api_gateway::Running;
use grok2api_kit::{
    clock::Clock,
    lifecycle::Tasks,
    metrics::{BUILD, CONFIG_REVISION},
    readiness::Readiness,
    runtime::Runtime,
};
use grok2api_proto::live::{Live, Replica, ReportRequest};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::{compose::Services, roles::Roles};

const EVERY: Duration = Duration::from_secs(1);

/// What stays the same while the process lives, and where the rest comes from.
struct Presence {
    id: String,
    host: String,
    roles: Vec<String>,
    started_at: i64,
    runtime: Runtime,
    readiness: Readiness,
    running: Option<Running>,
    live: Arc<dyn Live>,
}

/// Begins to tell.
pub(crate) fn start(roles: &Roles, services: &Services, readiness: &Readiness, tasks: &Tasks) {
    let (runtime, names) = (services.runtime.clone(), roles.to_string());
    CONFIG_REVISION.by(move |seen| seen.is(runtime.current().number as f64, []));
    BUILD.by(move |seen| seen.is(1.0, [env!("CARGO_PKG_VERSION").into(), names.clone().into()]));
    let presence = Presence {
        id: Uuid::now_v7().to_string(),
        host: host(),
        roles: roles.names(),
        started_at: Clock::system().now_ms(),
        runtime: services.runtime.clone(),
        readiness: readiness.clone(),
        running: services.running.clone(),
        live: services.live.clone(),
    };
    tasks.spawn_background("presence", presence.tell());
}

impl Presence {
    async fn tell(self) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut away = false;
        loop {
            ticks.tick().await;
            match self.live.report(ReportRequest { replica: Some(self.state()) }).await {
                Ok(answer) => {
                    away = false;
                    if let Some(running) = &self.running {
                        // One that has ended meanwhile is not there any more.
                        answer.cancel.iter().for_each(|id| _ = running.cancel(id));
                    }
                }
                // It costs the console a line, nothing else.
                Err(error) if !std::mem::replace(&mut away, true) => {
                    tracing::debug!(%error, "this process cannot tell what it is doing: {error}");
                }
                Err(_) => {}
            }
        }
    }

    fn state(&self) -> Replica {
        Replica {
            id: self.id.clone(),
            host: self.host.clone(),
            roles: self.roles.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            revision: self.runtime.current().number,
            waiting_for: self.readiness.pending().into_iter().map(str::to_owned).collect(),
            ..self.running.as_ref().map(Running::told).unwrap_or_default()
        }
    }
}

/// The machine's name, as containers know it too.
fn host() -> String {
    let told = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    let read = || std::fs::read_to_string("/etc/hostname").ok().map(|name| name.trim().to_owned());
    told.or_else(read).unwrap_or_default()
}
