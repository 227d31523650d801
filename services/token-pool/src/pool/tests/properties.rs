//! What holds whatever happens.

use std::collections::HashMap;

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::{StoredAccount, Tier};
use proptest::{collection::vec, prelude::*};

use super::{
    super::{ReadEnd, ReadJob, Settlement, Wanted},
    fixture::{Fixture, Leased, failed, stored, wanted, window},
};
use crate::{
    eligible::{Request, eligible},
    order,
    window::Reading,
};

const ACCOUNTS: u128 = 3;
const TAGS: [&str; 2] = ["a", "b"];
const TOTAL: u32 = 80;
const LENGTH_MS: i64 = 3_600_000;
/// Short enough that 150 steps stay within one window.
const SHORT_MS: i64 = LENGTH_MS / 160;

#[derive(Clone, Debug)]
enum Step {
    Lease {
        cost: u32,
        /// Of `TAGS`; beyond them, no tag is asked for.
        tag: usize,
    },
    /// The upstream takes the request of the n-th lease alive.
    Accept(usize),
    Settle {
        lease: usize,
        outcome: Outcome,
    },
    BeginRead,
    EndRead {
        read: usize,
        fails: bool,
    },
    Pass {
        ms: i64,
    },
    /// The process dies; of what it had sent, the upstream has taken the requests of this mask.
    Crash {
        taken: u8,
    },
}

fn step(longest_ms: i64) -> impl Strategy<Value = Step> {
    let outcome = (1..=10).prop_map(|number| Outcome::try_from(number).unwrap());
    prop_oneof![
        6 => (1..=4u32, 0..4usize).prop_map(|(cost, tag)| Step::Lease { cost, tag }),
        5 => (0..8usize).prop_map(Step::Accept),
        5 => (0..8usize, outcome).prop_map(|(lease, outcome)| Step::Settle { lease, outcome }),
        1 => Just(Step::BeginRead),
        2 => (0..2usize, prop::bool::weighted(0.2)).prop_map(|(read, fails)| Step::EndRead { read, fails }),
        2 => (0..longest_ms).prop_map(|ms| Step::Pass { ms }),
        1 => any::<u8>().prop_map(|taken| Step::Crash { taken }),
    ]
}

/// The pool, and what the upstream really has.
struct World {
    fixture: Fixture,
    left: HashMap<u128, u32>,
    leases: Vec<(Leased, u32, bool)>,
    reads: Vec<(ReadJob, u32)>,
}

