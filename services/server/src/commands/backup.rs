//! `grok2api backup FILE`: the data directory's state of one moment as one archive, also while the product runs.

pub(super) mod archive;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use archive::{Manifest, Writer};
use grok2api_kit::{
    clock::Clock,
    settings::{MediaPlace, Mode, Settings},
};
use grok2api_storage::sqlite::snapshot;
use jiff::Timestamp;

use super::{Failure, say};
use crate::EXIT_CONFIGURATION;

/// Name of the sealing key in the data directory and in an archive.
pub(super) const KEY: &str = "master.key";
/// The folders of the media.
pub(super) const MEDIA: [&str; 2] = ["images", "videos"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The archive to write (tar), readable by its owner only. It holds the accounts and the key that opens them.
    file: PathBuf,
    /// Put the images and videos into it as well.
    #[arg(long)]
    media: bool,
    /// Replace a file of that name.
    #[arg(long)]
    force: bool,
}

/// A directory that goes when it is dropped, with all that is in it.
pub(super) struct Staging(PathBuf);

/// What went into an archive, in words.
struct Written {
    held: Vec<String>,
    missing: Vec<String>,
}

pub(crate) async fn run(settings: &Settings, args: Args) -> Result<(), Failure> {
    file_mode(settings, "backup")?;
    let data = &settings.data.dir;
    if !data.join(snapshot::FILE).exists() {
        return Err(Failure::Code(
            1,
            format!("{}: there is no {} to back up", data.display(), snapshot::FILE),
        ));
    }
    if args.file.exists() && !args.force {
        return Err(Failure::Code(1, format!("{}: exists; --force replaces it", args.file.display())));
    }
    let media = if args.media { Some(media(settings)?) } else { None };
    let failed = |error: &dyn std::fmt::Display| failed(&args.file, error);
    let staging = Staging::beside(&args.file).map_err(|error| failed(&error))?;
    let database = staging.path(snapshot::FILE);
    let migration = snapshot::copy(data, &database).await.map_err(|error| {
        failed(&format_args!("the database in {} cannot be copied: {error}", data.display()))
    })?;
    let archive = staging.path("archive");
    let written = write(settings, &archive, &database, migration, media.as_deref());
    let written = written.map_err(|error| failed(&error))?;
    archive::read(&archive, |_, _| Ok(())).map_err(|error| failed(&error))?;
    fs::rename(&archive, &args.file)
        .and_then(|()| sync(parent(&args.file)))
        .map_err(|error| failed(&error))?;
    let size = fs::metadata(&args.file).map_or(0, |metadata| metadata.len());
    say(&format!("{}: {size} bytes, verified: {}", args.file.display(), written.held.join(", ")));
    written.missing.iter().for_each(|missing| say(&format!("not in it: {missing}")));
    Ok(())
}

fn write(
    settings: &Settings,
    archive: &Path,
    database: &Path,
    migration: i64,
    media: Option<&Path>,
) -> io::Result<Written> {
    let mut written = Written { held: vec!["database".to_owned()], missing: Vec::new() };
    let key = settings.data.dir.join(KEY);
    let key_inside = settings.seal.key.is_empty() && settings.seal.key_file.is_empty() && key.exists();
    let created_at = Timestamp::from_millisecond(Clock::system().now_ms()).map_err(io::Error::other)?;
    let manifest = Manifest::new(created_at, migration, key_inside, media.is_some());
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(archive)?;
    let mut writer = Writer::new(file, &manifest)?;
    writer.add(snapshot::FILE, database)?;
    if key_inside {
        writer.add(KEY, &key)?;
        written.held.push("sealing key".to_owned());
    } else {
        let from = if settings.seal.key.is_empty() { "file seal.key_file" } else { "setting seal.key" };
        written.missing.push(format!("the sealing key, which comes from the {from}; keep it apart, the database is of no use without it"));
    }
    match media {
        Some(directory) => written.held.push(format!("{} media", add_media(&mut writer, directory)?)),
        None => written.missing.push("images and videos (--media)".to_owned()),
    }
    writer.finish()?;
    Ok(written)
}

/// All whole files; one that is evicted meanwhile is passed over.
fn add_media(writer: &mut Writer, directory: &Path) -> io::Result<usize> {
    let mut count = 0;
    for folder in MEDIA {
        let entries = match fs::read_dir(directory.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            let name = format!("media/{folder}/{name}");
            if !archive::is_name(&name) || !entry.file_type()?.is_file() {
                continue;
            }
            match writer.add(&name, &entry.path()) {
                Ok(()) => count += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(count)
}

fn media(settings: &Settings) -> Result<PathBuf, Failure> {
    match settings.media.place(&settings.data.dir) {
        Ok(MediaPlace::Directory(directory)) => Ok(directory),
        Ok(MediaPlace::Bucket(_)) => Err(Failure::Code(
            1,
            format!(
                "--media: the media lie in {}, back them up there and leave --media out",
                settings.media.url
            ),
        )),
        Err(what) => Err(Failure::Code(EXIT_CONFIGURATION, what)),
    }
}

/// Refuses the modes whose state lies elsewhere, and says how to keep it.
pub(super) fn file_mode(settings: &Settings, command: &str) -> Result<(), Failure> {
    let (mode, how) = match settings.storage.mode {
        Mode::File => return Ok(()),
        Mode::Mysql => (
            "mysql",
            "use mysqldump --single-transaction and the mysql client; what is in Redis is made anew",
        ),
        Mode::Redis => {
            ("redis", "use Redis' own persistence: BGSAVE and its dump.rdb, or the append-only files")
        }
    };
    let text = format!(
        "{command} is for storage.mode \"file\"; in the mode {mode:?}, {how}. \
         Keep the sealing key ({KEY} in the data directory, or the one of the settings) with it."
    );
    Err(Failure::Code(EXIT_CONFIGURATION, text))
}

pub(super) fn failed(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::Code(1, format!("{}: {error}", path.display()))
}

/// The directory of a file that may have been named without one.
fn parent(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Lets what was renamed in a directory outlive a power cut.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

impl Staging {
    /// Beside a file, so that what is ready can be renamed.
    fn beside(file: &Path) -> io::Result<Self> {
        let name = file.file_name().ok_or_else(|| io::Error::other("names no file"))?.to_string_lossy();
        Self::at(parent(file).join(format!(".{name}.{}", std::process::id())))
    }

    /// Made for its owner only.
    pub(super) fn at(path: PathBuf) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_modes_are_told_how_to_keep_their_state() {
        let mut settings = Settings::load(None, []).unwrap();
        assert!(file_mode(&settings, "backup").is_ok());
        for (mode, how) in [(Mode::Mysql, "mysqldump"), (Mode::Redis, "BGSAVE")] {
            settings.storage.mode = mode;
            let Err(Failure::Code(code, text)) = file_mode(&settings, "backup") else { panic!("{mode:?}") };
            assert!(code == 78 && text.contains(how) && text.contains("master.key"), "{text}");
        }
    }
}
