//! What holds whatever happens, in one process and among replicas.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::{StoredAccount, Tier};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use rstest::rstest;
use uuid::Uuid;

use super::fixture::{Fixture, Leased, On, Server, failed, stored, wanted, window};
use crate::{
    classes::ClassId,
    eligible::{Request, eligible},
    order,
    reading::{ReadEnd, ReadJob},
    roster::Roster,
    wanted::{LEASE_MS, Settlement, Wanted},
    window::Reading,
};

const ACCOUNTS: u128 = 3;
const TAGS: [&str; 2] = ["a", "b"];
const TOTAL: u32 = 80;
const LENGTH_MS: i64 = 3_600_000;
/// Short enough that 150 steps stay within one window.
const SHORT_MS: i64 = LENGTH_MS / 160;
const NORMAL: ClassId = ClassId::new(0);

#[derive(Clone, Debug)]
enum Step {
    Lease {
        cost: u32,
        /// Of `TAGS`; beyond them, no tag is asked for.
        tag: usize,
        /// So many units fewer than are reserved is what the turn will cost. (One that costs more than it seemed, with
        /// a picture that nobody asked for, is taken on credit and left out here.)
        cheaper: u32,
    },
    /// The upstream takes the request of the n-th lease alive.
    Accept(usize),
    Settle {
        lease: usize,
        outcome: Outcome,
    },
    /// What is unwritten is on its way to the store, or arrives there.
    Write,
    BeginRead,
    EndRead {
        read: usize,
        fails: bool,
    },
    Pass {
        ms: i64,
    },
    /// A replica dies with its callers; of what they had sent, the upstream has taken the requests of this mask, and what
    /// was on its way to the store has arrived or not.
    Crash {
        taken: u8,
        arrives: bool,
    },
}

fn step(longest_ms: i64) -> impl Strategy<Value = (usize, Step)> {
    let outcome = (1..=10).prop_map(|number| Outcome::try_from(number).unwrap());
    let step = prop_oneof![
        6 => (1..=4u32, 0..4usize, 0..8u32)
            .prop_map(|(cost, tag, cheaper)| Step::Lease { cost, tag, cheaper }),
        5 => (0..8usize).prop_map(Step::Accept),
        5 => (0..8usize, outcome).prop_map(|(lease, outcome)| Step::Settle { lease, outcome }),
        1 => Just(Step::BeginRead),
        2 => (0..2usize, prop::bool::weighted(0.2)).prop_map(|(read, fails)| Step::EndRead { read, fails }),
        2 => (0..longest_ms).prop_map(|ms| Step::Pass { ms }),
        3 => Just(Step::Write),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(taken, arrives)| Step::Crash { taken, arrives }),
    ];
    (0..2usize, step)
}

/// A lease, and what has become of it.
#[derive(Clone, Debug)]
struct Held {
    lease: Leased,
    cost: u32,
    /// What the upstream takes for it.
    spends: u32,
    /// The upstream has taken its request.
    charged: bool,
    expires_at: i64,
}

/// The replicas, and what the upstream really has.
struct World {
    /// One in memory, two on Redis.
    replicas: Vec<Fixture>,
    prefix: String,
    left: HashMap<u128, u32>,
    leases: Vec<Held>,
    /// Readings under way, and what they see.
    reads: Vec<(ReadJob, u32)>,
    now: i64,
    /// What the store has, and what is on its way there.
    store: HashMap<Uuid, StoredAccount>,
    writing: Vec<StoredAccount>,
}

impl World {
    fn new(server: Option<&Arc<Server>>, units: [u32; ACCOUNTS as usize]) -> Self {
        static WORLDS: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("{{world-{}}}:", WORLDS.fetch_add(1, Ordering::Relaxed));
        let first = Fixture::beside_a_store(server.cloned(), &prefix, rows(units));
        let second = server.map(|_| first.another(&prefix, rows(units)));
        let now = first.now;
        let left = (1..=ACCOUNTS).zip(units).collect();
        let replicas = [first].into_iter().chain(second).collect();
        let store = rows(units).map(|row| (row.id, row)).collect();
        let (leases, reads, writing) = (Vec::new(), Vec::new(), Vec::new());
        Self { replicas, prefix, left, leases, reads, now, store, writing }
    }

