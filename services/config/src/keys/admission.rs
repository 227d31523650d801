//! Admission: what the limits and budgets of keys let pass.
//!
//! The limits are asked first, since they forget by themselves; only who passes them is counted in the budgets. Whoever the
//! budgets then refuse is taken out of the limits again.

mod words;

use std::{collections::HashMap, sync::Arc};

use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Error, Kind, Result,
    keys::{
        AdmitRequest, AdmitResponse, BudgetState, Rate, Refusal, RenewRequest, SettleRequest,
        StandingResponse,
    },
};
use grok2api_storage::{
    budgets::{self, Budgets, Reservation, Reserved, Used},
    client_keys::{Budget, ClientKey, Limits},
    limiter::{self, Ask, Gauge, Gauges, Limiter, Slot},
};
use parking_lot::RwLock;
use uuid::Uuid;

use super::spec;

/// Most settlements, and most signs of life, of one call.
const MOST: usize = 1_000;
const PREFIX: &str = "turn_";

/// Counts requests.
pub(super) struct Admissions {
    limiter: Arc<dyn Limiter>,
    budgets: Arc<dyn Budgets>,
    clock: Clock,
    rules: RwLock<HashMap<Uuid, Arc<Rules>>>,
}

/// What stands against requests of a key.
pub(super) struct Rules {
    key: Uuid,
    limits: Limits,
    budgets: Vec<Budget>,
}

impl Admissions {
    pub(super) fn new(limiter: Arc<dyn Limiter>, budgets: Arc<dyn Budgets>, clock: Clock) -> Self {
        Self { limiter, budgets, clock, rules: RwLock::default() }
    }

    /// Takes over what the operator says of keys, of all of them when they are `whole`.
    pub(super) fn learn(&self, keys: &[ClientKey], whole: bool) {
        let mut rules = self.rules.write();
        if whole {
            rules.clear();
        }
        rules.extend(keys.iter().map(|key| {
            let budgets = key.spec.budgets.clone();
            (key.id, Arc::new(Rules { key: key.id, limits: key.spec.limits, budgets }))
        }));
    }

    /// The rules of a key, when it is known here.
    pub(super) fn rules(&self, key: &str) -> Option<Arc<Rules>> {
        let key = Uuid::parse_str(key).ok()?;
        self.rules.read().get(&key).cloned()
    }

    pub(super) async fn admit(&self, rules: &Rules, request: &AdmitRequest) -> Result<AdmitResponse> {
        let ask = Ask { key: rules.key, id: request_id(&request.request)?, tokens: request.tokens };
        let mut response = AdmitResponse::default();
        if rules.limits != Limits::default() {
            let admission = self.limiter.admit(&ask, &rules.limits).await?;
            (response.requests, response.tokens) = rates(&rules.limits, &admission.gauges);
            response.refused =
                admission.refused.map(|limit| words::limit(limit, &rules.limits, &admission.gauges));
            if response.refused.is_some() {
                return Ok(response);
            }
            response.limits = true;
            response.holds_slot = rules.limits.concurrency.is_some();
        }
        if rules.budgets.is_empty() {
            return Ok(response);
        }
        // What has no answer is settled by the caller.
        match self.reserve(rules, &ask).await? {
            None => Ok(AdmitResponse { budgets: true, ..response }),
            Some(refusal) => self.turn_away(&ask, response, refusal).await,
        }
    }

    async fn reserve(&self, rules: &Rules, ask: &Ask) -> Result<Option<Refusal>> {
        let at = self.clock.now_ms();
        let reservation = Reservation { id: ask.id, key: ask.key, at, tokens: ask.tokens };
        match self.budgets.reserve(&reservation, &rules.budgets).await? {
            Reserved::Counted(_) => Ok(None),
            Reserved::UsedUp(spent) => {
                let budget = spent.used_up(&rules.budgets, at).or(rules.budgets.first());
                Ok(budget.map(|budget| words::budget(budget, at)))
            }
            Reserved::Ended => {
                Err(Error::new(Kind::Cancelled, "request_given_up", "the request was given up"))
            }
        }
    }

