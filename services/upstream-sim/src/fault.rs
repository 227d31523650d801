//! Faults: what can go wrong on purpose, and when it strikes.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};

use serde::{Deserialize, Serialize};

use crate::{
    ids::Mint,
    reply::Reply,
    scenario::FaultRule,
    script::{Plan, Script},
};

mod effects;
mod table;

pub use table::faults;
pub(crate) use table::{JUST_A_MOMENT, TOO_MANY, UNAUTHENTICATED};

/// The part of the upstream a request speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// `conversations/new` and `conversations/{id}/responses`.
    Chat,
    /// Both upload endpoints.
    Upload,
    /// Everything under `/users/`.
    Assets,
    /// `/rest/rate-limits`.
    RateLimits,
}

/// One line of the fault table.
#[derive(Debug, Serialize)]
pub struct Fault {
    /// The name used in prompts, scenarios and account settings.
    pub name: &'static str,
    /// Where it can strike.
    pub scopes: &'static [Scope],
    /// What the client sees; `N` is the number after `=` in `name=N`.
    pub about: &'static str,
    /// `N` when none is given.
    pub default: u32,
    #[serde(skip)]
    pub(crate) effect: Effect,
}

/// What a fault does to a request.
#[derive(Debug)]
pub(crate) enum Effect {
    /// The answer is this one; nothing is charged.
    Refuse(Reply),
    /// The same, with `Retry-After: N`.
    RefuseUntil(Reply),
    /// The answer is this one for the first N requests of each path.
    RefuseFresh(Reply),
    /// A 200 stream whose only line is an error with code N; nothing is charged.
    ErrorLine,
    /// Not even a status line, until the client leaves.
    Silence,
    /// The upload is stored nowhere and says so in `terminalError`.
    TerminalError,
    /// Every window of the account is emptied; then the request goes its usual way.
    Drain,
    /// The turn is charged and answered, by a changed plan and a changed script.
    Answer { stage: fn(&mut Plan, u32), edit: fn(&mut Script, u32) },
}

/// A fault with its number and an optional limit: `name`, `name=N`, `name:COUNT`, `name=N:COUNT`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct FaultCall {
    /// The line of the table.
    pub fault: &'static Fault,
    /// The number after `=`, or the fault's default.
    pub param: u32,
    /// The number after `:`: only so many requests are struck.
    pub first: Option<u32>,
}

/// A rule with its counters.
#[derive(Debug)]
pub(crate) struct LiveRule {
    rule: FaultRule,
    seen: AtomicU32,
    struck: AtomicU32,
}

impl FromStr for FaultCall {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, first) = match text.split_once(':') {
            Some((rest, count)) => (rest, Some(number(count, "fault count")?)),
            None => (text, None),
        };
        let (name, param) = match rest.split_once('=') {
            Some((name, param)) => (name, Some(number(param, "fault number")?)),
            None => (rest, None),
        };
        let fault = table::find(name.trim()).ok_or_else(|| format!("unknown fault `{}`", name.trim()))?;
        Ok(Self { fault, param: param.unwrap_or(fault.default), first })
    }
}

impl TryFrom<String> for FaultCall {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for FaultCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fault.name)?;
        if self.param != self.fault.default {
            write!(f, "={}", self.param)?;
        }
        self.first.map_or(Ok(()), |first| write!(f, ":{first}"))
    }
}

impl PartialEq for FaultCall {
    fn eq(&self, other: &Self) -> bool {
        (self.fault.name, self.param, self.first) == (other.fault.name, other.param, other.first)
    }
}

impl LiveRule {
    pub(crate) fn new(rule: FaultRule) -> Self {
        Self { rule, seen: AtomicU32::new(0), struck: AtomicU32::new(0) }
    }

    /// Whether this request is struck; uses the rule up.
    pub(crate) fn strike(&self, scope: Scope, token: &str, mint: Mint) -> Option<FaultCall> {
        if !self.rule.covers(scope, token) {
            return None;
        }
        let seen = self.seen.fetch_add(1, Ordering::Relaxed);
        if self.rule.chance.is_some_and(|chance| roll(mint, &self.rule, seen) >= chance) {
            return None;
        }
        let limit = self.limit();
        let used = self.struck.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            (limit.is_none_or(|limit| used < limit)).then_some(used.saturating_add(1))
        });
        used.is_ok().then_some(self.rule.name)
    }

    /// Whether this rule is for that fault and account.
    pub(crate) fn holds(&self, name: &str, token: &str) -> bool {
        self.rule.name.fault.name == name && self.rule.token.matches(token)
    }

    /// Whether it can strike no more.
    pub(crate) fn is_spent(&self) -> bool {
        self.limit().is_some_and(|limit| self.struck.load(Ordering::Relaxed) >= limit)
    }

    fn limit(&self) -> Option<u32> {
        self.rule.first.or(self.rule.name.first)
    }
}

impl fmt::Display for LiveRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (struck {})", self.rule.name, self.struck.load(Ordering::Relaxed))
    }
}

/// A number in 0..1 for the `seen`-th request that a rule looks at.
fn roll(mint: Mint, rule: &FaultRule, seen: u32) -> f64 {
    let salt = [rule.name.fault.name.as_bytes(), rule.token.as_str().as_bytes(), &seen.to_le_bytes()];
    // 53 bits are what a double holds exactly.
    (mint.number(&salt) >> 11) as f64 / (1_u64 << 53) as f64
}

fn number(text: &str, what: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| format!("{what} `{text}` is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> LiveRule {
        LiveRule::new(toml::from_str(text).unwrap())
    }

    #[test]
    fn the_crate_doc_names_every_fault() {
        let doc = include_str!("../README.md");
        for fault in faults() {
            assert!(doc.contains(&format!("`{}`", fault.name)), "{}", fault.name);
        }
    }

    #[test]
    fn a_call_reads_its_number_and_its_count() {
        let call: FaultCall = "429-retry-after=7:2".parse().unwrap();
        assert_eq!((call.fault.name, call.param, call.first), ("429+Retry-After", 7, Some(2)));
        assert_eq!(call.to_string(), "429+Retry-After=7:2");
        assert_eq!("200-error-line-first".parse::<FaultCall>().unwrap().param, 8);
        assert_eq!("nonsense".parse::<FaultCall>().unwrap_err(), "unknown fault `nonsense`");
        assert_eq!("500:x".parse::<FaultCall>().unwrap_err(), "fault count `x` is not a number");
    }

    #[test]
    fn a_rule_strikes_its_scope_and_tokens_and_is_used_up() {
        let rule = rule("name = '500'\ntoken = 'sim-basic-*'\non = 'chat'\nfirst = 2");
        let strike = |scope, token| rule.strike(scope, token, Mint::new(1)).is_some();
        assert!(!strike(Scope::Upload, "sim-basic-a"));
        assert!(!strike(Scope::Chat, "sim-super-a"));
        assert!(strike(Scope::Chat, "sim-basic-a"));
        assert!(strike(Scope::Chat, "sim-basic-b"));
        assert!(!strike(Scope::Chat, "sim-basic-c"));
    }

    #[test]
    fn chance_is_seeded() {
        let struck = |seed| {
            let rule = rule("name = '500'\nchance = 0.5");
            (0..64).map(|_| rule.strike(Scope::Chat, "t", Mint::new(seed)).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(struck(1), struck(1));
        assert_ne!(struck(1), struck(2));
        let hits = struck(1).into_iter().filter(|hit| *hit).count();
        assert!((16..48).contains(&hits), "{hits} of 64");
    }
}
