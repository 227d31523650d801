//! One process a role on a data directory: in file mode leases, limits and caches are the memory of that process, and
//! two of them would spend every unit twice.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use grok2api_kit::settings::{Mode, Settings};

use crate::{
    StartError,
    roles::{Role, Roles},
};

/// What this process has for itself, until it is dropped or the process ends, however it ends.
pub(crate) struct Exclusive(#[expect(dead_code, reason = "held, never read")] Vec<File>);

impl Exclusive {
    /// Takes the roles that keep state, where other processes could not see what this one has in memory.
    ///
    /// # Errors
    /// When another process has one of them.
    pub(crate) fn take(settings: &Settings, roles: &Roles) -> Result<Self, StartError> {
        if settings.storage.mode != Mode::File {
            return Ok(Self(Vec::new()));
        }
        let stateful = [Role::Config, Role::TokenPool, Role::MediaCache].into_iter();
        let mine = stateful.filter(|role| roles.has(*role));
        mine.map(|role| lock(&settings.data.dir, role)).collect::<Result<_, _>>().map(Self)
    }
}

fn lock(directory: &Path, role: Role) -> Result<File, StartError> {
    let path = directory.join(format!("{role}.lock"));
    let failed = |error| StartError::one(place(directory), error);
    grok2api_kit::directory::private(directory).map_err(failed)?;
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(taken(directory, role, &mut file)),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let told = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| {
        // Read by people, and by whoever is refused.
        writeln!(file, "{}", std::process::id())
    });
    told.map_err(failed).map(|()| file)
}

fn taken(directory: &Path, role: Role, file: &mut File) -> StartError {
    let mut holder = String::new();
    let holder = match file.read_to_string(&mut holder) {
        Ok(_) if !holder.trim().is_empty() => format!("the process {}", holder.trim()),
        _ => "another process".to_owned(),
    };
    StartError::one(
        place(directory),
        format_args!(
            "{holder} serves {role} on it already, and with files there can be one only; for several replicas set \
             STORAGE_MODE to mysql or redis"
        ),
    )
}

fn place(directory: &Path) -> String {
    format!("data directory {}", directory.display())
}
