//! Days, weeks from Monday and months of UTC, in the proleptic Gregorian calendar.

use crate::client_keys::Period;

const DAY: i64 = 24 * 60 * 60 * 1000;
/// The epoch was a Thursday.
const MONDAY: i64 = 3;

/// When the period that holds this time began and when it ends; nothing for a lifetime.
pub(super) fn bounds(period: Period, at: i64) -> Option<(i64, i64)> {
    let day = at.div_euclid(DAY);
    let (first, next) = match period {
        Period::Day => (day, day + 1),
        Period::Week => {
            let first = day - (day + MONDAY).rem_euclid(7);
            (first, first + 7)
        }
        Period::Month => {
            let (year, month) = month_of(day);
            (first_of(year, month), first_of(year, month + 1))
        }
        Period::Lifetime => return None,
    };
    Some((first * DAY, next * DAY))
}

/// Year and month, March being 0, of a day since the epoch. Years begin in March, so that the leap day is the last.
fn month_of(day: i64) -> (i64, i64) {
    let day = day + 719_468;
    let (era, in_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    (era * 400 + year, (5 * in_year + 2) / 153)
}

/// The first day of such a month, in days since the epoch.
fn first_of(year: i64, month: i64) -> i64 {
    let (year, month) = (year + month.div_euclid(12), month.rem_euclid(12));
    let (era, in_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + (153 * month + 2) / 5 - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::thursday(Period::Day, 0, (0, 1))]
    #[case::week_of_the_epoch(Period::Week, 0, (-3, 4))]
    #[case::sunday(Period::Week, 3, (-3, 4))]
    #[case::monday(Period::Week, 4, (4, 11))]
    #[case::january(Period::Month, 30, (0, 31))]
    #[case::december_1969(Period::Month, -1, (-31, 0))]
    // 2024-02-29, 2023-02-28, 2100-02-28 (no leap year) and 2026-12-31.
    #[case::leap_day(Period::Month, 19_782, (19_754, 19_783))]
    #[case::no_leap_day(Period::Month, 19_416, (19_389, 19_417))]
    #[case::century(Period::Month, 47_540, (47_513, 47_541))]
    #[case::last_of_a_year(Period::Month, 20_818, (20_788, 20_819))]
    fn periods_are_those_of_utc(#[case] period: Period, #[case] day: i64, #[case] days: (i64, i64)) {
        let expected = Some((days.0 * DAY, days.1 * DAY));
        assert_eq!(bounds(period, day * DAY), expected);
        assert_eq!(bounds(period, day * DAY + DAY - 1), expected);
    }

    proptest! {
        #[test]
        fn periods_follow_each_other_without_a_gap(at in 0_i64..10_000_000_000_000, which in 0_usize..3) {
            let period = Period::ALL[which];
            let (start, end) = bounds(period, at).unwrap();
            prop_assert!(start <= at && at < end);
            prop_assert_eq!(bounds(period, end).unwrap().0, end);
            prop_assert_eq!(bounds(period, start - 1).unwrap().1, start);
            let days = (end - start) / DAY;
            prop_assert!([1..2, 7..8, 28..32][which].contains(&days));
        }
    }
}
