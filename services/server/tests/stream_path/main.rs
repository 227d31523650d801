//! The stream path allocates a handful of times a read, however many tokens the read holds.

#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]
#![expect(unreachable_pub, reason = "shared with the bench")]

mod path;

use bytes::BytesMut;
use path::{Path, tokens};

/// Allocations of one read in the middle of a stream, its buffers warm.
fn allocations(mut path: Path, tokens_per_read: usize) -> u64 {
    let mut out = BytesMut::with_capacity(1024 * 1024);
    let read = tokens(tokens_per_read);
    for _ in 0..3 {
        path.read(&read, &mut out);
        out.clear();
    }
    let measured = allocation_counter::measure(|| path.read(&read, &mut out));
    assert!(out.len() > tokens_per_read, "something was written");
    measured.count_total
}

#[test]
fn a_read_costs_a_handful_of_allocations_however_many_tokens_it_holds() {
    for path in [Path::new, Path::with_tool] {
        let counted: Vec<u64> = [1, 10, 100, 1000].map(|tokens| allocations(path(), tokens)).to_vec();
        assert!(
            counted.iter().all(|count| *count <= 6),
            "allocations for 1, 10, 100, 1000 tokens: {counted:?}"
        );
        assert_eq!(counted[1], counted[3], "allocations grow with the tokens: {counted:?}");
    }
}

#[test]
fn a_read_is_one_frame_for_its_text() {
    let mut out = BytesMut::new();
    let mut path = Path::new();
    path.read(&tokens(1), &mut out);
    out.clear();
    path.read(&tokens(100), &mut out);
    let text = String::from_utf8(out.to_vec()).expect("UTF-8");
    assert_eq!(text.matches("data: ").count(), 1, "{text}");
    assert!(text.contains("月") && text.contains("\\\"far\\\""));
}