    /// Takes out of the limits whom the budgets refuse.
    async fn turn_away(&self, ask: &Ask, passed: AdmitResponse, refusal: Refusal) -> Result<AdmitResponse> {
        if passed.limits {
            let settlement = limiter::Settlement { key: ask.key, id: ask.id, tokens: None, counts: false };
            self.limiter.settle(&[settlement]).await?;
        }
        let without = |rate: Option<Rate>, counted| {
            rate.map(|rate| Rate { remaining: rate.remaining + counted, ..rate })
        };
        let requests = without(passed.requests, 1);
        let tokens = without(passed.tokens, ask.tokens);
        Ok(AdmitResponse { refused: Some(refusal), requests, tokens, ..AdmitResponse::default() })
    }

    pub(super) async fn settle(&self, request: SettleRequest) -> Result<()> {
        few("settlements", request.settlements.len())?;
        let (mut limits, mut budgets) = (Vec::new(), Vec::new());
        let now = self.clock.now_ms();
        for settlement in request.settlements {
            let (key, id) = (key_id(&settlement.key)?, request_id(&settlement.request)?);
            let used = settlement.used.map(|used| Used { tokens: used.tokens, units: used.units });
            if settlement.limits {
                let tokens = used.map(|used| used.tokens);
                limits.push(limiter::Settlement { key, id, tokens, counts: true });
            }
            if settlement.budgets {
                budgets.push(budgets::Settlement { id, key, used, now });
            }
        }
        if !limits.is_empty() {
            self.limiter.settle(&limits).await?;
        }
        if !budgets.is_empty() {
            self.budgets.settle(&budgets).await?;
        }
        Ok(())
    }

    pub(super) async fn renew(&self, request: RenewRequest) -> Result<()> {
        few("slots", request.slots.len())?;
        let slot = |slot: &grok2api_proto::keys::Slot| {
            Ok(Slot { key: key_id(&slot.key)?, id: request_id(&slot.request)? })
        };
        let slots = request.slots.iter().map(slot).collect::<Result<Vec<_>>>()?;
        Ok(self.limiter.renew(&slots).await?)
    }

    /// How a key stands, without the key.
    pub(super) async fn standing(&self, rules: &Rules) -> Result<StandingResponse> {
        if rules.limits == Limits::default() {
            return Ok(StandingResponse::default());
        }
        let gauges = self.limiter.gauges(rules.key, &rules.limits).await?;
        let (requests, tokens) = rates(&rules.limits, &gauges);
        Ok(StandingResponse { key: None, requests, tokens, in_flight: gauges.in_flight })
    }

    /// What is used up of a key's budgets.
    pub(super) async fn spent(&self, key: &ClientKey) -> Result<Vec<BudgetState>> {
        if key.spec.budgets.is_empty() {
            return Ok(Vec::new());
        }
        let at = self.clock.now_ms();
        let spent = self.budgets.spent(key.id, at).await?;
        let state = |budget: &Budget| BudgetState {
            budget: Some(spec::budget(budget)),
            spent: spent.by(budget),
            resets_at: budget.period.end(at),
        };
        Ok(key.spec.budgets.iter().map(state).collect())
    }

    /// Forgets what nobody asks for any more.
    pub(super) async fn sweep(&self) -> grok2api_storage::Result<()> {
        self.budgets.sweep(self.clock.now_ms()).await
    }
}

fn rates(limits: &Limits, gauges: &Gauges) -> (Option<Rate>, Option<Rate>) {
    let rate = |limit: Option<u64>, gauge: &Gauge| {
        limit.map(|limit| Rate {
            limit,
            remaining: limit.saturating_sub(gauge.used),
            reset_ms: until(gauge.empty_at, gauges.now),
        })
    };
    (rate(limits.requests_per_minute, &gauges.requests), rate(limits.tokens_per_minute, &gauges.tokens))
}

/// Milliseconds.
fn until(at: i64, now: i64) -> u64 {
    u64::try_from(at - now).unwrap_or_default()
}

fn few(param: &str, count: usize) -> Result<()> {
    if count <= MOST {
        return Ok(());
    }
    Err(Error::invalid(param, format!("{count} {param} are more than {MOST}")))
}

fn key_id(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|_| Error::invalid("key", format!("{text:?} is no id of a key")))
}

fn request_id(text: &str) -> Result<Uuid> {
    let id = text.strip_prefix(PREFIX).and_then(|digits| Uuid::try_parse(digits).ok());
    id.ok_or_else(|| {
        Error::invalid("request", format!("{text:?} is no id of a request: turn_ and 32 digits"))
    })
}
