//! One process a role on a data directory: in file mode leases, limits and caches are the memory of that process, and
//! two of them would spend every unit twice.
//!
//! The lock also tells how the last holder ended: its process id is in it until it has written down all it knew.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use grok2api_kit::settings::{Mode, Settings};

use crate::{
    StartError,
    roles::{Role, Roles},
};

/// What this process has for itself, until it is dropped or the process ends, however it ends.
pub(crate) struct Exclusive(Vec<Lock>);

struct Lock {
    role: Role,
    file: File,
    /// Whoever held it before has written down all it knew.
    intact: bool,
    /// This process has come to know more than is written down.
    begun: bool,
    taken_over: AtomicBool,
}

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

    /// Whether whoever had this role before is known to have written down all it knew.
    pub(crate) fn intact(&self, role: Role) -> bool {
        self.0.iter().any(|lock| lock.role == role && lock.intact)
    }

    /// From now on this process knows more than is written down.
    pub(crate) fn begin(&mut self) {
        self.0.iter_mut().for_each(|lock| lock.begun = true);
    }

    /// Whatever the last holder of this role left is taken over.
    pub(crate) fn took_over(&self, role: Role) {
        let mine = self.0.iter().filter(|lock| lock.role == role);
        mine.for_each(|lock| lock.taken_over.store(true, Ordering::Relaxed));
    }

    /// The start has failed, and all that this process knew is written down: where it came so far, nothing is left in
    /// doubt.
    pub(crate) fn given_up(&self) {
        let known = |lock: &&Lock| lock.intact || lock.taken_over.load(Ordering::Relaxed);
        self.0.iter().filter(known).for_each(Lock::end);
    }

    /// This process has written down all it knows, and does nothing more.
    pub(crate) fn ended(&self) {
        self.0.iter().for_each(Lock::end);
    }
}

impl Lock {
    /// Nothing is left that only its holder knew.
    fn end(&self) {
        if let Err(error) = self.file.set_len(0) {
            tracing::warn!(%error, role = %self.role, "the end could not be noted, so the next start is a careful one");
        }
    }
}

/// A start that came to nothing leaves it as it was.
impl Drop for Lock {
    fn drop(&mut self) {
        if self.intact && !self.begun {
            self.end();
        }
    }
}

fn lock(directory: &Path, role: Role) -> Result<Lock, StartError> {
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
    let mut holder = String::new();
    file.read_to_string(&mut holder).map_err(failed)?;
    // Read by people, and by whoever is refused.
    let pid = format!("{}\n", std::process::id());
    // Over the old one, so that it is never empty on the way: that would tell of a regular end.
    let told = file
        .rewind()
        .and_then(|()| file.write_all(pid.as_bytes()))
        .and_then(|()| file.set_len(pid.len() as u64));
    // A power cut must not undo it: the next start would not know of this one.
    told.and_then(|()| file.sync_data()).map_err(failed)?;
    Ok(Lock { role, file, intact: holder.is_empty(), begun: false, taken_over: AtomicBool::new(false) })
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
