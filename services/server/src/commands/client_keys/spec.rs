//! What the command line says of a key.

use grok2api_proto::keys::{Budget, Key, Spec};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::commands::Failure;

#[derive(clap::Args)]
pub(crate) struct Said {
    /// A note shown in lists.
    #[arg(long)]
    note: Option<String>,
    /// When it ends: 2027-01-31 (its beginning, UTC), 2027-01-31T12:00:00Z, or "never".
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// A model it may ask, as often as wanted; "all" for every model.
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// An address or network it may be used from, as often as wanted; "all" for everywhere.
    #[arg(long = "address", value_name = "ADDRESS")]
    addresses: Vec<String>,
    /// A tag of the accounts that serve it, as often as wanted; "all" for every account.
    #[arg(long = "account-tag", value_name = "TAG")]
    account_tags: Vec<String>,
    /// Requests a minute, or "none" for no limit.
    #[arg(long, value_name = "NUMBER")]
    rpm: Option<String>,
    /// Tokens a minute, in and out, or "none" for no limit.
    #[arg(long, value_name = "NUMBER")]
    tpm: Option<String>,
    /// Requests at the same time, or "none" for no limit.
    #[arg(long, value_name = "NUMBER")]
    concurrency: Option<String>,
    /// A budget of requests, tokens or units a day, week or month or for a lifetime, as often as wanted:
    /// 1000:requests/day; "none" for no budget. All are said anew; what is used up already is kept.
    #[arg(long = "budget", value_name = "BUDGET")]
    budgets: Vec<String>,
}

impl Said {
    /// Changes what is named; the rest stays.
    pub(super) fn into_spec(self, spec: &mut Spec) -> Result<(), Failure> {
        if let Some(note) = self.note {
            spec.note = note;
        }
        if let Some(text) = self.expires {
            spec.expires_at = time(&text)?;
        }
        replace(&mut spec.models, self.models);
        replace(&mut spec.addresses, self.addresses);
        replace(&mut spec.account_tags, self.account_tags);
        let limits = spec.limits.get_or_insert_default();
        limit("--rpm", self.rpm, &mut limits.requests_per_minute)?;
        limit("--tpm", self.tpm, &mut limits.tokens_per_minute)?;
        limit("--concurrency", self.concurrency, &mut limits.concurrency)?;
        if !self.budgets.is_empty() {
            let said = self.budgets.iter().filter(|text| *text != "none");
            spec.budgets = said.map(|text| budget(text)).collect::<Result<_, _>>()?;
        }
        Ok(())
    }
}

/// A list that is named replaces the one there was; `all` empties it, which stands for everything.
fn replace(list: &mut Vec<String>, said: Vec<String>) {
    if !said.is_empty() {
        *list = said.into_iter().filter(|item| item != "all").collect();
    }
}

/// A limit that is named replaces the one there was.
fn limit(option: &str, said: Option<String>, limit: &mut Option<u64>) -> Result<(), Failure> {
    let Some(text) = said else { return Ok(()) };
    let wrong = |_| Failure::Code(1, format!("{option} {text:?} is neither a number nor \"none\""));
    *limit = if text == "none" { None } else { Some(text.parse().map_err(wrong)?) };
    Ok(())
}

/// `1000:requests/day`; what unit and period there are is the service's to know.
fn budget(text: &str) -> Result<Budget, Failure> {
    let read = || {
        let (amount, of) = text.split_once(':')?;
        let (unit, period) = of.split_once('/')?;
        Some(Budget { unit: unit.to_owned(), period: period.to_owned(), amount: amount.parse().ok()? })
    };
    let wrong = || format!("--budget {text:?} does not have the form 1000:requests/day");
    read().ok_or_else(|| Failure::Code(1, wrong()))
}

/// What was used up of budgets, and the limits, as lists show them.
pub(super) fn shown(key: &Key) -> Vec<String> {
    let limits = key.spec.as_ref().and_then(|spec| spec.limits).unwrap_or_default();
    let limit = |limit: Option<u64>, what: &str| limit.map(|limit| format!("({limit} {what})"));
    let limits = [
        limit(limits.requests_per_minute, "requests/min"),
        limit(limits.tokens_per_minute, "tokens/min"),
        limit(limits.concurrency, "at once"),
    ];
    let budgets = key.budgets.iter().map(|state| {
        let Budget { unit, period, amount } = state.budget.clone().unwrap_or_default();
        format!("({} of {amount} {unit}/{period})", state.spent)
    });
    limits.into_iter().flatten().chain(budgets).collect()
}

fn time(text: &str) -> Result<Option<i64>, Failure> {
    if text == "never" {
        return Ok(None);
    }
    let day = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    let read = text.parse::<Timestamp>().or_else(|_| text.parse::<Date>().and_then(day));
    let wrong = format!("--expires {text:?} is neither a day (2027-01-31) nor a time (2027-01-31T12:00:00Z)");
    read.map(|at| Some(at.as_millisecond())).map_err(|_| Failure::Code(1, wrong))
}

/// The day of a time, UTC.
pub(in crate::commands) fn day(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms);
    at.map_or_else(|_| at_ms.to_string(), |at| at.to_zoned(TimeZone::UTC).date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_or_moments() {
        let read = |text: &str| time(text).ok().flatten();
        assert_eq!(read("1970-01-02"), Some(86_400_000));
        assert_eq!(read("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!((read("never"), read("tomorrow"), read("2027-13-01")), (None, None, None));
        assert!(time("never").is_ok() && time("tomorrow").is_err());
        assert_eq!(day(86_400_000), "1970-01-02");
    }

    #[test]
    fn limits_and_budgets_are_read() {
        let mut kept = Some(3);
        assert!(limit("--rpm", None, &mut kept).is_ok() && kept == Some(3));
        assert!(limit("--rpm", Some("60".to_owned()), &mut kept).is_ok() && kept == Some(60));
        assert!(limit("--rpm", Some("few".to_owned()), &mut kept).is_err() && kept == Some(60));
        assert!(limit("--rpm", Some("none".to_owned()), &mut kept).is_ok() && kept.is_none());
        let expected = Budget { unit: "requests".to_owned(), period: "day".to_owned(), amount: 1_000 };
        assert_eq!(budget("1000:requests/day").ok(), Some(expected));
        for wrong in ["1000", "1000:requests", "many:requests/day", ":/", "-1:units/week"] {
            assert!(budget(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_is_replaced_and_all_empties_it() {
        let mut list = vec!["a".to_owned()];
        replace(&mut list, vec![]);
        assert_eq!(list, ["a"]);
        replace(&mut list, vec!["b".to_owned(), "c".to_owned()]);
        assert_eq!(list, ["b", "c"]);
        replace(&mut list, vec!["all".to_owned()]);
        assert!(list.is_empty());
    }
}
