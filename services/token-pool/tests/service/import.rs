//! Accounts that come and go in bulk.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _};
use grok2api_proto::{
    Kind,
    pool::{
        AddResult, ExportAccountsRequest, ExportedAccount, ImportAccountsRequest, ImportFormat,
        ImportProgress, ImportReport, RemoveAccountsRequest, Status, Tier,
    },
};

use crate::support::{NOW, Started};

three_ways! {
    a_text_is_imported_with_a_report_per_line,
    known_accounts_are_united_with_what_is_said_of_them,
    ten_thousand_lines_are_imported_in_one_call,
    the_seeds_file_is_understood,
    what_the_seed_knew_is_said_of_new_accounts_only,
    a_dry_run_reports_and_changes_nothing,
    a_text_without_entries_is_done_at_once,
    what_cannot_be_imported_is_refused_as_a_whole,
    an_export_gives_everything_back,
    a_removed_account_comes_back_when_it_is_added_again,
}

async fn import(started: &Started, request: ImportAccountsRequest) -> Vec<ImportProgress> {
    started.pool.import_accounts(request).await.unwrap().try_collect().await.unwrap()
}

fn text(text: &str) -> ImportAccountsRequest {
    ImportAccountsRequest { text: text.into(), ..ImportAccountsRequest::default() }
}

async fn reports(started: &Started, request: ImportAccountsRequest) -> Vec<ImportReport> {
    import(started, request).await.into_iter().flat_map(|progress| progress.reports).collect()
}

async fn export(started: &Started, accounts: &[&str]) -> Vec<ExportedAccount> {
    let accounts = accounts.iter().map(|name| (*name).to_owned()).collect();
    let request = ExportAccountsRequest { accounts, requested_by: "a test".into() };
    let batches: Vec<_> = started.pool.export_accounts(request).await.unwrap().try_collect().await.unwrap();
    batches.into_iter().flat_map(|batch| batch.accounts).collect()
}

async fn a_text_is_imported_with_a_report_per_line(started: &Started) {
    let given = "# mine\nsso=sim-basic-0001\n\nsim-super-0002,super,bought\nabc\nsim-basic-0001\n";
    let reports = reports(started, text(given)).await;
    let said: Vec<_> = reports
        .iter()
        .map(|report| (report.line, report.masked_token.as_str(), report.result(), report.reason.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (2, "sim-…0001", AddResult::Added, ""),
            (4, "sim-…0002", AddResult::Added, ""),
            (5, "…", AddResult::Refused, "the token is too short"),
            (6, "sim-…0001", AddResult::Merged, "known already"),
        ]
    );
    assert_eq!(reports[0].account_id, reports[3].account_id);
    let listed = started.list().await;
    assert_eq!((listed.len(), listed[1].tier(), listed[1].note.as_str()), (2, Tier::Super, "bought"));
}

async fn known_accounts_are_united_with_what_is_said_of_them(started: &Started) {
    let entry = r#"{"token":"sim-basic-0001","tags":["a"],"note":"first","priority":3}"#;
    reports(started, text(entry)).await;
    let again = ImportAccountsRequest {
        tags: vec!["b".into(), "a".into()],
        tier: Tier::Super.into(),
        ..text("sim-basic-0001")
    };
    assert_eq!(reports(started, again).await[0].result(), AddResult::Merged);
    reports(started, text("sim-basic-0001")).await;
    let account = started.list().await.remove(0);
    assert_eq!(account.tags, ["a", "b"], "no tag is lost");
    assert_eq!((account.note.as_str(), account.priority, account.tier()), ("first", 3, Tier::Super));
    let kept = started.accounts.load_all().await.unwrap().remove(0);
    assert_eq!((kept.tags.len(), kept.priority), (2, 3));
}

async fn ten_thousand_lines_are_imported_in_one_call(started: &Started) {
    let mut given: String = (0..10_000).map(|number| format!("sso=sim-basic-{number:05}\n")).collect();
    given.insert_str(0, "broken line\n");
    let steps = import(started, text(&given)).await;
    assert!(steps.len() > 10, "it tells how far it is");
    assert!(steps.windows(2).all(|pair| pair[0].done < pair[1].done));
    assert!(steps.iter().all(|step| step.total == 10_001));
    let all: Vec<_> = steps.iter().flat_map(|step| &step.reports).collect();
    assert_eq!(all.len(), 10_001);
    assert_eq!(all.iter().filter(|report| report.result() == AddResult::Added).count(), 10_000);
    assert_eq!((all[0].line, all[0].result()), (1, AddResult::Refused));
    assert_eq!(started.list().await.len(), 10_000);
}

async fn the_seeds_file_is_understood(started: &Started) {
    let given = r#"{"ssoNormal":{"sim-basic-0001":{"createdTime":1,"remainingQueries":-1,"status":"active"}},
        "ssoSuper":{"sim-super-0001":{"heavyremainingQueries":-1}}}"#;
    reports(started, text(given)).await;
    let tiers: Vec<_> = started.list().await.iter().map(grok2api_proto::pool::Account::tier).collect();
    assert_eq!(tiers, [Tier::Basic, Tier::Super]);
}

