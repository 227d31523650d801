use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn row(at: i64, duration_ms: u64) -> Row {
    Row {
        id: Uuid::from_u128(first_id(at).as_u128() | 0x7000_8000_0000_0000_0001),
        request_id: "req".into(),
        endpoint: "/v1/chat/completions".into(),
        model: "grok-4-fast".into(),
        client_key: String::new(),
        attempts: Vec::new(),
        first_output_ms: None,
        duration_ms,
        prompt_tokens: 3,
        completion_tokens: 0,
        reasoning_tokens: 0,
        tokens_estimated: false,
        units: 1,
        images: 0,
        videos: 0,
        outcome: Outcome::Success,
        http_status: 200,
        stream: false,
        error_code: String::new(),
        error_message: String::new(),
    }
}

#[rstest::rstest]
#[case::one_hour_by_minutes(5, HOUR + 5, 60_000, Some((Grain::Minute, 0, 61)))]
#[case::a_day_by_hours(HOUR + 1, DAY + HOUR + 1, HOUR, Some((Grain::Hour, HOUR, 25)))]
#[case::six_hours(0, DAY, 6 * HOUR, Some((Grain::Hour, 0, 4)))]
#[case::whole_days(0, 90 * DAY, DAY, Some((Grain::Day, 0, 90)))]
#[case::odd_minutes(0, HOUR, 7 * 60_000, Some((Grain::Minute, 0, 9)))]
#[case::one_step_of_an_hour(30_000, HOUR, 0, Some((Grain::Minute, 0, 1)))]
#[case::one_step_of_a_week(DAY + 1, 8 * DAY, 0, Some((Grain::Day, DAY, 1)))]
#[case::backwards(5, 5, 0, None)]
#[case::seconds(0, HOUR, 30_000, None)]
#[case::negative(0, HOUR, -60_000, None)]
fn a_range_is_made_of_the_widest_sums_that_fit(
    #[case] from: i64,
    #[case] to: i64,
    #[case] width: i64,
    #[case] expected: Option<(Grain, i64, i64)>,
) {
    let range = Range::new(from, to, width);
    assert_eq!(range.map(|range| (range.grain, range.from, range.steps())), expected);
    assert!(range.is_none_or(|range| range.from <= from && range.to >= to));
}

#[rstest::rstest]
#[case::minutes(HOUR, 60_000, Grain::Minute)]
#[case::a_week_of_hours(7 * DAY, HOUR, Grain::Day)]
#[case::few_hours_of_long_ago(2 * HOUR, HOUR, Grain::Hour)]
#[case::one_day(DAY, DAY, Grain::Day)]
fn a_range_is_ranked_by_sums_that_are_there(#[case] span: i64, #[case] width: i64, #[case] expected: Grain) {
    let range = Range::new(10 * DAY, 10 * DAY + span, width).unwrap();
    let roughly = range.roughly();
    assert_eq!(roughly.grain, expected);
    assert!(roughly.from <= range.from && roughly.to >= range.to);
}

#[test]
fn rows_are_counted_by_everything_they_belong_to_while_that_is_kept() {
    let now = 100 * DAY;
    let rows = [row(now - 1, 100), row(now - 3 * DAY, 100), row(now - 40 * DAY, 100)];
    let sums = sums(&rows.iter().collect::<Vec<_>>(), 7, now);
    let all = |grain| {
        let kept = sums.iter().filter(|(key, _)| key.grain == grain && key.dimension == Dimension::All);
        kept.map(|(_, totals)| totals.requests()).sum::<u64>()
    };
    assert_eq!(Grain::ALL.map(all), [1, 2, 3]);
    let lost: u64 = sums.values().map(Totals::unrecorded).sum();
    assert_eq!(lost, 3 * 7, "in each grain");
    assert!(super::sums(&[], 7, now).is_empty(), "what is repeated is not counted again");
}

#[test]
fn an_id_and_its_time_are_one() {
    let id = Uuid::now_v7();
    assert!(first_id(at(id)) <= id && id < first_id(at(id) + 1));
    assert_eq!(first_id(-5), Uuid::nil());
}

#[test]
fn percentiles_of_nothing_are_nothing() {
    assert_eq!(Totals::default().duration().percentile(50), None);
}

proptest! {
    #[test]
    fn percentiles_are_near_the_truth(mut times in proptest::collection::vec(1_u64..400_000, 1..300), percent in 1_u64..=100) {
        let mut totals = Totals::default();
        for time in &times {
            totals.add(&Totals::of(&row(0, *time)));
        }
        times.sort_unstable();
        let truth = times[(times.len() * percent as usize).div_ceil(100).max(1) - 1];
        let told = totals.duration().percentile(percent).unwrap();
        prop_assert!(told.max(100) <= truth.max(100) * 161 / 100 && truth.max(100) <= told.max(100) * 161 / 100, "{told} for {truth}");
        prop_assert_eq!(totals.requests(), times.len() as u64);
    }
}
