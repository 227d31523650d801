//! `token.json`, through the pool's import.

use futures_util::StreamExt as _;
use grok2api_proto::pool::{AddResult, ImportAccountsRequest, ImportFormat, ImportReport};

use super::{Counts, Import};
use crate::commands::{Failure, accounts, say};

const FILE: &str = "token.json";

pub(super) async fn import(import: &Import<'_>) -> Result<Counts, Failure> {
    let text = match import.text(FILE) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(Counts::missing("accounts", FILE)),
        Err(reason) => return Ok(Counts::lost(FILE, &reason)),
    };
    let pool = accounts::open(import.settings, import.store, import.tasks, false).await?;
    let request = ImportAccountsRequest {
        text,
        format: ImportFormat::Seed.into(),
        dry_run: import.args.dry_run,
        ..ImportAccountsRequest::default()
    };
    let mut progress = match pool.import_accounts(request).await {
        Ok(progress) => progress,
        Err(error) if error.param.is_some() => return Ok(Counts::lost(FILE, &error.message)),
        Err(error) => return Err(error.into()),
    };
    let mut counts = Counts::default();
    while let Some(step) = progress.next().await {
        step?.reports.iter().for_each(|report| counts.count(report, import.args.report));
    }
    Ok(counts.tell("accounts"))
}

impl Counts {
    fn count(&mut self, report: &ImportReport, every: bool) {
        let (line, token) = (report.line, &report.masked_token);
        let (count, became) = match report.result() {
            AddResult::Added => (&mut self.taken, "taken".to_owned()),
            AddResult::Merged => (&mut self.known, "already there".to_owned()),
            AddResult::Refused | AddResult::Unspecified => {
                say(&format!("{FILE}: entry {line}, {token}: not taken: {}", report.reason));
                self.refused += 1;
                return;
            }
        };
        *count += 1;
        if every {
            say(&format!("{FILE}: entry {line}, {token}: {became}"));
        }
    }
}
