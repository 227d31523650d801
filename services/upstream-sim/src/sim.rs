//! Starting a simulator, and looking into it from the same process.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc, time::Duration};

use grok2api_kit::lifecycle::Tasks;
use tokio::net::TcpListener;

use crate::{
    account::AccountView,
    journal::{Counters, RequestRecord},
    listener::{Hangup, SimListener},
    router::router,
    scenario::{AccountPatch, Scenario},
    world::World,
};

/// A running simulator. Dropping it changes nothing: it runs until its tasks drain.
#[derive(Clone)]
pub struct Sim {
    world: Arc<World>,
    addr: SocketAddr,
}

/// Serves both the API and the assets host on `listener` until `tasks` drain.
///
/// # Errors
///
/// Fails when the listener has no local address.
pub async fn start(listener: TcpListener, config: crate::SimConfig, tasks: &Tasks) -> io::Result<Sim> {
    let addr = listener.local_addr()?;
    let shutdown = tasks.shutdown().clone();
    let world = Arc::new(World::new(config, shutdown.clone()));
    let service = router(Arc::clone(&world)).into_make_service_with_connect_info::<Hangup>();
    let server = axum::serve(SimListener(listener), service);
    tasks.spawn_critical("upstream-sim", async move {
        server
            .with_graceful_shutdown(async move {
                shutdown.draining().await;
            })
            .await
    });
    tracing::info!(sim.addr = %addr, "simulated upstream on http://{addr}");
    Ok(Sim { world, addr })
}

impl Sim {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL of the API and of the assets host, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The recorded requests, oldest first; the newest 10,000 at most.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.world.journal.records(usize::MAX)
    }

    /// Totals since the start or the last reset.
    pub fn counters(&self) -> Counters {
        self.world.journal.counters()
    }

    /// Requests being answered now.
    pub fn in_flight(&self) -> u64 {
        self.counters().in_flight
    }

    /// Requests whose client left before the end.
    pub fn cancelled(&self) -> u64 {
        self.counters().cancelled
    }

    /// Resolves once the totals satisfy `wanted`. Tests wait here instead of sleeping.
    pub async fn wait(&self, wanted: impl Fn(&Counters) -> bool) {
        self.world.journal.wait(wanted).await;
    }

    /// Resolves once nothing is in flight.
    pub async fn idle(&self) {
        self.wait(|counters| counters.in_flight == 0).await;
    }

    /// All accounts that have been used, by token.
    pub fn accounts(&self) -> BTreeMap<String, AccountView> {
        self.world.views()
    }

    /// One account; made if the token is a known one. `None` for tokens the simulator does not know.
    pub fn account(&self, token: &str) -> Option<AccountView> {
        self.world.account(token).map(|account| account.view(self.world.clock.now_ms()))
    }

    /// Changes an account's windows and faults. Returns whether the token is a known one.
    pub fn set_account(&self, token: &str, patch: &AccountPatch) -> bool {
        let account = self.world.account(token);
        account.inspect(|account| account.apply(patch, self.world.clock.now_ms())).is_some()
    }

    /// Begins another scenario.
    pub fn set_scenario(&self, scenario: Scenario) {
        self.world.set_scenario(scenario);
    }

    /// Moves the clock that quota windows run on.
    pub fn advance(&self, by: Duration) {
        self.world.clock.advance(by);
    }

    /// Forgets accounts, uploads and records, and begins the first scenario anew.
    pub fn reset(&self) {
        self.world.reset();
    }
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("addr", &self.addr).field("counters", &self.counters()).finish()
    }
}
