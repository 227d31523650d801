//! Which store, and where it is.

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Mistake, Storage};

/// Which store keeps the durable state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// SQLite in the data directory.
    File,
    /// MySQL or MariaDB.
    Mysql,
    /// Redis.
    Redis,
}

/// What an address looks like.
struct Form {
    schemes: [&'static str; 2],
    /// Whether a path must follow: a database that has no default.
    path: bool,
    example: &'static str,
}

const MYSQL: Form =
    Form { schemes: ["mysql", "mariadb"], path: true, example: "mysql://user:password@host:3306/database" };
const REDIS: Form =
    Form { schemes: ["redis", "rediss"], path: false, example: "redis://:password@host:6379/0" };

impl Storage {
    /// The Redis for what replicas share while they run: `redis_url`, in `redis` mode by default the store itself.
    pub fn hot_url(&self) -> Option<&str> {
        match self.mode {
            _ if !self.redis_url.is_empty() => Some(&self.redis_url),
            Mode::Redis => Some(&self.url),
            Mode::File | Mode::Mysql => None,
        }
    }

    pub(super) fn check(&self) -> Vec<Mistake> {
        let url = ("storage.url (DATABASE_URL)", self.url.as_str());
        let redis_url = ("storage.redis_url (REDIS_URL)", self.redis_url.as_str());
        let found = match self.mode {
            Mode::File => [unused(url), unused(redis_url)],
            Mode::Mysql => [wrong(url, &MYSQL), wrong_if_given(redis_url, &REDIS)],
            Mode::Redis => [wrong(url, &REDIS), wrong_if_given(redis_url, &REDIS)],
        };
        found.into_iter().flatten().map(Mistake).collect()
    }
}

/// It would be ignored, which whoever set it did not mean.
fn unused((name, url): (&str, &str)) -> Option<String> {
    let text = || format!("{name}: storage.mode \"file\" uses none; set STORAGE_MODE, or remove it");
    (!url.is_empty()).then(text)
}

fn wrong_if_given(named: (&str, &str), form: &Form) -> Option<String> {
    wrong(named, form).filter(|_| !named.1.is_empty())
}

/// Says what the address should look like, and never what it is: it may hold a password.
fn wrong((name, url): (&str, &str), form: &Form) -> Option<String> {
    let fits = Url::parse(url).is_ok_and(|url| {
        let path = !url.path().trim_matches('/').is_empty();
        form.schemes.contains(&url.scheme()) && url.has_host() && (path || !form.path)
    });
    let what = if url.is_empty() { "is missing; it has" } else { "does not have" };
    let [first, second] = form.schemes;
    (!fits).then(|| format!("{name}: {what} the form {} ({first}:// or {second}://)", form.example))
}
