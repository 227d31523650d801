//! The requests that this gateway is serving now: shown to operators, and cancelled by them.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use grok2api_kit::{
    clock::Clock,
    metrics::{Held, STREAMS_IN_FLIGHT},
};
use grok2api_proto::{
    Error, Kind,
    chat::{Started, chat_event::Kind as Event},
    ledger::{Entry, Outcome},
    live::{Failure, Replica, Request},
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Requests told at most, and failures remembered.
const TOLD: usize = 500;
const FAILURES: usize = 100;
const MINUTE_MS: i64 = 60_000;
/// Characters of a token, as everywhere where nobody counts them.
const CHARACTERS: u64 = 4;

/// All of them; clones share one list.
#[derive(Clone, Default)]
pub struct Running(Arc<Shared>);

#[derive(Default)]
struct Shared {
    requests: Mutex<HashMap<String, Arc<One>>>,
    ended: Mutex<Ended>,
}

/// What ended within the last minute.
#[derive(Default)]
struct Ended {
    /// By second: all, and those that failed.
    counts: VecDeque<(i64, u32, u32)>,
    /// Newest last.
    failures: VecDeque<Failure>,
}

/// One request. What every batch of text touches needs no lock.
#[derive(Default)]
struct One {
    said: Mutex<Said>,
    /// 0: none yet.
    first_output_at: AtomicI64,
    characters: AtomicU64,
    cancel: CancellationToken,
}

#[derive(Clone, Default)]
struct Said {
    id: String,
    request_id: String,
    endpoint: String,
    model: String,
    client_key: String,
    account: String,
    attempts: u32,
    stream: bool,
    started_at: i64,
}

/// A request's place in the list; it leaves when this is dropped.
pub(crate) struct Place {
    running: Running,
    one: Arc<One>,
    id: String,
    _in_flight: Held,
}

impl Running {
    pub(crate) fn begin(&self, entry: &Entry) -> Place {
        let said = Said {
            id: entry.id.clone(),
            endpoint: entry.endpoint.clone(),
            started_at: Clock::system().now_ms(),
            ..Said::default()
        };
        let one = Arc::new(One { said: Mutex::new(said), ..One::default() });
        self.0.requests.lock().insert(entry.id.clone(), one.clone());
        let in_flight = STREAMS_IN_FLIGHT.hold(["gateway".into()]);
        Place { running: self.clone(), one, id: entry.id.clone(), _in_flight: in_flight }
    }

    /// Ends a request as its operator wants. Returns whether it runs here.
    pub fn cancel(&self, id: &str) -> bool {
        let found = self.0.requests.lock().get(id).cloned();
        found.is_some_and(|one| {
            one.cancel.cancel();
            true
        })
    }

    /// How many requests are open, by endpoint.
    pub fn open(&self) -> BTreeMap<String, usize> {
        let mut open = BTreeMap::new();
        for one in self.0.requests.lock().values() {
            *open.entry(one.said.lock().endpoint.clone()).or_default() += 1;
        }
        open
    }

    /// Ends a request as its own client wants; its model, when it runs here.
    pub(crate) fn cancel_own(&self, id: &str, client_key: &str) -> Option<String> {
        let found = self.0.requests.lock().get(id).cloned()?;
        let said = found.said.lock().clone();
        (said.client_key == client_key).then(|| {
            found.cancel.cancel();
            said.model
        })
    }

    /// What a process tells of its requests; the rest of the message is others' to fill.
    pub fn told(&self) -> Replica {
        let now = Clock::system().now_ms();
        let mut running: Vec<Request> = self.0.requests.lock().values().map(|one| one.told()).collect();
        running.sort_unstable_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
        let waiting = running.iter().filter(|request| request.account.is_empty()).count();
        let (running_total, waiting_total) = (number(running.len()), number(waiting));
        running.truncate(TOLD);
        let mut ended = self.0.ended.lock();
        ended.forget(now);
        let (finished, failed) =
            ended.counts.iter().fold((0, 0), |(all, bad), (_, one, two)| (all + one, bad + two));
        let failures = ended.failures.iter().rev().cloned().collect();
        drop(ended);
        Replica { running, running_total, waiting_total, finished, failed, failures, ..Replica::default() }
    }
}

impl Place {
    /// Takes over what is known by now.
    pub(crate) fn say(&self, entry: &Entry) {
        let mut said = self.one.said.lock();
        entry.request_id.clone_into(&mut said.request_id);
        entry.model.clone_into(&mut said.model);
        entry.client_key.clone_into(&mut said.client_key);
        said.stream = entry.stream;
    }

    pub(crate) fn event(&self, event: &Event) {
        match event {
            Event::Started(started) => self.started(started),
            Event::Text(text) => self.put_out(&text.text),
            Event::FunctionCall(call) => self.put_out(&call.arguments),
            Event::Reasoning(reasoning) if !reasoning.header => self.put_out(&reasoning.text),
            _ => {}
        }
    }

    pub(crate) fn first_output(&self) {
        self.one.first_output_at.store(Clock::system().now_ms(), Ordering::Relaxed);
    }

    /// Resolves when an operator cancels the request.
    pub(crate) fn cancellation(&self) -> CancellationToken {
        self.one.cancel.clone()
    }

    /// How it ended.
    pub(crate) fn end(&self, entry: &Entry) {
        let now = Clock::system().now_ms();
        let failed = !matches!(entry.outcome(), Outcome::Success | Outcome::ClientCancelled);
        let mut ended = self.running.0.ended.lock();
        ended.forget(now);
        ended.count(now / 1000, failed);
        if failed {
            ended.failures.push_back(Failure {
                id: entry.id.clone(),
                at: now,
                model: entry.model.clone(),
                client_key: entry.client_key.clone(),
                account: entry.attempts.last().map(|last| last.account.clone()).unwrap_or_default(),
                http_status: entry.http_status,
                code: entry.error_code.clone(),
                message: entry.error_message.clone(),
            });
            if ended.failures.len() > FAILURES {
                ended.failures.pop_front();
            }
        }
    }

    fn started(&self, started: &Started) {
        let mut said = self.one.said.lock();
        said.attempts = said.attempts.max(started.attempts);
        if let Some(last) = started.tried.last() {
            last.account_id.clone_into(&mut said.account);
        }
    }

    fn put_out(&self, text: &str) {
        let characters = text.chars().count() as u64;
        self.one.characters.fetch_add(characters, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.0.requests.lock().remove(&self.id);
    }
}

impl One {
    fn told(&self) -> Request {
        let said = self.said.lock().clone();
        let first = self.first_output_at.load(Ordering::Relaxed);
        Request {
            id: said.id,
            request_id: said.request_id,
            endpoint: said.endpoint,
            model: said.model,
            client_key: said.client_key,
            account: said.account,
            stream: said.stream,
            started_at: said.started_at,
            first_output_at: (first != 0).then_some(first),
            tokens: self.characters.load(Ordering::Relaxed).div_ceil(CHARACTERS),
            attempts: said.attempts,
        }
    }
}

impl Ended {
    fn forget(&mut self, now: i64) {
        let begin = now - MINUTE_MS;
        while self.counts.front().is_some_and(|(second, ..)| *second <= begin / 1000) {
            self.counts.pop_front();
        }
        while self.failures.front().is_some_and(|failure| failure.at <= begin) {
            self.failures.pop_front();
        }
    }

    fn count(&mut self, second: i64, failed: bool) {
        match self.counts.back_mut() {
            Some((last, all, bad)) if *last >= second => {
                *all += 1;
                *bad += u32::from(failed);
            }
            _ => self.counts.push_back((second, 1, u32::from(failed))),
        }
    }
}

/// What the client of a request is told that an operator has cancelled.
pub(crate) fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "cancelled_by_operator", "an operator has cancelled the request")
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use grok2api_proto::chat::{Attempt, Text};

    use super::*;

    fn entry(id: &str) -> Entry {
        Entry { id: id.into(), endpoint: "/v1/chat/completions".into(), ..Entry::default() }
    }

    #[test]
    fn a_request_is_listed_while_it_runs() {
        let running = Running::default();
        let place = running.begin(&entry("turn_a"));
        place.say(&Entry { model: "m".into(), client_key: "k".into(), stream: true, ..entry("turn_a") });
        let told = running.told();
        assert_eq!((told.running_total, told.waiting_total), (1, 1));
        let tried = vec![Attempt { account_id: "account".into(), ..Attempt::default() }];
        place.event(&Event::Started(Started { attempts: 2, tried, ..Started::default() }));
        place.first_output();
        place.event(&Event::Text(Text { text: "äöüß!".into() }));
        let told = running.told().running.remove(0);
        assert_eq!(
            (told.model.as_str(), told.client_key.as_str(), told.account.as_str()),
            ("m", "k", "account")
        );
        assert_eq!((told.tokens, told.attempts, told.stream), (2, 2, true));
        assert!(told.first_output_at.is_some());
        assert_eq!(running.told().waiting_total, 0);
        drop(place);
        assert!(running.told().running.is_empty());
    }

    #[test]
    fn cancelling_reaches_only_what_runs() {
        let running = Running::default();
        let place = running.begin(&entry("turn_a"));
        assert!(!running.cancel("turn_b") && !place.cancellation().is_cancelled());
        assert!(running.cancel("turn_a") && place.cancellation().is_cancelled());
        drop(place);
        assert!(!running.cancel("turn_a"));
    }

    #[test]
    fn the_last_minute_is_counted_and_its_failures_kept() {
        let running = Running::default();
        let end = |outcome: Outcome| {
            let mut ended = entry("turn_a");
            ended.set_outcome(outcome);
            running.begin(&ended).end(&ended);
        };
        end(Outcome::Success);
        end(Outcome::ClientCancelled);
        (0..150).for_each(|_| end(Outcome::Upstream));
        let told = running.told();
        assert_eq!((told.finished, told.failed, told.failures.len()), (152, 150, FAILURES));
        let mut ended = running.0.ended.lock();
        ended.forget(Clock::system().now_ms() + 2 * MINUTE_MS);
        assert!(ended.counts.is_empty() && ended.failures.is_empty());
    }
}
