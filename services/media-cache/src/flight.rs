//! Single flight: concurrent calls for one key share one future.
//!
//! The future is driven by its callers and lives as long as one of them waits: when all have left, it is dropped and
//! the work stops. A result, good or bad, goes to those who waited for it and is then forgotten.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use parking_lot::Mutex;

type Flight<T> = Shared<BoxFuture<'static, T>>;
type Running<K, T> = Arc<Mutex<HashMap<K, (u64, WeakShared<BoxFuture<'static, T>>)>>>;

/// The calls in flight.
pub(crate) struct Flights<K, T: Clone> {
    running: Running<K, T>,
    next: AtomicU64,
}

/// Forgets a flight when it has landed or was given up.
struct Landing<K: Eq + Hash, T: Clone> {
    running: Running<K, T>,
    key: K,
    number: u64,
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self { running: Arc::default(), next: AtomicU64::new(0) }
    }

    /// Joins the flight of `key`, or begins it with what `begin` gives.
    pub(crate) fn join<F>(&self, key: K, begin: impl FnOnce() -> F) -> Flight<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut running = self.running.lock();
        if let Some(flight) = running.get(&key).and_then(|(_, flight)| flight.upgrade()) {
            return flight;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let work = begin();
        let landing = Landing { running: self.running.clone(), key: key.clone(), number };
        let flight = async move {
            let _landing = landing;
            work.await
        };
        let flight = flight.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            running.insert(key, (number, weak));
        }
        flight
    }
}

impl<K: Eq + Hash, T: Clone> Drop for Landing<K, T> {
    fn drop(&mut self) {
        let mut running = self.running.lock();
        // A later flight of the same key may have begun after the callers of this one left.
        if running.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            running.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn callers_of_one_key_share_one_flight() {
        let flights = Flights::new();
        let (land, landed) = oneshot::channel::<u32>();
        let first = flights.join("a", || async { landed.await.unwrap() });
        let second = flights.join("a", || async { unreachable!("it is in flight already") });
        let other = flights.join("b", || async { 2 });
        land.send(1).unwrap();
        assert_eq!(tokio::join!(first, second, other), (1, 1, 2));
        assert!(flights.running.lock().is_empty());
        assert_eq!(flights.join("a", || async { 3 }).await, 3);
    }

    #[tokio::test]
    async fn a_flight_ends_when_the_last_caller_leaves_but_not_before() {
        let flights = Flights::new();
        let (held, mut gone) = oneshot::channel::<()>();
        let work = || async move {
            let _held = held;
            std::future::pending::<u32>().await
        };
        let first = flights.join("a", work);
        let second = flights.join("a", || async { unreachable!("it is in flight already") });
        drop(first);
        assert!(gone.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty));
        drop(second);
        assert!(gone.await.is_err());
        assert_eq!(flights.join("a", || async { 3 }).await, 3);
    }
}
