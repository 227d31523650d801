//! Settings: read once at start from the compiled-in defaults, a file and the environment.
//!
//! Every mistake is found in one go: each override is checked against the default it replaces, so an unknown name
//! or a wrong type is reported with the place it came from.

mod http;
mod media;
mod model;
mod networks;
mod sources;
mod storage;

use std::{fmt, path::Path};

pub use media::{Bucket, MediaPlace};
pub use model::{
    Admin, Data, Grpc, Http, Internal, Keys, Lifecycle, Log, LogFormat, Media, Ops, Peers, Seal, Settings,
    Storage, Upstream,
};
pub use networks::Networks;
pub use storage::Mode;

/// The commented defaults; also the reference of all settings.
pub const DEFAULTS: &str = include_str!("../defaults.toml");

/// One thing wrong with the settings, with where it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake(pub(crate) String);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the sources of the settings said.
pub struct Reading {
    /// The settings, with a default in the place of whatever is wrong; none when a source could not be read at all.
    pub settings: Option<Settings>,
    /// All mistakes.
    pub mistakes: Vec<Mistake>,
}

impl Mistake {
    /// Whether it names the setting, or one of a section that is written with its dot, as in `storage.`.
    pub fn is_about(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

impl Settings {
    /// Merges defaults, `file` and `environment` (name and value pairs).
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Mistake>> {
        match Self::read(file, environment) {
            Reading { settings: Some(settings), mistakes } if mistakes.is_empty() => Ok(settings),
            Reading { mistakes, .. } => Err(mistakes),
        }
    }

    /// As [`load`](Self::load), for a start that goes on to look for what else is wrong.
    pub fn read(file: Option<&Path>, environment: impl IntoIterator<Item = (String, String)>) -> Reading {
        let mut merged = sources::Merged::defaults();
        let readable = file.is_none_or(|path| merged.file(path));
        merged.environment(environment);
        let (table, mut mistakes) = merged.finish();
        match table.try_into::<Self>() {
            Ok(settings) => {
                mistakes.extend(settings.check());
                Reading { settings: readable.then_some(settings), mistakes }
            }
            Err(error) => {
                mistakes.push(Mistake(error.message().to_owned()));
                Reading { settings: None, mistakes }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn defaults_alone_are_valid() {
        let settings = Settings::load(None, []).unwrap();
        assert_eq!(settings.http.listen.port(), 8000);
        assert_eq!(settings.upstream.url.as_str(), "https://grok.com/");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("g2a.toml");
        std::fs::write(&path, "[http]\nlisten = \"127.0.0.1:1\"\nmax_body_bytes = 7\n").unwrap();
        let settings = Settings::load(Some(&path), env(&[("G2A_LISTEN", "127.0.0.1:2")])).unwrap();
        assert_eq!(settings.http.listen.port(), 2);
        assert_eq!(settings.http.max_body_bytes, 7);
    }

    #[test]
    fn all_mistakes_are_reported_at_once_with_their_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("g2a.toml");
        std::fs::write(&path, "[http]\nlisen = \"x\"\nmax_body_bytes = \"many\"\n").unwrap();
        let given = env(&[
            ("G2A_LISTEN", "nowhere"),
            ("G2A_HTTP__PORT", "1"),
            ("STORAGE_MODE", "disk"),
            ("G2A_HTTP_LISTEN", "x"),
            ("G2A_CHAT_ADDR", "chat"),
        ]);
        let text: Vec<String> =
            Settings::load(Some(&path), given).unwrap_err().iter().map(ToString::to_string).collect();
        let all = text.join("\n");
        for part in [
            "http.lisen",
            "http.max_body_bytes",
            "G2A_LISTEN",
            "G2A_HTTP__PORT",
            "storage.mode",
            "http.listen",
            "peers.chat",
        ] {
            assert!(all.contains(part), "{part} is missing in:\n{all}");
        }
    }

    #[test]
    fn the_address_of_the_store_fits_its_mode_and_is_never_shown() {
        let load = |pairs: &[(&str, &str)]| Settings::load(None, env(pairs));
        let mysql = [("STORAGE_MODE", "mysql"), ("DATABASE_URL", "mariadb://u:hunter2@db/grok2api")];
        let settings = load(&mysql).unwrap();
        assert_eq!((settings.storage.mode, settings.storage.hot_url()), (Mode::Mysql, None));
        assert!(!settings.dump().contains("hunter2"), "{}", settings.dump());
        let redis = [("STORAGE_MODE", "redis"), ("DATABASE_URL", "rediss://:hunter2@cache")];
        assert_eq!(load(&redis).unwrap().storage.hot_url(), Some("rediss://:hunter2@cache"));
        let other = [redis[0], redis[1], ("REDIS_URL", "redis://hot")];
        assert_eq!(load(&other).unwrap().storage.hot_url(), Some("redis://hot"));

        for (given, names) in [
            (vec![("STORAGE_MODE", "mysql")], vec!["DATABASE_URL"]),
            (vec![mysql[0], ("DATABASE_URL", "mysql://u:hunter2@db")], vec!["DATABASE_URL"]),
            (vec![mysql[0], redis[1], ("REDIS_URL", "cache:hunter2")], vec!["DATABASE_URL", "REDIS_URL"]),
            (vec![redis[0], mysql[1]], vec!["DATABASE_URL"]),
            (vec![redis[1], ("REDIS_URL", "redis://:hunter2@hot")], vec!["DATABASE_URL", "REDIS_URL"]),
        ] {
            let told: Vec<_> = load(&given).unwrap_err().iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), names.len(), "{told:?}");
            for (told, name) in told.iter().zip(names) {
                assert!(told.contains(name) && !told.contains("hunter2"), "{told}");
            }
        }
    }

    #[test]
    fn a_broken_file_is_told_by_its_line_and_shows_nothing_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("g2a.toml");
        std::fs::write(&path, "[internal]\n\nsecret = my-very-secret-word\n").unwrap();
        let mistakes = Settings::load(Some(&path), []).unwrap_err();
        assert!(
            mistakes[0].0.contains("line 3") && !mistakes[0].0.contains("very-secret"),
            "{}",
            mistakes[0]
        );
    }

    #[test]
    fn variables_that_kubernetes_adds_for_services_are_passed_over() {
        let given = env(&[
            ("G2A_CHAT_PORT", "tcp://10.0.0.1:50051"),
            ("G2A_CHAT_SERVICE_HOST", "10.0.0.1"),
            ("G2A_CHAT_PORT_50051_TCP", "x"),
        ]);
        assert!(Settings::load(None, given).is_ok());
    }

    #[test]
    fn a_secret_may_come_from_a_file_and_is_masked_in_the_dump() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "a-long-shared-secret\n").unwrap();
        let given = env(&[("G2A_INTERNAL_SECRET_FILE", path.to_str().unwrap())]);
        let settings = Settings::load(None, given).unwrap();
        assert_eq!(settings.internal.secret, "a-long-shared-secret");
        assert!(!settings.dump().contains("long-shared"));
    }

    #[test]
    fn nothing_of_the_old_keys_is_in_the_dump() {
        let settings =
            Settings::load(None, env(&[("G2A_OLD_MASTER_KEYS", "one-old-key, another-old-key")])).unwrap();
        assert_eq!(settings.seal.old_keys, "one-old-key, another-old-key");
        assert!(settings.dump().contains("old_keys = \"…\""), "{}", settings.dump());
    }

    #[test]
    fn networks_are_read_from_a_list_and_contain_addresses() {
        let given = env(&[("G2A_HTTP__TRUSTED_PROXIES", "10.0.0.0/8, ::1 ,192.0.2.7")]);
        let trusted = Settings::load(None, given).unwrap().http.trusted_proxies;
        for (address, inside) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::1", true),
        ] {
            assert_eq!(trusted.contain(address.parse().unwrap()), inside, "{address}");
        }
        let mistakes =
            Settings::load(None, env(&[("G2A_HTTP__TRUSTED_PROXIES", "10.0.0.0/8,proxy")])).unwrap_err();
        assert!(
            mistakes[0].0.contains("http.trusted_proxies") && mistakes[0].0.contains("\"proxy\""),
            "{mistakes:?}"
        );
    }

    #[test]
    fn limits_that_would_refuse_everybody_are_mistakes() {
        let names = ["MAX_BODY_BYTES", "MAX_IN_FLIGHT", "MAX_CONNECTIONS", "HEAD_TIMEOUT_SECONDS"];
        let more = ["BODY_TIMEOUT_SECONDS", "WRITE_TIMEOUT_SECONDS", "IDLE_TIMEOUT_SECONDS"];
        let names = names.into_iter().chain(more);
        let given = names.clone().map(|name| (format!("G2A_HTTP__{name}"), "0".to_owned()));
        let mistakes = Settings::load(None, given).unwrap_err();
        let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 7, "{told:?}");
        for name in names {
            let setting = format!("http.{}", name.to_lowercase());
            assert!(told.iter().any(|mistake| mistake.starts_with(&setting)), "{setting}: {told:?}");
        }
        let given = env(&[("G2A_HTTP__IDEMPOTENCY_SECONDS", "0"), ("G2A_HTTP__MAX_CONNECTIONS", "1")]);
        let settings = Settings::load(None, given).unwrap();
        assert_eq!((settings.http.idempotency_seconds, settings.http.max_connections), (0, 1));
        let given = env(&[("G2A_HTTP__IDEMPOTENCY_SECONDS", "90000")]);
        assert!(Settings::load(None, given).unwrap_err()[0].0.contains("http.idempotency_seconds"));
    }

    #[test]
    fn keys_begin_with_what_can_stand_in_a_header() {
        let prefix = |prefix: &str| Settings::load(None, env(&[("G2A_KEYS__PREFIX", prefix)]));
        assert_eq!(Settings::load(None, []).unwrap().keys.prefix, "sk-g2a-");
        assert_eq!(prefix("sk-").unwrap().keys.prefix, "sk-");
        for wrong in ["sk g2a", "ключ-", &"k".repeat(33)] {
            assert!(prefix(wrong).unwrap_err()[0].0.starts_with("keys.prefix"), "{wrong}");
        }
    }

    #[test]
    fn peers_are_addresses_lists_or_names_and_the_files_of_tls_belong_together() {
        let given =
            env(&[("G2A_CHAT_ADDR", "http://a:1,http://b:1"), ("G2A_CONFIG_ADDR", "dns://config:50054")]);
        assert!(Settings::load(None, given).is_ok());
        let given =
            env(&[("G2A_TLS_CA", "ca.pem"), ("G2A_TLS_KEY", "key.pem"), ("G2A_CONFIG_ADDR", "dns://config")]);
        let told: Vec<_> = Settings::load(None, given).unwrap_err().iter().map(ToString::to_string).collect();
        assert!(told[0].contains("peers.config") && told[1].contains("internal.tls_cert"), "{told:?}");
    }

    #[test]
    fn a_plain_http_upstream_is_taken_on_loopback_only() {
        assert!(Settings::load(None, env(&[("G2A_UPSTREAM_URL", "http://127.0.0.1:9100")])).is_ok());
        let mistakes = Settings::load(None, env(&[("G2A_UPSTREAM_URL", "http://grok.com")])).unwrap_err();
        assert!(mistakes[0].0.contains("upstream.url"));
    }
}
