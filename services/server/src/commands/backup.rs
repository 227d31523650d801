//! `grok2api backup FILE`: the data directory's state of one moment as one archive, also while the product runs.

pub(super) mod archive;
pub(super) mod staging;

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use archive::{Manifest, Writer};
use grok2api_kit::lifecycle::Shutdown;
use grok2api_kit::{
    clock::Clock,
    settings::{MediaPlace, Mode, Settings},
};
use grok2api_storage::{Sealed, seal, sqlite::snapshot};
use jiff::Timestamp;
use staging::{ARCHIVE, Staging};

use super::{Failure, say, stop_by_signal};
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

/// What went into an archive, in words.
struct Written {
    held: Vec<String>,
    missing: Vec<String>,
}

/// What is to go into an archive.
#[derive(Clone, Copy)]
struct Content<'a> {
    settings: &'a Settings,
    /// Where the copy of the database is, and the archive will be.
    staging: &'a Staging,
    migration: i64,
    /// What seals the copy.
    sealed: &'a [Sealed],
    media: Option<&'a Path>,
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
    let (_listening, stop) = stop_by_signal()?;
    let database = staging.path(snapshot::FILE);
    let copied = tokio::select! {
        copied = snapshot::copy(data, &database) => copied,
        () = stop.draining() => return Err(failed(&archive::stopped())),
    };
    let migration = copied.map_err(|error| {
        let (data, database) = (data.display(), database.display());
        failed(&format_args!("the database in {data} cannot be copied to {database}: {error}"))
    })?;
    let sealed = snapshot::sealed(&database).await.map_err(|error| failed(&error))?;
    let content =
        Content { settings, staging: &staging, migration, sealed: &sealed, media: media.as_deref() };
    let written = write(&content, &stop).map_err(|error| failed(&error))?;
    let archive = staging.path(ARCHIVE);
    archive::read(&archive, &stop, |_, _| Ok(())).map_err(|error| failed(&error))?;
    fs::rename(&archive, &args.file)
        .and_then(|()| sync(parent(&args.file)))
        .map_err(|error| failed(&error))?;
    let size = fs::metadata(&args.file).map_or(0, |metadata| metadata.len());
    say(&format!("{}: {size} bytes, verified: {}", args.file.display(), written.held.join(", ")));
    written.missing.iter().for_each(|missing| say(&format!("not in it: {missing}")));
    Ok(())
}

fn write(content: &Content, stop: &Shutdown) -> io::Result<Written> {
    let Content { settings, staging, migration, sealed, media } = *content;
    let mut written = Written { held: vec!["database".to_owned()], missing: Vec::new() };
    let from_settings = !settings.seal.key.is_empty() || !settings.seal.key_file.is_empty();
    let key = if from_settings { None } else { copy_key(&settings.data.dir, staging)? };
    let created_at = Timestamp::from_millisecond(Clock::system().now_ms()).map_err(io::Error::other)?;
    let manifest = Manifest::new(created_at, migration, key.is_some(), media.is_some());
    let archive = staging.path(ARCHIVE);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&archive);
    let file =
        file.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", archive.display())))?;
    let mut writer = Writer::new(file, &manifest, stop)?;
    writer.add(snapshot::FILE, &staging.path(snapshot::FILE))?;
    if let Some(key) = &key {
        writer.add(KEY, key)?;
        written.held.push("sealing key".to_owned());
    } else {
        let from = if settings.seal.key.is_empty() { "file seal.key_file" } else { "setting seal.key" };
        written.missing.push(format!("the sealing key, which comes from the {from}; keep it apart, the database is of no use without it"));
    }
    written.missing.extend(keys_elsewhere(key.as_deref(), sealed)?);
    match media {
        Some(directory) => written.held.push(format!("{} media", add_media(&mut writer, directory)?)),
        None => written.missing.push("images and videos (--media)".to_owned()),
    }
    writer.finish()?;
    Ok(written)
}

/// The key file as it is now, which holds whatever the copied database is sealed with, if it ever did.
fn copy_key(data: &Path, staging: &Staging) -> io::Result<Option<PathBuf>> {
    let (from, to) = (data.join(KEY), staging.path(KEY));
    match fs::copy(from, &to) {
        Ok(_) => Ok(Some(to)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The keys that seal something in the copy and are not in the archive, in words.
fn keys_elsewhere(key: Option<&Path>, sealed: &[Sealed]) -> io::Result<Vec<String>> {
    let held = key.map(seal::keys_in).transpose().map_err(io::Error::other)?.unwrap_or_default();
    let mut elsewhere = BTreeMap::<_, Vec<String>>::new();
    for sealed in sealed.iter().filter(|sealed| !held.contains(&sealed.key)) {
        elsewhere.entry(sealed.key).or_default().push(format!("{} {}", sealed.values, sealed.kind));
    }
    let told = elsewhere.into_iter().map(|(key, values)| {
        format!("the key {key}, which {} in it are sealed with; keep it apart", values.join(", "))
    });
    Ok(told.collect())
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
