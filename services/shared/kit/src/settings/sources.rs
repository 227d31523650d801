//! Where settings come from: each source lays its values over the defaults, and complains with its own name.

use std::{collections::HashMap, path::Path};

use toml::{Table, Value};

use super::{DEFAULTS, Mistake};

/// Environment names outside the `G2A_SECTION__KEY` pattern; stable, scripts rely on them.
const SHORT_NAMES: [(&str, &str); 29] = [
    ("G2A_LISTEN", "http.listen"),
    ("G2A_MAX_BODY_BYTES", "http.max_body_bytes"),
    ("G2A_OPS_LISTEN", "ops.listen"),
    ("G2A_DATA_DIR", "data.dir"),
    ("STORAGE_MODE", "storage.mode"),
    ("DATABASE_URL", "storage.url"),
    ("REDIS_URL", "storage.redis_url"),
    ("G2A_MEDIA_URL", "media.url"),
    ("G2A_MEDIA_ENDPOINT", "media.endpoint"),
    ("G2A_MEDIA_REGION", "media.region"),
    ("G2A_MEDIA_ACCESS_KEY", "media.access_key"),
    ("G2A_MEDIA_SECRET_KEY", "media.secret_key"),
    ("G2A_MEDIA_PATH_STYLE", "media.path_style"),
    ("G2A_MASTER_KEY", "seal.key"),
    ("G2A_MASTER_KEY_FILE", "seal.key_file"),
    ("G2A_OLD_MASTER_KEYS", "seal.old_keys"),
    ("G2A_ADMIN_PASSWORD", "admin.password"),
    ("G2A_UPSTREAM_URL", "upstream.url"),
    ("G2A_ASSETS_URL", "upstream.assets_url"),
    ("G2A_INTERNAL_SECRET", "internal.secret"),
    ("G2A_TLS_CA", "internal.tls_ca"),
    ("G2A_TLS_CERT", "internal.tls_cert"),
    ("G2A_TLS_KEY", "internal.tls_key"),
    ("G2A_CHAT_ADDR", "peers.chat"),
    ("G2A_TOKEN_POOL_ADDR", "peers.token_pool"),
    ("G2A_MEDIA_CACHE_ADDR", "peers.media_cache"),
    ("G2A_CONFIG_ADDR", "peers.config"),
    ("G2A_LOG_FORMAT", "log.format"),
    ("G2A_GRACE_SECONDS", "lifecycle.grace_seconds"),
];
/// Read by the command line: the settings file's own place.
const NOT_SETTINGS: [&str; 1] = ["G2A_CONFIG"];

/// The table being put together, and the mistakes met on the way.
pub(super) struct Merged {
    table: Table,
    mistakes: Vec<Mistake>,
}

impl Merged {
    pub(super) fn defaults() -> Self {
        let mut mistakes = Vec::new();
        let table = DEFAULTS.parse::<Table>().unwrap_or_else(|error| {
            mistakes.push(Mistake(format!("built-in defaults: {}", error.message())));
            Table::new()
        });
        Self { table, mistakes }
    }

    /// Returns whether it could be read.
    pub(super) fn file(&mut self, path: &Path) -> bool {
        let place = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.complain(&place, error);
                return false;
            }
        };
        match text.parse::<Table>() {
            Ok(table) => {
                self.sections(&place, table);
                true
            }
            // The parser's own text shows the line, and with it perhaps a secret.
            Err(error) => {
                let line = error
                    .span()
                    .map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
                self.complain(&place, format_args!("line {line}: {}", error.message()));
                false
            }
        }
    }

    fn sections(&mut self, place: &str, table: Table) {
        for (section, values) in table {
            let Value::Table(values) = values else {
                self.complain(place, format_args!("{section} is not a section; expected [{section}]"));
                continue;
            };
            for (key, value) in values {
                self.set(place, &format!("{section}.{key}"), value);
            }
        }
    }

    pub(super) fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let short: HashMap<_, _> = SHORT_NAMES.into_iter().collect();
        for (name, value) in variables {
            if NOT_SETTINGS.contains(&name.as_str()) || is_kubernetes(&name) {
                continue;
            }
            let (path, value) = if let Some(path) = short.get(name.as_str()) {
                ((*path).to_owned(), value)
            } else if let Some(path) = name.strip_suffix("_FILE").and_then(|name| short.get(name)) {
                match std::fs::read_to_string(&value) {
                    Ok(text) => ((*path).to_owned(), text.trim_end().to_owned()),
                    Err(error) => {
                        self.complain(&name, format_args!("{path}: {value}: {error}"));
                        continue;
                    }
                }
            } else if let Some(rest) = name.strip_prefix("G2A_") {
                (rest.to_lowercase().replacen("__", ".", 1), value)
            } else {
                continue;
            };
            self.set_text(&name, &path, value);
        }
    }

    /// Reads the text as the type of the default it replaces.
    fn set_text(&mut self, place: &str, path: &str, text: String) {
        let value = match self.default_of(path) {
            Some(Value::Integer(_)) => text.trim().parse().map(Value::Integer).ok(),
            Some(Value::Boolean(_)) => text.trim().parse().map(Value::Boolean).ok(),
            _ => Some(Value::String(text.clone())),
        };
        match value {
            Some(value) => self.set(place, path, value),
            None => self.complain(place, format_args!("{path}: cannot read {text:?}")),
        }
    }

    /// Tries the value alone over what is there, so that one mistake does not hide the next.
    fn set(&mut self, place: &str, path: &str, value: Value) {
        if self.default_of(path).is_none() {
            return self.complain(place, format_args!("{path} is not a setting{}", self.hint(path)));
        }
        let mut trial = self.table.clone();
        replace(&mut trial, path, value);
        match trial.clone().try_into::<super::Settings>() {
            Ok(_) => self.table = trial,
            Err(error) => self.complain(place, format_args!("{path}: {}", error.message())),
        }
    }

    /// `http_listen` was meant to be `http.listen`.
    fn hint(&self, path: &str) -> String {
        let dotted = path.replacen('_', ".", 1);
        match self.default_of(&dotted) {
            Some(_) => format!("; two underscores stand between section and name: {dotted}"),
            None => String::new(),
        }
    }

    fn default_of(&self, path: &str) -> Option<&Value> {
        let (section, key) = path.split_once('.')?;
        self.table.get(section)?.get(key)
    }

    fn complain(&mut self, place: &str, what: impl std::fmt::Display) {
        self.mistakes.push(Mistake(format!("{place}: {what}")));
    }

    pub(super) fn finish(self) -> (Table, Vec<Mistake>) {
        (self.table, self.mistakes)
    }
}

fn replace(table: &mut Table, path: &str, value: Value) {
    if let Some((section, key)) = path.split_once('.')
        && let Some(Value::Table(section)) = table.get_mut(section)
    {
        section.insert(key.to_owned(), value);
    }
}

/// What Kubernetes puts into every container for a Service whose name begins with `g2a-`.
fn is_kubernetes(name: &str) -> bool {
    let service = name.starts_with("G2A_") && !name.contains("__");
    service && (name.ends_with("_PORT") || name.contains("_PORT_") || name.contains("_SERVICE_"))
}
