//! Entries on disk until the ledger has them, so that a process that is killed loses none: whoever starts next in the same
//! data directory sends what it finds.
//!
//! Two files take turns. Entries are appended to one; when all of the other's are in the ledger it is emptied, and they
//! change places. Nothing is synced: what was written outlives the process, though not the machine.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
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
    /// Bytes of whole entries; what lies behind them is torn.
    length: u64,
    torn: bool,
}

impl Spool {
    /// Opens the first files in `directory` that no running process has, and reads what was left in these and in all that
    /// nobody has; those entries are the first to be sent.
    ///
    /// # Errors
    ///
    /// When the directory cannot be written.
    pub(super) fn open(directory: &Path) -> io::Result<(Self, Vec<Entry>)> {
        grok2api_kit::directory::private(directory)?;
        let mut free = (0..PROCESSES).filter_map(|number| take(directory, number).transpose());
        let Some(mine) = free.next().transpose()? else {
            return Err(io::Error::other(format!("{PROCESSES} processes have their files here")));
        };
        let (mut files, mut left) = Files::of(mine)?;
        // Those of a process that was one of several, and was not followed by as many.
        for mut others in (1..PROCESSES)
            .filter(|number| exists(directory, *number))
            .filter_map(|number| take(directory, number).ok().flatten())
        {
            left.extend(files.take_over(&mut others)?);
        }
        Ok((Self(Mutex::new(files)), left))
    }

    /// Whether what is appended is kept.
    pub(super) fn keeps(&self) -> bool {
        !self.0.lock().failing
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
    /// With the entries that are in them.
    fn of([mut a, mut b]: [File; 2]) -> io::Result<(Self, Vec<Entry>)> {
        let (mut entries, a_length) = read(&mut a)?;
        let a = Part { file: a, end: entries.len() as u64, length: a_length, torn: false };
        let (more, b_length) = read(&mut b)?;
        entries.extend(more);
        let b = Part { file: b, end: entries.len() as u64, length: b_length, torn: false };
        let appended = b.end;
        Ok((Self { both: [a, b], current: 1, appended, sent: 0, failing: false }, entries))
    }

    /// Makes what is in files that nobody has its own. A kill in between leaves entries twice, which the ledger knows by
    /// their ids; where there is no room they stay where they are, for the next start.
    fn take_over(&mut self, others: &mut [File; 2]) -> io::Result<Vec<Entry>> {
        let mut taken = Vec::new();
        for other in others {
            let (entries, _) = read(other)?;
            let lines: Vec<u8> = entries.iter().flat_map(Entry::encode_length_delimited_to_vec).collect();
            let current = &mut self.both[self.current];
            if current.append(&lines).is_err() {
                continue;
            }
            self.appended += entries.len() as u64;
            current.end = self.appended;
            other.set_len(0)?;
            taken.extend(entries);
        }
        Ok(taken)
    }

    fn append(&mut self, line: &[u8]) {
        self.appended += 1;
        let current = &mut self.both[self.current];
        current.end = self.appended;
        let failed = current.append(line).err();
        self.tell(failed);
    }

    fn sent(&mut self, count: u64) {
        self.sent += count;
        for part in 0..2 {
            if self.both[part].end > self.sent || self.both[part].end == 0 {
                continue;
            }
            let failed = self.both[part].empty().err();
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

impl Part {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        // What is behind a torn entry could not be read.
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        let written = self.file.write_all(lines);
        match written {
            Ok(()) => self.length += lines.len() as u64,
            Err(_) => self.torn = self.file.set_len(self.length).is_err(),
        }
        written
    }

    fn empty(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        (self.length, self.torn) = (0, false);
        Ok(())
    }
}

fn path(directory: &Path, number: usize, letter: char) -> PathBuf {
    directory.join(format!("usage-{number}{letter}.spool"))
}

fn exists(directory: &Path, number: usize) -> bool {
    path(directory, number, 'a').exists()
}

/// The files of that number, locked, unless another process has them.
fn take(directory: &Path, number: usize) -> io::Result<Option<[File; 2]>> {
    let files = [open(&path(directory, number, 'a'))?, open(&path(directory, number, 'b'))?];
    match files[0].try_lock() {
        Ok(()) => Ok(Some(files)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// The whole entries of a file, and how many bytes they are; what is behind them goes.
fn read(file: &mut File) -> io::Result<(Vec<Entry>, u64)> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let (mut entries, mut rest) = (Vec::new(), &bytes[..]);
    let mut next = rest;
    // An entry of no bytes is none: some file systems leave zeros where the power went.
    while let Ok(entry) = Entry::decode_length_delimited(&mut next)
        && next.len() + 1 < rest.len()
    {
        entries.push(entry);
        rest = next;
    }
    if !rest.is_empty() {
        tracing::warn!(bytes = rest.len(), "an entry of the usage ledger was torn and is lost");
    }
    let length = (bytes.len() - rest.len()) as u64;
    // A torn end would hide what is appended after it.
    file.set_len(length)?;
    Ok((entries, length))
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

    #[test]
    fn what_several_left_goes_to_the_one_that_comes() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second, third) =
            (open(directory.path()).0, open(directory.path()).0, open(directory.path()).0);
        for (id, spool) in [(1, &first), (2, &second), (3, &third)] {
            assert!(spool.append(entry(id), |_| true));
        }
        drop((first, third));
        let (next, left) = open(directory.path());
        assert_eq!(ids(&left), [1, 3], "the second still runs");
        assert!(next.append(entry(4), |_| true));
        drop((next, second));
        let (last, left) = open(directory.path());
        assert_eq!(ids(&left), [1, 2, 3, 4]);
        last.sent(left.len());
        assert_eq!(size(directory.path()), 0);
    }

    #[test]
    fn zeros_are_no_entries() {
        let directory = tempfile::tempdir().unwrap();
        let (spool, _) = open(directory.path());
        assert!(spool.append(entry(1), |_| true));
        drop(spool);
        let file = OpenOptions::new().append(true).open(path(directory.path(), 0, 'b'));
        file.unwrap().write_all(&[0; 4096]).unwrap();
        assert_eq!(ids(&open(directory.path()).1), [1]);
    }

    /// Where a part of an entry was written before the disk was full.
    #[test]
    fn a_torn_entry_hides_nothing_that_comes_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let (spool, _) = open(directory.path());
        assert!(spool.append(entry(1), |_| true));
        {
            let part = &mut spool.0.lock().both[1];
            part.file.write_all(&[200; 7]).unwrap();
            part.torn = true;
        }
        assert!(spool.append(entry(2), |_| true));
        drop(spool);
        assert_eq!(ids(&open(directory.path()).1), [1, 2]);
    }
}