async fn what_the_seed_knew_is_said_of_new_accounts_only(started: &Started) {
    reports(started, text("sim-basic-0002")).await;
    let given = r#"{"ssoNormal":{
        "sim-basic-0001":{"createdTime":5,"remainingQueries":63,"heavyremainingQueries":-1,"status":"active"},
        "sim-basic-0002":{"createdTime":5,"remainingQueries":63,"status":"expired"},
        "sim-basic-0003":{"createdTime":6,"remainingQueries":0,"status":"expired","failedCount":3,
            "lastFailureTime":7,"lastFailureReason":"401: sso=sim-basic-0003 is not known"}}}"#;
    reports(started, text(given)).await;
    let accounts = started.list().await;
    let one = |masked: &str| accounts.iter().find(|account| account.masked_token == masked).unwrap();
    let (first, second, third) = (one("sim-…0001"), one("sim-…0002"), one("sim-…0003"));
    assert_eq!((first.created_at, first.status()), (5, Status::Active));
    assert_eq!(first.windows.iter().find(|window| window.class == "normal").unwrap().remaining, Some(63));
    assert_eq!(second.status(), Status::Active, "what is known here is newer");
    assert!(second.created_at > 5 && second.windows.iter().all(|window| window.remaining.is_none()));
    assert_eq!((third.created_at, third.status()), (6, Status::Invalid));
    assert!(third.cause.starts_with("expired in the imported file: 401: "), "{}", third.cause);
    assert!(!third.cause.contains("sim-basic"), "{}", third.cause);
}

async fn a_dry_run_reports_and_changes_nothing(started: &Started) {
    reports(started, text("sim-basic-0001")).await;
    let given = ImportAccountsRequest {
        dry_run: true,
        ..text("sim-basic-0001,super\nsim-basic-0002\nsim-basic-0002\nabc")
    };
    let results: Vec<_> = reports(started, given).await.iter().map(ImportReport::result).collect();
    assert_eq!(results, [AddResult::Merged, AddResult::Added, AddResult::Merged, AddResult::Refused]);
    let accounts = started.list().await;
    assert_eq!((accounts.len(), accounts[0].tier()), (1, Tier::Basic));
}

async fn a_text_without_entries_is_done_at_once(started: &Started) {
    let steps = import(started, text("# nothing\n")).await;
    assert_eq!(steps, [ImportProgress::default()]);
}

async fn what_cannot_be_imported_is_refused_as_a_whole(started: &Started) {
    let bad_tag = ImportAccountsRequest { tags: vec![String::new()], ..text("sim-basic-0001") };
    let no_json = ImportAccountsRequest { format: ImportFormat::Json.into(), ..text("sim-basic-0001") };
    let bad_tier = ImportAccountsRequest { tier: 17, ..text("sim-basic-0001") };
    for (request, param) in [(bad_tag, "tags"), (no_json, "text"), (bad_tier, "tier")] {
        let error = started.pool.import_accounts(request).await.err().unwrap();
        assert_eq!((error.kind, error.param.as_deref()), (Kind::InvalidRequest, Some(param)));
        assert!(!error.message.contains("sim-basic"), "{error}");
    }
    assert!(started.list().await.is_empty());
}

async fn an_export_gives_everything_back(started: &Started) {
    let given =
        r#"{"token":"sim-basic-0001","tags":["a"],"note":"n","priority":-3,"enabled":false,"tier":"heavy"}"#;
    reports(started, text(&format!("{given}\n\"sim-basic-0002\""))).await;
    let all = export(started, &[]).await;
    assert_eq!(all.len(), 2);
    let one = &all[0];
    assert_eq!((one.token.as_str(), one.tier(), one.note.as_str()), ("sim-basic-0001", Tier::Heavy, "n"));
    assert_eq!((one.priority, one.disabled, one.tags.as_slice()), (-3, true, ["a".to_owned()].as_slice()));
    assert_eq!(export(started, &["sso=sim-basic-0002"]).await.len(), 1);
    let request = ExportAccountsRequest { accounts: vec!["sim-basic-0003".into()], ..Default::default() };
    let error = started.pool.export_accounts(request).await.err().unwrap();
    assert_eq!((error.code.as_ref(), error.kind), ("account_not_found", Kind::NotFound));
    assert!(error.message.contains("sim-…0003"), "{error}");
}

async fn a_removed_account_comes_back_when_it_is_added_again(started: &Started) {
    let id = started.add(&["sim-basic-0001"]).await[0].account_id.clone();
    let remove = RemoveAccountsRequest { accounts: vec![id.clone()] };
    started.pool.remove_accounts(remove).await.unwrap();
    let mut import = started.pool.import_accounts(text("sim-basic-0001")).await.unwrap();
    let step = import.next().await.unwrap().unwrap();
    assert_eq!((step.reports[0].result(), &step.reports[0].account_id), (AddResult::Added, &id));
}

#[tokio::test]
async fn a_removed_account_is_forgotten_after_a_day_and_not_before() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let first = Started::at(NOW, dir.clone()).await;
    let added = first.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    let remove = |account: &str| RemoveAccountsRequest { accounts: vec![account.to_owned()] };
    first.pool.remove_accounts(remove(&added[0].account_id)).await.unwrap();
    first.clock.advance(Duration::from_millis(2));
    first.pool.remove_accounts(remove(&added[1].account_id)).await.unwrap();
    first.stop().await;
    // What a day has passed for is forgotten when a process starts, and every hour.
    let next = Started::at(NOW + DAY + 1, dir).await;
    let row = async |index: usize| next.accounts.get(added[index].account_id.parse().unwrap()).await.unwrap();
    let forgotten = async {
        while row(0).await.is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), forgotten).await.unwrap();
    assert!(row(1).await.is_some(), "a millisecond is missing");
    next.stop().await;
}
