//! What a process stands on: addresses of peers, ports, its data directory, the stores. Whoever starts it is told at once
//! of everything that is wrong with that.

use grok2api_kit::settings::{Mistake, Mode, Reading, Settings};
use grok2api_storage::{self as storage, masked, place};

use crate::{
    exclusive::Exclusive,
    instance::StartError,
    listeners::Listeners,
    remotes,
    roles::{Role, Roles},
};

/// What a process has for itself from its first moment on.
pub(crate) struct Ground {
    pub listeners: Listeners,
    pub exclusive: Exclusive,
}

impl Ground {
    /// Takes the ports and the data directory, and looks whether the Redis of what replicas share is there. The durable
    /// store is left to whoever opens it, which may take long; it is looked at only when the start fails anyway.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) async fn take(settings: &Settings, roles: &Roles) -> Result<Self, StartError> {
        let mut wrong = Wrong { told: Vec::new(), found: Vec::new() };
        match wrong.look(settings, roles).await {
            Some(ground) if wrong.found.is_empty() => Ok(ground),
            _ => {
                wrong.look_at_store(settings, roles).await;
                Err(StartError(wrong.found))
            }
        }
    }
}

/// Everything that is wrong, where the settings have mistakes already: what does not hang on those is looked at all the
/// same.
pub(crate) async fn all_wrong(reading: Reading, roles: &Roles) -> StartError {
    let mut wrong = Wrong { told: reading.mistakes, found: Vec::new() };
    if let Some(settings) = &reading.settings {
        // Given up again at once.
        drop(wrong.look(settings, roles).await);
        wrong.look_at_store(settings, roles).await;
    }
    let mut lines: Vec<_> = wrong.told.iter().map(ToString::to_string).collect();
    lines.extend(wrong.found);
    StartError(lines)
}

/// What is being found out.
struct Wrong {
    /// Mistakes of the settings.
    told: Vec<Mistake>,
    found: Vec<String>,
}

impl Wrong {
    async fn look(&mut self, settings: &Settings, roles: &Roles) -> Option<Ground> {
        self.note(remotes::check(settings, roles));
        let listeners = Listeners::bind(settings, roles).await;
        let listeners = self.note(listeners);
        let exclusive = self.take_directory(settings, roles);
        self.look_at_redis(settings, roles).await;
        Some(Ground { listeners: listeners?, exclusive: exclusive? })
    }

    fn take_directory(&mut self, settings: &Settings, roles: &Roles) -> Option<Exclusive> {
        // Where there are mistakes, it may not be the one that is meant, and is not made.
        let meant = self.told.is_empty() || settings.data.dir.exists();
        if !meant || self.is_told(&["data.", "storage."]) {
            return None;
        }
        self.note(Exclusive::take(settings, roles))
    }

    async fn look_at_redis(&mut self, settings: &Settings, roles: &Roles) {
        let url = settings.storage.redis_url.as_str();
        let needed = roles.has(Role::Config) || roles.has(Role::TokenPool);
        if !needed || url.is_empty() || settings.storage.mode == Mode::File || self.is_told(&["storage."]) {
            return;
        }
        if let Err(error) = storage::reach_shared(url).await {
            self.found.push(format!("storage.redis_url (REDIS_URL) {}: {error}", masked(url)));
        }
    }

    async fn look_at_store(&mut self, settings: &Settings, roles: &Roles) {
        if !roles.need_storage() || self.is_told(&["storage.", "seal.", "data."]) {
            return;
        }
        let place = place(settings);
        // A data directory that cannot be had has been told of.
        if self.found.iter().any(|line| line.starts_with(&place)) {
            return;
        }
        if let Err(error) = storage::probe(settings).await {
            self.found.push(format!("{place}: {error}"));
        }
    }

    /// Takes in what is wrong, unless the settings' own mistakes say why.
    fn note<T>(&mut self, result: Result<T, StartError>) -> Option<T> {
        let error = match result {
            Ok(done) => return Some(done),
            Err(error) => error,
        };
        for line in error.0 {
            let name = line.split([':', ' ']).next().unwrap_or_default();
            if !self.is_told(&[name]) {
                self.found.push(line);
            }
        }
        None
    }

    fn is_told(&self, names: &[&str]) -> bool {
        self.told.iter().any(|mistake| names.iter().any(|name| mistake.is_about(name)))
    }
}
