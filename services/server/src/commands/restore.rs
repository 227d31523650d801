//! `grok2api restore FILE`: the data directory as it was when the archive was written.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use grok2api_kit::{
    clock::Clock,
    settings::{MediaPlace, Settings},
};
use grok2api_storage::{seal, sqlite::snapshot};

use super::{
    Failure,
    backup::{
        KEY, MEDIA,
        archive::{self, Manifest, Unusable},
        failed, file_mode,
        staging::Staging,
        sync,
    },
    say, stop_by_signal,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The archive that `backup` wrote.
    file: PathBuf,
    /// Replace what is in the data directory; that is kept in a directory inside it.
    #[arg(long)]
    force: bool,
}

/// Renames that can be undone, newest last: from, to.
#[derive(Default)]
struct Swap {
    undo: Vec<(PathBuf, PathBuf)>,
    #[cfg(test)]
    cut_after: Option<usize>,
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
    let staging = Staging::within(data).map_err(|error| unusable(&error))?;
    let (_listening, stop) = stop_by_signal()?;
    let manifest = archive::read(&args.file, &stop, |name, content| unpack(&staging, name, content));
    let manifest = manifest.map_err(|error| match error {
        // Not the archive's fault when it was opened.
        Unusable::Failed(error) if args.file.is_file() => unusable(&error),
        error => failed(&args.file, &error),
    })?;
    let sound = snapshot::check(&staging.path(snapshot::FILE)).await;
    sound.map_err(|error| failed(&args.file, &error))?;
    if stop.is_draining() {
        return Err(unusable(&archive::stopped()));
    }
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
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let written = written.and_then(|mut file| io::copy(content, &mut file).and_then(|_| file.sync_all()));
    written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// Renames everything into place, the database last: until then the old one is there, whole, and so it is after an
/// error. At any moment the keys in place open the database in place.
fn put_in_place(staging: &Staging, data: &Path, kept: Option<&Path>, media: bool) -> io::Result<()> {
    if let Some(kept) = kept {
        fs::create_dir(kept)?;
    }
    let mut swap = Swap::default();
    let swapped = swap.all(staging, data, kept, media).and_then(|()| sync(data));
    if swapped.is_err() {
        swap.undo();
        if let Some(kept) = kept {
            // Succeeds only for those that are empty.
            MEDIA.iter().for_each(|folder| drop(fs::remove_dir(kept.join(folder))));
            let _ = fs::remove_dir(kept);
        }
    }
    swapped
}

impl Swap {
    fn all(&mut self, staging: &Staging, data: &Path, kept: Option<&Path>, media: bool) -> io::Result<()> {
        if media {
            MEDIA.iter().try_for_each(|folder| self.media(folder, staging, data, kept))?;
        }
        let key = staging.path(KEY);
        if key.exists() {
            let both = staging.path("both.key");
            write_keys(&both, &key, &data.join(KEY))?;
            self.put(&both, &data.join(KEY), kept.map(|kept| kept.join(KEY)))?;
            sync(data)?;
        }
        // Left behind by a process that was killed, or by a database that is damaged: they belong to the old one.
        for log in ["-wal", "-shm"].map(|end| format!("{}{end}", snapshot::FILE)) {
            if let Some(kept) = kept.filter(|_| data.join(&log).exists()) {
                self.rename(data.join(&log), kept.join(&log))?;
            }
        }
        let database = snapshot::FILE;
        self.put(&staging.path(database), &data.join(database), kept.map(|kept| kept.join(database)))?;
        if key.exists() {
            sync(data)?;
            self.rename(key, data.join(KEY))?;
        }
        Ok(())
    }

