//! Where an archive, or what is in one, is put together before it gets its place.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use grok2api_storage::sqlite::snapshot;
use uuid::Uuid;

use super::{KEY, parent};

/// Another name is tried when somebody else takes a directory for a dead one's in the moment it is made.
const TRIES: usize = 5;
/// The archive in the making.
pub(super) const ARCHIVE: &str = "archive";

/// A directory of this process alone, which goes when it is dropped, with all that is in it. The lock on it ends with
/// the process, however that ends: so the next one can tell what nobody works on any more, and takes it away.
pub(crate) struct Staging {
    path: PathBuf,
    _mine: File,
}

impl Staging {
    /// Beside a file, so that what is ready can be renamed.
    pub(super) fn beside(file: &Path) -> io::Result<Self> {
        let name = file.file_name().ok_or_else(|| io::Error::other("names no file"))?.to_string_lossy();
        Self::make(parent(file), &format!(".{name}."), is_abandoned_backup)
    }

    /// In the data directory, for a restore.
    pub(crate) fn within(data: &Path) -> io::Result<Self> {
        Self::make(data, ".restore-", |_| true)
    }

    fn make(directory: &Path, prefix: &str, ours: impl Fn(&Path) -> bool) -> io::Result<Self> {
        sweep(directory, prefix, ours);
        for _ in 0..TRIES {
            let path = directory.join(format!("{prefix}{}", Uuid::now_v7().simple()));
            let named =
                |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            DirBuilder::new().mode(0o700).create(&path).map_err(named)?;
            let Ok(mine) = File::open(&path) else { continue };
            // Where a directory cannot be locked, nobody sweeps either.
            if !matches!(mine.try_lock(), Err(fs::TryLockError::WouldBlock)) && path.exists() {
                return Ok(Self { path, _mine: mine });
            }
        }
        Err(io::Error::other(format!(
            "{}: a directory for what is not ready cannot be made",
            directory.display()
        )))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            let path = self.path.display();
            super::super::complain(&format!("{path}: cannot be removed, and may hold secrets: {error}"));
        }
    }
}

/// Takes away what processes left that were killed: it holds accounts, and the key that opens them.
fn sweep(directory: &Path, prefix: &str, ours: impl Fn(&Path) -> bool) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(prefix)) else { continue };
        let made = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let path = entry.path();
        if !made || !entry.file_type().is_ok_and(|kind| kind.is_dir()) || !ours(&path) {
            continue;
        }
        let Ok(abandoned) = File::open(&path) else { continue };
        if abandoned.try_lock().is_ok() && fs::remove_dir_all(&path).is_ok() {
            super::super::complain(&format!("{}: left by a run that was cut off; removed", path.display()));
        }
    }
}

/// Beside an archive lies what is the operator's: only what a backup makes is taken for one.
fn is_abandoned_backup(path: &Path) -> bool {
    let known = |name: &str| name == ARCHIVE || name == KEY || name.starts_with(snapshot::FILE);
    let mut entries = fs::read_dir(path).into_iter().flatten();
    entries.all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_dead_process_left_goes_and_what_a_living_one_or_the_operator_has_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("b.tar");
        // Of a process that was killed, and of one with the same id in its container.
        for dead in [".b.tar.1", ".b.tar.0123abcd"] {
            fs::create_dir(dir.path().join(dead)).unwrap();
            fs::write(dir.path().join(dead).join(KEY), "secret").unwrap();
        }
        fs::create_dir(dir.path().join(".b.tar.2")).unwrap();
        fs::write(dir.path().join(".b.tar.2/letter.txt"), "mine").unwrap();
        let first = Staging::beside(&file).unwrap();
        let second = Staging::beside(&file).unwrap();
        let own = |staging: &Staging| staging.path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut there = vec![".b.tar.2".to_owned(), own(&first), own(&second)];
        there.sort();
        assert_eq!(names(dir.path()), there);
        drop((first, second));
        assert_eq!(names(dir.path()), [".b.tar.2"]);
    }

    #[test]
    fn the_path_is_named_when_it_cannot_be_made() {
        let Err(error) = Staging::within(Path::new("/nowhere/at/all")) else { panic!("it was made") };
        assert!(error.to_string().starts_with("/nowhere/at/all/.restore-"), "{error}");
    }
}
