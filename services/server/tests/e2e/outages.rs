//! What clients see when processes and stores die, hang or are cut off under a steady load: the table of
//! `docs/reliability.md`.

#![expect(clippy::print_stdout, reason = "the table is what this is for")]

mod load;
mod proxy;
mod topology;

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

use load::{Asked, End, Load};
use topology::{Books, ROLES, Topology};

/// So many answers more, and what was disturbed is at rest again.
const SETTLED: usize = 12;
/// How long one hangs.
const HANGS: Duration = Duration::from_secs(20);
/// A lease nobody keeps alive is over by then.
const LEASES_END: Duration = Duration::from_secs(45);
/// What a client is told when it may ask again. Nothing else is seen of an outage.
const PASSING: [&str; 8] = [
    "peer_unavailable",
    "peer_timeout",
    "peer_overloaded",
    "storage_unavailable",
    "shutting_down",
    "server_stopping",
    "pool_timeout",
    "media_store_failed",
];

const HEAD: &str = "| case | requests | failures | last one began after | units too many / too few | leases left | rows missing |
|---|---|---|---|---|---|---|";

/// A line of the table.
struct Line {
    case: String,
    asked: Vec<Asked>,
    failures: BTreeMap<String, usize>,
    /// From the outage until the last request that failed had begun.
    recovered: Duration,
    /// Counted by the pool and not by the upstream since the case before, and leases that nobody holds any more.
    books: Books,
}

struct Suite {
    topology: Topology,
    load: Load,
    lines: Vec<Line>,
    /// Requests of earlier cases.
    seen: usize,
}

impl Suite {
    async fn start() -> Self {
        let topology = Topology::start().await;
        let load = Load::start(topology.gateways());
        load.served(2 * SETTLED).await;
        let seen = load.asked().len();
        Self { topology, load, lines: Vec::new(), seen }
    }

    /// Ends a case that began then, and holds it to `allowed`, which says of each failure whether it may be.
    async fn end(&mut self, case: &str, began: Instant, allowed: impl Fn(&Asked) -> bool) {
        self.load.served(SETTLED).await;
        self.load.pause().await;
        let books = self.topology.at_rest().await;
        let asked = self.load.asked().split_off(self.seen);
        self.load.resume();
        self.seen += asked.len();
        let failed: Vec<&Asked> = asked.iter().filter(|asked| asked.end != End::Whole).collect();
        for one in &failed {
            let after = one.began.saturating_duration_since(began);
            assert!(allowed(one), "{case}: {after:?} after the outage: {one:?}");
        }
        let mut failures = BTreeMap::new();
        for one in &failed {
            *failures.entry(one.end.to_string()).or_default() += 1;
        }
        let last = failed.iter().map(|one| one.began.saturating_duration_since(began)).max();
        let recovered = last.unwrap_or_default();
        let line = Line { case: case.to_owned(), asked, failures, recovered, books };
        println!("{line}");
        self.lines.push(line);
    }

    async fn killed(&mut self, role: &'static str) {
        let began = Instant::now();
        self.topology.signal(role, 0, "KILL");
        self.topology.ended(role, 0).await;
        self.load.served(SETTLED).await;
        self.topology.start_again(role, 0).await;
        // What was under way on it, and nothing that began later.
        let in_flight = |one: &Asked| one.began < began + Duration::from_secs(1);
        self.end(&format!("SIGKILL {role}"), began, |one| {
            let broken = role == "gateway" && one.gateway == 0 && one.end == End::Broken;
            in_flight(one) && (broken || one.end.passes())
        })
        .await;
    }

    async fn rolled(&mut self, role: &'static str) {
        let began = Instant::now();
        for index in 0..2 {
            self.topology.signal(role, index, "TERM");
            let status = self.topology.ended(role, index).await;
            assert_eq!(status.code(), Some(0), "{role}-{index}");
            self.topology.start_again(role, index).await;
            // As a rollout does, which waits until the new one is ready: it is found by then.
            self.load.served(SETTLED).await;
        }
        self.end(&format!("SIGTERM {role}, one after the other"), began, |_| false).await;
    }

