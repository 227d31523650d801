//! `accounts refresh`.

use std::sync::Arc;

use futures_util::StreamExt as _;
use grok2api_proto::pool::{RefreshAccountsRequest, RefreshReport, RefreshResult, TokenPool};

use crate::commands::{Failure, say};

/// Tells as the readings end; an account that could not be read makes the command fail.
pub(super) async fn run(pool: &Arc<dyn TokenPool>, accounts: Vec<String>) -> Result<(), Failure> {
    let mut progress = pool.refresh_accounts(RefreshAccountsRequest { accounts }).await?;
    let (mut read, mut total) = (0, 0);
    while let Some(step) = progress.next().await {
        let step = step?;
        total = step.total;
        for (report, number) in step.reports.iter().zip(step.done + 1 - count(&step.reports)..) {
            read += u32::from(report.result() == RefreshResult::Read);
            say(&format!("{number}/{total} {}", line(report)));
        }
    }
    let summary = format!("{read} of {total} accounts read");
    if read < total {
        return Err(Failure::Code(1, summary));
    }
    say(&summary);
    Ok(())
}

fn count(reports: &[RefreshReport]) -> u32 {
    u32::try_from(reports.len()).unwrap_or(u32::MAX)
}

fn line(report: &RefreshReport) -> String {
    let result = super::small(&report.result());
    let reason = if report.reason.is_empty() { String::new() } else { format!(": {}", report.reason) };
    format!("{} {result}{reason}", report.account_id).trim_start().to_owned()
}
