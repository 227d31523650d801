//! Steps of time, and which of them a range is made of.

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Up to here a range that is one step is put together from minutes.
const BY_MINUTES: i64 = 3 * HOUR;
/// And up to here from hours.
const BY_HOURS: i64 = 3 * DAY;

/// For how long sums are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Grain {
    Minute = 1,
    Hour = 2,
    /// Of UTC.
    Day = 3,
}

/// A time in steps, made of whole sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Which sums it is made of.
    pub grain: Grain,
    /// Epoch milliseconds, a whole number of the grain.
    pub from: i64,
    /// Exclusive; `from` and a whole number of steps.
    pub to: i64,
    /// Milliseconds.
    pub width: i64,
}

impl Grain {
    /// All, short ones first.
    pub const ALL: [Grain; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Milliseconds.
    pub fn width(self) -> i64 {
        match self {
            Self::Minute => MINUTE,
            Self::Hour => HOUR,
            Self::Day => DAY,
        }
    }

    /// How long the sums are kept; days go with the rows.
    pub fn kept(self) -> Option<i64> {
        match self {
            Self::Minute => Some(2 * DAY),
            Self::Hour => Some(32 * DAY),
            Self::Day => None,
        }
    }

    /// How long the sums are kept when rows are kept for so many days, milliseconds.
    pub fn kept_beside(self, days: u32) -> i64 {
        let rows = i64::from(days) * DAY;
        self.kept().map_or(rows, |kept| kept.min(rows))
    }

    pub(crate) fn start(self, at: i64) -> i64 {
        at - at.rem_euclid(self.width())
    }

    pub(crate) fn is_kept(self, at: i64, now: i64) -> bool {
        self.kept().is_none_or(|kept| at >= now - kept)
    }
}

impl Range {
    /// The steps of that width that hold the time from `from` to `to`, from the widest sums that fit. A width of 0 makes
    /// one step of it, from sums that are a small part of it.
    ///
    /// Nothing when the width is no whole number of minutes, hours or days, or the time runs backwards.
    pub fn new(from: i64, to: i64, width: i64) -> Option<Self> {
        if from < 0 || to <= from || to - from > i64::MAX / 2 || width < 0 {
            return None;
        }
        if width == 0 {
            let grain = if to - from <= BY_MINUTES {
                Grain::Minute
            } else if to - from <= BY_HOURS {
                Grain::Hour
            } else {
                Grain::Day
            };
            let (from, to) = (grain.start(from), grain.start(to - 1) + grain.width());
            return Some(Self { grain, from, to, width: to - from });
        }
        let grain = Grain::ALL.into_iter().rev().find(|grain| width % grain.width() == 0)?;
        let from = from - from % width;
        let steps = (to - from + width - 1) / width;
        Some(Self { grain, from, to: from + steps * width, width })
    }

    /// The time as one step, for what need not be exact: few sums, and less than a day more at each end of a long one.
    /// Never from shorter sums than the range itself, which may be gone.
    pub(crate) fn roughly(&self) -> Self {
        let roughly = Self::new(self.from, self.to, 0);
        roughly.filter(|roughly| roughly.grain >= self.grain).unwrap_or(*self)
    }

    /// How many steps.
    pub fn steps(&self) -> i64 {
        (self.to - self.from) / self.width
    }
}
