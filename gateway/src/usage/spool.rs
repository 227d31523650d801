//! Entries on disk until the ledger has them, so that a process that is killed loses none: whoever starts next in the same
//! data directory sends what it finds.
//!
//! Two files take turns. Entries are appended to one; when all of the other's are in the ledger it is emptied, and they
//! change places. Nothing is synced: what was written outlives the process, though not the machine.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use grok2api_proto::ledger::Entry;
use parking_lot::Mutex;
use prost::Message as _;

/// Processes of one data directory that may have files of their own.
const PROCESSES: usize = 64;

pub(super) struct Spool(Mutex<Files>);

struct Files {
    both: [Part; 2],
    /// The one that is appended to.
    current: usize,
    /// Entries that were ever appended, and that were ever sent, in the same order.
    appended: u64,
    sent: u64,
    /// The disk has refused; told once.
    failing: bool,
}

struct Part {
    file: File,
    /// How many had been appended, in all, with the last of this file.
    end: u64,
}

impl Spool {
    /// Opens the first files in `directory` that no running process has, and reads what was left in them; those entries
    /// are the first to be sent.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written.
    pub(super) fn open(directory: &Path) -> io::Result<(Self, Vec<Entry>)> {
        grok2api_kit::directory::private(directory)?;
        for number in 0..PROCESSES {
            let open = |letter| open(&directory.join(format!("usage-{number}{letter}.spool")));
            let mut files = [open('a')?, open('b')?];
            match files[0].try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let left = [read(&mut files[0])?, read(&mut files[1])?];
            let ends = [left[0].len() as u64, (left[0].len() + left[1].len()) as u64];
            let [first, second] = files;
            let both = [Part { file: first, end: ends[0] }, Part { file: second, end: ends[1] }];
            let files = Files { both, current: 1, appended: ends[1], sent: 0, failing: false };
            return Ok((Self(Mutex::new(files)), left.concat()));
        }
        Err(io::Error::other(format!("{PROCESSES} processes have their files here")))
    }

    /// Hands an entry over by `push`, and keeps it if that took it. Both at once, so that the order is the same.
    pub(super) fn append(&self, entry: Entry, push: impl FnOnce(Entry) -> bool) -> bool {
        let line = entry.encode_length_delimited_to_vec();
        let mut files = self.0.lock();
        let taken = push(entry);
        if taken {
            files.append(&line);
        }
        taken
    }

    /// The ledger has so many more.
    pub(super) fn sent(&self, count: usize) {
        self.0.lock().sent(count as u64);
    }
}

impl Files {
    fn append(&mut self, line: &[u8]) {
        self.appended += 1;
        let current = &mut self.both[self.current];
        current.end = self.appended;
        // One write, so that no other end than a torn last entry can come of it.
        let failed = current.file.write_all(line).err();
        self.tell(failed);
    }

    fn sent(&mut self, count: u64) {
        self.sent += count;
        for part in 0..2 {
            if self.both[part].end > self.sent || self.both[part].end == 0 {
                continue;
            }
            let failed = self.both[part].file.set_len(0).err();
            // Else it is tried again with the next batch.
            if failed.is_none() {
                self.both[part].end = 0;
            }
            self.tell(failed);
        }
        let other = 1 - self.current;
        if self.both[other].end == 0 && self.both[self.current].end > 0 {
            self.current = other;
        }
    }

    fn tell(&mut self, failed: Option<io::Error>) {
        let Some(error) = failed else {
            self.failing = false;
            return;
        };
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(%error, "usage entries cannot be kept on disk, so a kill would lose those of the last second: {error}");
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// The whole entries of a file; the last may be torn.
fn read(file: &mut File) -> io::Result<Vec<Entry>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut rest = &bytes[..];
    let entries = std::iter::from_fn(|| {
        if rest.is_empty() {
            return None;
        }
        Entry::decode_length_delimited(&mut rest).ok()
    });
    let entries: Vec<Entry> = entries.collect();
    // A torn end would hide what is appended after it.
    file.set_len(entries.iter().map(|entry| entry.encode_length_delimited_to_vec().len() as u64).sum())?;
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn entry(id: u64) -> Entry {
        Entry { request_id: id.to_string(), error_message: "x".repeat(300), ..Entry::default() }
    }

    fn ids(entries: &[Entry]) -> Vec<u64> {
        let mut ids: Vec<u64> = entries.iter().map(|entry| entry.request_id.parse().unwrap()).collect();
        ids.sort_unstable();
        ids
    }

    fn open(directory: &Path) -> (Spool, Vec<Entry>) {
        Spool::open(directory).unwrap()
    }

    fn size(directory: &Path) -> u64 {
        fs::read_dir(directory).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum()
    }

    #[test]
    fn what_was_not_sent_is_there_after_a_kill_and_the_files_do_not_grow() {
        let directory = tempfile::tempdir().unwrap();
        let (spool, left) = open(directory.path());
        assert!(left.is_empty());
        let (mut next, mut sent) = (0, 0);
        for round in 0..500_u64 {
            for _ in 0..round % 7 {
                assert!(spool.append(entry(next), |_| true));
                next += 1;
            }
            let batch = (next - sent).saturating_sub(2).min(5);
            spool.sent(usize::try_from(batch).unwrap());
            sent += batch;
            // Never empty, and never much more than what waits.
            assert!(size(directory.path()) < 400 * (2 * (next - sent) + 20), "round {round}");
        }
        assert!(sent < next);
        drop(spool);
        let (spool, left) = open(directory.path());
        let there = ids(&left);
        assert!((sent..next).all(|id| there.contains(&id)), "{sent}..{next} of {there:?}");
        assert!(spool.append(entry(next), |_| true));
        spool.sent(left.len() + 1);
        assert_eq!(size(directory.path()), 0, "all is sent");
    }

    #[test]
    fn what_was_not_taken_is_not_kept_and_a_torn_end_hides_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (spool, _) = open(directory.path());
        assert!(spool.append(entry(1), |_| true));
        assert!(!spool.append(entry(2), |_| false));
        drop(spool);
        let torn = &entry(3).encode_length_delimited_to_vec()[..50];
        for letter in ["a", "b"] {
            let path = directory.path().join(format!("usage-0{letter}.spool"));
            OpenOptions::new().append(true).open(path).unwrap().write_all(torn).unwrap();
        }
        let (spool, left) = open(directory.path());
        assert_eq!(ids(&left), [1]);
        assert!(spool.append(entry(4), |_| true));
        drop(spool);
        assert_eq!(ids(&open(directory.path()).1), [1, 4]);
    }

    #[test]
    fn two_processes_keep_apart() {
        let directory = tempfile::tempdir().unwrap();
        let (first, _) = open(directory.path());
        assert!(first.append(entry(1), |_| true));
        let (second, left) = open(directory.path());
        assert!(left.is_empty() && second.append(entry(2), |_| true));
        drop(first);
        assert_eq!(ids(&open(directory.path()).1), [1]);
    }
}
