//! The archive: a tar file that begins with a manifest and ends with the SHA-256 of everything in between, in the form
//! of `sha256sum`. What has no end was cut off.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write as _},
    path::Path,
    time::UNIX_EPOCH,
};

use grok2api_kit::lifecycle::Shutdown;
use grok2api_storage::sqlite::snapshot;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tar::{Archive, Builder, EntryType, Header};

use super::{KEY, MEDIA};

const FORMAT: u32 = 1;
const MANIFEST: &str = "grok2api-backup.json";
const SUMS: &str = "SHA256SUMS";
/// Longest text of manifest and sums that is read: a hundred bytes for each of a million files.
const MAX_TEXT: u64 = 100 << 20;

/// What an archive says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Format of the archive; also tells that it is one of ours.
    grok2api_backup: u32,
    /// The program that wrote it.
    pub(crate) version: String,
    /// When.
    pub(crate) created_at: Timestamp,
    /// The newest migration of the database.
    pub(crate) migration: i64,
    /// Whether the sealing key is in it.
    pub(crate) key: bool,
    /// Whether the media are in it.
    pub(crate) media: bool,
}

/// Why an archive is not taken.
#[derive(Debug)]
pub(crate) enum Unusable {
    Foreign,
    Newer {
        version: String,
        migration: i64,
    },
    Damaged(String),
    /// What is done with its content failed.
    Failed(io::Error),
}

pub(super) struct Writer {
    tar: Builder<BufWriter<File>>,
    sums: String,
    /// When the archive was begun: seconds after 1970.
    begun: u64,
    stop: Shutdown,
}

/// Reads until the process is to stop, and hashes what is read.
struct Hashing<'s, R> {
    stop: &'s Shutdown,
    from: R,
    digest: Sha256,
    bytes: u64,
}

impl Manifest {
    pub(super) fn new(created_at: Timestamp, migration: i64, key: bool, media: bool) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { grok2api_backup: FORMAT, version, created_at, migration, key, media }
    }
}

impl Writer {
    pub(super) fn new(file: File, manifest: &Manifest, stop: &Shutdown) -> io::Result<Self> {
        let begun = u64::try_from(manifest.created_at.as_second()).unwrap_or_default();
        let (tar, stop) = (Builder::new(BufWriter::new(file)), stop.clone());
        let mut writer = Self { tar, sums: String::new(), begun, stop };
        let text = serde_json::to_string_pretty(manifest)?;
        writer.append(MANIFEST, text.len() as u64, begun, text.as_bytes())?;
        Ok(writer)
    }

    /// Adds a file.
    pub(super) fn add(&mut self, name: &str, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let written = metadata.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.append(name, metadata.len(), written, file)
    }

    fn append(&mut self, name: &str, size: u64, seconds: u64, from: impl Read) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(seconds);
        let mut from = Hashing::new(from.take(size), &self.stop);
        self.tar.append_data(&mut header, name, &mut from)?;
        if from.bytes != size {
            return Err(io::Error::other(format!("{name}: was cut while it was read")));
        }
        if name != SUMS {
            self.sums.push_str(&format!("{}  {name}\n", from.hex()));
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        let sums = std::mem::take(&mut self.sums);
        self.append(SUMS, sums.len() as u64, self.begun, sums.as_bytes())?;
        let mut file = self.tar.into_inner()?;
        file.flush()?;
        file.get_ref().sync_all()
    }
}

