use grok2api_storage::accounts::StoredWindow;
use rstest::rstest;

use super::*;

const HOUR: i64 = 3_600_000;
const NOW: i64 = 100 * HOUR;

fn reading(remaining: u32) -> Reading {
    Reading { total: 80, remaining, length_ms: 20 * HOUR }
}

/// Read once, with nothing in flight.
fn known(remaining: u32) -> Window {
    let mut window = Window::default();
    window.observe(reading(remaining), window.mark(), NOW).unwrap();
    window
}

#[test]
fn units_are_reserved_then_spent_or_given_back() {
    let mut window = known(80);
    window.reserve(4);
    window.reserve(1);
    assert_eq!((window.remaining, window.reserved, window.available()), (Some(80), 5, Some(75)));
    window.refund(4);
    window.spend(4, NOW);
    window.refund(1);
    assert_eq!((window.remaining, window.reserved, window.available()), (Some(76), 0, Some(76)));
}

#[test]
fn the_first_spent_unit_starts_the_clock_and_the_reset_gives_everything_back() {
    let mut window = known(80);
    assert_eq!(window.next_change(), None);
    window.reserve(1);
    window.refund(1);
    window.spend(1, NOW + HOUR);
    assert_eq!(window.next_change(), Some(NOW + 21 * HOUR));
    assert!(!window.roll(NOW + 21 * HOUR - 1));
    assert_eq!(window.remaining, Some(79));
    assert!(window.roll(NOW + 21 * HOUR), "the truth should be read now");
    assert_eq!((window.remaining, window.source, window.reset_at), (Some(80), WindowSource::Local, 0));
}

#[rstest]
#[case::nothing_in_flight(0, 0, 50, false)]
#[case::in_flight(5, 0, 45, true)]
#[case::spent_meanwhile(0, 3, 47, true)]
#[case::both(5, 3, 42, true)]
#[case::more_than_there_is(40, 30, 0, true)]
fn a_reading_is_taken_as_if_it_had_counted_nothing_in_flight(
    #[case] reserved: u32,
    #[case] spent_meanwhile: u32,
    #[case] available: u32,
    #[case] doubtful: bool,
) {
    let mut window = Window::default();
    window.reserve(reserved + spent_meanwhile);
    let mark = window.mark();
    window.refund(spent_meanwhile);
    window.spend(spent_meanwhile, NOW);
    window.observe(reading(50), mark, NOW).unwrap();
    assert_eq!(window.available(), Some(available));
    assert!(!window.wants_reading() || reserved == 0, "not before what is in flight has ended");
    window.refund(reserved);
    assert_eq!(window.wants_reading(), doubtful);
    window.observe(reading(50), window.mark(), NOW).unwrap();
    assert_eq!((window.available(), window.wants_reading()), (Some(50), false));
}

#[rstest]
#[case::full(80, 0, 0)]
#[case::begun_without_us(60, 0, NOW + 20 * HOUR)]
#[case::our_own_clock_is_better(60, NOW + 3 * HOUR, NOW + 3 * HOUR)]
#[case::past(60, NOW - HOUR, NOW + 20 * HOUR)]
#[case::beyond_the_window(60, NOW + 21 * HOUR, NOW + 20 * HOUR)]
#[case::refilled_since(78, NOW + 3 * HOUR, NOW + 20 * HOUR)]
fn the_reset_is_our_own_estimate(#[case] remaining: u32, #[case] before: i64, #[case] after: i64) {
    let mut window = known(70);
    window.reset_at = before;
    window.observe(reading(remaining), window.mark(), NOW).unwrap();
    assert_eq!(window.reset_at, after);
}

#[test]
fn a_closure_ends_by_itself_and_leaves_the_ledger_alone() {
    let mut window = known(80);
    window.close(NOW + HOUR, false);
    window.observe(reading(30), window.mark(), NOW).unwrap();
    assert_eq!(window.closed_until, NOW + HOUR, "the upstream's own word holds");
    assert!(!window.roll(NOW + HOUR));
    assert_eq!((window.closed_until, window.remaining), (0, Some(30)));
}

