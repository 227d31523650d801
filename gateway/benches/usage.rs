//! What the usage ledger costs a request: an entry begun, fed with the events of an answer, and handed over.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has failed")]

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use grok2api_gateway::usage::Recorder;
use grok2api_kit::lifecycle::Tasks;
use grok2api_proto::chat::ChatEvent;
use grok2api_testkit::{FakeLedger, Step, Turn};

fn usage(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let tasks = Tasks::new();
    let ledger = Arc::new(FakeLedger::default());
    // A ledger that is away is the worst case: the queue is full.
    ledger.away(true);
    let recorder = Recorder::start(ledger, None, &tasks);
    let Step::Batch(kinds) = Turn::answer("Hello").steps.remove(0) else { return };
    let events: Vec<ChatEvent> = kinds.into_iter().map(ChatEvent::from).collect();
    criterion.bench_function("record a request", |bencher| {
        bencher.iter(|| {
            let mut record = recorder.begin("/v1/chat/completions", "req_00000000000000000000000000000000");
            record.asked("grok-4-fast", true);
            record.events(0, &events);
        });
    });
    let mut record = recorder.begin("/v1/chat/completions", "req");
    let text: Vec<ChatEvent> = events[2..3].to_vec();
    criterion.bench_function("a batch of one text event", |bencher| bencher.iter(|| record.events(0, &text)));
    drop(record);
    tasks.shutdown().stop();
}

criterion_group!(benches, usage);
criterion_main!(benches);