impl World {
    fn new(units: [u32; ACCOUNTS as usize]) -> Self {
        let rows = (1..=ACCOUNTS).zip(units).map(|(number, units)| StoredAccount {
            tags: TAGS[..(number % 3) as usize].iter().map(|tag| (*tag).to_owned()).collect(),
            priority: i32::from(number == 2),
            ..stored(number, Tier::Basic, Some(window(units)))
        });
        let fixture = Fixture::new(rows);
        Self { fixture, left: (1..=ACCOUNTS).zip(units).collect(), leases: Vec::new(), reads: Vec::new() }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Lease { cost, tag } => {
                let tags: Vec<String> = TAGS.get(tag).map(|tag| (*tag).to_owned()).into_iter().collect();
                let request = Request { cost, tags: &tags, ..request(&mut self.fixture) };
                let best = best(&self.fixture, &request);
                let wanted = Wanted { tags: tags.clone(), ..wanted(cost) };
                let explained = self.fixture.pool.explain(&wanted, self.fixture.now);
                let first = explained.verdicts.iter().find(|(_, verdict)| verdict.is_ok());
                let first = first.map(|(account, _)| account.stored.id.as_u128());
                assert_eq!(first, best, "the explanation names the best account");
                let lease = self.fixture.lease(&wanted).ok();
                assert_eq!(
                    lease.as_ref().map(|lease| lease.account),
                    best,
                    "the index finds the best account"
                );
                self.leases.extend(lease.map(|lease| (lease, cost, false)));
            }
            Step::Accept(lease) => self.accept(lease),
            Step::Settle { lease, outcome } if lease < self.leases.len() => {
                let (lease, _, charged) = self.leases.swap_remove(lease);
                self.fixture.settle(&lease, &Settlement { charged, ..failed(outcome) });
            }
            Step::BeginRead => {
                if let Some(job) = self.fixture.pool.next_read(self.fixture.now) {
                    let seen = self.left[&job.target.0.as_u128()];
                    self.reads.push((job, seen));
                }
            }
            Step::EndRead { read, fails } if read < self.reads.len() => {
                let (job, seen) = self.reads.swap_remove(read);
                let reading = Reading { total: TOTAL, remaining: seen, length_ms: LENGTH_MS };
                let end = if fails { ReadEnd::Failed("502".into()) } else { ReadEnd::Reading(reading) };
                self.fixture.pool.read_done(&job, end, self.fixture.now);
            }
            Step::Pass { ms } => self.fixture.now += ms,
            Step::Crash { taken } => self.crash(taken),
            Step::Settle { .. } | Step::EndRead { .. } => {}
        }
    }

    /// Another process takes over from what was written.
    fn crash(&mut self, taken: u8) {
        for index in (0..self.leases.len()).filter(|index| taken >> (index % 8) & 1 == 1) {
            self.accept(index);
        }
        self.leases.clear();
        self.reads.clear();
        let pool = &self.fixture.pool;
        let rows: Vec<_> = pool.accounts().filter_map(|account| pool.row(account.stored.id)).collect();
        let now = self.fixture.now;
        self.fixture = Fixture::new(rows);
        self.fixture.now = now;
    }

    /// The upstream's own rule: a request it accepts is paid for at once.
    fn accept(&mut self, lease: usize) {
        let Some((lease, cost, charged)) = self.leases.get_mut(lease) else { return };
        if *charged || !self.fixture.pool.leases.contains_key(&lease.id) {
            return;
        }
        let left = self.left.get_mut(&lease.account).unwrap();
        assert!(*left >= *cost, "sold {cost} of {left} units of account {}", lease.account);
        *left -= *cost;
        *charged = true;
    }

    /// Reserved units are those of the leases alive, and never more than what is left to spend.
    fn check_the_ledger(&self) {
        let pool = &self.fixture.pool;
        for account in pool.accounts() {
            let alive = || pool.leases.values().filter(|lease| lease.account == account.stored.id);
            assert_eq!(account.in_flight as usize, alive().count());
            for class in pool.classes.ids() {
                let window = account.window(class);
                let reserved: u32 =
                    alive().filter(|lease| lease.class == class).map(|lease| lease.cost).sum();
                assert_eq!(window.reserved, reserved);
                assert!(window.remaining <= window.total);
            }
        }
        assert_eq!(pool.expiries.len(), pool.leases.len());
    }

    /// Never believes an account to have more than it has, counting what is on its way to be taken.
    fn check_the_belief(&self) {
        for (number, left) in &self.left {
            let coming: u32 = self
                .leases
                .iter()
                .filter(|(lease, _, charged)| lease.account == *number && !charged)
                .filter(|(lease, ..)| self.fixture.pool.leases.contains_key(&lease.id))
                .map(|(_, cost, _)| cost)
                .sum();
            let believed = self.fixture.window(*number).available().unwrap();
            assert!(believed + coming <= *left, "account {number}: {believed} + {coming} of {left}");
        }
    }
}

fn request(fixture: &mut Fixture) -> Request<'static> {
    fixture.pool.advance(fixture.now);
    let class = fixture.pool.classes.ids().next().unwrap();
    Request { class, cost: 1, minimum_tier: Tier::Basic, tags: &[], exclude: &[], concurrency: 2 }
}

/// The plain meaning of "best": all who may serve, in order, the first.
fn best(fixture: &Fixture, request: &Request<'_>) -> Option<u128> {
    let able = fixture.pool.accounts().filter(|account| eligible(account, request, fixture.now).is_ok());
    able.map(|account| order::key(account, request.class)).min().map(|key| key.id.as_u128())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn within_a_window_nothing_is_ever_oversold(
        units in [0..20u32, 0..20u32, 0..TOTAL],
        steps in vec(step(SHORT_MS), 1..150),
    ) {
        let mut world = World::new(units);
        for step in &steps {
            world.take(step);
            world.check_the_ledger();
            world.check_the_belief();
        }
    }

    #[test]
    fn the_books_balance_over_resets_and_every_blocked_state_ends(
        units in [0..20u32, 0..20u32, 0..TOTAL],
        steps in vec(step(LENGTH_MS / 4), 1..150),
    ) {
        let mut world = World::new(units);
        for step in &steps {
            // The upstream's windows refill as well; how exactly is not the point here.
            world.left.values_mut().for_each(|left| *left = u32::MAX);
            world.reads.iter_mut().for_each(|(_, seen)| *seen = TOTAL / 2);
            world.take(step);
            world.check_the_ledger();
        }
        world.fixture.now += 25 * LENGTH_MS;
        world.fixture.pool.advance(world.fixture.now);
        prop_assert!(world.fixture.pool.leases.is_empty());
        for number in 1..=ACCOUNTS {
            let state = world.fixture.state(number);
            prop_assert!(["active", "invalid", "banned"].contains(&state.as_str()), "{}", state);
            prop_assert_eq!(world.fixture.window(number).reserved, 0);
        }
    }
}
