//! An answer while it is being recorded.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;

/// Most bytes of one answer, as the store has it.
const LARGEST: usize = 4 * 1024 * 1024;
/// Most bytes of all that are being recorded.
const MOST: usize = 64 * 1024 * 1024;

pub(super) struct Recording {
    /// Gone when it is too much.
    bytes: Option<Vec<u8>>,
    all: Arc<AtomicUsize>,
    /// The answer tells of a failure.
    failed: bool,
}

impl Recording {
    pub(super) fn new(all: Arc<AtomicUsize>) -> Self {
        Self { bytes: Some(Vec::new()), all, failed: false }
    }

    /// Takes one write of a stream: whole lines.
    pub(super) fn push(&mut self, frame: &[u8]) {
        self.failed |= tells_failure(frame);
        let Some(bytes) = &mut self.bytes else { return };
        let all = self.all.fetch_add(frame.len(), Ordering::Relaxed) + frame.len();
        bytes.extend_from_slice(frame);
        if bytes.len() > LARGEST || all > MOST {
            self.forget();
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// What was recorded; nothing when it was too much.
    pub(super) fn finish(mut self) -> Option<Bytes> {
        let bytes = self.bytes.take()?;
        self.all.fetch_sub(bytes.len(), Ordering::Relaxed);
        Some(bytes.into())
    }

    fn forget(&mut self) {
        if let Some(bytes) = self.bytes.take() {
            self.all.fetch_sub(bytes.len(), Ordering::Relaxed);
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Whether one of the lines is a stream's failure. What people write is inside of strings, where no line begins.
fn tells_failure(frame: &[u8]) -> bool {
    let begins: [&[u8]; 3] = [b"data: {\"error\":", b"event: error", b"event: response.failed"];
    let failure = |line: &[u8]| begins.iter().any(|begin| line.starts_with(begin));
    frame.split(|byte| *byte == b'\n').any(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart_from_what_people_write() {
        for (frame, failure) in [
            (&b"data: {\"error\":{\"message\":\"x\"}}\n\ndata: [DONE]\n\n"[..], true),
            (b"data: {\"id\":1}\n\ndata: {\"error\":{}}\n\n", true),
            (b"event: error\ndata: {}\n\n", true),
            (b"event: response.failed\ndata: {}\n\n", true),
            (b"event: response.completed\ndata: {}\n\n", false),
            (b"data: {\"delta\":{\"content\":\"\\ndata: {\\\"error\\\":1}\"}}\n\n", false),
            (b": ping\n\n", false),
        ] {
            assert_eq!(tells_failure(frame), failure, "{}", String::from_utf8_lossy(frame));
        }
    }

    #[test]
    fn recordings_are_bounded_alone_and_together() {
        let all = Arc::<AtomicUsize>::default();
        let mut one = Recording::new(all.clone());
        one.push(&vec![0; LARGEST]);
        assert_eq!(all.load(Ordering::Relaxed), LARGEST);
        one.push(b"x");
        assert_eq!(all.load(Ordering::Relaxed), 0);
        assert_eq!(one.finish(), None);
        let mut many: Vec<_> = (0..17).map(|_| Recording::new(all.clone())).collect();
        many.iter_mut().for_each(|one| one.push(&vec![0; LARGEST]));
        assert_eq!(all.load(Ordering::Relaxed), MOST);
        assert_eq!(many.drain(..).map(Recording::finish).filter(Option::is_none).count(), 1);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }
}