    fn take(&mut self, (replica, step): &(usize, Step)) {
        let at = replica % self.replicas.len();
        match *step {
            Step::Lease { cost, tag, cheaper } => self.lease(at, cost, tag, cheaper),
            Step::Accept(lease) => self.accept(lease),
            Step::Settle { lease, outcome } if lease < self.leases.len() => {
                let Held { lease, cost, spends, charged, .. } = self.leases.swap_remove(lease);
                let units = (spends != cost).then_some(spends);
                self.replicas[at].settle(&lease, &Settlement { charged, units, ..failed(outcome) });
            }
            Step::BeginRead => {
                if let Some(job) = self.replicas[at].next_read() {
                    let seen = self.left[&job.target.0.as_u128()];
                    self.reads.push((job, seen));
                }
            }
            Step::EndRead { read, fails } if read < self.reads.len() => {
                let (job, seen) = self.reads.swap_remove(read);
                let reading = Reading { total: TOTAL, remaining: seen, length_ms: LENGTH_MS };
                let end = if fails { ReadEnd::Failed("502".into()) } else { ReadEnd::Reading(reading) };
                self.replicas[at].read_done(&job, &end);
            }
            Step::Pass { ms } => self.pass(ms),
            Step::Write => self.write(at),
            Step::Crash { taken, arrives } => self.crash(at, taken, arrives),
            Step::Settle { .. } | Step::EndRead { .. } => {}
        }
    }

    /// What a replica grants is the best account it knows of; when it knows all, that is the best of all.
    fn lease(&mut self, at: usize, cost: u32, tag: usize, cheaper: u32) {
        let replica = &self.replicas[at];
        let tags: Vec<String> = TAGS.get(tag).map(|tag| (*tag).to_owned()).into_iter().collect();
        let wanted = Wanted { tags: tags.clone(), ..wanted(cost) };
        let now = self.now;
        let best = replica.look(|roster| {
            let written_behind = roster.limits().written_behind;
            let best = best(roster, &Request { cost, tags: &tags, written_behind, ..request() }, now);
            let explained = roster.explain(&wanted, None, now);
            let first = explained.verdicts.iter().find(|(_, verdict)| verdict.is_ok());
            let first = first.map(|(account, _)| account.stored.id.as_u128());
            assert_eq!(first, best, "the explanation names the best account");
            best
        });
        let lease = replica.lease(&wanted).ok();
        assert_eq!(lease.as_ref().map(|lease| lease.account), best, "the index finds the best account");
        let expires_at = now + LEASE_MS;
        // Most cost what they seem to.
        let spends = if cheaper < cost { cost - cheaper } else { cost };
        self.leases.extend(lease.map(|lease| Held { lease, cost, spends, charged: false, expires_at }));
    }

    fn pass(&mut self, ms: i64) {
        self.now += ms;
        self.replicas.iter_mut().for_each(|replica| replica.now += ms);
    }

    /// One begins to write, then the store has it.
    fn write(&mut self, at: usize) {
        if self.replicas.len() > 1 {
            // Redis knows.
            return;
        }
        let now = self.now;
        let mut roster = self.replicas[at].hot.roster();
        if self.writing.is_empty() {
            self.writing = roster.take_unwritten(ACCOUNTS as usize);
            return;
        }
        for row in self.writing.drain(..) {
            let version = row.version + 1;
            self.store.insert(row.id, StoredAccount { version, ..row.clone() });
            roster.written(row, version, now);
        }
    }

    /// Where it was the only one, another process takes over from what was written; else the other replica goes on,
    /// and a new one joins it.
    fn crash(&mut self, at: usize, taken: u8, arrives: bool) {
        for index in (0..self.leases.len()).filter(|index| taken >> (index % 8) & 1 == 1) {
            self.accept(index);
        }
        let alone = self.replicas.len() == 1;
        if alone {
            self.leases.clear();
            self.reads.clear();
        }
        let arriving = self.writing.drain(..).filter(|_| arrives);
        self.store.extend(arriving.map(|row| (row.id, row)));
        let rows: Vec<_> = self.store.values().cloned().collect();
        self.replicas[at] = self.replicas[at].another(&self.prefix, rows);
    }

    /// The upstream's own rule: a request it accepts is paid for at once.
    fn accept(&mut self, lease: usize) {
        let now = self.now;
        let Some(held) = self.leases.get_mut(lease).filter(|held| held.expires_at > now) else { return };
        if held.charged {
            return;
        }
        let left = self.left.get_mut(&held.lease.account).unwrap();
        assert!(
            *left >= held.spends,
            "sold {} of {left} units of account {}",
            held.spends,
            held.lease.account
        );
        *left -= held.spends;
        held.charged = true;
    }

