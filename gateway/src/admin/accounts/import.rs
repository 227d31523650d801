//! Accounts that come in as a text, with a report for every line.

use axum::{Extension, extract::State, response::Response};
use futures_util::StreamExt as _;
use grok2api_proto::{
    Error, Result,
    pool::{AddResult, ImportAccountsRequest, ImportFormat, ImportProgress, Tier},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    admin::{
        Console,
        extract::Body,
        progress::{self, Teller},
        session::Who,
        words::{self, some, word},
    },
    openai::error::Failure,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Import {
    text: String,
    format: Option<String>,
    tier: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    dry_run: bool,
}

/// How many entries became what.
#[derive(Default)]
struct Sums {
    added: u32,
    merged: u32,
    refused: u32,
}

pub(crate) async fn import(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(import): Body<Import>,
) -> Result<Response, Failure> {
    let (dry_run, request) = (import.dry_run, import.request()?);
    // What is wrong with the whole text is an answer of its own.
    let mut told = console.services.pool.import_accounts(request).await?;
    let tasks = console.deps.tasks.clone();
    let work = |teller: Teller| async move {
        let before = super::count(&console).await;
        let (mut sums, mut total, mut failure) = (Sums::default(), 0, None);
        while let Some(progress) = told.next().await {
            match progress {
                Ok(progress) => {
                    total = progress.total;
                    teller.line(sums.add(progress)).await;
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let Sums { added, merged, refused } = sums;
        if !dry_run {
            // Also what was done before it failed.
            let after = json!({"added": added, "merged": merged, "refused": refused});
            console.log(&who, "account.import", total, before, after).await;
        }
        if let Some(error) = failure {
            return teller.failed(&error).await;
        }
        let result = json!({
            "type": "result",
            "done": total,
            "total": total,
            "added": added,
            "merged": merged,
            "refused": refused,
        });
        teller.line(result).await;
    };
    Ok(progress::answer(&tasks, "admin-import", work))
}

impl Import {
    fn request(self) -> Result<ImportAccountsRequest> {
        let tier = self.tier.as_deref().map(words::read_tier).transpose()?;
        let format = match self.format.as_deref() {
            None => ImportFormat::Unspecified,
            Some("lines") => ImportFormat::Lines,
            Some("json") => ImportFormat::Json,
            Some("jsonl") => ImportFormat::Jsonl,
            Some("seed") => ImportFormat::Seed,
            Some(other) => return Err(Error::invalid("format", format!("{other:?} is no format"))),
        };
        Ok(ImportAccountsRequest {
            text: self.text,
            format: format.into(),
            tier: tier.unwrap_or(Tier::Unspecified).into(),
            tags: self.tags,
            note: self.note,
            dry_run: self.dry_run,
        })
    }
}

impl Sums {
    /// Counts what was done, and shows it.
    fn add(&mut self, progress: ImportProgress) -> Value {
        let reports = progress.reports.into_iter().map(|report| {
            let result = report.result();
            match result {
                AddResult::Added => self.added += 1,
                AddResult::Merged => self.merged += 1,
                AddResult::Refused | AddResult::Unspecified => self.refused += 1,
            }
            json!({
                "line": report.line,
                "token": report.masked_token,
                "result": word(result.as_str_name(), "ADD_RESULT_"),
                "account_id": some(report.account_id),
                "reason": report.reason,
            })
        });
        let reports: Vec<Value> = reports.collect();
        json!({"type": "progress", "done": progress.done, "total": progress.total, "reports": reports})
    }
}