#[test]
fn a_guessed_closure_is_shortened_when_the_upstream_reports_units() {
    let mut window = known(80);
    window.close(NOW + HOUR, true);
    window.observe(reading(0), window.mark(), NOW).unwrap();
    assert_eq!(window.closed_until, NOW + HOUR);
    window.observe(reading(30), window.mark(), NOW).unwrap();
    assert_eq!(window.closed_until, NOW + BURST_PAUSE_MS);
}

#[test]
fn a_nearly_empty_window_is_looked_at_again_before_its_estimated_reset() {
    let mut window = known(4);
    window.reserve(1);
    window.refund(1);
    window.spend(1, NOW);
    assert_eq!(window.next_change(), Some(NOW + RECHECK_MS));
    assert!(window.roll(NOW + RECHECK_MS));
    assert_eq!(window.remaining, Some(3), "nothing is taken for granted");
    window.observe(reading(80), window.mark(), NOW + RECHECK_MS).unwrap();
    assert_eq!(window.next_change(), None);
}

#[test]
fn what_is_kept_counts_reserved_units_as_spent() {
    let mut window = known(80);
    window.reserve(4);
    window.close(NOW + 5, false);
    let stored = window.stored();
    assert_eq!(stored.remaining, Some(76));
    let mut after_a_crash = Window::default();
    after_a_crash.adopt(&stored);
    assert_eq!(after_a_crash.available(), Some(76));
    let mut alive = window.clone();
    alive.merge(&known(80).stored(), &stored, NOW);
    assert_eq!((alive.available(), alive.remaining), (Some(76), Some(80)));
    assert_eq!(alive.stored(), stored);
}

/// What was reserved, spent long ago and spent just now when a reading of 60 that another process has made is seen;
/// what is believed then, and whether it is to be read again.
#[rstest]
#[case::unused(0, 0, 0, 60, false)]
#[case::at_rest(0, 4, 0, 60, false)]
#[case::in_flight(4, 0, 0, 56, true)]
#[case::spent_meanwhile(0, 4, 3, 57, true)]
#[case::both(4, 4, 3, 53, true)]
fn a_reading_of_another_process_has_seen_nothing_of_what_happens_here(
    #[case] reserved: u32,
    #[case] long_ago: u32,
    #[case] just_now: u32,
    #[case] available: u32,
    #[case] doubtful: bool,
) {
    let mut window = known(80);
    let before = window.stored();
    let later = NOW + HOUR;
    for (units, at) in [(long_ago, NOW), (just_now, later)] {
        if units > 0 {
            window.spend(units, at);
        }
    }
    window.reserve(reserved);
    let row = StoredWindow { remaining: Some(60), observed_at: later - 1, ..before.clone() };
    window.merge(&before, &row, later);
    assert_eq!(window.available(), Some(available));
    window.refund(reserved);
    assert_eq!(window.wants_reading(), doubtful);
}

#[test]
fn what_another_process_knows_of_old_does_not_bring_spent_units_back() {
    let mut window = known(80);
    let before = window.stored();
    window.spend(5, NOW);
    window.close(NOW + HOUR, false);
    let shut = window.stored();
    window.spend(5, NOW);
    // It has opened the window by hand, and knows nothing of the last five units.
    let row = StoredWindow { closed_until: 0, ..shut.clone() };
    window.merge(&shut, &row, NOW);
    assert_eq!((window.available(), window.closed_until), (Some(70), 0));
    window.merge(&row, &before, NOW);
    assert_eq!(window.available(), Some(70));
}

