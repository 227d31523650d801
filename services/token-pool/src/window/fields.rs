//! A window as fields of a hash: what scripts change has a field of its own, the rest is one text.

use std::collections::HashMap;

use grok2api_storage::accounts::WindowSource;
use serde::{Deserialize, Serialize};

use super::Window;

/// What only whole writes change.
#[derive(Default, Serialize, Deserialize)]
struct Rest {
    closed_until: i64,
    guessed: bool,
    source: WindowSource,
    observed_at: i64,
    read_number: u64,
    read_error: Option<String>,
    suspect: Option<u32>,
}

impl Window {
    /// The fields, named `w:class:field`; the reserved units are a script's alone and left out.
    pub(crate) fn fields(&self, class: &str) -> Result<Vec<(String, String)>, serde_json::Error> {
        let rest = Rest {
            closed_until: self.closed_until,
            guessed: self.guessed,
            source: self.source,
            observed_at: self.observed_at,
            read_number: self.read_number,
            read_error: self.read_error.as_deref().map(str::to_owned),
            suspect: self.suspect,
        };
        let units = |units: Option<u32>| units.map(|units| units.to_string()).unwrap_or_default();
        let fields = [
            ("total", units(self.total)),
            ("remaining", units(self.remaining)),
            ("length", self.length_ms.to_string()),
            ("reset", self.reset_at.to_string()),
            ("recheck", self.recheck_at.to_string()),
            ("doubtful", u8::from(self.doubtful).to_string()),
            ("spent", self.spent.to_string()),
            ("name", self.rate_limit_name.as_deref().unwrap_or_default().to_owned()),
            ("rest", serde_json::to_string(&rest)?),
        ];
        Ok(fields.map(|(field, value)| (format!("w:{class}:{field}"), value)).into())
    }

    /// The window of these fields, named without their prefix.
    ///
    /// # Errors
    /// The field that nobody of ours can have written.
    pub(crate) fn of_fields(fields: &HashMap<&str, &str>) -> Result<Self, String> {
        let rest: Rest = match fields.get("rest") {
            Some(text) => serde_json::from_str(text).map_err(|error| format!("rest: {error}"))?,
            None => Rest::default(),
        };
        let name = fields.get("name").filter(|name| !name.is_empty());
        Ok(Self {
            total: number(fields, "total")?,
            remaining: number(fields, "remaining")?,
            reserved: number(fields, "reserved")?.unwrap_or_default(),
            length_ms: number(fields, "length")?.unwrap_or_default(),
            reset_at: number(fields, "reset")?.unwrap_or_default(),
            closed_until: rest.closed_until,
            source: rest.source,
            observed_at: rest.observed_at,
            rate_limit_name: name.map(|name| (*name).into()),
            guessed: rest.guessed,
            doubtful: fields.get("doubtful") == Some(&"1"),
            recheck_at: number(fields, "recheck")?.unwrap_or_default(),
            read_number: rest.read_number,
            read_error: rest.read_error.map(String::into_boxed_str),
            suspect: rest.suspect,
            spent: number(fields, "spent")?.unwrap_or_default(),
            ..Self::default()
        })
    }
}

fn number<T: std::str::FromStr>(fields: &HashMap<&str, &str>, name: &str) -> Result<Option<T>, String> {
    let text = fields.get(name).filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(|_| format!("{name}: {text:?} is no number"))).transpose()
}