    /// Reserved units are those of the leases alive, and never more than what is left to spend; all replicas agree.
    fn check_the_ledger(&self) {
        for replica in &self.replicas {
            for number in 1..=ACCOUNTS {
                let account = replica.account(number);
                let alive = || {
                    let mine = self.leases.iter().filter(|held| held.lease.account == number);
                    mine.filter(|held| held.expires_at > self.now)
                };
                assert_eq!(account.in_flight as usize, alive().count(), "account {number}");
                let window = account.window(NORMAL);
                assert_eq!(window.reserved, alive().map(|held| held.cost).sum::<u32>());
                assert!(window.remaining <= window.total);
            }
        }
    }

    /// Never believes an account to have more than it has, counting what is on its way to be taken.
    fn check_the_belief(&self) {
        for (number, left) in &self.left {
            let coming = self
                .leases
                .iter()
                .filter(|held| held.lease.account == *number && !held.charged && held.expires_at > self.now);
            let coming: u32 = coming.map(|held| held.spends).sum();
            for replica in &self.replicas {
                let believed = replica.window(*number).available().unwrap();
                assert!(believed + coming <= *left, "account {number}: {believed} + {coming} of {left}");
            }
        }
    }

    /// Every lease and every block ends, without anybody doing anything.
    fn check_the_end(&mut self) {
        self.pass(25 * LENGTH_MS);
        for replica in &self.replicas {
            for number in 1..=ACCOUNTS {
                let state = replica.state(number);
                assert!(["active", "invalid", "banned"].contains(&state.as_str()), "{state}");
                let account = replica.account(number);
                assert_eq!((account.in_flight, account.window(NORMAL).reserved), (0, 0));
            }
        }
    }
}

fn rows(units: [u32; ACCOUNTS as usize]) -> impl Iterator<Item = StoredAccount> {
    (1..=ACCOUNTS).zip(units).map(|(number, units)| StoredAccount {
        tags: TAGS[..(number % 3) as usize].iter().map(|tag| (*tag).to_owned()).collect(),
        priority: i32::from(number == 2),
        ..stored(number, Tier::Basic, Some(window(units)))
    })
}

fn request() -> Request<'static> {
    Request {
        class: NORMAL,
        cost: 1,
        minimum_tier: Tier::Basic,
        tags: &[],
        exclude: &[],
        only: None,
        concurrency: 2,
        written_behind: true,
    }
}

/// The plain meaning of "best": all who may serve, in order, the first.
fn best(roster: &Roster, request: &Request<'_>, now: i64) -> Option<u128> {
    let able = roster.accounts().filter(|account| eligible(account, request, now).is_ok());
    able.map(|account| order::key(account, request.class)).min().map(|key| key.id.as_u128())
}

/// Runs random cases: many in memory, fewer over a socket.
fn check(on: On, longest_ms: i64, case: impl Fn(&mut World, &[(usize, Step)])) {
    let server = (on == On::Redis).then(Server::start);
    let cases = if on == On::Redis { 40 } else { 400 };
    let mut runner = TestRunner::new(ProptestConfig { cases, ..ProptestConfig::default() });
    let units = [0..20u32, 0..20u32, 0..TOTAL];
    let ran = runner.run(&(units, vec(step(longest_ms), 1..150)), |(units, steps)| {
        case(&mut World::new(server.as_ref(), units), &steps);
        Ok(())
    });
    ran.unwrap();
}

#[rstest]
fn within_a_window_nothing_is_ever_oversold(#[values(On::Memory, On::Redis)] on: On) {
    check(on, SHORT_MS, |world, steps| {
        for step in steps {
            world.take(step);
            world.check_the_ledger();
            world.check_the_belief();
        }
    });
}

#[rstest]
fn the_books_balance_over_resets_and_every_blocked_state_ends(#[values(On::Memory, On::Redis)] on: On) {
    check(on, LENGTH_MS / 4, |world, steps| {
        for step in steps {
            // The upstream's windows refill as well; how exactly is not the point here.
            world.left.values_mut().for_each(|left| *left = u32::MAX);
            world.reads.iter_mut().for_each(|(_, seen)| *seen = TOTAL / 2);
            world.take(step);
            world.check_the_ledger();
        }
        world.check_the_end();
    });
}