#[test]
fn a_window_that_has_shrunk_beyond_belief_is_believed_once_the_upstream_acts_accordingly() {
    let mut window = known(80);
    let eight = Reading { total: 8, remaining: 8, length_ms: HOUR };
    let doubt = window.observe(eight, window.mark(), NOW).unwrap_err();
    assert!(doubt.contains("8 of 8 units") && doubt.contains("80 of 80"), "both are told: {doubt}");
    assert_eq!((window.total, window.remaining), (Some(80), Some(80)), "the ledger stands");
    for day in 0..30 {
        let said = window.observe(eight, window.mark(), NOW + day * 24 * HOUR);
        assert!(said.is_err(), "however often it is said");
    }
    window.close(NOW + HOUR, true);
    window.observe(reading(70), window.mark(), NOW).unwrap();
    assert!(window.observe(eight, window.mark(), NOW).is_err(), "what stands between forgets it");
    window.observe(eight, window.mark(), NOW).unwrap();
    assert_eq!((window.total, window.remaining), (Some(8), Some(8)));
}

/// Takes and gives back, as a turn that is not charged.
fn turn(window: &mut Window, units: u32) {
    window.reserve(units);
    window.refund(units);
}

fn write(window: &mut Window) {
    window.note();
    window.keep();
}

#[test]
fn no_more_than_a_quarter_is_taken_that_the_row_does_not_tell_of() {
    let mut window = known(80);
    turn(&mut window, 50);
    assert!(!window.runs_ahead(4) && !window.presses(), "what the store does not know it cannot promise");
    write(&mut window);
    turn(&mut window, 10);
    assert!(!window.presses());
    turn(&mut window, 1);
    assert!(window.presses(), "half of what may be");
    assert_eq!((window.runs_ahead(9), window.runs_ahead(10)), (false, true));
    window.note();
    turn(&mut window, 9);
    assert!(window.runs_ahead(1), "what is on its way is not there");
    window.keep();
    assert_eq!((window.runs_ahead(11), window.runs_ahead(12)), (false, true), "nine are not in that row");
}

#[test]
fn a_window_that_shrinks_while_it_is_written_allows_what_either_row_does() {
    let mut window = known(80);
    write(&mut window);
    window.observe(Reading { total: 20, remaining: 20, length_ms: HOUR }, window.mark(), NOW).unwrap();
    turn(&mut window, 6);
    assert!(!window.runs_ahead(1), "the row has 80");
    window.note();
    turn(&mut window, 1);
    assert!(window.runs_ahead(1), "and may have 20 at any moment");
    window.keep();
    assert_eq!((window.runs_ahead(4), window.runs_ahead(5)), (false, true));
}

#[rstest]
#[case::before_its_reset(Some(50), 30)]
#[case::at_its_end(Some(7), 0)]
#[case::after_its_reset(Some(7), 60)]
fn after_a_crash_a_quarter_counts_as_spent(#[case] remaining: Option<u32>, #[case] left: u32) {
    let mut window = known(80);
    window.remaining = remaining;
    window.reset_at = if left == 60 { NOW } else { NOW + HOUR };
    let row = window.stored();
    let mut again = Window::default();
    again.salvage(&row, NOW);
    assert_eq!((again.available(), again.wants_reading()), (Some(left), true));
    assert!(again.presses() && again.runs_ahead(1), "it is written before it is used");
    write(&mut again);
    assert!(!again.runs_ahead(20));
    let mut third = Window::default();
    third.salvage(&again.stored(), NOW);
    assert_eq!(third.available(), Some(left.saturating_sub(20)), "each crash costs as much");
}

#[test]
fn a_row_of_another_that_promises_more_is_written_over_before_more_is_taken() {
    let mut window = known(80);
    write(&mut window);
    let before = window.stored();
    window.reserve(18);
    write(&mut window);
    assert!(!window.runs_ahead(4));
    let row = StoredWindow { remaining: Some(80), observed_at: NOW + 1, ..before.clone() };
    window.merge(&before, &row, NOW + 1);
    window.promised(&row);
    assert_eq!((window.runs_ahead(2), window.runs_ahead(3)), (false, true));
}
