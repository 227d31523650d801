//! [`Sessions`] in Redis: a hash each, digests by expiry, and a set of digests for each admin.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::Script;
use uuid::Uuid;

use super::{BATCH, Redis, text};
use crate::{
    Error, Result,
    seal::hex,
    sessions::{Digest, Session, Sessions, impossible},
};

/// Before the digest: a session's own key.
const SESSION: &str = "{g2a}:session:";
/// Before the admin's id: the digests of their sessions.
const OF: &str = "{g2a}:sessions:of:";
const EXPIRY: &str = "{g2a}:sessions:expiry";
const FIELDS: [&str; 6] = ["admin", "created", "expires", "seen", "address", "user_agent"];
/// In the order of [`FIELDS`]; all absent when there is no such session.
type Fields = (Option<String>, Option<i64>, Option<i64>, Option<i64>, Option<String>, Option<String>);

static INSERT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/session_insert.lua")));
static SEEN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/session_seen.lua")));
static REMOVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/sessions_remove.lua")));

struct RedisSessions(Redis);

impl Redis {
    /// Sessions of the console.
    pub fn sessions(&self) -> Arc<dyn Sessions> {
        Arc::new(RedisSessions(self.clone()))
    }
}

#[async_trait]
impl Sessions for RedisSessions {
    async fn get(&self, digest: &Digest) -> Result<Option<Session>> {
        Ok(self.read(&[hex(digest)]).await?.pop())
    }

    async fn of(&self, admin: Uuid) -> Result<Vec<Session>> {
        let (digests,): (Vec<String>,) = self.0.ask(redis::pipe().smembers(format!("{OF}{admin}"))).await?;
        let mut sessions = self.read(&digests).await?;
        sessions.sort_by_key(|session| (std::cmp::Reverse(session.created_at), session.digest));
        Ok(sessions)
    }

    async fn insert(&self, session: &Session) -> Result<()> {
        let name = hex(&session.digest);
        let (key, of) = (format!("{SESSION}{name}"), format!("{OF}{}", session.admin));
        let mut arguments = vec![text(&name), text(session.expires_at)];
        arguments.extend([text("admin"), text(session.admin), text("created"), text(session.created_at)]);
        arguments.extend([text("seen"), text(session.last_seen_at), text("address")]);
        arguments.extend([text(&session.address), text("user_agent"), text(&session.user_agent)]);
        let added: bool = self.0.run(&INSERT, &[&key, EXPIRY, &of], &arguments).await?;
        if added { Ok(()) } else { Err(Error::Taken { what: "the session".to_owned() }) }
    }

    async fn seen(&self, digest: &Digest, now_ms: i64, expires_at: i64) -> Result<bool> {
        let name = hex(digest);
        let arguments = [text(&name), text(now_ms), text(expires_at)];
        self.0.run(&SEEN, &[&format!("{SESSION}{name}"), EXPIRY], &arguments).await
    }

    async fn revoke(&self, digest: &Digest) -> Result<bool> {
        Ok(self.remove("one", hex(digest)).await? == 1)
    }

    async fn revoke_all(&self, admin: Uuid) -> Result<u64> {
        self.remove("admin", admin).await
    }

    async fn purge(&self, expired_before_ms: i64) -> Result<u64> {
        let mut all = 0;
        loop {
            let some = self.remove("expired", expired_before_ms).await?;
            all += some;
            if some == 0 {
                return Ok(all);
            }
        }
    }
}

impl RedisSessions {
    async fn remove(&self, which: &str, value: impl ToString) -> Result<u64> {
        let arguments = [text(SESSION), text(OF), text(which), text(value), text(BATCH)];
        self.0.run(&REMOVE, &[EXPIRY], &arguments).await
    }

    async fn read(&self, digests: &[String]) -> Result<Vec<Session>> {
        let mut sessions = Vec::with_capacity(digests.len());
        for digests in digests.chunks(BATCH) {
            let mut read = redis::pipe();
            for digest in digests {
                read.cmd("HMGET").arg(format!("{SESSION}{digest}")).arg(&FIELDS);
            }
            let rows: Vec<Fields> = self.0.ask(&read).await?;
            for (digest, row) in digests.iter().zip(rows) {
                sessions.extend(open(digest, row)?);
            }
        }
        Ok(sessions)
    }
}

fn open(name: &str, row: Fields) -> Result<Option<Session>> {
    let (admin, created, expires, seen, address, user_agent) = match row {
        (None, None, None, None, None, None) => return Ok(None),
        (Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)) => (a, b, c, d, e, f),
        _ => return Err(impossible(name, "a field is missing")),
    };
    Ok(Some(Session {
        digest: digest(name).ok_or_else(|| impossible(name, "its digest has not 32 bytes"))?,
        admin: Uuid::parse_str(&admin).map_err(|error| impossible(name, error))?,
        created_at: created,
        expires_at: expires,
        last_seen_at: seen,
        address,
        user_agent,
    }))
}

/// Back from hexadecimal.
fn digest(name: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if name.len() != 64 || !name.is_ascii() {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(name.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}
