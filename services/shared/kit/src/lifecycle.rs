//! Owned tasks and orderly shutdown.
//!
//! Two tokens: *soft* says "take no new work, finish what you have", *hard* says "stop now". Every task of the
//! process is spawned through [`Tasks`], so somebody always waits for it.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::trace;

/// How long housekeeping may write after the hard stop.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// The two stages of a stop.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
}

/// Spawns, tracks and stops the tasks of one process (or of one instance inside a test).
///
/// A stop goes in three steps: draining begins, *work* is waited for up to the grace period, then the hard stop
/// ends what is left and lets housekeeping write down what it still holds.
#[derive(Clone, Default)]
pub struct Tasks {
    work: TaskTracker,
    background: TaskTracker,
    shutdown: Shutdown,
    crash: Arc<Mutex<Option<&'static str>>>,
    open: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

/// Counts a piece of work of its kind while it lives.
pub struct Open {
    kind: &'static str,
    open: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Shutdown {
    /// Resolves when draining begins: accept nothing new.
    pub async fn draining(&self) {
        self.soft.cancelled().await;
    }

    /// Resolves when what is left must end at once.
    pub async fn stopped(&self) {
        self.hard.cancelled().await;
    }

    /// Whether draining has begun.
    pub fn is_draining(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Begins draining.
    pub fn drain(&self) {
        self.soft.cancel();
    }

    /// Ends everything at once (implies draining).
    pub fn stop(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }
}

impl Tasks {
    /// A fresh owner of tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// The shutdown signal these tasks obey.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Runs work that belongs to a request: waited for while draining, dropped at the hard stop. A panic is logged
    /// by the panic hook and harms nothing else.
    pub fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let open = self.open(name);
        let counted = async move {
            future.await;
            drop(open);
        };
        self.spawn_uncounted(name, counted);
    }

    fn spawn_uncounted<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        start(&self.work, trace::carried(self.until_stopped(name, future)));
    }

    /// Counts work that has no task of its own, such as a call that is served.
    #[must_use]
    pub fn open(&self, kind: &'static str) -> Open {
        *self.open.lock().entry(kind).or_default() += 1;
        Open { kind, open: self.open.clone() }
    }

    /// What is going on, by its kind: what a stop waits for.
    pub fn in_flight(&self) -> BTreeMap<&'static str, usize> {
        self.open.lock().clone()
    }

    /// Runs a loop of housekeeping: nobody waits for it, and the hard stop drops it.
    pub fn spawn_background<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        start(&self.background, trace::carried(self.until_stopped(name, future)));
    }

    /// Runs a loop that has to finish something, such as writing down what it holds, once [`Shutdown::stopped`]
    /// resolves: it ends by itself, soon after.
    pub fn spawn_finishing<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        start(&self.background, trace::carried(future));
    }

    fn until_stopped<F>(&self, name: &'static str, future: F) -> impl Future<Output = ()> + Send + use<F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let hard = self.shutdown.hard.clone();
        async move {
            if hard.run_until_cancelled(future).await.is_none() {
                tracing::debug!(task.name = name, "task ended by the hard stop");
            }
        }
    }

    /// Runs a task the process cannot live without. An error or a panic starts the shutdown, and
    /// [`Tasks::crashed`] names the task, so that the process can end with a failure code.
    pub fn spawn_critical<F, E>(&self, name: &'static str, future: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        let guard = CrashGuard { tasks: self.clone(), name, armed: true };
        self.spawn_uncounted(name, async move {
            let mut guard = guard;
            match future.await {
                Ok(()) => guard.armed = false,
                Err(error) => tracing::error!(task.name = name, %error, "task {name} failed: {error}"),
            }
        });
    }

    /// The name of the first critical task that failed, if one did.
    pub fn crashed(&self) -> Option<&'static str> {
        *self.crash.lock()
    }

    /// How much work is going on.
    pub fn working(&self) -> usize {
        self.work.len()
    }

    /// Waits until all work has ended or `grace` is over, then stops everything. Returns whether the work ended by
    /// itself.
    pub async fn finish(&self, grace: Duration) -> bool {
        self.work.close();
        self.background.close();
        let drained = tokio::select! {
            () = self.work.wait() => true,
            () = tokio::time::sleep(grace) => false,
            () = self.shutdown.stopped() => false,
        };
        self.shutdown.stop();
        self.work.wait().await;
        if tokio::time::timeout(LAST_WRITES, self.background.wait()).await.is_err() {
            tracing::error!("housekeeping did not finish within {} s", LAST_WRITES.as_secs());
        }
        drained
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that spawns: tracked and stoppable")]
fn start(tracker: &TaskTracker, future: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(tracker.track_future(future)));
}

