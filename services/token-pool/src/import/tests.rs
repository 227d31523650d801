use rstest::rstest;

use super::*;

type Row = (usize, &'static str, Option<Tier>, &'static str);

/// Number, token (or the reason against it), tier, note.
fn rows(text: &str, format: ImportFormat) -> Vec<(usize, String, Option<Tier>, String)> {
    let row = |line: Line| match line.entry {
        Ok(entry) => (line.number, entry.token.expose().to_owned(), entry.tier, entry.note),
        Err(reason) => (line.number, reason, None, String::new()),
    };
    parse(text, format).unwrap().into_iter().map(row).collect()
}

const TOO_SHORT: &str = "the token is too short";
const BASIC: Option<Tier> = Some(Tier::Basic);
const SUPER: Option<Tier> = Some(Tier::Super);

#[rstest]
#[case::lines(
    "\u{feff}# mine\nsim-basic-0001\r\n\n  sso=sim-basic-0002; theme=dark\n// more\nsso-rw=sim-basic-0003\nabc\n",
    &[(2, "sim-basic-0001", None, ""), (4, "sim-basic-0002", None, ""), (6, "sim-basic-0003", None, ""), (7, TOO_SHORT, None, "")]
)]
#[case::csv(
    "token,tier,note\nsim-super-0001,super,\"bought, in spring\"\nsim-basic-0001,,free\nsim-basic-0002\tBASIC\nsim-basic-0003,gold",
    &[(2, "sim-super-0001", SUPER, "bought, in spring"), (3, "sim-basic-0001", None, "free"), (4, "sim-basic-0002", BASIC, ""),
      (5, "the tier is none of basic, super, heavy", None, "")]
)]
#[case::cookie("Cookie: i18n=en; sso=sim-basic-0001; cf_clearance=a,super", &[(1, "sim-basic-0001", SUPER, "")])]
#[case::json(
    r#"["sim-basic-0001", {"token":"sso=sim-super-0001","tier":"super","note":"n"}, 7, {"tier":"basic"}, {"token":5}]"#,
    &[(1, "sim-basic-0001", None, ""), (2, "sim-super-0001", SUPER, "n"), (3, "it is neither a token nor an object", None, ""),
      (4, "the token is empty", None, ""), (5, "the object does not hold what an account holds", None, "")]
)]
#[case::jsonl(
    "{\"sso\":\"sim-basic-0001\",\"type\":\"ssoSuper\"}\n\n\"sim-basic-0002\"\n{broken\n",
    &[(1, "sim-basic-0001", SUPER, ""), (3, "sim-basic-0002", None, ""), (4, "it is no JSON", None, "")]
)]
#[case::seed(
    r#"{"ssoSuper":{"sim-super-0001":{"createdTime":1,"remainingQueries":-1,"status":"active"}},
        "ssoNormal":{"sim-basic-0002":{"status":"expired","failedCount":3,"note":"old","tags":["a"]},"sim-basic-0001":{}}}"#,
    &[(1, "sim-basic-0001", BASIC, ""), (2, "sim-basic-0002", BASIC, "old"), (3, "sim-super-0001", SUPER, "")]
)]
#[case::nothing(" \n# only a comment\n", &[])]
fn the_format_is_told_from_the_text(#[case] text: &str, #[case] expected: &[Row]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(number, token, tier, note)| (*number, (*token).to_owned(), *tier, (*note).to_owned()))
        .collect();
    assert_eq!(rows(text, ImportFormat::Unspecified), expected);
}

#[rstest]
#[case::json(ImportFormat::Json, "{}")]
#[case::cut(ImportFormat::Json, "[\"sim-basic-0001\", \"sim-ba")]
#[case::seed(ImportFormat::Seed, "[]")]
fn a_text_that_is_not_of_its_format_is_refused_without_being_shown(
    #[case] format: ImportFormat,
    #[case] text: &str,
) {
    let reason = parse(text, format).unwrap_err();
    assert!(reason.contains("line 1, column") && !reason.contains("sim-"), "{reason}");
}

#[test]
fn what_is_refused_is_masked() {
    let lines = parse("tokën-tokën-tokën", ImportFormat::Lines).unwrap();
    assert_eq!((lines[0].masked.as_str(), lines[0].entry.is_err()), ("tokë…okën", true));
}

#[test]
fn objects_carry_everything_that_is_said_of_an_account() {
    let text = r#"{"token":"sim-basic-0001","tags":["b"," a "],"priority":-2,"disabled":true}"#;
    let entry = parse(text, ImportFormat::Jsonl).unwrap().remove(0).entry.unwrap();
    assert_eq!(entry.tags, ["a".to_owned(), "b".to_owned()].into());
    assert_eq!((entry.priority, entry.enabled), (Some(-2), Some(false)));
}

#[rstest]
#[case(vec![String::new()])]
#[case(vec!["a\nb".into()])]
#[case(vec!["x".repeat(65)])]
#[case((0..33).map(|n| n.to_string()).collect())]
fn tags_are_short_and_few(#[case] given: Vec<String>) {
    assert!(tags(given).is_err());
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_reader_and_no_reason_shows_a_token(text in "(\\PC|[\\[\\]{}\",\n#:=;]|ssoNormal|sso=){0,80}") {
        for format in 0..=4 {
            let format = ImportFormat::try_from(format).unwrap();
            if let Ok(lines) = parse(&text, format) {
                proptest::prop_assert!(lines.iter().all(|line| line.number >= 1));
            }
        }
    }
}
