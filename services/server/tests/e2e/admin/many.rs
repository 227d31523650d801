//! A pool of fifty thousand accounts, through the real gateway.

use std::time::{Duration, Instant};

use serde_json::json;

use super::start;
use crate::support::Shape;

const MANY: usize = 50_000;
/// What a page of the accounts may take.
const WITHIN: Duration = Duration::from_millis(200);
const ROUNDS: usize = 20;
const ASKED: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_fifty_thousand_accounts_comes_at_once() {
    let (product, owner) = start(Shape::Whole, &[]).await;
    let tokens: Vec<String> = (0..MANY).map(|number| format!("sim-basic-{number:06}")).collect();
    let import = json!({"text": tokens.join("\n"), "tags": ["many"], "note": "batch"});
    let result = owner.work("/api/accounts/import", &import).await.pop().unwrap();
    assert_eq!(result["added"], MANY, "{result}");
    for query in
        ["", "&sort=remaining", "&sort=last_used&order=asc", "&status=active&tag=many", "&search=batch"]
    {
        let path = format!("/api/accounts?limit=100{query}");
        let mut best = Duration::MAX;
        // The median of several; a machine that is busy with something else gets another chance.
        for _ in 0..ROUNDS {
            let mut took = Vec::with_capacity(ASKED);
            for _ in 0..ASKED {
                let began = Instant::now();
                let page = owner.get(&path).await;
                took.push(began.elapsed());
                assert_eq!((&page["matching"], page["items"].as_array().unwrap().len()), (&json!(MANY), 100));
            }
            took.sort_unstable();
            best = best.min(took[ASKED / 2]);
            if best <= WITHIN {
                break;
            }
        }
        assert!(best <= WITHIN, "{path}: {best:?}");
    }
    product.stop().await;
}
