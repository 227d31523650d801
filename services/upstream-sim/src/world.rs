//! The state behind the listener: accounts, uploads, settings, and which fault strikes whom.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use axum::http::{HeaderMap, header};
use grok2api_kit::lifecycle::Shutdown;
use parking_lot::{Mutex, RwLock};

use crate::{
    account::{Account, AccountView, Exhausted, Tier},
    assets::Uploads,
    clock::Clock,
    config::{SessionCheck, SimConfig, StreamDefaults},
    fault::{Effect, FaultCall, JUST_A_MOMENT, LiveRule, Scope, UNAUTHENTICATED},
    ids::Mint,
    journal::{Journal, Visit, cookie, sso_token},
    reply::Reply,
    scenario::{Scenario, StreamPatch},
};

/// Attempts are counted per prompt and per path; past so many, counting begins anew.
const MOST_ATTEMPTS: usize = 100_000;

/// The fault that the session endpoint tells as well.
const BLOCKED: &str = "403-blocked";

/// Everything one simulator knows.
pub(crate) struct World {
    config: SimConfig,
    pub(crate) clock: Clock,
    pub(crate) journal: Arc<Journal>,
    pub(crate) uploads: Mutex<Uploads>,
    pub(crate) shutdown: Arc<Shutdown>,
    settings: RwLock<Arc<Settings>>,
    accounts: Mutex<HashMap<String, Arc<Account>>>,
    attempts: Mutex<HashMap<u64, u32>>,
}

/// The configuration and the scenario, merged.
pub(crate) struct Settings {
    pub(crate) mint: Mint,
    pub(crate) stream: StreamDefaults,
    pub(crate) exhausted: Exhausted,
    session: SessionCheck,
    scenario: Scenario,
    rules: Vec<LiveRule>,
}

impl World {
    pub(crate) fn new(config: SimConfig, shutdown: Shutdown) -> Self {
        let scenario = config.scenario.clone().unwrap_or_default();
        let settings = Settings::new(&config, scenario);
        let world = Self {
            config,
            clock: Clock::new(),
            journal: Arc::default(),
            uploads: Mutex::default(),
            shutdown: Arc::new(shutdown),
            settings: RwLock::new(Arc::new(settings)),
            accounts: Mutex::default(),
            attempts: Mutex::default(),
        };
        world.set_pace();
        world
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read())
    }

    /// Begins a new scenario: its rules count from zero, its windows apply to known accounts too.
    pub(crate) fn set_scenario(&self, scenario: Scenario) {
        *self.settings.write() = Arc::new(Settings::new(&self.config, scenario));
        self.set_pace();
        self.attempts.lock().clear();
        let accounts: Vec<_> = self.accounts.lock().values().cloned().collect();
        let settings = self.settings();
        for account in accounts {
            settings.furnish(&account, self.clock.now_ms());
        }
    }

    /// Back to the start: no accounts, no uploads, no records, the scenario the simulator was started with.
    pub(crate) fn reset(&self) {
        self.accounts.lock().clear();
        *self.uploads.lock() = Uploads::default();
        self.journal.clear();
        self.set_scenario(self.config.scenario.clone().unwrap_or_default());
    }

    /// The account of a token the simulator knows, made on first use.
    pub(crate) fn account(&self, token: &str) -> Option<Arc<Account>> {
        let tier = Tier::of(token)?;
        let mut accounts = self.accounts.lock();
        if let Some(account) = accounts.get(token) {
            return Some(Arc::clone(account));
        }
        let settings = self.settings();
        let account = Arc::new(Account::new(token, tier, settings.mint));
        settings.furnish(&account, self.clock.now_ms());
        accounts.insert(token.to_owned(), Arc::clone(&account));
        Some(account)
    }

    pub(crate) fn views(&self) -> BTreeMap<String, AccountView> {
        let now = self.clock.now_ms();
        self.accounts.lock().iter().map(|(token, account)| (token.clone(), account.view(now))).collect()
    }

    /// Checks session and cookie. Returns the account, or the answer that turns the request away.
    pub(crate) fn enter(&self, visit: &Visit, headers: &HeaderMap) -> Result<Arc<Account>, Reply> {
        if !self.settings().lets_in(visit.path(), headers) {
            return Err(JUST_A_MOMENT.clone());
        }
        let account = sso_token(headers).and_then(|token| self.account(token)).ok_or(UNAUTHENTICATED)?;
        visit.belongs_to(&account);
        Ok(account)
    }

    /// Lets the fault that strikes this request act as far as it acts on its own. What is left for the handler to do
    /// is returned.
    pub(crate) async fn gate(
        &self,
        visit: &Visit,
        scope: Scope,
        account: &Account,
        asked: Option<FaultCall>,
    ) -> Result<Option<FaultCall>, Reply> {
        let settings = self.settings();
        let struck = asked.or_else(|| account.struck(scope, settings.mint));
        let Some(call) = struck.or_else(|| settings.struck(scope, account)) else { return Ok(None) };
        let fresh = matches!(call.fault.effect, Effect::RefuseFresh(_));
        if fresh && self.attempt(&[b"path", visit.path().as_bytes()]) > call.param {
            return Ok(None);
        }
        visit.struck_by(call.fault.name);
        match &call.fault.effect {
            Effect::Refuse(reply) | Effect::RefuseFresh(reply) => Err(reply.clone()),
            Effect::RefuseUntil(reply) => Err(Reply { retry_after: Some(call.param), ..reply.clone() }),
            Effect::Silence => {
                self.shutdown.draining().await;
                Err(Reply::error(503, 14, "shutting down"))
            }
            Effect::Drain => {
                account.drain(self.clock.now_ms());
                Ok(None)
            }
            Effect::ErrorLine | Effect::TerminalError | Effect::Answer { .. } => Ok(Some(call)),
        }
    }

    /// Whether the account is banned, by itself or by the scenario.
    pub(crate) fn blocked(&self, account: &Account) -> bool {
        let settings = self.settings();
        account.has_fault(BLOCKED) || settings.rules.iter().any(|rule| rule.holds(BLOCKED, &account.token))
    }

    /// Counts one more attempt at something. Returns how many there have been.
    pub(crate) fn attempt(&self, what: &[&[u8]]) -> u32 {
        let key = self.settings().mint.number(what);
        let mut attempts = self.attempts.lock();
        if attempts.len() >= MOST_ATTEMPTS && !attempts.contains_key(&key) {
            attempts.clear();
        }
        let count = attempts.entry(key).or_default();
        *count += 1;
        *count
    }

    fn set_pace(&self) {
        self.clock.set_scale(self.settings().scenario.time_scale.map_or(1.0, |scale| scale.0));
    }
}