/// Reads a whole archive; `each` gets every file, which counts only when this returns without an error.
pub(crate) fn read(
    path: &Path,
    stop: &Shutdown,
    each: impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> Result<Manifest, Unusable> {
    let read = read_all(path, stop, each);
    if stop.is_draining() { Err(Unusable::Failed(stopped())) } else { read }
}

/// What a signal ends everything with that has not changed anything yet.
pub(crate) fn stopped() -> io::Error {
    io::Error::other("stopped by a signal; nothing was changed")
}

fn read_all(
    path: &Path,
    stop: &Shutdown,
    mut each: impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> Result<Manifest, Unusable> {
    let file = File::open(path).map_err(Unusable::Failed)?;
    let mut archive = Archive::new(BufReader::new(file));
    let mut entries = archive.entries().map_err(damaged)?;
    let (mut manifest, mut sums) = (None, String::new());
    while let Some(entry) = entries.next() {
        // Before the manifest, it may be anything.
        let mut entry =
            entry.map_err(|error| if manifest.is_none() { Unusable::Foreign } else { damaged(error) })?;
        let name = entry.path().map(|path| path.display().to_string()).map_err(damaged)?;
        if manifest.is_none() {
            let (found, sum) = first(&name, &mut entry, stop)?;
            manifest = Some(found);
            sums.push_str(&sum);
            continue;
        }
        if name == SUMS {
            let text = text(&mut entry).map_err(damaged)?;
            let whole = text == sums && entries.next().is_none();
            return manifest
                .filter(|_| whole)
                .ok_or_else(|| Unusable::Damaged("its sums do not match".to_owned()));
        }
        if !is_name(&name) || entry.header().entry_type() != EntryType::Regular {
            return Err(Unusable::Damaged(format!("it holds {name:?}, which no backup holds")));
        }
        let mut content = Hashing::new(&mut entry, stop);
        each(&name, &mut content).map_err(Unusable::Failed)?;
        io::copy(&mut content, &mut io::sink()).map_err(damaged)?;
        sums.push_str(&format!("{}  {name}\n", content.hex()));
    }
    Err(if manifest.is_some() {
        Unusable::Damaged("its end is missing".to_owned())
    } else {
        Unusable::Foreign
    })
}

/// The manifest and its line of the sums.
fn first(name: &str, entry: &mut impl Read, stop: &Shutdown) -> Result<(Manifest, String), Unusable> {
    if name != MANIFEST {
        return Err(Unusable::Foreign);
    }
    let mut content = Hashing::new(entry, stop);
    let text = text(&mut content).map_err(damaged)?;
    let fields: serde_json::Value = serde_json::from_str(&text)
        .map_err(|_| Unusable::Damaged("its manifest cannot be read".to_owned()))?;
    let number = |name: &str| fields[name].as_i64().unwrap_or_default();
    if number("grok2api_backup") > i64::from(FORMAT) || number("migration") > snapshot::newest_migration() {
        let version = fields["version"].as_str().unwrap_or("?").to_owned();
        return Err(Unusable::Newer { version, migration: number("migration") });
    }
    let manifest = serde_json::from_value(fields)
        .map_err(|_| Unusable::Damaged("its manifest cannot be read".to_owned()))?;
    Ok((manifest, format!("{}  {name}\n", content.hex())))
}

/// Whether a backup may hold a file of that name: nothing else is ever written to a data directory.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |name: &str| {
        !name.starts_with('.')
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    match name.strip_prefix("media/").and_then(|name| name.split_once('/')) {
        Some((folder, name)) => MEDIA.contains(&folder) && plain(name),
        None => name == snapshot::FILE || name == KEY,
    }
}

fn text(from: &mut impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(MAX_TEXT).read_to_string(&mut text)?;
    Ok(text)
}

fn damaged(error: io::Error) -> Unusable {
    Unusable::Damaged(error.to_string())
}

impl<'s, R: Read> Hashing<'s, R> {
    fn new(from: R, stop: &'s Shutdown) -> Self {
        Self { stop, from, digest: Sha256::new(), bytes: 0 }
    }

    fn hex(self) -> String {
        self.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl<R: Read> Read for Hashing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_draining() {
            return Err(stopped());
        }
        let read = self.from.read(buffer)?;
        self.digest.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("is no backup of grok2api"),
            Self::Newer { version, migration } => write!(
                f,
                "was made by grok2api {version}, which is newer than this one ({}, migration {migration} against {}): \
                 restore it with that one",
                env!("CARGO_PKG_VERSION"),
                snapshot::newest_migration()
            ),
            Self::Damaged(reason) => write!(f, "is damaged: {reason}"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}
