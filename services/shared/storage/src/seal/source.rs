//! Where the keys come from, and the file that is made when the settings name none.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chacha20poly1305::aead::Generate as _;
use grok2api_kit::settings;

use super::{
    KEY_BYTES,
    ring::{KeyId, Ring},
};
use crate::{Error, Result};

/// Made in the data directory when the settings name no key.
pub(super) const KEY_FILE: &str = "master.key";

/// Where the keys are read.
pub(super) struct Source {
    current: Current,
    /// Keys that open only, as the settings have them.
    old_keys: String,
}

enum Current {
    Settings(String),
    /// Somebody else's file.
    File(PathBuf),
    Generated(Generated),
}

/// The file in the data directory.
pub(super) struct Generated {
    directory: PathBuf,
    path: PathBuf,
}

impl Source {
    pub(super) fn of(settings: &settings::Seal, data_dir: &Path) -> Self {
        let current = if !settings.key.is_empty() {
            Current::Settings(settings.key.clone())
        } else if !settings.key_file.is_empty() {
            Current::File(PathBuf::from(&settings.key_file))
        } else {
            Current::Generated(Generated { directory: data_dir.to_owned(), path: data_dir.join(KEY_FILE) })
        };
        Self { current, old_keys: settings.old_keys.clone() }
    }

    /// Whether the settings name no key and none was made yet.
    pub(super) fn is_to_be_made(&self) -> bool {
        self.generated().is_some_and(|file| !file.path.exists())
    }

    /// Returns whether a key was made.
    pub(super) fn make_if_missing(&self) -> Result<bool> {
        match self.generated() {
            Some(file) if self.is_to_be_made() => file.make().map_err(|source| unusable(&file.path, source)),
            _ => Ok(false),
        }
    }

    pub(super) fn read(&self) -> Result<Ring> {
        let mut keys = match &self.current {
            Current::Settings(key) => vec![key_of("seal.key", key)?],
            Current::File(path) | Current::Generated(Generated { path, .. }) => keys_in(path)?,
        };
        let older = self.old_keys.split([',', ' ', '\n']).map(str::trim).filter(|key| !key.is_empty());
        for key in older {
            keys.push(key_of("seal.old_keys", key)?);
        }
        Ok(Ring::of(keys))
    }

    pub(super) fn generated(&self) -> Option<&Generated> {
        match &self.current {
            Current::Generated(file) => Some(file),
            _ => None,
        }
    }

    pub(super) fn place(&self) -> String {
        match &self.current {
            Current::Settings(_) => "seal.key (G2A_MASTER_KEY)".to_owned(),
            Current::File(path) => format!("seal.key_file (G2A_MASTER_KEY_FILE) {}", path.display()),
            Current::Generated(file) => file.path.display().to_string(),
        }
    }
}

impl Generated {
    /// Makes the key beside its place and links it there, so that of two processes starting at once one wins whole.
    /// Returns whether it was this one.
    fn make(&self) -> io::Result<bool> {
        grok2api_kit::directory::private(&self.directory)?;
        let draft = self.directory.join(format!("{KEY_FILE}.{}", std::process::id()));
        let linked = write_private(&draft, &fresh()).and_then(|()| match fs::hard_link(&draft, &self.path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            linked => linked.map(|()| true),
        });
        fs::remove_file(&draft)?;
        let made = linked?;
        File::open(&self.directory)?.sync_all()?;
        Ok(made)
    }

    /// Takes away a file that holds a key nothing was ever sealed with.
    pub(super) fn discard(&self) {
        fs::remove_file(&self.path).ok();
    }

    /// Puts a new key before the others. The file is replaced whole, so a reader finds the old one or the new one.
    pub(super) fn add_key(&self, current: KeyId) -> Result<()> {
        let failed = |source| unusable(&self.path, source);
        // Whoever came between would lose the other's key, and with it what that has sealed.
        let directory = File::open(&self.directory).map_err(failed)?;
        directory.lock().map_err(failed)?;
        let before = fs::read_to_string(&self.path).map_err(failed)?;
        if Ring::of(keys_in(&self.path)?).current().id != current {
            let path = self.path.display();
            return Err(Error::Seal(format!("{path} has just been changed by somebody else; try again")));
        }
        let draft = self.directory.join(format!("{KEY_FILE}.draft"));
        let replaced = write_private(&draft, &format!("{}{}\n", fresh(), before.trim()))
            .and_then(|()| fs::rename(&draft, &self.path))
            .and_then(|()| directory.sync_all());
        replaced.map_err(failed)
    }
}

/// The keys of a file, a line each.
pub(super) fn keys_in(path: &Path) -> Result<Vec<[u8; KEY_BYTES]>> {
    let text = fs::read_to_string(path).map_err(|source| unusable(path, source))?;
    let place = path.display().to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys = lines.map(|line| key_of(&place, line)).collect::<Result<Vec<_>>>()?;
    if keys.is_empty() { Err(Error::Seal(format!("{place}: there is no key in it"))) } else { Ok(keys) }
}

fn key_of(place: &str, text: &str) -> Result<[u8; KEY_BYTES]> {
    let bytes = BASE64_STANDARD.decode(text.trim()).ok();
    let key = bytes.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
    key.ok_or_else(|| Error::Seal(format!("{place}: a key is {KEY_BYTES} bytes in base64 (44 characters)")))
}

/// A line with a new key.
fn fresh() -> String {
    format!("{}\n", BASE64_STANDARD.encode(<[u8; KEY_BYTES]>::generate()))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = private().truncate(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn unusable(path: &Path, source: io::Error) -> Error {
    Error::Directory { path: path.display().to_string(), source }
}
