//! `accounts add` and `accounts import`: one way in, the pool's import.

use std::{io::Read as _, path::PathBuf, sync::Arc};

use clap::ValueEnum;
use futures_util::StreamExt as _;
use grok2api_proto::pool::{AddResult, ImportAccountsRequest, ImportFormat, ImportReport, Tier, TokenPool};

use super::TierArg;
use crate::commands::{Failure, say};

#[derive(clap::Args)]
pub(crate) struct Add {
    /// Tokens.
    #[arg(required = true, value_name = "TOKEN")]
    tokens: Vec<String>,
    #[command(flatten)]
    said: Said,
}

#[derive(clap::Args)]
pub(crate) struct Import {
    /// The file; `-` reads standard input.
    file: PathBuf,
    /// What the file holds.
    #[arg(long, value_enum, default_value_t = FormatArg::Auto)]
    format: FormatArg,
    /// Show what became of every entry, not only of those refused.
    #[arg(long)]
    report: bool,
    /// Say what would become of the entries, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    said: Said,
}

/// What is said of every account that says nothing of its own.
#[derive(clap::Args)]
struct Said {
    /// What the accounts are; without it new ones are basic, and known ones stay what they are.
    #[arg(long, value_enum)]
    tier: Option<TierArg>,
    /// A note shown in lists.
    #[arg(long, default_value = "")]
    note: String,
    /// A tag, as often as wanted.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatArg {
    /// Told from the text.
    Auto,
    /// A token a line, or `token,tier,note`; # begins a comment line.
    Lines,
    /// An array of tokens or objects.
    Json,
    /// A JSON token or object a line, as `export` writes them.
    Jsonl,
    /// The seed's token.json.
    Seed,
}

#[derive(Default)]
struct Counts {
    added: usize,
    known: usize,
    refused: usize,
}

impl Add {
    pub(super) async fn run(self, pool: &Arc<dyn TokenPool>) -> Result<(), Failure> {
        // A line break is no part of a token, but would make two of one.
        let lines: Vec<String> =
            self.tokens.iter().map(|token| token.replace(['\r', '\n', ','], "")).collect();
        import(pool, self.said.request(lines.join("\n"), ImportFormat::Lines, false), false).await
    }
}

impl Import {
    pub(super) async fn run(self, pool: &Arc<dyn TokenPool>) -> Result<(), Failure> {
        let text = read(&self.file);
        let text = text.map_err(|error| Failure::Code(1, format!("{}: {error}", self.file.display())))?;
        import(pool, self.said.request(text, self.format.into(), self.dry_run), self.report).await
    }
}

impl Said {
    fn request(self, text: String, format: ImportFormat, dry_run: bool) -> ImportAccountsRequest {
        let tier = self.tier.map_or(Tier::Unspecified, Tier::from);
        let (note, tags) = (self.note, self.tags);
        ImportAccountsRequest { text, format: format.into(), tier: tier.into(), tags, note, dry_run }
    }
}

async fn import(
    pool: &Arc<dyn TokenPool>,
    request: ImportAccountsRequest,
    every: bool,
) -> Result<(), Failure> {
    let mut progress = pool.import_accounts(request).await?;
    let mut counts = Counts::default();
    while let Some(step) = progress.next().await {
        step?.reports.iter().for_each(|report| counts.count(report, every));
    }
    let summary =
        format!("{} added, {} known already, {} refused", counts.added, counts.known, counts.refused);
    if counts.refused > 0 {
        return Err(Failure::Code(1, summary));
    }
    say(&summary);
    Ok(())
}

impl Counts {
    fn count(&mut self, report: &ImportReport, every: bool) {
        let refused = match report.result() {
            AddResult::Added => {
                self.added += 1;
                false
            }
            AddResult::Merged => {
                self.known += 1;
                false
            }
            AddResult::Refused | AddResult::Unspecified => {
                self.refused += 1;
                true
            }
        };
        if refused || every {
            let result = super::small(&report.result());
            let token = &report.masked_token;
            let reason =
                if refused { format!(": {}", report.reason) } else { format!(" {}", report.account_id) };
            say(&format!("entry {}: {token}: {result}{reason}", report.line));
        }
    }
}

fn read(file: &std::path::Path) -> std::io::Result<String> {
    if file.as_os_str() != "-" {
        return std::fs::read_to_string(file);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

impl From<FormatArg> for ImportFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Auto => Self::Unspecified,
            FormatArg::Lines => Self::Lines,
            FormatArg::Json => Self::Json,
            FormatArg::Jsonl => Self::Jsonl,
            FormatArg::Seed => Self::Seed,
        }
    }
}