    async fn hung(&mut self) {
        let began = Instant::now();
        for role in ["chat", "token-pool"] {
            self.topology.signal(role, 0, "STOP");
        }
        tokio::time::sleep(HANGS).await;
        for role in ["chat", "token-pool"] {
            self.topology.signal(role, 0, "CONT");
        }
        self.end("SIGSTOP 20 s, a chat and a token-pool", began, |one| {
            one.began < began + Duration::from_secs(2) && one.end.passes()
        })
        .await;
    }

    async fn cut(&mut self) {
        let began = Instant::now();
        self.topology.proxy.cut(true);
        self.load.served(3 * SETTLED).await;
        self.topology.proxy.cut(false);
        self.end("a gateway cut from one config", began, |_| false).await;
    }

    /// `kill` and `start` are those of the store.
    async fn store_restarted(&mut self, name: &str, within: Duration) {
        let began = Instant::now();
        let redis = name == "Redis";
        let backing = &mut self.topology.backing;
        tokio::task::block_in_place(|| if redis { backing.kill_hot() } else { backing.kill() });
        tokio::time::sleep(Duration::from_secs(1)).await;
        tokio::task::block_in_place(|| if redis { backing.start_hot_again() } else { backing.start_again() });
        let back = Instant::now();
        self.end(&format!("{name} restarted"), began, |one| one.began < back + within && one.end.passes())
            .await;
    }

    /// After the last case: every lease is free, and every request has its row.
    async fn settle(self) {
        self.load.stop().await;
        let began = Instant::now();
        let books = loop {
            let books = self.topology.at_rest().await;
            if books.leased == 0 {
                break books;
            }
            assert!(began.elapsed() < LEASES_END, "leases are left: {books:?}");
        };
        println!("at the end, {:?} later: {books:?}", began.elapsed());
        // A picture is paid for as a text until it is known to have been drawn, and nobody knows any more.
        let drawn = |asked: &&Asked| asked.picture && asked.end != End::Whole;
        let pictures = self.lines.iter().flat_map(|line| &line.asked).filter(drawn).count();
        assert!(books.oversold <= 3 * pictures as i64, "{books:?} after {pictures} pictures that failed");
        let asked = self.lines.iter().flat_map(|line| &line.asked);
        let whole = asked.filter(|asked| asked.end == End::Whole).map(|asked| asked.name.clone()).collect();
        let recorded = self.topology.recorded(&whole).await;
        println!("{HEAD}");
        for line in &self.lines {
            let missing: Vec<&Asked> =
                line.asked.iter().filter(|asked| !recorded.contains(&asked.name)).collect();
            println!("{line} {} |", missing.len());
            // Who was under way on a gateway that is killed has none.
            let killed =
                |one: &&Asked| line.case == "SIGKILL gateway" && one.gateway == 0 && one.end == End::Broken;
            assert!(missing.iter().all(killed), "{}: without a row: {missing:?}", line.case);
        }
    }
}

impl End {
    /// Whether asking again is what the client is told.
    fn passes(&self) -> bool {
        match self {
            Self::Refused(status, code, again) => {
                *again && *status >= 500 && PASSING.contains(&code.as_str())
            }
            Self::Told(code) => PASSING.contains(&code.as_str()),
            Self::Whole | Self::Broken => false,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures: Vec<String> =
            self.failures.iter().map(|(end, count)| format!("{count} × {end}")).collect();
        let failures = if failures.is_empty() { "none".to_owned() } else { failures.join(", ") };
        let recovered = match self.failures.is_empty() {
            true => "–".to_owned(),
            false => format!("{:.1} s", self.recovered.as_secs_f32()),
        };
        let Books { careful, oversold, leased } = self.books;
        let case = &self.case;
        write!(
            f,
            "| {case} | {} | {failures} | {recovered} | {careful} / {oversold} | {leased} |",
            self.asked.len()
        )
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole"),
            Self::Refused(status, code, _) => write!(f, "{status} {code}"),
            Self::Told(code) => write!(f, "{code} in the stream"),
            Self::Broken => f.write_str("connection lost"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn outages_are_seen_by_few_and_not_for_long() {
    let mut suite = Suite::start().await;
    for role in ROLES {
        suite.killed(role).await;
    }
    suite.hung().await;
    suite.cut().await;
    for role in ROLES {
        suite.rolled(role).await;
    }
    suite.store_restarted("Redis", Duration::from_secs(10)).await;
    suite.store_restarted("MariaDB", Duration::from_secs(10)).await;
    suite.settle().await;
}