    /// File by file, so that those stay that are not in the archive.
    fn media(&mut self, folder: &str, staging: &Staging, data: &Path, kept: Option<&Path>) -> io::Result<()> {
        let (from, to) = (staging.path(&format!("media/{folder}")), data.join("media").join(folder));
        if !from.exists() {
            return Ok(());
        }
        grok2api_kit::directory::private(&to)?;
        let kept = kept.map(|kept| kept.join(folder));
        if let Some(kept) = &kept {
            fs::create_dir(kept)?;
        }
        for entry in fs::read_dir(&from)? {
            let name = entry?.file_name();
            self.put(&from.join(&name), &to.join(&name), kept.as_ref().map(|kept| kept.join(&name)))?;
        }
        sync(&to)
    }

    /// Puts `new` in the place of what is kept.
    fn put(&mut self, new: &Path, place: &Path, kept: Option<PathBuf>) -> io::Result<()> {
        if let Some(kept) = kept.filter(|_| place.exists()) {
            // So there is no moment without one.
            fs::hard_link(place, &kept)?;
            self.undo.push((place.to_owned(), kept));
        }
        self.rename(new.to_owned(), place.to_owned())
    }

    fn rename(&mut self, from: PathBuf, to: PathBuf) -> io::Result<()> {
        #[cfg(test)]
        if self.cut_after.is_some_and(|steps| self.undo.len() >= steps) {
            return Err(io::Error::other("a power cut"));
        }
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

/// The archive's keys, the current one first, and behind them those that are in place and open the database there.
fn write_keys(both: &Path, archived: &Path, in_place: &Path) -> io::Result<()> {
    let mut keys = fs::read(archived)?;
    if seal::keys_in(in_place).is_ok() {
        keys.push(b'\n');
        keys.extend(fs::read(in_place)?);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(both)?;
    file.write_all(&keys)?;
    file.sync_all()
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

#[cfg(test)]
mod tests {
    use grok2api_storage::{
        Store,
        accounts::{StoredAccount, Tier, Token},
    };
    use uuid::Uuid;

    use super::*;

    fn settings(data: &Path) -> Settings {
        let given = [("G2A_DATA_DIR".to_owned(), data.display().to_string())];
        Settings::load(None, given).unwrap()
    }

    /// A data directory of its own key with one account.
    async fn filled(data: &Path, token: &str) {
        let store = Store::open(&settings(data)).await.unwrap();
        let account = StoredAccount::new(Uuid::now_v7(), Token::new(token), Tier::Basic, 1);
        store.accounts().insert(&[account]).await.unwrap();
        store.close().await;
        assert!(snapshot::release(data).await.unwrap());
    }

    /// The token that is in it, if all of it opens.
    async fn token(data: &Path) -> String {
        let store = Store::open(&settings(data)).await.unwrap();
        let accounts = store.accounts().load_all().await.unwrap();
        store.close().await;
        accounts[0].token.expose().to_owned()
    }

    #[tokio::test]
    async fn wherever_the_power_is_cut_what_is_there_opens() {
        let (mut cuts, mut restored) = (0, false);
        while !restored {
            let dir = tempfile::tempdir().unwrap();
            let (data, archived) = (dir.path().join("data"), dir.path().join("archived"));
            filled(&data, "the-old-account").await;
            filled(&archived, "the-archived-account").await;
            let staging = Staging::within(&data).unwrap();
            for name in [KEY, snapshot::FILE] {
                fs::copy(archived.join(name), staging.path(name)).unwrap();
            }
            let kept = data.join("before");
            fs::create_dir(&kept).unwrap();
            let mut swap = Swap { cut_after: Some(cuts), ..Swap::default() };
            restored = swap.all(&staging, &data, Some(&kept), true).is_ok();
            let found = token(&data).await;
            assert!(
                found == "the-archived-account" || !restored && found == "the-old-account",
                "{cuts}: {found}"
            );
            if restored {
                assert_eq!(
                    seal::keys_in(&data.join(KEY)).unwrap(),
                    seal::keys_in(&archived.join(KEY)).unwrap()
                );
                assert_eq!(fs::read_dir(&kept).unwrap().count(), 2);
            }
            cuts += 1;
        }
        assert!(cuts > 3, "it was cut before the database, and behind it: {cuts}");
    }
}