/// Reports a critical task that ends by error, panic or cancellation from outside.
struct CrashGuard {
    tasks: Tasks,
    name: &'static str,
    armed: bool,
}

impl Drop for CrashGuard {
    fn drop(&mut self) {
        let stopping = self.tasks.shutdown.hard.is_cancelled();
        if self.armed && !stopping {
            self.tasks.crash.lock().get_or_insert(self.name);
            self.tasks.shutdown.drain();
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        if let Some(count) = open.get_mut(self.kind) {
            *count -= 1;
            if *count == 0 {
                open.remove(self.kind);
            }
        }
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("working", &self.working()).field("crashed", &self.crashed()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tasks_that_end_by_themselves_are_waited_for() {
        let tasks = Tasks::new();
        tasks.spawn("short", tokio::time::sleep(Duration::from_secs(3)));
        assert!(tasks.finish(Duration::from_secs(5)).await);
        assert_eq!(tasks.working(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_past_the_grace_period_are_stopped() {
        let tasks = Tasks::new();
        tasks.spawn("endless", std::future::pending());
        assert!(!tasks.finish(Duration::from_secs(5)).await);
        assert_eq!(tasks.working(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_going_on_is_counted_by_its_kind() {
        let tasks = Tasks::new();
        tasks.spawn("turn", tokio::time::sleep(Duration::from_secs(3)));
        tasks.spawn("turn", std::future::pending());
        let call = tasks.open("call");
        assert_eq!(tasks.in_flight(), BTreeMap::from([("turn", 2), ("call", 1)]));
        drop(call);
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(tasks.in_flight(), BTreeMap::from([("turn", 1)]));
        tasks.finish(Duration::ZERO).await;
        assert!(tasks.in_flight().is_empty(), "what is stopped is over");
    }

    #[tokio::test(start_paused = true)]
    async fn housekeeping_is_not_waited_for_but_may_write_its_last() {
        let tasks = Tasks::new();
        let shutdown = tasks.shutdown().clone();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        tasks.spawn_background("endless", std::future::pending());
        tasks.spawn_finishing(async move {
            shutdown.stopped().await;
            tokio::task::yield_now().await;
            sender.send("written").unwrap();
        });
        assert!(tasks.finish(Duration::from_secs(3600)).await);
        assert_eq!(receiver.await, Ok("written"));
    }

    #[tokio::test]
    async fn a_crashed_critical_task_starts_the_shutdown_and_is_named() {
        let tasks = Tasks::new();
        tasks.spawn_critical("pump", async { Err("broken pipe") });
        tasks.shutdown().draining().await;
        assert_eq!(tasks.crashed(), Some("pump"));
    }

    #[tokio::test]
    async fn a_panic_in_a_critical_task_is_a_crash_too() {
        let tasks = Tasks::new();
        tasks.spawn_critical("pump", async {
            if tokio::task::try_id().is_some() {
                panic!("on purpose");
            }
            Ok::<(), String>(())
        });
        tasks.shutdown().draining().await;
        assert_eq!(tasks.crashed(), Some("pump"));
    }
}
