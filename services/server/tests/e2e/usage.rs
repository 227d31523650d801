//! What the usage ledger has after a day's work, in one process and split: exactly one entry for each request.

use futures_util::StreamExt as _;
use grok2api_proto::ledger::{
    AggregateRequest, Bucket, Entry, GroupBy, Outcome, QueryRequest, RecordRequest,
};
use rstest::rstest;
use serde_json::json;

use crate::{
    cli::{grok2api, output},
    support::{Product, Shape},
};

const TOKENS: [&str; 6] =
    ["sim-basic-1", "sim-basic-2", "sim-basic-3", "sim-basic-4", "sim-basic-5", "sim-basic-6"];

impl Product {
    /// Waits until the ledger has that many entries; oldest first.
    pub async fn entries(&self, count: usize) -> Vec<Entry> {
        loop {
            let ledger = &self.gateway().services.ledger;
            let mut entries = ledger.query(QueryRequest::default()).await.unwrap().entries;
            if entries.len() >= count {
                entries.reverse();
                return entries;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The sums of the last hour.
    async fn sums(&self, group_by: GroupBy) -> Vec<(String, Bucket)> {
        let to = grok2api_kit::clock::Clock::system().now_ms() + 1;
        let ask =
            AggregateRequest { from: to - 3_600_000, to, group_by: group_by.into(), ..Default::default() };
        let told = self.gateway().services.ledger.aggregate(ask).await.unwrap();
        told.series.into_iter().map(|mut series| (series.name, series.buckets.remove(0))).collect()
    }
}

fn outcomes(entry: &Entry) -> Vec<&str> {
    entry.attempts.iter().map(|attempt| attempt.outcome.as_str()).collect()
}

/// Begins a stream and leaves it.
async fn leave(product: &Product) {
    let body = json!({"model": "grok-3-fast", "stream": true,
        "messages": [{"role": "user", "content": "[[sim:tokens=100000]][[sim:delay_ms=5]]"}]});
    let mut stream = product.open(&body).await.bytes_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn every_request_has_its_entry_and_is_counted_once(#[case] shape: Shape) {
    let product = Product::with(shape, &TOKENS).await;
    let answered = product.ask("grok-3-fast", "[[sim:say=hello]]").await;
    product.stream("grok-4-fast", "[[sim:fault=500:1]][[sim:say=rescued]]").await.ok().unwrap();
    let failed = product.ask("grok-3-fast", "[[sim:fault=502-html]]x").await;
    leave(&product).await;
    product.ask("grok-3-fast", "draw a moon").await;
    product.ask("gpt-4", "x").await;
    let entries = product.entries(6).await;
    let [chat, rescued, lost, left, drawn, unknown] = &entries[..] else { panic!("{entries:#?}") };
    let accounts = product.accounts().await;
    for entry in &entries {
        let known = |id: &String| accounts.iter().any(|account| account.id == *id);
        assert!(entry.attempts.iter().all(|attempt| known(&attempt.account)), "{entry:?}");
        assert!(entry.duration_ms > 0 && entry.started_at > 1_700_000_000_000, "{entry:?}");
        assert_eq!(entry.units, entry.attempts.iter().map(|attempt| attempt.units).sum::<u32>());
    }

    assert_eq!((chat.outcome(), outcomes(chat), chat.stream), (Outcome::Success, vec!["success"], false));
    assert_eq!(
        (chat.request_id.as_str(), chat.model.as_str()),
        (answered.header("x-request-id"), "grok-3-fast")
    );
    let usage = &answered.json()["usage"];
    assert_eq!(
        (json!(chat.prompt_tokens), json!(chat.completion_tokens)),
        (usage["prompt_tokens"].clone(), usage["completion_tokens"].clone())
    );
    assert!(chat.first_output_ms.unwrap() <= chat.duration_ms && chat.tokens_estimated);
    assert_eq!((chat.units, chat.http_status, chat.images), (1, 200, 0));

    assert_eq!(
        (rescued.outcome(), outcomes(rescued)),
        (Outcome::Success, vec!["upstream_failed", "success"])
    );
    assert!(rescued.stream && !rescued.attempts[0].cause.is_empty() && rescued.attempts[1].cause.is_empty());
    assert_ne!(rescued.attempts[0].account, rescued.account);

    assert_eq!((lost.outcome(), lost.error_code.clone()), (Outcome::Upstream, failed.code()));
    assert_eq!((u32::from(failed.status), outcomes(lost)), (lost.http_status, vec!["upstream_failed"; 3]));
    assert_eq!((lost.first_output_ms, lost.units), (None, 0));

    assert_eq!((left.outcome(), outcomes(left)), (Outcome::ClientCancelled, vec!["client_cancelled"]));
    assert_eq!((left.http_status, left.units, left.stream), (200, 1, true));

    assert_eq!((drawn.outcome(), drawn.images, drawn.units), (Outcome::Success, 2, 4));
    assert_eq!(
        (unknown.outcome(), unknown.http_status, unknown.model.as_str()),
        (Outcome::InvalidRequest, 404, "")
    );
    assert_eq!((unknown.error_code.as_str(), unknown.attempts.len()), ("model_not_found", 0));

    // Told again, all of it is known.
    let again = RecordRequest { entries: entries.clone(), lost: 9 };
    assert_eq!(product.gateway().services.ledger.record(again).await.unwrap().recorded, 0);
    let all = &product.sums(GroupBy::Unspecified).await[0].1;
    assert_eq!((all.requests, all.images, all.lost), (6, 2, 0));
    assert_eq!(all.units, entries.iter().map(|entry| u64::from(entry.units)).sum::<u64>());
    let models = product.sums(GroupBy::Model).await;
    let told: Vec<_> = models.iter().map(|(name, bucket)| (name.as_str(), bucket.requests)).collect();
    assert_eq!(told, [("grok-3-fast", 4), ("", 1), ("grok-4-fast", 1)]);
    product.stop().await;
}

#[tokio::test]
async fn the_last_entries_are_written_at_the_end_and_the_command_line_shows_them() {
    let product = Product::with(Shape::Whole, &TOKENS[..1]).await;
    assert_eq!(product.ask("grok-3-fast", "[[sim:say=hello]]").await.status, 200);
    let data = product.data.clone();
    product.stop().await;
    let (code, text, _) = output(grok2api(data.path()).arg("usage")).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((code, lines.len()), (0, 3), "{text}");
    assert!(
        lines[0].starts_with("MODEL") && lines[1].starts_with("grok-3-fast") && lines[2].starts_with("all")
    );
    assert!(lines[2].contains("100 %"), "{text}");
    let (code, text, _) = output(grok2api(data.path()).args(["usage", "--json", "--by", "account"])).await;
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &told["all"]["requests"]), (0, &json!(1)));
    assert_eq!(told["groups"][0]["outcomes"], json!({"success": 1}));
    let empty = tempfile::tempdir().unwrap();
    let (_, text, _) = output(grok2api(empty.path()).args(["usage", "--hours", "1"])).await;
    assert_eq!(text, "no requests in the last 1 h\n");
}
