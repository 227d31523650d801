//! decode → event → SSE, per text token. The target is 1.5 µs a token on one core.
//!
//! "one token a read" is the worst case, a network that delivers every token alone; the others show what joining
//! the text of a read saves.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has failed")]
#![expect(unreachable_pub, reason = "shared with the allocation test")]

#[path = "../tests/stream_path/path.rs"]
mod path;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use path::{Path, tokens};

const TOKENS: usize = 1000;

fn stream_path(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode → event → SSE");
    group.throughput(Throughput::Elements(TOKENS as u64));
    for per_read in [1, 8, 64] {
        let bytes = tokens(TOKENS);
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let reads: Vec<Vec<u8>> = lines.chunks(per_read).map(<[&[u8]]>::concat).collect();
        for (name, with_tool) in [("", false), (", a tool declared", true)] {
            let path = || if with_tool { Path::with_tool() } else { Path::new() };
            group.bench_function(format!("{per_read} tokens a read{name}"), |bencher| {
                let fresh = || (path(), BytesMut::with_capacity(1024 * 1024));
                bencher.iter_batched_ref(
                    fresh,
                    |(path, out)| {
                        for read in &reads {
                            path.read(read, out);
                            out.clear();
                        }
                    },
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, stream_path);
criterion_main!(benches);
