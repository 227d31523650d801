//! What the command line says of a key.

use grok2api_proto::keys::{Limits, Spec};
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
    /// Refused: this version does not enforce it.
    #[arg(long, hide = true)]
    requests_per_minute: Option<u64>,
    /// Refused: this version does not enforce it.
    #[arg(long, hide = true)]
    tokens_per_minute: Option<u64>,
    /// Refused: this version does not enforce it.
    #[arg(long, hide = true)]
    concurrency: Option<u64>,
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
        let (requests_per_minute, tokens_per_minute) = (self.requests_per_minute, self.tokens_per_minute);
        let limits = Limits { requests_per_minute, tokens_per_minute, concurrency: self.concurrency };
        spec.limits = Some(limits).filter(|limits| *limits != Limits::default());
        Ok(())
    }
}

/// A list that is named replaces the one there was; `all` empties it, which stands for everything.
fn replace(list: &mut Vec<String>, said: Vec<String>) {
    if !said.is_empty() {
        *list = said.into_iter().filter(|item| item != "all").collect();
    }
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
