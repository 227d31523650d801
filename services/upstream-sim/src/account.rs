//! Accounts: their tier, their quota windows (reference 4.2) and the faults set on them.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    fault::{FaultCall, LiveRule, Scope},
    ids::Mint,
    scenario::{AccountPatch, WindowPatch},
};

mod window;

pub(crate) use window::Window;

/// What an account has paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Free.
    Basic,
    /// SuperGrok.
    Super,
    /// SuperGrok Heavy.
    Heavy,
}

/// The quota windows an account may have. The first is shared by all models addressed by name; heavy models and the
/// `heavy` mode share the heavy one; the rest belong to one mode each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// Credits of everything addressed by `modelName`.
    Credits,
    /// Heavy models and the heavy mode.
    Heavy,
    /// Mode `auto`.
    Auto,
    /// Mode `fast`.
    Fast,
    /// Mode `expert`.
    Expert,
    /// Mode `grok-420-computer-use-sa`.
    #[serde(rename = "grok-420-computer-use-sa")]
    ComputerUse,
}

/// What happens when a window has too few units left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exhausted {
    /// HTTP 429.
    #[default]
    #[serde(rename = "429")]
    Status,
    /// HTTP 200 whose first line is an error with code 8.
    InBand,
}

/// One account as `/__sim/state` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccountView {
    /// Tier, read from the token.
    pub tier: Tier,
    /// The user id in asset paths and in the session.
    pub user_id: Uuid,
    /// Turns accepted so far.
    pub turns: u64,
    /// Every window this tier has.
    pub windows: BTreeMap<Pool, WindowView>,
    /// Faults set on this account.
    pub faults: Vec<String>,
}

/// One window as `/__sim/state` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WindowView {
    /// Units when full.
    pub total: u32,
    /// Units left.
    pub remaining: u32,
    /// Length in simulated seconds.
    pub window_seconds: u32,
    /// Simulated milliseconds until the refill; none while the window is full.
    pub resets_in_ms: Option<u64>,
}

/// A signed-in user of the simulated upstream.
pub(crate) struct Account {
    pub(crate) token: String,
    pub(crate) user: Uuid,
    pub(crate) tier: Tier,
    state: Mutex<State>,
}

struct State {
    windows: BTreeMap<Pool, Window>,
    exhausted: Option<Exhausted>,
    rules: Vec<Arc<LiveRule>>,
    turns: u64,
    numbers: u64,
}

impl Tier {
    /// The tier of a known token: `sim-basic-*`, `sim-super-*` or `sim-heavy-*`.
    pub fn of(token: &str) -> Option<Self> {
        [("sim-basic-", Self::Basic), ("sim-super-", Self::Super), ("sim-heavy-", Self::Heavy)]
            .into_iter()
            .find(|(prefix, _)| token.strip_prefix(prefix).is_some_and(|name| !name.is_empty()))
            .map(|(_, tier)| tier)
    }

    /// Units and seconds of a window, or nothing when the tier does not have it. Reference 4.2; the heavy window of
    /// Super is not documented anywhere and is taken to be as large as Heavy's.
    pub(crate) const fn allowance(self, pool: Pool) -> Option<(u32, u32)> {
        const HOURS_2: u32 = 7200;
        const HOURS_20: u32 = 72_000;
        const DAY: u32 = 86_400;
        match (self, pool) {
            (Self::Basic, Pool::Credits) => Some((80, HOURS_20)),
            (Self::Basic, Pool::Auto) => Some((7, DAY)),
            (Self::Basic, Pool::Fast) => Some((30, DAY)),
            (Self::Basic, _) => None,
            (Self::Super, Pool::Credits | Pool::Fast) => Some((140, HOURS_2)),
            (Self::Super, Pool::Auto | Pool::Expert | Pool::ComputerUse) => Some((50, HOURS_2)),
            (Self::Heavy, Pool::Credits | Pool::Fast) => Some((400, HOURS_2)),
            (Self::Heavy, Pool::Auto | Pool::Expert | Pool::ComputerUse) => Some((150, HOURS_2)),
            (Self::Super | Self::Heavy, Pool::Heavy) => Some((20, HOURS_2)),
        }
    }
}

impl Pool {
    const ALL: [Self; 6] =
        [Self::Credits, Self::Heavy, Self::Auto, Self::Fast, Self::Expert, Self::ComputerUse];
}

impl Account {
    pub(crate) fn new(token: &str, tier: Tier, mint: Mint) -> Self {
        let windows = Pool::ALL
            .into_iter()
            .filter_map(|pool| {
                tier.allowance(pool).map(|(total, seconds)| (pool, Window::full(total, seconds)))
            })
            .collect();
        let state = State { windows, exhausted: None, rules: Vec::new(), turns: 0, numbers: 0 };
        Self { token: token.to_owned(), user: mint.user(token), tier, state: Mutex::new(state) }
    }

