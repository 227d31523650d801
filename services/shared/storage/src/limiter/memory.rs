//! The state in memory, for one process. It begins anew with the process.

use std::collections::HashMap;

use async_trait::async_trait;
use grok2api_kit::clock::Clock;
use parking_lot::Mutex;
use uuid::Uuid;

use super::{
    Admission, Ask, ENDED_MS, Gauges, Limit, Limiter, REMEMBERED_MS, SLOT_MS, Settlement, Slot,
    window::Window,
};
use crate::{Result, client_keys::Limits};

/// How often what is over is looked for.
const SWEEP_MS: i64 = 10_000;

pub(super) struct Memory {
    state: Mutex<State>,
    clock: Clock,
}

#[derive(Default)]
struct State {
    keys: HashMap<Uuid, Key>,
    requests: HashMap<Uuid, Request>,
    swept_at: i64,
}

#[derive(Default)]
struct Key {
    requests: Window,
    tokens: Window,
    /// Until when each is held.
    slots: HashMap<Uuid, i64>,
}

struct Request {
    /// When it was admitted, and how many tokens were counted then; nothing once it has ended.
    counted: Option<(i64, u64)>,
    forgotten_at: i64,
}

impl Memory {
    pub(super) fn new(clock: Clock) -> Self {
        Self { state: Mutex::default(), clock }
    }
}

#[async_trait]
impl Limiter for Memory {
    async fn admit(&self, ask: &Ask, limits: &Limits) -> Result<Admission> {
        let now = self.clock.now_ms();
        let state = &mut *self.state.lock();
        state.sweep(now);
        let key = state.keys.entry(ask.key).or_default();
        key.pass(now);
        if state.requests.contains_key(&ask.id) {
            return Ok(Admission { refused: None, gauges: key.gauges(now, limits) });
        }
        let refused = key.refusal(limits);
        if refused.is_none() {
            key.take(ask, now, limits);
            let counted = Some((now, ask.tokens));
            state.requests.insert(ask.id, Request { counted, forgotten_at: now + REMEMBERED_MS });
        }
        Ok(Admission { refused, gauges: key.gauges(now, limits) })
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<()> {
        let now = self.clock.now_ms();
        let state = &mut *self.state.lock();
        for settlement in settlements {
            let ended = Request { counted: None, forgotten_at: now + ENDED_MS };
            let request = state.requests.insert(settlement.id, ended);
            let Some(key) = state.keys.get_mut(&settlement.key) else { continue };
            key.slots.remove(&settlement.id);
            if let Some((at, tokens)) = request.and_then(|request| request.counted) {
                key.pass(now);
                key.tokens.take_back(at, tokens);
                key.tokens.add(now, settlement.tokens.unwrap_or_default());
                if !settlement.counts {
                    key.requests.take_back(at, 1);
                }
            }
        }
        Ok(())
    }

    async fn renew(&self, slots: &[Slot]) -> Result<()> {
        let now = self.clock.now_ms();
        let state = &mut *self.state.lock();
        for slot in slots {
            if state.requests.get(&slot.id).is_none_or(|request| request.counted.is_some()) {
                state.keys.entry(slot.key).or_default().slots.insert(slot.id, now + SLOT_MS);
            }
        }
        Ok(())
    }

    async fn gauges(&self, key: Uuid, limits: &Limits) -> Result<Gauges> {
        let now = self.clock.now_ms();
        let mut state = self.state.lock();
        let Some(key) = state.keys.get_mut(&key) else { return Ok(Gauges { now, ..Gauges::default() }) };
        key.pass(now);
        Ok(key.gauges(now, limits))
    }
}

impl State {
    fn sweep(&mut self, now: i64) {
        if now < self.swept_at + SWEEP_MS {
            return;
        }
        self.swept_at = now;
        self.requests.retain(|_, request| request.forgotten_at > now);
        self.keys.retain(|_, key| {
            key.pass(now);
            key.requests.used(now) > 0 || key.tokens.used(now) > 0 || !key.slots.is_empty()
        });
    }
}

impl Key {
    fn pass(&mut self, now: i64) {
        self.requests.used(now);
        self.tokens.used(now);
        self.slots.retain(|_, until| *until > now);
    }

    /// Against what was let pass.
    fn refusal(&self, limits: &Limits) -> Option<Limit> {
        let full =
            |window: &Window, limit: Option<u64>| limit.is_some_and(|limit| window.gauge(limit).frees_at > 0);
        if full(&self.requests, limits.requests_per_minute) {
            return Some(Limit::Requests);
        }
        if full(&self.tokens, limits.tokens_per_minute) {
            return Some(Limit::Tokens);
        }
        limits.concurrency.filter(|most| self.slots.len() as u64 >= *most).map(|_| Limit::Concurrency)
    }

    fn take(&mut self, ask: &Ask, now: i64, limits: &Limits) {
        self.requests.add(now, 1);
        self.tokens.add(now, ask.tokens);
        if limits.concurrency.is_some() {
            self.slots.insert(ask.id, now + SLOT_MS);
        }
    }

    fn gauges(&self, now: i64, limits: &Limits) -> Gauges {
        Gauges {
            now,
            requests: self.requests.gauge(limits.requests_per_minute.unwrap_or(u64::MAX)),
            tokens: self.tokens.gauge(limits.tokens_per_minute.unwrap_or(u64::MAX)),
            in_flight: self.slots.len() as u64,
        }
    }
}
