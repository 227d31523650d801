//! The service: check, ask the store, map.

use std::sync::Arc;

use grok2api_kit::{clock::Clock, runtime::Runtime};
use grok2api_proto::{
    Error, Kind, Result,
    ledger::{
        AggregateRequest, AggregateResponse, Entry, GetRequest, Ledger, QueryRequest, QueryResponse,
        RecordRequest, RecordResponse,
    },
};
use grok2api_storage::ledger::{self as storage, Dimension, Grain, Query, Range, Series};

use super::messages::{entry, filter, group, id, row, series, turn_id};

const MOST_ENTRIES: usize = 1_000;
const MOST_ON_A_PAGE: u32 = 500;
const PAGE: u32 = 50;
const MOST_GROUPS: u32 = 200;
const GROUPS: u32 = 20;
/// Steps of one answer.
const MOST_STEPS: i64 = 3_000;

pub(super) struct Service {
    pub ledger: Arc<dyn storage::Ledger>,
    /// How long it is kept.
    pub runtime: Runtime,
    pub clock: Clock,
}

#[tonic::async_trait]
impl Ledger for Service {
    async fn record(&self, request: RecordRequest) -> Result<RecordResponse> {
        if request.entries.len() > MOST_ENTRIES {
            return Err(Error::invalid(
                "entries",
                format!("at most {MOST_ENTRIES} entries are taken at once"),
            ));
        }
        let rows = request.entries.into_iter().map(row).collect::<Result<Vec<_>>>()?;
        let recorded = self.ledger.record(&rows, request.lost, self.clock.now_ms()).await?;
        Ok(RecordResponse { recorded })
    }

    async fn query(&self, request: QueryRequest) -> Result<QueryResponse> {
        let limit = bounded("limit", request.limit, PAGE, MOST_ON_A_PAGE)?;
        let before = Some(&request.cursor).filter(|cursor| !cursor.is_empty());
        let before = before.map(|cursor| id("cursor", cursor)).transpose()?;
        // One more than wanted tells whether there is a next page.
        let mut rows = self.ledger.page(&filter(request)?, before, limit + 1).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let last = rows.last().filter(|_| more);
        let next_cursor = last.map(|row| turn_id(row.id)).unwrap_or_default();
        Ok(QueryResponse { entries: rows.into_iter().map(entry).collect(), next_cursor })
    }

    async fn get(&self, request: GetRequest) -> Result<Entry> {
        let found = self.ledger.get(id("id", &request.id)?).await?;
        let missing = || {
            let message = format!("the ledger has no entry {:?}", request.id);
            Error::new(Kind::NotFound, "entry_not_found", message).at("id")
        };
        found.map(entry).ok_or_else(missing)
    }

    async fn aggregate(&self, request: AggregateRequest) -> Result<AggregateResponse> {
        let range = self.range(&request)?;
        let dimension = group(request.group_by)?;
        let top = bounded("top", request.top, GROUPS, MOST_GROUPS)?;
        if request.only.is_some() && dimension == Dimension::All {
            return Err(Error::invalid("only", "a name is of a group: group_by is missing"));
        }
        let mut found = self.ledger.series(&Query { dimension, range, only: request.only, top }).await?;
        if found.is_empty() && dimension == Dimension::All {
            found.push(Series { name: String::new(), steps: Vec::new() });
        }
        let series = found.into_iter().map(series).collect();
        Ok(AggregateResponse { series, from: range.from, to: range.to })
    }
}

impl Service {
    /// The range in steps; refused where its sums are no longer kept, rather than answered with too little.
    fn range(&self, request: &AggregateRequest) -> Result<Range> {
        let AggregateRequest { from, to, width, .. } = *request;
        if from < 0 || to <= from {
            return Err(Error::invalid("to", format!("{to} is not after from {from}")));
        }
        let range = Range::new(from, to, width).ok_or_else(|| {
            Error::invalid("width", format!("{width} ms are no whole number of minutes, hours or days"))
        })?;
        if range.steps() > MOST_STEPS {
            let message = format!("{width} ms make {} buckets, more than {MOST_STEPS}", range.steps());
            return Err(Error::invalid("width", message));
        }
        let kept = range.grain.kept_beside(self.runtime.current().config.usage_retention_days);
        let oldest = self.clock.now_ms() - kept;
        // Days go with the rows, so there is nothing that could be asked instead.
        if range.grain != Grain::Day && range.from + range.grain.width() < oldest {
            let message = format!(
                "buckets of {width} ms are put together from {:?}s, which are kept since {oldest}",
                range.grain
            );
            return Err(Error::invalid("from", message.to_lowercase()));
        }
        Ok(range)
    }
}

/// A number up to a limit; 0 stands for the default.
fn bounded(param: &str, given: u32, default: u32, most: u32) -> Result<u32> {
    match given {
        0 => Ok(default),
        given if given <= most => Ok(given),
        given => Err(Error::invalid(param, format!("{given} is more than {most}"))),
    }
}
