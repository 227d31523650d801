//! Passwords: what they must be, and how they are kept.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use grok2api_proto::{Error, Kind, Result};
use tokio::sync::Semaphore;

const SHORTEST: usize = 8;
const LONGEST: usize = 256;
const LONGEST_NAME: usize = 64;
/// The parameter's default, which everybody knows.
pub(super) const DEFAULT: &str = "admin";
/// Hashes computed at the same time: each takes 19 MiB and a core for a while.
const AT_ONCE: usize = 2;
/// Of a password that nobody has: who asks for an unknown name waits as long as for a known one.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$3J2DAnzAXKo7nBMRRHiJBhBbEHrGLnvmVBFtUNYXJoI";

/// Hashes and verifies off the threads that serve.
pub(super) struct Hasher(Arc<Semaphore>);

impl Default for Hasher {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Hasher {
    /// Argon2id in its text form.
    pub(super) async fn hash(&self, password: String) -> Result<String> {
        self.run(move || {
            Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
        })
        .await?
        .ok_or_else(failed)
    }

    /// Whether that is the password; with no hash it never is.
    pub(super) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool> {
        let known = hash.is_some();
        let verified = self.run(move || {
            let text = hash.unwrap_or_else(|| NOBODYS.to_owned());
            let hash = PasswordHash::new(&text).ok()?;
            Some(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        });
        Ok(verified.await?.ok_or_else(failed)? && known)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = self.0.clone().acquire_owned().await.map_err(|_| failed())?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await.map_err(|_| failed())
    }
}

fn failed() -> Error {
    Error::internal("the password could not be hashed")
}

/// Whether an admin may have that password.
pub(super) fn check(name: &str, password: &str) -> Result<()> {
    let length = password.chars().count();
    let message = match length {
        _ if password.eq_ignore_ascii_case(DEFAULT) || password == name => {
            "the password must be neither the default nor the admin's name".to_owned()
        }
        ..SHORTEST => format!("the password must have at least {SHORTEST} characters"),
        LONGEST.. => format!("the password must have less than {LONGEST} characters"),
        _ => return Ok(()),
    };
    Err(Error::new(Kind::InvalidRequest, "weak_password", message).at("password"))
}

/// Whether an admin may have that name.
pub(super) fn check_name(name: &str) -> Result<()> {
    let fit = name.trim() == name && !name.is_empty() && name.chars().count() <= LONGEST_NAME;
    if fit && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!("a name has 1 to {LONGEST_NAME} characters, without spaces at its ends");
    Err(Error::invalid("name", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_knows_its_password_and_no_other() {
        let hasher = Hasher::default();
        let hash = hasher.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hasher.hash("correct horse".into()).await.unwrap(), "salted");
        assert!(hasher.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify("correct horsE".into(), Some(hash)).await.unwrap());
        assert!(!hasher.verify("anything".into(), None).await.unwrap());
        assert!(hasher.verify("anything".into(), Some("no hash".into())).await.is_err());
    }

    #[test]
    fn weak_passwords_and_odd_names_are_refused() {
        for password in ["", "admin", "ADMIN", "1234567", "anna-anna", &"x".repeat(256)] {
            assert_eq!(check("anna-anna", password).unwrap_err().code, "weak_password", "{password}");
        }
        assert!(check("anna", "12345678").is_ok() && check("anna", "pässwörd").is_ok());
        for name in ["", " a", "a ", "a\nb", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name("Anna B.").is_ok());
    }
}
