//! `grok2api usage`, on the store.

mod show;

use clap::ValueEnum;
use grok2api_kit::{clock::Clock, settings::Settings};
use grok2api_proto::ledger::{AggregateRequest, Bucket, GroupBy, Outcome, Series, Times};
use serde_json::{Value, json};

use super::{Failure, say};
use crate::store;

const HOUR: i64 = 60 * 60 * 1000;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    one: Option<One>,
    /// How far back, in hours.
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(i64).range(1..=24 * 366))]
    hours: i64,
    /// What the rows of the table are.
    #[arg(long, value_enum, default_value_t = By::Model)]
    by: By,
    /// At most so many rows, those with most requests.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    top: u32,
    /// As JSON, with every outcome and the distributions of times.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum One {
    /// Show one request: its entry with the attempts, and the bodies if they are kept.
    Show(show::Args),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Model,
    Key,
    Account,
}

pub(crate) async fn run(settings: &Settings, args: &Args) -> Result<(), Failure> {
    let store = store::open(settings).await?;
    let done = match &args.one {
        Some(One::Show(args)) => show::run(&store, args).await,
        None => sums(&store, args).await,
    };
    store.close().await;
    done
}

async fn sums(store: &grok2api_storage::Store, args: &Args) -> Result<(), Failure> {
    let clock = Clock::system();
    let ledger = grok2api_config::ledger::open(store.ledger(), clock.clone());
    let to = clock.now_ms();
    let all = AggregateRequest { from: to - args.hours * HOUR, to, top: args.top, ..Default::default() };
    let group_by = match args.by {
        By::Model => GroupBy::Model,
        By::Key => GroupBy::Key,
        By::Account => GroupBy::Account,
    };
    let grouped = AggregateRequest { group_by: group_by.into(), ..all.clone() };
    let groups = ledger.aggregate(grouped).await?;
    let total = ledger.aggregate(all).await?.series.into_iter().flat_map(|series| series.buckets).next();
    let total = total.unwrap_or_default();
    if args.json {
        let rows = groups.series.iter().map(|series| object(&series.name, &sole(series)));
        let rows = Value::from_iter(rows);
        say(&json!({"from": groups.from, "to": groups.to, "groups": rows, "all": object("", &total)})
            .to_string());
    } else {
        table(args, &groups.series, &total);
    }
    Ok(())
}

/// Asked for one bucket, there is one.
fn sole(series: &Series) -> Bucket {
    series.buckets.first().cloned().unwrap_or_default()
}

fn table(args: &Args, groups: &[Series], total: &Bucket) {
    if total.requests == 0 {
        return say(&format!("no requests in the last {} h", args.hours));
    }
    let head =
        ["REQUESTS", "SUCCESS", "FIRST p50", "FIRST p95", "TOKENS/s", "TOKENS IN", "TOKENS OUT", "UNITS"];
    let name = match args.by {
        By::Model => "MODEL",
        By::Key => "KEY",
        By::Account => "ACCOUNT",
    };
    say(&line(name, &head.map(str::to_owned)));
    for series in groups {
        let name = if series.name.is_empty() { "(none)" } else { &series.name };
        say(&line(name, &cells(&sole(series))));
    }
    say(&line("all", &cells(total)));
    if total.lost > 0 {
        say(&format!("{} more requests could not be recorded", total.lost));
    }
}

fn line(name: &str, cells: &[String; 8]) -> String {
    let cells: String = cells.iter().map(|cell| format!("{cell:>11}")).collect();
    format!("{name:<38}{cells}")
}

fn cells(bucket: &Bucket) -> [String; 8] {
    let first = bucket.first_output.clone().unwrap_or_default();
    let seconds = |millis: Option<u64>| {
        millis.map_or_else(|| "-".to_owned(), |millis| format!("{}.{} s", millis / 1000, millis % 1000 / 100))
    };
    [
        bucket.requests.to_string(),
        format!("{} %", ended(bucket, Outcome::Success) * 100 / bucket.requests.max(1)),
        seconds(first.p50_ms),
        seconds(first.p95_ms),
        speed(bucket).map_or_else(|| "-".to_owned(), |speed| speed.to_string()),
        bucket.prompt_tokens.to_string(),
        bucket.completion_tokens.to_string(),
        bucket.units.to_string(),
    ]
}

/// Tokens a second, from the first output on.
fn speed(bucket: &Bucket) -> Option<u64> {
    (bucket.completion_tokens * 1000).checked_div(bucket.output_ms)
}

fn ended(bucket: &Bucket, outcome: Outcome) -> u64 {
    let counted = bucket.outcomes.iter().find(|counted| counted.outcome() == outcome);
    counted.map_or(0, |counted| counted.count)
}

fn object(name: &str, bucket: &Bucket) -> Value {
    let outcomes =
        bucket.outcomes.iter().map(|counted| (name_of(counted.outcome()), Value::from(counted.count)));
    json!({
        "name": name,
        "requests": bucket.requests,
        "outcomes": Value::Object(outcomes.collect()),
        "prompt_tokens": bucket.prompt_tokens,
        "completion_tokens": bucket.completion_tokens,
        "reasoning_tokens": bucket.reasoning_tokens,
        "tokens_per_second": speed(bucket),
        "units": bucket.units,
        "images": bucket.images,
        "videos": bucket.videos,
        "first_output": times(bucket.first_output.as_ref()),
        "duration": times(bucket.duration.as_ref()),
        "lost": bucket.lost,
    })
}

fn name_of(outcome: Outcome) -> String {
    outcome.as_str_name().trim_start_matches("OUTCOME_").to_lowercase()
}

fn times(times: Option<&Times>) -> Value {
    let Some(times) = times else { return Value::Null };
    json!({"count": times.count, "sum_ms": times.sum_ms, "p50_ms": times.p50_ms, "p95_ms": times.p95_ms,
        "counts": times.counts})
}