impl Settings {
    fn new(config: &SimConfig, scenario: Scenario) -> Self {
        Self {
            mint: Mint::new(scenario.seed.unwrap_or(config.seed)),
            stream: merged(config.stream, scenario.stream),
            exhausted: scenario.exhausted.unwrap_or_default(),
            session: scenario.session.clone().unwrap_or_else(|| config.session.clone()),
            rules: scenario.faults.iter().cloned().map(LiveRule::new).collect(),
            scenario,
        }
    }

    /// Gives an account the windows the scenario has for it.
    fn furnish(&self, account: &Account, now_ms: u64) {
        for rule in self.scenario.accounts.iter().filter(|rule| rule.token.matches(&account.token)) {
            for (pool, patch) in &rule.windows {
                account.set_window(*pool, *patch, now_ms);
            }
        }
    }

    fn struck(&self, scope: Scope, account: &Account) -> Option<FaultCall> {
        self.rules.iter().find_map(|rule| rule.strike(scope, &account.token, self.mint))
    }

    /// Whether the request carries the session values that are demanded.
    fn lets_in(&self, path: &str, headers: &HeaderMap) -> bool {
        let is = |wanted: &Option<String>, actual: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| actual == Some(wanted))
        };
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let clearance = self.session.cf_clearance.as_deref();
        let clearance = clearance.map(|value| value.trim_start_matches("cf_clearance=").to_owned());
        is(&clearance, cookie(headers, "cf_clearance"))
            && is(&self.session.user_agent, header(header::USER_AGENT.as_str()))
            && (!path.starts_with("/rest/") || is(&self.session.x_statsig_id, header("x-statsig-id")))
    }
}

fn merged(base: StreamDefaults, patch: StreamPatch) -> StreamDefaults {
    StreamDefaults {
        framing: patch.framing.unwrap_or(base.framing),
        split: patch.split.unwrap_or(base.split),
        token_delay: patch.token_delay_ms.map_or(base.token_delay, Duration::from_millis),
        first_delay: patch.first_delay_ms.map_or(base.first_delay, Duration::from_millis),
    }
}
