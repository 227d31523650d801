//! `grok2api restore FILE`: the data directory as it was when the archive was written.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use grok2api_kit::{
    clock::Clock,
    settings::{MediaPlace, Settings},
};
use grok2api_storage::sqlite::snapshot;

use super::{
    Failure,
    backup::{
        KEY, MEDIA, Staging,
        archive::{self, Manifest, Unusable},
        failed, file_mode, sync,
    },
    say,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The archive that `backup` wrote.
    file: PathBuf,
    /// Replace what is in the data directory; it is kept in a directory beside it.
    #[arg(long)]
    force: bool,
}

/// Renames that can be undone, newest last: from, to.
#[derive(Default)]
struct Swap {
    undo: Vec<(PathBuf, PathBuf)>,
}

pub(crate) async fn run(settings: &Settings, args: Args) -> Result<(), Failure> {
    file_mode(settings, "restore")?;
    let data = &settings.data.dir;
    let unusable = |error: &dyn std::fmt::Display| failed(data, error);
    let occupied = occupied(data).map_err(|error| unusable(&error))?;
    if occupied && !args.force {
        return Err(unusable(&"is not empty; --force replaces what is in it"));
    }
    let made = !data.exists();
    let restored = restore(settings, &args, occupied).await;
    if restored.is_err() && made {
        // Succeeds only while it is empty.
        let _ = fs::remove_dir(data);
    }
    restored
}

async fn restore(settings: &Settings, args: &Args, occupied: bool) -> Result<(), Failure> {
    let data = &settings.data.dir;
    let unusable = |error: &dyn std::fmt::Display| failed(data, error);
    grok2api_kit::directory::private(data).map_err(|error| unusable(&error))?;
    let staging = Staging::at(data.join(format!(".restore-{}", std::process::id())));
    let staging = staging.map_err(|error| unusable(&error))?;
    let manifest = archive::read(&args.file, |name, content| unpack(&staging, name, content));
    let manifest = manifest.map_err(|error| match error {
        // Not the archive's fault when it was opened.
        Unusable::Failed(error) if args.file.is_file() => unusable(&error),
        error => failed(&args.file, &error),
    })?;
    let sound = snapshot::check(&staging.path(snapshot::FILE)).await;
    sound.map_err(|error| failed(&args.file, &error))?;
    if occupied {
        alone(data).await?;
    }
    let kept = occupied.then(|| data.join(format!("before-restore-{}", Clock::system().now_ms())));
    let media =
        matches!(settings.media.place(data), Ok(MediaPlace::Directory(place)) if place == data.join("media"));
    put_in_place(&staging, data, kept.as_deref(), media).map_err(|error| unusable(&error))?;
    tell(settings, args, &manifest, kept.as_deref(), media);
    Ok(())
}

/// Whether something is in the directory that a restore would replace, or that is none of ours.
fn occupied(data: &Path) -> io::Result<bool> {
    match fs::read_dir(data) {
        Ok(mut entries) => {
            Ok(entries.any(|entry| !entry.is_ok_and(|entry| entry.file_name() == "lost+found")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A database that somebody uses is never replaced, whatever is forced; one that is damaged is used by nobody.
async fn alone(data: &Path) -> Result<(), Failure> {
    if data.join(snapshot::FILE).exists() && matches!(snapshot::release(data).await, Ok(false)) {
        return Err(failed(data, &"is in use: stop the product that runs on it first"));
    }
    Ok(())
}

fn unpack(staging: &Staging, name: &str, content: &mut dyn Read) -> io::Result<()> {
    let path = staging.path(name);
    if let Some(parent) = path.parent() {
        grok2api_kit::directory::private(parent)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::copy(content, &mut file)?;
    file.sync_all()
}

/// Renames everything into place, the database last: until then the old one is there, whole, and so it is after an
/// error.
fn put_in_place(staging: &Staging, data: &Path, kept: Option<&Path>, media: bool) -> io::Result<()> {
    if let Some(kept) = kept {
        fs::create_dir(kept)?;
    }
    let mut swap = Swap::default();
    let swapped = swap.all(staging, data, kept, media).and_then(|()| sync(data));
    if swapped.is_err() {
        swap.undo();
        if let Some(kept) = kept {
            let _ = fs::remove_dir(kept);
        }
    }
    swapped
}

impl Swap {
    fn all(&mut self, staging: &Staging, data: &Path, kept: Option<&Path>, media: bool) -> io::Result<()> {
        if media {
            for folder in MEDIA {
                let name = format!("media/{folder}");
                if staging.path(&name).exists() {
                    grok2api_kit::directory::private(&data.join("media"))?;
                    self.put(&staging.path(&name), &data.join(&name), kept.map(|kept| kept.join(folder)))?;
                }
            }
        }
        if staging.path(KEY).exists() {
            self.put(&staging.path(KEY), &data.join(KEY), kept.map(|kept| kept.join(KEY)))?;
        }
        // Left behind by a process that was killed, or by a database that is damaged: they belong to the old one.
        for log in ["-wal", "-shm"].map(|end| format!("{}{end}", snapshot::FILE)) {
            if let Some(kept) = kept.filter(|_| data.join(&log).exists()) {
                self.rename(data.join(&log), kept.join(&log))?;
            }
        }
        let database = snapshot::FILE;
        self.put(&staging.path(database), &data.join(database), kept.map(|kept| kept.join(database)))
    }

    /// Puts `new` in the place of what is kept.
    fn put(&mut self, new: &Path, place: &Path, kept: Option<PathBuf>) -> io::Result<()> {
        if let Some(kept) = kept.filter(|_| place.exists()) {
            if place.is_dir() {
                self.rename(place.to_owned(), kept)?;
            } else {
                // So there is no moment without one.
                fs::hard_link(place, &kept)?;
                self.undo.push((place.to_owned(), kept));
            }
        }
        self.rename(new.to_owned(), place.to_owned())
    }

    fn rename(&mut self, from: PathBuf, to: PathBuf) -> io::Result<()> {
        fs::rename(&from, &to)?;
        self.undo.push((from, to));
        Ok(())
    }

    fn undo(self) {
        for (from, to) in self.undo.into_iter().rev() {
            // The error that led here is the one to tell. Renaming one name of a file to its other one does nothing.
            if fs::rename(&to, &from).is_ok() && to.is_file() {
                let _ = fs::remove_file(to);
            }
        }
    }
}

fn tell(settings: &Settings, args: &Args, manifest: &Manifest, kept: Option<&Path>, media: bool) {
    let data = &settings.data.dir;
    let Manifest { version, created_at, .. } = manifest;
    let (data, file) = (data.display(), args.file.display());
    say(&format!("{data}: restored from {file}, which grok2api {version} wrote at {created_at}"));
    if let Some(kept) = kept {
        say(&format!("what was there before is in {}; remove it when all is well", kept.display()));
    }
    let own = !settings.seal.key.is_empty() || !settings.seal.key_file.is_empty();
    match (manifest.key, own) {
        (false, false) => say(
            "the sealing key was not in the archive: set seal.key or seal.key_file to the key that was used, or nothing \
             that is sealed can be opened",
        ),
        (true, true) => {
            say("the settings name a key: it is used, and not the archive's, which is master.key now");
        }
        _ => {}
    }
    if manifest.media && !media {
        say(&format!("the media were not restored, since media.url names {:?}", settings.media.url));
    }
}