    /// Takes the cost of one turn. Returns whether the window had it.
    pub(crate) fn charge(&self, pool: Pool, cost: u32, now_ms: u64) -> bool {
        let mut state = self.state.lock();
        let paid = state.windows.get_mut(&pool).is_some_and(|window| window.charge(cost, now_ms));
        state.turns += u64::from(paid);
        paid
    }

    /// The window as it stands now, or nothing when the tier does not have it.
    pub(crate) fn window(&self, pool: Pool, now_ms: u64) -> Option<Window> {
        let mut state = self.state.lock();
        let window = state.windows.get_mut(&pool)?;
        window.refill(now_ms);
        Some(window.clone())
    }

    /// Leaves nothing in any window.
    pub(crate) fn drain(&self, now_ms: u64) {
        for window in self.state.lock().windows.values_mut() {
            window.set_remaining(0, now_ms);
        }
    }

    /// The next running number of this account, for ids and seeds.
    pub(crate) fn next_number(&self) -> u64 {
        let mut state = self.state.lock();
        state.numbers += 1;
        state.numbers
    }

    /// How exhaustion is told, when it was set for this account.
    pub(crate) fn exhausted(&self) -> Option<Exhausted> {
        self.state.lock().exhausted
    }

    /// Changes what the patch names and keeps the rest. Naming `faults` replaces all of them.
    pub(crate) fn apply(&self, patch: &AccountPatch, now_ms: u64) {
        for (pool, window) in &patch.windows {
            self.set_window(*pool, *window, now_ms);
        }
        let mut state = self.state.lock();
        state.exhausted = patch.exhausted.or(state.exhausted);
        if let Some(faults) = &patch.faults {
            state.rules = faults.iter().cloned().map(LiveRule::new).map(Arc::new).collect();
        }
    }

    /// Changes one window. What the tier does not have stays away: the tier decides, not the patch.
    pub(crate) fn set_window(&self, pool: Pool, patch: WindowPatch, now_ms: u64) {
        let mut state = self.state.lock();
        let Some(window) = state.windows.get_mut(&pool) else { return };
        window.refill(now_ms);
        if let Some(seconds) = patch.window_seconds {
            window.resize(seconds, now_ms);
        }
        if let Some(total) = patch.total {
            *window = Window::full(total, window.seconds);
        }
        if let Some(remaining) = patch.remaining {
            window.set_remaining(remaining, now_ms);
        }
    }

    /// Adds one fault behind those already set; those used up make room.
    pub(crate) fn arm(&self, rule: LiveRule) {
        let mut state = self.state.lock();
        state.rules.retain(|rule| !rule.is_spent());
        state.rules.push(Arc::new(rule));
    }

    /// The first fault set on this account that strikes now.
    pub(crate) fn struck(&self, scope: Scope, mint: Mint) -> Option<FaultCall> {
        let rules = self.state.lock().rules.clone();
        rules.iter().find_map(|rule| rule.strike(scope, &self.token, mint))
    }

    /// Whether a fault of this name is set, without using it up.
    pub(crate) fn has_fault(&self, name: &str) -> bool {
        self.state.lock().rules.iter().any(|rule| rule.holds(name, &self.token))
    }

    /// What `/__sim/state` shows.
    pub(crate) fn view(&self, now_ms: u64) -> AccountView {
        let mut state = self.state.lock();
        let windows = state.windows.iter_mut().map(|(pool, window)| (*pool, WindowView::of(window, now_ms)));
        let windows = windows.collect();
        let faults = state.rules.iter().map(ToString::to_string).collect();
        AccountView { tier: self.tier, user_id: self.user, turns: state.turns, windows, faults }
    }
}

impl WindowView {
    fn of(window: &mut Window, now_ms: u64) -> Self {
        window.refill(now_ms);
        Self {
            total: window.total,
            remaining: window.remaining,
            window_seconds: window.seconds,
            resets_in_ms: window.resets_in_ms(now_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_tells_the_tier() {
        assert_eq!(Tier::of("sim-basic-a"), Some(Tier::Basic));
        assert_eq!(Tier::of("sim-heavy-a"), Some(Tier::Heavy));
        assert_eq!(Tier::of("sim-basic-"), None);
        assert_eq!(Tier::of("eyJhbGciOi"), None);
    }

    #[test]
    fn a_window_can_be_resized_but_not_given_to_a_tier_that_lacks_it() {
        let account = Account::new("sim-basic-a", Tier::Basic, Mint::new(1));
        let patch = WindowPatch { total: Some(2), window_seconds: Some(5), remaining: Some(1) };
        account.set_window(Pool::Heavy, patch, 0);
        assert!(account.window(Pool::Heavy, 0).is_none());
        account.set_window(Pool::Credits, patch, 0);
        assert!(account.charge(Pool::Credits, 1, 0));
        assert!(!account.charge(Pool::Credits, 1, 4_999));
        assert!(account.charge(Pool::Credits, 2, 5_000));
        assert_eq!(account.view(5_000).turns, 2);
    }
}
